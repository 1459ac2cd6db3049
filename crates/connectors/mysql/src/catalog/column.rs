//! One row of `information_schema.COLUMNS` to a [`Column`].
//!
//! Servers show defaults and expressions in different ways:
//!
//! | server | literal | expression |
//! |---|---|---|
//! | MySQL to 8.0.12, MariaDB to 10.2.6 | as it is | `CURRENT_TIMESTAMP` only |
//! | MySQL from 8.0.13 | as it is | `EXTRA` says `DEFAULT_GENERATED`; escaped as in a string |
//! | MariaDB from 10.2.7 | quoted, a number, or `NULL` | anything else |
//! | OceanBase 4.3 | as it is | not marked; only `SHOW CREATE TABLE` tells |
//!
//! Binary defaults are cut at the first NUL, or lose bytes, in all of them, so they are asked for with
//! `DEFAULT(column)` ([`Pending::BinaryDefault`]).
//!
//! A nullable column without a default and one with `DEFAULT NULL` are the same: both have `default: None`.
//! Spellings of the current time become `CURRENT_TIMESTAMP` or `CURRENT_TIMESTAMP(n)`.

use whimbrel_connector::Flavor;
use whimbrel_model::{Column, ColumnDefault, DataType, Generated};

use super::column_type::{self, ColumnTypeError, TypeContext, unescape};
use super::session::Identity;

/// Columns of the query, in this order; `''` stands for what a server lacks.
pub(super) fn select_list(identity: &Identity) -> String {
    let mysql = |version| identity.is_mysql(version);
    let generation =
        identity.flavor == Flavor::OceanBase || mysql((5, 7, 6)) || identity.is_mariadb((10, 2, 5));
    let srid = identity.flavor == Flavor::OceanBase || mysql((8, 0, 3));
    format!(
        "TABLE_NAME, COLUMN_NAME, COLUMN_DEFAULT, IS_NULLABLE, CHARACTER_SET_NAME, COLLATION_NAME, \
         COLUMN_TYPE, EXTRA, COLUMN_COMMENT, {}, {}",
        if generation { "GENERATION_EXPRESSION" } else { "NULL" },
        if srid { "SRS_ID" } else { "NULL" },
    )
}

/// A row of that query behind the table's name.
pub(super) struct RawColumn<'a> {
    pub(super) name: &'a str,
    pub(super) default: Option<&'a str>,
    pub(super) nullable: bool,
    pub(super) charset: Option<&'a str>,
    pub(super) collation: Option<&'a str>,
    pub(super) column_type: &'a str,
    pub(super) extra: &'a str,
    pub(super) comment: &'a str,
    pub(super) generation: Option<&'a str>,
    pub(super) srid: Option<u32>,
}

/// What has to be asked for besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pending {
    Nothing,
    /// The default's bytes.
    BinaryDefault,
    /// Whether the default is text or an expression.
    DefaultKind,
}

impl RawColumn<'_> {
    pub(super) fn read(&self, identity: &Identity) -> Result<(Column, Pending), ColumnTypeError> {
        let context = TypeContext {
            charset: self.charset,
            collation: self.collation,
            srid: self.srid,
            raw_members: identity.flavor == Flavor::OceanBase,
        };
        let data_type = column_type::parse(self.column_type, context)?;
        let extra = self.extra.to_ascii_lowercase();
        let mut column = Column::new(self.name, data_type, self.nullable);
        column.comment = self.comment.to_owned();
        column.auto_increment = extra.contains("auto_increment");
        column.invisible = extra.contains("invisible");
        column.generated = self.generated(identity, &extra);
        column.on_update = extra.split_once("on update ").map(|(_, rest)| {
            let end = rest.find(' ').unwrap_or(rest.len());
            current_time(rest.split_at(end).0).unwrap_or_else(|| rest.to_owned())
        });
        let mut pending = Pending::Nothing;
        if column.generated.is_none()
            && let Some(text) = self.default
        {
            (column.default, pending) = default(text, &extra, &column.data_type, identity);
        }
        Ok((column, pending))
    }

    fn generated(&self, identity: &Identity, extra: &str) -> Option<Generated> {
        let expression = self.generation.filter(|text| !text.is_empty())?;
        let escaped = identity.is_mysql((8, 0, 0));
        let expression = if escaped { unescaped(expression) } else { expression.to_owned() };
        // MariaDB to 10.1 says PERSISTENT.
        let stored = extra.contains("stored") || extra.contains("persistent");
        Some(Generated { expression, stored })
    }
}

/// `extra` is in lower case.
fn default(
    text: &str,
    extra: &str,
    data_type: &DataType,
    identity: &Identity,
) -> (Option<ColumnDefault>, Pending) {
    let expression = |text: &str| {
        let text = current_time(text).unwrap_or_else(|| text.to_owned());
        (Some(ColumnDefault::Expression(text)), Pending::Nothing)
    };
    let literal = |text: &str| (Some(ColumnDefault::Literal(text.to_owned())), Pending::Nothing);
    let binary =
        matches!(data_type, DataType::Binary { .. } | DataType::VarBinary { .. } | DataType::Blob { .. });
    let bits = matches!(data_type, DataType::Bit { .. }) && text.starts_with("b'");
    if bits {
        return expression(text);
    }
    match identity.flavor {
        Flavor::Mysql if extra.contains("default_generated") => expression(&unescaped(text)),
        Flavor::MariaDb if identity.version >= (10, 2, 7) => match mariadb_literal(text) {
            MariaDbDefault::Null => (None, Pending::Nothing),
            MariaDbDefault::Text(_) if binary => (None, Pending::BinaryDefault),
            MariaDbDefault::Text(text) => literal(&text),
            MariaDbDefault::Number => literal(text),
            MariaDbDefault::Expression => expression(text),
        },
        _ if binary => (None, Pending::BinaryDefault),
        _ if is_current_time(data_type, text) => {
            let fsp = match data_type {
                DataType::DateTime { fsp } | DataType::Timestamp { fsp } => *fsp,
                _ => 0,
            };
            // OceanBase doesn't show the digits, which must be the column's.
            let text = if fsp > 0 { format!("CURRENT_TIMESTAMP({fsp})") } else { "CURRENT_TIMESTAMP".into() };
            expression(&text)
        }
        Flavor::OceanBase if text.contains('(') => {
            (Some(ColumnDefault::Literal(text.to_owned())), Pending::DefaultKind)
        }
        _ => literal(text),
    }
}

fn is_current_time(data_type: &DataType, text: &str) -> bool {
    matches!(data_type, DataType::DateTime { .. } | DataType::Timestamp { .. })
        && current_time(text).is_some()
}

/// The one spelling of `current_timestamp()`, `NOW(6)`, ...; `None` for anything else.
pub(super) fn current_time(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let rest = lower.strip_prefix("current_timestamp").or_else(|| lower.strip_prefix("now"))?;
    match rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        None if lower == "current_timestamp" => Some("CURRENT_TIMESTAMP".to_owned()),
        Some("" | "0") => Some("CURRENT_TIMESTAMP".to_owned()),
        Some(digits @ ("1" | "2" | "3" | "4" | "5" | "6")) => Some(format!("CURRENT_TIMESTAMP({digits})")),
        _ => None,
    }
}

enum MariaDbDefault {
    Null,
    Text(String),
    Number,
    Expression,
}

fn mariadb_literal(text: &str) -> MariaDbDefault {
    if text == "NULL" {
        return MariaDbDefault::Null;
    }
    if let Some(inner) = text.strip_prefix('\'')
        && let Some(literal) = string_to_its_end(inner)
    {
        return MariaDbDefault::Text(literal);
    }
    // x'00ff', as MariaDB 11.8 shows binary defaults; X'00FF' as all show those that were written so.
    if text.starts_with(['x', 'X']) && text.get(1..2) == Some("'") && text.ends_with('\'') {
        return MariaDbDefault::Text(String::new());
    }
    let number = text.strip_prefix('-').unwrap_or(text);
    let digits = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    if number.starts_with(|c: char| c.is_ascii_digit() || c == '.') && number.chars().all(digits) {
        return MariaDbDefault::Number;
    }
    MariaDbDefault::Expression
}

/// The content of a quoted string whose opening quote is gone and whose closing one is the text's end.
fn string_to_its_end(text: &str) -> Option<String> {
    let mut chars = text.chars();
    let mut out = String::new();
    loop {
        match chars.next()? {
            '\'' => match chars.next() {
                None => return Some(out),
                Some('\'') => out.push('\''),
                Some(_) => return None,
            },
            '\\' => out.push(unescape(chars.next()?)),
            c => out.push(c),
        }
    }
}

/// Takes one level of backslashes off: MySQL 8 stores expressions escaped as in a string.
pub(super) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(chars.next().map_or('\\', unescape)),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(flavor: Flavor, version: (u16, u16, u16)) -> Identity {
        Identity { flavor, version, version_text: String::new(), folds_names: false }
    }

    fn column(server: &Identity, column_type: &str, default: &str, extra: &str) -> (Column, Pending) {
        let text = column_type.contains("char") || column_type.contains("text");
        let raw = RawColumn {
            name: "c",
            default: Some(default),
            nullable: true,
            charset: text.then_some("utf8mb4"),
            collation: text.then_some("utf8mb4_bin"),
            column_type,
            extra,
            comment: "",
            generation: None,
            srid: None,
        };
        raw.read(server).unwrap()
    }

    fn literal(text: &str) -> Option<ColumnDefault> {
        Some(ColumnDefault::Literal(text.into()))
    }

    fn expression(text: &str) -> Option<ColumnDefault> {
        Some(ColumnDefault::Expression(text.into()))
    }

    #[test]
    fn mysql_tells_literals_from_expressions() {
        let new = identity(Flavor::Mysql, (9, 7, 4));
        let generated = "DEFAULT_GENERATED";
        for (column_type, default, extra, expected) in [
            ("varchar(9)", "it's \\ x", "", literal("it's \\ x")),
            ("varchar(9)", "uuid()", "", literal("uuid()")),
            ("varchar(9)", r"concat(_utf8mb4\'a\',_utf8mb4\'\\\'b\')", generated, {
                expression(r"concat(_utf8mb4'a',_utf8mb4'\'b')")
            }),
            ("int", "-5", "", literal("-5")),
            ("bit(9)", "b'101'", "", expression("b'101'")),
            ("timestamp", "CURRENT_TIMESTAMP", generated, expression("CURRENT_TIMESTAMP")),
        ] {
            assert_eq!(column(&new, column_type, default, extra).0.default, expected, "{default}");
        }
        let old = identity(Flavor::Mysql, (5, 6, 24));
        let (read, _) = column(&old, "datetime(6)", "CURRENT_TIMESTAMP(6)", "on update CURRENT_TIMESTAMP(6)");
        assert_eq!(read.default, expression("CURRENT_TIMESTAMP(6)"));
        assert_eq!(read.on_update.as_deref(), Some("CURRENT_TIMESTAMP(6)"));
        assert_eq!(
            column(&old, "varchar(9)", "CURRENT_TIMESTAMP", "").0.default,
            literal("CURRENT_TIMESTAMP")
        );
        assert_eq!(column(&old, "binary(3)", "ab", "").1, Pending::BinaryDefault);
    }

    #[test]
    fn mariadb_shows_sql_expressions() {
        let server = identity(Flavor::MariaDb, (10, 11, 6));
        for (column_type, default, expected) in [
            ("varchar(9)", "NULL", None),
            ("varchar(9)", "'NULL'", literal("NULL")),
            ("varchar(9)", r"'it''s \\ x'", literal("it's \\ x")),
            ("varchar(9)", "''", literal("")),
            ("int(11)", "-5", literal("-5")),
            ("varchar(9)", r"concat('a','\'b')", expression(r"concat('a','\'b')")),
            ("timestamp", "current_timestamp()", expression("CURRENT_TIMESTAMP")),
            ("int(11)", "(1 + 2)", expression("(1 + 2)")),
            ("varchar(9)", "'a' 'b'", expression("'a' 'b'")),
        ] {
            assert_eq!(column(&server, column_type, default, "").0.default, expected, "{default}");
        }
        assert_eq!(column(&server, "varbinary(9)", "x'00ff'", "").1, Pending::BinaryDefault);
        let before = identity(Flavor::MariaDb, (10, 2, 6));
        assert_eq!(column(&before, "varchar(9)", "'x'", "").0.default, literal("'x'"));
    }

    #[test]
    fn oceanbase_hides_digits_and_marks_nothing() {
        let server = identity(Flavor::OceanBase, (4, 3, 5));
        let (read, pending) =
            column(&server, "datetime(6)", "CURRENT_TIMESTAMP", "on update current_timestamp(6)");
        assert_eq!((read.default, pending), (expression("CURRENT_TIMESTAMP(6)"), Pending::Nothing));
        assert_eq!(read.on_update.as_deref(), Some("CURRENT_TIMESTAMP(6)"));
        assert_eq!(column(&server, "varchar(36)", "uuid()", "").1, Pending::DefaultKind);
    }

    #[test]
    fn generated_columns_have_an_expression_and_no_default() {
        let raw = RawColumn {
            name: "g",
            default: None,
            nullable: false,
            charset: Some("utf8mb4"),
            collation: Some("utf8mb4_bin"),
            column_type: "varchar(40)",
            extra: "STORED GENERATED INVISIBLE",
            comment: "it's",
            generation: Some(r#"concat(`s`,_utf8mb4\'\\\'x"\')"#),
            srid: None,
        };
        let (column, _) = raw.read(&identity(Flavor::Mysql, (8, 0, 36))).unwrap();
        let generated = column.generated.unwrap();
        assert_eq!(generated.expression, r#"concat(`s`,_utf8mb4'\'x"')"#);
        assert!(generated.stored && column.invisible && !column.nullable);
        assert_eq!(column.comment, "it's");
    }
}
