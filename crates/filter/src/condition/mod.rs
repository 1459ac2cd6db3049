//! Conditions: SQL's WHERE on one row, evaluated here exactly as the source's server does.
//!
//! A condition is read (`syntax`), checked against the table's columns (`check`), and becomes a typed tree (`node`) that
//! can be evaluated on a row (`eval`) and printed as SQL that means the same whatever the session's settings (`print`).
//!
//! What it guarantees: for every row the value (true, false or unknown) is the one that the server gives; what isn't
//! known to be so is refused by [`Condition::new`] with its place, or, where it depends on the row (text beyond ASCII
//! under a collation), asked from the server ([`EvalError::Ask`]). The tests compare with MySQL and MariaDB.
//!
//! What it doesn't do: subqueries, regular expressions, JSON, division, arithmetic on floating point numbers.

mod check;
mod eval;
mod node;
mod number;
mod print;
mod syntax;
mod text;

use whimbrel_connector::text::TextQuestion;
use whimbrel_model::{RowRef, TableSchema};

pub use eval::Answers;

/// A condition on the rows of one version of a table.
#[derive(Clone, Debug)]
pub struct Condition {
    root: node::Node,
    sql: String,
    columns: Vec<usize>,
}

/// Why a condition can't be used, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}, at character {column} of the condition {condition:?}")]
pub struct ConditionError {
    pub condition: String,
    /// Of the place, from 1, in characters.
    pub column: usize,
    pub message: String,
}

impl ConditionError {
    fn new(condition: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = condition.get(..offset).unwrap_or(condition);
        let column = before.chars().count() + 1;
        Self { condition: condition.to_owned(), column, message: message.into() }
    }
}

/// Why a row has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// Only the server knows; put its answer into [`Answers`] and evaluate again.
    #[error("a comparison of texts has to be asked from the server")]
    Ask(TextQuestion),
    /// The log doesn't hold this column of the row.
    #[error("the log doesn't hold column {0} of the row, on which the condition depends")]
    Unknown(String),
    #[error("a number is out of range in the condition; the server refuses it too")]
    OutOfRange,
    #[error("a text is not valid in its charset")]
    InvalidText,
}

impl Condition {
    /// Reads and checks a condition.
    ///
    /// # Errors
    /// Syntax, unknown columns, unsupported functions, comparisons whose result isn't known exactly.
    pub fn new(text: &str, table: &TableSchema) -> Result<Self, ConditionError> {
        let expr = syntax::parse(text)?;
        let root = check::check(text, table, &expr)?;
        let mut columns = Vec::new();
        root.each_column(&mut |at| columns.push(at));
        columns.sort_unstable();
        columns.dedup();
        let sql = print::sql(&root, table);
        Ok(Self { root, sql, columns })
    }

    /// The condition as SQL with the columns' names, in parentheses, independent of `sql_mode` and charset of the
    /// session. Times are UTC.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Positions of the columns on which it depends, ascending.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The value on a row in the layout of the table: `None` is unknown.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub fn evaluate(&self, row: RowRef<'_>, answers: &Answers) -> Result<Option<bool>, EvalError> {
        eval::truth(&self.root, row, answers)
    }
}

#[cfg(test)]
mod tests;
