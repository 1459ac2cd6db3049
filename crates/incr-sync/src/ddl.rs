//! DDL at a barrier: nothing else is under way, everything before it is committed.
//!
//! A process that was taken over runs no statement: the target's writers see to it ([`Writer`]). That it could write the
//! entry `ddl` a moment before says nothing: it may have stalled in between.
//!
//! Servers of this family commit DDL by itself, so it can't share a transaction with the record that it
//! happened. The entry `ddl` says before each step that it begins, and what the tables of the statement look like
//! then; afterwards that it is done. A step that may have happened (a crash or a lost connection in between) is
//! looked up at the target: each step is all or nothing there, so tables that look as before weren't touched by it,
//! or by one that shows nowhere and can be repeated. Statements before the one that the entry names are done. Where nobody knows what the tables looked like (a schema that
//! was read after the statement while the log is read from before it, a refused statement that a person may
//! have run by hand, a table into which several go, each of which brings the statement), [`DdlConverter::already_applied`] looks for the step's effect.

use std::collections::BTreeSet;

use whimbrel_connector::{
    Catalog, ConnectorError, DeferredRow, ErrorKind, FailPoint, Mutation, ParkedRow, Policy, Result,
    StateKey, Writer,
};
use whimbrel_model::{Ddl, TableName};
use xxhash_rust::xxh3::xxh3_128;

use crate::checkpoint::{DdlProgress, decode, encode};
use crate::run::Shared;
use crate::session::Session;
use crate::source::{DdlConverter, DdlStep};

/// A DDL record of the log.
pub struct DdlRecord<'a> {
    pub ddl: &'a Ddl,
    pub sequence: u64,
    /// The target may be newer than the log.
    pub overlap: bool,
    /// Steps that clear rows which were read after the statement.
    pub skip: &'a (dyn Fn(&DdlStep) -> bool + Sync),
    /// Target tables that it is about.
    pub tables: &'a [TableName],
    /// What a person wants run instead.
    pub edited: Option<&'a str>,
}

/// What became of a statement.
#[derive(Debug)]
pub enum Carried {
    /// It means nothing to the target.
    Nothing,
    /// The target's schema may have changed.
    Done,
    /// It can't be converted, or the target refuses a step.
    Refused(Refusal),
}

/// Why a statement isn't at the target.
#[derive(Debug)]
pub struct Refusal {
    pub error: ConnectorError,
    /// What was to be run; empty where it can't be converted.
    pub steps: Vec<String>,
    /// How many of them the target has carried out.
    pub done: usize,
}

/// Carries a statement over, or finds that it has been.
///
/// # Errors
/// What has nothing to do with the statement: a target that is away for too long, a task that was taken over.
pub async fn run(
    session: &mut Session,
    catalog: &mut dyn Catalog,
    shared: &Shared,
    converter: &dyn DdlConverter,
    record: &DdlRecord<'_>,
) -> Result<Carried> {
    let steps = match record.edited {
        Some(sql) => vec![edited_step(sql, record.tables)],
        None => match converter.convert(record.ddl).await {
            Ok(steps) => steps,
            Err(error) => return Ok(Carried::Refused(Refusal { error, steps: Vec::new(), done: 0 })),
        },
    };
    let mut backoff = shared.backoff();
    let mut steps = Steps { catalog, converter, record, steps, key: shared.scope.ddl_key() };
    loop {
        match steps.run(session.writer.as_mut()).await {
            Ok(carried) => return Ok(carried),
            Err(error) if error.policy() == Policy::Retry => {
                session.rollback().await;
                shared.board.retried(&error);
                backoff.wait(error, &shared.stop).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

fn edited_step(sql: &str, tables: &[TableName]) -> DdlStep {
    let first = sql.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    let table = tables.first().cloned().unwrap_or_else(|| TableName::new("", ""));
    DdlStep {
        default_schema: table.schema.clone(),
        table,
        sql: sql.to_owned(),
        clears_rows: matches!(first.as_str(), "TRUNCATE" | "DROP"),
        merged: false,
    }
}

/// The steps of one statement on their way to the target.
struct Steps<'a> {
    catalog: &'a mut dyn Catalog,
    converter: &'a dyn DdlConverter,
    record: &'a DdlRecord<'a>,
    steps: Vec<DdlStep>,
    key: StateKey,
}

impl Steps<'_> {
    async fn run(&mut self, writer: &mut dyn Writer) -> Result<Carried> {
        let known = match writer.state_get(&self.key).await? {
            Some(payload) => Some(decode::<DdlProgress>("ddl", &payload)?),
            None => None,
        };
        if self.steps.is_empty() {
            return Ok(Carried::Nothing);
        }
        let mut progress = match known {
            // A later statement has begun, with no row between that would have moved the checkpoint.
            Some(progress) if progress.sequence > self.record.sequence => return Ok(Carried::Done),
            Some(progress) if progress.sequence == self.record.sequence => progress,
            _ => DdlProgress::new(self.record.sequence),
        };
        while !progress.finished && progress.done < self.steps.len() {
            let step = self.steps[progress.done].clone();
            if !(self.record.skip)(&step)
                && !self.has_happened(&step, &progress).await?
                && let Err(error) = self.execute(writer, &step, &mut progress).await?
            {
                return self.refused(writer, &step, error, progress).await;
            }
            FailPoint::DdlDone.reached();
            if step.clears_rows {
                forget_rows(writer, &step).await?;
            }
            progress.done += 1;
            (progress.begun, progress.before) = (false, None);
            progress.finished = progress.done == self.steps.len();
            writer.state_put(&self.key, &encode(&progress)).await?;
            FailPoint::DdlRecorded.reached();
        }
        Ok(Carried::Done)
    }

    async fn has_happened(&mut self, step: &DdlStep, progress: &DdlProgress) -> Result<bool> {
        match &progress.before {
            _ if Mutation::RepeatDdl.active() => Ok(false),
            Some(before) if progress.begun => Ok(self.looks(step).await? != *before),
            _ if progress.begun || self.record.overlap || step.merged => {
                self.converter.already_applied(step).await
            }
            _ => Ok(false),
        }
    }

    /// The inner error is the target's refusal.
    async fn execute(
        &mut self,
        writer: &mut dyn Writer,
        step: &DdlStep,
        progress: &mut DdlProgress,
    ) -> Result<std::result::Result<(), ConnectorError>> {
        // An earlier attempt whose answer was lost may still be at work.
        let again = progress.begun;
        let before = self.looks(step).await?;
        progress.begun = true;
        progress.before = Some(before.clone());
        writer.state_put(&self.key, &encode(progress)).await?;
        FailPoint::DdlBegun.reached();
        match writer.execute_ddl(&step.default_schema, &step.sql).await {
            Ok(()) => Ok(Ok(())),
            Err(error) if !is_refusal(&error) => Err(error),
            Err(_) if again && self.looks(step).await? != before => Ok(Ok(())),
            Err(error) => Ok(Err(error)),
        }
    }

    /// It is known not to have happened; a person may do it by hand.
    async fn refused(
        &mut self,
        writer: &mut dyn Writer,
        step: &DdlStep,
        error: ConnectorError,
        mut progress: DdlProgress,
    ) -> Result<Carried> {
        progress.before = None;
        writer.state_put(&self.key, &encode(&progress)).await?;
        let error = ConnectorError::new(
            error.kind.clone(),
            step.sql.clone(),
            "the target refused a statement from the source's log",
        )
        .with_hint(
            "run an equivalent statement at the target by hand, then resume: what is there is recognised",
        )
        .with_source(error);
        let steps = self.steps.iter().map(|step| step.sql.clone()).collect();
        Ok(Carried::Refused(Refusal { error, steps, done: progress.done }))
    }

    /// A digest of the definitions of the statement's tables, and of which of them are there.
    async fn looks(&mut self, step: &DdlStep) -> Result<String> {
        let names: BTreeSet<&TableName> = self.record.tables.iter().chain([&step.table]).collect();
        let names: Vec<TableName> = names.into_iter().cloned().collect();
        let mut tables = self.catalog.existing_tables(&names).await?;
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        for table in &mut tables {
            // It moves with the rows.
            table.auto_increment = None;
        }
        let text = serde_json::to_vec(&tables).map_err(|error| {
            ConnectorError::new(ErrorKind::Other, step.table.to_string(), "its definition can't be digested")
                .with_source(error)
        })?;
        Ok(format!("{:032x}", xxh3_128(&text)))
    }
}

/// True where the target says no to the statement; anything else is about the task or the server.
fn is_refusal(error: &ConnectorError) -> bool {
    error.policy() != Policy::Retry
        && !matches!(error.kind, ErrorKind::Fenced | ErrorKind::ReadOnly | ErrorKind::Cancelled)
}

/// Rows set aside are gone with the others.
async fn forget_rows(writer: &mut dyn Writer, step: &DdlStep) -> Result<()> {
    let prefix = whimbrel_connector::image::table_prefix(&step.table);
    for kind in [DeferredRow::KIND, ParkedRow::KIND] {
        for entry in writer.state_list(kind, &prefix).await? {
            writer.state_delete(&entry.key).await?;
        }
    }
    Ok(())
}
