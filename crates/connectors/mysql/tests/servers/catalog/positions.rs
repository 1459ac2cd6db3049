//! Positions stand in the promised relation to reads while others write.
//!
//! Writers insert rows one by one. The log names each row's statement, so that for every row it is known where in the
//! log it was committed; what a read saw next to a position is compared with that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use whimbrel_connector::{Catalog, ErrorKind};
use whimbrel_connector_mysql::wire::Connection;
use whimbrel_model::gtid::Gtid;
use whimbrel_model::{BinlogPosition, GtidState, Position};

use super::{admin, catalog, run};
use crate::server;

const WRITERS: u64 = 4;
const ROUNDS: usize = 25;
const ROWS: usize = 200;

/// A row's transaction in the log.
struct Logged {
    /// Where its statement stands; its transaction's end is behind it and no other position between.
    at: u64,
    gtid: String,
}

/// A position and the rows that a read saw after or before it was taken.
struct Sample {
    position: BinlogPosition,
    seen: BTreeSet<u64>,
}

async fn write_until(server: &'static str, table: String, writer: u64, stop: Arc<AtomicBool>) -> u64 {
    let mut connection = server::connect(server, &server::root(server)).await;
    // MySQL notes statements beside their rows only where it is told to; MariaDB does by itself.
    let noted = connection.query_drop("SET SESSION binlog_rows_query_log_events = 1").await;
    assert!(noted.is_ok() || server.starts_with("mariadb"));
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = writer * 1_000_000 + count;
        connection.query_drop(format!("INSERT INTO {table} VALUES ({id})")).await.unwrap();
        count += 1;
    }
    count
}

async fn ids(connection: &mut Connection, table: &str) -> BTreeSet<u64> {
    let rows = connection.query_rows(format!("SELECT id FROM {table}")).await.unwrap().rows;
    rows.iter().filter_map(|row| row.parse(0)).collect()
}

fn binlog(position: Position) -> BinlogPosition {
    let Position::Binlog(position) = position;
    position
}

/// Rows by id, out of the log from `start` on.
async fn logged(connection: &mut Connection, table: &str, start: &BinlogPosition) -> BTreeMap<u64, Logged> {
    let sql = format!("SHOW BINLOG EVENTS IN '{}' FROM {}", start.file, start.offset);
    let mark = format!("INSERT INTO {table} VALUES (");
    let mut gtid = String::new();
    let mut found = BTreeMap::new();
    for row in connection.query_rows(sql).await.unwrap().rows {
        let at: u64 = row.parse_of("Pos").unwrap();
        let info = row.text_of("Info").unwrap_or_default();
        if let Some(name) = info.strip_prefix("SET @@SESSION.GTID_NEXT= ") {
            gtid = name.trim_matches('\'').to_owned();
        } else if let Some((_, name)) = info.split_once("GTID ") {
            gtid = name.split(' ').next().unwrap_or_default().to_owned();
        } else if let Some((_, rest)) = info.split_once(&mark) {
            let id = rest.split(')').next().unwrap().parse().unwrap();
            found.insert(id, Logged { at, gtid: gtid.clone() });
        }
    }
    found
}

fn holds(gtids: &GtidState, gtid: &str) -> bool {
    match gtids {
        GtidState::Mysql(set) => {
            let one = gtid.parse().unwrap();
            set.is_superset(&one)
        }
        GtidState::MariaDb(set) => {
            let mut with = set.clone();
            let Some(Gtid::MariaDb(one)) = mariadb_gtid(gtid) else { panic!("{gtid}") };
            with.add(one);
            set.is_superset(&with)
        }
        GtidState::None => panic!("a position without GTIDs"),
    }
}

fn mariadb_gtid(text: &str) -> Option<Gtid> {
    let mut parts = text.split('-');
    let (domain, server, sequence) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Gtid::MariaDb(whimbrel_model::gtid::MariaDbGtid {
        domain: domain.parse().ok()?,
        server: server.parse().ok()?,
        sequence: sequence.parse().ok()?,
    }))
}

async fn positions_hold_while_others_write(server: &'static str) {
    let schema = "catalog_positions";
    let table = format!("{schema}.t");
    let mut connection = admin(server).await;
    let script = format!(
        "DROP DATABASE IF EXISTS {schema}; CREATE DATABASE {schema}; CREATE TABLE {table} (id bigint PRIMARY KEY) ENGINE=InnoDB;"
    );
    run(&mut connection, &script).await;
    let mut catalog = catalog(server);
    let start = binlog(catalog.position_after_reads().await.unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 1..=WRITERS {
        writers.spawn(write_until(server, table.clone(), writer, stop.clone()));
    }
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut rows = 0;
    while before.len() < ROUNDS || rows < ROWS {
        assert!(Instant::now() < deadline, "{rows} rows were written");
        let position = binlog(catalog.position_before_reads().await.unwrap());
        before.push(Sample { position, seen: ids(&mut connection, &table).await });
        let seen = ids(&mut connection, &table).await;
        rows = seen.len();
        let position = binlog(catalog.position_after_reads().await.unwrap());
        after.push(Sample { position, seen });
    }
    stop.store(true, Ordering::Relaxed);
    let written: u64 = writers.join_all().await.into_iter().sum();
    let logged = logged(&mut connection, &table, &start).await;
    assert_eq!(logged.len() as u64, written, "every insert is in the log");
    let with_gtids = !matches!(start.gtids, GtidState::None);
    for sample in &before {
        assert_eq!((&sample.position.file, &sample.position.server), (&start.file, &start.server));
        for (id, row) in &logged {
            let seen = sample.seen.contains(id);
            let position = &sample.position;
            assert!(
                seen || row.at >= position.offset,
                "row {id} is before {} and was not seen",
                position.offset
            );
            if with_gtids {
                let held = holds(&position.gtids, &row.gtid);
                assert!(held || row.at >= position.offset, "{} is missing in the GTIDs", row.gtid);
                assert!(seen || !held, "{} is in the GTIDs and was not seen", row.gtid);
            }
        }
    }
    for sample in &after {
        for id in &sample.seen {
            assert!(
                logged[id].at < sample.position.offset,
                "row {id} was seen and is not before the position"
            );
            if with_gtids {
                assert!(holds(&sample.position.gtids, &logged[id].gtid), "row {id} was seen");
            }
        }
    }
    connection.query_drop(format!("DROP DATABASE {schema}")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_by_gtids_without_a_lock() {
    positions_hold_while_others_write("mysql97").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_56_by_a_brief_lock() {
    positions_hold_while_others_write("mysql56").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_by_a_consistent_snapshot() {
    positions_hold_while_others_write("mariadb1011").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_mariadb_by_a_consistent_snapshot() {
    positions_hold_while_others_write("mariadb102").await;
}

/// A session that set `gtid_next` owns the GTID from its begin on: that must hold a position up, not spoil it.
#[tokio::test]
async fn a_transaction_that_stays_holds_the_position_up() {
    let mut session = admin("mysql97").await;
    let script = "DROP DATABASE IF EXISTS catalog_owned; CREATE DATABASE catalog_owned; CREATE TABLE catalog_owned.t (id int PRIMARY KEY);";
    run(&mut session, script).await;
    // A server's UUID of its own, so that nobody else's numbers get holes.
    let gtid = "00000000-0000-0000-0000-0000000c0a70";
    let next = session.query_first("SELECT COUNT(*), UUID_SHORT() % 1000000007 + 1").await.unwrap().unwrap();
    let number = next.text(1).unwrap().to_owned();
    run(
        &mut session,
        &format!("SET gtid_next = '{gtid}:{number}'; BEGIN; INSERT INTO catalog_owned.t VALUES (1);"),
    )
    .await;
    // Briefly: everybody's positions on this server are held up.
    let mut catalog = catalog("mysql97").owned_wait(Duration::from_millis(200));
    let error = catalog.position_before_reads().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(error.hint().contains("gtid_owned"));
    // After reads the offset is enough, whoever stays.
    catalog.position_after_reads().await.unwrap();
    run(&mut session, "ROLLBACK; SET gtid_next = 'AUTOMATIC';").await;
    let mut catalog = catalog.owned_wait(Duration::from_secs(8));
    let position = binlog(catalog.position_before_reads().await.unwrap());
    assert!(!holds(&position.gtids, &format!("{gtid}:{number}")), "it was rolled back");
    session.query_drop("DROP DATABASE catalog_owned").await.unwrap();
}

#[tokio::test]
async fn oceanbase_has_no_log_over_sql() {
    let error = catalog("seekdb").position_before_reads().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
}
