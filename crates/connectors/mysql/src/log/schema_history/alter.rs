//! ALTER TABLE.
//!
//! As in the servers, columns and keys that DROP, MODIFY, CHANGE, RENAME and ALTER clauses name are those
//! before the statement, in whatever order the clauses stand; AFTER and the columns of new keys are those
//! after it. So the old columns are gone through once, then new and moved ones are put in, then keys follow.

use std::collections::HashMap;

use whimbrel_model::{Column, DataType, TableName, TableSchema, TextSize};
use whimbrel_mysql_ddl::ast::{
    AlterClause, AlterColumnAction, AlterTable, ColumnDef, ColumnPosition, IndexVisibility, TableElement,
    TableOptions,
};

use super::SchemaError;
use super::charsets::{charset_of, resolve};
use super::column::{ColumnContext, Defined, default, define, max_char_len, size_for, varchar};
use super::create::{
    add_element, add_inline, add_inline_reference, apply_options, position, rename, table_collation,
};
use super::keys::{self, KeyContext, same};

/// An ALTER TABLE under way.
struct Alteration<'a> {
    table: TableSchema,
    context: ColumnContext<'a>,
    keys: KeyContext<'a>,
    /// New names of old columns, by lower-case old name; `None` for dropped ones.
    renames: HashMap<String, Option<String>>,
    /// Definitions that go to a place of their own, in the statement's order: new columns and moved ones.
    placed: Vec<(Column, Option<ColumnPosition>)>,
    /// Columns with keys or checks in their definitions.
    inline: Vec<(&'a ColumnDef, Defined)>,
}

/// Applies a statement to a table. `context.collation` is the database's default. Returns the table as it is
/// afterwards, under its new name if it was renamed (`new_name` gives unqualified names their schema).
pub(super) fn alter(
    table: &TableSchema,
    statement: &AlterTable,
    context: ColumnContext<'_>,
    new_name: impl Fn(&whimbrel_mysql_ddl::ast::TableName) -> TableName,
) -> Result<TableSchema, SchemaError> {
    let database = context.collation;
    let collation = new_default(table, statement, context);
    let context = ColumnContext { collation: &collation, ..context };
    let mut alteration = Alteration {
        table: table.clone(),
        context,
        keys: KeyContext::new(context.server, &table.name.schema),
        renames: HashMap::new(),
        placed: Vec::new(),
        inline: Vec::new(),
    };
    for clause in &statement.clauses {
        alteration.drop_keys(clause)?;
    }
    alteration.change_columns(statement)?;
    for clause in &statement.clauses {
        alteration.convert(clause, database)?;
    }
    alteration.follow();
    alteration.add_keys(statement)?;
    let mut table = alteration.table;
    table.collation = Some(collation.clone());
    for clause in &statement.clauses {
        finish(&mut table, clause, &new_name)?;
    }
    Ok(table)
}

/// The table's default collation after the statement, which new columns inherit already.
fn new_default(table: &TableSchema, statement: &AlterTable, context: ColumnContext<'_>) -> String {
    let mut collation = table.collation.clone().unwrap_or_else(|| context.collation.to_owned());
    let options: Vec<_> = statement
        .clauses
        .iter()
        .filter_map(|clause| match clause {
            AlterClause::Option(option) => Some(option.clone()),
            _ => None,
        })
        .collect();
    let options = TableOptions(options);
    if options.charset().is_some() || options.collation().is_some() {
        let inherited =
            if options.charset().as_deref() == Some("default") { context.collation } else { &collation };
        collation = table_collation(&options, ColumnContext { collation: inherited, ..context });
    }
    for clause in &statement.clauses {
        if let AlterClause::ConvertTo { charset, collation: wanted } = clause {
            let (server, session) = (context.server, context.session);
            collation = resolve(charset.as_deref(), wanted.as_deref(), context.collation, server, session);
        }
    }
    collation
}

impl<'a> Alteration<'a> {
    fn drop_keys(&mut self, clause: &AlterClause) -> Result<(), SchemaError> {
        let table = &mut self.table;
        let found = match clause {
            AlterClause::DropPrimaryKey => table.primary_key.take().is_some(),
            AlterClause::DropIndex { if_exists, name } => *if_exists | keys::drop_index(table, &name.value),
            AlterClause::DropForeignKey { name, .. } => {
                table.foreign_keys.retain(|key| !same(&key.name, &name.value));
                true
            }
            AlterClause::DropCheck { name, .. } => {
                table.checks.retain(|check| !same(&check.name, &name.value));
                true
            }
            AlterClause::DropConstraint { name, .. } => {
                table.foreign_keys.retain(|key| !same(&key.name, &name.value));
                table.checks.retain(|check| !same(&check.name, &name.value));
                // A unique key is a constraint too; a plain index isn't.
                if same(&name.value, "PRIMARY") {
                    table.primary_key = None;
                }
                table.unique_keys.retain(|key| !same(&key.name, &name.value));
                true
            }
            _ => true,
        };
        if found { Ok(()) } else { Err(SchemaError::NoKey) }
    }

    fn change_columns(&mut self, statement: &'a AlterTable) -> Result<(), SchemaError> {
        let old = std::mem::take(&mut self.table.columns);
        let mut changes: HashMap<usize, Change<'a>> = HashMap::new();
        for clause in &statement.clauses {
            self.collect(clause, &old, &mut changes)?;
        }
        for (index, column) in old.into_iter().enumerate() {
            let name = column.name.to_lowercase();
            match changes.remove(&index) {
                None => self.table.columns.push(column),
                Some(Change::Drop) => {
                    keys::drop_column_checks(&mut self.table, &name);
                    self.renames.insert(name, None);
                }
                Some(Change::Edit(edited)) => {
                    self.renames.insert(name, Some(edited.name.clone()));
                    self.table.columns.push(edited);
                }
                Some(Change::Define(def, place)) => {
                    let mut defined = define(def, self.context)?;
                    keys::drop_column_checks(&mut self.table, &name);
                    self.renames.insert(name, Some(defined.column.name.clone()));
                    self.keep_not_null(&column, &mut defined);
                    match place {
                        None => self.table.columns.push(defined.column.clone()),
                        Some(_) => self.placed.push((defined.column.clone(), place.cloned())),
                    }
                    self.inline.push((def, defined));
                }
            }
        }
        self.place(statement)
    }

    /// A column of the primary key stays NOT NULL whatever its new definition says.
    fn keep_not_null(&self, old: &Column, defined: &mut Defined) {
        let in_key = |part: &whimbrel_model::KeyPart| part.column().is_some_and(|name| same(name, &old.name));
        if self.table.primary_key.as_ref().is_some_and(|key| key.parts.iter().any(in_key)) {
            defined.column.nullable = false;
        }
    }

    /// Notes what a clause does to the old columns, and new columns.
    fn collect(
        &mut self,
        clause: &'a AlterClause,
        old: &[Column],
        changes: &mut HashMap<usize, Change<'a>>,
    ) -> Result<(), SchemaError> {
        let missing = |name: &str, allowed: bool| {
            if allowed { Ok(()) } else { Err(SchemaError::NoColumn(name.to_owned())) }
        };
        let edit = |changes: &mut HashMap<usize, Change<'a>>, index: usize, apply: &dyn Fn(&mut Column)| {
            let current = match changes.remove(&index) {
                Some(Change::Edit(column)) => Some(column),
                _ => old.get(index).cloned(),
            };
            if let Some(mut column) = current {
                apply(&mut column);
                changes.insert(index, Change::Edit(column));
            }
        };
        match clause {
            AlterClause::DropColumn { if_exists, name } => match position(old, &name.value) {
                Some(index) => drop(changes.insert(index, Change::Drop)),
                None => missing(&name.value, *if_exists)?,
            },
            AlterClause::ModifyColumn { if_exists, column, position: place } => {
                match position(old, &column.name.value) {
                    Some(index) => drop(changes.insert(index, Change::Define(column, place.as_ref()))),
                    None => missing(&column.name.value, *if_exists)?,
                }
            }
            AlterClause::ChangeColumn { if_exists, old: name, column, position: place } => {
                match position(old, &name.value) {
                    Some(index) => drop(changes.insert(index, Change::Define(column, place.as_ref()))),
                    None => missing(&name.value, *if_exists)?,
                }
            }
            AlterClause::RenameColumn { if_exists, from, to } => match position(old, &from.value) {
                Some(index) => edit(changes, index, &|column| column.name.clone_from(&to.value)),
                None => missing(&from.value, *if_exists)?,
            },
            AlterClause::AlterColumn { if_exists, name, action } => match position(old, &name.value) {
                Some(index) => edit(changes, index, &|column| alter_column(column, action)),
                None => missing(&name.value, *if_exists)?,
            },
            _ => {}
        }
        Ok(())
    }

    /// Puts new and moved columns where they go, in the statement's order.
    fn place(&mut self, statement: &'a AlterTable) -> Result<(), SchemaError> {
        let mut moved: HashMap<String, (Column, Option<ColumnPosition>)> =
            self.placed.drain(..).map(|entry| (entry.0.name.to_lowercase(), entry)).collect();
        for clause in &statement.clauses {
            match clause {
                AlterClause::AddColumn { if_not_exists, column, position } => {
                    self.add_column(column, *if_not_exists, position.as_ref())?;
                }
                AlterClause::AddElements { if_not_exists, elements } => {
                    for element in elements {
                        if let TableElement::Column(column) = element {
                            self.add_column(column, *if_not_exists, None)?;
                        }
                    }
                }
                AlterClause::ModifyColumn { column, .. } | AlterClause::ChangeColumn { column, .. } => {
                    if let Some((column, place)) = moved.remove(&column.name.value.to_lowercase()) {
                        self.insert(column, place.as_ref())?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn add_column(
        &mut self,
        def: &'a ColumnDef,
        if_not_exists: bool,
        place: Option<&ColumnPosition>,
    ) -> Result<(), SchemaError> {
        if position(&self.table.columns, &def.name.value).is_some() {
            let duplicate = SchemaError::ColumnExists(def.name.value.clone());
            return if if_not_exists { Ok(()) } else { Err(duplicate) };
        }
        let defined = define(def, self.context)?;
        self.insert(defined.column.clone(), place)?;
        self.inline.push((def, defined));
        Ok(())
    }

    fn insert(&mut self, column: Column, place: Option<&ColumnPosition>) -> Result<(), SchemaError> {
        let columns = &mut self.table.columns;
        let index = match place {
            None => columns.len(),
            Some(ColumnPosition::First) => 0,
            Some(ColumnPosition::After(name)) => {
                position(columns, &name.value).ok_or_else(|| SchemaError::NoColumn(name.value.clone()))? + 1
            }
        };
        columns.insert(index, column);
        Ok(())
    }

    /// CONVERT TO CHARACTER SET: `database` is the database's default, for DEFAULT.
    fn convert(&mut self, clause: &AlterClause, database: &str) -> Result<(), SchemaError> {
        let AlterClause::ConvertTo { charset, collation } = clause else { return Ok(()) };
        let (server, session) = (self.context.server, self.context.session);
        let collation = resolve(charset.as_deref(), collation.as_deref(), database, server, session);
        for column in &mut self.table.columns {
            convert_column(&mut column.data_type, &collation)?;
        }
        Ok(())
    }

    /// Lets the keys that are left follow their columns.
    fn follow(&mut self) {
        let renames = &self.renames;
        keys::follow_columns(&mut self.table, |name| {
            renames.get(&name.to_lowercase()).cloned().unwrap_or_else(|| Some(name.to_owned()))
        });
    }

    fn add_keys(&mut self, statement: &AlterTable) -> Result<(), SchemaError> {
        let version = self.context.server.version;
        for (def, defined) in std::mem::take(&mut self.inline) {
            // MODIFY repeats no key that is there: UNIQUE and PRIMARY KEY in it add one.
            add_inline(&mut self.table, &defined, self.keys);
            add_inline_reference(&mut self.table, def, &defined, (self.keys, version));
        }
        for clause in &statement.clauses {
            match clause {
                AlterClause::AddIndex(def) => keys::add_index(&mut self.table, def, self.keys)?,
                AlterClause::AddForeignKey(def) => keys::add_foreign_key(&mut self.table, def, self.keys),
                AlterClause::AddCheck(def) => keys::add_check_def(&mut self.table, def, self.keys),
                AlterClause::AddElements { elements, .. } => {
                    for element in elements {
                        add_element(&mut self.table, element, self.keys)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What happens to an old column.
enum Change<'a> {
    Drop,
    Edit(Column),
    Define(&'a ColumnDef, Option<&'a ColumnPosition>),
}

fn alter_column(column: &mut Column, action: &AlterColumnAction) {
    match action {
        AlterColumnAction::SetDefault(value) => column.default = default(value, &column.data_type),
        AlterColumnAction::DropDefault => column.default = None,
        AlterColumnAction::SetVisible => column.invisible = false,
        AlterColumnAction::SetInvisible => column.invisible = true,
    }
}

/// Gives a text column another collation; where the new charset needs more bytes, TEXT types grow so that as
/// many characters fit.
fn convert_column(data_type: &mut DataType, collation: &str) -> Result<(), SchemaError> {
    let charset = charset_of(collation)?;
    let renamed = match data_type {
        DataType::Char { chars, .. } => {
            DataType::Char { chars: *chars, charset, collation: collation.to_owned() }
        }
        DataType::VarChar { chars, .. } => varchar(*chars, charset, collation.to_owned()),
        DataType::Enum { members, .. } => {
            DataType::Enum { members: std::mem::take(members), charset, collation: collation.to_owned() }
        }
        DataType::Set { members, .. } => {
            DataType::Set { members: std::mem::take(members), charset, collation: collation.to_owned() }
        }
        DataType::Text { size, charset: old, .. } => {
            let size = if max_char_len(charset) > max_char_len(*old) {
                let chars = bytes_of(*size).div_ceil(max_char_len(*old));
                size_for(chars.saturating_mul(max_char_len(charset)))
            } else {
                *size
            };
            DataType::Text { size, charset, collation: collation.to_owned() }
        }
        _ => return Ok(()),
    };
    *data_type = renamed;
    Ok(())
}

fn bytes_of(size: TextSize) -> u64 {
    match size {
        TextSize::Tiny => 0xff,
        TextSize::Regular => 0xffff,
        TextSize::Medium => 0xff_ffff,
        TextSize::Long => 0xffff_ffff,
    }
}

/// Clauses that concern the table as it is after all others.
fn finish(
    table: &mut TableSchema,
    clause: &AlterClause,
    new_name: &impl Fn(&whimbrel_mysql_ddl::ast::TableName) -> TableName,
) -> Result<(), SchemaError> {
    match clause {
        AlterClause::RenameTo(name) => rename(table, new_name(name)),
        AlterClause::Option(option) => apply_options(table, &TableOptions(vec![option.clone()])),
        AlterClause::RenameIndex { if_exists, from, to } => match keys::index_mut(table, &from.value) {
            Some(key) => key.name.clone_from(&to.value),
            None if *if_exists => {}
            None => return Err(SchemaError::NoKey),
        },
        AlterClause::AlterIndex { name, visibility, .. } => {
            if let Some(key) = keys::index_mut(table, &name.value) {
                key.invisible = matches!(visibility, IndexVisibility::Invisible | IndexVisibility::Ignored);
            }
        }
        AlterClause::AlterCheck { name, enforced } => {
            for check in table.checks.iter_mut().filter(|check| same(&check.name, &name.value)) {
                check.enforced = *enforced;
            }
        }
        AlterClause::PartitionBy(partitioning) => table.partitioning = Some(partitioning.to_string()),
        AlterClause::RemovePartitioning => table.partitioning = None,
        AlterClause::AddSystemVersioning => {
            return Err(SchemaError::Unsupported("a table that becomes system-versioned"));
        }
        _ => {}
    }
    Ok(())
}
