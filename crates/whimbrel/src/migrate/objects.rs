//! Views, routines, sequences, triggers and events: what they become at the target, and when they are made there.
//!
//! | what | when | why then |
//! |---|---|---|
//! | sequences | before the tables | a column's default may ask one for its value |
//! | routines, views | when the tables have their rows and foreign keys | they stand on the tables and on each other |
//! | triggers, events | a run that ends: after the verification; `--follow`: by a person, from `after-switchover.sql` | the rows that a source's trigger wrote are in its log; a second trigger at the target would write them twice |
//!
//! A run that is resumed takes the triggers and events away that an earlier run made, before it applies anything.
//!
//! What the target refuses stops nothing: it stands in the report, with the target's own error. Objects that were at the
//! target before the task are left as they are. The target's state entries (kind `object`) say which ones are the
//! task's ([`entry`]).

mod create;
mod entry;
mod numbers;
mod switchover;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use whimbrel_connector::{Source, Target, UnreadObjects};
use whimbrel_dbcat::{ConvertedObject, Loss, ObjectContext, TargetProfile, convert_objects};
use whimbrel_model::TableName;
use whimbrel_model::object::{Definition, ObjectKind, SchemaObject, Sequence};
use whimbrel_mysql_ddl::ParseOptions;

use self::create::Creator;
use super::Task;
use super::ddl::dialect;
use super::schema::MigratedTable;
use crate::board::Board;
use crate::cli::Step;
use crate::failure::Failure;
use crate::precheck::Prechecked;
use crate::report::{ObjectReport, ObjectStatus};
use crate::rules::Rules;

/// The source's objects that the task's rules select, converted.
pub struct ObjectPlan {
    /// In the order of their creation.
    pub converted: Vec<ConvertedObject>,
    /// Sequences as they stand at the source, by their names there.
    pub sequences: BTreeMap<TableName, Sequence>,
    /// What may be there and could not be read.
    pub unread: Vec<UnreadObjects>,
}

/// Reads and converts the objects of a task. Changes nothing. `whimbrel plan` and `whimbrel assess` show the result.
///
/// # Errors
/// A server that can't be read.
pub async fn plan(task: &Task, checked: &Prechecked) -> Result<ObjectPlan, Failure> {
    let (source, target): (&dyn Source, &dyn Target) = (task.source.as_ref(), task.target.as_ref());
    let mut catalog = source.catalog().await?;
    let mut schemas = catalog.schemas().await?;
    schemas.retain(|schema| task.rules.includes().iter().any(|pattern| pattern.matches_schema(schema)));
    let found = catalog.objects(&schemas).await?;
    let mut tables: Vec<TableName> = Vec::new();
    for schema in &schemas {
        tables.extend(catalog.tables(schema).await?.into_iter().map(|table| table.name));
    }
    let accounts = target.catalog().await?.accounts().await?;
    let profile = TargetProfile::new(&checked.target);
    let options = ParseOptions::new(dialect(&checked.source));
    let rename = |name: &TableName| task.rules.target_name(name);
    let mut context = ObjectContext::new(&profile, options, &rename, &tables, &found.objects);
    if !accounts.accounts.is_empty() {
        context = context.with_accounts(&accounts.accounts);
    }
    let selected: Vec<SchemaObject> =
        found.objects.iter().filter(|object| selects(&task.rules, object)).cloned().collect();
    let mut unread = found.unread;
    unread.retain(|unread| {
        !unread.unknown_to_server && unread.name.as_ref().is_none_or(|name| task.rules.selects(name))
    });
    let sequences = selected.iter().filter_map(|object| match &object.definition {
        Definition::Sequence(sequence) => Some((object.name.clone(), sequence.clone())),
        _ => None,
    });
    Ok(ObjectPlan { sequences: sequences.collect(), converted: convert_objects(&selected, &context), unread })
}

/// Objects are selected by their own name; a trigger goes with its table, unless its own name is excluded.
fn selects(rules: &Rules, object: &SchemaObject) -> bool {
    match &object.definition {
        Definition::Trigger(trigger) => rules.selects(&trigger.table) && !rules.excludes(&object.name),
        _ => rules.selects(&object.name),
    }
}

/// When an object is made.
fn is_made_at(kind: ObjectKind, moment: Moment) -> bool {
    let at = match kind {
        ObjectKind::Sequence => Moment::BeforeTables,
        kind if kind.acts_by_itself() => Moment::Last,
        _ => Moment::AfterTables,
    };
    at == moment
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    BeforeTables,
    AfterTables,
    Last,
}

/// The objects of a running task.
pub struct Objects {
    task: Arc<Task>,
    id: String,
    epoch: u64,
    board: Arc<Board>,
    /// In the order in which they were met.
    report: BTreeMap<(ObjectKind, TableName), ObjectReport>,
    unread: Vec<ObjectReport>,
}

impl Objects {
    pub fn new(task: Arc<Task>, id: &str, epoch: u64, board: Arc<Board>) -> Self {
        Self { task, id: id.to_owned(), epoch, board, report: BTreeMap::new(), unread: Vec::new() }
    }

    fn wanted(&self) -> bool {
        self.task.has(Step::Schema)
    }

    /// Takes away what acts by itself, and makes the sequences.
    ///
    /// # Errors
    /// A server that can't be reached, and state that can't be written. Never a refused object; so all methods here.
    pub async fn before_tables(&mut self, checked: &Prechecked) -> Result<(), Failure> {
        if !self.wanted() {
            return Ok(());
        }
        let mut creator = Creator::open(&self.task, &self.id, self.epoch, checked).await?;
        creator.take_away_what_acts().await?;
        self.make(creator, checked, Moment::BeforeTables).await
    }

    /// Makes routines and views.
    pub async fn after_tables(&mut self, checked: &Prechecked) -> Result<(), Failure> {
        if !self.wanted() {
            return Ok(());
        }
        let creator = Creator::open(&self.task, &self.id, self.epoch, checked).await?;
        self.make(creator, checked, Moment::AfterTables).await
    }

    /// Before a run follows: tries triggers and events at the target, and writes them down for the switchover.
    pub async fn before_following(&mut self, checked: &Prechecked, file: &Path) -> Result<(), Failure> {
        if self.wanted() && self.task.args.follow {
            self.write_down(checked, file).await?;
        }
        Ok(())
    }

    /// The end of a run: numbers go on where the source's are; triggers and events are made, unless changes are still to
    /// come.
    pub async fn end(
        &mut self,
        checked: &Prechecked,
        tables: &[MigratedTable],
        file: &Path,
    ) -> Result<(), Failure> {
        if !self.wanted() {
            return Ok(());
        }
        if !self.task.has(Step::Full) && !self.task.has(Step::Incr) {
            // The rows come from somebody else, or with another task.
            return self.write_down(checked, file).await;
        }
        numbers::catch_up(&self.task, &self.id, self.epoch, checked, tables).await?;
        if self.task.args.follow {
            return Ok(());
        }
        let creator = Creator::open(&self.task, &self.id, self.epoch, checked).await?;
        self.make(creator, checked, Moment::Last).await
    }

    async fn write_down(&mut self, checked: &Prechecked, file: &Path) -> Result<(), Failure> {
        let plan = plan(&self.task, checked).await?;
        let mut creator = Creator::open(&self.task, &self.id, self.epoch, checked).await?;
        let last: Vec<ConvertedObject> =
            plan.converted.into_iter().filter(|object| is_made_at(object.kind, Moment::Last)).collect();
        let reports = switchover::prepare(&mut creator, &self.id, &last, file).await?;
        for (object, report) in last.iter().zip(reports) {
            self.report.insert((object.kind, object.source.clone()), report);
        }
        self.show();
        Ok(())
    }

    async fn make(
        &mut self,
        mut creator: Creator,
        checked: &Prechecked,
        moment: Moment,
    ) -> Result<(), Failure> {
        let plan = plan(&self.task, checked).await?;
        self.unread = plan.unread.iter().map(unread_report).collect();
        let now: Vec<ConvertedObject> =
            plan.converted.into_iter().filter(|object| is_made_at(object.kind, moment)).collect();
        let reports = creator.make_all(&now).await?;
        for (object, report) in now.iter().zip(reports) {
            self.report.insert((object.kind, object.source.clone()), report);
        }
        self.show();
        Ok(())
    }

    fn show(&self) {
        let objects = self.reports();
        self.board.update(|board| board.objects = objects);
    }

    /// What became of each object so far, by kind and name.
    pub fn reports(&self) -> Vec<ObjectReport> {
        self.report.values().chain(&self.unread).cloned().collect()
    }
}

fn unread_report(unread: &UnreadObjects) -> ObjectReport {
    let name = unread.name.as_ref().map_or_else(|| "*".to_owned(), ToString::to_string);
    ObjectReport {
        kind: unread.kind.name().to_owned(),
        name,
        target: String::new(),
        status: ObjectStatus::NotPossible,
        error_code: None,
        error: None,
        note: format!("could not be read at the source: {}", unread.reason),
    }
}

/// A report without an outcome yet.
fn report_of(object: &ConvertedObject) -> ObjectReport {
    let mut notes: Vec<_> = object.notes.iter().collect();
    notes.sort_by_key(|note| std::cmp::Reverse(note.loss));
    let notes: Vec<&str> =
        notes.iter().filter(|note| note.loss != Loss::None).map(|note| note.text.as_str()).collect();
    ObjectReport {
        kind: object.kind.name().to_owned(),
        name: object.source.to_string(),
        target: object.target.to_string(),
        status: if object.is_unchanged() { ObjectStatus::Created } else { ObjectStatus::Changed },
        error_code: None,
        error: None,
        note: notes.join("; "),
    }
}

/// A report of an object that isn't made.
fn not_possible(object: &ConvertedObject, note: impl Into<String>) -> ObjectReport {
    ObjectReport { status: ObjectStatus::NotPossible, note: note.into(), ..report_of(object) }
}
