//! Both sides are written while they are compared: what is on its way is no difference, what was planted is one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, Notify, watch};
use whimbrel_connector::{AppliedPosition, Result};
use whimbrel_full_verification::{Unattended, VerifyOptions};
use whimbrel_model::Position;

use crate::pair::{PAIRS, Pair, Session};
use crate::verify::{counts, lines, of, options, run_with};

/// Most transactions that the target is behind. Without a limit a slow target would be ever further behind, and each
/// wait for it longer.
const BEHIND: u64 = 20;

/// Repeats at the target what was written at the source, later and in order.
struct Applier {
    queue: Mutex<VecDeque<String>>,
    more: Notify,
    /// Transactions committed at the source.
    written: AtomicU64,
    /// Transactions repeated at the target.
    applied: watch::Sender<u64>,
    stopped: AtomicBool,
}

impl Applier {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::default(),
            more: Notify::new(),
            written: AtomicU64::new(0),
            applied: watch::Sender::new(0),
            stopped: AtomicBool::new(false),
        })
    }

    /// Writes at the source, as fast as the target follows.
    async fn write(&self, session: &mut Session) {
        let mut round = 0u64;
        let mut applied = self.applied.subscribe();
        while !self.stopped.load(Ordering::SeqCst) {
            applied.wait_for(|applied| applied + BEHIND > round).await.expect("the sender is ours");
            // To and fro between two values, a counter, a key that moves, rows that come and go.
            let id = round % 40 + 1;
            let sql = match round % 4 {
                0 => format!(
                    "UPDATE t SET v=IF(v='even','odd','even') WHERE id={id};UPDATE s SET v=IF(v='even','odd','even') WHERE k='k{id}'"
                ),
                1 => format!("UPDATE t SET n=n+1 WHERE id={id};UPDATE s SET n=n+1 WHERE k='k{id}'"),
                2 => format!(
                    "UPDATE t SET id=IF(id={id},{moved},{id}) WHERE id IN ({id},{moved})",
                    moved = 5000 + id
                ),
                _ => format!(
                    "DELETE FROM t WHERE id={old};INSERT INTO t VALUES ({new},'new',0)",
                    old = 10_000 + round.saturating_sub(40),
                    new = 10_000 + round
                ),
            };
            let sql = format!("BEGIN;{sql};COMMIT");
            // Nothing is between the commit and the queue as far as the position is concerned.
            let mut queue = self.queue.lock().await;
            session.run(&sql).await;
            queue.push_back(sql);
            drop(queue);
            self.written.fetch_add(1, Ordering::SeqCst);
            self.more.notify_one();
            round += 1;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Repeats it at the target, always a few transactions behind.
    async fn apply(&self, session: &mut Session) {
        loop {
            let next = self.queue.lock().await.pop_front();
            match next {
                Some(sql) => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    session.run(&sql).await;
                    self.applied.send_modify(|applied| *applied += 1);
                }
                None if self.stopped.load(Ordering::SeqCst) => return,
                None => {
                    let _ = tokio::time::timeout(Duration::from_millis(20), self.more.notified()).await;
                }
            }
        }
    }
}

#[async_trait]
impl AppliedPosition for Applier {
    async fn wait_for(&self, _: &Position) -> Result<()> {
        // All that was committed before the position was taken is counted or in the queue by now.
        let queue = self.queue.lock().await;
        let written = self.written.load(Ordering::SeqCst).max(*self.applied.borrow() + queue.len() as u64);
        drop(queue);
        self.applied.subscribe().wait_for(|applied| *applied >= written).await.expect("the sender is ours");
        Ok(())
    }
}

/// Nothing is ever applied; says when two tables hold at a time.
#[derive(Default)]
struct Holds {
    held: AtomicU64,
    all: AtomicU64,
    second: Notify,
    most: AtomicU64,
}

#[async_trait]
impl AppliedPosition for Holds {
    async fn wait_for(&self, _: &Position) -> Result<()> {
        Ok(())
    }

    async fn hold(&self) -> Result<bool> {
        self.all.fetch_add(1, Ordering::SeqCst);
        let held = self.held.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(held, Ordering::SeqCst);
        if held > 1 {
            self.second.notify_one();
        }
        Ok(true)
    }

    async fn advance_to(&self, _: &Position) -> Result<()> {
        // Time for another table to hold too, if it may.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.second.notified()).await;
        Ok(())
    }

    fn release(&self) {
        self.held.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Two tables that held at a time let each other's changes through, and read different moments.
#[tokio::test]
async fn one_table_at_a_time_holds_the_changes() {
    let (source, target) = PAIRS[0];
    let mut pair = Pair::new(source, target, "holds").await;
    pair.create("CREATE TABLE a (v INT); CREATE TABLE b (v INT)", &[]).await;
    let mut writer = pair.source.session().await;
    // On a busy machine a table may not change between two readings, and then needn't hold: that run says nothing.
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let options = VerifyOptions { most_differences: u64::MAX, ..options(&pair, folder.path()).await };
        let holds = Arc::new(Holds::default());
        let ended = AtomicBool::new(false);
        let verifying = async {
            let report = run_with(&pair, options, holds.clone()).await;
            ended.store(true, Ordering::SeqCst);
            report.unwrap()
        };
        let writing = async {
            while !ended.load(Ordering::SeqCst) {
                writer.run("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)").await;
            }
        };
        let (report, ()) = tokio::join!(verifying, writing);
        assert!(holds.most.load(Ordering::SeqCst) <= 1);
        for table in ["a", "b"] {
            let found = of(&report, table);
            assert_eq!(found.missing, found.rows, "{table}: rows of one moment");
        }
        if holds.all.load(Ordering::SeqCst) == 2 {
            assert_eq!(holds.most.load(Ordering::SeqCst), 1);
            return;
        }
    }
    panic!("never did both tables change in every round");
}

/// Rows come in faster than they can be compared: what is there when the table's turn comes is compared, no more.
#[tokio::test]
async fn a_verification_ends_however_fast_the_table_grows() {
    let (source, target) = PAIRS[2];
    let mut pair = Pair::new(source, target, "grows").await;
    pair.create("CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v INT)", &[]).await;
    let insert = |rows: usize| format!("INSERT INTO t (v) VALUES {}", vec!["(1)"; rows].join(","));
    for side in [&mut pair.source, &mut pair.target] {
        side.run(&insert(300)).await;
    }
    let mut writers = [pair.source.session().await, pair.target.session().await];
    let folder = tempfile::tempdir().unwrap();
    let options = VerifyOptions { chunk_rows: 5, ..options(&pair, folder.path()).await };
    let ended = AtomicBool::new(false);
    let verifying = async {
        let quiet = Arc::new(Unattended { pause: Duration::from_millis(50) });
        let verification = run_with(&pair, options, quiet);
        let report = tokio::time::timeout(Duration::from_secs(120), verification).await;
        ended.store(true, Ordering::SeqCst);
        report.expect("the verification follows the table").unwrap()
    };
    let writing = async {
        while !ended.load(Ordering::SeqCst) {
            for writer in &mut writers {
                writer.run(&insert(1000)).await;
            }
        }
    };
    let (report, ()) = tokio::join!(verifying, writing);
    assert_eq!(counts(&report, "t"), [0, 0, 0, 0]);
    assert!(of(&report, "t").rows >= 300);
}

const DDL: &str = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10), n INT);
                   CREATE TABLE s (k VARCHAR(10) COLLATE utf8mb4_general_ci PRIMARY KEY, v VARCHAR(10), n INT)";

#[tokio::test]
async fn writes_on_their_way_are_no_differences_and_planted_ones_are_found() {
    for (source, target) in [PAIRS[0], PAIRS[2]] {
        let mut pair = Pair::new(source, target, "live").await;
        pair.create(DDL, &[]).await;
        let rows: Vec<String> = (1..=400).map(|id| format!("({id},'even',0)")).collect();
        let keys: Vec<String> = (1..=400).map(|id| format!("('k{id}','even',0)")).collect();
        let insert =
            format!("INSERT INTO t VALUES {};INSERT INTO s VALUES {}", rows.join(","), keys.join(","));
        pair.source.run(&insert).await;
        pair.target.run(&insert).await;
        pair.target
            .run(
                "DELETE FROM t WHERE id IN (200,201);UPDATE t SET v='x' WHERE id=300;INSERT INTO t VALUES (-5,'x',0),(9000,'x',0);\
                 DELETE FROM s WHERE k='k300';UPDATE s SET n=7 WHERE k='k77';INSERT INTO s VALUES ('new','x',0)",
            )
            .await;
        let applier = Applier::new();
        let (mut writing, mut applying) = (pair.source.session().await, pair.target.session().await);
        let folder = tempfile::tempdir().unwrap();
        let options = options(&pair, folder.path()).await;
        let verifying = async {
            let mut reports = Vec::new();
            while reports.len() < 3 || applier.written.load(Ordering::SeqCst) <= 50 {
                reports.push(run_with(&pair, options.clone(), applier.clone()).await);
            }
            applier.stopped.store(true, Ordering::SeqCst);
            reports
        };
        let (reports, (), ()) =
            tokio::join!(verifying, applier.write(&mut writing), applier.apply(&mut applying));
        for report in reports {
            let report = report.unwrap();
            let found = [lines(&pair, folder.path(), "t"), lines(&pair, folder.path(), "s")].concat();
            assert_eq!(counts(&report, "t"), [2, 2, 1, 0], "{target}: {found:?}");
            assert_eq!(counts(&report, "s"), [1, 1, 1, 0], "{target}: {found:?}");
        }
    }
}
