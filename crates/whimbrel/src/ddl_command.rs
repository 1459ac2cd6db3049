//! `whimbrel ddl parse`: the syntax trees of a file's statements, or where one can't be read.

use std::fmt::Write as _;
use std::io::{Read, Write, stdin, stdout};

use whimbrel_mysql_ddl::ast::Statement;
use whimbrel_mysql_ddl::{Dialect, ParseError, ParseOptions, parse_many};

use crate::cli::{DdlArgs, DdlCommand, DialectName};
use crate::failure::{Exit, Failure};
use crate::syntax_tree::outline;

/// Runs the command. Blocks.
///
/// # Errors
/// A file that can't be read (exit code 2); statements that can't be (exit code 1), after all have been printed.
pub fn run(args: &DdlArgs) -> Result<Exit, Failure> {
    match &args.command {
        DdlCommand::Parse { dialect, file } => parse(*dialect, file),
    }
}

fn parse(dialect: DialectName, file: &str) -> Result<Exit, Failure> {
    let sql = read(file)?;
    let results = parse_many(&sql, &ParseOptions::new(newest(dialect)));
    let failed = results.iter().filter(|result| result.is_err()).count();
    let mut text = String::new();
    for (number, result) in (1..).zip(&results) {
        describe(number, result, &sql, &mut text);
    }
    let written = stdout().lock().write_all(text.as_bytes());
    // A reader that has seen enough (`| head`) is no failure.
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        return Err(Failure::storage("standard output", "writing failed", error));
    }
    if failed == 0 {
        return Ok(Exit::Done);
    }
    let mut failure = Failure::configuration(
        file,
        format!("{failed} of {} statements can't be read", results.len()),
        "each is named above with line and column; --dialect chooses the server's language",
    );
    failure.error.kind = whimbrel_connector::ErrorKind::UnsupportedStatement;
    Err(failure)
}

/// The grammar is the union of a family's versions; the version only decides which executable comments are code.
fn newest(dialect: DialectName) -> Dialect {
    match dialect {
        DialectName::Mysql => Dialect::mysql(90_704),
        DialectName::Mariadb => Dialect::mariadb(120_000),
        DialectName::Tidb => Dialect::tidb(80_500),
        DialectName::Oceanbase => Dialect::oceanbase(40_305),
    }
}

fn read(file: &str) -> Result<Vec<u8>, Failure> {
    let mut sql = Vec::new();
    let read = if file == "-" {
        stdin().lock().read_to_end(&mut sql)
    } else {
        std::fs::read(file).map(|bytes| {
            sql = bytes;
            sql.len()
        })
    };
    read.map_err(|error| {
        let mut failure = Failure::usage(file, "the file can't be read");
        failure.error = failure
            .error
            .with_source(error)
            .with_hint("name a file that can be read, or - for standard input");
        failure
    })?;
    Ok(sql)
}

fn describe(number: usize, result: &Result<Statement, ParseError>, sql: &[u8], out: &mut String) {
    // Writing to a String can't fail.
    let _ = match result {
        Ok(statement) => {
            let before = sql.get(..statement.span.start as usize).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            writeln!(out, "-- statement {number}, line {line}: {:?}", statement.kind())
        }
        Err(error) => writeln!(
            out,
            "-- statement {number}, line {}, column {}: error: {}\n--   {}",
            error.line, error.column, error.kind, error.statement
        ),
    };
    if let Ok(statement) = result {
        if let Some(variables) = &statement.variables {
            let _ = writeln!(out, "SET STATEMENT {}", variables.text);
        }
        out.push_str(&outline(&statement.body));
    }
}
