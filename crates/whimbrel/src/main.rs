//! The `whimbrel` binary: reads the command line, runs the command, prints how it ended.

mod assess;
mod board;
mod cli;
mod collisions;
mod config;
mod conversions;
mod ddl_command;
mod ddl_policy;
mod display;
mod endpoints;
mod failure;
mod followed;
mod home;
mod merging;
mod migrate;
mod parked;
mod plan;
mod precheck;
mod prove;
mod quantity;
mod report;
mod rules;
mod signals;
mod spelling;
mod store_command;
mod store_socket;
mod syntax_tree;
mod table_rules;
mod verify_command;
mod web;

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};
use crate::failure::{Exit, Failure};

fn main() -> ExitCode {
    // Usage errors end here, with clap's exit code 2.
    let cli = match config::command_line() {
        Ok(cli) => cli,
        Err(failure) => {
            eprintln!("{failure}");
            return ExitCode::from(failure.exit as u8);
        }
    };
    let filter = EnvFilter::try_from_env("WHIMBREL_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(cli) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::storage("runtime", "its threads can't be started", error))?;
    let ended = runtime.block_on(async {
        match cli.command {
            Command::Migrate(args) => migrate::run(args).await,
            Command::Verify(args) => verify_command::run(args).await,
            Command::Check(args) => plan::check(args).await,
            Command::Plan(args) => plan::plan(args).await,
            Command::Assess(args) => assess::run(args).await,
            Command::Prove(args) => prove::run(args).await,
            Command::Store(args) => store_command::run(args).await,
            Command::Parked(args) => parked::command::run(args).await,
            Command::Ddl(args) => ddl_command::run(&args),
        }
    });
    // Blocking reads that nobody waits for any more must not hold the process.
    runtime.shutdown_background();
    ended
}
