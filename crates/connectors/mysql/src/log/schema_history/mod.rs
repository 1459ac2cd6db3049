//! The definitions of tables as they change along the log.
//!
//! What it is for: rows must be read with the definition of their moment, so the history starts with the
//! definitions at the start position and applies every statement of the log that changes a table.
//!
//! What it guarantees: a statement is applied as the server applies it (order of clauses, inherited charsets,
//! implied NOT NULL, names of keys), or it is a [`SchemaError`]. All tables that come up are followed, those
//! outside of the filter too, so that one of them can be renamed into it; effects are reported for tables that
//! the filter lets in under their name before or after.
//!
//! What it does not do: it asks no server. The text of `PARTITION BY` is the one of the last statement that had
//! it: adding and dropping single partitions, which changes no row's form, is not followed there.

mod alter;
mod charsets;
mod column;
mod create;
mod from_log;
mod keys;

use std::collections::BTreeMap;
use std::sync::Arc;

use whimbrel_connector::TableFilter;
use whimbrel_model::{TableEffect, TableName, TableSchema, TableVersion};
use whimbrel_mysql_ddl::ast::{
    AlterClause, AlterTable, Body, CreateTable, CreateTableBody, DatabaseOption, ObjectName, Statement,
};

use self::charsets::resolve;
use self::column::ColumnContext;
use self::keys::KeyContext;
use crate::binlog::{SessionState, TableMap, collation_name};

pub use charsets::ServerDefaults;

/// Why the effect of a statement can't be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    #[error("it names the column {0:?}, which its table doesn't have")]
    NoColumn(String),
    #[error("it adds the column {0:?}, which its table already has")]
    ColumnExists(String),
    #[error("it names a key that its table doesn't have")]
    NoKey,
    #[error("charset {0:?} can't be converted")]
    Charset(String),
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    #[error("the definition of {0} is not known")]
    UnknownTable(TableName),
}

/// What is known of a table.
#[derive(Clone, Debug)]
enum Tracked {
    Known(Arc<TableVersion>),
    /// It exists, and no statement told its columns.
    Unknown,
}

/// Definitions by name, at one position of the log.
#[derive(Clone)]
pub struct SchemaHistory {
    tables: BTreeMap<TableName, Tracked>,
    filter: TableFilter,
    server: ServerDefaults,
    next_id: u64,
    frozen: bool,
}

/// The tables of a history, to go back to.
#[derive(Clone)]
pub(crate) struct Snapshot {
    tables: BTreeMap<TableName, Tracked>,
    server: ServerDefaults,
}

impl SchemaHistory {
    /// `tables` are the definitions at the start, `next_id` is the first number for a [`TableVersion`].
    pub fn new(tables: Vec<TableSchema>, filter: TableFilter, next_id: u64, server: ServerDefaults) -> Self {
        let mut history = Self { tables: BTreeMap::new(), filter, server, next_id, frozen: false };
        for table in tables {
            history.put(table);
        }
        history
    }

    /// The definition of a table; `None` where it isn't known.
    pub fn table(&self, name: &TableName) -> Option<&Arc<TableVersion>> {
        match self.tables.get(&self.key(name)) {
            Some(Tracked::Known(version)) => Some(version),
            _ => None,
        }
    }

    /// True where the filter lets the table in.
    pub fn wants(&self, name: &TableName) -> bool {
        (self.filter)(&self.key(name))
    }

    pub fn server(&self) -> &ServerDefaults {
        &self.server
    }

    /// Takes what the server says of itself at a new connection. Defaults of databases that the log has set stay.
    pub fn set_server(&mut self, server: ServerDefaults) {
        let mut databases = server.databases.clone();
        databases.extend(std::mem::take(&mut self.server.databases));
        self.server = ServerDefaults { databases, ..server };
    }

    /// From here on no definition is learnt from rows.
    pub(crate) fn freeze(&mut self) {
        self.frozen = true;
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot { tables: self.tables.clone(), server: self.server.clone() }
    }

    pub(crate) fn restore(&mut self, snapshot: Snapshot) {
        (self.tables, self.server) = (snapshot.tables, snapshot.server);
    }

    /// Takes the definition of a table from the log's own description, where that has names and signs
    /// (`binlog_row_metadata=FULL`). Defaults, comments and secondary keys aren't in it.
    pub fn learn(&mut self, map: &TableMap) -> Option<Arc<TableVersion>> {
        if self.frozen {
            return None;
        }
        let schema = from_log::schema_of(map, self.server.mariadb)?;
        Some(self.put(schema))
    }

    fn key(&self, name: &TableName) -> TableName {
        if self.server.lower_case_names {
            TableName::new(name.schema.to_lowercase(), name.table.to_lowercase())
        } else {
            name.clone()
        }
    }

    fn put(&mut self, mut schema: TableSchema) -> Arc<TableVersion> {
        schema.name = self.key(&schema.name);
        let version = Arc::new(TableVersion::new(self.next_id, schema));
        self.next_id += 1;
        self.tables.insert(version.schema.name.clone(), Tracked::Known(version.clone()));
        version
    }

    fn put_tracked(&mut self, name: TableName, tracked: Tracked) -> Option<TableSchema> {
        match tracked {
            Tracked::Known(version) => {
                let mut schema = version.schema.clone();
                create::rename(&mut schema, name);
                Some(self.put(schema).schema.clone())
            }
            Tracked::Unknown => {
                self.tables.insert(name, Tracked::Unknown);
                None
            }
        }
    }

    /// Lets foreign keys of other tables follow the table that they refer to.
    fn follow_parent(&mut self, from: &TableName, to: &TableName) {
        if from == to {
            return;
        }
        let refers = |tracked: &Tracked| match tracked {
            Tracked::Known(version) => version.schema.foreign_keys.iter().any(|key| key.parent == *from),
            Tracked::Unknown => false,
        };
        let children: Vec<TableName> =
            self.tables.iter().filter(|(_, tracked)| refers(tracked)).map(|(name, _)| name.clone()).collect();
        for child in children {
            let Some(version) = self.table(&child) else { continue };
            let mut schema = version.schema.clone();
            for key in schema.foreign_keys.iter_mut().filter(|key| key.parent == *from) {
                key.parent.clone_from(to);
            }
            self.put(schema);
        }
    }

    /// Applies a statement and tells its effects on tables of the filter, in order. Statements that change no
    /// table have none.
    ///
    /// # Errors
    /// An effect that can't be told, on a table of the filter. Other tables become unknown then.
    pub fn apply(
        &mut self,
        statement: &Statement,
        default_schema: &str,
        session: &SessionState,
    ) -> Result<Vec<TableEffect>, SchemaError> {
        let mut run = Run { history: self, default_schema, session, effects: Vec::new() };
        match &statement.body {
            Body::CreateTable(create) => run.create_table(create)?,
            Body::AlterTable(alter) => run.alter_table(alter)?,
            Body::RenameTable(rename) => {
                for (from, to) in &rename.renames {
                    run.rename(from, to)?;
                }
            }
            Body::DropTable(drop) if !drop.temporary => {
                for table in &drop.tables {
                    let name = run.name(table);
                    run.drop(&name);
                }
            }
            Body::TruncateTable(truncate) => run.touch(&truncate.table),
            Body::CreateIndex(create) => {
                let server = run.history.server.clone();
                run.edit(&create.table, |table| {
                    if create.or_replace
                        && let Some(name) = create.index.given_name()
                    {
                        keys::drop_index(table, &name.value);
                    }
                    let schema = table.name.schema.clone();
                    keys::add_index(table, &create.index, KeyContext::new(&server, &schema))
                })?;
            }
            Body::DropIndex(drop) => run.edit(&drop.table, |table| {
                let found = keys::drop_index(table, &drop.name.value);
                if found || drop.if_exists { Ok(()) } else { Err(SchemaError::NoKey) }
            })?,
            Body::CreateDatabase(create) => {
                if create.or_replace {
                    run.drop_database(&create.name.value);
                }
                if !create.if_not_exists || !run.history.server.databases.contains_key(&create.name.value) {
                    run.set_database(&create.name.value, &create.options, true);
                }
            }
            Body::AlterDatabase(alter) => {
                let name = alter.name.as_ref().map_or(default_schema, |name| &name.value).to_owned();
                run.set_database(&name, &alter.options, false);
            }
            Body::DropDatabase(drop) => run.drop_database(&drop.name.value),
            Body::DropTable(_) | Body::Classified(_) => {}
        }
        Ok(run.finish())
    }
}

/// One statement being applied.
struct Run<'a> {
    history: &'a mut SchemaHistory,
    default_schema: &'a str,
    session: &'a SessionState,
    effects: Vec<TableEffect>,
}

impl Run<'_> {
    /// The effects, with definitions as they are after the whole statement: a table that was renamed early may
    /// refer to one that was renamed later.
    fn finish(self) -> Vec<TableEffect> {
        let Self { history, mut effects, .. } = self;
        for schema in effects.iter_mut().filter_map(|effect| effect.after.as_mut()) {
            if let Some(version) = history.table(&schema.name) {
                schema.clone_from(&version.schema);
            }
        }
        effects
    }

    fn name(&self, name: &ObjectName) -> TableName {
        let schema = name.schema.as_ref().map_or(self.default_schema, |schema| &schema.value);
        self.history.key(&TableName::new(schema, &name.name.value))
    }

    /// Reports an effect if the filter knows the table by its name before or after.
    fn report(&mut self, before: Option<TableName>, after: Option<TableSchema>) {
        let filter = &self.history.filter;
        let seen = before.as_ref().is_some_and(|name| filter(name))
            || after.as_ref().is_some_and(|schema| filter(&schema.name));
        if seen {
            self.effects.push(TableEffect { before, after });
        }
    }

    /// The default collation of a database.
    fn database_collation(&self, schema: &str) -> String {
        let server = &self.history.server;
        let by_number = |number: u16| collation_name(u32::from(number), server.mariadb);
        let of_session = self.session.database_collation.filter(|_| schema == self.default_schema);
        match of_session.and_then(by_number).or_else(|| server.databases.get(schema).map(String::as_str)) {
            Some(known) => server.spelled(known),
            None => self.server_collation(),
        }
    }

    fn server_collation(&self) -> String {
        let server = &self.history.server;
        let logged = self.session.server_collation.and_then(|n| collation_name(u32::from(n), server.mariadb));
        server.spelled(logged.unwrap_or(&server.collation))
    }

    fn set_database(&mut self, name: &str, options: &[DatabaseOption], create: bool) {
        let find = |wanted: &str| {
            let option = options.iter().rev().find(|option| option.name == wanted);
            option.and_then(|option| option.value.as_str()).map(str::to_ascii_lowercase)
        };
        let (charset, collation) = (find("CHARSET"), find("COLLATE"));
        let inherited = if create { self.server_collation() } else { self.database_collation(name) };
        let server = &self.history.server;
        let collation = resolve(charset.as_deref(), collation.as_deref(), &inherited, server, self.session);
        self.history.server.databases.insert(name.to_owned(), collation);
    }

    fn drop_database(&mut self, schema: &str) {
        self.history.server.databases.remove(schema);
        let same = |name: &TableName| {
            keys::same(&name.schema, schema)
                && (self.history.server.lower_case_names || name.schema == schema)
        };
        let gone: Vec<TableName> = self.history.tables.keys().filter(|name| same(name)).cloned().collect();
        for name in gone {
            self.drop(&name);
        }
    }

    fn drop(&mut self, name: &TableName) {
        if self.history.tables.remove(name).is_some() {
            self.report(Some(name.clone()), None);
        }
    }

    /// An effect that leaves the definition as it is.
    fn touch(&mut self, table: &ObjectName) {
        let name = self.name(table);
        if let Some(version) = self.history.table(&name).cloned() {
            self.report(Some(name), Some(version.schema.clone()));
        }
    }

    fn create_table(&mut self, create: &CreateTable) -> Result<(), SchemaError> {
        if create.temporary {
            return Ok(());
        }
        let name = self.name(&create.name);
        if self.history.tables.contains_key(&name) {
            if create.if_not_exists {
                return Ok(());
            }
            if create.or_replace {
                self.drop(&name);
            }
        }
        let collation = self.database_collation(&name.schema);
        let server = self.history.server.clone();
        let context = ColumnContext { server: &server, session: self.session, collation: &collation };
        let made = match &create.body {
            CreateTableBody::Like(model) => {
                let model = self.name(model);
                match self.history.table(&model) {
                    Some(version) => Ok(create::like(name.clone(), &version.schema, server.mariadb)),
                    None => Err(SchemaError::UnknownTable(model)),
                }
            }
            CreateTableBody::Definition(definition) if definition.query.is_some() => {
                Err(SchemaError::Unsupported("CREATE TABLE ... SELECT as a statement"))
            }
            CreateTableBody::Definition(definition) => create::create(name.clone(), definition, context),
        };
        match made {
            Ok(schema) => {
                let version = self.history.put(schema);
                self.report(None, Some(version.schema.clone()));
                Ok(())
            }
            Err(error) => self.lose(name, error),
        }
    }

    /// A table whose definition can't be told: an error for one of the filter, unless rows may tell it.
    fn lose(&mut self, name: TableName, error: SchemaError) -> Result<(), SchemaError> {
        let wanted = (self.history.filter)(&name);
        self.history.tables.insert(name, Tracked::Unknown);
        match error {
            // Its first TABLE_MAP may have it; if not, that is the error.
            SchemaError::UnknownTable(_) => Ok(()),
            error if wanted => Err(error),
            _ => Ok(()),
        }
    }

    fn edit(
        &mut self,
        table: &ObjectName,
        change: impl FnOnce(&mut TableSchema) -> Result<(), SchemaError>,
    ) -> Result<(), SchemaError> {
        let name = self.name(table);
        let Some(version) = self.history.table(&name).cloned() else { return Ok(()) };
        let mut schema = version.schema.clone();
        match change(&mut schema) {
            Ok(()) => {
                let version = self.history.put(schema);
                self.report(Some(name), Some(version.schema.clone()));
                Ok(())
            }
            Err(error) => self.lose(name, error),
        }
    }

    fn alter_table(&mut self, statement: &AlterTable) -> Result<(), SchemaError> {
        let name = self.name(&statement.table);
        for clause in &statement.clauses {
            self.second_table(clause);
        }
        let Some(version) = self.history.table(&name).cloned() else {
            let renamed = statement.clauses.iter().find_map(|clause| match clause {
                AlterClause::RenameTo(to) => Some(to),
                _ => None,
            });
            return renamed.map_or(Ok(()), |to| self.rename(&statement.table, to));
        };
        let collation = self.database_collation(&name.schema);
        let server = self.history.server.clone();
        let context = ColumnContext { server: &server, session: self.session, collation: &collation };
        match alter::alter(&version.schema, statement, context, |to| self.name(to)) {
            Ok(schema) => {
                self.history.tables.remove(&name);
                let version = self.history.put(schema);
                self.history.follow_parent(&name, &version.schema.name);
                self.report(Some(name), Some(version.schema.clone()));
                Ok(())
            }
            Err(error) => self.lose(name, error),
        }
    }

    /// Tables that change places with a partition change their rows, not their definition.
    fn second_table(&mut self, clause: &AlterClause) {
        match clause {
            AlterClause::ExchangePartition { table, .. } => self.touch(table),
            AlterClause::ConvertTableToPartition { table, .. } => {
                let name = self.name(table);
                self.drop(&name);
            }
            AlterClause::ConvertPartitionToTable { table, .. } => {
                let name = self.name(table);
                self.history.tables.insert(name, Tracked::Unknown);
            }
            _ => {}
        }
    }

    fn rename(&mut self, from: &ObjectName, to: &ObjectName) -> Result<(), SchemaError> {
        let (from, to) = (self.name(from), self.name(to));
        let tracked = self.history.tables.remove(&from).unwrap_or(Tracked::Unknown);
        if matches!(tracked, Tracked::Unknown) && (self.history.filter)(&to) {
            // It brings rows along that nobody has seen, so a definition from its next rows would not do.
            return Err(SchemaError::UnknownTable(from));
        }
        let after = self.history.put_tracked(to.clone(), tracked);
        self.history.follow_parent(&from, &to);
        self.report(Some(from), after);
        Ok(())
    }
}
