//! Keys, foreign keys and checks as statements define them, with the names that servers give.

use whimbrel_model::schema::{Check, KeyKind, KeyPartOn};
use whimbrel_model::{CellKind, ColumnDefault, DataType, ForeignKey, Key, KeyPart, TableName, TableSchema};
use whimbrel_mysql_ddl::ast::{
    CheckDef, ForeignKeyDef, Ident, IndexDef, IndexKind, IndexOption, KeyPartTarget, References,
    ReferentialAction, SortOrder,
};

use super::SchemaError;
use super::charsets::ServerDefaults;

/// What of the statement decides how keys come out.
#[derive(Clone, Copy)]
pub(super) struct KeyContext<'a> {
    pub(super) mariadb: bool,
    /// For parents of foreign keys that are named without a schema.
    pub(super) schema: &'a str,
    /// MySQL before 5.7: columns that only a PRIMARY KEY clause makes NOT NULL get the default of their type.
    pub(super) implicit_defaults: bool,
    /// Keys have directions: MySQL from 8.0.1, MariaDB from 10.8; others read past DESC.
    directions: bool,
    /// MySQL before 8.0.16 reads past checks.
    checks: bool,
    /// What the catalogue calls the action of a foreign key that says none.
    unsaid_action: &'static str,
}

impl<'a> KeyContext<'a> {
    pub(super) fn new(server: &ServerDefaults, schema: &'a str) -> Self {
        let implicit_defaults = !server.mariadb && server.version < (5, 7, 0);
        let (mariadb, version) = (server.mariadb, server.version);
        let directions = if mariadb { version >= (10, 8, 0) } else { version >= (8, 0, 1) };
        let unsaid_action = if mariadb || version < (8, 0, 0) { "RESTRICT" } else { "NO ACTION" };
        let checks = mariadb || version >= (8, 0, 16);
        Self { mariadb, schema, implicit_defaults, directions, checks, unsaid_action }
    }
}

/// True where the table has an index of the name.
pub(super) fn has_index(table: &TableSchema, name: &str) -> bool {
    all_keys(table).any(|key| same(&key.name, name))
}

pub(super) fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || a.to_lowercase() == b.to_lowercase()
}

fn all_keys(table: &TableSchema) -> impl Iterator<Item = &Key> {
    table.primary_key.iter().chain(&table.unique_keys).chain(&table.indexes)
}

/// Adds an index, as CREATE TABLE, ALTER TABLE and CREATE INDEX do.
pub(super) fn add_index(
    table: &mut TableSchema,
    def: &IndexDef,
    context: KeyContext<'_>,
) -> Result<(), SchemaError> {
    let mut parts = def.parts.iter().map(|part| key_part(table, part)).collect::<Result<Vec<_>, _>>()?;
    for part in &mut parts {
        part.descending &= context.directions;
    }
    let given = def.given_name().map(|name| name.value.clone());
    if def.if_not_exists && given.as_ref().is_some_and(|name| has_index(table, name)) {
        return Ok(());
    }
    if def.kind == IndexKind::Primary {
        for part in &parts {
            if let Some(index) = part.column().and_then(|name| table.column_index(name))
                && let Some(column) = table.columns.get_mut(index)
            {
                if column.nullable && column.default.is_none() && context.implicit_defaults {
                    column.default = implicit_default(&column.data_type);
                }
                column.nullable = false;
            }
        }
        table.primary_key = Some(key("PRIMARY".to_owned(), parts, def));
        return Ok(());
    }
    let columns: Vec<String> = parts.iter().filter_map(|part| part.column().map(str::to_owned)).collect();
    drop_generated(table, &columns);
    let name = given.unwrap_or_else(|| free_name(table, parts.first().and_then(KeyPart::column)));
    let key = key(name, parts, def);
    if def.kind == IndexKind::Unique {
        table.unique_keys.push(key);
    } else {
        table.indexes.push(key);
    }
    Ok(())
}

/// What a NOT NULL column holds that has no default of its own.
fn implicit_default(data_type: &DataType) -> Option<ColumnDefault> {
    let text = match data_type.cell_kind() {
        CellKind::Int | CellKind::UInt | CellKind::Float | CellKind::Double => "0",
        CellKind::Date => "0000-00-00",
        CellKind::Time => "00:00:00",
        CellKind::DateTime | CellKind::Timestamp => "0000-00-00 00:00:00",
        CellKind::Year => "0000",
        CellKind::Text if !matches!(data_type, DataType::Text { .. }) => "",
        _ => return None,
    };
    Some(ColumnDefault::Literal(text.to_owned()))
}

/// Adds the unique key of a column that is defined with UNIQUE.
pub(super) fn add_inline_unique(table: &mut TableSchema, column: &str) {
    let name = free_name(table, Some(column));
    table.unique_keys.push(Key::on_columns(name, [column]));
}

fn key(name: String, parts: Vec<KeyPart>, def: &IndexDef) -> Key {
    let kind = match def.kind {
        IndexKind::Fulltext => KeyKind::FullText,
        IndexKind::Spatial => KeyKind::Spatial,
        IndexKind::Vector => KeyKind::Vector,
        _ => KeyKind::Ordered,
    };
    let mut key = Key { name, parts, kind, parser: None, invisible: false, comment: String::new() };
    for option in &def.options {
        match option {
            IndexOption::Comment(text) => key.comment.clone_from(text),
            IndexOption::WithParser(name) => key.parser = Some(name.value.to_lowercase()),
            IndexOption::Invisible | IndexOption::Ignored => key.invisible = true,
            IndexOption::Visible | IndexOption::NotIgnored => key.invisible = false,
            _ => {}
        }
    }
    key
}

fn key_part(table: &TableSchema, part: &whimbrel_mysql_ddl::ast::KeyPart) -> Result<KeyPart, SchemaError> {
    let descending = part.order == Some(SortOrder::Desc);
    let name = match &part.target {
        KeyPartTarget::Expr(text) => {
            return Ok(KeyPart { on: KeyPartOn::Expression(text.text.clone()), prefix: None, descending });
        }
        KeyPartTarget::Column(name) => &name.value,
    };
    let index = table.column_index(name).ok_or_else(|| SchemaError::NoColumn(name.clone()))?;
    let column = table.columns.get(index).ok_or_else(|| SchemaError::NoColumn(name.clone()))?;
    let prefix = part.length.and_then(|n| u32::try_from(n).ok()).filter(|n| !covers(&column.data_type, *n));
    Ok(KeyPart { on: KeyPartOn::Column(column.name.clone()), prefix, descending })
}

/// True where a prefix of this length is the whole column, which servers show as no prefix.
fn covers(data_type: &DataType, length: u32) -> bool {
    match data_type {
        DataType::Char { chars, .. } | DataType::VarChar { chars, .. } => length >= *chars,
        DataType::Binary { bytes } | DataType::VarBinary { bytes } => length >= *bytes,
        _ => false,
    }
}

/// The first column's name, with `_2`, `_3`, ... where that is taken.
fn free_name(table: &TableSchema, column: Option<&str>) -> String {
    let base = column.unwrap_or("functional_index");
    if !same(base, "PRIMARY") && !has_index(table, base) {
        return base.to_owned();
    }
    let mut number = 2;
    loop {
        let name = format!("{base}_{number}");
        if !has_index(table, &name) {
            return name;
        }
        number += 1;
    }
}

/// Adds a foreign key, and the index on its columns that servers make where none begins with them.
pub(super) fn add_foreign_key(table: &mut TableSchema, def: &ForeignKeyDef, context: KeyContext<'_>) {
    let name = def.constraint.as_ref().or(def.index_name.as_ref());
    if def.if_not_exists
        && name.is_some_and(|name| table.foreign_keys.iter().any(|k| same(&k.name, &name.value)))
    {
        return;
    }
    add_reference(table, name, &def.columns, &def.references, context);
}

pub(super) fn add_reference(
    table: &mut TableSchema,
    name: Option<&Ident>,
    columns: &[Ident],
    references: &References,
    context: KeyContext<'_>,
) {
    let columns: Vec<String> = columns.iter().map(|column| column_name(table, &column.value)).collect();
    let name = name.map(|name| name.value.clone());
    drop_generated(table, &columns);
    if !all_keys(table).any(|key| starts_with(key, &columns)) {
        let index_name = match &name {
            Some(name) if !has_index(table, name) => name.clone(),
            _ => free_name(table, columns.first().map(String::as_str)),
        };
        table.indexes.push(Key::on_columns(index_name, columns.iter().map(String::as_str)));
    }
    let schema = references.table.schema.as_ref().map_or(context.schema, |schema| &schema.value);
    let action = |action: Option<ReferentialAction>| {
        match action {
            None => context.unsaid_action,
            Some(ReferentialAction::Restrict) => "RESTRICT",
            Some(ReferentialAction::Cascade) => "CASCADE",
            Some(ReferentialAction::SetNull) => "SET NULL",
            Some(ReferentialAction::NoAction) => "NO ACTION",
            Some(ReferentialAction::SetDefault) => "SET DEFAULT",
        }
        .to_owned()
    };
    let key = ForeignKey {
        name: name.unwrap_or_else(|| free_foreign_key_name(table)),
        columns,
        parent: TableName::new(schema, &references.table.name.value),
        parent_columns: references.columns.iter().map(|column| column.value.clone()).collect(),
        on_update: action(references.on_update),
        on_delete: action(references.on_delete),
    };
    table.foreign_keys.push(key);
}

/// Takes away an index that the server made for a foreign key (it has the key's name) once a new key on
/// `columns` serves as well.
fn drop_generated(table: &mut TableSchema, columns: &[String]) {
    let foreign_keys = &table.foreign_keys;
    table.indexes.retain(|index| {
        let made_for = foreign_keys.iter().any(|key| {
            same(&key.name, &index.name)
                && starts_with(index, &key.columns)
                && index.parts.len() == key.columns.len()
        });
        let covered = index.parts.len() <= columns.len()
            && index
                .parts
                .iter()
                .zip(columns)
                .all(|(part, column)| part.column().is_some_and(|name| same(name, column)));
        !(made_for && covered)
    });
}

fn starts_with(key: &Key, columns: &[String]) -> bool {
    key.kind == KeyKind::Ordered
        && key.parts.len() >= columns.len()
        && key.parts.iter().zip(columns).all(|(part, column)| {
            part.prefix.is_none() && part.column().is_some_and(|name| same(name, column))
        })
}

/// `table_ibfk_n` with the number after the highest there.
fn free_foreign_key_name(table: &TableSchema) -> String {
    let prefix = format!("{}_ibfk_", table.name.table);
    let numbers =
        table.foreign_keys.iter().filter_map(|key| key.name.strip_prefix(&prefix)?.parse::<u32>().ok());
    format!("{prefix}{}", numbers.max().unwrap_or(0) + 1)
}

/// Adds a check; `of_column` where it stands in a column's definition: in MariaDB such a check has no name.
pub(super) fn add_check(
    table: &mut TableSchema,
    name: Option<String>,
    expression: String,
    enforced: bool,
    (context, of_column): (KeyContext<'_>, bool),
) {
    let mariadb = context.mariadb;
    if !context.checks {
        return;
    }
    let prefix = if mariadb { "CONSTRAINT_".to_owned() } else { format!("{}_chk_", table.name.table) };
    let unnamed = (mariadb && of_column).then(String::new);
    let name = name.or(unnamed).unwrap_or_else(|| {
        let numbers =
            table.checks.iter().filter_map(|check| check.name.strip_prefix(&prefix)?.parse::<u32>().ok());
        format!("{prefix}{}", numbers.max().unwrap_or(0) + 1)
    });
    table.checks.push(Check { name, expression, enforced });
}

/// Takes away the nameless checks of a column that is dropped or defined anew.
pub(super) fn drop_column_checks(table: &mut TableSchema, column: &str) {
    let quoted = format!("`{}`", column.to_lowercase());
    table.checks.retain(|check| !check.name.is_empty() || !check.expression.to_lowercase().contains(&quoted));
}

pub(super) fn add_check_def(table: &mut TableSchema, def: &CheckDef, context: KeyContext<'_>) {
    let name = def.constraint.as_ref().map(|name| name.value.clone());
    if def.if_not_exists && name.as_ref().is_some_and(|name| table.checks.iter().any(|c| same(&c.name, name)))
    {
        return;
    }
    add_check(table, name, def.expr.text.clone(), def.enforced.unwrap_or(true), (context, false));
}

/// Removes an index of any kind; true where there was one.
pub(super) fn drop_index(table: &mut TableSchema, name: &str) -> bool {
    if same(name, "PRIMARY") {
        return table.primary_key.take().is_some();
    }
    let count = table.unique_keys.len() + table.indexes.len();
    table.unique_keys.retain(|key| !same(&key.name, name));
    table.indexes.retain(|key| !same(&key.name, name));
    table.unique_keys.len() + table.indexes.len() < count
}

pub(super) fn index_mut<'a>(table: &'a mut TableSchema, name: &str) -> Option<&'a mut Key> {
    table.unique_keys.iter_mut().chain(&mut table.indexes).find(|key| same(&key.name, name))
}

/// Renames columns in all keys, and takes out those that are gone; a key without parts goes.
///
/// `rename` gives a column's new name, `None` for one that is dropped.
pub(super) fn follow_columns(table: &mut TableSchema, rename: impl Fn(&str) -> Option<String>) {
    let follow = |mut key: Key| {
        key.parts.retain_mut(|part| match &mut part.on {
            KeyPartOn::Column(name) => match rename(name) {
                Some(new) => {
                    *name = new;
                    true
                }
                None => false,
            },
            KeyPartOn::Expression(_) => true,
        });
        (!key.parts.is_empty()).then_some(key)
    };
    table.primary_key = table.primary_key.take().and_then(follow);
    table.unique_keys = std::mem::take(&mut table.unique_keys).into_iter().filter_map(follow).collect();
    table.indexes = std::mem::take(&mut table.indexes).into_iter().filter_map(follow).collect();
    for key in &mut table.foreign_keys {
        for column in &mut key.columns {
            if let Some(new) = rename(column) {
                *column = new;
            }
        }
    }
}

/// A column's name as the table spells it.
fn column_name(table: &TableSchema, name: &str) -> String {
    let known = table.column_index(name).and_then(|index| table.columns.get(index));
    known.map_or_else(|| name.to_owned(), |column| column.name.clone())
}
