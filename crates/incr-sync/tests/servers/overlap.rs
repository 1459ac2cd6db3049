//! Increments that run through the time in which the import read.

use whimbrel_connector::{DeferredRow, ParkedRow, TablePlan};
use whimbrel_incr_sync::ApplyMode;
use whimbrel_model::{RowBatch, TableVersion};

use crate::row;
use crate::script::{Cell, Edit, Row, Run, Script, position, push};
use crate::server::{Scene, TARGETS};
use crate::workload::{Content, History, Random, TABLES, Tables, expect, history};

fn plan(table: &std::sync::Arc<TableVersion>) -> TablePlan {
    TablePlan::new(table.clone(), table.schema.clone().into()).unwrap()
}

fn one(table: &TableVersion, row: &Row) -> RowBatch {
    let mut batch = RowBatch::new(table.kinds.clone());
    push(&mut batch, row);
    batch
}

fn sql(row: &Row) -> String {
    let cell = |cell: &Cell| match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Int(value) => value.to_string(),
        Cell::Text(value) => format!("'{value}'"),
    };
    row.iter().map(cell).collect::<Vec<_>>().join(",")
}

/// Imports as Full-Import does: every key is read at a moment of its own, rows that meet another one on a unique
/// key are deferred; keyless tables are read at one moment. Returns how many were deferred.
async fn import(
    scene: &mut Scene,
    tables: &Tables,
    history: &History,
    random: &mut Random,
) -> (usize, usize) {
    let last = history.after.len() as u64;
    let mut there = Content::default();
    let mut deferred = 0;
    let (mut writer, _) = scene.writer().await;
    for id in 0..24 {
        let at = random.below(last) as usize;
        let key = vec![Cell::Int(id)];
        let Some(row) = history.after[at].items.get(&key).cloned() else { continue };
        if there.items.values().any(|one| one[1] != Cell::Null && one[1] == row[1]) {
            let batch = one(&tables.items, &row);
            let entry = DeferredRow::new(&plan(&tables.items), batch.row(0), position(at), "uk");
            writer.begin().await.unwrap();
            writer.state_put(&entry.state_key(), &entry.encode()).await.unwrap();
            writer.commit().await.unwrap();
            deferred += 1;
        } else {
            scene.execute(&format!("INSERT INTO items VALUES ({})", sql(&row))).await;
            there.items.insert(key, row);
        }
    }
    for content in &history.after {
        for key in content.pairs.keys() {
            let at = random.below(last) as usize;
            if let Some(row) = history.after[at].pairs.get(key)
                && !there.pairs.contains_key(key)
            {
                scene.execute(&format!("INSERT INTO pairs VALUES ({})", sql(row))).await;
                there.pairs.insert(key.clone(), row.clone());
            }
        }
    }
    let at = random.below(last) as usize;
    for row in &history.after[at].notes {
        scene.execute(&format!("INSERT INTO notes VALUES ({})", sql(row))).await;
    }
    (deferred, at)
}

async fn makes_one_moment_of_many(mode: ApplyMode) {
    for server in TARGETS {
        for seed in 51..54 {
            let mut scene = Scene::new(server, "overlap", &TABLES).await;
            let tables = Tables::of(&scene).await;
            let mut history = history(&tables, seed, 80, true);
            let mut random = Random::new(seed);
            let (deferred, notes_at) = import(&mut scene, &tables, &history, &mut random).await;
            let read_until = history.script.end();
            // Strict changes follow: they must find what they expect.
            let mut content = history.after.last().unwrap().clone();
            for row in content.items.values_mut() {
                let after = vec![row[0].clone(), row[1].clone(), Cell::Int(-1)];
                history.script.transaction(&[(&tables.items, Edit::Update(row.clone(), after.clone()))]);
                *row = after;
            }
            let mut run = Run::new(mode);
            run.options.limits.window_changes = 12;
            run.overlap_until = Some(read_until);
            run.table_start.insert(tables.notes.schema.name.clone(), position(notes_at));
            let status = run.to_end(&scene, &history.script).await.unwrap();
            let what = format!("{server}, {mode:?}, seed {seed}, {deferred} deferred by the import");
            expect(&mut scene, &content, &what).await;
            assert_eq!((status.parked, status.deferred), (0, 0), "{what}");
            assert_eq!(status.foreign_changes, 0, "{what}: {:?}", status.recent_foreign);
            scene.drop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_read_at_many_moments_become_the_source_in_transaction_mode() {
    makes_one_moment_of_many(ApplyMode::Transaction).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_read_at_many_moments_become_the_source_in_convergent_mode() {
    makes_one_moment_of_many(ApplyMode::Convergent).await;
}

/// The target's collation calls two rows one: neither is removed for the other, and it is told with both rows.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_coarser_collation_calls_equal_are_a_conflict_with_both_rows() {
    for server in TARGETS {
        let target = "CREATE TABLE words (w VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, n BIGINT)";
        let mut scene = Scene::new(server, "coarse", &[target]).await;
        let mut schema = scene.table("words").await;
        if let whimbrel_model::DataType::VarChar { collation, .. } = &mut schema.columns[0].data_type {
            *collation = "utf8mb4_bin".into();
        }
        let words = std::sync::Arc::new(TableVersion::new(1, schema));
        scene.execute("INSERT INTO words VALUES ('b', 1)").await;
        let mut script = Script::default();
        // In the overlap: 'a' then 'A'; 'B' meets the imported 'b'.
        for row in [row!["a", 1], row!["A", 2], row!["B", 3]] {
            script.transaction(&[(&words, Edit::Insert(row))]);
        }
        let overlap = script.end();
        // Strict: 'c' then 'C', and later changes of the rows that stayed and of those that didn't.
        script.transaction(&[(&words, Edit::Insert(row!["c", 4])), (&words, Edit::Insert(row!["C", 5]))]);
        script.transaction(&[(&words, Edit::Update(row!["a", 1], row!["a", 10]))]);
        script.transaction(&[(&words, Edit::Update(row!["A", 2], row!["A", 20]))]);
        script.transaction(&[(&words, Edit::Delete(row!["C", 5]))]);
        let mut run = Run::new(ApplyMode::Transaction);
        run.overlap_until = Some(overlap);
        run.options.limits.window_changes = 1;
        run.options.limits.linger = std::time::Duration::ZERO;
        let status = run.to_end(&scene, &script).await.unwrap();
        assert_eq!(scene.rows("SELECT * FROM words").await, ["a|10", "b|1", "c|4"], "{server}");
        assert_eq!((status.parked, status.deferred, status.foreign_changes), (3, 0, 0));
        let (mut writer, _) = scene.writer().await;
        let parked = whimbrel_incr_sync::parked::list(writer.as_mut()).await.unwrap();
        let of = |word: &[u8]| -> &ParkedRow {
            let found = parked.iter().map(|entry| &entry.row).find(|row| {
                row.refused.as_ref().unwrap().row(0).raw(0) == whimbrel_model::RawCell::Bytes(word)
            });
            found.unwrap_or_else(|| panic!("{word:?} is parked"))
        };
        for (word, other) in [(b"A", b"a"), (b"B", b"b"), (b"C", b"c")] {
            let other_row = of(word).other.as_ref().unwrap();
            assert_eq!(other_row.row(0).raw(0), whimbrel_model::RawCell::Bytes(other));
            assert_eq!(of(word).code, "WB-3001");
        }
        assert_eq!(of(b"A").current().unwrap().row(0).get(1), whimbrel_model::ValueRef::Int(20));
        assert!(of(b"C").current().is_none());
        drop(writer);
        scene.drop().await;
    }
}
