//! Cases for `Writer`: rows.

use std::sync::Arc;
use std::time::Duration;

use whimbrel_model::{TableSchema, TableVersion, Value};

use super::rows::{all_values, assert_same_rows, batch, int, plan, read_all, refs, sorted, text};
use super::{Playground, create_sample, create_table, must, schema_of, version_of};
use crate::{ErrorKind, InsertMode, KeyRange, Result, TablePlan, Writer};

/// A writer of a task of this case.
async fn writer(playground: &dyn Playground) -> Box<dyn Writer> {
    let schema = playground.schema();
    let task = &schema[schema.len().saturating_sub(60)..];
    let epoch = must(playground.target().take_over(task).await);
    must(playground.target().writer(task, epoch).await)
}

/// A table with a primary key, a unique key and a text.
async fn keyed(playground: &dyn Playground) -> (Arc<TableVersion>, TablePlan) {
    let columns = "id INT NOT NULL PRIMARY KEY, u INT NOT NULL, v VARCHAR(20), CONSTRAINT uu UNIQUE (u)";
    let name = create_table(playground, "keyed", columns).await;
    let table = version_of(playground, &name).await;
    let plan = plan(&table, schema_of(playground, &name).await);
    (table, plan)
}

fn row(id: i64, u: i64, v: &str) -> Vec<Value> {
    vec![int(id), int(u), text(v)]
}

/// All rows of a plan's target, read on another connection.
async fn content(playground: &dyn Playground, target: &TableSchema) -> Vec<Vec<Value>> {
    let table = version_of(playground, &target.name).await;
    let mut reader = must(playground.target().snapshot_reader().await);
    all_values(&read_all(&mut *reader, &table, &KeyRange::default()).await)
}

/// [`content`] in the order of the first column.
async fn all_of(playground: &dyn Playground, plan: &TablePlan) -> Vec<Vec<Value>> {
    sorted_rows(content(playground, &plan.target).await)
}

fn sorted_rows(mut rows: Vec<Vec<Value>>) -> Vec<Vec<Value>> {
    rows.sort_by_key(|row| match row.first() {
        Some(Value::Int(id)) => *id,
        _ => i64::MIN,
    });
    rows
}

fn duplicate_key<T: std::fmt::Debug>(outcome: Result<T>) -> String {
    match outcome {
        Err(error) => match error.kind {
            ErrorKind::DuplicateKey { ref key } => key.clone(),
            _ => panic!("not a duplicate key but {:?}: {}", error.kind, error.chain()),
        },
        Ok(done) => panic!("not a duplicate key but {done:?}"),
    }
}

/// Every sample's rows, read from one table and written into another of the same definition, read back the same.
pub async fn values_survive_the_way_through(playground: &dyn Playground) {
    let mut writer = writer(playground).await;
    let mut reader = must(playground.source().snapshot_reader().await);
    for sample in playground.samples() {
        let name = create_sample(playground, sample.name, &sample).await;
        let copy = create_table(playground, &format!("{}_copy", sample.name), &sample.columns).await;
        let table = version_of(playground, &name).await;
        let plan = plan(&table, schema_of(playground, &copy).await);
        let rows = read_all(&mut *reader, &table, &KeyRange::default()).await;
        must(writer.begin().await);
        let written = must(writer.insert(&plan, &refs(&rows), InsertMode::Plain).await);
        must(writer.commit().await);
        assert_eq!(written, rows.len() as u64, "rows written to {copy}");
        let copied = version_of(playground, &copy).await;
        let found = read_all(&mut *reader, &copied, &KeyRange::default()).await;
        assert_same_rows(&copied.schema, &sorted(&found), &sorted(&rows), "copied");
        if plan.is_keyless() {
            continue;
        }
        // Written again in place, and deleted by key.
        must(writer.insert(&plan, &refs(&rows), InsertMode::Upsert).await);
        let found = read_all(&mut *reader, &copied, &KeyRange::default()).await;
        assert_same_rows(&copied.schema, &sorted(&found), &sorted(&rows), "written again");
        assert_eq!(must(writer.fetch(&plan, &refs(&rows)).await).len(), rows.len(), "fetched from {copy}");
        assert_eq!(must(writer.delete(&plan, &refs(&rows)).await), rows.len() as u64, "deleted from {copy}");
    }
}

/// A clash makes the statement write nothing and names the key.
pub async fn plain_inserts_write_all_or_nothing(playground: &dyn Playground) {
    let (table, plan) = keyed(playground).await;
    let mut writer = writer(playground).await;
    let first = batch(&table, &[row(1, 10, "a"), row(2, 20, "b")]);
    assert_eq!(must(writer.insert(&plan, &refs(&first), InsertMode::Plain).await), 2);
    for (rows, key) in
        [([row(3, 30, "c"), row(2, 40, "d")], "PRIMARY"), ([row(3, 30, "c"), row(4, 10, "d")], "uu")]
    {
        let rows = batch(&table, &rows);
        let found = duplicate_key(writer.insert(&plan, &refs(&rows), InsertMode::Plain).await);
        assert_eq!(found, key);
        assert_eq!(content(playground, &plan.target).await, [row(1, 10, "a"), row(2, 20, "b")]);
    }
    assert_eq!(must(writer.insert(&plan, &[], InsertMode::Plain).await), 0);
}

/// A person's statement belongs to the open transaction, finds its schema, and says how many rows it concerned.
pub async fn statements_of_people_are_part_of_the_transaction(playground: &dyn Playground) {
    let (table, plan) = keyed(playground).await;
    let mut writer = writer(playground).await;
    let rows = batch(&table, &[row(1, 10, "a"), row(2, 20, "b")]);
    must(writer.insert(&plan, &refs(&rows), InsertMode::Plain).await);
    let name = &plan.target.name;
    let sql = format!("UPDATE {} SET v = 'x' WHERE id = 1", name.table);
    must(writer.begin().await);
    assert_eq!(must(writer.execute(&name.schema, &sql).await), 1);
    must(writer.rollback().await);
    assert_eq!(all_of(playground, &plan).await, [row(1, 10, "a"), row(2, 20, "b")]);
    must(writer.begin().await);
    assert_eq!(must(writer.execute(&name.schema, &sql).await), 1);
    let clash = format!("UPDATE {} SET u = 20 WHERE id = 1", name.table);
    let key = duplicate_key(writer.execute(&name.schema, &clash).await);
    assert!(key == "uu" || key == format!("{}.uu", name.table), "{key}");
    must(writer.commit().await);
    assert_eq!(all_of(playground, &plan).await, [row(1, 10, "x"), row(2, 20, "b")]);
}

/// An upsert makes the row with the same key into the new one, and nothing else: a clash on another unique key is an
/// error that leaves both rows as they were.
pub async fn upserts_touch_only_their_own_row(playground: &dyn Playground) {
    let (table, plan) = keyed(playground).await;
    let mut writer = writer(playground).await;
    let before = batch(&table, &[row(1, 10, "a"), row(2, 20, "b")]);
    must(writer.insert(&plan, &refs(&before), InsertMode::Upsert).await);
    let clash = batch(&table, &[row(3, 30, "c"), row(1, 20, "x")]);
    for in_transaction in [false, true] {
        if in_transaction {
            must(writer.begin().await);
        }
        assert_eq!(duplicate_key(writer.insert(&plan, &refs(&clash), InsertMode::Upsert).await), "uu");
        if in_transaction {
            must(writer.commit().await);
        }
        assert_eq!(content(playground, &plan.target).await, [row(1, 10, "a"), row(2, 20, "b")]);
    }
    let change = batch(&table, &[row(2, 21, "changed"), row(3, 20, "new")]);
    must(writer.insert(&plan, &refs(&change), InsertMode::Upsert).await);
    let expected = [row(1, 10, "a"), row(2, 21, "changed"), row(3, 20, "new")];
    assert_eq!(content(playground, &plan.target).await, expected);
    // Twice the same changes nothing.
    must(writer.insert(&plan, &refs(&change), InsertMode::Upsert).await);
    assert_eq!(content(playground, &plan.target).await, expected);
}

/// Columns that the source doesn't have keep their values when a row is upserted, with and without other unique keys.
pub async fn upserts_keep_what_only_the_target_has(playground: &dyn Playground) {
    let mut writer = writer(playground).await;
    for (name, unique) in [("plain", ""), ("unique_too", ", CONSTRAINT uu UNIQUE (u)")] {
        let columns = format!("id INT NOT NULL PRIMARY KEY, u INT NOT NULL, v VARCHAR(20){unique}");
        let source = create_table(playground, name, &columns).await;
        let own = format!("own INT DEFAULT 7, {columns}");
        let target = create_table(playground, &format!("{name}_target"), &own).await;
        let table = version_of(playground, &source).await;
        let plan = plan(&table, schema_of(playground, &target).await);
        assert!(plan.target_has_own_columns);
        let rows = batch(&table, &[row(1, 10, "a"), row(2, 20, "b")]);
        must(writer.insert(&plan, &refs(&rows), InsertMode::Upsert).await);
        playground.run(&format!("UPDATE {target} SET own = 99 WHERE id = 1")).await;
        let rows = batch(&table, &[row(1, 11, "changed"), row(3, 30, "new")]);
        must(writer.insert(&plan, &refs(&rows), InsertMode::Upsert).await);
        let with = |own, rest: Vec<Value>| [vec![int(own)], rest].concat();
        let expected =
            [with(99, row(1, 11, "changed")), with(7, row(2, 20, "b")), with(7, row(3, 30, "new"))];
        assert_eq!(content(playground, &plan.target).await, expected, "{target}");
        let fetched = must(writer.fetch(&plan, &refs(&rows)).await);
        assert_eq!(sorted_rows(all_values(&fetched)), [row(1, 11, "changed"), row(3, 30, "new")]);
    }
}

/// Rows that are there stay; the others are inserted and counted; a clash on another unique key is an error.
pub async fn existing_rows_are_kept(playground: &dyn Playground) {
    let (table, plan) = keyed(playground).await;
    let mut writer = writer(playground).await;
    let many: Vec<_> = (1..=300).map(|id| row(id * 2, id, "old")).collect();
    must(writer.insert(&plan, &refs(&batch(&table, &many)), InsertMode::KeepExisting).await);
    let all: Vec<_> =
        (1..=601).map(|id| row(id, if id % 2 == 0 { id / 2 } else { 1000 + id }, "new")).collect();
    let rows = batch(&table, &all);
    assert_eq!(must(writer.insert(&plan, &refs(&rows), InsertMode::KeepExisting).await), 301);
    assert_eq!(must(writer.insert(&plan, &refs(&rows), InsertMode::KeepExisting).await), 0);
    let found = content(playground, &plan.target).await;
    assert_eq!(
        (found.len(), found[1] == row(2, 1, "old"), found[2] == row(3, 1003, "new")),
        (601, true, true)
    );
    let clash = batch(&table, &[row(9001, 9001, "x"), row(9002, 1003, "y")]);
    for in_transaction in [false, true] {
        if in_transaction {
            must(writer.begin().await);
        }
        assert_eq!(duplicate_key(writer.insert(&plan, &refs(&clash), InsertMode::KeepExisting).await), "uu");
        if in_transaction {
            must(writer.commit().await);
        }
        assert_eq!(content(playground, &plan.target).await.len(), 601);
    }
}

/// Deleting counts the rows that were there, over any number of statements.
pub async fn deletes_count_what_was_there(playground: &dyn Playground) {
    let (table, plan) = keyed(playground).await;
    let mut writer = writer(playground).await;
    let many: Vec<_> = (1..=2500).map(|id| row(id, id, "v")).collect();
    let many = batch(&table, &many);
    assert_eq!(must(writer.insert(&plan, &refs(&many), InsertMode::Plain).await), 2500);
    let some = batch(&table, &[row(1, 0, ""), row(2500, 0, ""), row(2501, 0, "")]);
    assert_eq!(must(writer.delete(&plan, &refs(&some)).await), 2);
    must(writer.begin().await);
    assert_eq!(must(writer.delete(&plan, &refs(&many)).await), 2498);
    must(writer.rollback().await);
    assert_eq!(content(playground, &plan.target).await.len(), 2498);
    assert_eq!(must(writer.delete(&plan, &refs(&many)).await), 2498);
    assert_eq!(content(playground, &plan.target).await.len(), 0);
}

/// An update changes the columns that differ, the key's too; unknown ones stay; 1 if the row was there.
pub async fn updates_change_what_they_name(playground: &dyn Playground) {
    let (table, plan) = keyed(playground).await;
    let mut writer = writer(playground).await;
    let first = batch(&table, &[row(1, 10, "a"), row(2, 20, "b")]);
    must(writer.insert(&plan, &refs(&first), InsertMode::Plain).await);
    let steps = [
        (row(1, 10, "a"), row(1, 10, "changed"), 1, row(1, 10, "changed")),
        (row(1, 10, "changed"), row(7, 10, "changed"), 1, row(7, 10, "changed")),
        (row(7, 10, "changed"), vec![int(7), int(11), Value::Unknown], 1, row(7, 11, "changed")),
        (row(7, 11, "changed"), vec![int(7), int(11), Value::Null], 1, vec![int(7), int(11), Value::Null]),
        // Nothing differs: the row is there all the same.
        (row(7, 11, "x"), row(7, 11, "x"), 1, vec![int(7), int(11), Value::Null]),
        (row(1, 10, "a"), row(1, 10, "z"), 0, vec![int(7), int(11), Value::Null]),
    ];
    for (before, after, count, expected) in steps {
        let change = batch(&table, &[before, after]);
        assert_eq!(must(writer.update(&plan, change.row(0), change.row(1)).await), count, "{change:?}");
        assert_eq!(all_of(playground, &plan).await, sorted_rows(vec![row(2, 20, "b"), expected]));
    }
    let clash = batch(&table, &[row(7, 11, "x"), row(7, 20, "x")]);
    assert_eq!(duplicate_key(writer.update(&plan, clash.row(0), clash.row(1)).await), "uu");
}

/// Without a key, one row that is equal in all columns goes for each row given; text of another case isn't equal.
pub async fn keyless_rows_are_matched_as_a_whole(playground: &dyn Playground) {
    let name = create_table(playground, "whole_rows", "a INT, v VARCHAR(20)").await;
    let table = version_of(playground, &name).await;
    let plan = plan(&table, schema_of(playground, &name).await);
    assert!(plan.is_keyless());
    let mut writer = writer(playground).await;
    let pair = |a: i64, v: &str| vec![int(a), text(v)];
    let rows = [pair(1, "x"), pair(1, "x"), pair(1, "X"), pair(1, "x "), vec![Value::Null, Value::Null]];
    let all = batch(&table, &rows);
    must(writer.insert(&plan, &refs(&all), InsertMode::Plain).await);
    let one = batch(&table, &[pair(1, "x"), pair(2, "x")]);
    assert_eq!(must(writer.delete(&plan, &refs(&one)).await), 1);
    let nulls = batch(&table, &[vec![Value::Null, Value::Null], vec![int(5), Value::Null]]);
    assert_eq!(must(writer.update(&plan, nulls.row(0), nulls.row(1)).await), 1);
    assert_eq!(must(writer.update(&plan, nulls.row(0), nulls.row(1)).await), 0);
    let expected = batch(&table, &[pair(1, "x"), pair(1, "X"), pair(1, "x "), vec![int(5), Value::Null]]);
    let found = batch(&table, &content(playground, &plan.target).await);
    assert_eq!(all_values(&sorted(&found)), all_values(&sorted(&expected)));

    // Every sample's rows are found again as a whole.
    let mut reader = must(playground.source().snapshot_reader().await);
    for sample in playground.samples() {
        let name = create_sample(playground, sample.name, &sample).await;
        let table = version_of(playground, &name).await;
        let mut target = schema_of(playground, &name).await;
        (target.primary_key, target.unique_keys) = (None, Vec::new());
        let plan = super::rows::plan(&table, target);
        let rows = read_all(&mut *reader, &table, &KeyRange::default()).await;
        assert_eq!(must(writer.delete(&plan, &refs(&rows)).await), rows.len() as u64, "rows of {name}");
    }
}

/// Within a transaction a failed call takes back all that it did, over any number of statements, and nothing else.
pub async fn a_failed_statement_leaves_its_transaction_as_it_was(playground: &dyn Playground) {
    let (table, plan) = keyed(playground).await;
    let mut writer = writer(playground).await;
    let first = batch(&table, &[row(1, 1, "first")]);
    let many: Vec<_> = (2..=3000).map(|id| row(id, id, "v")).chain([row(1, 9999, "clash")]).collect();
    let many = batch(&table, &many);
    must(writer.begin().await);
    must(writer.insert(&plan, &refs(&first), InsertMode::Plain).await);
    assert_eq!(duplicate_key(writer.insert(&plan, &refs(&many), InsertMode::Plain).await), "PRIMARY");
    let second = batch(&table, &[row(2, 2, "second")]);
    must(writer.insert(&plan, &refs(&second), InsertMode::Plain).await);
    must(writer.commit().await);
    assert_eq!(content(playground, &plan.target).await, [row(1, 1, "first"), row(2, 2, "second")]);

    // A row that can't even be written down, behind statements that could.
    must(writer.begin().await);
    let mut bad: Vec<_> = (10..=3000).map(|id| row(id, id, "v")).collect();
    bad.push(vec![int(4000), int(4000), Value::Text(b"\xff\xfe".to_vec())]);
    let bad = batch(&table, &bad);
    assert!(writer.insert(&plan, &refs(&bad), InsertMode::Plain).await.is_err());
    must(writer.commit().await);
    assert_eq!(content(playground, &plan.target).await.len(), 2);
    assert!(writer.commit().await.is_err(), "no transaction is open");
    must(writer.rollback().await);
}

/// Values that the target can't hold are refused, never changed.
pub async fn refused_values_say_so(playground: &dyn Playground) {
    let (table, plan) = keyed(playground).await;
    let mut writer = writer(playground).await;
    for bad in [
        row(1, 1, "longer than twenty characters"),
        vec![int(1), Value::Null, text("v")],
        vec![int(1), int(1), Value::Text(b"\xc3".to_vec())],
        vec![int(i64::from(i32::MAX) + 1), int(1), text("v")],
    ] {
        let rows = batch(&table, std::slice::from_ref(&bad));
        for mode in [InsertMode::Plain, InsertMode::Upsert, InsertMode::KeepExisting] {
            let error = writer.insert(&plan, &refs(&rows), mode).await.expect_err("refused");
            assert_eq!(error.kind, ErrorKind::RowRefused, "{bad:?} in {mode:?}: {}", error.chain());
        }
    }
    assert_eq!(content(playground, &plan.target).await.len(), 0);
}

/// The row in the way is found by the name of the key as the error has it.
pub async fn clashing_rows_are_found_by_the_key_named(playground: &dyn Playground) {
    let (table, plan) = keyed(playground).await;
    let mut writer = writer(playground).await;
    let there = batch(&table, &[row(1, 10, "a"), row(2, 20, "b")]);
    must(writer.insert(&plan, &refs(&there), InsertMode::Plain).await);
    let clash = batch(&table, &[row(5, 20, "x")]);
    let key = duplicate_key(writer.insert(&plan, &refs(&clash), InsertMode::Plain).await);
    assert!(plan.unique_keys.iter().any(|unique| unique.name == key), "{key} is a key of the plan");
    let found = must(writer.fetch_by_unique_key(&plan, &key, clash.row(0)).await);
    assert_eq!(all_values(&found), [row(2, 20, "b")]);
    let free = batch(&table, &[row(5, 30, "x")]);
    assert_eq!(must(writer.fetch_by_unique_key(&plan, &key, free.row(0)).await).len(), 0);
    assert!(writer.fetch_by_unique_key(&plan, "no such key", free.row(0)).await.is_err());
}

/// A call whose future is dropped leaves nothing of its transaction behind, and the writer works after a rollback.
pub async fn a_cancelled_call_leaves_nothing_behind(playground: &dyn Playground) {
    let (table, plan) = keyed(playground).await;
    let mut writer = writer(playground).await;
    let second = batch(&table, &[row(2, 2, "second")]);
    let refs_of_second = refs(&second);
    // Cancelled as the transaction's first statement, and as a later one.
    for first in [None, Some(batch(&table, &[row(1, 1, "first")]))] {
        must(writer.begin().await);
        if let Some(first) = &first {
            must(writer.insert(&plan, &refs(first), InsertMode::Plain).await);
        }
        // Another transaction is in the way, so that the call can't end.
        let insert = format!("INSERT INTO {} VALUES (2, 2, 'x')", plan.target.name);
        let blocker = playground.open_transaction(&[insert]).await;
        let blocked = writer.insert(&plan, &refs_of_second, InsertMode::Plain);
        let ended = tokio::time::timeout(Duration::from_millis(300), blocked).await;
        assert!(ended.is_err(), "the insert should have waited for the other transaction");
        assert!(writer.commit().await.is_err(), "the transaction can't be committed any more");
        must(writer.rollback().await);
        blocker.commit().await;
        assert_eq!(content(playground, &plan.target).await, [row(2, 2, "x")]);
        playground.run(&format!("DELETE FROM {}", plan.target.name)).await;
    }
    must(writer.begin().await);
    let third = batch(&table, &[row(3, 3, "third")]);
    must(writer.insert(&plan, &refs(&third), InsertMode::Plain).await);
    must(writer.commit().await);
    assert_eq!(content(playground, &plan.target).await, [row(3, 3, "third")]);
}

/// DDL runs in the schema given, is refused inside a transaction, and `truncate` leaves no row.
pub async fn structures_change_and_tables_are_emptied(playground: &dyn Playground) {
    let (table, plan) = keyed(playground).await;
    let mut writer = writer(playground).await;
    let rows = batch(&table, &[row(1, 1, "a")]);
    must(writer.insert(&plan, &refs(&rows), InsertMode::Plain).await);
    must(writer.execute_ddl(playground.schema(), "CREATE TABLE made (id INT NOT NULL PRIMARY KEY)").await);
    must(writer.execute_ddl(playground.schema(), "ALTER TABLE made ADD COLUMN v INT").await);
    let made = whimbrel_model::TableName::new(playground.schema(), "made");
    assert_eq!(schema_of(playground, &made).await.columns.len(), 2);
    assert!(writer.execute_ddl("no_such_schema_anywhere", "CREATE TABLE x (id INT)").await.is_err());
    must(writer.begin().await);
    assert!(writer.execute_ddl(playground.schema(), "DROP TABLE made").await.is_err());
    assert!(writer.truncate(&plan).await.is_err());
    must(writer.rollback().await);
    must(writer.truncate(&plan).await);
    assert_eq!(content(playground, &plan.target).await.len(), 0);
    must(writer.set_foreign_key_checks(true).await);
    must(writer.insert(&plan, &refs(&rows), InsertMode::Upsert).await);
    let changed = batch(&table, &[row(1, 1, "b")]);
    must(writer.insert(&plan, &refs(&changed), InsertMode::Upsert).await);
    assert_eq!(content(playground, &plan.target).await, [row(1, 1, "b")]);
    let pressure = must(writer.pressure().await);
    assert!(pressure.used.is_none_or(|used| (0.0..=1.0).contains(&used)), "{pressure:?}");
}
