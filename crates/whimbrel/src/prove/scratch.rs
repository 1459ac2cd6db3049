//! A schema of its own at the target, in which types are tried, and its removal.

use std::sync::Arc;

use whimbrel_connector::{
    Catalog, ConnectorError, ErrorKind, InsertMode, KeyRange, Policy, Result, SnapshotReader, StateKey,
    TablePlan, Target, Writer,
};
use whimbrel_dbcat::{TargetProfile, convert_table, render};
use whimbrel_full_verification::is_same_value;
use whimbrel_model::{
    Column, DataType, Key, RowBatch, RowRef, TableName, TableSchema, TableVersion, Value, ValueRef,
};

use super::matrix::{ClassResult, Example, Outcome, Route, TypeResult, sql_of};
use super::samples::Sample;
use super::show::shown;
use super::subjects::Subject;

/// Begins the names of all scratch schemas, and of their tasks.
pub const PREFIX: &str = "whimbrel_prove_";

/// Rows of the applied values have their sample's number plus this.
const APPLIED: i64 = 1_000_000;

/// Bytes of rows that are read at once.
const READ_BYTES: usize = 4 << 20;

const ID: usize = 0;
const VALUE: usize = 1;

/// The scratch schema and what works in it.
pub struct Scratch {
    /// The task's name too.
    schema: String,
    epoch: u64,
    profile: TargetProfile,
    writer: Box<dyn Writer>,
    reader: Box<dyn SnapshotReader>,
    catalog: Box<dyn Catalog>,
    tables: u64,
}

impl Scratch {
    /// Makes the schema. The caller must [`Scratch::remove`] it, whatever happens.
    ///
    /// # Errors
    /// The user may not create it, or the server can't be reached.
    pub async fn create(target: &dyn Target, profile: TargetProfile, unique: &str) -> Result<Self> {
        let schema = format!("{PREFIX}{unique}");
        let epoch = target.take_over(&schema).await?;
        let mut writer = target.writer(&schema, epoch).await?;
        let sql = format!("CREATE DATABASE {}", render::quoted(&schema));
        writer.execute_ddl("", &sql).await.map_err(|error| {
            let grant = format!("GRANT ALL ON `{}%`.* TO the user", PREFIX.replace('_', "\\_"));
            match error.kind {
                ErrorKind::PrivilegeMissing | ErrorKind::UnknownDatabase => error.with_hint(grant),
                _ => error,
            }
        })?;
        let (reader, catalog) = (target.snapshot_reader().await?, target.catalog().await?);
        Ok(Self { schema, epoch, profile, writer, reader, catalog, tables: 0 })
    }

    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Drops the schema and the task's state.
    pub async fn remove(mut self, target: &dyn Target) -> Result<()> {
        self.writer.rollback().await?;
        let sql = format!("DROP DATABASE IF EXISTS {}", render::quoted(&self.schema));
        self.writer.execute_ddl("", &sql).await?;
        target.forget(&self.schema, self.epoch).await
    }

    /// Tries all values of a type.
    ///
    /// # Errors
    /// What ends the whole proof: a lost connection, a missing privilege. What the target refuses is a result.
    pub async fn prove(&mut self, subject: &Subject) -> Result<TypeResult> {
        let mut result = TypeResult {
            data_type: subject.data_type.clone(),
            source: sql_of(&subject.data_type),
            target: None,
            columns: subject.columns.clone(),
            error: None,
            classes: Vec::new(),
        };
        let table = match self.create_table(&subject.data_type).await {
            Ok(table) => table,
            Err(error) if is_fatal(&error) => return Err(error),
            Err(error) => {
                result.error = Some(error.chain());
                return Ok(result);
            }
        };
        result.target = Some(sql_of(&table.column().data_type));
        let tried = self.try_all(&table, &subject.samples).await;
        let drop = format!("DROP TABLE {}", render::quoted_table(&table.plan.target.name));
        self.writer.execute_ddl("", &drop).await?;
        result.classes = classes(&subject.samples, tried?);
        Ok(result)
    }

    async fn create_table(&mut self, data_type: &DataType) -> Result<ScratchTable> {
        self.tables += 1;
        let name = TableName::new(&self.schema, format!("t{}", self.tables));
        let source = source_table(&name, data_type.clone());
        let converted = convert_table(&source, &self.profile, &TableName::clone);
        self.writer.execute_ddl("", &converted.create).await?;
        let target = self.catalog.table_schemas(std::slice::from_ref(&name)).await?.pop();
        let target = target.ok_or_else(|| {
            ConnectorError::new(ErrorKind::UnknownTable, name.to_string(), "the scratch table is not there")
        })?;
        let number = self.tables;
        let plan = TablePlan::new(Arc::new(TableVersion::new(number, source)), Arc::new(target.clone()))
            .map_err(|error| {
                ConnectorError::new(ErrorKind::SchemaMismatch, name.to_string(), "planning")
                    .with_source(error)
            })?;
        Ok(ScratchTable { plan, stored: Arc::new(TableVersion::new(number, target)) })
    }

    /// Writes every sample on both ways and reads all of them back.
    async fn try_all(&mut self, table: &ScratchTable, samples: &[Sample]) -> Result<Vec<Tried>> {
        let mut tried: Vec<Tried> = samples.iter().map(|_| Tried::default()).collect();
        let imported = table.rows(samples.iter().enumerate().map(|(at, sample)| (at as i64, &sample.value)));
        let rows: Vec<RowRef<'_>> = imported.rows().collect();
        match self.writer.insert(&table.plan, &rows, InsertMode::Plain).await {
            Ok(_) => {}
            Err(error) if is_fatal(&error) => return Err(error),
            // As import does: without the refused ones.
            Err(_) => {
                for (row, tried) in rows.iter().zip(&mut tried) {
                    tried.import.refusal = self.insert_one(table, *row).await?;
                }
            }
        }
        for (at, sample) in samples.iter().enumerate() {
            tried[at].apply.refusal = self.apply_one(table, APPLIED + at as i64, &sample.value).await?;
        }
        self.read_back(table, &mut tried, &imported).await?;
        Ok(tried)
    }

    /// A row that may be there from the statement that failed.
    async fn insert_one(&mut self, table: &ScratchTable, row: RowRef<'_>) -> Result<Option<String>> {
        let done = self.writer.insert(&table.plan, &[row], InsertMode::Upsert).await;
        refusal(done.map(|_| ()))
    }

    async fn apply_one(&mut self, table: &ScratchTable, id: i64, value: &Value) -> Result<Option<String>> {
        let rows = table.rows([(id, &Value::Null), (id, value)].into_iter());
        let done = self.apply_changes(table, rows.row(0), rows.row(1)).await;
        if done.is_err() {
            self.writer.rollback().await?;
        }
        refusal(done)
    }

    /// Update, deletion and insertion, and the checkpoint, in one transaction.
    async fn apply_changes(
        &mut self,
        table: &ScratchTable,
        empty: RowRef<'_>,
        full: RowRef<'_>,
    ) -> Result<()> {
        let plan = &table.plan;
        self.writer.begin().await?;
        self.writer.insert(plan, &[empty], InsertMode::Plain).await?;
        expect_one(plan, "update", self.writer.update(plan, empty, full).await?)?;
        expect_one(plan, "deletion", self.writer.delete(plan, &[full]).await?)?;
        self.writer.insert(plan, &[full], InsertMode::Upsert).await?;
        self.writer.state_put(&StateKey::new("checkpoint", "prove"), b"prove").await?;
        self.writer.commit().await
    }

    async fn read_back(
        &mut self,
        table: &ScratchTable,
        tried: &mut [Tried],
        written: &RowBatch,
    ) -> Result<()> {
        self.reader.open_range(&table.stored, &KeyRange::default()).await?;
        loop {
            let mut batch = RowBatch::new(table.stored.kinds.clone());
            let more = self.reader.next_batch(&mut batch, READ_BYTES).await?;
            for row in batch.rows() {
                let ValueRef::Int(id) = row.get(ID) else { continue };
                let (at, is_import) = if id < APPLIED { (id, true) } else { (id - APPLIED, false) };
                let Some(place) = usize::try_from(at).ok().and_then(|at| tried.get_mut(at)) else { continue };
                let passage = if is_import { &mut place.import } else { &mut place.apply };
                passage.is_there = true;
                if !table.holds(written.row(at as usize), row) {
                    passage.read = Some(shown(&table.column().data_type, row.get(VALUE)));
                }
            }
            if !more {
                return Ok(());
            }
        }
    }
}

/// A scratch table, as the source would have it and as the target has it.
struct ScratchTable {
    plan: TablePlan,
    stored: Arc<TableVersion>,
}

impl ScratchTable {
    fn column(&self) -> &Column {
        &self.stored.schema.columns[VALUE]
    }

    /// Rows in the source's layout.
    fn rows<'v>(&self, values: impl Iterator<Item = (i64, &'v Value)>) -> RowBatch {
        let mut batch = RowBatch::new(self.plan.source.kinds.clone());
        for (id, value) in values {
            batch.push_int(id);
            batch.push_value(value.as_ref());
            batch.end_row();
        }
        batch
    }

    /// True where the target's row holds the source's value: as the verification sees it, and floats to the last bit.
    fn holds(&self, written: RowRef<'_>, read: RowRef<'_>) -> bool {
        let source = &self.plan.source.schema.columns[VALUE].data_type;
        match (written.get(VALUE), read.get(VALUE)) {
            (ValueRef::Double(a), ValueRef::Double(b)) => a.to_bits() == b.to_bits(),
            (ValueRef::Float(a), ValueRef::Float(b)) => a.to_bits() == b.to_bits(),
            _ => is_same_value((source, written), VALUE, (&self.column().data_type, read), VALUE),
        }
    }
}

/// How one value fared on one way.
#[derive(Default)]
struct Passage {
    refusal: Option<String>,
    is_there: bool,
    /// What was read, where it is another value.
    read: Option<String>,
}

#[derive(Default)]
struct Tried {
    import: Passage,
    apply: Passage,
}

impl Passage {
    fn outcome(&self) -> Outcome {
        if self.refusal.is_some() {
            Outcome::Refused
        } else if self.read.is_some() || !self.is_there {
            Outcome::Lossy
        } else {
            Outcome::Lossless
        }
    }
}

/// Sums the values of each class up, in the order of first appearance.
fn classes(samples: &[Sample], tried: Vec<Tried>) -> Vec<ClassResult> {
    let mut found: Vec<ClassResult> = Vec::new();
    for (sample, tried) in samples.iter().zip(tried) {
        let (route, passage) = match tried.apply.outcome() > tried.import.outcome() {
            true => (Route::Apply, tried.apply),
            false => (Route::Import, tried.import),
        };
        let outcome = passage.outcome();
        let at = match found.iter().position(|class| class.class == sample.class) {
            Some(at) => at,
            None => {
                let class = sample.class.to_owned();
                found.push(ClassResult { class, outcome: Outcome::Lossless, values: 0, example: None });
                found.len() - 1
            }
        };
        let class = &mut found[at];
        class.values += 1;
        if outcome > class.outcome {
            class.outcome = outcome;
            let written = super::show::sample(&sample.value);
            class.example = Some(Example { route, written, read: passage.read, error: passage.refusal });
        }
    }
    found
}

fn source_table(name: &TableName, data_type: DataType) -> TableSchema {
    let id = DataType::Int { bytes: 8, unsigned: false, zerofill: None };
    TableSchema {
        primary_key: Some(Key::on_columns("PRIMARY", ["id"])),
        ..TableSchema::new(
            name.clone(),
            vec![Column::new("id", id, false), Column::new("v", data_type, true)],
        )
    }
}

fn expect_one(plan: &TablePlan, what: &str, rows: u64) -> Result<()> {
    if rows == 1 {
        return Ok(());
    }
    let message = format!("the {what} found {rows} rows instead of one");
    Err(ConnectorError::new(ErrorKind::RowRefused, plan.target.name.to_string(), message))
}

/// What is no result about a value but ends the proof.
fn is_fatal(error: &ConnectorError) -> bool {
    match error.kind {
        ErrorKind::ConnectionLost
        | ErrorKind::Unreachable
        | ErrorKind::Fenced
        | ErrorKind::PrivilegeMissing
        | ErrorKind::ReadOnly => true,
        _ => error.policy() == Policy::Retry,
    }
}

fn refusal(done: Result<()>) -> Result<Option<String>> {
    match done {
        Ok(()) => Ok(None),
        Err(error) if is_fatal(&error) => Err(error),
        Err(error) => Ok(Some(error.chain())),
    }
}
