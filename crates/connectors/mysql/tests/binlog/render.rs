//! Values as the server was asked to show them, and comparison with what it showed.

use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use whimbrel_model::{Column, DataType, Value};

/// A value as the text that the column's `as` asks for; `None` is NULL.
pub fn show(value: &Value, column: &Column, how: &str) -> Option<String> {
    let text = |bytes: &[u8]| {
        let utf8 = column.data_type.charset().to_utf8(bytes).unwrap();
        String::from_utf8(utf8.into_owned()).unwrap()
    };
    let fsp = match column.data_type {
        DataType::Time { fsp } | DataType::DateTime { fsp } | DataType::Timestamp { fsp } => fsp,
        _ => 0,
    };
    let temporal = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    };
    Some(match value {
        Value::Null => return None,
        Value::Unknown => "?".to_owned(),
        Value::Int(v) => match column.data_type {
            DataType::Int { zerofill: Some(width), .. } => format!("{v:0width$}", width = usize::from(width)),
            _ => v.to_string(),
        },
        Value::UInt(v) => match column.data_type {
            DataType::Int { zerofill: Some(width), .. } => format!("{v:0width$}", width = usize::from(width)),
            _ => v.to_string(),
        },
        Value::Float(v) => f64::from(*v).to_string(),
        Value::Double(v) => v.to_string(),
        Value::Decimal(v) => String::from_utf8(v.clone()).unwrap(),
        Value::Date(v) => v.to_string(),
        Value::Time(v) => temporal(&|out| v.write(out, fsp)),
        Value::DateTime(v) | Value::Timestamp(v) => temporal(&|out| v.write(out, fsp)),
        Value::Year(v) => format!("{v:04}"),
        Value::Enum(v) => v.to_string(),
        Value::Set(v) | Value::Bit(v) => v.to_string(),
        Value::Json(v) => String::from_utf8(v.clone()).unwrap(),
        Value::Text(v) | Value::Bytes(v) | Value::Geometry(v) if how == "hex" => {
            v.iter().map(|byte| format!("{byte:02X}")).collect()
        }
        Value::Text(v) => text(v),
        Value::Bytes(v) | Value::Geometry(v) => address(v, &column.data_type),
    })
}

fn address(bytes: &[u8], data_type: &DataType) -> String {
    match data_type {
        DataType::Uuid => {
            let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            [&hex[..4], &hex[4..6], &hex[6..8], &hex[8..10], &hex[10..]].map(<[String]>::concat).join("-")
        }
        DataType::Inet4 => std::net::Ipv4Addr::from(<[u8; 4]>::try_from(bytes).unwrap()).to_string(),
        DataType::Inet6 => std::net::Ipv6Addr::from(<[u8; 16]>::try_from(bytes).unwrap()).to_string(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// True where a value is what the server showed.
pub fn same(expected: &Json, value: &Value, column: &Column, how: &str) -> bool {
    let Some(shown) = show(value, column, how) else { return expected.is_null() };
    if *value == Value::Unknown {
        // The image left the column out.
        return true;
    }
    match expected {
        // Numbers of 64 bits come as doubles, or with a sign, where a server adds 0 to a SET or BIT.
        Json::String(text) if how == "number" && *text != shown => {
            let unsigned: u64 = shown.parse().unwrap();
            text.parse::<i64>().is_ok_and(|signed| signed as u64 == unsigned)
                || text.contains('e')
                    && text.parse::<f64>().is_ok_and(|v| v == unsigned as f64 || v == unsigned as i64 as f64)
        }
        Json::String(text) if how == "double" => match (text.parse::<f64>(), shown.parse::<f64>()) {
            (Ok(a), Ok(b)) => a == b && a.is_sign_negative() == b.is_sign_negative(),
            _ => false,
        },
        Json::String(text) => *text == shown,
        Json::Object(digest) => {
            let sha: String =
                Sha256::digest(shown.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
            digest["sha256"].as_str() == Some(&sha)
        }
        _ => false,
    }
}
