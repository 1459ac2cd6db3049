//! `--listen`, `--report` and the lines of progress: what scripts and people read.

use serde_json::Value as Json;

use crate::harness::http;
use crate::harness::workload;
use crate::harness::{Random, Scene};

fn assert_fields(object: &Json, fields: &[&str], what: &str) {
    for field in fields {
        assert!(object.get(field).is_some(), "{what} lacks {field}: {object}");
    }
}

/// Prometheus text format 0.0.4: every sample belongs to a family with HELP and TYPE, names and values are valid.
fn assert_prometheus(text: &str) {
    let valid = |name: &str| {
        name.starts_with("whimbrel_")
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let mut families = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a TYPE line has a name and a kind");
            assert!(valid(name) && ["counter", "gauge"].contains(&kind), "{line}");
            assert!(!families.contains(&name), "family {name} twice");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            families.push(name);
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.rsplit_once(' ').expect("a sample has a name and a value");
            let name = name.split('{').next().unwrap_or_default();
            assert!(families.contains(&name), "a sample without family: {line}");
            assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
        }
    }
    assert!(families.len() >= 8, "only {families:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_metrics_and_page_show_the_task() {
    let scene = Scene::mysql("page").await;
    let mut sql = scene.source().await;
    workload::prepare(&mut sql, 3000).await;
    scene.make_marker().await;
    let mut running = scene.migrate().arg("--rate-limit", "3000").flag("--follow").start();
    let copying = running.wait_imported(2000).await;
    assert_eq!(copying["phase"], "full_import", "{copying}");
    let table =
        copying["tables"].as_array().and_then(|tables| tables.iter().find(|t| t["rows"].as_u64() > Some(0)));
    let table = table.unwrap_or_else(|| panic!("no table with rows: {copying}"));
    assert_fields(table, &["source", "target", "rows", "estimated_rows", "bytes"], "a table of /status");
    running.wait_phase("incremental").await;
    sql.run("UPDATE account SET balance = 0 WHERE id < 50").await;
    scene.drain(&mut running).await;
    let status = running
        .wait_until("the changes on the page", |status| {
            status["applied_changes"].as_u64() >= Some(50) && status["lag_seconds"].is_number()
        })
        .await;
    assert_fields(
        &status,
        &["phase", "tables", "source_position", "applied_position", "lag_seconds", "parked", "last_error"],
        "/status",
    );
    assert!(
        status["source_position"].is_string()
            && status["parked"].is_array()
            && status["last_error"].is_null(),
        "{status}"
    );
    let metrics = http::get(running.port, "/metrics").await.expect("/metrics answers");
    assert!(metrics.head.contains("text/plain; version=0.0.4"), "{}", metrics.head);
    assert_prometheus(&metrics.body);
    assert!(metrics.body.contains("whimbrel_phase{phase=\"incremental\"} 1"), "{}", metrics.body);
    let page = http::get(running.port, "/").await.expect("the page answers");
    assert!(page.head.contains("text/html") && page.body.contains("fetch(\"status\")"), "{}", page.body);
    assert_eq!(http::get(running.port, "/nothing").await.map(|answer| answer.status), Some(404));
    assert!(
        !format!("{status}{}{}", metrics.body, page.body).contains("whimbrel:whimbrel"),
        "a password is shown"
    );
    running.stop().await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_holds_what_the_contract_says() {
    let scene = Scene::mysql("report").await;
    let mut sql = scene.source().await;
    workload::prepare(&mut sql, 2000).await;
    let outcome = scene.migrate().run().await.expect(0);
    let report = &outcome.report;
    assert_fields(
        report,
        &["version", "result", "exit_code", "steps", "tables", "positions", "peak_memory_bytes"],
        "the report",
    );
    assert_eq!((&report["result"], &report["exit_code"]), (&"done".into(), &0.into()), "{}", outcome.text());
    for (table, rows) in [("account", 2000), ("entry", 2000), ("tag", 2000), ("audit", 2000)] {
        let table = outcome.table(table);
        assert_eq!(table["rows"], rows, "{table}");
        assert!(table["bytes"].as_u64() > Some(rows) && table["seconds"].is_number(), "{table}");
        assert_eq!(
            (&table["verification"]["result"], &table["verification"]["rows"]),
            (&"equal".into(), &rows.into())
        );
    }
    let steps: Vec<&str> =
        report["steps"].as_array().into_iter().flatten().filter_map(|step| step["step"].as_str()).collect();
    for step in ["schema", "full", "incr", "verify"] {
        assert!(steps.contains(&step), "no step {step}: {steps:?}");
    }
    assert!(report["peak_memory_bytes"].as_u64() > Some(1_000_000), "{}", outcome.text());
    assert!(!report["positions"]["start"].is_null(), "{}", outcome.text());
    assert!(outcome.stdout.contains("account") && outcome.stdout.contains("equal"), "{}", outcome.text());
}

/// Not at a terminal: a line every ten seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_is_a_line_every_ten_seconds() {
    let scene = Scene::mysql("lines").await;
    let mut sql = scene.source().await;
    workload::prepare(&mut sql, 3000).await;
    let outcome = scene.migrate().arg("--rate-limit", "450").arg("--workers", "1").run().await.expect(0);
    let lines =
        outcome.stderr.lines().filter(|line| line.contains("full import") && line.contains("rows/s")).count();
    let wanted = (outcome.seconds / 10.0) as usize;
    assert!(
        lines >= 1 && lines <= wanted + 1,
        "{lines} lines in {:.0} s\n{}",
        outcome.seconds,
        outcome.text()
    );
    assert!(
        !outcome.stderr.contains('\u{1b}'),
        "control codes where there is no terminal\n{}",
        outcome.text()
    );
}

/// A rate limit is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rate_limit_is_kept() {
    let scene = Scene::mysql("rate").await;
    let mut sql = scene.source().await;
    workload::prepare(&mut sql, 2000 + Random::new(1).below(10)).await;
    let outcome =
        scene.migrate().arg("--rate-limit", "2000").arg("--steps", "schema,full").run().await.expect(0);
    let rows: u64 =
        outcome.report["tables"].as_array().into_iter().flatten().filter_map(|t| t["rows"].as_u64()).sum();
    let seconds = outcome.report["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|step| step["step"] == "full")
        .and_then(|step| step["seconds"].as_f64())
        .unwrap_or(0.0);
    assert!(
        rows >= 8000 && seconds >= rows as f64 / 2000.0 * 0.7,
        "{rows} rows in {seconds:.1} s\n{}",
        outcome.text()
    );
}
