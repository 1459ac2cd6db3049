//! How fast an import may go: the user's rate limit and the target's own pressure.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::Shared;

/// Shared by all workers.
pub(crate) struct Pace {
    rows_per_second: u64,
    bytes_per_second: u64,
    /// When the next batch may be written under the rate limit.
    next: Mutex<Instant>,
    /// Milliseconds that the target wants writers to wait before each batch.
    pause_ms: AtomicU64,
}

impl Pace {
    pub fn new(rows_per_second: u64, bytes_per_second: u64) -> Self {
        Self {
            rows_per_second,
            bytes_per_second,
            next: Mutex::new(Instant::now()),
            pause_ms: AtomicU64::new(0),
        }
    }

    /// Rows and bytes that one statement may have, so that nobody waits long for its turn.
    pub fn share(&self) -> (u64, u64) {
        let share = |per_second: u64| if per_second == 0 { u64::MAX } else { (per_second / 4).max(1) };
        (share(self.rows_per_second), share(self.bytes_per_second))
    }

    /// Waits until so much may be written, or until `cancel` fires.
    pub async fn admit(&self, rows: u64, bytes: u64, cancel: &CancellationToken) {
        let wait = async {
            let pause = self.pause_ms.load(Ordering::Relaxed);
            if pause > 0 {
                sleep(Duration::from_millis(pause)).await;
            }
            let cost = seconds(rows, self.rows_per_second).max(seconds(bytes, self.bytes_per_second));
            if cost.is_zero() {
                return;
            }
            let slot = {
                let mut next = self.next.lock().await;
                let slot = (*next).max(Instant::now());
                *next = slot + cost;
                slot
            };
            sleep_until(slot).await;
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => {}
            () = wait => {}
        }
    }
}

fn seconds(amount: u64, per_second: u64) -> Duration {
    if per_second == 0 { Duration::ZERO } else { Duration::from_secs_f64(amount as f64 / per_second as f64) }
}

/// Asks the target about once a second how it feels, until it is dropped. A target that can't be asked is taken to
/// be well: the writers meet its errors themselves.
pub(crate) async fn watch_pressure(shared: Arc<Shared>) {
    let mut writer = None;
    loop {
        if writer.is_none() {
            writer = shared.target.writer(&shared.task, shared.epoch).await.ok();
        }
        let pressure = match writer.as_mut() {
            Some(open) => open.pressure().await,
            None => Ok(Default::default()),
        };
        match pressure {
            Ok(pressure) => {
                let pause = pressure.pause.as_millis() as u64;
                if shared.pace.pause_ms.swap(pause, Ordering::Relaxed) == 0 && pause > 0 {
                    tracing::info!(
                        pause_ms = pause,
                        used = pressure.used,
                        "the target is pressed: slowing down"
                    );
                }
            }
            Err(error) => {
                tracing::debug!(error = %error.chain(), "the target did not say how it feels");
                writer = None;
            }
        }
        sleep(Duration::from_secs(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_rate_limit_holds_over_many_batches() {
        let pace = Pace::new(1000, 0);
        let begin = Instant::now();
        for _ in 0..11 {
            pace.admit(100, 1 << 20, &CancellationToken::new()).await;
        }
        // The first batch goes at once, the eleventh after the ten before it have paid.
        assert_eq!(begin.elapsed().as_millis(), 1000);
        assert_eq!(pace.share(), (250, u64::MAX));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_its_turn_can_be_stopped() {
        let (pace, cancel) = (Pace::new(1, 0), CancellationToken::new());
        pace.admit(3600, 0, &cancel).await;
        let begin = Instant::now();
        let stop = async {
            sleep(Duration::from_secs(2)).await;
            cancel.cancel();
        };
        tokio::join!(pace.admit(1, 0, &cancel), stop);
        assert_eq!(begin.elapsed().as_secs(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pressed_target_slows_every_statement() {
        let pace = Pace::new(0, 0);
        pace.pause_ms.store(150, Ordering::Relaxed);
        let begin = Instant::now();
        pace.admit(1, 1, &CancellationToken::new()).await;
        assert_eq!(begin.elapsed().as_millis(), 150);
    }
}
