//! Reading what a server is and holds.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use whimbrel_model::object::{Account, ObjectKind, SchemaObject};
use whimbrel_model::{Position, TableName, TableSchema};

use crate::text::TextQuestion;
use crate::{Abilities, ConnectorError, ErrorKind, Result};

/// Which family a server belongs to, decided by probing and not by its version alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavor {
    Mysql,
    MariaDb,
    OceanBase,
}

/// What a server is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerInfo {
    pub flavor: Flavor,
    /// `(9, 7, 4)`; for OceanBase its own version (`ob_version()`), not the MySQL one that it claims.
    pub version: (u16, u16, u16),
    /// As the server prints it.
    pub version_text: String,
    /// `server_uuid`, else `server_id`: the same value that positions carry.
    pub server: String,
    /// Variables that were asked for and exist, by lower-case name.
    pub variables: BTreeMap<String, String>,
    /// Collations by name with their charset.
    pub collations: BTreeMap<String, String>,
    /// What was found out by asking; what has to be tried, [`crate::Target::try_abilities`] adds.
    #[serde(default)]
    pub abilities: Abilities,
}

impl ServerInfo {
    /// True where names of schemas and tables that differ only in case are the same, and are shown in another case than
    /// they were given (`lower_case_table_names` is not 0).
    pub fn folds_names(&self) -> bool {
        self.variables.get("lower_case_table_names").is_some_and(|value| value != "0")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TableKind {
    Table,
    View,
}

/// Size of a table as the server believes it to be; 0 where it doesn't know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableEstimate {
    pub rows: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSummary {
    pub name: TableName,
    pub kind: TableKind,
    pub engine: Option<String>,
    pub estimate: TableEstimate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// The migration works, but something will be different.
    Warning,
    /// The migration can't work.
    Error,
}

/// One result of a precheck.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub severity: Severity,
    /// Stable code, as in [`crate::ErrorKind::code`].
    pub code: String,
    /// Server, table, variable or privilege.
    pub object: String,
    pub cause: String,
    /// What to do, statements included (`GRANT ...`, `SET GLOBAL ...`).
    pub hint: String,
}

/// What schemas hold besides tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectCatalogue {
    /// By schema, kind and name; triggers of one table in the order in which they fire.
    pub objects: Vec<SchemaObject>,
    pub unread: Vec<UnreadObjects>,
}

/// Objects that may be there and could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadObjects {
    pub kind: ObjectKind,
    /// `None`: all objects of the kind, in all schemas that were asked for.
    pub name: Option<TableName>,
    /// The server's own words, its error code in front, and what would help.
    pub reason: String,
    /// The server has no such objects at all, so nothing is lost.
    pub unknown_to_server: bool,
}

/// Accounts, for a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountCatalogue {
    /// Without those that belong to the server itself; in name order.
    pub accounts: Vec<Account>,
    /// Why there are none, or not all.
    pub unread: Option<String>,
}

/// Reads a server's catalogue. One connection, one call at a time; no method changes anything at the server.
/// After a lost connection the next call connects again.
#[async_trait]
pub trait Catalog: Send {
    async fn server(&mut self) -> Result<ServerInfo>;

    /// Names of user schemas (system schemas are left out).
    async fn schemas(&mut self) -> Result<Vec<String>>;

    /// Default collations of the schemas of [`Catalog::schemas`], by their names.
    async fn schema_collations(&mut self) -> Result<BTreeMap<String, String>>;

    /// Tables and views of a schema, in name order.
    async fn tables(&mut self, schema: &str) -> Result<Vec<TableSummary>>;

    /// Full definitions, in the order of `names`. A table that isn't there is an error that names it.
    async fn table_schemas(&mut self, names: &[TableName]) -> Result<Vec<TableSchema>>;

    /// The definitions of `names` as far as such tables exist.
    async fn existing_tables(&mut self, names: &[TableName]) -> Result<Vec<TableSchema>>;

    /// Views, triggers, routines, events and sequences of `schemas` (spelled as [`Catalog::schemas`] has them).
    ///
    /// A kind that the server doesn't know, or that this user may not read, is no error: it stands in
    /// [`ObjectCatalogue::unread`]. An object whose text the server hides from this user does so too; it is never
    /// returned half. Objects of other schemas that these depend on are not read.
    ///
    /// # Errors
    /// The connection is lost, or the server answers in a way that no version is known to.
    async fn objects(&mut self, schemas: &[String]) -> Result<ObjectCatalogue>;

    /// Users and roles with their privileges, without secrets. Not being allowed to look is no error
    /// ([`AccountCatalogue::unread`]).
    async fn accounts(&mut self) -> Result<AccountCatalogue>;

    /// True where the table holds at least one row.
    async fn has_rows(&mut self, table: &TableName) -> Result<bool>;

    /// A position P such that every read that *begins after this call returned* sees all that was committed
    /// at or before P. For the start of a log: nothing between P and the first read is lost.
    async fn position_before_reads(&mut self) -> Result<Position>;

    /// A position P such that all that a read which *ended before this call* saw was committed at or
    /// before P. For comparing: once P has been applied, what was seen must be in the target.
    async fn position_after_reads(&mut self) -> Result<Position>;

    /// Whether the server can be the source for these tables: log settings, privileges, engines.
    async fn check_source(&mut self, tables: &[TableSchema], with_log: bool) -> Result<Vec<Finding>>;

    /// Whether the server can be written to: privileges on these schemas, read-only, limits.
    async fn check_target(&mut self, schemas: &[String]) -> Result<Vec<Finding>>;

    /// What the server says about texts under a collation; what is answered stands at [`crate::text::TextAsk`].
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the server has no collations.
    async fn ask_text(&mut self, question: &TextQuestion) -> Result<Vec<u8>> {
        let message = "the server can't be asked about texts";
        Err(ConnectorError::new(ErrorKind::Unsupported, &question.collation, message))
    }
}
