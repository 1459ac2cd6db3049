//! Cases for `LogReader`.

use std::sync::Arc;

use whimbrel_model::{LogRecord, Position, RowBatch, RowOp, TableName, TableVersion};

use super::rows::{assert_same_rows, int, read_all, sorted, values};
use super::{Playground, create_table, must, version_of};
use crate::{KeyRange, LogReader, LogStart};

/// Starts to read the log of some tables where it ends now.
async fn start(playground: &dyn Playground, tables: &[TableName]) -> Box<dyn LogReader> {
    let mut catalog = must(playground.source().catalog().await);
    let position = must(catalog.position_before_reads().await);
    let schemas = must(catalog.table_schemas(tables).await);
    let names = tables.to_vec();
    let start = LogStart {
        position,
        tables: schemas,
        filter: Arc::new(move |name: &TableName| names.contains(name)),
        next_table_version: 1,
    };
    must(playground.source().log_reader(start).await)
}

/// All records until the position has been passed.
async fn read_until(
    playground: &dyn Playground,
    reader: &mut dyn LogReader,
    tables: &[TableName],
) -> Vec<LogRecord> {
    let mut catalog = must(playground.source().catalog().await);
    let end = must(catalog.position_after_reads().await);
    let reached = |position: &Position| position.has_reached(&end) == Some(true);
    let mut records = Vec::new();
    loop {
        let record = must(reader.next().await);
        let done = match &record {
            LogRecord::Commit(commit) => reached(&commit.position),
            LogRecord::Heartbeat { position, .. } => reached(position),
            LogRecord::Rows(rows) => {
                assert!(rows.is_well_formed(), "{:?}", rows.ops);
                assert!(
                    tables.contains(&rows.table.schema.name),
                    "{} is filtered out",
                    rows.table.schema.name
                );
                false
            }
            _ => false,
        };
        records.push(record);
        if done {
            return records;
        }
    }
}

/// What the log holds for an inserted and for a deleted row is byte for byte what a snapshot reads, for every sample.
pub async fn rows_of_the_log_are_those_of_the_table(playground: &dyn Playground) {
    if !playground.has_log() {
        return;
    }
    let samples = playground.samples();
    let mut tables = Vec::new();
    for sample in &samples {
        tables.push(create_table(playground, sample.name, &sample.columns).await);
    }
    let mut reader = start(playground, &tables).await;
    let mut snapshot = must(playground.source().snapshot_reader().await);
    let mut expected = Vec::new();
    for (sample, name) in samples.iter().zip(&tables) {
        for row in &sample.rows {
            playground.run(&format!("INSERT INTO {name} VALUES {row}")).await;
        }
        let table = version_of(playground, name).await;
        let rows = read_all(&mut *snapshot, &table, &KeyRange::default()).await;
        playground.run(&format!("DELETE FROM {name}")).await;
        expected.push((table, rows));
    }

    let empty = |table: &Arc<TableVersion>| RowBatch::new(table.kinds.clone());
    let mut found: Vec<_> = expected.iter().map(|(table, _)| (empty(table), empty(table))).collect();
    for record in read_until(playground, &mut *reader, &tables).await {
        let LogRecord::Rows(rows) = record else { continue };
        let name = &rows.table.schema.name;
        let at = tables.iter().position(|table| table == name).expect("the filter lets in nothing else");
        let (inserted, deleted) = &mut found[at];
        for (op, row) in rows.ops.iter().zip(rows.rows.rows()) {
            match op {
                RowOp::Insert => inserted.push_row(row),
                RowOp::Delete => deleted.push_row(row),
                RowOp::UpdateBefore | RowOp::UpdateAfter => panic!("no row of {name} was updated"),
            }
        }
    }
    for ((table, expected), (inserted, deleted)) in expected.iter().zip(&found) {
        assert_same_rows(&table.schema, &sorted(inserted), &sorted(expected), "inserted in the log");
        assert_same_rows(&table.schema, &sorted(deleted), &sorted(expected), "deleted in the log");
    }
}

/// Begin, rows in order, commit; what was rolled back and tables of no interest are not there; positions grow.
pub async fn transactions_come_whole_and_in_order(playground: &dyn Playground) {
    if !playground.has_log() {
        return;
    }
    let name = create_table(playground, "t", "id INT NOT NULL PRIMARY KEY, v INT").await;
    let other = create_table(playground, "other", "id INT NOT NULL PRIMARY KEY").await;
    let tables = [name.clone()];
    let mut reader = start(playground, &tables).await;
    let statements = [
        format!("INSERT INTO {name} VALUES (1, 1), (2, 2)"),
        format!("INSERT INTO {other} VALUES (1)"),
        format!("UPDATE {name} SET v = 10 WHERE id = 1"),
        format!("DELETE FROM {name} WHERE id = 2"),
    ];
    playground.open_transaction(&statements).await.commit().await;
    drop(playground.open_transaction(&[format!("INSERT INTO {name} VALUES (8, 8)")]).await);
    playground.run(&format!("INSERT INTO {other} VALUES (2)")).await;
    playground.run(&format!("INSERT INTO {name} VALUES (3, 3)")).await;

    let mut transactions: Vec<Vec<(RowOp, Vec<whimbrel_model::Value>)>> = Vec::new();
    let mut open = false;
    let mut last: Option<Position> = None;
    for record in read_until(playground, &mut *reader, &tables).await {
        match record {
            LogRecord::Begin(begin) => {
                assert!(!std::mem::replace(&mut open, true), "a transaction within another");
                assert!(begin.commit_time_us > 1_500_000_000_000_000, "commit time {}", begin.commit_time_us);
                transactions.push(Vec::new());
            }
            LogRecord::Rows(rows) => {
                assert!(open, "rows outside of a transaction");
                let ops = rows.ops.iter().copied().zip(rows.rows.rows().map(values));
                transactions.last_mut().expect("it was begun").extend(ops);
            }
            LogRecord::Commit(commit) => {
                assert!(std::mem::replace(&mut open, false), "a commit without begin");
                let grown = last.as_ref().is_none_or(|last| commit.position.has_reached(last) == Some(true));
                assert!(grown, "{} after {last:?}", commit.position);
                last = Some(commit.position);
            }
            LogRecord::Abort => open = false,
            LogRecord::Ddl(ddl) => panic!("no statement was run: {}", ddl.sql),
            LogRecord::Heartbeat { .. } => assert!(!open, "a heartbeat within a transaction"),
        }
    }
    let pair = |id, v| vec![int(id), int(v)];
    let expected = vec![
        vec![
            (RowOp::Insert, pair(1, 1)),
            (RowOp::Insert, pair(2, 2)),
            (RowOp::UpdateBefore, pair(1, 1)),
            (RowOp::UpdateAfter, pair(1, 10)),
            (RowOp::Delete, pair(2, 2)),
        ],
        vec![(RowOp::Insert, pair(3, 3))],
    ];
    transactions.retain(|rows| !rows.is_empty());
    assert_eq!(transactions, expected);
}
