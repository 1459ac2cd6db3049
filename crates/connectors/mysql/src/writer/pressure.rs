//! How hard the target is pressed.
//!
//! | server | what is asked | limit |
//! |---|---|---|
//! | OceanBase | `GV$OB_MEMSTORE`: memstore used of its limit | writes are throttled from 60 % |
//! | seekdb | `__all_virtual_tablet_memstore_info`, half of `V$OB_SERVER_STAT.MEMORY_LIMIT` | the same |
//! | both | log disk in use of its size, where the view shows it | the same |
//! | MySQL, MariaDB | `Threads_running` | [`RUNNING_LIMIT`] |
//!
//! Views differ between versions and may be closed to the user: what can't be asked counts as no pressure, and isn't
//! asked again in this session.

use std::time::Duration;

use whimbrel_connector::{Pressure, Result};

use super::MysqlWriter;
use crate::wire::{Flavor, Row};

/// More statements than this at once are more than a server's processors serve.
const RUNNING_LIMIT: u64 = 128;
/// OceanBase's own throttling begins at 60 %; slowing down earlier gives its freeze time to catch up.
const PRESSED: f64 = 0.55;
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

const MEMSTORE: &str = "SELECT SUM(MEMSTORE_USED), SUM(MEMSTORE_LIMIT) FROM oceanbase.GV$OB_MEMSTORE";
const TABLET_MEMSTORE: &str = "SELECT SUM(m.mem_used), \
     (SELECT MIN(MEMORY_LIMIT)/2 FROM oceanbase.V$OB_SERVER_STAT) \
     FROM oceanbase.__all_virtual_tablet_memstore_info m";
const LOG_DISK: [&str; 2] = [
    "SELECT LOG_DISK_IN_USE, LOG_DISK_CAPACITY FROM oceanbase.V$OB_SERVER_STAT",
    "SELECT SUM(LOG_DISK_IN_USE), SUM(LOG_DISK_SIZE) FROM oceanbase.GV$OB_UNITS",
];

/// The questions that this session's server answers.
#[derive(Debug)]
pub(super) struct Gauges {
    questions: Option<Vec<&'static str>>,
}

impl Gauges {
    pub(super) fn new() -> Self {
        Self { questions: None }
    }
}

impl MysqlWriter {
    pub(super) async fn ask_pressure(&mut self) -> Result<Pressure> {
        // A refused question would end an open transaction of some servers.
        if self.session.in_transaction() {
            return Ok(Pressure::default());
        }
        if self.session.version.flavor != Flavor::OceanBase {
            let row = self.ask("SHOW GLOBAL STATUS LIKE 'Threads_running'").await;
            let running = row.and_then(|row| row.parse::<u64>(1)).unwrap_or_default();
            let over = running.saturating_sub(RUNNING_LIMIT);
            return Ok(Pressure { pause: Duration::from_millis(over * 10).min(LONGEST_PAUSE), used: None });
        }
        let mut used: Option<f64> = None;
        match self.gauges.questions.clone() {
            Some(questions) => {
                for question in questions {
                    used = larger(used, self.ask(question).await.as_ref().and_then(share));
                }
            }
            None => {
                let mut answered = Vec::new();
                for alternatives in [&[MEMSTORE, TABLET_MEMSTORE], &LOG_DISK] {
                    for question in alternatives {
                        if let Some(found) = self.ask(question).await.as_ref().and_then(share) {
                            used = larger(used, Some(found));
                            answered.push(*question);
                            break;
                        }
                    }
                }
                self.gauges.questions = Some(answered);
            }
        }
        Ok(Pressure { pause: pause(used.unwrap_or_default()), used })
    }

    async fn ask(&mut self, question: &str) -> Option<Row> {
        self.session.start();
        self.session.sql.extend_from_slice(question.as_bytes());
        match self.session.rows("asking for the server's load").await {
            Ok(answer) => answer.rows.into_iter().next(),
            Err(error) => {
                tracing::debug!(cause = %error.chain(), "the server's load can't be asked");
                None
            }
        }
    }
}

fn larger(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}

/// Used of limit, as a share.
fn share(row: &Row) -> Option<f64> {
    let used: f64 = row.parse(0)?;
    let limit: f64 = row.parse(1).filter(|limit| *limit > 0.0)?;
    Some((used / limit).clamp(0.0, 1.0))
}

/// Grows with the square of what is above the limit, so that it is gentle where a little is enough.
fn pause(used: f64) -> Duration {
    let over = ((used - PRESSED) / (1.0 - PRESSED)).clamp(0.0, 1.0);
    LONGEST_PAUSE.mul_f64(over * over)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_with_what_is_above_the_limit() {
        assert_eq!(pause(0.3), Duration::ZERO);
        assert_eq!(pause(PRESSED), Duration::ZERO);
        assert!(pause(0.6) > Duration::ZERO && pause(0.6) < Duration::from_millis(50));
        assert!(pause(0.8) > pause(0.7));
        assert_eq!(pause(1.0), LONGEST_PAUSE);
    }
}
