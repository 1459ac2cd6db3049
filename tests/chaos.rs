//! Faults at random moments, while the source is written to: connections are cut, stalled, slowed and cut in the middle of a
//! packet on either side; servers are killed and come back; the log is rotated, the dump ended by an administrator, the
//! password changed; the target refuses writes; Whimbrel itself is killed. Whatever happened, the task goes on by itself, or
//! stops with a message that says why and goes on when it is run again; in the end both sides are equal by the tests' own
//! comparison.
//!
//! A few rounds run with all tests; `make chaos ROUNDS=100` runs more and prints a report. Each round's seed is printed, and
//! `WHIMBREL_CHAOS_SEED` begins with it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::harness::proxy::Proxy;
use crate::harness::workload::{self, Load, Workload};
use crate::harness::{Outcome, Random, Running, Scene, Server, Sql, Task};

/// Faults of one round.
const FAULTS: usize = 3;
/// Rows that the copy moves at least.
const COPIED: u64 = 8_000;
/// How often Whimbrel may have to be started anew for one fault.
const MOST_STARTS: usize = 6;
/// How long a stall or a slow line lasts.
const SPELL: Duration = Duration::from_secs(3);
/// How long a killed or restarted server may take.
const SERVER_PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    CutSource,
    CutTarget,
    StallSource,
    StallTarget,
    SlowSource,
    SlowTarget,
    /// Every new connection ends in the middle of something.
    TruncateSource,
    TruncateTarget,
    KillSource,
    KillTarget,
    RotateLog,
    /// An administrator ends the binlog dump.
    EndDump,
    ChangePassword,
    RefuseWrites,
    KillWhimbrel,
}

const ALL: [Fault; 15] = [
    Fault::CutSource,
    Fault::CutTarget,
    Fault::StallSource,
    Fault::StallTarget,
    Fault::SlowSource,
    Fault::SlowTarget,
    Fault::TruncateSource,
    Fault::TruncateTarget,
    Fault::KillSource,
    Fault::KillTarget,
    Fault::RotateLog,
    Fault::EndDump,
    Fault::ChangePassword,
    Fault::RefuseWrites,
    Fault::KillWhimbrel,
];

/// What all rounds together came to.
#[derive(Debug, Default)]
struct Report {
    rounds: u64,
    faults: BTreeMap<Fault, u64>,
    /// Whimbrel stopped with an error, and was run again.
    stops: BTreeMap<String, u64>,
    transactions: u64,
    rows: u64,
    seconds: f64,
}

impl Report {
    fn print(&self) {
        println!("\n| fault | times |\n|---|---|");
        for (fault, times) in &self.faults {
            println!("| {fault:?} | {times} |");
        }
        println!("\n| stopped with | times |\n|---|---|");
        for (code, times) in &self.stops {
            println!("| {code} | {times} |");
        }
        println!(
            "\n{} rounds in {:.0} s, {} faults, {} live transactions, {} rows compared, 0 rows wrong",
            self.rounds,
            self.seconds,
            self.faults.values().sum::<u64>(),
            self.transactions,
            self.rows
        );
    }
}

/// Source and target of a run, of its own: they are killed.
struct Place {
    source: Server,
    target: Server,
}

/// One round at work.
struct Round<'a> {
    scene: Scene,
    place: &'a Place,
    to_source: Proxy,
    to_target: Proxy,
    task: Task,
    report: &'a mut Report,
}

impl Round<'_> {
    /// Lets the task come to a moment, starting it again where it has stopped.
    async fn come_to(&mut self, mut running: Running, moment: u64) -> Running {
        for _ in 0..MOST_STARTS {
            let reached = running
                .comes_to("the moment of a fault", |status| {
                    let rows = crate::harness::whimbrel::imported(status);
                    let applied = status["applied_transactions"].as_u64().unwrap_or(0);
                    // First by rows copied; behind the copy by transactions applied.
                    rows >= (moment * 100).min(COPIED) && (moment * 100 <= COPIED || applied >= moment)
                })
                .await;
            if reached {
                return running;
            }
            running = self.start_again(running.finish().await).await;
        }
        panic!("the task doesn't come on");
    }

    /// What has stopped has to say why and what to do.
    async fn start_again(&mut self, outcome: Outcome) -> Running {
        // None: this test killed it.
        if outcome.code.is_some() {
            let said = outcome.stderr.lines().find_map(|line| line.strip_prefix("error WB-"));
            let code = said.and_then(|rest| rest.split(':').next()).unwrap_or_default().to_owned();
            assert!(
                outcome.code == Some(1) || outcome.code == Some(4),
                "stopped with an unexpected code\n{}",
                outcome.text()
            );
            assert!(
                !code.is_empty() && outcome.stderr.contains("to do:"),
                "no clear message\n{}",
                outcome.text()
            );
            let error: Vec<&str> =
                outcome.stderr.lines().skip_while(|line| !line.starts_with("error WB-")).take(2).collect();
            println!("  stopped: {}", error.join(" "));
            *self.report.stops.entry(format!("WB-{code}")).or_default() += 1;
        }
        self.task.start()
    }

    async fn fault(&mut self, fault: Fault, running: Running, random: &mut Random) -> Running {
        println!("  {fault:?}");
        *self.report.faults.entry(fault).or_default() += 1;
        let takes_clients = matches!(
            fault,
            Fault::CutTarget
                | Fault::StallTarget
                | Fault::TruncateTarget
                | Fault::KillTarget
                | Fault::KillWhimbrel
        );
        if takes_clients && self.place.target.is_oceanbase() {
            let mut target = self.scene.target().await;
            target.wait_without_ddl().await;
            if fault == Fault::KillTarget {
                target.wait_without_logged_transactions().await;
            }
        }
        match fault {
            Fault::CutSource => self.to_source.cut_now(),
            Fault::CutTarget => self.to_target.cut_now(),
            Fault::StallSource => self.to_source.stall(),
            Fault::StallTarget => self.to_target.stall(),
            Fault::SlowSource => self.to_source.slow(Duration::from_millis(20)),
            Fault::SlowTarget => self.to_target.slow(Duration::from_millis(20)),
            Fault::TruncateSource | Fault::TruncateTarget => {
                let proxy = if fault == Fault::TruncateSource { &self.to_source } else { &self.to_target };
                proxy.cut_after(random.between(1, 20_000) as u64);
                proxy.cut_now();
            }
            Fault::KillSource => take_away(&self.place.source).await,
            Fault::KillTarget => take_away(&self.place.target).await,
            Fault::RotateLog => drop(self.scene.source().await.run("FLUSH BINARY LOGS").await),
            Fault::EndDump => self.scene.source().await.end_dumps().await,
            Fault::ChangePassword => {
                password(&mut self.scene.source().await, "changed").await;
                self.to_source.cut_now();
            }
            Fault::RefuseWrites => read_only(&mut self.scene.target().await, true).await,
            Fault::KillWhimbrel => {
                running.kill().await;
                return self.task.start();
            }
        }
        let lasts = matches!(
            fault,
            Fault::StallSource
                | Fault::StallTarget
                | Fault::SlowSource
                | Fault::SlowTarget
                | Fault::TruncateSource
                | Fault::TruncateTarget
                | Fault::ChangePassword
                | Fault::RefuseWrites
        );
        if lasts {
            tokio::time::sleep(SPELL).await;
        }
        self.to_source.heal();
        self.to_target.heal();
        match fault {
            Fault::ChangePassword => password(&mut self.scene.source().await, "whimbrel").await,
            Fault::RefuseWrites => read_only(&mut self.scene.target().await, false).await,
            _ => {}
        }
        running
    }

    /// Everything has healed: the task comes to its end, and both sides are equal.
    async fn end(&mut self, mut running: Running, work: Workload) {
        self.report.transactions += work.stop().await.values().sum::<u64>();
        let id = {
            let mut source = self.scene.source().await;
            source.run("INSERT INTO marker (what) VALUES ('end')").await.last_insert_id
        };
        let mut starts = 0;
        let outcome = loop {
            let drained = running
                .comes_to("the end", |status| {
                    status["phase"] == "incremental" && status["lag_seconds"] == 0.0
                })
                .await;
            if drained && self.scene.target().await.count(&format!("marker WHERE id = {id}")).await == 1 {
                break running.stop().await;
            }
            if !drained {
                starts += 1;
                assert!(starts < MOST_STARTS, "the task doesn't come to its end");
                running = self.start_again(running.finish().await).await;
            }
        };
        let outcome = outcome.expect(0);
        self.scene.assert_equal().await;
        assert_eq!(outcome.report["foreign_changes"], 0, "{}", outcome.text());
        for nothing in ["parked", "conflicts"] {
            let found = outcome.report[nothing].as_array().map(Vec::len);
            assert_eq!(found, Some(0), "{nothing}: {}", outcome.text());
        }
        let mut source = self.scene.source().await;
        for table in ["account", "entry", "tag", "audit", "marker"] {
            self.report.rows += source.count(table).await;
        }
    }
}

/// Kills a server, and has it come back.
async fn take_away(server: &Server) {
    let server = server.clone();
    let back = tokio::task::spawn_blocking(move || {
        server.take_away();
        server
    });
    let server = back.await.expect("a killed server can be started again");
    assert!(
        Sql::open_within(&server, "", SERVER_PATIENCE).await.is_some(),
        "{} doesn't come back",
        server.name
    );
}

async fn password(source: &mut Sql, password: &str) {
    source.run(&format!("ALTER USER whimbrel@'%' IDENTIFIED BY '{password}'")).await;
}

/// A user with all rights may write to a seekdb that is read only; there the right is taken away.
async fn read_only(target: &mut Sql, on: bool) {
    match (target.server(), on) {
        ("seekdb", true) => drop(target.run("REVOKE INSERT ON *.* FROM whimbrel").await),
        ("seekdb", false) => drop(target.run("GRANT ALL ON *.* TO whimbrel").await),
        (_, true) => drop(target.run("SET GLOBAL super_read_only = ON").await),
        (_, false) => drop(target.run("SET GLOBAL super_read_only = OFF; SET GLOBAL read_only = OFF").await),
    }
}

async fn round(place: &Place, seed: u64, report: &mut Report) {
    println!("round {}: seed {seed}, target {}", report.rounds + 1, place.target.name);
    let mut random = Random::new(seed);
    let test = format!("chaos{}", report.rounds);
    let scene = Scene::new(&test, place.source.clone(), place.target.clone()).await;
    let mut sql = scene.source().await;
    workload::prepare(&mut sql, 3_000).await;
    scene.make_marker().await;
    let (to_source, to_target) = (Proxy::to(scene.source.port()).await, Proxy::to(scene.target.port()).await);
    let url = |url: String, from: u16, to: u16| url.replace(&format!(":{from}/"), &format!(":{to}/"));
    let source_url = url(scene.source.url(), scene.source.port(), to_source.port);
    let target_url = url(scene.target.target_url(), scene.target.port(), to_target.port);
    let mode = *random.pick(&["transaction", "convergent"]);
    let task = Task::new("migrate", &source_url, &target_url)
        .include(&format!("{}.*", scene.db))
        .flag("--follow")
        .arg("--apply", mode)
        .arg("--workers", "2")
        .arg("--rate-limit", "3000");
    let load = Load { writers: 2, rate: 40, ..Load::modest(random.next_u64()) };
    let work = Workload::start_through_restarts(&scene.source, &scene.db, load).await;
    let mut running = task.start();
    let mut round = Round { scene, place, to_source, to_target, task, report };
    let mut moment = 0;
    for _ in 0..FAULTS {
        moment += random.between(1, 60) as u64;
        running = round.come_to(running, moment).await;
        let fault = *random.pick(&ALL);
        running = round.fault(fault, running, &mut random).await;
    }
    round.end(running, work).await;
    report.rounds += 1;
}

async fn rounds(count: u64, place: &Place) -> Report {
    let given = std::env::var("WHIMBREL_CHAOS_SEED").ok().and_then(|text| text.parse().ok());
    let first: u64 = given.unwrap_or(1);
    let begun = Instant::now();
    let mut report = Report::default();
    for seed in first..first + count {
        round(place, seed, &mut report).await;
    }
    report.seconds = begun.elapsed().as_secs_f64();
    report.print();
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_rounds_to_mysql() {
    let place = Place { source: Server::own("mysql97", ""), target: Server::own("mysql97", "") };
    rounds(3, &place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_rounds_to_oceanbase() {
    let place = Place { source: Server::own("mariadb1011", ""), target: Server::own("seekdb", "") };
    rounds(2, &place).await;
}

/// `make chaos ROUNDS=n`: half of the rounds to each target.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "as long as one likes: make chaos ROUNDS=n"]
async fn many_rounds() {
    let count: u64 =
        std::env::var("WHIMBREL_CHAOS_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    for target in ["mysql97", "seekdb"] {
        let place = Place { source: Server::own("mysql97", ""), target: Server::own(target, "") };
        rounds(count.div_ceil(2), &place).await;
    }
}

/// A target that has no room left says so; the task waits, and goes on when there is room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_target_is_named_and_the_task_goes_on_when_there_is_room() {
    const ALL_IN_ONE: &str = "--innodb-file-per-table=OFF --innodb-data-file-path=ibdata1:12M:autoextend";
    let target = Server::own("mysql97", &format!("{ALL_IN_ONE}:max:32M"));
    let scene = Scene::new("full_target", Server::mysql(), target.clone()).await;
    let mut sql = scene.source().await;
    workload::allow_recursion(&mut sql).await;
    sql.run("CREATE TABLE wide (id INT NOT NULL PRIMARY KEY, pad VARCHAR(2000) CHARACTER SET ascii)").await;
    let numbers = workload::numbers(30_000);
    sql.run(&format!("INSERT INTO wide {numbers} SELECT i, REPEAT('x', 1500) FROM n")).await;
    let mut running = scene.migrate().start();
    running
        .wait_until("the full target to be named", |status| {
            status["last_error"].to_string().contains("The table 'wide' is full")
        })
        .await;
    assert!(scene.target().await.count("wide").await < 30_000, "there was room for all");
    target.restart(ALL_IN_ONE);
    running.finish().await.expect(0);
    scene.assert_equal().await;
}
