//! One value of one column, borrowed from a batch ([`ValueRef`]) or owned ([`Value`]).
//!
//! A value keeps what the source meant. `Unknown` says that the log didn't carry the column and is never
//! the same as `Null`.

use crate::schema::DataType;
use crate::temporal::{Date, DateTime, Time};

/// A value borrowed from the buffer of a [`crate::RowBatch`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    Null,
    /// Not in the log (a partial row image).
    Unknown,
    Int(i64),
    UInt(u64),
    Float(f32),
    Double(f64),
    /// Canonical ASCII text: optional `-`, no leading zeros but one before the point, as many digits after
    /// the point as the column's scale.
    Decimal(&'a [u8]),
    Date(Date),
    Time(Time),
    DateTime(DateTime),
    /// In UTC; the zero timestamp is the zero date.
    Timestamp(DateTime),
    /// 0 (`0000`) or 1901..=2155.
    Year(u16),
    /// Text in the column's own charset.
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    /// The member's number, from 1; 0 is MySQL's `''` of an invalid insert.
    Enum(u16),
    /// Bit n is the member n + 1.
    Set(u64),
    Bit(u64),
    /// JSON text in UTF-8, as MySQL shows it.
    Json(&'a [u8]),
    /// SRID (4 bytes, little endian), then WKB: MySQL's internal form.
    Geometry(&'a [u8]),
}

/// An owned value, for keys in the conflict graph, parked rows, tools and tests.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Unknown,
    Int(i64),
    UInt(u64),
    Float(f32),
    Double(f64),
    Decimal(Vec<u8>),
    Date(Date),
    Time(Time),
    DateTime(DateTime),
    Timestamp(DateTime),
    Year(u16),
    Text(Vec<u8>),
    Bytes(Vec<u8>),
    Enum(u16),
    Set(u64),
    Bit(u64),
    Json(Vec<u8>),
    Geometry(Vec<u8>),
}

impl ValueRef<'_> {
    pub fn to_owned(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Unknown => Value::Unknown,
            Self::Int(v) => Value::Int(v),
            Self::UInt(v) => Value::UInt(v),
            Self::Float(v) => Value::Float(v),
            Self::Double(v) => Value::Double(v),
            Self::Decimal(v) => Value::Decimal(v.to_vec()),
            Self::Date(v) => Value::Date(v),
            Self::Time(v) => Value::Time(v),
            Self::DateTime(v) => Value::DateTime(v),
            Self::Timestamp(v) => Value::Timestamp(v),
            Self::Year(v) => Value::Year(v),
            Self::Text(v) => Value::Text(v.to_vec()),
            Self::Bytes(v) => Value::Bytes(v.to_vec()),
            Self::Enum(v) => Value::Enum(v),
            Self::Set(v) => Value::Set(v),
            Self::Bit(v) => Value::Bit(v),
            Self::Json(v) => Value::Json(v.to_vec()),
            Self::Geometry(v) => Value::Geometry(v.to_vec()),
        }
    }

    pub fn is_null(self) -> bool {
        matches!(self, Self::Null)
    }

    /// Appends a number or moment as text, as a column of this type shows it: all digits of its fraction, four of a
    /// year. Two different values have different texts. False where the value is none of these; then nothing is
    /// appended.
    pub fn write_shown(self, data_type: &DataType, out: &mut Vec<u8>) -> bool {
        let fsp = match data_type {
            DataType::Time { fsp } | DataType::DateTime { fsp } | DataType::Timestamp { fsp } => *fsp,
            _ => 0,
        };
        let text = match self {
            Self::Int(number) => number.to_string(),
            Self::UInt(number) | Self::Bit(number) => number.to_string(),
            Self::Year(year) => format!("{year:04}"),
            Self::Double(number) if number.is_finite() => format!("{number:?}"),
            Self::Float(number) if number.is_finite() => format!("{number:?}"),
            Self::Decimal(digits) => {
                out.extend_from_slice(digits);
                return true;
            }
            Self::DateTime(value) | Self::Timestamp(value) => {
                value.write(out, fsp);
                return true;
            }
            Self::Date(value) => {
                value.write(out);
                return true;
            }
            Self::Time(value) => {
                value.write(out, fsp);
                return true;
            }
            _ => return false,
        };
        out.extend_from_slice(text.as_bytes());
        true
    }
}

impl Value {
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Unknown => ValueRef::Unknown,
            Self::Int(v) => ValueRef::Int(*v),
            Self::UInt(v) => ValueRef::UInt(*v),
            Self::Float(v) => ValueRef::Float(*v),
            Self::Double(v) => ValueRef::Double(*v),
            Self::Decimal(v) => ValueRef::Decimal(v),
            Self::Date(v) => ValueRef::Date(*v),
            Self::Time(v) => ValueRef::Time(*v),
            Self::DateTime(v) => ValueRef::DateTime(*v),
            Self::Timestamp(v) => ValueRef::Timestamp(*v),
            Self::Year(v) => ValueRef::Year(*v),
            Self::Text(v) => ValueRef::Text(v),
            Self::Bytes(v) => ValueRef::Bytes(v),
            Self::Enum(v) => ValueRef::Enum(*v),
            Self::Set(v) => ValueRef::Set(*v),
            Self::Bit(v) => ValueRef::Bit(*v),
            Self::Json(v) => ValueRef::Json(v),
            Self::Geometry(v) => ValueRef::Geometry(v),
        }
    }
}
