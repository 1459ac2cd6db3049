//! `simulate FIRST COUNT`: runs schedules and prints the first one that fails.

use std::process::ExitCode;

use whimbrel_simulation::seeds::{explain, run_many};

fn main() -> ExitCode {
    let numbers: Option<Vec<u64>> = std::env::args().skip(1).map(|text| text.parse().ok()).collect();
    let Some([first, count]) = numbers.as_deref() else {
        eprintln!("usage: simulate FIRST COUNT");
        return ExitCode::from(2);
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let summary = run_many(*first, *count, threads);
    println!(
        "{} schedules with {} processes, {} calls, {:.0} s of simulated time in {:.1} s",
        summary.schedules,
        summary.lives,
        summary.calls,
        summary.simulated.as_secs_f64(),
        summary.took.as_secs_f64()
    );
    match summary.failed {
        None => ExitCode::SUCCESS,
        Some(failed) => {
            println!("{}", explain(&failed));
            ExitCode::FAILURE
        }
    }
}
