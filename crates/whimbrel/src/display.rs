//! How a running task shows itself: bars at a terminal, otherwise a line every ten seconds. Both on standard
//! error, so that standard output holds results only.

use std::io::{IsTerminal, stderr};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::board::{Board, Phase, Status, TableStatus};

/// Tables shown with a bar of their own; the others are in the sum.
const MOST_BARS: usize = 12;
const LINE_EVERY: Duration = Duration::from_secs(10);
/// How often the counters are looked at between lines, so that the first line of a phase has a speed too.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Shows until `stop`, then leaves the last state standing.
pub async fn show(board: Arc<Board>, stop: CancellationToken) {
    if stderr().is_terminal() {
        bars(&board, &stop).await;
    } else {
        lines(&board, &stop).await;
    }
}

async fn lines(board: &Board, stop: &CancellationToken) {
    let mut rate = Rate::default();
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ticks = interval(LINE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => eprintln!("{}", line(&board.snapshot(), &mut rate)),
            _ = looks.tick() => rate.look(&board.snapshot()),
        }
    }
}

/// Rows or changes a second since the last line, or since the phase began.
#[derive(Default)]
struct Rate {
    last: Option<(Phase, f64, u64)>,
}

impl Rate {
    /// Takes notice of a new phase.
    fn look(&mut self, status: &Status) {
        if self.last.is_none_or(|(phase, ..)| phase != status.phase) {
            self.last = Some((status.phase, status.seconds, done(status)));
        }
    }

    fn next(&mut self, status: &Status) -> f64 {
        let done = done(status);
        let rate = match self.last {
            Some((phase, seconds, before)) if phase == status.phase && status.seconds > seconds => {
                done.saturating_sub(before) as f64 / (status.seconds - seconds)
            }
            _ => 0.0,
        };
        self.last = Some((status.phase, status.seconds, done));
        rate
    }
}

fn sum(status: &Status, field: fn(&TableStatus) -> u64) -> u64 {
    status.tables.iter().map(field).sum()
}

/// What the phase counts.
fn done(status: &Status) -> u64 {
    match status.phase {
        Phase::FullImport => sum(status, |table| table.rows),
        Phase::Verification => sum(status, |table| table.verified_rows),
        _ => status.applied_changes,
    }
}

/// One line that says where the task is.
fn line(status: &Status, rate: &mut Rate) -> String {
    let phase = status.phase.name().replace('_', " ");
    let mut text = format!("[{:>6.0}s] {phase:<12}", status.seconds);
    match status.phase {
        Phase::FullImport => {
            let (rows, expected) = (done(status), sum(status, |table| table.estimated_rows));
            let speed = rate.next(status);
            text += &format!(
                " {} of about {} rows, {} rows/s",
                count(rows),
                count(expected),
                count(speed as u64)
            );
            if speed > 0.0 {
                text += &format!(", {} left", duration(expected.saturating_sub(rows) as f64 / speed));
            }
        }
        Phase::CatchUp | Phase::Incremental => {
            let speed = rate.next(status);
            text += &format!(" {} changes, {} a second", count(status.applied_changes), count(speed as u64));
            if let Some(lag) = status.lag_seconds {
                text += &format!(", lag {lag:.1} s");
            }
        }
        Phase::Verification => {
            let speed = rate.next(status);
            text += &format!(" {} rows compared, {} rows/s", count(done(status)), count(speed as u64));
            text += &format!(", {} differences", count(sum(status, |table| table.differences)));
        }
        _ => {}
    }
    if !status.parked_statements.is_empty() {
        text += &format!(", {} statements wait (whimbrel parked list)", status.parked_statements.len());
    }
    if !status.parked.is_empty() {
        text += &format!(", {} parked", count(status.parked.len() as u64));
    }
    if let Some(state) = status.store_state.as_deref().filter(|state| *state != "running") {
        text += &format!(", Store: {state}");
    }
    text
}

/// `1234567` as `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Seconds as `42 s`, `3 min 10 s` or `2 h 5 min`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

async fn bars(board: &Board, stop: &CancellationToken) {
    let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(5));
    let plain = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    let table_style = ProgressStyle::with_template("  {prefix:<28} {bar:24} {pos:>12}/{len:<12} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let head = screen.add(ProgressBar::new_spinner().with_style(plain));
    let mut rows: Vec<ProgressBar> = Vec::new();
    let mut rate = Rate::default();
    let mut ticks = interval(Duration::from_millis(500));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let stopped = tokio::select! {
            () = stop.cancelled() => true,
            _ = ticks.tick() => false,
        };
        let status = board.snapshot();
        head.set_message(line(&status, &mut rate));
        while rows.len() < status.tables.len().min(MOST_BARS) {
            rows.push(screen.add(ProgressBar::new(0).with_style(table_style.clone())));
        }
        // The tables being worked on come first.
        let mut order: Vec<_> = status.tables.iter().collect();
        order.sort_by_key(|table| match table.stage {
            "loading" => 0,
            "indexing" => 1,
            "waiting" => 2,
            _ => 3,
        });
        for (bar, table) in rows.iter().zip(order) {
            bar.set_prefix(table.source.clone());
            let (done, all) = match status.phase {
                Phase::Verification => (table.verified_rows, table.rows.max(table.verified_rows)),
                _ => (table.rows, table.estimated_rows.max(table.rows)),
            };
            bar.set_length(all);
            bar.set_position(done);
            bar.set_message(table.stage);
        }
        if stopped {
            for bar in rows.iter().chain([&head]) {
                bar.abandon();
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!((count(0), count(999), count(1_234_567)), ("0".into(), "999".into(), "1,234,567".into()));
        assert_eq!(duration(59.9), "59 s");
        assert_eq!(duration(190.0), "3 min 10 s");
        assert_eq!(duration(7500.0), "2 h 5 min");
    }

    #[test]
    fn a_line_tells_speed_and_what_is_left() {
        let board = Board::new("t", "s", "d");
        board.update(|status| {
            status.phase = Phase::FullImport;
            status.tables = vec![TableStatus { rows: 100, estimated_rows: 1000, ..TableStatus::default() }];
        });
        let mut rate = Rate::default();
        let mut status = board.snapshot();
        status.seconds = 15.0;
        rate.look(&status);
        status.seconds = 25.0;
        status.tables[0].rows = 400;
        let text = line(&status, &mut rate);
        assert!(text.ends_with("400 of about 1,000 rows, 30 rows/s, 20 s left"), "{text}");
    }
}
