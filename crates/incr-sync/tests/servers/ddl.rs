//! DDL at its barrier, once whatever happens.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use whimbrel_connector::ErrorKind;
use whimbrel_incr_sync::ApplyMode;
use whimbrel_model::{Column, DataType, TableEffect, TableVersion};

use crate::faults::Fault;
use crate::row;
use crate::script::{Edit, Run, Script};
use crate::server::{Scene, TARGETS};

const TABLE: &str = "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, n BIGINT NULL)";

/// Rows, a new column, rows with it, TRUNCATE, rows.
fn script(old: &Arc<TableVersion>) -> Script {
    let mut wider = old.schema.clone();
    wider.columns.push(Column::new("x", DataType::Int { bytes: 8, unsigned: false, zerofill: None }, true));
    let new = Arc::new(TableVersion::new(old.id + 1, wider));
    let effect = |after: &TableVersion| {
        vec![TableEffect { before: Some(old.schema.name.clone()), after: Some(after.schema.clone()) }]
    };
    let mut script = Script::default();
    for id in 0..10 {
        script.transaction(&[(old, Edit::Insert(row![id, 0]))]);
    }
    script.ddl("ALTER TABLE t ADD COLUMN x BIGINT NULL", effect(&new));
    for id in 10..20 {
        script.transaction(&[(&new, Edit::Insert(row![id, 0, id]))]);
    }
    script.transaction(&[(&new, Edit::Update(row![3, 0, None], row![3, 0, 33]))]);
    script.ddl("TRUNCATE TABLE t", effect(&new));
    for id in 100..110 {
        script.transaction(&[(&new, Edit::Insert(row![id, 0, id]))]);
    }
    script
}

#[tokio::test(flavor = "multi_thread")]
async fn ddl_happens_between_the_changes_around_it_and_once_across_crashes() {
    for server in TARGETS {
        for mode in [ApplyMode::Transaction, ApplyMode::Convergent] {
            let mut scene = Scene::new(server, "ddl", &[TABLE]).await;
            let old = Arc::new(TableVersion::new(1, scene.table("t").await));
            let script = script(&old);
            let mut run = Run::new(mode);
            run.options.limits.window_changes = 3;
            let mut crashes = 0;
            for crash_at in [9, 14, 15, 16, 17, 18, 19, 20, 22, 30, 12, 13, 1_000_000] {
                let abort = CancellationToken::new();
                scene.faults.plan(vec![(crash_at, Fault::Crash)], &abort);
                match run.with_abort(&scene, &script, abort).await {
                    Ok(status) => {
                        assert_eq!((status.parked, status.foreign_changes), (0, 0), "{server} {mode:?}");
                        break;
                    }
                    Err(error) => assert_eq!(error.kind, ErrorKind::Cancelled, "{}", error.chain()),
                }
                crashes += 1;
            }
            assert!(crashes > 0);
            let expected: Vec<String> = (100..110).map(|id| format!("{id}|0|{id}")).collect();
            assert_eq!(scene.rows("SELECT * FROM t").await, expected, "{server} {mode:?}, {crashes} crashes");
            scene.drop().await;
        }
    }
}

/// A process that stalls between the note that a statement begins and the statement isn't the owner any more when it
/// goes on: what the new owner has applied since stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_taken_over_at_a_statement_does_not_run_it() {
    for server in TARGETS {
        let mut scene = Scene::new(server, "zombie", &[TABLE]).await;
        let old = Arc::new(TableVersion::new(1, scene.table("t").await));
        let script = script(&old);
        let stall = scene.faults.stall_before("TRUNCATE");
        let run = Run::new(ApplyMode::Transaction);
        {
            let zombie = run.to_end(&scene, &script);
            tokio::pin!(zombie);
            tokio::select! {
                ended = &mut zombie => panic!("{server}: it ended before the statement: {ended:?}"),
                () = stall.reached.notified() => {}
            }
            run.to_end(&scene, &script).await.unwrap();
            stall.ended.notify_one();
            let error = zombie.await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Fenced, "{server}: {}", error.chain());
        }
        let expected: Vec<String> = (100..110).map(|id| format!("{id}|0|{id}")).collect();
        assert_eq!(scene.rows("SELECT * FROM t").await, expected, "{server}");
        scene.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_statement_stops_the_task_and_is_recognised_when_done_by_hand() {
    for server in TARGETS {
        let mut scene = Scene::new(server, "refuse", &[TABLE]).await;
        let old = Arc::new(TableVersion::new(1, scene.table("t").await));
        let mut wider = old.schema.clone();
        wider.columns.push(Column::new(
            "x",
            DataType::Int { bytes: 8, unsigned: false, zerofill: None },
            true,
        ));
        let new = Arc::new(TableVersion::new(2, wider.clone()));
        let mut script = Script::default();
        script.transaction(&[(&old, Edit::Insert(row![1, 0]))]);
        let effect = TableEffect { before: Some(old.schema.name.clone()), after: Some(wider) };
        script.ddl("ALTER TABLE t ADD COLUMN x NO_SUCH_TYPE", vec![effect]);
        script.transaction(&[(&new, Edit::Insert(row![2, 0, 5]))]);
        let run = Run::new(ApplyMode::Transaction);
        let error = run.to_end(&scene, &script).await.unwrap_err();
        assert!(error.object.contains("NO_SUCH_TYPE"), "{error}: {}", error.chain());
        assert_eq!(scene.rows("SELECT * FROM t").await, ["1|0"]);
        scene.execute("ALTER TABLE t ADD COLUMN x BIGINT NULL").await;
        run.to_end(&scene, &script).await.unwrap();
        assert_eq!(scene.rows("SELECT * FROM t").await, ["1|0|~", "2|0|5"]);
        scene.drop().await;
    }
}
