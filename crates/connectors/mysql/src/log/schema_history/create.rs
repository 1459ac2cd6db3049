//! CREATE TABLE.

use whimbrel_model::{Column, TableName, TableSchema};
use whimbrel_mysql_ddl::ast::{ColumnDef, TableDefinition, TableElement, TableOptions};

use super::SchemaError;
use super::charsets::resolve;
use super::column::{ColumnContext, Defined, define, implicit_timestamp_defaults};
use super::keys::{self, KeyContext};

/// The table that a definition makes. `context.collation` is the database's default.
pub(super) fn create(
    name: TableName,
    definition: &TableDefinition,
    context: ColumnContext<'_>,
) -> Result<TableSchema, SchemaError> {
    if definition.options.is_system_versioned() {
        return Err(SchemaError::Unsupported("a system-versioned table"));
    }
    let schema = name.schema.clone();
    let mut table = TableSchema::new(name, Vec::new());
    let collation = table_collation(&definition.options, context);
    let context = ColumnContext { collation: &collation, ..context };
    let key_context = KeyContext::new(context.server, &schema);
    let mut late = Vec::new();
    for element in &definition.elements {
        if let TableElement::Column(def) = element {
            let defined = define(def, context)?;
            table.columns.push(defined.column.clone());
            late.push((def, defined));
        }
    }
    // Columns first: keys may name columns that stand behind them.
    for (_, defined) in &late {
        add_inline(&mut table, defined, key_context);
    }
    for element in &definition.elements {
        add_element(&mut table, element, key_context)?;
    }
    for (def, defined) in &late {
        add_inline_reference(&mut table, def, defined, (key_context, context.server.version));
    }
    implicit_timestamp_defaults(&mut table.columns, context);
    apply_options(&mut table, &definition.options);
    table.collation = Some(collation);
    table.partitioning = definition.partitioning.as_ref().map(ToString::to_string);
    Ok(table)
}

/// The default collation that options give a table.
pub(super) fn table_collation(options: &TableOptions, context: ColumnContext<'_>) -> String {
    let (charset, collation) = (options.charset(), options.collation());
    resolve(charset.as_deref(), collation.as_deref(), context.collation, context.server, context.session)
}

/// Engine, comment and counter; charsets are the caller's.
pub(super) fn apply_options(table: &mut TableSchema, options: &TableOptions) {
    if let Some(engine) = options.engine() {
        table.engine = Some(engine.to_owned());
    }
    if let Some(comment) = options.comment() {
        comment.clone_into(&mut table.comment);
    }
    if let Some(next) = options.auto_increment() {
        table.auto_increment = Some(next);
    }
}

/// Keys and checks that stand in a column's definition.
pub(super) fn add_inline(table: &mut TableSchema, defined: &Defined, context: KeyContext<'_>) {
    let name = &defined.column.name;
    if defined.primary {
        table.primary_key = Some(whimbrel_model::Key::on_columns("PRIMARY", [name.as_str()]));
    }
    if defined.unique {
        keys::add_inline_unique(table, name);
    }
    for (check, expression, enforced) in &defined.checks {
        let place = (context, true);
        keys::add_check(table, check.clone(), expression.clone(), *enforced, place);
    }
}

/// Foreign keys that stand in a column's definition count in MariaDB from 10.5 and MySQL from 9.0 on.
pub(super) fn add_inline_reference(
    table: &mut TableSchema,
    def: &ColumnDef,
    defined: &Defined,
    context: (KeyContext<'_>, (u16, u16, u16)),
) {
    let (key_context, version) = context;
    let counts = if key_context.mariadb { version >= (10, 5, 0) } else { version >= (9, 0, 0) };
    if let Some((_, references)) = defined.references.as_ref().filter(|_| counts) {
        keys::add_reference(table, None, std::slice::from_ref(&def.name), references, key_context);
    }
}

/// Everything between the parentheses but columns.
pub(super) fn add_element(
    table: &mut TableSchema,
    element: &TableElement,
    context: KeyContext<'_>,
) -> Result<(), SchemaError> {
    match element {
        TableElement::Column(_) | TableElement::Period(_) => {}
        TableElement::Index(def) => keys::add_index(table, def, context)?,
        TableElement::ForeignKey(def) => keys::add_foreign_key(table, def, context),
        TableElement::Check(def) => keys::add_check_def(table, def, context),
    }
    Ok(())
}

/// The table that `CREATE TABLE ... LIKE` makes of `model`: all but foreign keys and the counter.
pub(super) fn like(name: TableName, model: &TableSchema, mariadb: bool) -> TableSchema {
    let mut table = TableSchema { name, foreign_keys: Vec::new(), auto_increment: None, ..model.clone() };
    // In MySQL names of checks are unique in a schema, so all copies get names of their own.
    for (index, check) in table.checks.iter_mut().enumerate().filter(|_| !mariadb) {
        check.name = format!("{}_chk_{}", table.name.table, index + 1);
    }
    table
}

/// Gives a table another name, and the foreign keys and checks that were named after it.
pub(super) fn rename(table: &mut TableSchema, to: TableName) {
    let follow = |name: &mut String, mark: &str| {
        let number = name.strip_prefix(&format!("{}{mark}", table.name.table)).map(str::to_owned);
        if let Some(number) = number.filter(|number| number.bytes().all(|digit| digit.is_ascii_digit())) {
            *name = format!("{}{mark}{number}", to.table);
        }
    };
    for key in &mut table.foreign_keys {
        follow(&mut key.name, "_ibfk_");
    }
    for check in &mut table.checks {
        follow(&mut check.name, "_chk_");
    }
    table.name = to;
}

/// Position of a column by name, for the definitions of ALTER TABLE.
pub(super) fn position(columns: &[Column], name: &str) -> Option<usize> {
    columns.iter().position(|column| keys::same(&column.name, name))
}
