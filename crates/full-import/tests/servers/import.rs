//! Running an import in a test.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use whimbrel_connector::{Result, StateEntry};
use whimbrel_connector_mysql::MysqlEndpoint;
use whimbrel_connector_mysql::wire::Secret;
use whimbrel_full_import::{FullImport, ImportOptions, ImportProgress, ImportReport, ImportTable, IndexDdl};

use crate::pair::{Pair, Side, root};

impl Side {
    /// Lets the endpoint use an account of its own.
    pub async fn log_in_as(&mut self, user: &str) {
        self.run(&format!(
            "DROP USER IF EXISTS {user};CREATE USER {user} IDENTIFIED BY 'secret';GRANT ALL ON *.* TO {user}"
        ))
        .await;
        let mut options = root(&self.server);
        options.user = user.to_owned();
        options.password = Secret::new("secret".to_owned());
        self.endpoint = Arc::new(MysqlEndpoint::new(options));
    }

    /// Runs one statement; false where the server refuses it.
    pub async fn try_run(&mut self, sql: &str) -> bool {
        self.admin.query_drop(sql).await.is_ok()
    }

    /// The first cell of a query.
    pub async fn cell(&mut self, sql: &str) -> String {
        self.rows(sql).await.swap_remove(0).swap_remove(0)
    }
}

impl Pair {
    /// Entries of the task's state.
    pub async fn state(&self, kind: &str) -> Vec<StateEntry> {
        let (_, target) = self.ends();
        let epoch = target.take_over(&self.task).await.unwrap();
        let mut writer = target.writer(&self.task, epoch).await.unwrap();
        writer.state_list(kind, b"").await.unwrap()
    }
}

/// Small chunks and batches, so that a few hundred rows go through everything.
pub fn small() -> ImportOptions {
    ImportOptions {
        workers: 3,
        chunk_rows: 23,
        batch_bytes: 1500,
        retry_for: Duration::from_secs(60),
        ..ImportOptions::default()
    }
}

/// An import of all tables of the source; `indexes` by table.
pub async fn prepare(
    pair: &Pair,
    options: ImportOptions,
    indexes: &[(&str, &str, &str)],
) -> (FullImport, Arc<ImportProgress>) {
    let tables = pair.plans().await.into_iter().map(|plan| {
        let of_table = indexes.iter().filter(|(table, ..)| *table == plan.target.name.table);
        let indexes = of_table.map(|(_, name, sql)| IndexDdl { name: (*name).into(), sql: (*sql).into() });
        ImportTable { indexes: indexes.collect(), plan }
    });
    let tables = tables.collect();
    let (source, target) = pair.ends();
    let epoch = target.take_over(&pair.task).await.unwrap();
    let import = FullImport::new(source, target, &pair.task, epoch, tables, options);
    let progress = import.progress();
    (import, progress)
}

pub async fn run(pair: &Pair, options: ImportOptions) -> Result<ImportReport> {
    let (import, progress) = prepare(pair, options, &[]).await;
    let report = import.run(&CancellationToken::new()).await?;
    for (shown, result) in progress.tables.iter().zip(&report.tables) {
        assert_eq!((shown.rows(), shown.bytes()), (result.rows, result.bytes), "{}", shown.source);
    }
    Ok(report)
}

/// Waits until so many rows of all tables are at the target.
pub async fn rows_moved(progress: &ImportProgress, rows: u64) {
    let moved = || progress.tables.iter().map(|table| table.rows()).sum::<u64>();
    let waiting = async {
        while moved() < rows {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let arrived = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    assert!(arrived.is_ok(), "{} rows instead of {rows} after a minute", moved());
}
