//! How far the target is behind: a row that is written at the source and watched for at the target.
//!
//! A beat's lag begins when the source has answered its commit and ends when a read at the target shows it. Reads follow
//! each other by at least [`LOOK`], which is the error of the measurement.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::sync::mpsc;
use tokio::time::{interval, sleep};

use crate::connect;

const BEAT: Duration = Duration::from_millis(50);
const LOOK: Duration = Duration::from_millis(5);
/// After the last beat, for what is still on its way.
const PATIENCE: Duration = Duration::from_secs(60);

pub async fn run(source: &str, target: &str, seconds: u64) -> Result<String> {
    let (sent, beats) = mpsc::channel(1 << 16);
    let ended = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write(source.to_owned(), seconds, sent, ended.clone()));
    let mut lags = watch(target, beats, &ended).await?;
    writer.await??;
    lags.sort_unstable();
    let at = |share: f64| {
        lags.get((lags.len() as f64 * share) as usize).map_or(0.0, |lag| lag.as_secs_f64() * 1e3)
    };
    Ok(format!(
        r#"{{"beats":{},"p50_ms":{:.1},"p90_ms":{:.1},"p99_ms":{:.1},"max_ms":{:.1}}}"#,
        lags.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        lags.last().map_or(0.0, |lag| lag.as_secs_f64() * 1e3)
    ))
}

/// Writes beat after beat, and tells when the source has committed each.
async fn write(
    source: String,
    seconds: u64,
    sent: mpsc::Sender<(u64, Instant)>,
    ended: Arc<AtomicBool>,
) -> Result<()> {
    let mut connection = connect(&source).await?;
    let mut ticks = interval(BEAT);
    for beat in 1..=seconds * 1000 / BEAT.as_millis() as u64 {
        ticks.tick().await;
        connection.execute(format!("UPDATE bench_changes.heartbeat SET k = {beat} WHERE id = 1")).await?;
        sent.send((beat, Instant::now())).await.context("nobody watches any more")?;
    }
    ended.store(true, Ordering::Release);
    connection.close().await;
    Ok(())
}

/// The lag of every beat.
async fn watch(
    target: &str,
    mut beats: mpsc::Receiver<(u64, Instant)>,
    ended: &AtomicBool,
) -> Result<Vec<Duration>> {
    let mut connection = connect(target).await?;
    let mut waiting = std::collections::VecDeque::new();
    let (mut lags, mut last_seen) = (Vec::new(), Instant::now());
    loop {
        while let Ok(beat) = beats.try_recv() {
            waiting.push_back(beat);
        }
        if waiting.is_empty() && ended.load(Ordering::Acquire) && beats.is_empty() {
            connection.close().await;
            return Ok(lags);
        }
        let row = connection.query_first("SELECT k FROM bench_changes.heartbeat WHERE id = 1").await?;
        let seen: u64 = row.and_then(|row| row.parse(0)).context("the target has no heartbeat row")?;
        let now = Instant::now();
        while waiting.front().is_some_and(|(beat, _)| *beat <= seen) {
            lags.extend(waiting.pop_front().map(|(_, committed)| now.duration_since(committed)));
            last_seen = now;
        }
        if last_seen.elapsed() > PATIENCE {
            bail!("the target has not changed for {PATIENCE:?}");
        }
        sleep(LOOK).await;
    }
}
