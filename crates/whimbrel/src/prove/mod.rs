//! `whimbrel prove`: which values a target holds, by evidence.
//!
//! For each type (all of them, or those of a project's columns) a table is made in a scratch schema at the target, the
//! type converted as for a migration. Its boundary values ([`samples`]), and with `--source` the smallest, largest and
//! longest of each column, are written as full import writes rows and as incremental synchronisation applies changes, and
//! read and compared as the verification does. The result is a matrix: lossless, lossy or refused for each type and class
//! of values.
//!
//! What it guarantees: nothing outside of the scratch schema is touched but the task's own state, and both are gone
//! afterwards, also after the first SIGINT or SIGTERM. The source is only read.

mod matrix;
mod samples;
mod scratch;
mod show;
mod subjects;

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use whimbrel_connector::{Finding, ServerInfo, Source, Target};
use whimbrel_dbcat::TargetProfile;
use whimbrel_model::{TableSchema, TableVersion};

use self::matrix::Proof;
use self::samples::Sample;
use self::scratch::Scratch;
use self::subjects::Subject;
use crate::cli::{ProofFormat, ProveArgs};
use crate::endpoints::{self, Endpoint, Role};
use crate::failure::{Exit, Failure};
use crate::rules::Rules;
use crate::{home, precheck, signals};

/// Real values of a column are looked for in tables that the source believes to have at most so many rows.
const SEARCHED_ROWS: u64 = 1_000_000;

/// Runs the proof and prints it.
///
/// # Errors
/// Flags that don't go together; a server that can't be reached; a user that may not make the scratch schema.
pub async fn run(args: ProveArgs) -> Result<Exit, Failure> {
    let target = endpoints::open(&args.target, Role::Target)?;
    let source = match (&args.source, args.types) {
        (Some(url), None) => Some(endpoints::open(url, Role::Source)?),
        (None, Some(_)) => None,
        _ => {
            return Err(Failure::usage(
                "--source, --types",
                "either --source with --include, or --types all",
            ));
        }
    };
    let stop = signals::listen()?;
    let mut catalog = Target::catalog(target.as_ref()).await.map_err(Failure::precheck)?;
    let server = catalog.server().await?;
    let subjects = match &source {
        Some(source) => project(source, &args).await?,
        None => subjects::all(),
    };
    let mut proof = Proof::new(
        Target::name(target.as_ref()),
        &server,
        source.as_ref().map(|source| Source::name(source.as_ref())),
    );
    let scratch = Scratch::create(target.as_ref(), TargetProfile::new(&server), &unique())
        .await
        .map_err(Failure::precheck)?;
    let proved = prove_in(target.as_ref(), scratch, &subjects, &stop, &mut proof).await;
    match args.format {
        ProofFormat::Text => print!("{}", proof.text()),
        ProofFormat::Json => println!("{}", json(&proof)?),
    }
    proved?;
    if stop.is_cancelled() {
        return Err(Failure::configuration(
            "whimbrel prove",
            "it was interrupted, so the proof is not complete",
            "run it again",
        ));
    }
    let path = proof.keep(&home::home_dir(args.home.as_deref()), &server)?;
    eprintln!("kept for plan, check and migrate: {}", path.display());
    Ok(if proof.is_lossless() { Exit::Done } else { Exit::Different })
}

/// Tries one type after the other until all are done or somebody wants to stop; then the scratch schema goes.
async fn prove_in(
    target: &dyn Target,
    mut scratch: Scratch,
    subjects: &[Subject],
    stop: &CancellationToken,
    proof: &mut Proof,
) -> Result<(), Failure> {
    let mut failed = None;
    for subject in subjects {
        if stop.is_cancelled() {
            break;
        }
        match scratch.prove(subject).await {
            Ok(found) => proof.types.push(found),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    let schema = scratch.schema().to_owned();
    let removed = scratch.remove(target).await;
    match (failed, removed) {
        (Some(error), _) => Err(error.into()),
        (None, Err(error)) => {
            let hint = format!("DROP DATABASE `{schema}`;");
            Err(error.with_hint(hint).into())
        }
        (None, Ok(())) => Ok(()),
    }
}

/// The types of the project's columns, with real values beside the boundary values.
async fn project(source: &Endpoint, args: &ProveArgs) -> Result<Vec<Subject>, Failure> {
    let rules = Rules::parse(&args.include, &args.exclude, &[])
        .map_err(|error| Failure::usage("--include, --exclude", error.to_string()))?;
    let mut catalog = Source::catalog(source.as_ref()).await.map_err(Failure::precheck)?;
    let names = precheck::selected_tables(catalog.as_mut(), source.as_ref(), &rules)
        .await
        .map_err(|failure| Failure { exit: Exit::Precheck, ..failure })?;
    let tables = catalog.table_schemas(&names).await?;
    let mut subjects = subjects::of_tables(&tables);
    add_real_values(source, &tables, &mut subjects).await?;
    Ok(subjects)
}

async fn add_real_values(
    source: &Endpoint,
    tables: &[TableSchema],
    subjects: &mut [Subject],
) -> Result<(), Failure> {
    let mut reader = Source::snapshot_reader(source.as_ref()).await?;
    for (number, table) in tables.iter().enumerate() {
        if reader.estimate(table).await?.rows > SEARCHED_ROWS {
            eprintln!(
                "note: {} is large; its real values are not looked for, only the limits of its types are tried",
                table.name
            );
            continue;
        }
        let version = Arc::new(TableVersion::new(number as u64, table.clone()));
        for (at, column) in table.columns.iter().enumerate().filter(|(_, column)| column.generated.is_none())
        {
            let Some(subject) = subjects.iter_mut().find(|subject| subject.data_type == column.data_type)
            else {
                continue;
            };
            for row in reader.extremes(&version, at).await?.rows() {
                let value = row.get(at).to_owned();
                if !subject.samples.iter().any(|known| known.value == value) {
                    subject.samples.push(Sample { class: "extremes of the real values", value });
                }
            }
        }
    }
    Ok(())
}

/// Warnings of a kept proof about the columns of a project.
pub fn findings(home: Option<&Path>, target: &ServerInfo, tables: &[TableSchema]) -> Vec<Finding> {
    let proof = Proof::kept(&home::home_dir(home), target);
    proof.map(|proof| proof.findings(tables)).unwrap_or_default()
}

fn json(proof: &Proof) -> Result<String, Failure> {
    serde_json::to_string_pretty(proof)
        .map_err(|error| Failure::storage("proof", "it can't be written as JSON", error))
}

/// Part of the scratch schema's name that no other run has.
fn unique() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("{:x}_{:x}", std::process::id(), since.map_or(0, |since| since.as_millis()))
}
