//! CREATE, ALTER, DROP DATABASE.

use super::name::Ident;
use super::option::OptionValue;
use crate::token::Span;

/// An option of a database.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DatabaseOption {
    /// `CHARSET`, `COLLATE`, `ENCRYPTION`, `COMMENT` (MariaDB), `READ ONLY`, `PLACEMENT POLICY` (TiDB),
    /// `PRIMARY_ZONE`, `REPLICA_NUM`, `DEFAULT TABLEGROUP`, `READ WRITE` (OceanBase), ...
    pub name: String,
    pub value: OptionValue,
    /// Where it stands.
    pub span: Span,
}

/// CREATE DATABASE.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CreateDatabase {
    /// MariaDB: OR REPLACE: a database of the name is dropped first, with its tables.
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub name: Ident,
    pub options: Vec<DatabaseOption>,
}

/// ALTER DATABASE: defaults for tables made from now on; tables that exist keep theirs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AlterDatabase {
    /// The session's current database if absent.
    pub name: Option<Ident>,
    pub options: Vec<DatabaseOption>,
    /// UPGRADE DATA DIRECTORY NAME (MySQL 5.1 to 5.7).
    pub upgrade_data_directory_name: bool,
}

/// DROP DATABASE: the database goes with all its tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DropDatabase {
    pub if_exists: bool,
    pub name: Ident,
}
