//! Whole histories, from an empty target to the end.

use whimbrel_incr_sync::{ApplyMode, Phase};

use crate::script::Run;
use crate::server::{Scene, TARGETS};
use crate::workload::{TABLES, Tables, expect, history};

async fn applies_histories(mode: ApplyMode) {
    for server in TARGETS {
        for seed in 1..=3 {
            let mut scene = Scene::new(server, "history", &TABLES).await;
            let tables = Tables::of(&scene).await;
            let history = history(&tables, seed, 150, true);
            let mut run = Run::new(mode);
            run.options.limits.window_changes = [7, 40, 1000][seed as usize % 3];
            let status = run.to_end(&scene, &history.script).await.unwrap();
            let last = history.after.last().unwrap();
            expect(&mut scene, last, &format!("{server}, {mode:?}, seed {seed}")).await;
            assert_eq!(status.phase, Phase::Ended);
            assert_eq!(status.applied, Some(history.script.end()));
            assert_eq!(status.transactions, history.script.transactions() as u64);
            assert_eq!((status.parked, status.deferred, status.foreign_changes), (0, 0, 0));
            assert_eq!(status.careful_windows, 0, "nothing unexpected was met");
            scene.drop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_mode_leads_to_what_the_source_has() {
    applies_histories(ApplyMode::Transaction).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn convergent_mode_leads_to_what_the_source_has() {
    applies_histories(ApplyMode::Convergent).await;
}

/// Every state that others see is one that the source had, in order.
#[tokio::test(flavor = "multi_thread")]
async fn transaction_mode_shows_only_states_that_the_source_had() {
    let mut scene = Scene::new("mysql97", "visible", &TABLES).await;
    let mut watcher = Scene::new("mysql97", "watcher", &[]).await;
    let tables = Tables::of(&scene).await;
    let history = history(&tables, 11, 400, false);
    let mut run = Run::new(ApplyMode::Transaction);
    run.options.limits.window_changes = 5;
    let states: Vec<Vec<String>> = history.after.iter().map(|content| content.lines("items")).collect();
    let query = format!("SELECT * FROM {}.items", scene.schema);
    let (applied, watched) = tokio::join!(run.to_end(&scene, &history.script), async {
        let (mut at, mut seen) = (0, 0);
        while at + 1 < states.len() {
            let found = watcher.rows(&query).await;
            let next = states[at..].iter().position(|state| *state == found);
            let next = next.unwrap_or_else(|| panic!("after state {at}, no later state is {found:?}"));
            seen += usize::from(next > 0);
            at = (at + next).max(at);
            if states[at] == states[states.len() - 1] {
                break;
            }
        }
        seen
    });
    applied.unwrap();
    assert!(watched > 3, "only {watched} states were seen");
    expect(&mut scene, history.after.last().unwrap(), "end").await;
    scene.drop().await;
    watcher.drop().await;
}
