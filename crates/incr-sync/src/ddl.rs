//! DDL at a barrier: nothing else is under way, everything before it is committed.
//!
//! Servers of this family commit DDL by itself, so it can't share a transaction with the record that it
//! happened. The entry `ddl` says before each step that it begins and afterwards that it is done; a step that
//! may have happened (a crash or a lost connection in between, or a schema that was read after the statement
//! while the log is read from before it) is looked up at the target through [`DdlConverter::already_applied`].

use whimbrel_connector::{ConnectorError, DeferredRow, ParkedRow, Policy, Result, Writer};
use whimbrel_model::Ddl;

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
}

/// Carries a statement over, or finds that it has been. True where the target's schema may have changed.
pub async fn run(
    session: &mut Session,
    shared: &Shared,
    converter: &dyn DdlConverter,
    record: &DdlRecord<'_>,
) -> Result<bool> {
    let steps = converter.convert(record.ddl).await?;
    let mut backoff = shared.backoff();
    loop {
        match run_steps(session.writer.as_mut(), converter, record, &steps).await {
            Ok(()) => return Ok(!steps.is_empty()),
            Err(error) if error.policy() == Policy::Retry => {
                session.rollback().await;
                shared.board.retried(&error);
                backoff.wait(error, &shared.stop).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn run_steps(
    writer: &mut dyn Writer,
    converter: &dyn DdlConverter,
    record: &DdlRecord<'_>,
    steps: &[DdlStep],
) -> Result<()> {
    let key = DdlProgress::state_key();
    let known = match writer.state_get(&key).await? {
        Some(payload) => Some(decode::<DdlProgress>("ddl", &payload)?),
        None => None,
    };
    let mut progress = known
        .filter(|progress| progress.sequence == record.sequence)
        .unwrap_or_else(|| DdlProgress::new(record.sequence));
    if progress.finished || steps.is_empty() {
        return Ok(());
    }
    for step in steps.iter().skip(progress.done) {
        let in_doubt = progress.begun || record.overlap;
        let done = (record.skip)(step) || in_doubt && converter.already_applied(step).await?;
        if !done {
            progress.begun = true;
            writer.state_put(&key, &encode(&progress)).await?;
            writer
                .execute_ddl(&step.default_schema, &step.sql)
                .await
                .map_err(|error| refused(step, error))?;
            if step.clears_rows {
                forget_rows(writer, step).await?;
            }
        }
        progress.done += 1;
        progress.begun = false;
        progress.finished = progress.done == steps.len();
        writer.state_put(&key, &encode(&progress)).await?;
    }
    Ok(())
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

fn refused(step: &DdlStep, error: ConnectorError) -> ConnectorError {
    if error.policy() == Policy::Retry {
        return error;
    }
    ConnectorError::new(
        error.kind.clone(),
        step.sql.clone(),
        "the target refused a statement from the source's log",
    )
    .with_hint("run an equivalent statement at the target by hand, then resume: what is there is recognised")
    .with_source(error)
}
