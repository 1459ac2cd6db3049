//! The tables of a simulated source, and their like at the target.

use whimbrel_connector_sim::{Random, Row};
use whimbrel_model::schema::Key;
use whimbrel_model::{Charset, Column, ColumnDefault, DataType, TableName, TableSchema};

/// Kinds of tables that there are.
pub const KINDS: usize = 6;
pub const SOURCE: &str = "app";
pub const TARGET: &str = "copy";

fn int(name: &str, nullable: bool) -> Column {
    Column::new(name, DataType::Int { bytes: 4, unsigned: false, zerofill: None }, nullable)
}

fn text(name: &str, nullable: bool) -> Column {
    let (charset, collation) = (Charset::Utf8mb4, "utf8mb4_0900_bin".to_owned());
    Column::new(name, DataType::VarChar { chars: 20, charset, collation }, nullable)
}

fn bytes(name: &str, nullable: bool) -> Column {
    Column::new(name, DataType::VarBinary { bytes: 20 }, nullable)
}

/// A kind of table: with keys, with several unique keys, with none.
pub fn schema(schema: &str, kind: usize) -> TableSchema {
    let unique = |name: &str, columns: &[&str]| Key::on_columns(name, columns.iter().copied());
    let primary = |columns: &[&str]| Some(unique("PRIMARY", columns));
    let (name, columns, primary_key, unique_keys) = match kind {
        0 => (
            "orders",
            vec![int("id", false), int("u", true), text("v", true)],
            primary(&["id"]),
            vec![unique("by_u", &["u"])],
        ),
        1 => (
            "pairs",
            vec![int("a", false), text("b", false), int("c", true), text("d", true)],
            primary(&["a", "b"]),
            vec![unique("by_cd", &["c", "d"])],
        ),
        2 => ("notes", vec![int("a", true), text("v", true)], None, Vec::new()),
        3 => ("events", vec![int("a", false), bytes("v", true)], None, Vec::new()),
        4 => (
            "names",
            vec![text("name", false), bytes("code", false), int("n", true)],
            primary(&["name"]),
            vec![unique("by_code", &["code"]), unique("by_n", &["n"])],
        ),
        _ => (
            "slots",
            vec![int("slot", false), int("holder", true)],
            None,
            vec![unique("by_slot", &["slot"]), unique("by_holder", &["holder"])],
        ),
    };
    TableSchema { primary_key, unique_keys, ..TableSchema::new(TableName::new(schema, name), columns) }
}

/// A column that only the target has, and what it holds in rows that come from the source.
pub fn own_column() -> Column {
    Column { default: Some(ColumnDefault::Literal("7".to_owned())), ..int("own", true) }
}

/// The unique keys of a table, the row key among them, by columns.
pub fn unique_columns(schema: &TableSchema) -> Vec<Vec<usize>> {
    schema.primary_key.iter().chain(&schema.unique_keys).map(|key| schema.key_columns(key)).collect()
}

/// A value for a column: of few that there are, so that rows meet.
pub fn value(random: &mut Random, column: &Column) -> Option<Vec<u8>> {
    if column.nullable && random.one_in(5) {
        return None;
    }
    let number = random.below(24);
    Some(match &column.data_type {
        DataType::Int { .. } => int_bytes(number as i64 - 4),
        DataType::VarChar { .. } => format!("t{}", number % 17).into_bytes(),
        _ => vec![(number % 19) as u8; 1 + (number % 2) as usize],
    })
}

/// The canonical bytes of an integer's cell.
fn int_bytes(value: i64) -> Vec<u8> {
    let mut zigzag = (value << 1 ^ value >> 63) as u64;
    let mut out = Vec::new();
    while zigzag > 0 {
        out.push(zigzag as u8);
        zigzag >>= 8;
    }
    out
}

pub fn row(random: &mut Random, schema: &TableSchema) -> Row {
    schema.columns.iter().map(|column| value(random, column)).collect()
}
