//! A plan as JSON, version 1: one object, its tables converted and written one by one.

use std::io::{self, Write};

use serde::{Serialize, Serializer};
use whimbrel_connector::{Finding, ServerInfo};
use whimbrel_dbcat::{ConvertedTable, Loss, Note, render};
use whimbrel_model::TableSchema;

use super::{Plan, conditions, notes_of, target_schemas};

const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    source: Server<'a>,
    target: Server<'a>,
    steps: Vec<&'static str>,
    target_schemas: Vec<String>,
    findings: &'a [Finding],
    tables: Tables<'a>,
}

/// Never held whole.
struct Tables<'a>(&'a Plan<'a>);

impl Serialize for Tables<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.tables().map(|(table, converted)| Table::new(self.0, table, converted)))
    }
}

#[derive(Serialize)]
struct Server<'a> {
    flavor: whimbrel_connector::Flavor,
    version: &'a str,
}

/// One table: each of its columns with the type before and after, the rules that were followed, and the statements.
#[derive(Serialize)]
struct Table<'a> {
    source: String,
    target: String,
    /// How its rows are copied.
    rows: String,
    /// Another table that becomes the same table of the target; its statements make both.
    #[serde(skip_serializing_if = "Option::is_none")]
    made_with: Option<String>,
    /// Only rows for which all of these hold are moved.
    conditions: Vec<String>,
    columns: Vec<ColumnPlan<'a>>,
    notes: Vec<Note>,
    create: String,
    indexes: Vec<String>,
    foreign_keys: Vec<String>,
}

impl<'a> Table<'a> {
    fn new(plan: &Plan<'_>, table: &'a TableSchema, converted: ConvertedTable) -> Self {
        let columns = table.columns.iter().map(|column| {
            let now = converted.schema.columns.iter().find(|other| other.name == column.name);
            ColumnPlan {
                name: &column.name,
                source_type: render::data_type(&column.data_type),
                target_type: now.map(|now| render::data_type(&now.data_type)),
                loss: notes_of(table, column, &converted).map(|note| note.loss).max().unwrap_or(Loss::None),
                rules: notes_of(table, column, &converted).map(|note| note.rule).collect(),
            }
        });
        Self {
            source: table.name.to_string(),
            target: converted.schema.name.to_string(),
            rows: plan.chunks_by(table),
            made_with: plan.made_with(table).map(|first| first.name.to_string()),
            conditions: conditions(plan, &table.name),
            columns: columns.collect(),
            notes: converted.notes,
            create: converted.create,
            indexes: converted.indexes.into_iter().map(|ddl| ddl.sql).collect(),
            foreign_keys: converted.foreign_keys.into_iter().map(|ddl| ddl.sql).collect(),
        }
    }
}

#[derive(Serialize)]
struct ColumnPlan<'a> {
    name: &'a str,
    source_type: String,
    /// Null where the column is left out.
    target_type: Option<String>,
    loss: Loss,
    rules: Vec<&'static str>,
}

pub(super) fn write(plan: &Plan<'_>, out: &mut impl Write) -> io::Result<()> {
    let document = Document {
        version: VERSION,
        source: server(&plan.checked.source),
        target: server(&plan.checked.target),
        steps: plan.steps(),
        target_schemas: target_schemas(plan),
        findings: &plan.checked.findings,
        tables: Tables(plan),
    };
    serde_json::to_writer(&mut *out, &document)?;
    writeln!(out)
}

fn server(server: &ServerInfo) -> Server<'_> {
    Server { flavor: server.flavor, version: &server.version_text }
}
