//! Parser of the MySQL family's data definition statements: MySQL 5.5 to 9, MariaDB 10.2 to 12, TiDB,
//! OceanBase.
//!
//! What it is for: following a schema through a binlog, converting DDL clause by clause, and telling
//! statements apart. It recognises every statement of the family; tables, indexes and databases are read
//! completely, everything else by its kind and names ([`ast::Classified`]).
//!
//! What it guarantees:
//! - what it doesn't know is a [`ParseError`] that names statement, byte, line, column and what was
//!   expected; it never guesses and never panics, on any bytes;
//! - `Display` of a tree is SQL that parses to an equal tree;
//! - expressions, queries and routine bodies are kept as their tokens' text ([`ast::Fragment`]), so
//!   nothing in them is lost or changed;
//! - time and memory are linear in the text; nesting can't exhaust the stack ([`MAX_DEPTH`]).
//!
//! What it doesn't do: look into expressions, check that names exist or that clauses make sense
//! together, know DELIMITER, or apply a statement to a schema (the docs of [`ast`] say what each clause
//! does).
//!
//! ```
//! use whimbrel_mysql_ddl::{Dialect, ParseOptions, ast::StatementKind, parse};
//!
//! let options = ParseOptions::new(Dialect::mysql(90704));
//! let statement = parse("ALTER TABLE shop.orders ADD note TEXT AFTER id", &options)?;
//! assert_eq!(statement.kind(), StatementKind::AlterTable);
//! assert_eq!(statement.to_string(), "ALTER TABLE `shop`.`orders` ADD COLUMN `note` TEXT AFTER `id`");
//! # Ok::<(), whimbrel_mysql_ddl::ParseError>(())
//! ```

pub mod ast;
mod dialect;
mod error;
mod expression;
mod keyword;
mod lexeme;
mod lexer;
mod parser;
mod print;
mod script;
mod text;
mod token;

pub use dialect::{Dialect, Family, ParseOptions, SqlMode};
pub use error::{ParseError, ParseErrorKind};
pub use expression::{ExprToken, expression_tokens};
pub use lexeme::{Lexeme, LexemeKind, lexemes};

use ast::{Span, Statement};
use error::Failure;
use lexer::Lexed;
use parser::Parser;
use token::Token;

/// How deep parentheses may be nested. Servers stop earlier, at some hundred.
pub const MAX_DEPTH: usize = 1000;

/// Reads one statement, with or without a semicolon behind it.
///
/// `sql` is text in UTF-8 (`&str`), or bytes as a binlog holds them once converted to utf8mb4: bytes that
/// are not UTF-8 are accepted inside strings, as a statement with raw binary values has them.
///
/// # Errors
///
/// [`ParseErrorKind`] tells the reasons; a text without a statement is [`ParseErrorKind::Empty`].
pub fn parse(sql: impl AsRef<[u8]>, options: &ParseOptions) -> Result<Statement, ParseError> {
    let source = sql.as_ref();
    let everything = Span::new(0, checked_length(source)?);
    let lexed = lexer::lex(source, options);
    let first = lexed.tokens.first().map_or(everything, |token| token.span().to(everything.end_only()));
    match lexed.failure {
        Some(failure) => Err(failure.locate(source, first)),
        None => statement(source, &lexed, script::without_end(&lexed.tokens), options)
            .map_err(|failure| failure.locate(source, first)),
    }
}

/// Reads a script: statements with semicolons between them.
///
/// Each statement is read for itself: one that can't be read is an error in its place, and the rest goes
/// on; only a string or comment without end takes the rest of the text with it. Semicolons inside the
/// `BEGIN .. END` and `CASE .. END` blocks of routines, triggers and events don't end the statement.
/// `DELIMITER` is the mysql client's, not known here. Places are offsets into the whole script.
pub fn parse_many(sql: impl AsRef<[u8]>, options: &ParseOptions) -> Vec<Result<Statement, ParseError>> {
    let source = sql.as_ref();
    let length = match checked_length(source) {
        Ok(length) => length,
        Err(error) => return vec![Err(error)],
    };
    let lexed = lexer::lex(source, options);
    let mut results = Vec::new();
    for tokens in script::statements(&lexed.tokens, lexed.failure.is_some()) {
        let span = match (tokens.first(), tokens.last()) {
            (Some(first), Some(last)) => first.span().to(last.span()),
            _ => continue,
        };
        results
            .push(statement(source, &lexed, tokens, options).map_err(|failure| failure.locate(source, span)));
    }
    if let Some(failure) = lexed.failure {
        let unread = script::unfinished(&lexed.tokens).first().map_or(failure.at, |token| token.start);
        results.push(Err(failure.locate(source, Span::new(unread, length))));
    }
    results
}

fn statement(
    source: &[u8],
    lexed: &Lexed,
    tokens: &[Token],
    options: &ParseOptions,
) -> Result<Statement, Failure> {
    let mut statement = Parser::new(source, tokens, options).statement()?;
    statement.span = lexed.whole(statement.span);
    Ok(statement)
}

/// The length as offsets can say it.
fn checked_length(source: &[u8]) -> Result<u32, ParseError> {
    u32::try_from(source.len()).map_err(|_| {
        let kind = ParseErrorKind::TooLong { bytes: source.len() };
        Failure::new(kind, 0).locate(source, Span::new(0, u32::MAX))
    })
}
