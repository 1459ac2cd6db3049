//! Values in words that fit into a line.

use std::fmt::Write as _;

use whimbrel_model::{DataType, Value, ValueRef};

/// Most characters of a value that are shown.
const LIMIT: usize = 60;

/// A value of a column; its text is converted from the column's charset.
pub fn shown(data_type: &DataType, value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(text) => match data_type.charset().to_utf8(text) {
            Ok(utf8) => quoted(&String::from_utf8_lossy(&utf8)),
            Err(_) => hex(text),
        },
        ValueRef::Enum(number) => format!("member {number}"),
        value => plain(value),
    }
}

/// A sample that was written; its text as bytes of its charset.
pub fn sample(value: &Value) -> String {
    plain(value.as_ref())
}

fn plain(value: ValueRef<'_>) -> String {
    let written = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    };
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Unknown => "unknown".to_owned(),
        ValueRef::Int(v) => v.to_string(),
        ValueRef::UInt(v) => v.to_string(),
        ValueRef::Float(v) => format!("{v:e}"),
        ValueRef::Double(v) => format!("{v:e}"),
        ValueRef::Decimal(v) => String::from_utf8_lossy(v).into_owned(),
        ValueRef::Date(v) => written(&|out| v.write(out)),
        ValueRef::Time(v) => written(&|out| v.write(out, 6)),
        ValueRef::DateTime(v) | ValueRef::Timestamp(v) => written(&|out| v.write(out, 6)),
        ValueRef::Year(v) => format!("{v:04}"),
        ValueRef::Text(v) if v.is_ascii() => quoted(&String::from_utf8_lossy(v)),
        ValueRef::Text(v) | ValueRef::Bytes(v) | ValueRef::Geometry(v) => hex(v),
        ValueRef::Enum(v) => format!("member {v}"),
        ValueRef::Set(v) => format!("members {v:#b}"),
        ValueRef::Bit(v) => format!("{v:#b}"),
        ValueRef::Json(v) => quoted(&String::from_utf8_lossy(v)),
    }
}

fn quoted(text: &str) -> String {
    let shortened: String = text.chars().take(LIMIT).collect();
    let rest = if shortened.len() < text.len() { "..." } else { "" };
    format!("{shortened:?}{rest}")
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::from("x'");
    for byte in bytes.iter().take(LIMIT / 2) {
        // Writing to a string can't fail.
        let _ = write!(out, "{byte:02x}");
    }
    out.push_str(if bytes.len() > LIMIT / 2 { "...'" } else { "'" });
    out
}
