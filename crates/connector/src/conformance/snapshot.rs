//! Cases for `SnapshotReader` and `Digest`.

use std::sync::Arc;

use whimbrel_model::{RowBatch, TableName, TableVersion};

use super::rows::{assert_same_rows, keys_of, read_all, sorted};
use super::{Playground, create_sample, create_table, must, version_of};
use crate::{ErrorKind, Flavor, KeyBound, KeyRange, SnapshotReader};

async fn reader(playground: &dyn Playground) -> Box<dyn SnapshotReader> {
    must(playground.source().snapshot_reader().await)
}

/// The ranges of a table in chunks of some rows.
async fn chunks(reader: &mut dyn SnapshotReader, table: &TableVersion, rows: u64) -> Vec<KeyRange> {
    let mut ranges = Vec::new();
    let mut after = None;
    loop {
        let rest = KeyRange { after, until: None };
        let until = must(reader.next_bound(&table.schema, &rest, rows).await);
        ranges.push(KeyRange { until: until.clone(), ..rest });
        assert!(ranges.len() < 10_000, "bounds don't come to an end");
        match until {
            Some(_) => after = until,
            None => return ranges,
        }
    }
}

/// Every sample with a key: its chunks hold all of its rows, once, in order, and as many as asked for.
pub async fn chunks_cover_every_row_once_and_in_order(playground: &dyn Playground) {
    let mut reader = reader(playground).await;
    for sample in playground.samples() {
        let name = create_sample(playground, sample.name, &sample).await;
        let table = version_of(playground, &name).await;
        if table.schema.row_key().is_none() {
            continue;
        }
        let all = read_all(&mut *reader, &table, &KeyRange::default()).await;
        assert_eq!(all.len(), sample.rows.len(), "rows of {name}");
        let sizes: &[u64] = if all.len() < 50 { &[1, 2, 3, 1000] } else { &[50, 1000] };
        for &size in sizes {
            let mut found = RowBatch::new(table.kinds.clone());
            let ranges = chunks(&mut *reader, &table, size).await;
            let last = ranges.len() - 1;
            for (index, range) in ranges.iter().enumerate() {
                let before = found.len();
                must(reader.open_range(&table, range).await);
                while must(reader.next_batch(&mut found, usize::MAX).await) {}
                let rows = (found.len() - before) as u64;
                assert_eq!(must(reader.count(&table.schema, range).await), rows, "count of {name}");
                assert!(index == last || rows == size, "chunk {index} of {name} has {rows} rows, not {size}");
            }
            assert_same_rows(&table.schema, &found, &all, "chunks");
        }
    }
}

/// The last row's key is an upper bound of all rows, and rows behind an upper bound are never part of a chunk.
pub async fn the_last_bound_ends_the_table(playground: &dyn Playground) {
    let mut reader = reader(playground).await;
    for sample in playground.samples() {
        let name = create_sample(playground, sample.name, &sample).await;
        let table = version_of(playground, &name).await;
        if table.schema.row_key().is_none() {
            continue;
        }
        let all = read_all(&mut *reader, &table, &KeyRange::default()).await;
        let count = all.len() as u64;
        let last = must(reader.last_bound(&table.schema).await);
        let mut key = Vec::new();
        let mut last_key = RowBatch::new(keys_of(&table.schema, &all).kinds().clone());
        last_key.push_row(keys_of(&table.schema, &all).row(all.len() - 1));
        last_key.encode(&mut key);
        assert_eq!(last, Some(KeyBound { row: key }), "the last key of {name}");
        let whole = KeyRange { after: None, until: last.clone() };
        assert_eq!(
            must(reader.count(&table.schema, &whole).await),
            count,
            "rows of {name} up to its last key"
        );
        let behind = KeyRange { after: last.clone(), until: None };
        assert_eq!(must(reader.count(&table.schema, &behind).await), 0, "rows of {name} behind its last key");
        // Bounded from above by a row in the middle: what is behind it doesn't count.
        let middle = must(reader.next_bound(&table.schema, &whole, count.div_ceil(2)).await);
        let half = KeyRange { after: None, until: middle.clone() };
        assert_eq!(must(reader.count(&table.schema, &half).await), count.div_ceil(2), "half of {name}");
        assert_eq!(must(reader.next_bound(&table.schema, &half, count.div_ceil(2)).await), middle, "{name}");
        assert_eq!(
            must(reader.next_bound(&table.schema, &half, count.div_ceil(2) + 1).await),
            None,
            "{name}"
        );
        assert_eq!(must(reader.next_bound(&table.schema, &whole, count).await), last, "{name}");
        assert_eq!(must(reader.next_bound(&table.schema, &whole, count + 1).await), None, "{name}");
        playground.run(&format!("DELETE FROM {name}")).await;
        assert_eq!(must(reader.last_bound(&table.schema).await), None, "the emptied {name}");
    }
}

/// A range that was closed in its middle leaves the reader usable, and is read again from its beginning.
pub async fn ranges_are_read_again_after_being_closed(playground: &dyn Playground) {
    let name = create_table(playground, "t", "id INT NOT NULL PRIMARY KEY, v VARCHAR(100)").await;
    for start in [0, 500] {
        let rows: Vec<String> = (start..start + 500).map(|id| format!("({id},'value {id}')")).collect();
        playground.run(&format!("INSERT INTO {name} VALUES {}", rows.join(","))).await;
    }
    let table = version_of(playground, &name).await;
    let mut reader = reader(playground).await;
    for _ in 0..3 {
        let mut some = RowBatch::new(table.kinds.clone());
        must(reader.open_range(&table, &KeyRange::default()).await);
        assert!(must(reader.next_batch(&mut some, 1).await));
        assert_eq!(some.len(), 1);
        must(reader.close_range().await);
        assert_eq!(read_all(&mut *reader, &table, &KeyRange::default()).await.len(), 1000);
    }
    // Opening another range without closing the first one does the same.
    must(reader.open_range(&table, &KeyRange::default()).await);
    assert_eq!(must(reader.count(&table.schema, &KeyRange::default()).await), 1000);
    let estimate = must(reader.estimate(&table.schema).await);
    assert!(estimate.rows <= 10_000, "an estimate of 1000 rows is {}", estimate.rows);
}

/// A batch ends when it is full, and what follows goes on where it ended.
pub async fn small_batches_hold_the_same_rows(playground: &dyn Playground) {
    let mut reader = reader(playground).await;
    for sample in playground.samples() {
        let name = create_sample(playground, sample.name, &sample).await;
        let table = version_of(playground, &name).await;
        let all = read_all(&mut *reader, &table, &KeyRange::default()).await;
        let mut found = RowBatch::new(table.kinds.clone());
        must(reader.open_range(&table, &KeyRange::default()).await);
        loop {
            let mut part = RowBatch::new(table.kinds.clone());
            let more = must(reader.next_batch(&mut part, 1).await);
            assert!(part.len() <= 1, "a batch of one byte holds {} rows", part.len());
            part.rows().for_each(|row| found.push_row(row));
            if !more {
                break;
            }
        }
        assert!(!must(reader.next_batch(&mut found, 1).await), "a range that has ended has no more rows");
        assert_same_rows(&table.schema, &sorted(&found), &sorted(&all), "small batches");
    }
}

/// Every row is found by its key, and keys without row are left out.
pub async fn rows_are_fetched_by_key(playground: &dyn Playground) {
    let mut reader = reader(playground).await;
    for sample in playground.samples() {
        let name = create_sample(playground, sample.name, &sample).await;
        let table = version_of(playground, &name).await;
        if table.schema.row_key().is_none() {
            continue;
        }
        let all = read_all(&mut *reader, &table, &KeyRange::default()).await;
        let keys = keys_of(&table.schema, &all);
        let found = must(reader.fetch(&table, &keys).await);
        assert_same_rows(&table.schema, &sorted(&found), &sorted(&all), "fetched");
        for row in keys.rows() {
            let mut one = RowBatch::new(keys.kinds().clone());
            one.push_row(row);
            assert_eq!(must(reader.fetch(&table, &one).await).len(), 1, "one row of {name} by {row:?}");
        }
        playground.run(&format!("DELETE FROM {name}")).await;
        assert_eq!(must(reader.fetch(&table, &keys).await).len(), 0, "rows of the emptied {name}");
    }
}

/// The view of a held table has what was committed before, lacks what came later, and keeps uncommitted writers out
/// until they have ended.
pub async fn a_held_table_corresponds_to_its_position(playground: &dyn Playground) {
    let name = create_table(playground, "t", "v INT").await;
    playground.run(&format!("INSERT INTO {name} VALUES (1),(2)")).await;
    let table = version_of(playground, &name).await;
    let mut reader = reader(playground).await;
    if !playground.has_log() {
        let refused = reader.hold_table(&table.schema).await;
        assert!(matches!(refused, Err(error) if error.kind == ErrorKind::Unsupported));
        return;
    }
    let mut catalog = must(playground.source().catalog().await);
    let before = must(catalog.position_after_reads().await);
    let held = must(reader.hold_table(&table.schema).await);
    playground.run(&format!("INSERT INTO {name} VALUES (3)")).await;
    let after = must(catalog.position_after_reads().await);
    assert_eq!(held.has_reached(&before), Some(true), "{held} is not before {before}");
    assert_eq!(held.has_reached(&after), Some(false), "{held} does not lack {after}");
    for _ in 0..2 {
        assert_eq!(read_all(&mut *reader, &table, &KeyRange::default()).await.len(), 2, "the held view");
    }
    // A range closed in its middle doesn't end the view.
    let mut some = RowBatch::new(table.kinds.clone());
    must(reader.open_range(&table, &KeyRange::default()).await);
    must(reader.next_batch(&mut some, 1).await);
    must(reader.close_range().await);
    assert_eq!(read_all(&mut *reader, &table, &KeyRange::default()).await.len(), 2, "the held view");
    must(reader.release_table().await);
    assert_eq!(read_all(&mut *reader, &table, &KeyRange::default()).await.len(), 3, "after the release");
    hold_waits_for_writers(playground, &mut *reader, &table, &name).await;
}

async fn hold_waits_for_writers(
    playground: &dyn Playground,
    reader: &mut dyn SnapshotReader,
    table: &Arc<TableVersion>,
    name: &TableName,
) {
    let writer = playground.open_transaction(&[format!("INSERT INTO {name} VALUES (4)")]).await;
    // The lock is waited for with a time-out: the writer has to end before it does.
    let refused = reader.hold_table(&table.schema).await;
    match refused {
        Err(error) => assert!(
            matches!(error.kind, ErrorKind::TransactionConflict | ErrorKind::Timeout),
            "{}",
            error.chain()
        ),
        Ok(position) => panic!("the view at {position} can't know whether row 4 will be committed"),
    }
    writer.commit().await;
    must(reader.hold_table(&table.schema).await);
    assert_eq!(read_all(reader, table, &KeyRange::default()).await.len(), 4, "after the writer's end");
    must(reader.release_table().await);
}

/// Two tables with the same rows have the same digest, and no single change goes unnoticed.
pub async fn digests_tell_every_single_change(playground: &dyn Playground) {
    let mut reader = reader(playground).await;
    let mut compared = 0;
    for sample in playground.samples() {
        if sample.changes.is_empty() {
            continue;
        }
        let name = create_sample(playground, sample.name, &sample).await;
        let copy = create_sample(playground, &format!("{}_copy", sample.name), &sample).await;
        let (table, copy) = (version_of(playground, &name).await, version_of(playground, &copy).await);
        let Some(digest) = reader.digest() else { return };
        assert!(
            digest.comparable(&table.schema, &copy.schema, playground_flavor(playground).await),
            "{name} has changes but is not comparable with a copy of itself"
        );
        let columns: Vec<String> = table
            .schema
            .columns
            .iter()
            .filter(|column| column.generated.is_none())
            .map(|column| column.name.clone())
            .collect();
        let range = KeyRange::default();
        let original = must(digest.range_digest(&table.schema, &columns, &range).await);
        assert_eq!(original.rows, sample.rows.len() as u64);
        assert_eq!(
            must(digest.range_digest(&copy.schema, &columns, &range).await),
            original,
            "copy of {name}"
        );
        for change in &sample.changes {
            playground.run(&format!("DELETE FROM {}", copy.schema.name)).await;
            for row in &sample.rows {
                playground.run(&format!("INSERT INTO {} VALUES {row}", copy.schema.name)).await;
            }
            playground.run(&format!("UPDATE {} SET {change} WHERE id = 1", copy.schema.name)).await;
            let changed = must(digest.range_digest(&copy.schema, &columns, &range).await);
            assert_eq!(changed.rows, original.rows);
            assert_ne!(changed.sum, original.sum, "{name} after {change}");
            compared += 1;
        }
    }
    assert!(compared > 0, "no sample has changes to compare");
}

async fn playground_flavor(playground: &dyn Playground) -> Flavor {
    must(must(playground.source().catalog().await).server().await).flavor
}

/// A table that was dropped is an error that says which, and leaves the reader usable.
pub async fn a_table_that_is_not_there_is_named(playground: &dyn Playground) {
    let name = create_table(playground, "t", "id INT NOT NULL PRIMARY KEY").await;
    let table = version_of(playground, &name).await;
    playground.run(&format!("DROP TABLE {name}")).await;
    let mut reader = reader(playground).await;
    let error = reader.open_range(&table, &KeyRange::default()).await.expect_err("the table is gone");
    assert_eq!(error.kind, ErrorKind::UnknownTable, "{}", error.chain());
    assert!(error.object.contains("t"), "{}", error.object);
    playground.run(&format!("CREATE TABLE {name} (id INT NOT NULL PRIMARY KEY)")).await;
    assert_eq!(must(reader.count(&table.schema, &KeyRange::default()).await), 0);
}
