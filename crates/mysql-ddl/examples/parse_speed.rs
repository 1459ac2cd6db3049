//! How fast the parser is: `cargo run --release -p whimbrel-mysql-ddl --example parse_speed [FOLDER]`.
//!
//! Parses every file of the corpus (or of FOLDER, as MySQL) again and again for two seconds and prints MB/s of
//! source text, for whole scripts and statement by statement.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use whimbrel_mysql_ddl::{Dialect, ParseOptions, parse, parse_many};

fn main() {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let files = match folder {
        Some(folder) => read(&folder, Dialect::mysql(90_704)),
        None => corpus(),
    };
    let bytes: usize = files.iter().map(|(sql, _)| sql.len()).sum();
    let statements: usize = files.iter().map(|(sql, options)| parse_many(sql, options).len()).sum();
    println!("{} files, {statements} statements, {bytes} bytes", files.len());
    measure("scripts", bytes, || files.iter().map(|(sql, options)| parse_many(sql, options).len()).sum());

    let single: Vec<(String, ParseOptions)> = files
        .iter()
        .flat_map(|(sql, options)| {
            let trees = parse_many(sql, options);
            trees.into_iter().flatten().map(|tree| (tree.span.text(sql).to_owned(), *options))
        })
        .filter(|(sql, options)| parse(sql, options).is_ok())
        .collect();
    let bytes = single.iter().map(|(sql, _)| sql.len()).sum();
    measure("statements", bytes, || {
        single.iter().filter(|(sql, options)| parse(sql, options).is_ok()).count()
    });
}

/// Prints the mean and the best round: the best is what the parser needs when nobody else has the processor.
fn measure(what: &str, bytes: usize, mut run: impl FnMut() -> usize) {
    let start = Instant::now();
    let (mut rounds, mut parsed, mut best) = (0usize, 0, f64::INFINITY);
    while start.elapsed() < Duration::from_secs(2) {
        let round = Instant::now();
        parsed += run();
        best = best.min(round.elapsed().as_secs_f64());
        rounds += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    let megabytes = bytes as f64 / 1e6;
    let mean = megabytes * rounds as f64 / seconds;
    println!(
        "{what}: {mean:.1} MB/s, best round {:.1} MB/s, {:.0} statements/s",
        megabytes / best,
        parsed as f64 / seconds
    );
}

fn corpus() -> Vec<(String, ParseOptions)> {
    let families = [
        ("mysql", Dialect::mysql(90_704)),
        ("mariadb", Dialect::mariadb(110_806)),
        ("tidb", Dialect::tidb(80_500)),
        ("oceanbase", Dialect::oceanbase(40_305)),
    ];
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    families.into_iter().flat_map(|(family, dialect)| read(&base.join(family), dialect)).collect()
}

fn read(folder: &Path, dialect: Dialect) -> Vec<(String, ParseOptions)> {
    let entries = std::fs::read_dir(folder).expect("the folder can be listed");
    entries
        .map(|entry| {
            let path = entry.expect("the folder can be listed").path();
            (std::fs::read_to_string(&path).expect("files are utf-8"), ParseOptions::new(dialect))
        })
        .collect()
}
