//! The process dies, connections are cut, answers are lost: nothing is lost, nothing happens twice.

use tokio_util::sync::CancellationToken;
use whimbrel_connector::ErrorKind;
use whimbrel_incr_sync::ApplyMode;

use crate::faults::Fault;
use crate::script::Run;
use crate::server::{Scene, TARGETS};
use crate::workload::{Random, TABLES, Tables, expect, history};

/// Dies at ever later calls until a run comes to the end.
async fn survives_crashes(mode: ApplyMode, seed: u64) {
    for server in TARGETS {
        let mut scene = Scene::new(server, "crash", &TABLES).await;
        let tables = Tables::of(&scene).await;
        let history = history(&tables, seed, 60, true);
        let mut run = Run::new(mode);
        run.options.limits.window_changes = 30;
        let mut random = Random::new(seed);
        let mut crashes = 0;
        loop {
            let abort = CancellationToken::new();
            scene.faults.plan(vec![(1 + random.below(40), Fault::Crash)], &abort);
            match run.with_abort(&scene, &history.script, abort).await {
                Ok(status) => {
                    assert_eq!((status.foreign_changes, status.parked), (0, 0), "{server} seed {seed}");
                    break;
                }
                Err(error) => assert_eq!(error.kind, ErrorKind::Cancelled, "{error}: {}", error.chain()),
            }
            crashes += 1;
            assert!(crashes < 200, "no progress");
        }
        assert!(crashes > 2, "{crashes} crashes");
        expect(&mut scene, history.after.last().unwrap(), &format!("{server}, {mode:?}, seed {seed}")).await;
        scene.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_mode_resumes_after_crashes_at_any_call() {
    survives_crashes(ApplyMode::Transaction, 21).await;
    survives_crashes(ApplyMode::Transaction, 22).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn convergent_mode_resumes_after_crashes_at_any_call() {
    survives_crashes(ApplyMode::Convergent, 23).await;
    survives_crashes(ApplyMode::Convergent, 24).await;
}

/// With windows that are split over lanes, so that a crash leaves lanes committed ahead of the checkpoint.
#[tokio::test(flavor = "multi_thread")]
async fn convergent_mode_resumes_when_some_lanes_had_committed() {
    for server in TARGETS {
        let mut scene = Scene::new(server, "lanes", &TABLES).await;
        let tables = Tables::of(&scene).await;
        let history = history(&tables, 25, 400, true);
        let mut run = Run::new(ApplyMode::Convergent);
        run.options.limits.window_changes = 700;
        let mut random = Random::new(25);
        let mut crashes = 0;
        loop {
            let abort = CancellationToken::new();
            // From the first to beyond the last call of a window. What was committed ahead is repeated row by row
            // where it meets itself, which takes many calls.
            let within = if crashes % 4 < 3 { 60 } else { 2_000 };
            scene.faults.plan(vec![(8 + random.below(within), Fault::Crash)], &abort);
            match run.with_abort(&scene, &history.script, abort).await {
                Ok(_) => break,
                Err(error) => assert_eq!(error.kind, ErrorKind::Cancelled, "{error}: {}", error.chain()),
            }
            crashes += 1;
            assert!(crashes < 100, "no progress");
        }
        expect(&mut scene, history.after.last().unwrap(), &format!("{server}, {crashes} crashes")).await;
        scene.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_cuts_and_conflicts_change_nothing() {
    for (seed, mode) in [(31, ApplyMode::Transaction), (32, ApplyMode::Convergent)] {
        for server in TARGETS {
            let mut scene = Scene::new(server, "faults", &TABLES).await;
            let tables = Tables::of(&scene).await;
            let history = history(&tables, seed, 120, true);
            let mut random = Random::new(seed);
            let planned = (0..30)
                .map(|_| {
                    let fault = [Fault::LostAnswer, Fault::Cut, Fault::Conflict][random.below(3) as usize];
                    (1 + random.below(300), fault)
                })
                .collect();
            scene.faults.plan(planned, &CancellationToken::new());
            let mut run = Run::new(mode);
            run.options.limits.window_changes = 10;
            let status = run.to_end(&scene, &history.script).await.unwrap();
            assert!(status.retries > 3, "{} retries", status.retries);
            assert_eq!(status.foreign_changes, 0);
            expect(&mut scene, history.after.last().unwrap(), &format!("{server}, {mode:?}")).await;
            scene.drop().await;
        }
    }
}

/// A process that was taken over can't write any more.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_process_is_fenced_off() {
    for server in TARGETS {
        let mut scene = Scene::new(server, "fence", &TABLES).await;
        let tables = Tables::of(&scene).await;
        let history = history(&tables, 41, 5, true);
        let old = whimbrel_connector::Target::take_over(scene.target().as_ref(), &scene.task).await.unwrap();
        whimbrel_connector::Target::take_over(scene.target().as_ref(), &scene.task).await.unwrap();
        let run = Run::new(ApplyMode::Transaction);
        let sync = run.sync(&scene, old, Some(history.script.end()));
        let error = run.run_sync(sync, &history.script).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Fenced, "{}", error.chain());
        expect(&mut scene, &history.after[0], "nothing was written").await;
        scene.drop().await;
    }
}
