//! Row and column filters: which rows and columns of a source take part, and what its columns are called at the target.
//!
//! Everything happens at the seams on the source's side, so that import, apply and verification need to know nothing of
//! it: they work with the table as the *view* has it, as if the source had no other rows and columns.
//!
//! What it guarantees:
//! - A condition has on every row and change the value that the source's server gives it, or it is refused before
//!   anything starts ([`condition`]).
//! - The changes that are left are those of a table that never held the other rows ([`changes`]).
//! - Columns that are left out aren't read from the source's tables ([`selection`]); what depends on them is left out
//!   too and noted ([`view`]).
//!
//! What it doesn't do: decide which tables move, or look at the target.

pub mod changes;
pub mod condition;
mod ddl;
mod names;
pub mod selection;
pub mod view;

pub use ddl::{DdlViewError, view_statement};
pub use selection::{SelectedSource, Selection};
pub use view::{ColumnChoice, TableRules, View, ViewError, ViewNote};
