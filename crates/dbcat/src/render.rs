//! SQL text of names, types, columns, keys and tables, in the dialect that MySQL, MariaDB and OceanBase share.

use std::fmt::Write;

use whimbrel_connector::Flavor;
use whimbrel_model::schema::{Check, KeyKind, KeyPartOn};
use whimbrel_model::{Column, ColumnDefault, DataType, ForeignKey, Key, TableName, TableSchema, TextSize};

use crate::profile::TargetProfile;

/// A name in backticks.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Schema and table in backticks.
pub fn quoted_table(name: &TableName) -> String {
    format!("{}.{}", quoted(&name.schema), quoted(&name.table))
}

/// Text in quotes, for a session without `NO_BACKSLASH_ESCAPES`.
pub fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{1a}' => out.push_str("\\Z"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// A column's type, charset and collation included.
pub fn data_type(data_type: &DataType) -> String {
    let sign = |unsigned: bool| if unsigned { " unsigned" } else { "" };
    let fsp = |name: &str, fsp: u8| if fsp == 0 { name.to_owned() } else { format!("{name}({fsp})") };
    let digits = |name: &str, digits: Option<(u8, u8)>, unsigned: bool| match digits {
        Some((m, d)) => format!("{name}({m},{d}){}", sign(unsigned)),
        None => format!("{name}{}", sign(unsigned)),
    };
    let members = |kind: &str, members: &[String], collation: &str| {
        let list: Vec<String> = members.iter().map(|member| string(member)).collect();
        format!("{kind}({}){}", list.join(","), collate(collation))
    };
    match data_type {
        DataType::Bool => "tinyint(1)".to_owned(),
        DataType::Int { bytes, unsigned, zerofill } => integer(*bytes, *unsigned, *zerofill),
        DataType::Decimal { precision, scale, unsigned } => {
            format!("decimal({precision},{scale}){}", sign(*unsigned))
        }
        DataType::Float { digits: md, unsigned } => digits("float", *md, *unsigned),
        DataType::Double { digits: md, unsigned } => digits("double", *md, *unsigned),
        DataType::Bit { bits } => format!("bit({bits})"),
        DataType::Date => "date".to_owned(),
        DataType::Time { fsp: n } => fsp("time", *n),
        DataType::DateTime { fsp: n } => fsp("datetime", *n),
        DataType::Timestamp { fsp: n } => fsp("timestamp", *n),
        DataType::Year => "year".to_owned(),
        DataType::Char { chars, collation, .. } => format!("char({chars}){}", collate(collation)),
        DataType::VarChar { chars, collation, .. } => format!("varchar({chars}){}", collate(collation)),
        DataType::Text { size, collation, .. } => format!("{}text{}", size_prefix(*size), collate(collation)),
        DataType::Binary { bytes } => format!("binary({bytes})"),
        DataType::VarBinary { bytes } => format!("varbinary({bytes})"),
        DataType::Blob { size } => format!("{}blob", size_prefix(*size)),
        DataType::Enum { members: m, collation, .. } => members("enum", m, collation),
        DataType::Set { members: m, collation, .. } => members("set", m, collation),
        DataType::Json => "json".to_owned(),
        // MySQL's own word for it is none of MariaDB's.
        DataType::Geometry { kind, .. } if kind == "geomcollection" => "geometrycollection".to_owned(),
        DataType::Geometry { kind, .. } => kind.clone(),
        DataType::Vector { dimensions } => format!("vector({dimensions})"),
        DataType::Uuid => "uuid".to_owned(),
        DataType::Inet4 => "inet4".to_owned(),
        DataType::Inet6 => "inet6".to_owned(),
    }
}

fn integer(bytes: u8, unsigned: bool, zerofill: Option<u8>) -> String {
    let name = match bytes {
        1 => "tinyint",
        2 => "smallint",
        3 => "mediumint",
        4 => "int",
        _ => "bigint",
    };
    match zerofill {
        Some(width) => format!("{name}({width}) unsigned zerofill"),
        None if unsigned => format!("{name} unsigned"),
        None => name.to_owned(),
    }
}

fn size_prefix(size: TextSize) -> &'static str {
    match size {
        TextSize::Tiny => "tiny",
        TextSize::Regular => "",
        TextSize::Medium => "medium",
        TextSize::Long => "long",
    }
}

/// The collation names its charset, so the charset needs no words of its own.
fn collate(collation: &str) -> String {
    if collation.is_empty() || collation == "binary" {
        return String::new();
    }
    let charset = collation.split('_').next().unwrap_or(collation);
    format!(" character set {charset} collate {collation}")
}

/// A column definition, name included, in the order of words that all three servers take.
pub fn column(column: &Column, target: &TargetProfile) -> String {
    let mut out = format!("{} {}", quoted(&column.name), data_type(&column.data_type));
    if let Some(generated) = &column.generated {
        let kind = if generated.stored { "STORED" } else { "VIRTUAL" };
        let _ = write!(out, " GENERATED ALWAYS AS ({}) {kind}", generated.expression);
        if !column.nullable {
            out.push_str(" NOT NULL");
        }
    } else {
        out.push_str(if column.nullable { " NULL" } else { " NOT NULL" });
        if let Some(default) = &column.default {
            out.push_str(&default_clause(default, &column.data_type, target));
        }
        if let Some(expression) = &column.on_update {
            let _ = write!(out, " ON UPDATE {expression}");
        }
        if column.auto_increment {
            out.push_str(" AUTO_INCREMENT");
        }
    }
    if let DataType::Geometry { srid: Some(srid), .. } = &column.data_type {
        let _ = write!(out, " SRID {srid}");
    }
    if column.invisible && target.has_invisible_columns() {
        out.push_str(" INVISIBLE");
    }
    if !column.comment.is_empty() {
        let _ = write!(out, " COMMENT {}", string(&column.comment));
    }
    out
}

fn default_clause(default: &ColumnDefault, data_type: &DataType, target: &TargetProfile) -> String {
    // MySQL takes defaults of these types only in parentheses (8.0.13); MariaDB either way.
    let parentheses = is_large(data_type) && target.flavor == Flavor::Mysql;
    match default {
        ColumnDefault::Null => " DEFAULT NULL".to_owned(),
        ColumnDefault::Expression(text) if parentheses => format!(" DEFAULT ({text})"),
        ColumnDefault::Literal(text) => {
            let bare = match data_type {
                DataType::Bit { .. } => text.starts_with("b'") || text.starts_with("B'"),
                DataType::Binary { .. } | DataType::VarBinary { .. } => text.starts_with("0x"),
                _ => false,
            };
            if bare { format!(" DEFAULT {text}") } else { format!(" DEFAULT {}", string(text)) }
        }
        ColumnDefault::Expression(text) if is_now(text) || is_bare(text) => format!(" DEFAULT {text}"),
        ColumnDefault::Expression(expression) => format!(" DEFAULT ({expression})"),
    }
}

/// `CURRENT_TIMESTAMP`, with or without a precision, stands without parentheses on every server.
pub(crate) fn is_now(expression: &str) -> bool {
    let word = expression.split('(').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(word.as_str(), "current_timestamp" | "now" | "localtime" | "localtimestamp")
}

/// Types that take no plain default.
pub(crate) fn is_large(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Text { .. } | DataType::Blob { .. } | DataType::Json | DataType::Geometry { .. }
    )
}

/// A bit or hexadecimal literal, which every version of every server takes without parentheses.
pub(crate) fn is_bare(expression: &str) -> bool {
    let quoted = |digit: fn(char) -> bool| {
        let inner = expression.get(2..).and_then(|rest| rest.strip_suffix('\''));
        inner.is_some_and(|digits| digits.chars().all(digit))
    };
    match expression.get(..2) {
        Some("b'" | "B'") => quoted(|c| matches!(c, '0' | '1')),
        Some("x'" | "X'") => quoted(|c| c.is_ascii_hexdigit()),
        Some("0x") => expression.chars().skip(2).all(|c| c.is_ascii_hexdigit()),
        _ => false,
    }
}

/// The secondary indexes that CREATE TABLE can't do without: MySQL and MariaDB want an AUTO_INCREMENT column to begin a
/// key from the start (1075), OceanBase makes no multi-valued index later (1235), and no index at all where a backtick is
/// in the name of the table or a column, because its own statements don't double it (1064, seekdb 1.4).
pub(crate) fn indexes_from_the_start<'a>(table: &'a TableSchema, target: &TargetProfile) -> Vec<&'a Key> {
    if target.is_oceanbase() {
        let mut names =
            table.columns.iter().map(|column| &column.name).chain([&table.name.schema, &table.name.table]);
        let all = names.any(|name| name.contains('`'));
        return table.indexes.iter().filter(|key| all || is_multi_valued(key)).collect();
    }
    let Some(counted) = table.columns.iter().find(|column| column.auto_increment) else { return Vec::new() };
    let begins = |key: &&Key| {
        let first = key.parts.first().and_then(|part| part.column());
        first.is_some_and(|first| first.eq_ignore_ascii_case(&counted.name))
    };
    if table.primary_key.iter().chain(&table.unique_keys).any(|key| begins(&key)) {
        return Vec::new();
    }
    table.indexes.iter().find(begins).into_iter().collect()
}

/// `CAST(... AS UNSIGNED ARRAY)`
fn is_multi_valued(key: &Key) -> bool {
    key.parts.iter().any(|part| match &part.on {
        KeyPartOn::Expression(text) => text.to_lowercase().trim_end_matches([')', ' ']).ends_with(" array"),
        KeyPartOn::Column(_) => false,
    })
}

/// The parts of a key, in parentheses.
pub fn key_parts(key: &Key, target: &TargetProfile) -> String {
    let parts: Vec<String> = key
        .parts
        .iter()
        .map(|part| {
            let mut text = match &part.on {
                KeyPartOn::Column(name) => quoted(name),
                KeyPartOn::Expression(expression) => format!("({expression})"),
            };
            if let Some(prefix) = part.prefix {
                let _ = write!(text, "({prefix})");
            }
            if part.descending && target.has_descending_keys() {
                text.push_str(" DESC");
            }
            text
        })
        .collect();
    format!("({})", parts.join(", "))
}

/// What stands after the parts of a key.
fn key_options(key: &Key, target: &TargetProfile) -> String {
    let mut out = String::new();
    if let Some(parser) = key.parser.as_deref().filter(|parser| target.has_full_text_parser(parser)) {
        let _ = write!(out, " WITH PARSER {parser}");
    }
    if !key.comment.is_empty() {
        let _ = write!(out, " COMMENT {}", string(&key.comment));
    }
    if key.invisible {
        out.push_str(if target.flavor == Flavor::MariaDb { " IGNORED" } else { " INVISIBLE" });
    }
    out
}

/// `PRIMARY KEY (...)`, `UNIQUE KEY name (...)`, `KEY name (...)`: within CREATE TABLE or after ADD.
pub fn key(key: &Key, unique: bool, target: &TargetProfile) -> String {
    let parts = key_parts(key, target);
    let options = key_options(key, target);
    if key.name == "PRIMARY" {
        return format!("PRIMARY KEY {parts}{options}");
    }
    let kind = match key.kind {
        KeyKind::FullText => "FULLTEXT KEY",
        KeyKind::Spatial => "SPATIAL KEY",
        KeyKind::Vector => "VECTOR KEY",
        KeyKind::Ordered if unique => "UNIQUE KEY",
        KeyKind::Ordered => "KEY",
    };
    format!("{kind} {} {parts}{options}", quoted(&key.name))
}

/// The statement that adds a secondary index to a table that is there. `ADD KEY ... INVISIBLE` makes a visible index on
/// OceanBase, CREATE INDEX doesn't.
pub fn add_index(table: &TableName, key: &Key, target: &TargetProfile) -> String {
    if !(key.invisible && target.is_oceanbase()) {
        return format!("ALTER TABLE {} ADD {}", quoted_table(table), self::key(key, false, target));
    }
    let kind = match key.kind {
        KeyKind::FullText => "FULLTEXT INDEX",
        KeyKind::Spatial => "SPATIAL INDEX",
        KeyKind::Vector => "VECTOR INDEX",
        KeyKind::Ordered => "INDEX",
    };
    let (parts, options) = (key_parts(key, target), key_options(key, target));
    format!("CREATE {kind} {} ON {} {parts}{options}", quoted(&key.name), quoted_table(table))
}

/// `CONSTRAINT name CHECK (...)`.
pub fn check(check: &Check, target: &TargetProfile) -> String {
    let enforced = if check.enforced || target.flavor == Flavor::MariaDb { "" } else { " NOT ENFORCED" };
    let name =
        if check.name.is_empty() { String::new() } else { format!("CONSTRAINT {} ", quoted(&check.name)) };
    format!("{name}CHECK ({}){enforced}", check.expression)
}

/// `CONSTRAINT name FOREIGN KEY ...`.
pub fn foreign_key(key: &ForeignKey) -> String {
    let list = |names: &[String]| names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    let action = |words: &str, action: &str| match action {
        "" | "NO ACTION" | "RESTRICT" => String::new(),
        action => format!(" ON {words} {action}"),
    };
    format!(
        "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}){}{}",
        quoted(&key.name),
        list(&key.columns),
        quoted_table(&key.parent),
        list(&key.parent_columns),
        action("DELETE", &key.on_delete),
        action("UPDATE", &key.on_update)
    )
}

/// CREATE TABLE with columns, primary and unique keys and checks; no foreign keys, and only those other indexes
/// that can't be made later.
pub fn create_table(table: &TableSchema, target: &TargetProfile) -> String {
    let mut lines: Vec<String> = table.columns.iter().map(|c| column(c, target)).collect();
    lines.extend(table.primary_key.iter().map(|k| key(k, true, target)));
    lines.extend(table.unique_keys.iter().map(|k| key(k, true, target)));
    lines.extend(indexes_from_the_start(table, target).into_iter().map(|k| key(k, false, target)));
    lines.extend(table.checks.iter().map(|c| check(c, target)));
    let mut out = format!("CREATE TABLE {} (\n  {}\n)", quoted_table(&table.name), lines.join(",\n  "));
    if !target.is_oceanbase() {
        out.push_str(" ENGINE=InnoDB");
    }
    if let Some(next) = table.auto_increment.filter(|next| *next > 1) {
        let _ = write!(out, " AUTO_INCREMENT={next}");
    }
    if let Some(collation) = &table.collation {
        let charset = collation.split('_').next().unwrap_or(collation);
        let _ = write!(out, " DEFAULT CHARSET={charset} COLLATE={collation}");
    }
    if !table.comment.is_empty() {
        let _ = write!(out, " COMMENT={}", string(&table.comment));
    }
    if let Some(partitioning) = &table.partitioning {
        let _ = write!(out, "\n{partitioning}");
    }
    out
}
