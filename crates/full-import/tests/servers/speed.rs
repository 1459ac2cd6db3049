//! How fast an import is. Run by hand: `cargo test -p whimbrel-full-import --release --test servers speed -- --ignored
//! --nocapture`.

use std::time::Instant;

use whimbrel_full_import::ImportOptions;

use crate::import::run;
use crate::kinds::numbers;
use crate::pair::{PAIRS, Pair};

/// 10,000 tables have a start-up cost that can be waited for.
#[tokio::test]
#[ignore = "takes minutes"]
async fn many_small_tables() {
    let (source, target) = PAIRS[2];
    let mut pair = Pair::new(source, target, "many").await;
    for part in 0..20 {
        let mut ddl = String::new();
        for table in part * 100..part * 100 + 100 {
            ddl.push_str(&format!("CREATE TABLE t{table} (id INT PRIMARY KEY, v INT);"));
        }
        pair.create(ddl.trim_end_matches(';'), &[]).await;
    }
    let begun = Instant::now();
    run(&pair, ImportOptions::default()).await.unwrap();
    println!("2000 empty tables: {:?}", begun.elapsed());
    let begun = Instant::now();
    run(&pair, ImportOptions::default()).await.unwrap();
    println!("again, all done: {:?}", begun.elapsed());
}

#[tokio::test]
#[ignore = "a measurement"]
async fn rows_per_second() {
    for (source, target) in PAIRS {
        let mut pair = Pair::new(source, target, "speed").await;
        let ddl = "CREATE TABLE t (id INT PRIMARY KEY, k INT, c CHAR(120), pad CHAR(60))";
        pair.create(ddl, &[]).await;
        let insert = format!(
            "INSERT INTO t SELECT a.n*1000+b.n, b.n, LEFT(REPEAT(SHA2(b.n, 256), 2), 120), LEFT(SHA2(a.n, 256), 60) FROM {} JOIN {}",
            numbers(200).replace("numbers", "a"),
            numbers(1000).replace("numbers", "b")
        );
        pair.source.run(&insert).await;
        let begun = Instant::now();
        let report = run(&pair, ImportOptions::default()).await.unwrap();
        let seconds = begun.elapsed().as_secs_f64();
        println!("{source} -> {target}: {:.0} rows/s", report.tables[0].rows as f64 / seconds);
    }
}
