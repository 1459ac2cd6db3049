//! SIGINT and SIGTERM: the first asks the task to stop after the last whole transaction, a second one ends the
//! process at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// Exit code of a process ended by the second signal, as shells have it for SIGINT.
const INTERRUPTED: i32 = 130;

/// Listens from now on; the token fires with the first signal.
pub fn listen() -> Result<CancellationToken, Failure> {
    let open = |kind: SignalKind| {
        signal(kind).map_err(|error| Failure::storage("signals", "signals can't be listened to", error))
    };
    let (mut interrupt, mut terminate) = (open(SignalKind::interrupt())?, open(SignalKind::terminate())?);
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        next(&mut interrupt, &mut terminate).await;
        eprintln!("stopping after the last whole transaction; once more stops at once");
        token.cancel();
        next(&mut interrupt, &mut terminate).await;
        eprintln!("stopped at once; run the same command again to resume");
        std::process::exit(INTERRUPTED);
    });
    Ok(stop)
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
