//! What can't be read is refused at the exact place, with what was expected there.

use whimbrel_mysql_ddl::{Dialect, MAX_DEPTH, ParseError, ParseErrorKind, ParseOptions, parse, parse_many};

const MYSQL: ParseOptions = ParseOptions::new(Dialect::mysql(90_704));

fn error(sql: &str) -> ParseError {
    parse(sql, &MYSQL).map(|tree| tree.to_string()).expect_err("the statement is wrong")
}

/// `^` in `sql` marks the place of the error and is taken out.
fn expects(marked: &str, expected: &'static str, found: &str) {
    let offset = marked.find('^').expect("the place is marked");
    let sql = marked.replacen('^', "", 1);
    let error = error(&sql);
    assert_eq!(error.kind, ParseErrorKind::Unexpected { expected, found: found.to_owned() }, "{sql}");
    assert_eq!(error.offset, offset, "{sql}: {error}");
}

#[test]
fn tables() {
    expects("CREATE TABLE^", "table name", "end of statement");
    expects("CREATE TABLE ^select (a INT)", "table name", "select");
    expects("CREATE TABLE t^", "column definitions, LIKE or SELECT", "end of statement");
    expects("CREATE TABLE t (^)", "column name", ")");
    expects("CREATE TABLE t (a ^foo)", "data type", "foo");
    expects("CREATE TABLE t (a INT,^)", "column name", ")");
    expects("CREATE TABLE t (a INT ^b INT)", ")", "b");
    expects("CREATE TABLE t (a INT(^x))", "number", "x");
    expects("CREATE TABLE t (a VARCHAR^)", "(length)", ")");
    expects("CREATE TABLE t (a ENUM(^))", "string", ")");
    expects("CREATE TABLE t (a INT NOT ^DEFAULT)", "NULL", "DEFAULT");
    expects("CREATE TABLE t (a INT DEFAULT ^uuid())", "default value", "uuid");
    expects("CREATE TABLE t (a INT DEFAULT (^))", "expression", ")");
    expects("CREATE TABLE t (a INT AS (b) ^PERSISTENTLY)", ")", "PERSISTENTLY");
    expects("CREATE TABLE t (a INT, KEY k ^a)", "(", "a");
    expects(
        "CREATE TABLE t (a INT, CONSTRAINT x ^KEY (a))",
        "PRIMARY KEY, UNIQUE, FOREIGN KEY or CHECK",
        "KEY",
    );
    expects(
        "CREATE TABLE t (a INT, FOREIGN KEY (a) REFERENCES p (b) ON DELETE ^EXPLODE)",
        "RESTRICT, CASCADE, SET NULL, NO ACTION or SET DEFAULT",
        "EXPLODE",
    );
    expects("CREATE TABLE t (a INT) ENGINE=^", "option value", "end of statement");
    expects("CREATE TABLE t (a INT) ENGINE=InnoDB, ^FOO=1", "table option", "FOO");
    expects("CREATE TABLE t (a INT) ^FOO=1", "end of statement", "FOO");
    expects("CREATE TABLE t (a INT) AS ^UPDATE", "query", "UPDATE");
    expects("CREATE TABLE t LIKE ^'x'", "table name", "'x'");
}

#[test]
fn partitions() {
    expects(
        "CREATE TABLE t (a INT) PARTITION BY ^CHANCE (a)",
        "HASH, KEY, RANGE, LIST or SYSTEM_TIME",
        "CHANCE",
    );
    expects("CREATE TABLE t (a INT) PARTITION BY RANGE (a) (PARTITION p VALUES LESS ^(1))", "THAN", "(");
    expects("CREATE TABLE t (a INT) PARTITION BY HASH (a) PARTITIONS ^many", "number", "many");
    expects("CREATE TABLE t (a INT) PARTITION BY LIST (a) (^p VALUES IN (1))", "PARTITION", "p");
}

#[test]
fn alterations() {
    expects("ALTER TABLE t ^FROBNICATE", "clause of ALTER TABLE", "FROBNICATE");
    expects("ALTER TABLE t ADD c INT,^", "clause of ALTER TABLE", "end of statement");
    expects("ALTER TABLE t ADD c INT ^DROP d", "comma or end of statement", "DROP");
    expects("ALTER TABLE t DROP^", "column name", "end of statement");
    expects("ALTER TABLE t CHANGE a ^INT", "column name", "INT");
    expects("ALTER TABLE t ADD c INT AFTER ^,", "column name", ",");
    expects("ALTER TABLE t RENAME COLUMN a ^b", "TO", "b");
    expects("ALTER TABLE t ALTER INDEX i ^GONE", "VISIBLE, INVISIBLE, IGNORED or NOT IGNORED", "GONE");
    expects("ALTER TABLE t CONVERT TO ^latin1", "CHARACTER SET", "latin1");
    expects("ALTER TABLE t EXCHANGE PARTITION p WITH ^u", "TABLE", "u");
    expects("ALTER ^POEM p", "object that can be altered", "POEM");
}

#[test]
fn other_statements() {
    expects("DROP TABLE a,^", "table name", "end of statement");
    expects("DROP TABLE a ^b", "end of statement", "b");
    expects("RENAME TABLE a ^b", "TO", "b");
    expects("RENAME ^a TO b", "TABLE or USER", "a");
    expects("CREATE INDEX i ^(a)", "ON", "(");
    expects("CREATE ^POEM p", "object that can be created", "POEM");
    expects("DROP ^POEM p", "object that can be dropped", "POEM");
    expects("TRUNCATE TABLE a^, b", "end of statement", ",");
    expects("INSERT INTO t VALUES (1^", ")", "end of statement");
    expects("INSERT INTO t VALUES (1)^)", "end of statement", ")");
    expects("DROP TABLE a^; DROP TABLE b", "end of statement", ";");
    expects("XA ^FLY", "START, END, PREPARE, COMMIT, ROLLBACK or RECOVER", "FLY");
}

#[test]
fn place_in_lines_and_characters() {
    let error = error("CREATE TABLE t (\n  größe INT,\r\n\tå INT ° 5\n)");
    assert_eq!((error.line, error.column, error.offset), (3, 8, 41));
    assert_eq!(error.statement, "CREATE TABLE t ( größe INT, å INT ° 5 )");
    assert_eq!(
        error.to_string(),
        "expected ), found ° at line 3 column 8 (byte 41) of statement: CREATE TABLE t ( größe INT, å INT ° 5 )"
    );
}

#[test]
fn long_statements_and_tokens_are_cut_in_messages() {
    let error = error(&format!("CREATE TABLE t (a INT {})", "x".repeat(1000)));
    let ParseErrorKind::Unexpected { found, .. } = &error.kind else { panic!("{error}") };
    assert_eq!(found.chars().count(), 41);
    assert_eq!(error.statement.chars().count(), 81);
}

#[test]
fn unknown_and_empty_statements() {
    assert_eq!(error("  frobnicate t").kind, ParseErrorKind::UnknownStatement { found: "frobnicate".into() });
    assert_eq!(error("'text'").kind, ParseErrorKind::UnknownStatement { found: "'text'".into() });
    for empty in ["", " ", ";", "-- nothing", "/*!99999 DROP TABLE t */", "\u{feff}".trim_matches('\u{feff}')]
    {
        assert_eq!(error(empty).kind, ParseErrorKind::Empty, "{empty:?}");
    }
}

#[test]
fn numbers_out_of_range() {
    let error = error("CREATE TABLE t (a INT(99999999999999999999))");
    assert_eq!(error.kind, ParseErrorKind::NumberOutOfRange { found: "99999999999999999999".into() });
    assert_eq!(error.offset, 22);
}

#[test]
fn bytes_that_are_no_text() {
    let not_text = |sql: &[u8]| parse(sql, &MYSQL).expect_err("it is no text");
    let error = not_text(b"CREATE TABLE `a\xff` (a INT)");
    assert_eq!((error.kind, error.offset), (ParseErrorKind::NotUtf8 { what: "identifier" }, 13));
    let error = not_text(b"CREATE TABLE t (a INT COMMENT '\xc3')");
    assert_eq!((error.kind, error.offset), (ParseErrorKind::NotUtf8 { what: "string" }, 30));
}

#[test]
fn nesting_has_a_limit() {
    let nested =
        |depth: usize| format!("CREATE TABLE t (a INT DEFAULT {}1{})", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(nested(MAX_DEPTH), &MYSQL).is_ok());
    let too_deep = error(&nested(MAX_DEPTH + 1));
    assert_eq!((too_deep.kind, too_deep.offset), (ParseErrorKind::TooDeep, 30 + MAX_DEPTH));
    for prefix in
        ["", "SELECT ", "INSERT INTO t VALUES ", "CREATE TABLE t AS SELECT ", "CREATE TABLE t SELECT "]
    {
        let sql = format!("{prefix}{}", "(".repeat(1_000_000));
        assert_eq!(error(&sql).kind, ParseErrorKind::TooDeep, "{prefix}");
    }
}

#[test]
fn a_script_goes_on_behind_a_statement_that_is_not_read() {
    let results = parse_many("DROP TABLE a; frobnicate b;\nDROP TABLE c d;;\nDROP TABLE e", &MYSQL);
    assert_eq!(results.len(), 4);
    assert!(results[0].is_ok() && results[3].is_ok());
    let error = results[1].as_ref().expect_err("nobody frobnicates");
    assert_eq!((error.offset, error.statement.as_str()), (14, "frobnicate b"));
    let error = results[2].as_ref().expect_err("a comma is missing");
    assert_eq!((error.offset, error.line, error.column), (41, 2, 14));
}

#[test]
fn a_string_without_end_takes_the_rest_of_a_script() {
    let results = parse_many("DROP TABLE a; CREATE TABLE t (a INT COMMENT 'x); DROP TABLE b;", &MYSQL);
    assert_eq!(results.len(), 2);
    assert!(results[0].is_ok());
    let error = results[1].as_ref().expect_err("the string has no end");
    assert_eq!(error.kind, ParseErrorKind::Unterminated { what: "string" });
    assert_eq!(error.offset, 44);
    assert!(error.statement.starts_with("CREATE TABLE t"));
}
