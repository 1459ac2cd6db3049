//! Statements that are parked with their tables, and crashes on the way back.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{ErrorKind, Result};
use whimbrel_incr_sync::{ApplyMode, Control, DdlErrors, Decided, Decision, hold};
use whimbrel_model::{Column, DataType, TableEffect, TableVersion};

use crate::faults::Fault;
use crate::row;
use crate::script::{Edit, Run, Script};
use crate::server::{Scene, TARGETS};

const TABLES: [&str; 3] = [
    "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, n BIGINT NULL)",
    // Without a key: a change that is applied twice, or not at all, shows.
    "CREATE TABLE keyless (n BIGINT NULL)",
    "CREATE TABLE free (id BIGINT NOT NULL PRIMARY KEY, n BIGINT NULL)",
];

fn wider(table: &TableVersion, id: u64, column: &str) -> Arc<TableVersion> {
    let mut schema = table.schema.clone();
    schema.columns.push(Column::new(
        column,
        DataType::Int { bytes: 8, unsigned: false, zerofill: None },
        true,
    ));
    Arc::new(TableVersion::new(id, schema))
}

fn effect(before: &TableVersion, after: &TableVersion) -> TableEffect {
    TableEffect { before: Some(before.schema.name.clone()), after: Some(after.schema.clone()) }
}

struct Made {
    script: Script,
    t: Arc<TableVersion>,
}

/// A refused statement of `t`, then one that also concerns `keyless`; changes of all three tables around them.
async fn made(scene: &mut Scene) -> Made {
    let t = Arc::new(TableVersion::new(1, scene.table("t").await));
    let keyless = Arc::new(TableVersion::new(2, scene.table("keyless").await));
    let free = Arc::new(TableVersion::new(3, scene.table("free").await));
    let (t2, t3) = (wider(&t, 4, "x"), wider(&wider(&t, 5, "x"), 6, "y"));
    let mut script = Script::default();
    let round = |script: &mut Script, from: i64, t_row: Edit, version: &Arc<TableVersion>| {
        script.transaction(&[
            (version, t_row),
            (&keyless, Edit::Insert(row![from])),
            (&free, Edit::Insert(row![from, 0])),
        ]);
    };
    for id in 0..5 {
        round(&mut script, id, Edit::Insert(row![id, 0]), &t);
    }
    script.ddl("ALTER TABLE t ADD COLUMN x NO_SUCH_TYPE", vec![effect(&t, &t2)]);
    for id in 5..10 {
        round(&mut script, id, Edit::Insert(row![id, 0, id]), &t2);
    }
    round(&mut script, 10, Edit::Update(row![2, 0, None], row![2, 9, 9]), &t2);
    // Effects on both tables; the statement itself is only about t.
    script.ddl("ALTER TABLE t ADD COLUMN y BIGINT NULL", vec![effect(&t2, &t3), effect(&keyless, &keyless)]);
    for id in 11..15 {
        round(&mut script, id, Edit::Insert(row![id, 0, id, id]), &t3);
    }
    Made { script, t }
}

fn expected_t() -> Vec<String> {
    let mut rows: Vec<String> = (0..15)
        .filter(|id| *id != 10)
        .map(|id| match id {
            2 => "2|9|9|~".to_owned(),
            0..5 => format!("{id}|0|~|~"),
            5..10 => format!("{id}|0|{id}|~"),
            _ => format!("{id}|0|{id}|{id}"),
        })
        .collect();
    rows.sort();
    rows
}

fn expected_keyless() -> Vec<String> {
    let mut rows: Vec<String> = (0..15).map(|n| n.to_string()).collect();
    rows.sort();
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_statement_holds_its_table_until_it_is_edited() {
    for (server, mode) in TARGETS.into_iter().zip([ApplyMode::Transaction, ApplyMode::Convergent]) {
        let mut scene = Scene::new(server, "hold", &TABLES).await;
        let Made { script, t } = made(&mut scene).await;
        let mut run = Run::new(mode);
        run.options.on_ddl_error = DdlErrors::Park;
        run.options.limits.window_changes = 4;
        let status = run.to_end(&scene, &script).await.unwrap();
        assert_eq!(status.held.len(), 1, "{server}");
        let name = t.schema.name.to_string().to_lowercase();
        assert!(status.held[0].tables.contains(&name), "{:?}", status.held);
        assert_eq!(scene.rows("SELECT * FROM t").await.len(), 5, "{server}: t stands still");
        // The second statement took keyless along.
        assert_eq!(scene.rows("SELECT * FROM keyless ORDER BY n").await.len(), 11, "{server}");
        assert_eq!(scene.rows("SELECT * FROM free").await.len(), 15, "{server}: free flows");

        let sequence: u64 = status.held[0].statement[1..].parse().unwrap();
        let schema = scene.schema.clone();
        let (_, ended) = run
            .following(&scene, &script, async |_, control| {
                let ask = async |request: &dyn Fn(oneshot::Sender<Result<Decided>>) -> Control| {
                    let (reply, answer) = oneshot::channel();
                    control.send(request(reply)).await.unwrap();
                    answer.await.unwrap().unwrap()
                };
                let retried = ask(&|reply| Control::RetryStatement { sequence, reply }).await;
                let Decided::WaitsAgain { id, reason, .. } = retried else { panic!("{retried:?}") };
                assert_eq!(id, format!("d{sequence}"));
                assert!(
                    reason.contains("1064") || reason.contains("42000"),
                    "the target's own words: {reason}"
                );
                let unknown = ask(&|reply| Control::SkipStatement { sequence: 1, reply }).await;
                assert_eq!(unknown, Decided::Unknown);
                let sql = format!("ALTER TABLE {schema}.t ADD COLUMN x BIGINT NULL");
                let edited = ask(&|reply| Control::EditStatement { sequence, sql: sql.clone(), reply }).await;
                assert_eq!(edited, Decided::Done);
            })
            .await;
        let status = ended.unwrap();
        assert_eq!((status.held.len(), status.parked, status.foreign_changes), (0, 0, 0), "{server}");
        assert_eq!(scene.rows("SELECT * FROM t").await, expected_t(), "{server}");
        assert_eq!(scene.rows("SELECT * FROM keyless ORDER BY n").await, expected_keyless(), "{server}");
        scene.drop().await;
    }
}

/// A decision noted while nobody runs the task, and a run that dies at every call that it makes on the way.
#[tokio::test(flavor = "multi_thread")]
async fn crashes_on_the_way_back_repeat_and_lose_nothing() {
    for server in TARGETS {
        for mode in [ApplyMode::Transaction, ApplyMode::Convergent] {
            let mut scene = Scene::new(server, "holdc", &TABLES).await;
            let Made { script, .. } = made(&mut scene).await;
            let mut run = Run::new(mode);
            run.options.on_ddl_error = DdlErrors::Park;
            run.options.limits.window_changes = 2;
            run.to_end(&scene, &script).await.unwrap();
            let (mut writer, _) = scene.writer().await;
            let held = hold::list(writer.as_mut()).await.unwrap();
            let sql = format!("ALTER TABLE {}.t ADD COLUMN x BIGINT NULL", scene.schema);
            let decided =
                hold::decide(writer.as_mut(), held[0].statement.sequence, Decision::Edit(sql)).await;
            assert_eq!(decided.unwrap(), Decided::Noted);
            let again = hold::decide(writer.as_mut(), held[0].statement.sequence, Decision::Skip).await;
            assert_eq!(again.unwrap(), Decided::Unknown, "a decision is made once");
            drop(writer);
            let mut crashes = 0;
            for crash_at in (8..60).step_by(3).chain([1_000_000]) {
                let abort = CancellationToken::new();
                scene.faults.plan(vec![(crash_at, Fault::Crash)], &abort);
                match run.with_abort(&scene, &script, abort).await {
                    Ok(status) => {
                        assert_eq!((status.held.len(), status.foreign_changes), (0, 0), "{server} {mode:?}");
                        break;
                    }
                    Err(error) => assert_eq!(error.kind, ErrorKind::Cancelled, "{}", error.chain()),
                }
                crashes += 1;
            }
            assert!(crashes > 2, "{server} {mode:?}: only {crashes} crashes");
            assert_eq!(
                scene.rows("SELECT * FROM t").await,
                expected_t(),
                "{server} {mode:?}, {crashes} crashes"
            );
            let keyless = scene.rows("SELECT * FROM keyless ORDER BY n").await;
            assert_eq!(keyless, expected_keyless(), "{server} {mode:?}, {crashes} crashes");
            scene.drop().await;
        }
    }
}
