//! What is compared: the tables as both sides have them now, without what is known not to be as at the source.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use whimbrel_connector::{AppliedPosition, ConnectorError, ErrorKind, Source, TablePlan, Target, Writer};
use whimbrel_incr_sync::{ApplyStatus, Following, checkpoint};
use whimbrel_model::TableName;

use super::{Run, current_plans};
use crate::failure::Failure;

/// What is known not to be as at the source.
#[derive(Debug, Default)]
pub struct Exceptions {
    /// Target tables whose changes wait behind a parked statement, or whose creation was skipped; in lower case.
    held: HashSet<String>,
    /// Columns of the source that a target table goes without, because their statement was skipped.
    left_out: HashMap<TableName, Vec<String>>,
}

impl Exceptions {
    /// True where the table's changes wait, or the target was told to go without it.
    pub fn leaves_out(&self, target: &TableName) -> bool {
        self.held.contains(&target.to_string().to_lowercase())
    }

    pub fn leaves_out_column(&self, target: &TableName, column: &str) -> bool {
        self.left_out
            .get(target)
            .is_some_and(|columns| columns.iter().any(|one| one.eq_ignore_ascii_case(column)))
    }

    /// As a running task has them.
    pub async fn of_task(writer: &mut dyn Writer, status: &ApplyStatus) -> Result<Self, ConnectorError> {
        let left_out = checkpoint::left_out(writer).await?;
        let skipped = left_out.iter().filter(|one| one.whole).map(|one| one.table.to_string().to_lowercase());
        let held = status.held.iter().flat_map(|held| held.tables.iter().cloned());
        Ok(Self {
            held: held.chain(skipped).collect(),
            left_out: left_out.into_iter().map(|one| (one.table, one.columns)).collect(),
        })
    }
}

impl Run {
    /// Tables as both sides have them now: statements of the log may have changed them since the start. One that
    /// is on its way makes both unlike, so they are looked at when the target is as far as the source was, and
    /// again while they don't fit.
    pub(super) async fn compared_plans(
        &self,
        following: Option<&Following>,
    ) -> Result<Vec<Arc<TablePlan>>, Failure> {
        const LOOKS: u32 = 20;
        let task = &self.task;
        let (source, target, rules, selection) = (&task.source, &task.target, &task.rules, &task.selection);
        let Some(following) = following else {
            return current_plans(source, target, rules, selection, &Exceptions::default()).await;
        };
        let mut looks = 0;
        loop {
            let position = Source::catalog(self.task.source.as_ref()).await?.position_after_reads().await?;
            tokio::select! {
                passed = following.wait_for(&position) => passed?,
                () = self.stop.cancelled() => self.refuse_stop()?,
            }
            looks += 1;
            let mut writer = Target::writer(target.as_ref(), &self.home.id, self.epoch).await?;
            let status = following.status();
            let exceptions = Exceptions::of_task(writer.as_mut(), &status).await?;
            match current_plans(source, target, rules, selection, &exceptions).await {
                Err(failure)
                    if looks < LOOKS
                        && matches!(
                            failure.error.kind,
                            ErrorKind::SchemaMismatch | ErrorKind::UnknownTable
                        ) => {}
                found => return found,
            }
        }
    }
}
