//! Columns.

use super::data_type::DataType;
use super::index::{CheckDef, References};
use super::name::{Fragment, Ident};
use super::option::OptionValue;
use crate::token::Span;

/// A column's definition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ColumnDef {
    /// Its name.
    pub name: Ident,
    /// Its type. Absent only for MariaDB's `column GENERATED ALWAYS AS ROW START|END` and, in MariaDB's
    /// CREATE TABLE ... SELECT, where the query decides.
    pub data_type: Option<DataType>,
    /// Everything behind the type, in the source's order, COMPRESSED first. COLLATE is not here but in the type.
    pub attributes: Vec<ColumnAttribute>,
    /// Where the whole definition stands.
    pub span: Span,
}

/// One attribute of a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ColumnAttribute {
    /// NOT NULL.
    NotNull,
    /// NULL: matters for TIMESTAMP under `explicit_defaults_for_timestamp=OFF`.
    Null,
    /// DEFAULT.
    Default(DefaultValue),
    /// ON UPDATE CURRENT_TIMESTAMP, with the number of fractional digits.
    OnUpdateNow(Option<u8>),
    /// AUTO_INCREMENT: implies NOT NULL.
    AutoIncrement,
    /// TiDB: AUTO_RANDOM(shard bits, range bits).
    AutoRandom { shard_bits: Option<u64>, range_bits: Option<u64> },
    /// [PRIMARY] KEY: the column is the primary key and NOT NULL.
    PrimaryKey(Option<PrimaryKeyLayout>),
    /// UNIQUE [KEY]: a unique index named after the column. `global` is TiDB's GLOBAL.
    Unique { global: bool },
    /// COMMENT.
    Comment(String),
    /// [GENERATED ALWAYS] AS (expr). VIRTUAL when `storage` is absent.
    Generated { expr: Fragment, storage: Option<GeneratedStorage> },
    /// MariaDB: GENERATED ALWAYS AS ROW START.
    RowStart,
    /// MariaDB: GENERATED ALWAYS AS ROW END.
    RowEnd,
    /// VISIBLE.
    Visible,
    /// INVISIBLE: not in `SELECT *`.
    Invisible,
    /// SRID n.
    Srid(u64),
    /// [CONSTRAINT name] CHECK (expr).
    Check(CheckDef),
    /// [CONSTRAINT name] REFERENCES ...: a foreign key in MariaDB 10.5 and MySQL 9; older servers read past it.
    References { constraint: Option<Ident>, references: References },
    /// COLUMN_FORMAT FIXED|DYNAMIC|DEFAULT (NDB), in upper case.
    ColumnFormat(String),
    /// STORAGE DISK|MEMORY|DEFAULT (NDB), in upper case.
    Storage(String),
    /// MariaDB: COMPRESSED[=method]. Compressed in the row format and in binlog row images too.
    Compressed(Option<String>),
    /// MariaDB: WITH SYSTEM VERSIONING.
    WithSystemVersioning,
    /// MariaDB: WITHOUT SYSTEM VERSIONING.
    WithoutSystemVersioning,
    /// ENGINE_ATTRIBUTE.
    EngineAttribute(String),
    /// SECONDARY_ENGINE_ATTRIBUTE.
    SecondaryEngineAttribute(String),
    /// SERIAL DEFAULT VALUE: NOT NULL AUTO_INCREMENT UNIQUE.
    SerialDefaultValue,
    /// NOT SECONDARY: not loaded into the secondary engine.
    NotSecondary,
    /// OceanBase: SKIP_INDEX(MIN_MAX, SUM), as written.
    SkipIndex(Fragment),
    /// MariaDB: an attribute of the engine, `name = value`; also REF_SYSTEM_ID.
    EngineOption { name: Ident, value: OptionValue },
}

/// TiDB: how the primary key stores rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrimaryKeyLayout {
    Clustered,
    NonClustered,
}

/// Where a generated column's value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GeneratedStorage {
    Virtual,
    /// STORED, MariaDB's PERSISTENT.
    Stored,
}

/// A default.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DefaultValue {
    /// NULL.
    Null,
    /// A constant.
    Literal(Literal),
    /// CURRENT_TIMESTAMP, NOW(), LOCALTIME, LOCALTIMESTAMP, with the number of fractional digits.
    Now(Option<u8>),
    /// (expr), the parentheses taken off.
    Expr(Fragment),
    /// MariaDB, TiDB, OceanBase: an expression without parentheses, such as `uuid()`.
    BareExpr(Fragment),
}

/// A constant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Literal {
    /// What it says.
    pub kind: LiteralKind,
    /// Where it stands.
    pub span: Span,
}

/// What a constant says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LiteralKind {
    /// A string, decoded. `introducer` is the charset of `_charset'..'`, in lower case; `national` is `N'..'`.
    String { value: String, introducer: Option<String>, national: bool },
    /// A number as written, with its sign.
    Number(String),
    /// `x'..'`, `0x..`, and a string whose bytes are not UTF-8.
    Bytes { value: Vec<u8>, introducer: Option<String> },
    /// `b'..'`, `0b..`: the digits.
    Bits(String),
    /// TRUE, FALSE.
    Boolean(bool),
    /// DATE '..', TIME '..', TIMESTAMP '..': the keyword in upper case and the string.
    Temporal { keyword: String, value: String },
}
