//! Logs to write: records with all that the format has to keep.

use std::sync::Arc;

use whimbrel_model::gtid::{Gtid, MysqlGtid, MysqlSource};
use whimbrel_model::{
    Begin, BinlogPosition, ChangeBatch, Column, Commit, DataType, Ddl, GtidState, Key, LogPoint, LogRecord,
    Position, RowBatch, RowOp, TableEffect, TableName, TableSchema, TableVersion,
};

use super::faulty::Random;

pub fn start_position() -> Position {
    let gtids = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-10".parse().unwrap();
    Position::Binlog(BinlogPosition {
        server: "one".into(),
        file: "binlog.000001".into(),
        offset: 4,
        gtids: GtidState::Mysql(gtids),
    })
}

pub fn table(name: &str, extra_columns: usize) -> TableSchema {
    let id = DataType::Int { bytes: 8, unsigned: true, zerofill: None };
    let mut columns =
        vec![Column::new("id", id, false), Column::new("name", DataType::VarBinary { bytes: 1000 }, true)];
    columns.extend(
        (0..extra_columns).map(|n| {
            Column::new(format!("extra{n}"), DataType::Double { digits: None, unsigned: false }, true)
        }),
    );
    TableSchema {
        primary_key: Some(Key::on_columns("PRIMARY", ["id"])),
        ..TableSchema::new(TableName::new("shop", name), columns)
    }
}

/// What two records have in common if they say the same, whatever the numbers of their table versions are.
pub fn describe(record: &LogRecord) -> String {
    match record {
        LogRecord::Rows(batch) => {
            let rows: Vec<_> = batch.rows.rows().collect();
            format!("{:?} {:?} {rows:?} {}", batch.table.schema, batch.ops, batch.foreign_keys_off)
        }
        other => format!("{other:?}"),
    }
}

fn push_as_before(rows: &mut RowBatch, column: usize) {
    let value = rows.row(rows.len() - 1).get(column).to_owned();
    rows.push_value(value.as_ref());
}

/// Makes a log, transaction by transaction, as a source's log reader would.
#[derive(Clone, Debug)]
pub struct LogMaker {
    pub random: Random,
    position: BinlogPosition,
    server: Arc<str>,
    file: Arc<str>,
    number: u64,
    time_us: u64,
    tables: Vec<Arc<TableVersion>>,
    next_version: u64,
}

impl LogMaker {
    pub fn new(seed: u64) -> Self {
        let Position::Binlog(position) = start_position();
        let tables = ["orders", "items"].into_iter().zip(100..);
        Self {
            random: Random(seed),
            server: position.server.as_str().into(),
            file: position.file.as_str().into(),
            position,
            number: 10,
            time_us: 1_700_000_000_000_000,
            tables: tables.map(|(name, id)| Arc::new(TableVersion::new(id, table(name, 0)))).collect(),
            next_version: 200,
        }
    }

    pub fn schemas(&self) -> Vec<TableSchema> {
        let mut schemas: Vec<_> = self.tables.iter().map(|version| version.schema.clone()).collect();
        schemas.sort_by(|a, b| a.name.cmp(&b.name));
        schemas
    }

    pub fn position(&self) -> Position {
        Position::Binlog(self.position.clone())
    }

    /// The place of a transaction in the source's log follows from its number alone: an attempt that was cut
    /// comes again at the same place.
    fn begin(&mut self) -> LogRecord {
        let mut place = Random(self.number);
        if place.below(6) == 0 {
            // Transactions of tables that the filter leaves out.
            for _ in 0..place.below(4) {
                self.number += 1;
                let gtid = self.gtid();
                let (file, offset) = (self.file.clone(), self.position.offset + 50);
                self.position.advance(&file, offset, Some(&gtid));
            }
        }
        if place.below(20) == 0 {
            let number: u32 = self.file.rsplit('.').next().unwrap().parse().unwrap();
            let file = format!("binlog.{:06}", number + 1);
            self.file = file.as_str().into();
            self.position.advance(&file, 4, None);
        }
        self.number += 1;
        // Commit times are not quite in order.
        self.time_us += place.below(2_000_000) as u64;
        let jitter = place.below(3) as u64 * 500_000;
        LogRecord::Begin(Begin {
            gtid: Some(self.gtid()),
            commit_time_us: self.time_us - jitter,
            start: (place.below(4) > 0).then(|| LogPoint {
                server: self.server.clone(),
                file: self.file.clone(),
                offset: self.position.offset,
            }),
        })
    }

    fn gtid(&self) -> Gtid {
        let uuid = whimbrel_model::gtid::parse_uuid("3e11fa47-71ca-11e1-9e33-c80aa9429562").unwrap();
        Gtid::Mysql(MysqlGtid { source: MysqlSource { uuid, tag: String::new() }, number: self.number })
    }

    pub fn rows(&mut self, rows: usize, bytes: usize) -> LogRecord {
        let table = self.tables[self.random.below(self.tables.len())].clone();
        let mut batch = ChangeBatch::new(table.clone(), self.random.below(5) == 0);
        for _ in 0..rows {
            let ops: &[RowOp] = match self.random.below(3) {
                0 => &[RowOp::Insert],
                1 => &[RowOp::Delete],
                _ => &[RowOp::UpdateBefore, RowOp::UpdateAfter],
            };
            for op in ops {
                batch.ops.push(*op);
                for column in 0..table.kinds.len() {
                    // Updates leave about half of the columns as they are.
                    if *op == RowOp::UpdateAfter && self.random.below(2) == 0 {
                        push_as_before(&mut batch.rows, column);
                    } else {
                        self.push_cell(&mut batch.rows, column, bytes);
                    }
                }
                batch.rows.end_row();
            }
        }
        LogRecord::Rows(batch)
    }

    fn push_cell(&mut self, rows: &mut RowBatch, column: usize, bytes: usize) {
        match (column, self.random.below(4)) {
            (0, _) => rows.push_uint(self.random.next() % 1000),
            (1, 0) => rows.push_null(),
            (1, 1) => rows.push_unknown(),
            (1, _) => {
                let value: Vec<u8> = (0..bytes).map(|_| self.random.next() as u8 % 16).collect();
                rows.push_bytes(&value);
            }
            _ => rows.push_double(self.random.next() as f64),
        }
    }

    fn end(&mut self, begin: &LogRecord) -> LogRecord {
        let LogRecord::Begin(begin) = begin else { panic!("a begin") };
        let offset = self.position.offset + 1000;
        let file = self.file.clone();
        let gtid = self.gtid();
        self.position.advance(&file, offset, Some(&gtid));
        LogRecord::Commit(Commit { position: self.position(), commit_time_us: begin.commit_time_us })
    }

    /// A transaction of `batches` batches.
    pub fn transaction(&mut self, batches: usize, rows: usize, bytes: usize) -> Vec<LogRecord> {
        let mut records = vec![self.begin()];
        for _ in 0..batches {
            records.push(self.rows(rows, bytes));
        }
        records.push(self.end(&records[0]));
        records
    }

    /// A transaction that was cut by the source and comes again.
    pub fn aborted(&mut self) -> Vec<LogRecord> {
        let mut records = self.clone().transaction(1, 2, 10);
        records.pop();
        records.push(LogRecord::Abort);
        records.extend(self.transaction(1, 2, 10));
        records
    }

    /// Adds a column to a table, drops one, creates one, or renames one.
    pub fn ddl(&mut self) -> Vec<LogRecord> {
        let begin = self.begin();
        let place = self.random.below(self.tables.len());
        let old = self.tables[place].schema.clone();
        let (before, after) = match self.random.below(4) {
            0 if self.tables.len() > 1 => {
                self.tables.remove(place);
                (Some(old.name), None)
            }
            1 => {
                let new = table(&format!("made{}", self.number), 0);
                self.add(new.clone());
                (None, Some(new))
            }
            2 => {
                let mut new = old.clone();
                new.name.table = format!("renamed{}", self.number);
                self.tables.remove(place);
                self.add(new.clone());
                (Some(old.name), Some(new))
            }
            _ => {
                let mut new = table(&old.name.table, old.columns.len() - 1);
                new.name = old.name.clone();
                self.tables.remove(place);
                self.add(new.clone());
                (Some(old.name), Some(new))
            }
        };
        let ddl = LogRecord::Ddl(Ddl {
            default_schema: "shop".into(),
            sql: format!("ALTER TABLE something /* {} */", self.number),
            sql_mode: self.number,
            effects: vec![TableEffect { before, after }],
        });
        let commit = self.end(&begin);
        vec![begin, ddl, commit]
    }

    fn add(&mut self, schema: TableSchema) {
        self.next_version += 1;
        self.tables.push(Arc::new(TableVersion::new(self.next_version, schema)));
    }

    pub fn heartbeat(&mut self) -> LogRecord {
        self.time_us += 1000;
        let (file, offset) = (self.file.clone(), self.position.offset + 30);
        self.position.advance(&file, offset, None);
        LogRecord::Heartbeat { position: self.position(), time_us: self.time_us }
    }

    /// Any of the above.
    pub fn any(&mut self) -> Vec<LogRecord> {
        match self.random.below(10) {
            0 => self.aborted(),
            1 => self.ddl(),
            2 => vec![self.heartbeat()],
            n => {
                let batches = self.random.below(if n == 3 { 12 } else { 3 });
                let (rows, bytes) = (1 + self.random.below(8), self.random.below(200));
                self.transaction(batches, rows, bytes)
            }
        }
    }
}
