//! The schedules: one fault at each call, in every form.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use whimbrel_connector::{ErrorKind, Result, Target};
use whimbrel_full_import::{FullImport, ImportOptions, ImportReport, ImportTable, IndexDdl};

use crate::memory::{Endpoint, Fault, Server, plan};

fn rows(count: i64) -> Vec<(i64, i64)> {
    // Gaps, so that bounds aren't just multiples.
    (0..count).map(|n| (n * n % 1009 + n * 1009, n)).collect()
}

fn server() -> Arc<Server> {
    Server::with_rows(&[
        ("big", rows(60)),
        ("small", rows(3)),
        ("empty", Vec::new()),
        ("heap", [rows(20), rows(10)].concat()),
    ])
}

fn tables() -> Vec<ImportTable> {
    [("big", true), ("small", true), ("empty", true), ("heap", false)]
        .into_iter()
        .map(|(name, keyed)| ImportTable { plan: plan(name, keyed), indexes: Vec::new() })
        .collect()
}

fn options() -> ImportOptions {
    ImportOptions {
        workers: 2,
        chunk_rows: 8,
        // Rows are about 3 bytes: several transactions a chunk, several batches a transaction.
        chunk_bytes: 3,
        batch_bytes: 60,
        retry_for: Duration::from_secs(60),
        ..ImportOptions::default()
    }
}

async fn import(server: &Arc<Server>, stop: &CancellationToken) -> Result<ImportReport> {
    let (source, target) = (Arc::new(Endpoint(server.clone())), Arc::new(Endpoint(server.clone())));
    let epoch = target.take_over("t").await?;
    let mut tables = tables();
    if let Some(first) = tables.first_mut() {
        first.indexes.push(IndexDdl { name: "i".into(), sql: "CREATE INDEX".into() });
    }
    let import = FullImport::new(source, target, "t", epoch, tables, options());
    let progress = import.progress();
    let report = import.run(stop).await?;
    for (table, result) in progress.tables.iter().zip(&report.tables) {
        assert_eq!((table.rows(), table.bytes()), (result.rows, result.bytes), "{}", table.source);
    }
    Ok(report)
}

/// Every row exactly once, and counted once.
fn check(server: &Server, report: &ImportReport, schedule: &str) {
    let expected = [
        ("big", rows(60)),
        ("small", rows(3)),
        ("empty", Vec::new()),
        ("heap", [rows(20), rows(10)].concat()),
    ];
    for ((name, mut rows), result) in expected.into_iter().zip(&report.tables) {
        rows.sort_unstable();
        assert_eq!(server.target_rows(name), rows, "{schedule}: {name}");
        assert_eq!(result.rows, rows.len() as u64, "{schedule}: {name}");
        assert_eq!((result.deferred, result.parked), (0, 0), "{schedule}: {name}");
        assert_eq!(result.exact_position.is_some(), name == "heap", "{schedule}: {name}");
    }
    assert_eq!((server.entries("deferred"), server.entries("parked")), (0, 0), "{schedule}");
}

async fn calls_without_faults() -> u64 {
    let server = server();
    let report = import(&server, &CancellationToken::new()).await.unwrap();
    check(&server, &report, "no fault");
    assert!(server.entries("chunk") > 10, "the table is cut into chunks");
    server.calls()
}

#[tokio::test(start_paused = true)]
async fn a_connection_lost_at_any_call_loses_and_repeats_nothing() {
    let calls = calls_without_faults().await;
    for fault in [Fault::LostBefore, Fault::LostAfter, Fault::Late] {
        for call in 1..calls + 20 {
            let server = server();
            server.fail(call, fault);
            let schedule = format!("{fault:?} at call {call}");
            match import(&server, &CancellationToken::new()).await {
                Ok(report) => check(&server, &report, &schedule),
                // Before the work has begun nothing is retried: the user should know at once.
                Err(error) => {
                    assert_eq!((error.kind, call < 3), (ErrorKind::ConnectionLost, true), "{schedule}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_import_stopped_at_any_call_resumes() {
    let calls = calls_without_faults().await;
    for call in 1..calls {
        let first = server();
        first.fail(call, Fault::Stop);
        let schedule = format!("stopped at call {call}");
        match import(&first, &first.stop).await {
            Ok(report) => check(&first, &report, &schedule),
            Err(error) => assert_eq!(error.kind, ErrorKind::Cancelled, "{schedule}"),
        }
        let second = first.restarted();
        let report = import(&second, &CancellationToken::new()).await.unwrap();
        check(&second, &report, &schedule);
    }
}

#[tokio::test(start_paused = true)]
async fn an_import_that_vanished_at_any_call_resumes() {
    let calls = calls_without_faults().await;
    for call in 1..calls {
        let first = server();
        first.fail(call, Fault::Vanish);
        let schedule = format!("vanished at call {call}");
        let never = CancellationToken::new();
        tokio::select! {
            done = import(&first, &never) => check(&first, &done.unwrap(), &schedule),
            () = first.vanished.cancelled() => {}
        }
        let second = first.restarted();
        let report = import(&second, &CancellationToken::new()).await.unwrap();
        check(&second, &report, &schedule);
    }
}

/// The table grows faster than it is copied: the import ends where the table ended when its planning began, also when
/// it is stopped and resumed. Later rows are the increments' business.
#[tokio::test(start_paused = true)]
async fn an_import_ends_however_fast_the_table_grows() {
    let calls = {
        let server = server();
        server.let_grow("big");
        import(&server, &CancellationToken::new()).await.unwrap();
        server.calls()
    };
    for call in 1..calls {
        let first = server();
        first.let_grow("big");
        first.fail(call, Fault::Stop);
        let stopped = import(&first, &first.stop).await;
        let begun = first.entries("chunk") > 0;
        let second = first.restarted();
        second.let_grow("big");
        let report = import(&second, &CancellationToken::new()).await.unwrap();
        let rows = report.tables[0].rows;
        // Where nothing was recorded yet, planning begins anew, with the table as it is then.
        assert!(rows == 60 || !begun && stopped.is_err(), "stopped at call {call}: {rows} rows");
        assert_eq!(second.target_rows("big").len() as u64, rows, "stopped at call {call}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_import_that_is_done_reads_nothing_again() {
    let first = server();
    import(&first, &CancellationToken::new()).await.unwrap();
    let second = first.restarted();
    let report = import(&second, &CancellationToken::new()).await.unwrap();
    check(&second, &report, "resumed when done");
    assert!(second.calls() < 12, "{} calls", second.calls());
}

#[tokio::test(start_paused = true)]
async fn an_older_process_is_fenced_off() {
    let server = server();
    server.fail(40, Fault::Vanish);
    let never = CancellationToken::new();
    let old = import(&server, &never);
    tokio::pin!(old);
    tokio::select! {
        _ = &mut old => panic!("the call never returns"),
        () = server.vanished.cancelled() => {}
    }
    let report = import(&server, &CancellationToken::new()).await.unwrap();
    check(&server, &report, "taken over");
    // One part of the old process hangs; the others meet the fence.
    let error = tokio::time::timeout(Duration::from_secs(3600), old).await;
    assert!(error.is_err() || error.is_ok_and(|ended| ended.is_err_and(|e| e.kind == ErrorKind::Fenced)));
    check(&server, &report, "after the old process has gone on");
}

#[tokio::test(start_paused = true)]
async fn rows_that_are_refused_are_parked_once_whatever_is_lost() {
    let refused =
        || Server::with_rows(&[("big", (0..40).map(|id| (id, if id % 7 == 0 { -1 } else { id })).collect())]);
    let run = async |server: &Arc<Server>| {
        let (source, target) = (Arc::new(Endpoint(server.clone())), Arc::new(Endpoint(server.clone())));
        let epoch = target.take_over("t").await?;
        let tables = vec![ImportTable { plan: plan("big", true), indexes: Vec::new() }];
        FullImport::new(source, target, "t", epoch, tables, options()).run(&CancellationToken::new()).await
    };
    let whole = refused();
    run(&whole).await.unwrap();
    for call in 5..whole.calls() {
        let server = refused();
        server.fail(call, Fault::Late);
        let report = run(&server).await.unwrap();
        assert_eq!((report.tables[0].rows, report.tables[0].parked), (40, 6), "call {call}");
        assert_eq!((server.target_rows("big").len(), server.entries("parked")), (34, 6), "call {call}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_with_rows_is_refused_and_named() {
    let server = server();
    server.fill_target("small", vec![(1, 1)]);
    let error = import(&server, &CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Configuration);
    assert!(error.object.contains("d.small"), "{error}");
    assert_eq!(server.target_rows("big"), []);
}

#[tokio::test(start_paused = true)]
async fn keyless_tables_are_not_merged() {
    let server = server();
    let (source, target) = (Arc::new(Endpoint(server.clone())), Arc::new(Endpoint(server.clone())));
    let epoch = target.take_over("t").await.unwrap();
    let one = plan("heap", false);
    let mut other = plan("big", true).as_ref().clone();
    other.target = one.target.clone();
    let tables = [one, Arc::new(other)].map(|plan| ImportTable { plan, indexes: Vec::new() });
    let import = FullImport::new(source, target, "t", epoch, tables.to_vec(), options());
    let error = import.run(&CancellationToken::new()).await.unwrap_err();
    assert_eq!((error.kind, error.object.as_str()), (ErrorKind::Configuration, "table d.heap"));
}

/// The log passes over what is in the view, so values of a column that came before it would be lost.
#[tokio::test(start_paused = true)]
async fn a_keyless_table_that_was_altered_before_its_view_is_refused() {
    let server = server();
    server.altered.store(true, std::sync::atomic::Ordering::SeqCst);
    let error = import(&server, &CancellationToken::new()).await.unwrap_err();
    assert_eq!((error.kind, error.object.as_str()), (ErrorKind::SchemaMismatch, "table d.heap"));
    assert_eq!(server.target_rows("heap"), []);
}
