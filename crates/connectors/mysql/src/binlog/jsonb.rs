//! MySQL's binary JSON, and the text that MySQL shows for it.
//!
//! ```text
//! value      = 1 type, content
//! 0, 1       = object; 2, 3 = array; the odd ones with numbers of 4 bytes where the even ones have 2
//!              number of elements, bytes of all that follows from that number on,
//!              objects: per key: offset, 2 length
//!              per value: 1 type, offset or (literals, small integers) the value itself
//!              keys, values
//! 4          = literal: 0 null, 1 true, 2 false
//! 5 to 0xa   = 16, 32, 64 bit integers: signed, unsigned of each        0xb = double
//! 0xc        = string: length (7 bits a byte, low first), UTF-8
//! 0xf        = opaque: 1 column type, length as above, the column's bytes
//! ```
//! Offsets count from the number of elements on. Source: `sql-common/json_binary.h`.
//!
//! Text: `", "` and `": "` as separators, doubles in shortest form (see [`write_double`]), control characters
//! escaped, what JSON doesn't have as a string: dates and times with six digits, everything else as
//! `base64:typeNN:...`.

use std::fmt::{self, Write};

use super::bytes::{Bytes, Truncated};
use super::decimal::DecimalLayout;
use super::error::CellError;
use super::temporal;

/// Why bytes are no JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    #[error(transparent)]
    Truncated(#[from] Truncated),
    #[error("JSON value is damaged: {0}")]
    Damaged(&'static str),
    /// MySQL allows 100 levels.
    #[error("JSON value is nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// Values that share bytes with others, which no server writes, could grow without end.
    #[error("JSON text is longer than its value can be")]
    TooLong,
    #[error("a change of a part of a JSON value does not fit the value before it")]
    DiffDoesNotFit,
}

const DEPTH_MAX: usize = 128;

/// A value, borrowed from the log.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    String(&'a [u8]),
    Opaque { column_type: u8, data: &'a [u8] },
    Array(Container<'a>),
    Object(Container<'a>),
}

/// An array or object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Container<'a> {
    data: &'a [u8],
    count: usize,
    large: bool,
    object: bool,
}

impl<'a> Json<'a> {
    /// Reads a value. No bytes at all are the JSON null, which MySQL stores for a missing NOT NULL value.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, JsonError> {
        match bytes.split_first() {
            None => Ok(Self::Null),
            Some((kind, content)) => Self::of_type(*kind, content),
        }
    }

    fn of_type(kind: u8, content: &'a [u8]) -> Result<Self, JsonError> {
        const WHAT: &str = "JSON value";
        let mut bytes = Bytes::new(content);
        Ok(match kind {
            0..=3 => {
                let container = Container::parse(content, kind & 1 == 1, kind < 2)?;
                if kind < 2 { Self::Object(container) } else { Self::Array(container) }
            }
            4 => match bytes.u8(WHAT)? {
                0 => Self::Null,
                1 => Self::Bool(true),
                2 => Self::Bool(false),
                _ => return Err(JsonError::Damaged("unknown literal")),
            },
            5 => Self::Int(i64::from(bytes.u16(WHAT)? as i16)),
            6 => Self::UInt(u64::from(bytes.u16(WHAT)?)),
            7 => Self::Int(i64::from(bytes.u32(WHAT)? as i32)),
            8 => Self::UInt(u64::from(bytes.u32(WHAT)?)),
            9 => Self::Int(bytes.u64(WHAT)? as i64),
            0xa => Self::UInt(bytes.u64(WHAT)?),
            0xb => Self::Double(f64::from_bits(bytes.u64(WHAT)?)),
            0xc => Self::String(sized(&mut bytes)?),
            0xf => Self::Opaque { column_type: bytes.u8(WHAT)?, data: sized(&mut bytes)? },
            _ => return Err(JsonError::Damaged("unknown type")),
        })
    }
}

/// A length of 7 bits a byte, then so many bytes.
fn sized<'a>(bytes: &mut Bytes<'a>) -> Result<&'a [u8], JsonError> {
    let mut len = 0usize;
    for shift in [0, 7, 14, 21, 28] {
        let byte = bytes.u8("JSON length")?;
        len |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(bytes.take(len, "JSON value")?);
        }
    }
    Err(JsonError::Damaged("length is too long"))
}

impl<'a> Container<'a> {
    fn parse(content: &'a [u8], large: bool, object: bool) -> Result<Self, JsonError> {
        let mut head = Bytes::new(content);
        let width = if large { 4 } else { 2 };
        let count = head.little(width, "JSON element count")? as usize;
        let size = head.little(width, "JSON size")? as usize;
        let data = content.get(..size).ok_or(Truncated("JSON object or array"))?;
        let container = Self { data, count, large, object };
        if container.heap_start() > size {
            return Err(JsonError::Damaged("more elements than bytes"));
        }
        Ok(container)
    }

    fn width(&self) -> usize {
        if self.large { 4 } else { 2 }
    }

    fn value_entries(&self) -> usize {
        let keys = if self.object { self.count.saturating_mul(self.width() + 2) } else { 0 };
        (2 * self.width()).saturating_add(keys)
    }

    fn heap_start(&self) -> usize {
        self.value_entries().saturating_add(self.count.saturating_mul(1 + self.width()))
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    fn from(&self, offset: usize) -> Result<Bytes<'a>, JsonError> {
        Ok(Bytes::new(self.data.get(offset..).ok_or(Truncated("JSON object or array"))?))
    }

    pub(crate) fn key(&self, index: usize) -> Result<&'a [u8], JsonError> {
        let mut entry = self.from(2 * self.width() + index.saturating_mul(self.width() + 2))?;
        let offset = entry.little(self.width(), "JSON key")? as usize;
        let len = usize::from(entry.u16("JSON key")?);
        Ok(self.from(offset)?.take(len, "JSON key")?)
    }

    pub(crate) fn value(&self, index: usize) -> Result<Json<'a>, JsonError> {
        let mut entry = self.from(self.value_entries() + index.saturating_mul(1 + self.width()))?;
        let kind = entry.u8("JSON value")?;
        let inlined = matches!(kind, 4..=6) || self.large && matches!(kind, 7 | 8);
        if inlined {
            return Json::of_type(kind, entry.take(self.width(), "JSON value")?);
        }
        let offset = entry.little(self.width(), "JSON value")? as usize;
        if offset < self.heap_start() {
            return Err(JsonError::Damaged("value overlaps the list of values"));
        }
        Json::of_type(kind, self.from(offset)?.rest())
    }
}

/// Appends the text of a binary value.
pub(crate) fn write_text(binary: &[u8], out: &mut Vec<u8>) -> Result<(), CellError> {
    // The densest content is text of control characters, six for one.
    let limit = out.len() + 16 * binary.len() + 1024;
    write_value(Json::parse(binary)?, out, limit, 0)
}

fn write_value(value: Json<'_>, out: &mut Vec<u8>, limit: usize, depth: usize) -> Result<(), CellError> {
    if depth > DEPTH_MAX {
        return Err(JsonError::TooDeep.into());
    }
    if out.len() > limit {
        return Err(JsonError::TooLong.into());
    }
    match value {
        Json::Array(array) => {
            out.push(b'[');
            for index in 0..array.len() {
                if index > 0 {
                    out.extend_from_slice(b", ");
                }
                write_value(array.value(index)?, out, limit, depth + 1)?;
            }
            out.push(b']');
            Ok(())
        }
        Json::Object(object) => {
            out.push(b'{');
            for index in 0..object.len() {
                if index > 0 {
                    out.extend_from_slice(b", ");
                }
                write_string(object.key(index)?, out)?;
                out.extend_from_slice(b": ");
                write_value(object.value(index)?, out, limit, depth + 1)?;
            }
            out.push(b'}');
            Ok(())
        }
        scalar => write_scalar(scalar, out),
    }
}

/// Appends the text of anything but an array or object.
pub(crate) fn write_scalar(value: Json<'_>, out: &mut Vec<u8>) -> Result<(), CellError> {
    match value {
        Json::Bool(true) => out.extend_from_slice(b"true"),
        Json::Bool(false) => out.extend_from_slice(b"false"),
        Json::Int(value) => push_display(value, out),
        Json::UInt(value) => push_display(value, out),
        Json::Double(value) => write_double(value, out)?,
        Json::String(text) => write_string(text, out)?,
        Json::Opaque { column_type, data } => write_opaque(column_type, data, out)?,
        Json::Null | Json::Array(_) | Json::Object(_) => out.extend_from_slice(b"null"),
    }
    Ok(())
}

/// Appends a string in quotes.
pub(crate) fn write_string(text: &[u8], out: &mut Vec<u8>) -> Result<(), JsonError> {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    if std::str::from_utf8(text).is_err() {
        return Err(JsonError::Damaged("text is not UTF-8"));
    }
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                for digit in [byte >> 4, byte & 15] {
                    out.extend(HEX.get(usize::from(digit)));
                }
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
    Ok(())
}

/// Appends a double as MySQL's `my_gcvt` does: the fewest digits that read back, in positional form from
/// 1e-15 to below 1e15 (and beyond while there are digits after the point), and always with a point or an
/// exponent. Compared with MySQL 9.7 over all exponents.
pub(crate) fn write_double(value: f64, out: &mut Vec<u8>) -> Result<(), JsonError> {
    if !value.is_finite() {
        return Err(JsonError::Damaged("double is not finite"));
    }
    if value == 0.0 {
        out.extend_from_slice(if value.is_sign_negative() { b"-0.0" } else { b"0.0" });
        return Ok(());
    }
    // d.ddde-x, the shortest that reads back.
    let mut text = StackText { bytes: [0; 32], len: 0 };
    write!(text, "{value:e}").map_err(|_| JsonError::Damaged("double is too long"))?;
    let text = text.bytes.get(..text.len).unwrap_or_default();
    let split = text.iter().position(|byte| *byte == b'e').unwrap_or(text.len());
    let (mantissa, exponent) = text.split_at(split);
    let exponent = std::str::from_utf8(exponent.get(1..).unwrap_or_default()).unwrap_or_default();
    let mantissa = mantissa.strip_prefix(b"-").inspect(|_| out.push(b'-')).unwrap_or(mantissa);
    let (first, more) = mantissa.split_at(1.min(mantissa.len()));
    let more = more.strip_prefix(b".").unwrap_or(more);
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let count = 1 + more.len() as i32;
    if (-14..=15).contains(&point) || point > 15 && point < count {
        write_positional(first, more, point, out);
    } else {
        out.extend_from_slice(mantissa);
        out.push(b'e');
        out.extend_from_slice(exponent.as_bytes());
    }
    Ok(())
}

/// Text of a double, which has at most 24 characters.
struct StackText {
    bytes: [u8; 32],
    len: usize,
}

impl fmt::Write for StackText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

fn push_display(value: impl fmt::Display, out: &mut Vec<u8>) {
    use std::io::Write;
    write!(out, "{value}").expect("writing to memory does not fail");
}

/// Writes the digits `first` (one) and `more` with the point behind the `point`th of them.
fn write_positional(first: &[u8], more: &[u8], point: i32, out: &mut Vec<u8>) {
    if point <= 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', point.unsigned_abs() as usize));
        out.extend_from_slice(first);
        out.extend_from_slice(more);
        return;
    }
    let wanted = point as usize - 1;
    let whole = wanted.min(more.len());
    let (head, tail) = more.split_at(whole);
    out.extend_from_slice(first);
    out.extend_from_slice(head);
    out.extend(std::iter::repeat_n(b'0', wanted - whole));
    out.push(b'.');
    out.extend_from_slice(if tail.is_empty() { b"0" } else { tail });
}

/// Appends a value that JSON has no type for.
fn write_opaque(column_type: u8, data: &[u8], out: &mut Vec<u8>) -> Result<(), CellError> {
    let packed = || Bytes::new(data).u64("JSON date or time").map(|bits| bits as i64);
    match column_type {
        246 => {
            let mut bytes = Bytes::new(data);
            let (precision, scale) = (bytes.u8("JSON decimal")?, bytes.u8("JSON decimal")?);
            let layout =
                DecimalLayout::new(precision, scale).ok_or(JsonError::Damaged("precision of a decimal"))?;
            layout.write_text(&mut bytes, out)
        }
        10 | 7 | 12 | 17 | 18 => {
            let bits = packed()?;
            let (whole, micros) = (bits.unsigned_abs() >> 24, (bits.unsigned_abs() & 0xff_ffff) as u32);
            let value = temporal::datetime_of(whole, micros)?;
            out.push(b'"');
            if column_type == 10 {
                value.date().write(out);
            } else {
                value.write(out, 6);
            }
            out.push(b'"');
            Ok(())
        }
        11 | 19 => {
            let bits = packed()?;
            let (whole, micros) = (bits.unsigned_abs() >> 24, (bits.unsigned_abs() & 0xff_ffff) as u32);
            let value = temporal::time_of(whole, micros, bits < 0)?;
            out.push(b'"');
            value.write(out, 6);
            out.push(b'"');
            Ok(())
        }
        _ => {
            out.extend_from_slice(b"\"base64:type");
            push_display(column_type, out);
            out.push(b':');
            write_base64(data, out);
            out.push(b'"');
            Ok(())
        }
    }
}

/// Appends base64 in lines of 76 characters, the line breaks escaped, as MySQL's encoder makes them.
fn write_base64(data: &[u8], out: &mut Vec<u8>) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (index, chunk) in data.chunks(3).enumerate() {
        if index > 0 && index % 19 == 0 {
            out.extend_from_slice(b"\\n");
        }
        let bits =
            chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4usize {
            let digit = (bits >> (18 - 6 * place) & 63) as usize;
            let byte = if place <= chunk.len() { ALPHABET.get(digit).copied() } else { None };
            out.push(byte.unwrap_or(b'='));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(binary: &[u8]) -> Result<String, CellError> {
        let mut out = Vec::new();
        write_text(binary, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn an_object_of_scalars_and_an_array() {
        // {"a": 1, "bc": [true, "x"]}
        let array = [2, 0, 13, 0, 4, 1, 0, 12, 10, 0, 1, b'x', 0];
        let mut object = vec![0, 2, 0, 34, 0, 18, 0, 1, 0, 19, 0, 2, 0, 5, 1, 0, 2, 21, 0, b'a', b'b', b'c'];
        object.extend_from_slice(&array);
        assert_eq!(text(&object).unwrap(), r#"{"a": 1, "bc": [true, "x"]}"#);
    }

    #[test]
    fn doubles_are_written_as_mysql_writes_them() {
        for (value, expected) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (1e14, "100000000000000.0"),
            (1e15, "1e15"),
            (1.5e15, "1.5e15"),
            (1_234_567_890_123_456.8, "1234567890123456.8"),
            (1.234_567_890_123_456_8e16, "1.2345678901234568e16"),
            (1e-15, "0.000000000000001"),
            (1e-16, "1e-16"),
            (-2.25e-15, "-0.00000000000000225"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e308"),
            (0.1, "0.1"),
            (-22.5, "-22.5"),
        ] {
            let mut out = Vec::new();
            write_double(value, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        assert!(write_double(f64::NAN, &mut Vec::new()).is_err());
    }

    #[test]
    fn opaque_values_are_shown_as_mysql_shows_them() {
        assert_eq!(text(&[0xf, 246, 4, 4, 2, 0x81, 0x32]).unwrap(), "1.50");
        let mut long = vec![0xf, 15, 100];
        long.extend_from_slice(&[0xff; 100]);
        let expected = format!("\"base64:type15:{}\\n{}w==\"", "/".repeat(76), "/".repeat(57));
        assert_eq!(text(&long).unwrap(), expected);
        let time = -((10i64 << 12 | 11 << 6 | 12) << 24 | 500_000);
        let mut value = vec![0xf, 11, 8];
        value.extend_from_slice(&time.to_le_bytes());
        assert_eq!(text(&value).unwrap(), "\"-10:11:12.500000\"");
    }

    #[test]
    fn strings_are_escaped() {
        assert_eq!(
            text(b"\x0c\x08a\"\\\n\x01\x7f/\t").unwrap(),
            r#""a\"\\\n\u0001/\t""#.replace('/', "\x7f/")
        );
        assert!(matches!(text(b"\x0c\x01\xff"), Err(CellError::Json(JsonError::Damaged(_)))));
        assert_eq!(text(b"").unwrap(), "null");
    }

    #[test]
    fn values_that_contain_themselves_end() {
        // An array whose one element is at the offset of its own heap, which is an array of the same shape...
        let mut nested = Vec::new();
        for _ in 0..200 {
            nested.extend_from_slice(&[1, 0, 200, 0, 2, 7, 0]);
        }
        let mut value = vec![2];
        value.extend_from_slice(&nested);
        assert!(text(&value).is_err());
        // ... and one with two elements that are both the same array, which doubles at every level.
        let mut doubling = vec![2];
        for _ in 0..60 {
            doubling.extend_from_slice(&[2, 0, 255, 1, 2, 10, 0, 2, 10, 0]);
        }
        doubling.resize(700, 0);
        assert!(text(&doubling).is_err());
    }
}
