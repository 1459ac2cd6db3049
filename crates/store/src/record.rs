//! Records inside a block's payload: their bytes, and the writing side.
//!
//! Records stand one after another, and the values of their rows behind all of them, in the same order;
//! strings and JSON are UTF-8, numbers little endian or LEB128 (`varint`):
//!
//! ```text
//! u8 kind, u32 length of the body, body
//!
//!  1 begin      in files of version 1: varint commit time (us), gtid, start
//!  2 rows       in files of version 1: as 7 up to the operations, the rest is the batch in form 1
//!  3 ddl        JSON {"v":1, and the fields of whimbrel_model::Ddl}
//!  4 commit     in files of version 1: varint commit time (us), position change
//!  5 abort      nothing
//!  6 heartbeat  varint time (us), position change
//!  7 changes    from version 2 on: varint table version, u8 flags (1: foreign keys off), varint rows, one
//!               byte of operation each, u32 length of the batch's values, the rest are the tags of form 2
//!               (both in batch/serial.rs of whimbrel_model)
//!  8 begin      from version 2 on: time, gtid, start
//!  9 commit     from version 2 on: time, position change
//! 16 anchor     JSON {"v":1,"snapshot":bool,"position":..,"open":{"gtid","commit_time_us",
//!              "start":{"server","file","offset"}}}
//! 17 define     varint table version, u8 flags (1: the table's definition from here on), JSON {"v":1,"schema":..}
//! 18 pending    JSON {"v":1,"effects":[{"before":..,"after":table version}]}
//!
//! time             signed varint, commit time (us) less that of the begin or commit before in this block (0)
//! gtid             u8 0: none
//!                  u8 1: 16 bytes uuid, varint tag length, tag, varint number
//!                  u8 2: varint domain, varint server, varint sequence
//! start            u8 form: 0 unknown; else 1 and, by its bits:
//!                  2: varint length, server (else that of the position before)
//!                  4: varint length, log file name (else that of the position before)
//!                  always: offset
//! position change  u8 form, then by its bits:
//!                  8: varint length, whole position as JSON, nothing else
//!                  1: varint length, log file name (else it is the one before)
//!                  always: offset; the open transaction's GTID is added
//!                  4: varint length, text of the GTIDs that were passed besides it
//! offset           in records of kind 8 and 9 without a file name: signed varint, less the offset of the
//!                  position before; else varint
//! ```
//!
//! Kinds 1 to 9 are log records and have a sequence each; 16 and above tell a reader what it needs to know
//! to begin in the middle. An anchor holds the whole position, so that all others need only the change. The
//! first block of a file begins with a snapshot: an anchor, all table versions that may still be used, and
//! the effects of a DDL statement whose transaction is open.

use serde::{Deserialize, Serialize};
use whimbrel_model::batch::{put_signed, put_varint};
use whimbrel_model::gtid::{Gtid, MysqlGtidSet};
use whimbrel_model::{
    Begin, ChangeBatch, Commit, Ddl, GtidState, LogPoint, Position, TableName, TableSchema,
};

use crate::format::{COMPACT_SINCE, Payload, flags};
use crate::pack::clear;

/// Version of the JSON inside records.
pub(crate) const JSON_VERSION: u32 = 1;

pub(crate) mod kind {
    pub const BEGIN: u8 = 1;
    pub const ROWS: u8 = 2;
    pub const DDL: u8 = 3;
    pub const COMMIT: u8 = 4;
    pub const ABORT: u8 = 5;
    pub const HEARTBEAT: u8 = 6;
    pub const CHANGES: u8 = 7;
    pub const BEGIN_DELTA: u8 = 8;
    pub const COMMIT_DELTA: u8 = 9;
    pub const ANCHOR: u8 = 16;
    pub const DEFINE: u8 = 17;
    pub const PENDING: u8 = 18;
}

pub(crate) mod start_form {
    pub const KNOWN: u8 = 1;
    pub const SERVER: u8 = 2;
    pub const FILE: u8 = 4;
}

pub(crate) mod form {
    pub const FILE: u8 = 1;
    pub const EXTRA_GTIDS: u8 = 4;
    pub const WHOLE: u8 = 8;
}

/// Where a reader may begin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Anchor {
    pub v: u32,
    /// All table versions follow; those that don't are gone.
    pub snapshot: bool,
    pub position: Position,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<OpenTransaction>,
}

/// The begin of the transaction that is open at an anchor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OpenTransaction {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gtid: Option<String>,
    pub commit_time_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<StartPoint>,
}

/// A [`LogPoint`] as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StartPoint {
    pub server: String,
    pub file: String,
    pub offset: u64,
}

#[derive(Serialize)]
struct DdlOut<'a> {
    v: u32,
    #[serde(flatten)]
    ddl: &'a Ddl,
}

#[derive(Deserialize)]
pub(crate) struct DdlIn {
    pub v: u32,
    #[serde(flatten)]
    pub ddl: Ddl,
}

#[derive(Serialize)]
struct DefineOut<'a> {
    v: u32,
    schema: &'a TableSchema,
}

#[derive(Deserialize)]
pub(crate) struct DefineIn {
    pub v: u32,
    pub schema: TableSchema,
}

/// What an uncommitted DDL statement will do to the current definitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingEffect {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<TableName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Pending {
    pub v: u32,
    pub effects: Vec<PendingEffect>,
}

/// The payload of the block that is being filled.
#[derive(Debug, Default)]
pub(crate) struct BlockBuilder {
    records: Vec<u8>,
    /// The values of the records' rows.
    values: Vec<u8>,
    /// Records with a sequence.
    pub count: u32,
    pub flags: u8,
    /// Of the last begin or commit.
    time_us: u64,
}

/// How numbers are written that are often close to the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    Whole,
    Delta,
}

impl BlockBuilder {
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of the payload.
    pub fn len(&self) -> usize {
        self.records.len() + self.values.len()
    }

    pub fn payload(&self) -> Payload<'_> {
        Payload { records: &self.records, values: &self.values }
    }

    pub fn clear(&mut self) {
        clear(&mut self.records);
        clear(&mut self.values);
        self.count = 0;
        self.flags = 0;
        self.time_us = 0;
    }

    /// `body` gets the records and the values.
    fn record(&mut self, kind: u8, body: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>)) {
        self.records.extend_from_slice(&[kind, 0, 0, 0, 0]);
        let start = self.records.len();
        body(&mut self.records, &mut self.values);
        let len = self.records.len() - start;
        put_len_before(&mut self.records, start, len);
        if kind < kind::ANCHOR {
            self.count += 1;
        }
        self.flags |= match kind {
            kind::ANCHOR => flags::ANCHOR,
            kind::DDL | kind::DEFINE | kind::PENDING => flags::SCHEMA,
            kind::ROWS | kind::CHANGES => 0,
            _ => flags::BOUNDARY,
        };
    }

    fn json(&mut self, kind: u8, value: &impl Serialize) {
        self.record(kind, |out, _| put_json(out, value));
    }

    /// `format` is the version of the file that the block is for, here and below; `base` is the position before.
    pub fn begin(&mut self, format: u32, begin: &Begin, base: &Position) {
        let numbers = numbers(format);
        let kind = if numbers == Numbers::Delta { kind::BEGIN_DELTA } else { kind::BEGIN };
        let before = self.next_time(begin.commit_time_us);
        self.record(kind, |out, _| {
            put_number(out, numbers, begin.commit_time_us, before);
            put_gtid(out, begin.gtid.as_ref());
            put_start(out, numbers, begin.start.as_ref(), base);
        });
    }

    /// Notes the time of a begin or commit and returns the one before.
    fn next_time(&mut self, time_us: u64) -> u64 {
        std::mem::replace(&mut self.time_us, time_us)
    }

    pub fn rows(&mut self, format: u32, version: u64, batch: &ChangeBatch) {
        let kind = if format < COMPACT_SINCE { kind::ROWS } else { kind::CHANGES };
        self.record(kind, |out, values| {
            put_varint(out, version);
            out.push(u8::from(batch.foreign_keys_off));
            put_varint(out, batch.ops.len() as u64);
            out.extend(batch.ops.iter().map(|op| *op as u8));
            if kind == kind::ROWS {
                return batch.rows.encode(out);
            }
            out.extend_from_slice(&[0; 4]);
            let (tags, before) = (out.len(), values.len());
            batch.rows.encode_changes(&batch.ops, out, values);
            put_len_before(out, tags, values.len() - before);
        });
    }

    pub fn ddl(&mut self, ddl: &Ddl) {
        self.json(kind::DDL, &DdlOut { v: JSON_VERSION, ddl });
    }

    /// `base` is the position before, and becomes the commit's.
    pub fn commit(&mut self, format: u32, commit: &Commit, base: &mut Position, own: Option<&Gtid>) {
        let numbers = numbers(format);
        let kind = if numbers == Numbers::Delta { kind::COMMIT_DELTA } else { kind::COMMIT };
        let before = self.next_time(commit.commit_time_us);
        self.record(kind, |out, _| {
            put_number(out, numbers, commit.commit_time_us, before);
            put_position(out, numbers, base, own, &commit.position);
        });
    }

    pub fn abort(&mut self) {
        self.record(kind::ABORT, |_, _| ());
    }

    /// `base` is the position before, and becomes `position`.
    pub fn heartbeat(&mut self, time_us: u64, base: &mut Position, position: &Position) {
        self.record(kind::HEARTBEAT, |out, _| {
            put_varint(out, time_us);
            put_position(out, Numbers::Whole, base, None, position);
        });
    }

    pub fn anchor(&mut self, snapshot: bool, position: &Position, open: Option<&Begin>) {
        let open = open.map(|begin| OpenTransaction {
            gtid: begin.gtid.as_ref().map(Gtid::to_string),
            commit_time_us: begin.commit_time_us,
            start: begin.start.as_ref().map(|start| StartPoint {
                server: start.server.to_string(),
                file: start.file.to_string(),
                offset: start.offset,
            }),
        });
        self.json(kind::ANCHOR, &Anchor { v: JSON_VERSION, snapshot, position: position.clone(), open });
    }

    pub fn define(&mut self, id: u64, current: bool, schema: &TableSchema) {
        self.record(kind::DEFINE, |out, _| {
            put_varint(out, id);
            out.push(u8::from(current));
            put_json(out, &DefineOut { v: JSON_VERSION, schema });
        });
    }

    pub fn pending(&mut self, effects: &[PendingEffect]) {
        self.json(kind::PENDING, &Pending { v: JSON_VERSION, effects: effects.to_vec() });
    }
}

fn numbers(format: u32) -> Numbers {
    if format < COMPACT_SINCE { Numbers::Whole } else { Numbers::Delta }
}

fn put_number(out: &mut Vec<u8>, numbers: Numbers, number: u64, before: u64) {
    match numbers {
        Numbers::Whole => put_varint(out, number),
        Numbers::Delta => put_signed(out, number.wrapping_sub(before) as i64),
    }
}

/// Fills in the four bytes before `at`.
fn put_len_before(out: &mut [u8], at: usize, len: usize) {
    let len = u32::try_from(len).expect("the writer refuses records above 3.75 GiB");
    if let Some(field) = out.get_mut(at - 4..at) {
        field.copy_from_slice(&len.to_le_bytes());
    }
}

fn put_json(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("the model's types have text keys and memory doesn't fail");
}

fn put_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_gtid(out: &mut Vec<u8>, gtid: Option<&Gtid>) {
    match gtid {
        None => out.push(0),
        Some(Gtid::Mysql(gtid)) => {
            out.push(1);
            out.extend_from_slice(&gtid.source.uuid);
            put_prefixed(out, gtid.source.tag.as_bytes());
            put_varint(out, gtid.number);
        }
        Some(Gtid::MariaDb(gtid)) => {
            out.push(2);
            put_varint(out, u64::from(gtid.domain));
            put_varint(out, u64::from(gtid.server));
            put_varint(out, gtid.sequence);
        }
    }
}

fn put_start(out: &mut Vec<u8>, numbers: Numbers, start: Option<&LogPoint>, base: &Position) {
    let Some(start) = start else { return out.push(0) };
    let Position::Binlog(base) = base;
    let (server, file) = (*start.server != *base.server, *start.file != *base.file);
    let server_bit = if server { start_form::SERVER } else { 0 };
    let file_bit = if file { start_form::FILE } else { 0 };
    out.push(start_form::KNOWN | server_bit | file_bit);
    if server {
        put_prefixed(out, start.server.as_bytes());
    }
    if file {
        put_prefixed(out, start.file.as_bytes());
    }
    put_number(out, if file { Numbers::Whole } else { numbers }, start.offset, base.offset);
}

/// Writes what leads from `base` to `new` and makes `base` equal to `new`.
fn put_position(
    out: &mut Vec<u8>,
    numbers: Numbers,
    base: &mut Position,
    own: Option<&Gtid>,
    new: &Position,
) {
    let (Position::Binlog(old), Position::Binlog(target)) = (&mut *base, new);
    let same_file = old.file == target.file;
    let same_server = old.server == target.server;
    let old_offset = old.offset;
    old.advance(&target.file, target.offset, own);
    let mut extra = String::new();
    if same_server && old.gtids != target.gtids {
        extra = passed_gtids(&old.gtids, &target.gtids);
        add_gtid_text(&mut old.gtids, &extra);
    }
    // Whatever the short form can't express (another server, a GTID set that shrank) is written whole.
    if *base != *new {
        base.clone_from(new);
        out.push(form::WHOLE);
        let mut json = Vec::new();
        put_json(&mut json, new);
        return put_prefixed(out, &json);
    }
    let mut bits = 0;
    if !same_file {
        bits |= form::FILE;
    }
    if !extra.is_empty() {
        bits |= form::EXTRA_GTIDS;
    }
    out.push(bits);
    let Position::Binlog(target) = new;
    if !same_file {
        put_prefixed(out, target.file.as_bytes());
    }
    put_number(out, if same_file { numbers } else { Numbers::Whole }, target.offset, old_offset);
    if !extra.is_empty() {
        put_prefixed(out, extra.as_bytes());
    }
}

/// The text of a GTID set that, added to `old`, gives `new` if `old` is a part of it.
fn passed_gtids(old: &GtidState, new: &GtidState) -> String {
    match (old, new) {
        (GtidState::Mysql(old), GtidState::Mysql(new)) => {
            let mut passed = MysqlGtidSet::default();
            for (source, intervals) in new.intervals() {
                let known =
                    old.intervals().find(|(known, _)| *known == source).map_or(&[][..], |(_, known)| known);
                for &(start, end) in intervals {
                    // A set grows at the end of an interval; the part before it needn't be repeated.
                    let grown_from =
                        known.iter().find(|(s, e)| *s == start && *e <= end).map_or(start, |(_, e)| *e);
                    passed.add_interval(source.clone(), grown_from, end);
                }
            }
            passed.to_string()
        }
        (GtidState::MariaDb(old), GtidState::MariaDb(new)) => {
            let changed = new.domains().filter(|gtid| old.get(gtid.domain) != Some(gtid));
            changed.map(ToString::to_string).collect::<Vec<_>>().join(",")
        }
        _ => String::new(),
    }
}

/// Adds the GTIDs of a text as [`passed_gtids`] makes it; `None` where it is no such text.
pub(crate) fn add_gtid_text(set: &mut GtidState, text: &str) -> Option<()> {
    match set {
        GtidState::None => text.is_empty().then_some(()),
        GtidState::Mysql(set) => {
            let passed: MysqlGtidSet = text.parse().ok()?;
            for (source, intervals) in passed.intervals() {
                for &(start, end) in intervals {
                    set.add_interval(source.clone(), start, end);
                }
            }
            Some(())
        }
        GtidState::MariaDb(set) => {
            for gtid in text.split(',').filter(|gtid| !gtid.is_empty()) {
                set.add(gtid.parse().ok()?);
            }
            Some(())
        }
    }
}
