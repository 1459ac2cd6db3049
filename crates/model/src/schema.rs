//! Tables as a catalogue or a log describes them: structured, dialect-free where that loses nothing.
//!
//! A [`TableSchema`] says all that is needed to decode rows of the table, to convert it, and to compare it.
//! Persisted as JSON inside records that carry a version.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::batch::CellKind;
use crate::charset::Charset;

/// Schema (database) and name of a table, as the server spells them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableName {
    pub schema: String,
    pub table: String,
}

impl TableName {
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> Self {
        Self { schema: schema.into(), table: table.into() }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// A table: columns in order, keys and options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSchema {
    pub name: TableName,
    pub columns: Vec<Column>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_key: Option<Key>,
    /// Unique keys other than the primary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unique_keys: Vec<Key>,
    /// Indexes that aren't unique, of every kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Key>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<ForeignKey>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// The `PARTITION BY` clause as the server prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitioning: Option<String>,
    /// What the table is besides, in the server's words (`WITH SYSTEM VERSIONING`, `row_format=COMPRESSED`,
    /// `ZEROFILL of total`). Nothing here carries these over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
    /// Default collation of the table; its charset is the table's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// The next AUTO_INCREMENT value, where the catalogue knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_increment: Option<u64>,
}

impl TableSchema {
    /// A table of these columns, without keys or anything else.
    pub fn new(name: TableName, columns: Vec<Column>) -> Self {
        Self {
            name,
            columns,
            primary_key: None,
            unique_keys: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            partitioning: None,
            attributes: Vec::new(),
            collation: None,
            engine: None,
            comment: String::new(),
            auto_increment: None,
        }
    }

    /// Position of a column by name. MySQL's column names compare without regard to case.
    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.name == name)
            .or_else(|| self.columns.iter().position(|c| c.name.to_lowercase() == name.to_lowercase()))
    }

    /// The kinds of this table's cells, in column order.
    pub fn cell_kinds(&self) -> Arc<[CellKind]> {
        self.columns.iter().map(|column| column.data_type.cell_kind()).collect()
    }

    /// The key that identifies a row: the primary key, else the first unique key over whole columns that
    /// can't be NULL. `None` for a keyless table.
    pub fn row_key(&self) -> Option<&Key> {
        let identifies = |key: &&Key| {
            key.parts.iter().all(|part| {
                part.prefix.is_none()
                    && part
                        .column()
                        .and_then(|name| self.column_index(name))
                        .is_some_and(|index| !self.columns[index].nullable)
            })
        };
        self.primary_key.iter().find(identifies).or_else(|| self.unique_keys.iter().find(identifies))
    }

    /// Column positions of a key's parts; parts that are expressions are left out.
    pub fn key_columns(&self, key: &Key) -> Vec<usize> {
        key.parts.iter().filter_map(|part| self.column_index(part.column()?)).collect()
    }
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub data_type: DataType,
    pub nullable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ColumnDefault>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub auto_increment: bool,
    /// The expression of `ON UPDATE`, such as `CURRENT_TIMESTAMP(6)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_update: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<Generated>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub invisible: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

impl Column {
    pub fn new(name: impl Into<String>, data_type: DataType, nullable: bool) -> Self {
        Self {
            name: name.into(),
            data_type,
            nullable,
            default: None,
            auto_increment: false,
            on_update: None,
            generated: None,
            invisible: false,
            comment: String::new(),
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// What a column holds when an insert doesn't name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnDefault {
    Null,
    /// A constant, unquoted, as the catalogue shows it.
    Literal(String),
    /// An expression in the source's dialect (`CURRENT_TIMESTAMP(3)`, `uuid()`).
    Expression(String),
}

/// `GENERATED ALWAYS AS (expression)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    pub expression: String,
    /// Stored, not computed at each read.
    pub stored: bool,
}

/// Size class of TEXT and BLOB: the bytes of the length prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextSize {
    Tiny,
    Regular,
    Medium,
    Long,
}

/// A column's type. Lengths of text are in characters, of bytes in bytes; `fsp` is 0 to 6.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum DataType {
    /// `bytes` is 1, 2, 3, 4 or 8. `zerofill` is the display width of a ZEROFILL column.
    Int {
        bytes: u8,
        unsigned: bool,
        zerofill: Option<u8>,
    },
    /// `TINYINT(1)`: an `Int` in all but its name; servers and applications read it as a boolean.
    Bool,
    Decimal {
        precision: u8,
        scale: u8,
        unsigned: bool,
    },
    /// `digits` is the deprecated `(M,D)`, which rounds what is stored.
    Float {
        digits: Option<(u8, u8)>,
        unsigned: bool,
    },
    Double {
        digits: Option<(u8, u8)>,
        unsigned: bool,
    },
    Bit {
        bits: u8,
    },
    Date,
    Time {
        fsp: u8,
    },
    DateTime {
        fsp: u8,
    },
    Timestamp {
        fsp: u8,
    },
    Year,
    Char {
        chars: u32,
        charset: Charset,
        collation: String,
    },
    VarChar {
        chars: u32,
        charset: Charset,
        collation: String,
    },
    Text {
        size: TextSize,
        charset: Charset,
        collation: String,
    },
    Binary {
        bytes: u32,
    },
    VarBinary {
        bytes: u32,
    },
    Blob {
        size: TextSize,
    },
    Enum {
        members: Vec<String>,
        charset: Charset,
        collation: String,
    },
    Set {
        members: Vec<String>,
        charset: Charset,
        collation: String,
    },
    Json,
    /// `kind` is the SQL name in lower case: `geometry`, `point`, ...
    Geometry {
        kind: String,
        srid: Option<u32>,
    },
    Vector {
        dimensions: u32,
    },
    /// MariaDB's.
    Uuid,
    Inet4,
    Inet6,
}

impl DataType {
    /// What the bytes of such a column's cells mean in a batch.
    pub fn cell_kind(&self) -> CellKind {
        match self {
            Self::Bool => CellKind::Int,
            Self::Int { unsigned, .. } => {
                if *unsigned {
                    CellKind::UInt
                } else {
                    CellKind::Int
                }
            }
            Self::Decimal { .. } => CellKind::Decimal,
            Self::Float { .. } => CellKind::Float,
            Self::Double { .. } => CellKind::Double,
            Self::Bit { .. } => CellKind::Bit,
            Self::Date => CellKind::Date,
            Self::Time { .. } => CellKind::Time,
            Self::DateTime { .. } => CellKind::DateTime,
            Self::Timestamp { .. } => CellKind::Timestamp,
            Self::Year => CellKind::Year,
            Self::Char { .. } | Self::VarChar { .. } | Self::Text { .. } => CellKind::Text,
            Self::Enum { .. } => CellKind::Enum,
            Self::Set { .. } => CellKind::Set,
            Self::Json => CellKind::Json,
            Self::Geometry { .. } => CellKind::Geometry,
            Self::Binary { .. }
            | Self::VarBinary { .. }
            | Self::Blob { .. }
            | Self::Vector { .. }
            | Self::Uuid
            | Self::Inet4
            | Self::Inet6 => CellKind::Bytes,
        }
    }

    /// The charset of text, `Binary` for everything else.
    pub fn charset(&self) -> Charset {
        match self {
            Self::Char { charset, .. }
            | Self::VarChar { charset, .. }
            | Self::Text { charset, .. }
            | Self::Enum { charset, .. }
            | Self::Set { charset, .. } => *charset,
            _ => Charset::Binary,
        }
    }

    /// The collation of text, `None` for everything else.
    pub fn collation(&self) -> Option<&str> {
        match self {
            Self::Char { collation, .. }
            | Self::VarChar { collation, .. }
            | Self::Text { collation, .. }
            | Self::Enum { collation, .. }
            | Self::Set { collation, .. } => Some(collation),
            _ => None,
        }
    }
}

/// How a key's index is organised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    #[default]
    Ordered,
    FullText,
    Spatial,
    Vector,
}

/// A primary, unique or secondary key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// `PRIMARY` for the primary key.
    pub name: String,
    pub parts: Vec<KeyPart>,
    #[serde(default)]
    pub kind: KeyKind,
    /// A full-text key's own parser: `ngram`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parser: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub invisible: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

impl Key {
    pub fn on_columns<S: Into<String>>(
        name: impl Into<String>,
        columns: impl IntoIterator<Item = S>,
    ) -> Self {
        let parts = columns.into_iter().map(|column| KeyPart::column_named(column.into())).collect();
        Self {
            name: name.into(),
            parts,
            kind: KeyKind::Ordered,
            parser: None,
            invisible: false,
            comment: String::new(),
        }
    }
}

/// One part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPart {
    pub on: KeyPartOn,
    /// Leading characters (of text) or bytes that are indexed; `None` is the whole value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<u32>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub descending: bool,
}

/// A column, or an expression (functional and multi-valued indexes).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPartOn {
    Column(String),
    Expression(String),
}

impl KeyPart {
    pub fn column_named(name: String) -> Self {
        Self { on: KeyPartOn::Column(name), prefix: None, descending: false }
    }

    /// The column's name, `None` for an expression.
    pub fn column(&self) -> Option<&str> {
        match &self.on {
            KeyPartOn::Column(name) => Some(name),
            KeyPartOn::Expression(_) => None,
        }
    }
}

/// A foreign key. Actions are SQL words: `CASCADE`, `SET NULL`, `RESTRICT`, `NO ACTION`, `SET DEFAULT`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    pub name: String,
    pub columns: Vec<String>,
    pub parent: TableName,
    pub parent_columns: Vec<String>,
    pub on_update: String,
    pub on_delete: String,
}

/// A check constraint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    pub expression: String,
    pub enforced: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[(&str, bool)]) -> TableSchema {
        let int = DataType::Int { bytes: 4, unsigned: false, zerofill: None };
        TableSchema::new(
            TableName::new("d", "t"),
            columns.iter().map(|(name, null)| Column::new(*name, int.clone(), *null)).collect(),
        )
    }

    #[test]
    fn a_row_is_identified_by_the_primary_key_else_by_a_unique_key_without_nulls() {
        let mut schema = table(&[("a", false), ("b", true), ("c", false)]);
        assert_eq!(schema.row_key(), None);
        schema.unique_keys = vec![Key::on_columns("ub", ["b"]), Key::on_columns("uc", ["C"])];
        assert_eq!(schema.row_key().unwrap().name, "uc");
        schema.unique_keys[1].parts[0].prefix = Some(3);
        assert_eq!(schema.row_key(), None);
        schema.primary_key = Some(Key::on_columns("PRIMARY", ["a"]));
        assert_eq!(schema.row_key().unwrap().name, "PRIMARY");
    }
}
