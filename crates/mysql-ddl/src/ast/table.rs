//! CREATE, RENAME, DROP, TRUNCATE TABLE.

use super::column::ColumnDef;
use super::index::{CheckDef, ForeignKeyDef, IndexDef};
use super::name::{Fragment, Ident, TableName};
use super::option::TableOptions;
use super::partition::Partitioning;
use crate::token::Span;

/// CREATE TABLE.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CreateTable {
    /// MariaDB: OR REPLACE: a table of the name is dropped first.
    pub or_replace: bool,
    /// TEMPORARY: seen by one session only, never part of a schema history.
    pub temporary: bool,
    /// TiDB: GLOBAL TEMPORARY: seen by every session, with rows of its own. `temporary` is true too.
    pub global: bool,
    /// OceanBase: EXTERNAL.
    pub external: bool,
    /// IF NOT EXISTS: nothing happens when a table of the name is there.
    pub if_not_exists: bool,
    pub name: TableName,
    pub body: CreateTableBody,
}

/// Where the table's shape comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CreateTableBody {
    /// LIKE t: columns, defaults, indexes, checks, partitions and options of `t` as it is now;
    /// neither foreign keys, DATA DIRECTORY, nor the AUTO_INCREMENT value.
    Like(TableName),
    /// Elements, options, partitions, and maybe a query.
    Definition(Box<TableDefinition>),
}

/// What CREATE TABLE says of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableDefinition {
    pub elements: Vec<TableElement>,
    pub options: TableOptions,
    pub partitioning: Option<Partitioning>,
    /// CREATE TABLE ... SELECT: the query's columns come behind `elements`, except those of the same
    /// name. Their types can't be known from the text.
    pub query: Option<CreateTableQuery>,
}

/// The query of CREATE TABLE ... SELECT.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CreateTableQuery {
    /// IGNORE or REPLACE.
    pub duplicates: Option<DuplicateRows>,
    /// From SELECT, WITH, TABLE, VALUES or the opening parenthesis to the end.
    pub query: Fragment,
}

/// What a row does that meets another on a unique key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DuplicateRows {
    Ignore,
    Replace,
}

/// What stands between the parentheses of CREATE TABLE.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TableElement {
    Column(ColumnDef),
    Index(IndexDef),
    ForeignKey(ForeignKeyDef),
    Check(CheckDef),
    /// MariaDB: PERIOD FOR.
    Period(PeriodDef),
}

/// MariaDB: PERIOD [IF NOT EXISTS] FOR name (start, end).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PeriodDef {
    /// `SYSTEM_TIME` or the application period's name.
    pub name: Ident,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    pub start: Ident,
    pub end: Ident,
    /// Where it stands.
    pub span: Span,
}

/// RENAME TABLE: the pairs take effect from left to right, so that names can be swapped
/// (`a TO x, b TO a, x TO b`). All or none of them happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RenameTable {
    /// IF EXISTS (MariaDB).
    pub if_exists: bool,
    /// MariaDB: WAIT n, NOWAIT. It may stand in every pair; this is the last.
    pub wait: Option<Fragment>,
    /// Old and new names.
    pub renames: Vec<(TableName, TableName)>,
}

/// DROP TABLE.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DropTable {
    /// TEMPORARY: temporary tables only. Without it, a temporary table of the session hides a table of
    /// the same name; servers log the drop of one with TEMPORARY.
    pub temporary: bool,
    /// TiDB: GLOBAL TEMPORARY. `temporary` is true too.
    pub global: bool,
    /// IF EXISTS.
    pub if_exists: bool,
    pub tables: Vec<TableName>,
    /// RESTRICT or CASCADE, in upper case; servers read past it.
    pub behaviour: Option<String>,
    /// MariaDB: WAIT n, NOWAIT.
    pub wait: Option<Fragment>,
    /// OceanBase: PURGE, past the recycle bin.
    pub purge: bool,
}

/// TRUNCATE [TABLE]: all rows go, AUTO_INCREMENT starts anew, the shape stays.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TruncateTable {
    pub table: TableName,
    /// MariaDB: WAIT n, NOWAIT.
    pub wait: Option<Fragment>,
}
