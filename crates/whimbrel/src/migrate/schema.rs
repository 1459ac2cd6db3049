//! The schema step: tables at the target, and what belongs to them later (indexes, foreign keys).
//!
//! State entries at the target (JSON, `"version": 1`):
//!
//! | kind | item | says |
//! |---|---|---|
//! | `schema` | source table name | this task makes the table, so it may add indexes and foreign keys |
//! | `import` | `overlap` | the position at or after every read of the import |

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use whimbrel_connector::{
    Catalog, ConnectorError, ErrorKind, FailPoint, Result, ServerInfo, Source, StateKey, TablePlan, Target,
    Writer,
};
use whimbrel_dbcat::{ConvertedTable, NamedDdl, TargetProfile, convert_table, create_schema};
use whimbrel_full_import::{ImportReport, ImportTable, IndexDdl};
use whimbrel_model::{Position, TableName, TableSchema, TableVersion};

use super::Task;
use crate::cli::Step;
use crate::failure::Failure;
use crate::merging::Merging;
use crate::spelling::Spelling;

const VERSION: u32 = 1;
const SCHEMA: &str = "schema";
const IMPORT: &str = "import";
const OVERLAP: &str = "overlap";

/// Persisted: this task makes the table.
#[derive(Serialize, Deserialize)]
struct OwnTable {
    version: u32,
}

/// Persisted: where the import's reads ended.
#[derive(Serialize, Deserialize)]
struct OverlapEnd {
    version: u32,
    position: Position,
}

/// One table of the task.
pub struct MigratedTable {
    pub plan: Arc<TablePlan>,
    /// Made by this task, so indexes and foreign keys are its business too. Of several tables that become one, the first
    /// has them all.
    own: bool,
    indexes: Vec<NamedDdl>,
    foreign_keys: Vec<NamedDdl>,
}

impl MigratedTable {
    /// This task has made it.
    pub fn is_own(&self) -> bool {
        self.own
    }

    pub fn import(&self) -> ImportTable {
        let indexes = self.indexes.iter().filter(|_| self.own);
        ImportTable {
            plan: self.plan.clone(),
            indexes: indexes.map(|ddl| IndexDdl { name: ddl.name.clone(), sql: ddl.sql.clone() }).collect(),
        }
    }
}

/// Makes the tables that aren't there, and plans how rows go into each.
pub async fn prepare(
    task: &Task,
    id: &str,
    epoch: u64,
    sources: &[TableSchema],
    (server, merging): (&ServerInfo, &Merging),
) -> std::result::Result<Vec<MigratedTable>, Failure> {
    let target: &dyn Target = task.target.as_ref();
    let mut writer = target.writer(id, epoch).await?;
    let mut catalog = target.catalog().await?;
    let profile = task.profile(server);
    let rename = |name: &TableName| task.rules.target_name(name);
    let sources = &merging.with_common_numbers(sources);
    let converted: Vec<ConvertedTable> =
        sources.iter().map(|table| convert_table(table, &profile, &rename)).collect();
    let leaders = leaders(sources, &converted, merging);
    let names: Vec<TableName> = converted.iter().map(|table| table.schema.name.clone()).collect();
    let spelling = Spelling::of(server);
    let existing = spelling.by_name(catalog.existing_tables(&names).await?);
    // Once the import is over, statements of the log may have changed or removed any table.
    let imported = writer.state_get(&StateKey::new(IMPORT, OVERLAP)).await?.is_some();
    if task.has(Step::Schema) && !imported {
        let pairs = sources.iter().map(|table| &table.name).zip(&names);
        create_schemas(task, &profile, writer.as_mut(), catalog.as_mut(), pairs).await?;
        for (number, (table, source)) in converted.iter().zip(sources).enumerate() {
            if leaders[number] == number && !existing.contains_key(&spelling.of_table(&table.schema.name)) {
                create(writer.as_mut(), &source.name, table).await?;
            }
        }
    }
    let own: Vec<Vec<u8>> =
        writer.state_list(SCHEMA, b"").await?.into_iter().map(|entry| entry.key.item).collect();
    let targets = spelling.by_name(catalog.existing_tables(&names).await?);
    let mut tables = Vec::with_capacity(sources.len());
    for (number, (table, source)) in converted.into_iter().zip(sources).enumerate() {
        let name = &table.schema.name;
        let mut source = source.clone();
        let there = match targets.get(&spelling.of_table(name)).cloned() {
            Some(there) => there,
            None if imported => continue,
            None => return Err(missing(name)),
        };
        if imported {
            source.columns.retain(|column| there.column_index(&column.name).is_some());
        }
        let leader = &sources[leaders[number]].name;
        let own = own.iter().any(|item| *item == leader.to_string().into_bytes());
        let merged = merging.merges(&source.name);
        let leads = leaders[number] == number;
        let version = Arc::new(TableVersion::new(number as u64, source));
        let plan = match TablePlan::new(version, Arc::new(there)) {
            Ok(plan) => plan.merging(merged),
            Err(_) if imported => continue,
            Err(error) => return Err(unfit(name, error)),
        };
        let (indexes, foreign_keys) = match leads {
            true => (table.indexes, table.foreign_keys),
            false => (Vec::new(), Vec::new()),
        };
        tables.push(MigratedTable { plan: Arc::new(plan), own, indexes, foreign_keys });
    }
    Ok(tables)
}

/// For each table the first of those that become the same: itself, where nothing is merged.
fn leaders(sources: &[TableSchema], converted: &[ConvertedTable], merging: &Merging) -> Vec<usize> {
    let mut first = BTreeMap::new();
    let tables = sources.iter().zip(converted).enumerate();
    tables
        .map(|(number, (source, table))| match merging.merges(&source.name) {
            true => *first.entry(&table.schema.name).or_insert(number),
            false => number,
        })
        .collect()
}

fn missing(name: &TableName) -> Failure {
    ConnectorError::new(
        ErrorKind::UnknownTable,
        format!("table {name} of the target"),
        "the table does not exist",
    )
    .with_hint("create it, or add the step schema")
    .into()
}

fn unfit(name: &TableName, error: whimbrel_connector::PlanError) -> Failure {
    ConnectorError::new(
        ErrorKind::SchemaMismatch,
        format!("table {name} of the target"),
        "the table can't hold the source's rows",
    )
    .with_source(error)
    .with_hint(
        "give it the columns and keys of the source's table, or drop it and let the schema step make it",
    )
    .into()
}

/// Makes the schemas that aren't there, with the default collation of the source's schema. `names` are pairs of what moves:
/// its name at the source and at the target.
pub(super) async fn create_schemas<'n>(
    task: &Task,
    profile: &TargetProfile,
    writer: &mut dyn Writer,
    catalog: &mut dyn Catalog,
    names: impl Iterator<Item = (&'n TableName, &'n TableName)>,
) -> Result<()> {
    let spelling = Spelling::of(&catalog.server().await?);
    let existing: Vec<String> = catalog.schemas().await?.iter().map(|name| spelling.of_name(name)).collect();
    let mut wanted: BTreeMap<&str, &str> = BTreeMap::new();
    for (source, target) in names {
        if !existing.contains(&spelling.of_name(&target.schema)) {
            wanted.entry(&target.schema).or_insert(&source.schema);
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let collations = Source::catalog(task.source.as_ref()).await?.schema_collations().await?;
    for (schema, source) in wanted {
        let sql = create_schema(schema, collations.get(source).map(String::as_str), profile);
        writer.execute_ddl("", &sql).await?;
    }
    Ok(())
}

/// Says first that the table is this task's: a crash in between leaves nothing that could be mistaken for a table of
/// somebody else.
async fn create(writer: &mut dyn Writer, source: &TableName, table: &ConvertedTable) -> Result<()> {
    let key = StateKey::new(SCHEMA, source.to_string());
    writer.state_put(&key, &json(&OwnTable { version: VERSION })).await?;
    FailPoint::OwnTableRecorded.reached();
    writer.execute_ddl("", &table.create).await.map_err(|error| {
        let object = format!("table {}", table.schema.name);
        let (kind, hint) = (error.kind.clone(), error.hint().to_owned());
        ConnectorError::new(kind, object, "creating the table at the target failed")
            .with_hint(format!(
                "{hint}; whimbrel plan shows the statement, and a table that you create is used as it is"
            ))
            .with_source(error)
    })?;
    FailPoint::TableCreated.reached();
    Ok(())
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain structs of numbers and strings are always JSON")
}

/// Adds the foreign keys of the tables that this task made and that aren't there yet.
pub async fn add_foreign_keys(
    task: &Task,
    id: &str,
    epoch: u64,
    tables: &[MigratedTable],
) -> std::result::Result<(), Failure> {
    let wanted: Vec<&MigratedTable> =
        tables.iter().filter(|table| table.own && !table.foreign_keys.is_empty()).collect();
    if wanted.is_empty() || !task.has(Step::Schema) {
        return Ok(());
    }
    let target: &dyn Target = task.target.as_ref();
    let names: Vec<TableName> = wanted.iter().map(|table| table.plan.target.name.clone()).collect();
    let mut catalog = target.catalog().await?;
    let spelling = Spelling::of(&catalog.server().await?);
    let existing = spelling.by_name(catalog.existing_tables(&names).await?);
    let mut writer = target.writer(id, epoch).await?;
    for table in wanted {
        let name = &table.plan.target.name;
        let Some(there) = existing.get(&spelling.of_table(name)) else { continue };
        for ddl in &table.foreign_keys {
            if there.foreign_keys.iter().any(|key| key.name.eq_ignore_ascii_case(&ddl.name)) {
                continue;
            }
            writer.execute_ddl(&name.schema, &ddl.sql).await.map_err(|error| {
                let object = format!("foreign key {} of table {name}", ddl.name);
                let kind = error.kind.clone();
                ConnectorError::new(kind, object, "adding the foreign key failed").with_source(error).with_hint(
                    "move the parent table too, or add the foreign key by hand; run again to go on without it",
                )
            })?;
            FailPoint::ForeignKeyAdded.reached();
        }
    }
    Ok(())
}

/// Where the import's reads ended: fixed by the first run that finished the import.
pub async fn overlap_end(
    task: &Task,
    id: &str,
    epoch: u64,
    imported: Option<&ImportReport>,
) -> std::result::Result<Position, Failure> {
    let mut writer = Target::writer(task.target.as_ref(), id, epoch).await?;
    let key = StateKey::new(IMPORT, OVERLAP);
    if let Some(payload) = writer.state_get(&key).await? {
        let known: OverlapEnd = serde_json::from_slice(&payload)
            .map_err(|error| Failure::corrupt("state entry import at the target", error.to_string()))?;
        if known.version != VERSION {
            let message = format!("it has version {}, this program knows {VERSION}", known.version);
            return Err(Failure::corrupt("state entry import at the target", message));
        }
        return Ok(known.position);
    }
    let position = match imported {
        Some(report) => report.overlap_until.clone(),
        // Rows came another way: all that is committed by now may be in them.
        None => Source::catalog(task.source.as_ref()).await?.position_after_reads().await?,
    };
    writer.state_put(&key, &json(&OverlapEnd { version: VERSION, position: position.clone() })).await?;
    FailPoint::OverlapRecorded.reached();
    Ok(position)
}
