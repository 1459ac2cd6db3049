//! `--listen`: `/status` (JSON), `/metrics` (Prometheus text format 0.0.4) and a page for people at `/`.
//!
//! Read-only, and without secrets: the endpoints it shows have no passwords.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::board::{Board, Phase, Status};
use crate::failure::Failure;

/// A running server; it ends with its token.
pub struct WebServer {
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
}

impl WebServer {
    /// Binds and serves until [`WebServer::stop`].
    ///
    /// # Errors
    /// The address can't be parsed or bound.
    pub async fn start(listen: &str, board: Arc<Board>) -> Result<Self, Failure> {
        let object = format!("--listen {listen}");
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            let mut failure = Failure::usage(object.clone(), "the address can't be listened on");
            failure.error =
                failure.error.with_source(error).with_hint("choose another address or a free port");
            failure
        })?;
        let address = listener
            .local_addr()
            .map_err(|error| Failure::storage(object, "the listening socket has no address", error))?;
        let router = Router::new()
            .route("/", get(async || Html(PAGE)))
            .route("/status", get(status))
            .route("/metrics", get(metrics))
            .with_state(board);
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
                tracing::warn!(%error, "the status page ended");
            }
        });
        Ok(Self { address, task, stop })
    }

    /// Stops serving; open connections are cut.
    pub fn stop(self) {
        self.stop.cancel();
        self.task.abort();
    }
}

const PAGE: &str = include_str!("page.html");

async fn status(State(board): State<Arc<Board>>) -> Json<Status> {
    Json(board.snapshot())
}

async fn metrics(State(board): State<Arc<Board>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], render(&board.snapshot()))
}

/// Metrics without labels: name, kind, help, value.
fn totals(status: &Status) -> [(&'static str, &'static str, &'static str, f64); 12] {
    let sum =
        |field: fn(&crate::board::TableStatus) -> u64| status.tables.iter().map(field).sum::<u64>() as f64;
    [
        ("whimbrel_import_rows_total", "counter", "Rows committed by full import.", sum(|t| t.rows)),
        (
            "whimbrel_import_bytes_total",
            "counter",
            "Bytes of rows committed by full import.",
            sum(|t| t.bytes),
        ),
        (
            "whimbrel_import_estimated_rows",
            "gauge",
            "Rows that full import expects.",
            sum(|t| t.estimated_rows),
        ),
        ("whimbrel_apply_changes_total", "counter", "Row changes applied.", status.applied_changes as f64),
        (
            "whimbrel_apply_transactions_total",
            "counter",
            "Source transactions applied.",
            status.applied_transactions as f64,
        ),
        (
            "whimbrel_apply_lag_seconds",
            "gauge",
            "Age of the last applied transaction when it was committed at the target.",
            status.lag_seconds.unwrap_or(0.0),
        ),
        (
            "whimbrel_apply_foreign_changes_total",
            "counter",
            "Rows of the target that somebody else had changed.",
            status.foreign_changes as f64,
        ),
        (
            "whimbrel_parked_rows",
            "gauge",
            "Rows set aside because the target refuses them.",
            status.parked.len() as f64,
        ),
        (
            "whimbrel_parked_statements",
            "gauge",
            "Statements of the source's log that wait for a person, with their tables.",
            status.parked_statements.len() as f64,
        ),
        ("whimbrel_store_bytes", "gauge", "Bytes of the Store on disk.", status.store_bytes as f64),
        ("whimbrel_verify_rows_total", "counter", "Rows compared.", sum(|t| t.verified_rows)),
        ("whimbrel_verify_differences", "gauge", "Rows that differ.", sum(|t| t.differences)),
    ]
}

fn render(status: &Status) -> String {
    let mut text = String::new();
    for (name, kind, help, value) in totals(status) {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    }
    let _ = writeln!(
        text,
        "# HELP whimbrel_phase 1 for the phase that the task is in.\n# TYPE whimbrel_phase gauge"
    );
    for phase in Phase::ALL {
        let _ = writeln!(
            text,
            "whimbrel_phase{{phase=\"{}\"}} {}",
            phase.name(),
            u8::from(phase == status.phase)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_hold_every_family_once_with_its_type() {
        let board = Board::new("t", "s", "d");
        board.update(|status| {
            status.phase = Phase::Incremental;
            status.applied_changes = 42;
        });
        let text = render(&board.snapshot());
        assert!(text.contains("\nwhimbrel_apply_changes_total 42\n"), "{text}");
        assert!(text.contains("whimbrel_phase{phase=\"incremental\"} 1"), "{text}");
        assert!(text.contains("whimbrel_phase{phase=\"done\"} 0"), "{text}");
        let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        assert_eq!(types.len(), 13);
    }
}
