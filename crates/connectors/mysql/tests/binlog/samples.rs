//! Every sample, read from its first byte and compared with its server after every statement.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use whimbrel_connector_mysql::log::read_file;
use whimbrel_model::{Commit, DataType, LogRecord, Position, TableName, TableSchema, TextSize};

use crate::replay::{Replay, difference};
use crate::sample::{Sample, all};

/// Samples that must end with an error, and a part of its text.
fn expected_error(sample: &Sample) -> Option<&'static str> {
    match sample.scenario.as_str() {
        "statements" | "compressed_events" => Some("as a statement, not as rows"),
        "versioned_and_sequences" => Some("system-versioned"),
        // Changes of a part of a value that a MINIMAL image leaves out.
        "json_partial" => Some("without the value before"),
        _ => None,
    }
}

#[test]
fn every_sample_reads_to_the_rows_that_its_server_has() {
    let mut failures = Vec::new();
    for sample in all() {
        if let Err(failure) = check(&sample) {
            failures.push(format!("{}: {failure}", sample.name()));
        }
    }
    assert!(failures.is_empty(), "{} samples differ:\n{}", failures.len(), failures.join("\n"));
}

fn check(sample: &Sample) -> Result<(), String> {
    let mut records = Vec::new();
    let outcome =
        read_file(&sample.content, &sample.log_name, sample.history(), &mut |record| records.push(record));
    let expected = expected_error(sample);
    match (outcome, expected) {
        (Ok(()), None) => {}
        (Ok(()), Some(_)) => return Err("was read without the error that it must give".to_owned()),
        (Err(error), expected) => {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            if !expected.is_some_and(|part| text.contains(part)) {
                return Err(text);
            }
        }
    }
    follow(sample, &records, expected.is_none())
}

/// Applies the records and compares at the end of every statement that moved the log.
///
/// Where the reading ended with an error, statements behind it are left out.
fn follow(sample: &Sample, records: &[LogRecord], complete: bool) -> Result<(), String> {
    let reached = records.iter().rev().find_map(|record| match record {
        LogRecord::Commit(Commit { position: Position::Binlog(position), .. }) => Some(position.offset),
        _ => None,
    });
    let mut replay = Replay::default();
    let mut records = records.iter().peekable();
    let mut latest: BTreeMap<String, (Vec<Json>, Vec<Json>)> = BTreeMap::new();
    let mut previous_end = 0;
    let count = sample.steps.len();
    for (index, step) in sample.steps.iter().enumerate() {
        let end = step["end"].as_u64().unwrap();
        if let Some(table) = step["table"].as_str()
            && step["logged"].as_bool() != Some(false)
            && step["undone"].as_bool() != Some(true)
        {
            let columns = step.get("columns").or_else(|| sample.tables.get(table).map(|t| &t["columns"]));
            let columns = columns.and_then(Json::as_array).cloned().unwrap_or_default();
            let rows = step["rows_after"].as_array().cloned().unwrap_or_default();
            latest.insert(table.to_owned(), (columns, rows));
        }
        // Further tables of the same statement are in steps without text.
        let more = sample.steps.get(index + 1).is_some_and(|next| next["sql"].is_null());
        if end == previous_end && !more || more && index + 1 < count {
            continue;
        }
        previous_end = end;
        if !complete && reached.is_none_or(|reached| end > reached) {
            return Ok(());
        }
        advance(&mut replay, &mut records, end);
        if sample.scenario == "xa" {
            // What is prepared is there for the session that did it, and nobody else.
            continue;
        }
        let sql = step["sql"].as_str().unwrap_or("(one more table)");
        compare(sample, &replay, &latest).map_err(|failure| format!("after {}: {failure}", shorten(sql)))?;
    }
    for record in records {
        replay.apply(record);
    }
    for (table, expected) in &sample.tables {
        let name = table_name(table);
        let Some(ours) = replay.tables.get(&name) else {
            return Err(format!("{table} is missing at the end"));
        };
        let columns = expected["columns"].as_array().unwrap();
        let rows = expected["rows_final"].as_array().unwrap();
        check_definition(&ours.0, columns)?;
        if cascades_unseen(sample, table) {
            continue;
        }
        if let Some(failure) = difference(ours, columns, rows) {
            return Err(format!("{table} at the end: {failure}"));
        }
    }
    Ok(())
}

fn shorten(sql: &str) -> String {
    sql.chars().take(150).collect()
}

/// Applies all transactions that end at or before an offset.
fn advance<'a>(
    replay: &mut Replay,
    records: &mut std::iter::Peekable<impl Iterator<Item = &'a LogRecord> + Clone>,
    end: u64,
) {
    while records.peek().is_some() {
        let ahead = records.clone().find_map(|record| match record {
            LogRecord::Commit(commit) => Some(commit.position.clone()),
            LogRecord::Heartbeat { position, .. } => Some(position.clone()),
            _ => None,
        });
        let Some(Position::Binlog(position)) = ahead else { return };
        if position.offset > end {
            return;
        }
        for record in records.by_ref() {
            replay.apply(record);
            if matches!(record, LogRecord::Commit(_) | LogRecord::Heartbeat { .. }) {
                break;
            }
        }
    }
}

/// InnoDB's cascades into child tables are in no log but MySQL 9's.
fn cascades_unseen(sample: &Sample, table: &str) -> bool {
    sample.scenario == "foreign_keys" && sample.server != "mysql97" && table != "sample.parent"
}

fn compare(
    sample: &Sample,
    replay: &Replay,
    latest: &BTreeMap<String, (Vec<Json>, Vec<Json>)>,
) -> Result<(), String> {
    for (table, (columns, rows)) in latest {
        if cascades_unseen(sample, table) {
            continue;
        }
        // Renamed or dropped since the server was asked; tables that are there at the end are compared then.
        let Some(ours) = replay.tables.get(&table_name(table)) else { continue };
        let names: Vec<_> = columns.iter().filter_map(|column| column["name"].as_str()).collect();
        if !names.iter().copied().eq(ours.0.columns.iter().map(|column| column.name.as_str())) {
            // DDL since the server was asked; the next change of the table tells.
            continue;
        }
        if let Some(failure) = difference(ours, columns, rows) {
            return Err(format!("{table}: {failure}"));
        }
    }
    Ok(())
}

fn table_name(text: &str) -> TableName {
    let (schema, table) = text.split_once('.').unwrap();
    TableName::new(schema, table)
}

/// The history's definition must be the server's.
fn check_definition(schema: &TableSchema, columns: &[Json]) -> Result<(), String> {
    for (column, expected) in schema.columns.iter().zip(columns) {
        let text = |key: &str| expected[key].as_str();
        let failed = |what: &str, ours: &str, theirs: &str| {
            Err(format!("{} {what} of {} is {ours}, the server says {theirs}", schema.name, column.name))
        };
        let (ours, theirs) = (type_text(&column.data_type), plain_type(text("type").unwrap()));
        if ours != theirs {
            return failed("type", &ours, &theirs);
        }
        if Some(column.nullable) != expected["nullable"].as_bool() {
            return failed("nullability", &column.nullable.to_string(), &expected["nullable"].to_string());
        }
        // Charset and collation of MariaDB's JSON and INET types are no property of ours.
        if let (Some(theirs), Some(ours)) = (text("collation"), column.data_type.collation())
            && ours != theirs
        {
            return failed("collation", ours, theirs);
        }
    }
    Ok(())
}

/// A server's type without what is no part of ours: display widths, and comments.
fn plain_type(text: &str) -> String {
    let text = text.split(" /*").next().unwrap();
    let is_int = ["tinyint", "smallint", "mediumint", "int", "bigint", "year"]
        .iter()
        .any(|name| text.split(['(', ' ']).next() == Some(name));
    let zerofill = text.contains("zerofill");
    if is_int && !zerofill && text != "tinyint(1)" {
        let (name, rest) = text.split_once('(').unwrap_or((text, ""));
        let rest = rest.split_once(')').map_or("", |(_, rest)| rest);
        return format!("{name}{rest}");
    }
    text.replace("geometrycollection", "geomcollection")
}

fn type_text(data_type: &DataType) -> String {
    let sign = |unsigned: bool| if unsigned { " unsigned" } else { "" };
    let fsp = |name: &str, fsp: u8| if fsp == 0 { name.to_owned() } else { format!("{name}({fsp})") };
    let size = |size: TextSize, kind: &str| {
        let prefix = match size {
            TextSize::Tiny => "tiny",
            TextSize::Regular => "",
            TextSize::Medium => "medium",
            TextSize::Long => "long",
        };
        format!("{prefix}{kind}")
    };
    let members = |name: &str, members: &[String]| {
        let quoted: Vec<String> = members.iter().map(|m| format!("'{}'", m.replace('\'', "''"))).collect();
        format!("{name}({})", quoted.join(","))
    };
    match data_type {
        DataType::Bool => "tinyint(1)".into(),
        DataType::Int { bytes, unsigned, zerofill } => {
            let name = match bytes {
                1 => "tinyint",
                2 => "smallint",
                3 => "mediumint",
                4 => "int",
                _ => "bigint",
            };
            match zerofill {
                Some(width) => format!("{name}({width}) unsigned zerofill"),
                None => format!("{name}{}", sign(*unsigned)),
            }
        }
        DataType::Decimal { precision, scale, unsigned } => {
            format!("decimal({precision},{scale}){}", sign(*unsigned))
        }
        DataType::Float { digits, unsigned } | DataType::Double { digits, unsigned } => {
            let name = if matches!(data_type, DataType::Float { .. }) { "float" } else { "double" };
            let digits = digits.map_or_else(String::new, |(m, d)| format!("({m},{d})"));
            format!("{name}{digits}{}", sign(*unsigned))
        }
        DataType::Bit { bits } => format!("bit({bits})"),
        DataType::Date => "date".into(),
        DataType::Time { fsp: n } => fsp("time", *n),
        DataType::DateTime { fsp: n } => fsp("datetime", *n),
        DataType::Timestamp { fsp: n } => fsp("timestamp", *n),
        DataType::Year => "year".into(),
        DataType::Char { chars, .. } => format!("char({chars})"),
        DataType::VarChar { chars, .. } => format!("varchar({chars})"),
        DataType::Text { size: n, .. } => size(*n, "text"),
        DataType::Binary { bytes } => format!("binary({bytes})"),
        DataType::VarBinary { bytes } => format!("varbinary({bytes})"),
        DataType::Blob { size: n } => size(*n, "blob"),
        DataType::Enum { members: list, .. } => members("enum", list),
        DataType::Set { members: list, .. } => members("set", list),
        DataType::Json => "json".into(),
        DataType::Geometry { kind, .. } => kind.clone(),
        DataType::Vector { dimensions } => format!("vector({dimensions})"),
        DataType::Uuid => "uuid".into(),
        DataType::Inet4 => "inet4".into(),
        DataType::Inet6 => "inet6".into(),
    }
}
