//! Making objects at the target, one by one.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use whimbrel_connector::{Backoff, Catalog, ConnectorError, ErrorKind, StateKey, Target, Writer};
use whimbrel_dbcat::{ConvertedObject, ObjectDdl, TargetProfile};
use whimbrel_model::TableName;
use whimbrel_model::object::{Definition, SchemaObject, Sequence};

use super::entry::{self, Entry};
use super::{not_possible, report_of};
use crate::endpoints::{ServerRefusal, server_refusal};
use crate::failure::Failure;
use crate::migrate::{Task, schema};
use crate::precheck::Prechecked;
use crate::report::{ObjectReport, ObjectStatus};

/// How long a target may be away while an object is made.
const PATIENCE: Duration = Duration::from_secs(60);

/// A DEFINER of somebody else needs a privilege of its own, and an account that is there.
const DEFINER_REFUSED: [u16; 2] = [1227, 1449];

/// No such schema, table or trigger.
const GONE: [u16; 3] = [1049, 1146, 1360];

/// Makes objects for a task.
pub(super) struct Creator {
    task: Arc<Task>,
    profile: TargetProfile,
    catalog: Box<dyn Catalog>,
    state: Box<dyn Writer>,
    /// Apart from `state`: its sessions end with each statement that has settings.
    ddl: Box<dyn Writer>,
}

/// How one attempt ended.
enum Attempt {
    Done(ObjectReport),
    /// The target's words. What it misses may come with another object.
    Refused(ServerRefusal),
}

impl Creator {
    pub(super) async fn open(
        task: &Arc<Task>,
        id: &str,
        epoch: u64,
        checked: &Prechecked,
    ) -> Result<Self, Failure> {
        let target: &dyn Target = task.target.as_ref();
        Ok(Self {
            task: task.clone(),
            profile: TargetProfile::new(&checked.target),
            catalog: target.catalog().await?,
            state: target.writer(id, epoch).await?,
            ddl: target.writer(id, epoch).await?,
        })
    }

    /// Removes the triggers and events that an earlier run of the task made: they would act upon what this run applies.
    pub(super) async fn take_away_what_acts(&mut self) -> Result<(), Failure> {
        for (key, found) in entry::all(self.state.as_mut()).await? {
            if !found.acts_by_itself {
                continue;
            }
            if let Err(refusal) = self.refusable("", &[], &found.drop).await?
                && !GONE.contains(&refusal.code)
            {
                let object = format!("{} {} of the target", found.report.kind, found.report.target);
                let message = format!(
                    "it would act upon what is applied, and taking it away failed: {} {}",
                    refusal.code, refusal.message
                );
                let error = ConnectorError::new(ErrorKind::Other, object, message);
                return Err(error.with_hint("drop it by hand, then run again").into());
            }
            self.state.state_delete(&key).await?;
        }
        Ok(())
    }

    /// A report for each object. What is refused is tried again as long as others succeed, which it may need.
    pub(super) async fn make_all(
        &mut self,
        objects: &[ConvertedObject],
    ) -> Result<Vec<ObjectReport>, Failure> {
        let ready = || objects.iter().filter(|object| object.outcome.is_ok());
        let pairs = ready().map(|object| (&object.source, &object.target));
        let (state, catalog) = (self.state.as_mut(), self.catalog.as_mut());
        schema::create_schemas(&self.task, &self.profile, state, catalog, pairs).await?;
        let there = self.existing(ready().map(|object| &object.target)).await?;
        let mut reports: Vec<ObjectReport> = objects.iter().map(report_of).collect();
        let mut open: Vec<usize> = (0..objects.len()).collect();
        loop {
            let mut again = Vec::new();
            for at in &open {
                match self.make(&objects[*at], &there).await? {
                    Attempt::Done(report) => reports[*at] = report,
                    Attempt::Refused(refusal) => {
                        reports[*at] = refused(&objects[*at], refusal);
                        again.push(*at);
                    }
                }
            }
            if again.len() == open.len() {
                return Ok(reports);
            }
            open = again;
        }
    }

    /// Kind and name, in lower case, of what is in the objects' schemas already.
    async fn existing(
        &mut self,
        names: impl Iterator<Item = &TableName>,
    ) -> Result<HashSet<String>, Failure> {
        let found = self.objects(names).await?;
        Ok(found.iter().map(|object| label(object.kind().name(), &object.name)).collect())
    }

    /// All objects of the schemas of these names.
    async fn objects(
        &mut self,
        names: impl Iterator<Item = &TableName>,
    ) -> Result<Vec<SchemaObject>, Failure> {
        let schemas: BTreeSet<String> = names.map(|name| name.schema.to_lowercase()).collect();
        if schemas.is_empty() {
            return Ok(Vec::new());
        }
        let mut spelled = self.catalog.schemas().await?;
        spelled.retain(|schema| schemas.contains(&schema.to_lowercase()));
        Ok(self.catalog.objects(&spelled).await?.objects)
    }

    /// The target's sequences of these names, by name in lower case.
    pub(super) async fn sequences(
        &mut self,
        names: impl Iterator<Item = &TableName>,
    ) -> Result<HashMap<String, Sequence>, Failure> {
        let found = self.objects(names).await?;
        let sequences = found.into_iter().filter_map(|object| match object.definition {
            Definition::Sequence(sequence) => Some((object.name.to_string().to_lowercase(), sequence)),
            _ => None,
        });
        Ok(sequences.collect())
    }

    /// This task has made it.
    pub(super) async fn is_own(&mut self, object: &ConvertedObject) -> Result<bool, Failure> {
        let entry = entry::get(self.state.as_mut(), &entry::key(object)).await?;
        Ok(entry.is_some_and(|entry| entry.made))
    }

    async fn make(&mut self, object: &ConvertedObject, there: &HashSet<String>) -> Result<Attempt, Failure> {
        let ddl = match &object.outcome {
            Ok(ddl) => ddl,
            Err(reason) => return Ok(Attempt::Done(not_possible(object, reason.as_str()))),
        };
        let key = entry::key(object);
        match entry::get(self.state.as_mut(), &key).await? {
            Some(entry) if entry.made => return Ok(Attempt::Done(entry.report)),
            // A run was cut off at this point; whether the object came to be is not known.
            Some(_) => self.ddl.execute_ddl("", &ddl.drop_sql()).await?,
            None if there.contains(&label(object.kind.name(), &object.target)) => {
                let note = "something of this kind and name is at the target already; it is left as it is";
                return Ok(Attempt::Done(not_possible(object, note)));
            }
            None => {}
        }
        self.make_new(object, ddl, &key).await
    }

    async fn make_new(
        &mut self,
        object: &ConvertedObject,
        ddl: &ObjectDdl,
        key: &StateKey,
    ) -> Result<Attempt, Failure> {
        let mut entry = Entry::new(object, ddl.drop_sql(), report_of(object));
        entry::put(self.state.as_mut(), key, &entry).await?;
        match self.run(ddl).await? {
            Ok(None) => {}
            Ok(Some(note)) => {
                entry.report.status = ObjectStatus::Changed;
                entry.report.note = [entry.report.note, note].join("; ").trim_start_matches("; ").to_owned();
            }
            Err(refusal) => {
                self.state.state_delete(key).await?;
                return Ok(Attempt::Refused(refusal));
            }
        }
        entry.made = true;
        entry::put(self.state.as_mut(), key, &entry).await?;
        Ok(Attempt::Done(entry.report))
    }

    /// Runs the statement; where the target doesn't let this user name the definer, without it, and says so.
    pub(super) async fn run(
        &mut self,
        ddl: &ObjectDdl,
    ) -> Result<Result<Option<String>, ServerRefusal>, Failure> {
        let refusal = match self.statement(ddl).await? {
            Ok(()) => return Ok(Ok(None)),
            Err(refusal) => refusal,
        };
        let Some(definer) = ddl.definer.as_ref().filter(|_| DEFINER_REFUSED.contains(&refusal.code)) else {
            return Ok(Err(refusal));
        };
        let note = format!(
            "definer {definer} is left out ({} {}): it belongs to the account that made it",
            refusal.code, refusal.message
        );
        Ok(self.statement(&ddl.without_definer()).await?.map(|()| Some(note)))
    }

    /// Makes an object that isn't there. Where it isn't known what became of the statement, whatever it has made is taken
    /// away before the next attempt, which would meet it otherwise.
    async fn statement(&mut self, ddl: &ObjectDdl) -> Result<Result<(), ServerRefusal>, Failure> {
        let mut backoff = Backoff::new(PATIENCE);
        loop {
            let made = self.ddl.execute_ddl_with(&ddl.name.schema, &ddl.settings, &ddl.sql()).await;
            if let Some(decided) = wait_after(made, &mut backoff).await? {
                return Ok(decided);
            }
            self.refusable("", &[], &ddl.drop_sql()).await?.ok();
        }
    }

    /// Runs a statement that the target may refuse, and that may run twice. What passes is waited for.
    pub(super) async fn refusable(
        &mut self,
        schema: &str,
        settings: &[String],
        sql: &str,
    ) -> Result<Result<(), ServerRefusal>, Failure> {
        let mut backoff = Backoff::new(PATIENCE);
        loop {
            let done = self.ddl.execute_ddl_with(schema, settings, sql).await;
            if let Some(decided) = wait_after(done, &mut backoff).await? {
                return Ok(decided);
            }
        }
    }
}

/// What a statement came to; `None` where it is to be tried again, after a while that this waits for.
async fn wait_after(
    result: Result<(), ConnectorError>,
    backoff: &mut Backoff,
) -> Result<Option<Result<(), ServerRefusal>>, Failure> {
    let error = match result {
        Ok(()) => return Ok(Some(Ok(()))),
        Err(error) => error,
    };
    if let Some(refusal) = server_refusal(&error) {
        return Ok(Some(Err(refusal)));
    }
    tracing::warn!(error = %error.chain(), "trying again to make an object");
    let pause = backoff.after(error)?;
    tokio::time::sleep(pause).await;
    Ok(None)
}

fn label(kind: &str, name: &TableName) -> String {
    format!("{kind} {name}").to_lowercase()
}

/// The report of an object that the target refuses to make.
pub(super) fn refused(object: &ConvertedObject, refusal: ServerRefusal) -> ObjectReport {
    ObjectReport {
        status: ObjectStatus::NotPossible,
        error_code: Some(refusal.code),
        error: Some(refusal.message),
        ..report_of(object)
    }
}
