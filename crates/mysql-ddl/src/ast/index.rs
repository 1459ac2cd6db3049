//! Indexes, foreign keys, checks.

use super::column::PrimaryKeyLayout;
use super::name::{Fragment, Ident, TableName};
use super::option::OptionValue;
use super::partition::Partitioning;
use crate::token::Span;

/// The kind of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IndexKind {
    /// PRIMARY KEY: its columns become NOT NULL.
    Primary,
    Unique,
    /// INDEX, KEY.
    Plain,
    Fulltext,
    Spatial,
    /// MariaDB 11.7, OceanBase, TiDB: VECTOR.
    Vector,
    /// TiDB: COLUMNAR.
    Columnar,
}

/// An index inside CREATE TABLE, ALTER TABLE ... ADD, or CREATE INDEX.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IndexDef {
    /// Its kind.
    pub kind: IndexKind,
    /// The name behind CONSTRAINT: the index's name where `name` is absent.
    pub constraint: Option<Ident>,
    /// Its name. Without any, servers name it after the first column, with `_2`, `_3` when taken;
    /// a primary key is PRIMARY whatever stands here.
    pub name: Option<Ident>,
    /// IF NOT EXISTS: nothing happens when an index of the name is there.
    pub if_not_exists: bool,
    /// Its parts, in order.
    pub parts: Vec<KeyPart>,
    /// MariaDB: the period of `period WITHOUT OVERLAPS`.
    pub without_overlaps: Option<Ident>,
    /// Options, in the source's order.
    pub options: Vec<IndexOption>,
    /// OceanBase: partitioning of a global index.
    pub partitioning: Option<Box<Partitioning>>,
    /// Where it stands.
    pub span: Span,
}

impl IndexDef {
    /// The name that was given: the index's own, else the constraint's.
    pub fn given_name(&self) -> Option<&Ident> {
        self.name.as_ref().or(self.constraint.as_ref())
    }
}

/// A part of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPart {
    /// The column or expression.
    pub target: KeyPartTarget,
    /// Prefix length, in characters for text, in bytes for binary columns.
    pub length: Option<u64>,
    /// ASC or DESC, if said.
    pub order: Option<SortOrder>,
}

/// What a part of a key is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyPartTarget {
    Column(Ident),
    /// `((expr))`, the outer parentheses taken off twice.
    Expr(Fragment),
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortOrder {
    Asc,
    Desc,
}

/// An option of an index.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum IndexOption {
    /// USING BTREE|HASH|RTREE|HNSW, in upper case.
    Using(String),
    KeyBlockSize(u64),
    /// WITH PARSER.
    WithParser(Ident),
    Comment(String),
    Visible,
    Invisible,
    /// MariaDB: IGNORED.
    Ignored,
    /// MariaDB: NOT IGNORED.
    NotIgnored,
    EngineAttribute(String),
    SecondaryEngineAttribute(String),
    /// TiDB: CLUSTERED, NONCLUSTERED.
    Layout(PrimaryKeyLayout),
    /// TiDB, OceanBase: GLOBAL.
    Global,
    /// TiDB, OceanBase: LOCAL.
    Local,
    /// OceanBase: BLOCK_SIZE n.
    BlockSize(u64),
    /// OceanBase: STORING (columns).
    Storing(Vec<Ident>),
    /// Any other `name [=] value`, the name in upper case: MariaDB's `CLUSTERING=YES`, `DISTANCE=cosine`,
    /// `M=8`; OceanBase's `PARSER_PROPERTIES=(..)`, `WITH (..)`; TiDB's `PRE_SPLIT_REGIONS`, `WHERE`.
    Named {
        name: String,
        value: OptionValue,
    },
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ForeignKeyDef {
    /// The name behind CONSTRAINT. It wins over `index_name`.
    pub constraint: Option<Ident>,
    /// IF NOT EXISTS (MariaDB).
    pub if_not_exists: bool,
    /// The name behind FOREIGN KEY: the index's in older servers.
    pub index_name: Option<Ident>,
    /// The child's columns.
    pub columns: Vec<Ident>,
    /// The parent.
    pub references: References,
    /// Where it stands.
    pub span: Span,
}

/// The parent side of a foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct References {
    pub table: TableName,
    /// Empty when left out, which servers refuse or read past.
    pub columns: Vec<Ident>,
    pub match_type: Option<MatchType>,
    pub on_delete: Option<ReferentialAction>,
    pub on_update: Option<ReferentialAction>,
}

/// MATCH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchType {
    Full,
    Partial,
    Simple,
}

/// What happens to children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReferentialAction {
    Restrict,
    Cascade,
    SetNull,
    NoAction,
    SetDefault,
}

/// A check.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CheckDef {
    /// The name behind CONSTRAINT.
    pub constraint: Option<Ident>,
    /// IF NOT EXISTS (MariaDB).
    pub if_not_exists: bool,
    /// The condition, parentheses taken off.
    pub expr: Fragment,
    /// [NOT] ENFORCED, if said.
    pub enforced: Option<bool>,
    /// Where it stands.
    pub span: Span,
}

/// CREATE INDEX: adds the index to the table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CreateIndex {
    /// MariaDB: OR REPLACE.
    pub or_replace: bool,
    /// MariaDB: ONLINE, OFFLINE, in upper case.
    pub online: Option<String>,
    /// The table.
    pub table: TableName,
    /// The index.
    pub index: IndexDef,
    /// ALGORITHM, in upper case.
    pub algorithm: Option<String>,
    /// LOCK, in upper case.
    pub lock: Option<String>,
    /// MariaDB: WAIT n, NOWAIT.
    pub wait: Option<Fragment>,
}

/// DROP INDEX: removes the index from the table. ``DROP INDEX `PRIMARY` `` removes the primary key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DropIndex {
    /// MariaDB: ONLINE, OFFLINE, in upper case.
    pub online: Option<String>,
    /// IF EXISTS.
    pub if_exists: bool,
    /// The index.
    pub name: Ident,
    /// The table.
    pub table: TableName,
    /// ALGORITHM, in upper case.
    pub algorithm: Option<String>,
    /// LOCK, in upper case.
    pub lock: Option<String>,
    /// MariaDB: WAIT n, NOWAIT.
    pub wait: Option<Fragment>,
}
