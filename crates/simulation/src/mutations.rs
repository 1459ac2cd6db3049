//! `mutations SEEDS [NAME...]`: activates each deliberate bug in turn and prints as a table which seed shows it.
//!
//! Ends with an error where one isn't found within so many seeds.

use std::process::ExitCode;
use std::thread::available_parallelism;

use whimbrel_connector::Mutation;
use whimbrel_simulation::seeds::run_many;

/// Characters of an error in the table.
const SHOWN: usize = 110;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(most) = arguments.next().and_then(|text| text.parse().ok()) else {
        eprintln!("usage: mutations SEEDS [NAME...]");
        return ExitCode::from(2);
    };
    let names: Vec<String> = arguments.collect();
    let chosen = |mutation: &Mutation| names.is_empty() || names.contains(&format!("{mutation:?}"));
    // A panic of a component is one way to notice a bug; the table has its text.
    std::panic::set_hook(Box::new(|_| {}));
    println!("| bug | what is wrong | seeds | noticed by |\n|---|---|---|---|");
    let mut missed = 0;
    for mutation in Mutation::ALL.iter().copied().filter(chosen) {
        Mutation::activate(Some(mutation));
        let failed = run_many(1, most, available_parallelism().map_or(1, usize::from)).failed;
        missed += u32::from(failed.is_none());
        let (seeds, what) = match failed {
            Some(failed) => (failed.seed.to_string(), shown(&failed.what)),
            None => (format!("more than {most}"), "nothing".to_owned()),
        };
        println!("| `{mutation:?}` | {} | {seeds} | {what} |", mutation.breaks());
    }
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The begin of an error's first line, as a cell of a table.
fn shown(what: &str) -> String {
    let line = what.lines().next().unwrap_or_default().replace('|', "/");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None => line,
    }
}
