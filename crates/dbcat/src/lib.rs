//! DBCat: converts tables, other objects and DDL statements of one database to those of another, and says what will be different.
//!
//! What it guarantees: whatever is not carried over as it is has a [`Note`]; two rows whose keys are different at
//! the source stay different at the target as far as the target has a collation that can tell them apart; the
//! target is judged by what was probed ([`TargetProfile`]), not by its version.
//!
//! What it doesn't do: talk to a server, or decide which tables move.
//!
//! | file | what for |
//! |---|---|
//! | `profile.rs` | what the target can do |
//! | `rules/` | conversion rules, as tables |
//! | `overrides/` | columns that the project converts by its own choice |
//! | `collation.rs` | charsets and collations |
//! | `partitioning.rs` | PARTITION BY clauses |
//! | `table.rs` | a table, converted, with its statements |
//! | `schema.rs` | schemas and their defaults |
//! | `render.rs` | SQL of columns, keys, tables |
//! | `object/` | views, triggers, routines, events, sequences |
//! | `statement.rs`, `clause.rs` | statements of a source's log |
//! | `guide_page.rs` | the user guide's page, made of the rules |
//! | `kind.rs` | kinds of statements and clauses, by which users decide |
//! | `applied.rs` | whether a statement's effect is there already |

mod applied;
mod clause;
mod collation;
mod guide_page;
mod kind;
mod merge;
mod object;
pub mod overrides;
mod partitioning;
mod profile;
pub mod render;
pub mod rules;
mod schema;
mod statement;
mod table;

pub use applied::{is_applied, is_renamed, is_there};
pub use guide_page::render as guide_page;
pub use kind::DdlKind;
pub use merge::{difference, dropped_columns};
pub use object::{ConvertedObject, ObjectContext, ObjectDdl, convert_object, convert_objects};
pub use profile::TargetProfile;
pub use rules::{Aspect, Effort, Rule};
pub use schema::create_schema;
pub use statement::{Routes, StatementError, TargetStatement, convert_routed, convert_statement};
pub use table::{ConvertedTable, NamedDdl, convert_table};

/// How much a change matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// Another spelling of the same thing.
    None,
    /// The same rows, but something behaves differently.
    Behaviour,
    /// Some values or objects can't be carried over.
    Data,
}

/// Something that will be different at the target.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Note {
    /// The rule that was followed ([`rules::find`]).
    pub rule: &'static str,
    pub loss: Loss,
    /// `schema.table`, `schema.table.column` or `schema.table, key name`.
    pub object: String,
    /// What changes and why.
    pub text: String,
}

impl Note {
    /// The rule that was followed.
    pub fn rule(&self) -> Option<&'static Rule> {
        rules::find(self.rule)
    }
}
