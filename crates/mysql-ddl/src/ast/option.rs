//! Options of tables, partitions and engines.

use super::name::{Fragment, TableName};
use crate::token::Span;

/// What an option is set to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OptionValue {
    /// The option is its name alone: `NOPARALLEL`, `START TRANSACTION`.
    None,
    /// A word or a quoted identifier, in the source's case: `ENGINE=InnoDB`, `PACK_KEYS=DEFAULT`.
    Word(String),
    /// A number as written, with its sign.
    Number(String),
    /// A string, decoded.
    String(String),
    /// `UNION=(a, b)`.
    Tables(Vec<TableName>),
    /// Anything else, as text: `TTL = ts + INTERVAL 1 DAY`, parenthesised lists with their parentheses.
    Text(Fragment),
}

impl OptionValue {
    /// The value as plain text, whatever its form; `None` for [`OptionValue::None`] and lists of tables.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            OptionValue::Word(text) | OptionValue::Number(text) | OptionValue::String(text) => Some(text),
            OptionValue::Text(fragment) => Some(&fragment.text),
            OptionValue::None | OptionValue::Tables(_) => None,
        }
    }

    /// The value as a number, when it is one.
    pub fn as_u64(&self) -> Option<u64> {
        self.as_str()?.parse().ok()
    }
}

/// One option of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableOption {
    /// The name in upper case, of several words where the grammar has several, synonyms resolved:
    /// `ENGINE`, `CHARSET` (for [DEFAULT] CHARACTER SET, CHARSET), `COLLATE`, `COMMENT`, `AUTO_INCREMENT`,
    /// `ROW_FORMAT`, `DATA DIRECTORY`, `START TRANSACTION`, `WITH SYSTEM VERSIONING`, ...
    ///
    /// MariaDB's engine options (`name = value` of any name) are in the source's case.
    pub name: String,
    /// Its value.
    pub value: OptionValue,
    /// Where name and value stand.
    pub span: Span,
}

/// Options in the source's order. Where one is given twice, the last counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TableOptions(pub Vec<TableOption>);

impl TableOptions {
    /// The value of an option by its upper-case name.
    pub fn get(&self, name: &str) -> Option<&OptionValue> {
        self.0.iter().rev().find(|option| option.name == name).map(|option| &option.value)
    }

    /// ENGINE as written.
    pub fn engine(&self) -> Option<&str> {
        self.get("ENGINE")?.as_str()
    }

    /// The default charset in lower case. `DEFAULT` means the database's.
    pub fn charset(&self) -> Option<String> {
        Some(self.get("CHARSET")?.as_str()?.to_ascii_lowercase())
    }

    /// The default collation in lower case.
    pub fn collation(&self) -> Option<String> {
        Some(self.get("COLLATE")?.as_str()?.to_ascii_lowercase())
    }

    /// The table's comment, decoded.
    pub fn comment(&self) -> Option<&str> {
        self.get("COMMENT")?.as_str()
    }

    /// The next AUTO_INCREMENT value.
    pub fn auto_increment(&self) -> Option<u64> {
        self.get("AUTO_INCREMENT")?.as_u64()
    }

    /// True for `START TRANSACTION`: MySQL 8.0.21 logs an atomic CREATE TABLE ... SELECT as this and the
    /// rows behind it, in one transaction.
    pub fn starts_transaction(&self) -> bool {
        self.get("START TRANSACTION").is_some()
    }

    /// True for MariaDB's `WITH SYSTEM VERSIONING`.
    pub fn is_system_versioned(&self) -> bool {
        self.get("WITH SYSTEM VERSIONING").is_some()
    }
}
