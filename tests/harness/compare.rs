//! The oracle: compares tables of two servers by statements of its own, independent of Whimbrel's verification.
//!
//! Each column is read in a form that is the same text on every server for the same value: text and bytes as
//! hexadecimal, bits as a number, geometry as well-known binary with its SRID, floats as exact doubles, JSON parsed.
//! Rows are compared as a multiset, so keyless tables and their duplicates count too.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::sql::Sql;

/// How a column's text becomes comparable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Text,
    /// The number's bits, so that 0.1 and 1e-1 are the same and -0 and 0 are not.
    Float,
    Json,
}

#[derive(Debug)]
struct Column {
    name: String,
    expression: String,
    form: Form,
}

/// Fails the test where the tables of the two sessions' databases aren't the same.
pub async fn assert_databases_equal(source: &mut Sql, target: &mut Sql) {
    let (wanted, found) = (tables(source).await, tables(target).await);
    let lower: Vec<String> = wanted.iter().map(|table| table.to_lowercase()).collect();
    let found_lower: Vec<String> = found.iter().map(|table| table.to_lowercase()).collect();
    assert_eq!(lower, found_lower, "the target's tables are not the source's");
    for (source_table, target_table) in wanted.iter().zip(&found) {
        assert_tables_equal(source, source_table, target, target_table).await;
    }
}

/// Names of the base tables of the session's database, in the order of their lower-case names.
pub async fn tables(sql: &mut Sql) -> Vec<String> {
    let query = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
                 AND table_type = 'BASE TABLE'";
    let mut names = sql.column(query).await;
    names.sort_by_key(|name| name.to_lowercase());
    names
}

/// Fails the test where the two tables' rows aren't the same.
pub async fn assert_tables_equal(source: &mut Sql, source_table: &str, target: &mut Sql, target_table: &str) {
    if let Some(report) = difference(source, source_table, target, target_table).await {
        panic!("{report}");
    }
}

/// What differs, `None` where nothing does.
pub async fn difference(
    source: &mut Sql,
    table: &str,
    target: &mut Sql,
    target_table: &str,
) -> Option<String> {
    let source_columns = columns(source, table).await;
    let target_columns = columns(target, target_table).await;
    let names =
        |columns: &[Column]| columns.iter().map(|column| column.name.to_lowercase()).collect::<Vec<_>>();
    if names(&source_columns) != names(&target_columns) {
        return Some(format!(
            "columns of {table} differ: source {:?}, target {:?}",
            names(&source_columns),
            names(&target_columns)
        ));
    }
    let json: Vec<bool> = source_columns
        .iter()
        .zip(&target_columns)
        .map(|(a, b)| a.form == Form::Json || b.form == Form::Json)
        .collect();
    let wanted = rows(source, table, &source_columns, &json).await;
    let found = rows(target, target_table, &target_columns, &json).await;
    let lacking = surplus(&wanted, &found);
    let unwanted = surplus(&found, &wanted);
    if lacking.0 == 0 && unwanted.0 == 0 {
        return None;
    }
    let count = |rows: &BTreeMap<Vec<String>, u64>| rows.values().sum::<u64>();
    Some(format!(
        "table {table} differs: {} rows at the source, {} at the target; columns {:?}\n{} only at the source, as {:#?}\n\
         {} only at the target, as {:#?}",
        count(&wanted),
        count(&found),
        names(&source_columns),
        lacking.0,
        lacking.1,
        unwanted.0,
        unwanted.1
    ))
}

/// How many rows of `a` are not in `b`, and some of them.
fn surplus(a: &BTreeMap<Vec<String>, u64>, b: &BTreeMap<Vec<String>, u64>) -> (u64, Vec<String>) {
    let mut count = 0;
    let mut shown = Vec::new();
    for (row, times) in a {
        let missing = times.saturating_sub(b.get(row).copied().unwrap_or(0));
        count += missing;
        if missing > 0 && shown.len() < 5 {
            let cells = row.iter().map(|cell| cell.chars().take(80).collect::<String>());
            shown.push(cells.collect::<Vec<_>>().join(" | "));
        }
    }
    (count, shown)
}

async fn columns(sql: &mut Sql, table: &str) -> Vec<Column> {
    let query = format!(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = DATABASE() AND \
         table_name = {} ORDER BY ordinal_position",
        quoted(table)
    );
    let rows = sql.rows(&query).await;
    assert!(!rows.is_empty(), "there is no table {table}");
    let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
    let is_mysql = sql.server().starts_with("mysql");
    rows.iter().map(|row| column(text(&row[0]), &text(&row[1]).to_lowercase(), is_mysql)).collect()
}

fn column(name: String, data_type: &str, is_mysql: bool) -> Column {
    let c = format!("`{}`", name.replace('`', "``"));
    let (expression, form) = match data_type {
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set" => {
            (format!("HEX(CONVERT({c} USING utf8mb4))"), Form::Text)
        }
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
            (format!("HEX({c})"), Form::Text)
        }
        "bit" => (format!("{c}+0"), Form::Text),
        "float" | "double" => (format!("{c}+0e0"), Form::Float),
        // Types of MariaDB that are text elsewhere.
        "uuid" | "inet4" | "inet6" => (format!("HEX(CAST({c} AS CHAR))"), Form::Text),
        // A list of numbers: MySQL shows its bytes unless it is asked for the text.
        "vector" if is_mysql => (format!("VECTOR_TO_STRING({c})"), Form::Json),
        "json" | "vector" => (c, Form::Json),
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geometrycollection" | "geomcollection" => {
            (format!("CONCAT(ST_SRID({c}), ':', HEX(ST_AsBinary({c})))"), Form::Text)
        }
        _ => (c, Form::Text),
    };
    Column { name, expression, form }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// All rows with how often each is there.
async fn rows(sql: &mut Sql, table: &str, columns: &[Column], json: &[bool]) -> BTreeMap<Vec<String>, u64> {
    let expression = |(column, json): (&Column, &bool)| match (column.form, json) {
        // JSON at one side, text at the other: both are parsed here.
        (Form::Text, true) => format!("`{}`", column.name.replace('`', "``")),
        _ => column.expression.clone(),
    };
    let list: Vec<String> = columns.iter().zip(json).map(expression).collect();
    let query = format!("SELECT {} FROM `{}`", list.join(", "), table.replace('`', "``"));
    let mut all = BTreeMap::new();
    for row in sql.rows(&query).await {
        let cells = row.into_iter().zip(columns.iter().zip(json)).map(|(cell, (column, json))| match cell {
            None => "NULL".to_owned(),
            Some(text) if *json => canonical_json(&text),
            Some(text) if column.form == Form::Float => {
                text.parse::<f64>().map_or(text, |number| format!("{number:?} {:016x}", number.to_bits()))
            }
            Some(text) => text,
        });
        *all.entry(cells.collect()).or_default() += 1;
    }
    all
}

/// Keys in order, numbers by value.
fn canonical_json(text: &str) -> String {
    match serde_json::from_str::<Json>(text) {
        Ok(value) => json_text(&value),
        Err(error) => format!("not JSON ({error}): {text}"),
    }
}

fn json_text(value: &Json) -> String {
    match value {
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => number.to_string(),
            (_, Some(number), _) => number.to_string(),
            (_, _, Some(number)) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
            (_, _, number) => format!("{number:?}"),
        },
        Json::Array(items) => format!("[{}]", items.iter().map(json_text).collect::<Vec<_>>().join(",")),
        Json::Object(fields) => {
            let sorted: BTreeMap<&String, &Json> = fields.iter().collect();
            let fields: Vec<String> = sorted
                .iter()
                .map(|(name, value)| format!("{}:{}", Json::from(name.as_str()), json_text(value)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        other => other.to_string(),
    }
}
