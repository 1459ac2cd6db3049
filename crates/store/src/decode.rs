//! Records inside a block's payload: the reading side. The bytes are described in [`crate::record`].

use std::collections::HashMap;
use std::sync::Arc;

use whimbrel_model::batch::{take_signed, take_varint};
use whimbrel_model::gtid::{Gtid, MariaDbGtid, MysqlGtid, MysqlSource};
use whimbrel_model::{
    Begin, ChangeBatch, Commit, LogPoint, LogRecord, Position, RowBatch, RowOp, TableVersion,
};

use crate::format::{BlockHeader, Payload, take, take_bytes, take_u8, take_u32};
use crate::record::{
    Anchor, DdlIn, DefineIn, JSON_VERSION, Numbers, Pending, PendingEffect, add_gtid_text, form, kind,
    start_form,
};

/// What is wrong with a payload, for [`crate::Damage::what`].
pub(crate) type Fault = &'static str;

/// Whether a caller wants the rows; all other records are always decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// From this sequence on.
    From(u64),
    Skip,
}

/// One step of a payload.
#[derive(Debug)]
pub(crate) enum Step {
    Record(u64, LogRecord),
    /// Rows that weren't wanted.
    Skipped,
    Define {
        version: Arc<TableVersion>,
        current: bool,
    },
    Pending(Vec<PendingEffect>),
    Anchor,
}

/// What a reader knows after the blocks it has seen.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    versions: HashMap<u64, Arc<TableVersion>>,
    /// Versions from before the last snapshot: the same ones keep their identity.
    retired: HashMap<u64, Arc<TableVersion>>,
    pub position: Option<Position>,
    pub open: Option<Begin>,
    /// Time of the last begin or commit in this block.
    time_us: u64,
    /// Server and file of the last begin, shared by those that follow.
    last_start: Option<(Arc<str>, Arc<str>)>,
}

impl Decoder {
    /// All table versions that are known, in no order.
    pub fn versions(&self) -> impl Iterator<Item = &Arc<TableVersion>> {
        self.versions.values()
    }

    /// Decodes a block's payload and hands on every step in order.
    pub fn block<E: From<Fault>>(
        &mut self,
        header: &BlockHeader,
        payload: Payload<'_>,
        rows: Rows,
        mut step: impl FnMut(&Self, Step) -> Result<(), E>,
    ) -> Result<(), E> {
        let Payload { records: mut input, mut values } = payload;
        let mut sequence = header.first_sequence;
        self.time_us = 0;
        while !input.is_empty() {
            let (kind, body) = split_record(&mut input).ok_or("a record is cut short")?;
            let decoded = match kind {
                kind::ROWS | kind::CHANGES => self.rows(kind, body, &mut values, sequence, rows)?,
                _ => self.record(kind, body, sequence)?,
            };
            if kind < kind::ANCHOR {
                sequence = sequence.saturating_add(1);
            }
            step(self, decoded)?;
        }
        if sequence != header.end_sequence() {
            return Err("number of records in a block".into());
        }
        if !values.is_empty() {
            return Err("values of no record in a block".into());
        }
        self.retired = HashMap::new();
        Ok(())
    }

    /// Takes only the table versions out of a block.
    pub fn definitions(&mut self, records: &[u8]) -> Result<(), Fault> {
        let mut input = records;
        while !input.is_empty() {
            let (kind, body) = split_record(&mut input).ok_or("a record is cut short")?;
            if kind == kind::DEFINE {
                self.define(body)?;
            }
        }
        Ok(())
    }

    /// Takes only the anchor that the records begin with; `None` where they begin otherwise.
    pub fn first_anchor(&mut self, records: &[u8]) -> Option<()> {
        let mut input = records;
        let (kind, body) = split_record(&mut input)?;
        (kind == kind::ANCHOR && self.anchor(body).is_ok()).then_some(())
    }

    /// Any record but rows.
    fn record(&mut self, kind: u8, body: &[u8], sequence: u64) -> Result<Step, Fault> {
        let mut input = body;
        let numbers = match kind {
            kind::BEGIN_DELTA | kind::COMMIT_DELTA => Numbers::Delta,
            _ => Numbers::Whole,
        };
        let record = match kind {
            kind::BEGIN | kind::BEGIN_DELTA => {
                let begin = self.take_begin(&mut input, numbers).ok_or("a begin record")?;
                self.open = Some(begin.clone());
                LogRecord::Begin(begin)
            }
            kind::DDL => {
                let DdlIn { v, ddl } = serde_json::from_slice(body).map_err(|_| "a DDL record")?;
                input = &[];
                json_version(v)?;
                LogRecord::Ddl(ddl)
            }
            kind::COMMIT | kind::COMMIT_DELTA => {
                let commit_time_us = self.take_time(&mut input, numbers).ok_or("a commit record")?;
                let own = self.open.take().and_then(|begin| begin.gtid);
                let position = self.take_position(&mut input, numbers, own.as_ref())?;
                LogRecord::Commit(Commit { position, commit_time_us })
            }
            kind::ABORT => {
                self.open = None;
                LogRecord::Abort
            }
            kind::HEARTBEAT => {
                let time_us = take_varint(&mut input).ok_or("a heartbeat record")?;
                LogRecord::Heartbeat { position: self.take_position(&mut input, numbers, None)?, time_us }
            }
            kind::ANCHOR => return self.anchor(body),
            kind::DEFINE => return self.define(body),
            kind::PENDING => {
                let Pending { v, effects } = serde_json::from_slice(body).map_err(|_| "a pending record")?;
                json_version(v)?;
                return Ok(Step::Pending(effects));
            }
            _ => return Err("an unknown kind of record"),
        };
        if input.is_empty() { Ok(Step::Record(sequence, record)) } else { Err("bytes after a record's end") }
    }

    /// `values` begin with those of this record, which are taken whether the rows are wanted or not.
    fn rows(
        &self,
        kind: u8,
        body: &[u8],
        values: &mut &[u8],
        sequence: u64,
        rows: Rows,
    ) -> Result<Step, Fault> {
        let mut input = body;
        let mut head = || {
            let id = take_varint(&mut input)?;
            let flags = take_u8(&mut input)?;
            let count = take_varint(&mut input)?;
            Some((id, flags, take_bytes(&mut input, count)?))
        };
        let (id, flags, ops) = head().ok_or("a rows record is cut short")?;
        let mut own = || take_bytes(values, u64::from(take_u32(&mut input)?));
        let own = match kind {
            kind::ROWS => None,
            _ => Some(own().ok_or("the values of a rows record are cut short")?),
        };
        if !matches!(rows, Rows::From(first) if sequence >= first) {
            return Ok(Step::Skipped);
        }
        let table = self.versions.get(&id).ok_or("rows of a table version that isn't defined")?.clone();
        let ops = ops.iter().map(|code| RowOp::from_code(*code)).collect::<Option<Vec<_>>>();
        let ops = ops.ok_or("an unknown operation in a rows record")?;
        let rows = match own {
            None => RowBatch::decode(table.kinds.clone(), input),
            Some(values) => RowBatch::decode_changes(table.kinds.clone(), &ops, input, values),
        };
        let rows = rows.map_err(|_| "the batch of a rows record")?;
        let batch = ChangeBatch { table, ops, rows, foreign_keys_off: flags & 1 != 0 };
        if !batch.is_well_formed() {
            return Err("operations that don't fit the rows of a rows record");
        }
        Ok(Step::Record(sequence, LogRecord::Rows(batch)))
    }

    fn anchor(&mut self, body: &[u8]) -> Result<Step, Fault> {
        let anchor: Anchor = serde_json::from_slice(body).map_err(|_| "an anchor record")?;
        json_version(anchor.v)?;
        if anchor.snapshot {
            self.retired = std::mem::take(&mut self.versions);
        }
        self.open = match anchor.open {
            None => None,
            Some(open) => {
                let gtid = open.gtid.map(|gtid| gtid.parse::<Gtid>()).transpose();
                let gtid = gtid.map_err(|_| "the GTID of an anchor record")?;
                let start = open.start.map(|start| LogPoint {
                    server: start.server.into(),
                    file: start.file.into(),
                    offset: start.offset,
                });
                Some(Begin { gtid, commit_time_us: open.commit_time_us, start })
            }
        };
        self.position = Some(anchor.position);
        Ok(Step::Anchor)
    }

    fn define(&mut self, body: &[u8]) -> Result<Step, Fault> {
        let mut input = body;
        let id = take_varint(&mut input).ok_or("a definition record")?;
        let current = take_u8(&mut input).ok_or("a definition record")? & 1 != 0;
        let version = match self.retired.get(&id).or_else(|| self.versions.get(&id)) {
            Some(known) => known.clone(),
            None => {
                let DefineIn { v, schema } =
                    serde_json::from_slice(input).map_err(|_| "the schema of a definition record")?;
                json_version(v)?;
                Arc::new(TableVersion::new(id, schema))
            }
        };
        self.versions.insert(id, version.clone());
        Ok(Step::Define { version, current })
    }

    fn take_time(&mut self, input: &mut &[u8], numbers: Numbers) -> Option<u64> {
        self.time_us = take_number(input, numbers, self.time_us)?;
        Some(self.time_us)
    }

    fn take_begin(&mut self, input: &mut &[u8], numbers: Numbers) -> Option<Begin> {
        let commit_time_us = self.take_time(input, numbers)?;
        let gtid = take_gtid(input)?;
        let bits = take_u8(input)?;
        let known = start_form::KNOWN | start_form::SERVER | start_form::FILE;
        let start = match bits {
            0 => None,
            bits if bits & start_form::KNOWN != 0 && bits & !known == 0 => {
                let Position::Binlog(base) = self.position.as_ref()?;
                let server = if bits & start_form::SERVER != 0 { take_text(input)? } else { &base.server };
                let file = if bits & start_form::FILE != 0 { take_text(input)? } else { &base.file };
                let (server, file) = match &self.last_start {
                    Some((s, f)) if **s == *server && **f == *file => (s.clone(), f.clone()),
                    _ => (Arc::from(server), Arc::from(file)),
                };
                self.last_start = Some((server.clone(), file.clone()));
                let numbers = if bits & start_form::FILE != 0 { Numbers::Whole } else { numbers };
                Some(LogPoint { server, file, offset: take_number(input, numbers, base.offset)? })
            }
            _ => return None,
        };
        Some(Begin { gtid, commit_time_us, start })
    }

    fn take_position(
        &mut self,
        input: &mut &[u8],
        numbers: Numbers,
        own: Option<&Gtid>,
    ) -> Result<Position, Fault> {
        let position = self.position.as_mut().ok_or("a position without an anchor before it")?;
        change_position(position, input, numbers, own).ok_or("the position of a record")?;
        Ok(position.clone())
    }
}

fn json_version(version: u32) -> Result<(), Fault> {
    if version == JSON_VERSION { Ok(()) } else { Err("JSON of a newer program") }
}

fn split_record<'a>(input: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let kind = take_u8(input)?;
    let len = take_u32(input)?;
    Some((kind, take_bytes(input, u64::from(len))?))
}

fn take_gtid(input: &mut &[u8]) -> Option<Option<Gtid>> {
    Some(match take_u8(input)? {
        0 => None,
        1 => {
            let uuid = take::<16>(input)?;
            let tag = take_text(input)?.to_owned();
            Some(Gtid::Mysql(MysqlGtid { source: MysqlSource { uuid, tag }, number: take_varint(input)? }))
        }
        2 => Some(Gtid::MariaDb(MariaDbGtid {
            domain: take_varint(input)?.try_into().ok()?,
            server: take_varint(input)?.try_into().ok()?,
            sequence: take_varint(input)?,
        })),
        _ => return None,
    })
}

fn take_text<'a>(input: &mut &'a [u8]) -> Option<&'a str> {
    let len = take_varint(input)?;
    std::str::from_utf8(take_bytes(input, len)?).ok()
}

fn take_number(input: &mut &[u8], numbers: Numbers, before: u64) -> Option<u64> {
    match numbers {
        Numbers::Whole => take_varint(input),
        Numbers::Delta => take_signed(input).map(|delta| before.wrapping_add(delta as u64)),
    }
}

fn change_position(
    position: &mut Position,
    input: &mut &[u8],
    numbers: Numbers,
    own: Option<&Gtid>,
) -> Option<()> {
    let bits = take_u8(input)?;
    if bits == form::WHOLE {
        *position = serde_json::from_str(take_text(input)?).ok()?;
        return Some(());
    }
    if bits & !(form::FILE | form::EXTRA_GTIDS) != 0 {
        return None;
    }
    let Position::Binlog(binlog) = position;
    let mut numbers = numbers;
    if bits & form::FILE != 0 {
        take_text(input)?.clone_into(&mut binlog.file);
        numbers = Numbers::Whole;
    }
    binlog.offset = take_number(input, numbers, binlog.offset)?;
    if let Some(gtid) = own {
        binlog.gtids.add(gtid);
    }
    if bits & form::EXTRA_GTIDS != 0 {
        add_gtid_text(&mut binlog.gtids, take_text(input)?)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use whimbrel_model::{
        BinlogPosition, Column, DataType, Ddl, GtidState, TableEffect, TableName, TableSchema,
    };

    use super::*;
    use crate::format::VERSION;
    use crate::record::BlockBuilder;

    const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn gtids() -> impl Strategy<Value = GtidState> {
        prop_oneof![
            Just(GtidState::None),
            prop::collection::vec((1..200u64, 0..30u64), 0..6).prop_map(|intervals| {
                let text: Vec<_> = intervals
                    .iter()
                    .enumerate()
                    .map(|(n, (from, len))| {
                        format!("{UUID}:{}{from}-{}", if n % 3 == 2 { "tag:" } else { "" }, from + len)
                    })
                    .collect();
                GtidState::Mysql(text.join(",").parse().unwrap())
            }),
            prop::collection::vec((0..4u32, 1..4u32, 1..99u64), 0..4).prop_map(|gtids| {
                let text: Vec<_> =
                    gtids.iter().map(|(domain, server, n)| format!("{domain}-{server}-{n}")).collect();
                GtidState::MariaDb(text.join(",").parse().unwrap())
            }),
        ]
    }

    fn positions() -> impl Strategy<Value = Position> {
        (0..2u8, 0..3u8, any::<u64>(), gtids()).prop_map(|(server, file, offset, gtids)| {
            let (server, file) = (format!("server{server}"), format!("binlog.{file:06}"));
            Position::Binlog(BinlogPosition { server, file, offset, gtids })
        })
    }

    fn own_gtids() -> impl Strategy<Value = Option<Gtid>> {
        prop_oneof![
            Just(None),
            (1..99u64).prop_map(|n| Some(format!("{UUID}:{n}").parse().unwrap())),
            (1..99u64).prop_map(|n| Some(format!("{UUID}:tag:{n}").parse().unwrap())),
            (1..99u64).prop_map(|n| Some(format!("1-1-{n}").parse().unwrap())),
        ]
    }

    fn starts() -> impl Strategy<Value = Option<LogPoint>> {
        prop::option::of((0..2u8, 0..3u8, any::<u64>()).prop_map(|(server, file, offset)| LogPoint {
            server: format!("server{server}").into(),
            file: format!("binlog.{file:06}").into(),
            offset,
        }))
    }

    fn header(builder: &BlockBuilder) -> BlockHeader {
        BlockHeader {
            stored_len: 0,
            plain_len: 0,
            values_len: 0,
            codec: 0,
            flags: builder.flags,
            first_sequence: 1,
            count: builder.count,
            payload_crc: 0,
            max_time_us: 0,
            synced: 0,
        }
    }

    fn schema() -> TableSchema {
        let column =
            |name: &str| Column::new(name, DataType::Blob { size: whimbrel_model::TextSize::Tiny }, true);
        TableSchema::new(TableName::new("d", "t"), vec![column("a"), column("b")])
    }

    /// A payload with a record of every kind.
    fn everything() -> BlockBuilder {
        let mut base = Position::Binlog(BinlogPosition {
            server: "one".into(),
            file: "binlog.000001".into(),
            offset: 4,
            gtids: GtidState::Mysql(format!("{UUID}:1-5").parse().unwrap()),
        });
        let mut builder = BlockBuilder::default();
        builder.anchor(true, &base, None);
        builder.define(7, true, &schema());
        builder.pending(&[PendingEffect { before: Some(TableName::new("d", "old")), after: Some(7) }]);
        let start = LogPoint { server: "two".into(), file: "binlog.000002".into(), offset: 9 };
        let gtid: Gtid = format!("{UUID}:tag:6").parse().unwrap();
        let begin = Begin { gtid: Some(gtid), commit_time_us: 5, start: Some(start) };
        builder.begin(1, &begin, &base);
        let mut batch = ChangeBatch::new(Arc::new(TableVersion::new(7, schema())), true);
        for op in [RowOp::Insert, RowOp::UpdateBefore, RowOp::UpdateAfter] {
            batch.ops.push(op);
            batch.rows.push_bytes(b"value");
            batch.rows.push_null();
            batch.rows.end_row();
        }
        builder.rows(VERSION, 7, &batch);
        builder.rows(1, 7, &batch);
        builder.ddl(&Ddl {
            default_schema: "d".into(),
            sql: "DROP TABLE t".into(),
            sql_mode: 0,
            effects: vec![TableEffect { before: Some(TableName::new("d", "t")), after: None }],
        });
        let after = base.clone();
        let commit = Commit { position: after.clone(), commit_time_us: 6 };
        builder.commit(1, &commit, &mut base, None);
        builder.begin(VERSION, &begin, &base);
        builder.commit(VERSION, &commit, &mut base, None);
        builder.abort();
        builder.heartbeat(7, &mut base, &after);
        builder
    }

    proptest! {
        #[test]
        fn times_and_positions_read_back_whatever_came_before(
            format in 1..=VERSION,
            first in positions(),
            steps in prop::collection::vec((positions(), own_gtids(), any::<bool>(), any::<u64>(), starts()), 1..12),
        ) {
            let mut base = first.clone();
            let mut builder = BlockBuilder::default();
            builder.anchor(true, &first, None);
            let mut written = Vec::new();
            for (position, gtid, heartbeat, time_us, start) in steps {
                if heartbeat {
                    builder.heartbeat(time_us, &mut base, &position);
                    written.push(LogRecord::Heartbeat { position: position.clone(), time_us });
                } else {
                    let begin = Begin { gtid: gtid.clone(), commit_time_us: time_us / 2, start };
                    let commit = Commit { position: position.clone(), commit_time_us: time_us };
                    builder.begin(format, &begin, &base);
                    builder.commit(format, &commit, &mut base, gtid.as_ref());
                    written.extend([LogRecord::Begin(begin), LogRecord::Commit(commit)]);
                }
                prop_assert_eq!(&base, &position);
            }
            let mut read = Vec::new();
            let decoded = Decoder::default().block(&header(&builder), builder.payload(), Rows::Skip, |_, step| {
                if let Step::Record(_, record) = step {
                    read.push(record);
                }
                Ok::<(), Fault>(())
            });
            prop_assert_eq!(decoded, Ok(()));
            prop_assert_eq!(format!("{read:?}"), format!("{written:?}"));
        }

        /// In both formats, whatever an update changes.
        #[test]
        fn changes_read_back(cells in prop::collection::vec((0..3u8, [0..4u8, 0..4u8], [0..4u8, 0..4u8]), 0..20)) {
            let mut batch = ChangeBatch::new(Arc::new(TableVersion::new(7, schema())), cells.len() % 2 == 0);
            let mut push = |op, row: &[u8; 2]| {
                batch.ops.push(op);
                for cell in row {
                    match cell {
                        0 => batch.rows.push_null(),
                        1 => batch.rows.push_unknown(),
                        cell => batch.rows.push_bytes(&[*cell; 100]),
                    }
                }
                batch.rows.end_row();
            };
            for (what, before, after) in &cells {
                match what {
                    0 => push(RowOp::Insert, after),
                    1 => push(RowOp::Delete, before),
                    _ => {
                        push(RowOp::UpdateBefore, before);
                        push(RowOp::UpdateAfter, after);
                    }
                }
            }
            let shown = |batch: &ChangeBatch| {
                let rows: Vec<_> = batch.rows.rows().map(|row| format!("{row:?}")).collect();
                (batch.ops.clone(), rows, batch.foreign_keys_off)
            };
            let mut builder = BlockBuilder::default();
            builder.define(7, true, &schema());
            builder.rows(1, 7, &batch);
            builder.rows(VERSION, 7, &batch);
            let mut read = Vec::new();
            let decoded = Decoder::default().block(&header(&builder), builder.payload(), Rows::From(0), |_, step| {
                if let Step::Record(_, LogRecord::Rows(batch)) = step {
                    read.push(shown(&batch));
                }
                Ok::<(), Fault>(())
            });
            prop_assert_eq!(decoded, Ok(()));
            prop_assert_eq!(read, [shown(&batch), shown(&batch)]);
        }

        /// A checksum stands before this on disk; from a socket anything may come.
        #[test]
        fn damaged_payloads_never_panic(changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4), cut: usize) {
            let builder = everything();
            let whole = builder.payload();
            let ignore = |_: &Decoder, _: Step| Ok::<(), Fault>(());
            prop_assert_eq!(Decoder::default().block(&header(&builder), whole, Rows::From(0), ignore), Ok(()));
            let (mut records, mut values) = (whole.records.to_vec(), whole.values.to_vec());
            for (at, value) in changes {
                let at = at % records.len();
                records[at] = value;
            }
            let payload = Payload { records: &records, values: &values };
            let _ = Decoder::default().block(&header(&builder), payload, Rows::From(0), ignore);
            values.truncate(cut % values.len());
            let payload = Payload { records: &records, values: &values };
            let _ = Decoder::default().block(&header(&builder), payload, Rows::From(0), ignore);
            records.truncate(cut % records.len());
            let payload = Payload { records: &records, values: &values };
            let _ = Decoder::default().block(&header(&builder), payload, Rows::From(0), ignore);
        }
    }
}
