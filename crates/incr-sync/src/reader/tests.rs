use std::time::Duration;

use async_trait::async_trait;
use whimbrel_model::{BinlogPosition, GtidState, LogPoint};

use super::*;
use crate::fixture::{Edit, batch, unique_table};
use crate::table::ApplyTable;

struct Records {
    records: Vec<LogRecord>,
    next: usize,
    /// Records after which the source is idle for a moment.
    pauses: Vec<usize>,
}

#[async_trait]
impl ChangeSource for Records {
    async fn next(&mut self) -> Result<(u64, LogRecord)> {
        if let Some(at) = self.pauses.iter().position(|pause| *pause == self.next) {
            tokio::time::sleep(Duration::from_secs(60)).await;
            self.pauses.remove(at);
        }
        match self.records.get(self.next) {
            None => std::future::pending().await,
            Some(record) => {
                self.next += 1;
                Ok((self.next as u64, record.clone()))
            }
        }
    }

    async fn seek(&mut self, after: Option<u64>) -> Result<()> {
        self.next = after.unwrap_or(0) as usize;
        Ok(())
    }

    async fn acknowledge(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
}

struct Everything;

impl Router for Everything {
    fn target(&self, source: &TableName) -> Option<TableName> {
        (source.table != "unwanted").then(|| source.clone())
    }

    fn target_schemas(&self) -> Vec<String> {
        Vec::new()
    }
}

fn at(offset: u64) -> Position {
    let (server, file) = ("1".into(), "binlog.000001".into());
    Position::Binlog(BinlogPosition { server, file, offset, gtids: GtidState::None })
}

fn begin(offset: u64) -> LogRecord {
    let start = Some(LogPoint { server: "1".into(), file: "binlog.000001".into(), offset });
    LogRecord::Begin(Begin { gtid: None, commit_time_us: 0, start })
}

fn commit(offset: u64) -> LogRecord {
    LogRecord::Commit(Commit { position: at(offset), commit_time_us: 0 })
}

fn rows(table: &ApplyTable, ids: std::ops::Range<i64>) -> LogRecord {
    let edits: Vec<Edit> = ids.map(|id| Edit::Insert(vec![Some(id), None, None])).collect();
    LogRecord::Rows(batch(table, &edits))
}

/// Transactions of one batch each, at offsets 0, 100, 200...
fn transactions(tables: &[(&ApplyTable, std::ops::Range<i64>)]) -> Vec<LogRecord> {
    let mut records = Vec::new();
    for (number, (table, ids)) in tables.iter().enumerate() {
        let offset = 100 * number as u64;
        records.extend([begin(offset), rows(table, ids.clone()), commit(offset + 100)]);
    }
    records
}

fn limits() -> Limits {
    Limits {
        window_changes: 10,
        window_bytes: 1 << 20,
        linger: Duration::from_millis(1),
        transaction_changes: 25,
        transaction_bytes: 1 << 20,
    }
}

fn open_gate() -> crate::hold::Gate {
    crate::hold::Gate { holds: Arc::default(), replayed: None }
}

fn no_bounds() -> Bounds {
    Bounds { table_start: HashMap::new(), overlap_until: None, stop_at: None, stop_after: None }
}

async fn reader(records: Vec<LogRecord>, pauses: Vec<usize>, bounds: Bounds) -> Reader {
    let source = Box::new(Records { records, next: 0, pauses });
    let mut reader = Reader::new(source, Arc::new(Everything), open_gate(), bounds, limits());
    reader.start(None, 0).await.unwrap();
    reader
}

/// A step in short: `w3@200` a window of 3 changes that ends at 200, `p`/`P` a (first) piece, ...
fn short(step: &Step) -> String {
    let window = |window: &RawWindow| {
        let changes: usize = window.batches.iter().map(count_changes).sum();
        let end = window.end.as_ref().map(|end| {
            let Position::Binlog(position) = &end.position;
            format!("@{}", position.offset)
        });
        let idempotent = if window.idempotent { "?" } else { "" };
        format!("{changes}{}{idempotent}", end.unwrap_or_default())
    };
    match step {
        Step::Window(one) => format!("w{}", window(one)),
        Step::Piece { window: one, first: true } => format!("P{}", window(one)),
        Step::Piece { window: one, first: false } => format!("p{}", window(one)),
        Step::Abandon => "abandon".into(),
        Step::Ddl { .. } => "ddl".into(),
        Step::Strict => "strict".into(),
        Step::Idle => "idle".into(),
        Step::End => "end".into(),
        Step::Failed(error) => format!("failed {}", error.code()),
    }
}

/// All steps until the source has nothing more.
async fn steps(reader: &mut Reader, eager: bool) -> Vec<String> {
    let mut steps = Vec::new();
    while let Ok(step) = tokio::time::timeout(Duration::from_secs(3600), reader.next_step(eager)).await {
        steps.push(short(&step));
    }
    steps
}

#[tokio::test(start_paused = true)]
async fn windows_are_whole_transactions_and_close_when_full_or_when_somebody_waits() {
    let table = unique_table(1, "t");
    let script =
        transactions(&[(&table, 0..4), (&table, 4..8), (&table, 8..12), (&table, 12..13), (&table, 13..14)]);
    let mut backlog = reader(script.clone(), vec![], no_bounds()).await;
    assert_eq!(steps(&mut backlog, true).await, ["w12@300", "w2@500", "idle"]);
    let mut slow = reader(script.clone(), vec![3, 4], no_bounds()).await;
    assert_eq!(steps(&mut slow, true).await, ["w4@100", "idle", "w10@500", "idle"]);
    let mut busy = reader(script, vec![3], no_bounds()).await;
    assert_eq!(steps(&mut busy, false).await, ["w12@300"], "nobody waits: the rest stays open");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_loses_nothing() {
    let table = unique_table(1, "t");
    let script = transactions(&[(&table, 0..3), (&table, 3..6), (&table, 6..9)]);
    let mut reader = reader(script, vec![0, 1, 2, 4, 5, 7, 8], no_bounds()).await;
    let mut changes = 0;
    for _ in 0..1000 {
        if let Ok(Step::Window(window)) =
            tokio::time::timeout(Duration::from_secs(7), reader.next_step(false)).await
        {
            changes += window.batches.iter().map(count_changes).sum::<usize>();
        }
    }
    if let Step::Window(window) = reader.next_step(true).await {
        changes += window.batches.iter().map(count_changes).sum::<usize>();
    }
    assert_eq!(changes, 9);
}

#[tokio::test(start_paused = true)]
async fn a_large_transaction_comes_in_pieces_after_what_was_before() {
    let table = unique_table(1, "t");
    let mut script = transactions(&[(&table, 0..2)]);
    script.push(begin(100));
    script.extend((1..9).map(|part| rows(&table, part * 6..part * 6 + 6)));
    script.push(commit(200));
    script.extend([begin(200), rows(&table, 90..91), commit(300)]);
    let mut reader = reader(script, vec![], no_bounds()).await;
    assert_eq!(steps(&mut reader, true).await, ["w2@100", "P30", "p12", "p6@200", "w1@300", "idle"]);
}

#[tokio::test(start_paused = true)]
async fn an_aborted_transaction_leaves_no_trace_and_pieces_of_it_are_called_back() {
    let table = unique_table(1, "t");
    let mut script = transactions(&[(&table, 0..2)]);
    script.extend([begin(100), rows(&table, 2..9), LogRecord::Abort]);
    script.extend([begin(100), rows(&table, 2..4), commit(200)]);
    let mut small = reader(script.clone(), vec![], no_bounds()).await;
    assert_eq!(steps(&mut small, true).await, ["w4@200", "idle"]);
    script.extend([begin(200), rows(&table, 10..50), LogRecord::Abort]);
    script.extend([begin(200), rows(&table, 10..12), commit(300)]);
    let mut large = reader(script, vec![], no_bounds()).await;
    let expected = ["w4@200", "P40", "abandon", "w2@300?", "strict", "idle"];
    assert_eq!(steps(&mut large, true).await, expected);
}

/// What a statement has done can't be taken back, and its transaction comes again.
#[tokio::test(start_paused = true)]
async fn a_statement_of_an_aborted_transaction_is_not_handed_out() {
    let table = unique_table(1, "t");
    let ddl = || {
        LogRecord::Ddl(Ddl {
            default_schema: "d".into(),
            sql: "ALTER TABLE t ADD COLUMN x INT".into(),
            sql_mode: 0,
            effects: vec![],
        })
    };
    let mut script = transactions(&[(&table, 0..2)]);
    script.extend([begin(100), ddl(), LogRecord::Abort, begin(100), ddl(), commit(200)]);
    script.extend([begin(200), ddl(), rows(&table, 2..4), commit(300)]);
    let mut reader = reader(script, vec![], no_bounds()).await;
    assert_eq!(steps(&mut reader, true).await, ["w2@100", "ddl", "w0@200", "ddl", "w2@300", "idle"]);
}

#[tokio::test(start_paused = true)]
async fn tables_read_at_an_exact_position_skip_what_is_at_or_before_it() {
    let (table, unwanted) = (unique_table(1, "exact"), unique_table(2, "unwanted"));
    let script = transactions(&[(&table, 0..1), (&table, 1..3), (&unwanted, 0..5), (&table, 3..7)]);
    let mut bounds = no_bounds();
    bounds.table_start.insert(TableName::new("d", "exact"), at(200));
    let mut reader = reader(script, vec![], bounds).await;
    assert_eq!(steps(&mut reader, true).await, ["w4@400", "idle"]);
}

#[tokio::test(start_paused = true)]
async fn changes_are_idempotent_until_the_overlap_is_passed() {
    let table = unique_table(1, "t");
    let script = transactions(&[(&table, 0..1), (&table, 1..2), (&table, 2..3)]);
    let until = |offset| Bounds { overlap_until: Some(at(offset)), ..no_bounds() };
    let mut by_commit = reader(script.clone(), vec![], until(200)).await;
    assert_eq!(steps(&mut by_commit, true).await, ["w2@200?", "strict", "w1@300", "idle"]);
    // Transactions of other tables lie between 200 and 250: only the next begin tells.
    let mut script = script[..6].to_vec();
    script.extend([begin(250), rows(&table, 2..3), commit(300)]);
    let mut by_begin = reader(script.clone(), vec![], until(250)).await;
    assert_eq!(steps(&mut by_begin, true).await, ["w2@200?", "strict", "w1@300", "idle"]);
    script.truncate(6);
    script.push(LogRecord::Heartbeat { position: at(250), time_us: 0 });
    let mut by_heartbeat = reader(script, vec![], until(250)).await;
    assert_eq!(steps(&mut by_heartbeat, true).await, ["w2@250?", "strict", "idle"]);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_applied_before_a_crash_is_idempotent() {
    let table = unique_table(1, "t");
    let script = transactions(&[(&table, 0..1), (&table, 1..2), (&table, 2..3)]);
    let mut reader = reader(script, vec![], no_bounds()).await;
    let end = End { position: at(100), sequence: 3, commit_time_us: 0 };
    reader.start(Some(&end), 5).await.unwrap();
    assert!(reader.is_idempotent());
    assert_eq!(steps(&mut reader, true).await, ["w1@200?", "strict", "w1@300", "idle"]);
    reader.start(Some(&end), 3).await.unwrap();
    assert!(!reader.is_idempotent());
}

#[tokio::test(start_paused = true)]
async fn the_run_ends_where_it_was_told_to() {
    let table = unique_table(1, "t");
    let script = transactions(&[(&table, 0..1), (&table, 1..2), (&table, 2..3)]);
    let stop = |offset| Bounds { stop_at: Some(at(offset)), ..no_bounds() };
    let mut at_commit = reader(script.clone(), vec![], stop(200)).await;
    assert_eq!(steps(&mut at_commit, false).await, ["w2@200", "end"]);
    let end = End { position: at(300), sequence: 9, commit_time_us: 0 };
    let mut before = reader(script.clone(), vec![], stop(200)).await;
    before.start(Some(&end), 0).await.unwrap();
    assert_eq!(steps(&mut before, false).await, ["end"], "it was reached before");

    let mut asked = reader(script, vec![5], no_bounds()).await;
    let waiting = tokio::time::timeout(Duration::from_secs(1), asked.next_step(false)).await;
    assert!(waiting.is_err(), "in the middle of the second transaction");
    asked.stop();
    assert_eq!(steps(&mut asked, false).await, ["w1@100", "end"]);
}

/// What was read to the end but not applied is read again, and the run ends all the same.
#[tokio::test(start_paused = true)]
async fn a_reader_that_is_started_again_after_its_end_ends_again() {
    let table = unique_table(1, "t");
    let mut script = transactions(&[(&table, 0..2)]);
    script.extend([begin(100), rows(&table, 2..40), commit(200)]);
    let mut bounded = reader(script.clone(), vec![], Bounds { stop_at: Some(at(200)), ..no_bounds() }).await;
    let expected = ["w2@100", "P38", "p0@200", "end"];
    assert_eq!(steps(&mut bounded, true).await, expected);
    bounded.start(None, 0).await.unwrap();
    assert_eq!(steps(&mut bounded, true).await, expected);

    let mut stopped = reader(script, vec![], no_bounds()).await;
    stopped.stop();
    assert_eq!(steps(&mut stopped, true).await, ["end"]);
    stopped.start(None, 0).await.unwrap();
    assert_eq!(steps(&mut stopped, true).await, ["end"], "it was asked to end before");
}
