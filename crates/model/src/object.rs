//! What a schema holds besides tables: views, triggers, routines, events, sequences. Accounts, for a report.
//!
//! Texts of SQL are the server's own, in its dialect; nothing here understands them. Views come as the server prints
//! them to a session without a default schema, so their tables carry their schema's name; bodies of triggers, routines
//! and events stand as their author wrote them, and what they don't qualify belongs to the object's own schema.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::schema::TableName;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    Sequence,
    Function,
    Procedure,
    /// MariaDB's, in its Oracle mode: head and body are two objects of one name.
    Package,
    PackageBody,
    View,
    Trigger,
    Event,
}

impl ObjectKind {
    /// The word for people, which is the SQL word in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sequence => "sequence",
            Self::Function => "function",
            Self::Procedure => "procedure",
            Self::Package => "package",
            Self::PackageBody => "package body",
            Self::View => "view",
            Self::Trigger => "trigger",
            Self::Event => "event",
        }
    }

    /// Acts by itself when rows change or time passes: not to be there while somebody else's changes are applied.
    pub fn acts_by_itself(self) -> bool {
        matches!(self, Self::Trigger | Self::Event)
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// With whose rights an object works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    #[default]
    Definer,
    Invoker,
}

/// User and host, as in `'app'@'%'`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountName {
    pub user: String,
    /// Empty for a role of MariaDB.
    pub host: String,
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.is_empty() { f.write_str(&self.user) } else { write!(f, "{}@{}", self.user, self.host) }
    }
}

/// The session in which an object was made, on which the meaning of its text depends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectSession {
    /// `None` for views, whose text is printed in a way that no mode changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql_mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charset_client: Option<String>,
    /// Text literals compare by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation_connection: Option<String>,
    /// Events: the zone of their schedule, `SYSTEM` or as `+02:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// One object of a schema that isn't a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaObject {
    /// Schema and the object's own name. Kinds have names of their own, but views share theirs with tables and
    /// sequences.
    pub name: TableName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definer: Option<AccountName>,
    #[serde(default)]
    pub session: ObjectSession,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    pub definition: Definition,
}

impl SchemaObject {
    pub fn kind(&self) -> ObjectKind {
        match &self.definition {
            Definition::View(_) => ObjectKind::View,
            Definition::Trigger(_) => ObjectKind::Trigger,
            Definition::Routine(routine) => routine.kind,
            Definition::Event(_) => ObjectKind::Event,
            Definition::Sequence(_) => ObjectKind::Sequence,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Definition {
    View(View),
    Trigger(Trigger),
    Routine(Routine),
    Event(Event),
    Sequence(Sequence),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Names of its columns, in order. Empty where the server can't tell them: the view reads what isn't there.
    #[serde(default)]
    pub columns: Vec<String>,
    /// The SELECT, with schemas.
    pub query: String,
    /// `MERGE` or `TEMPTABLE`; `None` is UNDEFINED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// `LOCAL` or `CASCADED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_option: Option<String>,
    #[serde(default)]
    pub security: Security,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    pub table: TableName,
    /// `BEFORE` or `AFTER`.
    pub timing: String,
    /// `INSERT`, `UPDATE` or `DELETE`.
    pub event: String,
    /// Place among the triggers of the same table, timing and event, from 1.
    pub order: u32,
    /// What stands behind FOR EACH ROW.
    pub body: String,
}

/// A procedure, function or package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routine {
    pub kind: ObjectKind,
    /// Without the parentheses.
    #[serde(default)]
    pub parameters: String,
    /// A function's type, charset included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns: Option<String>,
    #[serde(default)]
    pub deterministic: bool,
    /// `CONTAINS SQL`, `NO SQL`, `READS SQL DATA` or `MODIFIES SQL DATA`.
    pub data_access: String,
    #[serde(default)]
    pub security: Security,
    /// MariaDB: CREATE AGGREGATE FUNCTION.
    #[serde(default)]
    pub aggregate: bool,
    /// Of a body that isn't SQL: `JAVASCRIPT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    pub body: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub schedule: Schedule,
    pub enabled: bool,
    /// Kept after its last run.
    pub preserve: bool,
    /// What stands behind DO.
    pub body: String,
}

/// Times are `YYYY-MM-DD hh:mm:ss` in the event's own zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    At(String),
    /// `value` is quoted for units of several parts: `'1:30'` of `HOUR_MINUTE`.
    Every {
        value: String,
        unit: String,
        starts: Option<String>,
        ends: Option<String>,
    },
}

/// MariaDB's sequences. Numbers are `i128` because MariaDB 11.5 has unsigned ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    pub start: i128,
    pub minimum: i128,
    pub maximum: i128,
    pub increment: i128,
    /// Numbers that a server takes at once; 0 is none.
    pub cache: u64,
    pub cycle: bool,
    /// No value that was handed out so far is this one or beyond it: those that the server has cached are behind it.
    pub next: i128,
}

/// An account of the server and what it may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub name: AccountName,
    /// A role, not a user.
    pub role: bool,
    /// How it proves who it is: `caching_sha2_password`; empty where the server doesn't say.
    pub plugin: String,
    pub locked: bool,
    /// GRANT statements as the server prints them, without passwords and their hashes.
    pub grants: Vec<String>,
}
