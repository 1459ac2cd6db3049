//! Statements of which only kind and names are read.

use super::name::{Fragment, ObjectName, TableName};
use super::statement::StatementKind;

/// A statement that is recognised by its leading words and the names in it; the rest is text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Classified {
    /// What it does.
    pub kind: StatementKind,
    /// TEMPORARY, IF EXISTS and the like are in `text`. The objects it is about: views, routines,
    /// triggers, events, users (`user@host`), savepoints, ...
    pub objects: Vec<ObjectName>,
    /// The tables it touches, as far as its head says: a trigger's table, the target of simple DML,
    /// tables under maintenance.
    pub tables: Vec<TableName>,
    /// The whole statement.
    pub text: Fragment,
}
