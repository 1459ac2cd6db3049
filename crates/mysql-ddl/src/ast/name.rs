//! Names and fragments.

use crate::token::Span;

/// An identifier, without its quotes.
///
/// The case is the source's: whether names that differ in case are one is the server's setting
/// (`lower_case_table_names`) for databases and tables, and always so for columns and indexes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ident {
    /// The name.
    pub value: String,
    /// Where it stands, quotes included.
    pub span: Span,
}

/// The name of a table, view, routine, trigger or other object, with or without its database.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectName {
    /// The database; the session's current one if absent.
    pub schema: Option<Ident>,
    /// The object.
    pub name: Ident,
}

/// The name of a table.
pub type TableName = ObjectName;

impl ObjectName {
    /// The place of the whole name.
    pub fn span(&self) -> Span {
        self.schema.as_ref().map_or(self.name.span, |schema| schema.span.to(self.name.span))
    }
}

/// A range of tokens that the grammar doesn't look into: an expression, a query, a routine's body.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fragment {
    /// The tokens' text: comments gone, executable comments resolved, white space single, quoting of
    /// the default `sql_mode`. Safe to put into another statement.
    pub text: String,
    /// Where the raw text stands in the source.
    pub span: Span,
}
