//! When two values are the same, whatever the types and charsets that hold them.
//!
//! Every value has a canonical form, a byte string such that two values mean the same exactly if the forms are
//! the same: numbers in plain decimal without idle zeros, text in UTF-8, members of ENUM and SET by name, JSON
//! with sorted keys and numbers by value. NULL has no form.

use std::borrow::Cow;
use std::fmt::Write;

use whimbrel_model::{DataType, Date, DateTime, RawCell, RowRef, Time, ValueRef};

/// The canonical form of a value of a column of this type; `None` is NULL. Text that is not valid in its charset
/// stands for itself behind a byte that no text begins with.
pub(crate) fn form<'a>(data_type: &DataType, value: ValueRef<'a>) -> Option<Cow<'a, [u8]>> {
    Some(match value {
        ValueRef::Null | ValueRef::Unknown => return None,
        ValueRef::Int(v) => text(&v),
        ValueRef::UInt(v) | ValueRef::Bit(v) => text(&v),
        ValueRef::Year(v) => text(&v),
        ValueRef::Float(v) => double(f64::from(v)),
        ValueRef::Double(v) => double(v),
        ValueRef::Decimal(v) => decimal(v),
        ValueRef::Date(v) => written(|out| v.write(out)),
        ValueRef::Time(v) => written(|out| v.write(out, 6)),
        ValueRef::DateTime(v) | ValueRef::Timestamp(v) => written(|out| v.write(out, 6)),
        ValueRef::Text(v) => utf8(data_type, v),
        ValueRef::Bytes(v) => bytes(data_type, v),
        ValueRef::Geometry(v) => Cow::Borrowed(v),
        ValueRef::Enum(number) => member(data_type, number),
        ValueRef::Set(bits) => set(data_type, bits),
        ValueRef::Json(v) => json(v),
    })
}

/// As [`form`], of a value whose partner on the other side is of type `other`. Text beside a number, a moment or a
/// document is read as such a value, text beside bytes is its bytes, and a date beside a date and time is the begin of
/// its day; so a column that was converted to another type compares by what its values mean.
pub(crate) fn form_beside<'a>(
    data_type: &DataType,
    other: &DataType,
    value: ValueRef<'a>,
) -> Option<Cow<'a, [u8]>> {
    match value {
        ValueRef::Text(bytes) => Some(text_beside(data_type, other, bytes)),
        ValueRef::Date(date) if matches!(other, DataType::DateTime { .. } | DataType::Timestamp { .. }) => {
            let midnight = DateTime::new(date, 0, 0, 0, 0)?;
            Some(written(|out| midnight.write(out, 6)))
        }
        // The number of no member shows as nothing.
        ValueRef::Enum(0) if other.collation().is_some() && !matches!(other, DataType::Enum { .. }) => {
            Some(Cow::Borrowed(b""))
        }
        value => form(data_type, value),
    }
}

fn text_beside<'a>(data_type: &DataType, other: &DataType, bytes: &'a [u8]) -> Cow<'a, [u8]> {
    let text = utf8(data_type, bytes);
    let read = match other {
        DataType::Json => return json(bytes),
        DataType::Binary { .. } | DataType::VarBinary { .. } | DataType::Blob { .. } => {
            return Cow::Borrowed(bytes);
        }
        DataType::Int { .. }
        | DataType::Bool
        | DataType::Bit { .. }
        | DataType::Year
        | DataType::Decimal { .. } => Some(Cow::Owned(decimal(&text).into_owned())),
        DataType::Float { .. } => number(&text).map(|number: f32| double(f64::from(number))),
        DataType::Double { .. } => number(&text).map(double),
        DataType::Date => Date::parse(&text).map(|date| written(|out| date.write(out))),
        DataType::DateTime { .. } | DataType::Timestamp { .. } => {
            DateTime::parse(&text).map(|moment| written(|out| moment.write(out, 6)))
        }
        DataType::Time { .. } => Time::parse(&text).map(|time| written(|out| time.write(out, 6))),
        _ => None,
    };
    read.unwrap_or(text)
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// True where both cells, of these types and in these columns of their rows, hold the same value.
pub fn same(
    (left_type, left): (&DataType, RowRef<'_>),
    left_column: usize,
    (right_type, right): (&DataType, RowRef<'_>),
    right_column: usize,
) -> bool {
    let (a, b) = (left.raw(left_column), right.raw(right_column));
    // Equal bytes of equal types are equal values; that is nearly every cell.
    if a == b && (a == RawCell::Null || alike(left_type, right_type)) {
        return true;
    }
    let (a, b) = (left.get(left_column), right.get(right_column));
    match (a, b) {
        // In one charset text is its bytes; several may stand for the same character.
        (ValueRef::Text(a), ValueRef::Text(b)) if left_type.charset() == right_type.charset() => a == b,
        (a, b) => form_beside(left_type, right_type, a) == form_beside(right_type, left_type, b),
    }
}

/// True where equal bytes of cells of the two types are equal values.
pub(crate) fn alike(left: &DataType, right: &DataType) -> bool {
    if left.cell_kind() != right.cell_kind() {
        return false;
    }
    match (left, right) {
        (DataType::Enum { members: a, .. }, DataType::Enum { members: b, .. })
        | (DataType::Set { members: a, .. }, DataType::Set { members: b, .. }) => a == b,
        _ => {
            let (a, b) = (left.charset(), right.charset());
            a == b || (a.is_utf8() && b.is_utf8())
        }
    }
}

fn text<'a>(value: &(impl ToString + ?Sized)) -> Cow<'a, [u8]> {
    Cow::Owned(value.to_string().into_bytes())
}

fn written<'a>(write: impl FnOnce(&mut Vec<u8>)) -> Cow<'a, [u8]> {
    let mut out = Vec::with_capacity(32);
    write(&mut out);
    Cow::Owned(out)
}

/// Shortest text that reads back to the same double; a FLOAT widened to double is exact. No server keeps the sign
/// of zero in every path, and SQL holds -0 = 0.
fn double<'a>(value: f64) -> Cow<'a, [u8]> {
    text(&if value == 0.0 { 0.0 } else { value })
}

/// Without idle zeros and without `-0`.
fn decimal(digits: &[u8]) -> Cow<'_, [u8]> {
    let (negative, mut rest) = match digits {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if rest.contains(&b'.') {
        while let [shorter @ .., b'0'] = rest {
            rest = shorter;
        }
        rest = rest.strip_suffix(b".").unwrap_or(rest);
    }
    while let [b'0', next @ ..] = rest
        && next.first().is_some_and(u8::is_ascii_digit)
    {
        rest = next;
    }
    if !negative {
        return Cow::Borrowed(rest);
    }
    let zero = rest.iter().all(|b| matches!(b, b'0' | b'.'));
    if zero { Cow::Borrowed(rest) } else { Cow::Owned([b"-", rest].concat()) }
}

fn utf8<'a>(data_type: &DataType, bytes: &'a [u8]) -> Cow<'a, [u8]> {
    data_type.charset().to_utf8(bytes).unwrap_or_else(|_| Cow::Owned([&[0xff], bytes].concat()))
}

/// MariaDB's UUID and INET types are text elsewhere.
fn bytes<'a>(data_type: &DataType, bytes: &'a [u8]) -> Cow<'a, [u8]> {
    match data_type {
        DataType::Uuid => written(|out| {
            for (index, byte) in bytes.iter().enumerate() {
                if matches!(index, 4 | 6 | 8 | 10) {
                    out.push(b'-');
                }
                out.extend_from_slice(format!("{byte:02x}").as_bytes());
            }
        }),
        DataType::Inet4 => match <[u8; 4]>::try_from(bytes) {
            Ok(address) => text(&std::net::Ipv4Addr::from(address)),
            Err(_) => Cow::Borrowed(bytes),
        },
        DataType::Inet6 => match <[u8; 16]>::try_from(bytes) {
            Ok(address) => text(&std::net::Ipv6Addr::from(address)),
            Err(_) => Cow::Borrowed(bytes),
        },
        _ => Cow::Borrowed(bytes),
    }
}

/// The names of an ENUM's or SET's members.
pub(crate) fn members(data_type: &DataType) -> &[String] {
    match data_type {
        DataType::Enum { members, .. } | DataType::Set { members, .. } => members,
        _ => &[],
    }
}

fn member<'a>(data_type: &DataType, number: u16) -> Cow<'a, [u8]> {
    let name = usize::from(number).checked_sub(1).and_then(|index| members(data_type).get(index));
    name.map_or_else(|| text(&format!("#{number}")), |name| text(name.as_str()))
}

fn set<'a>(data_type: &DataType, bits: u64) -> Cow<'a, [u8]> {
    let mut out = String::new();
    for index in (0..64).filter(|index| bits >> index & 1 == 1) {
        let comma = if out.is_empty() { "" } else { "," };
        let _ = match members(data_type).get(index) {
            Some(name) => write!(out, "{comma}{name}"),
            None => write!(out, "{comma}#{index}"),
        };
    }
    Cow::Owned(out.into_bytes())
}

/// Keys sorted, the last of equal keys, numbers by value. What isn't JSON stands for itself.
fn json(bytes: &[u8]) -> Cow<'_, [u8]> {
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(value) => {
            let mut out = String::new();
            write_json(&value, &mut out);
            Cow::Owned(out.into_bytes())
        }
        Err(_) => Cow::Borrowed(bytes),
    }
}

fn write_json(value: &serde_json::Value, out: &mut String) {
    match value {
        serde_json::Value::Number(number) => {
            // 1.0, 1 and 1e0 are one number; an integer beyond 2^53 keeps all its digits.
            let whole = number.as_f64().filter(|v| number.is_f64() && v.fract() == 0.0 && v.abs() < 9e15);
            let _ = match whole {
                Some(whole) => write!(out, "{}", whole as i64),
                None if number.is_f64() => write!(out, "{:e}", number.as_f64().unwrap_or_default()),
                None => write!(out, "{number}"),
            };
        }
        serde_json::Value::Array(items) => {
            out.push('[');
            for item in items {
                write_json(item, out);
                out.push(',');
            }
            out.push(']');
        }
        serde_json::Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (name, field) in fields {
                let _ = write!(out, "{}:", serde_json::Value::String(name.clone()));
                write_json(field, out);
                out.push(',');
            }
            out.push('}');
        }
        plain => {
            let _ = write!(out, "{plain}");
        }
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_model::Charset;

    use super::*;

    fn varchar(charset: Charset) -> DataType {
        DataType::VarChar { chars: 10, charset, collation: String::new() }
    }

    fn equal(left: (&DataType, ValueRef<'_>), right: (&DataType, ValueRef<'_>)) -> bool {
        let row = |(data_type, value): (&DataType, ValueRef<'_>)| {
            let mut batch = whimbrel_model::RowBatch::new([data_type.cell_kind()].into());
            batch.push_value(value);
            batch.end_row();
            batch
        };
        let (a, b) = (row(left), row(right));
        same((left.0, a.row(0)), 0, (right.0, b.row(0)), 0)
    }

    #[test]
    fn text_is_compared_in_utf8() {
        let (latin1, utf8) = (varchar(Charset::Latin1), varchar(Charset::Utf8mb4));
        assert!(equal((&latin1, ValueRef::Text(b"\xe9")), (&utf8, ValueRef::Text("é".as_bytes()))));
        assert!(!equal((&latin1, ValueRef::Text(b"e")), (&utf8, ValueRef::Text("é".as_bytes()))));
        assert!(!equal((&utf8, ValueRef::Text(b"a")), (&utf8, ValueRef::Text(b"a "))));
        // The same bytes mean different text in different charsets.
        assert!(!equal((&latin1, ValueRef::Text(b"\xc3\xa9")), (&utf8, ValueRef::Text(b"\xc3\xa9"))));
    }

    #[test]
    fn null_is_equal_to_null_only() {
        let utf8 = varchar(Charset::Utf8mb4);
        assert!(equal((&utf8, ValueRef::Null), (&utf8, ValueRef::Null)));
        assert!(!equal((&utf8, ValueRef::Null), (&utf8, ValueRef::Text(b""))));
    }

    #[test]
    fn numbers_are_compared_by_value() {
        let narrow = DataType::Decimal { precision: 10, scale: 1, unsigned: false };
        let wide = DataType::Decimal { precision: 10, scale: 3, unsigned: false };
        let decimal = |a: &'static [u8], b: &'static [u8]| {
            equal((&narrow, ValueRef::Decimal(a)), (&wide, ValueRef::Decimal(b)))
        };
        assert!(decimal(b"-12.5", b"-12.500"));
        assert!(decimal(b"0.0", b"-0.000"));
        assert!(!decimal(b"10.0", b"1.000"));
        let int = DataType::Int { bytes: 4, unsigned: false, zerofill: None };
        let unsigned = DataType::Int { bytes: 8, unsigned: true, zerofill: None };
        assert!(equal((&int, ValueRef::Int(7)), (&unsigned, ValueRef::UInt(7))));
        assert!(!equal((&int, ValueRef::Int(-1)), (&unsigned, ValueRef::UInt(u64::MAX))));
        let float = DataType::Float { digits: None, unsigned: false };
        let double = DataType::Double { digits: None, unsigned: false };
        assert!(equal((&float, ValueRef::Float(0.1)), (&double, ValueRef::Double(f64::from(0.1f32)))));
        assert!(!equal((&float, ValueRef::Float(0.1)), (&double, ValueRef::Double(0.1))));
    }

    #[test]
    fn json_is_compared_by_meaning() {
        let longtext = DataType::Text {
            size: whimbrel_model::TextSize::Long,
            charset: Charset::Utf8mb4,
            collation: String::new(),
        };
        let json = |a: &'static str, b: &'static str| {
            equal((&longtext, ValueRef::Text(a.as_bytes())), (&DataType::Json, ValueRef::Json(b.as_bytes())))
        };
        assert!(json(r#"{"b":1, "a":[1.10,2]}"#, r#"{"a": [1.1, 2], "b": 1.0}"#));
        assert!(json(r#""a\u00e9""#, "\"aé\""));
        assert!(json("12345678901234567890", "12345678901234567890"));
        assert!(!json("12345678901234567890", "12345678901234567891"));
        assert!(!json("[1,2]", "[2,1]"));
        assert!(!json("1", "\"1\""));
    }

    #[test]
    fn a_converted_column_is_compared_by_what_its_values_mean() {
        let text = varchar(Charset::Utf8mb4);
        let moment = DateTime::parse(b"2021-02-03 04:05:06.5").unwrap();
        let (fine, coarse) = (DataType::DateTime { fsp: 3 }, DataType::DateTime { fsp: 0 });
        assert!(equal(
            (&fine, ValueRef::DateTime(moment)),
            (&text, ValueRef::Text(b"2021-02-03 04:05:06.500"))
        ));
        assert!(!equal((&fine, ValueRef::DateTime(moment)), (&text, ValueRef::Text(b"2021-02-03 04:05:06"))));
        let whole = DateTime::parse(b"2021-02-03 00:00:00").unwrap();
        assert!(equal((&DataType::Date, ValueRef::Date(whole.date())), (&coarse, ValueRef::DateTime(whole))));
        assert!(!equal((&DataType::Date, ValueRef::Date(whole.date())), (&fine, ValueRef::DateTime(moment))));
        let int = DataType::Int { bytes: 4, unsigned: false, zerofill: None };
        let decimal = DataType::Decimal { precision: 10, scale: 2, unsigned: false };
        assert!(equal((&int, ValueRef::Int(-7)), (&decimal, ValueRef::Decimal(b"-7.00"))));
        assert!(equal((&int, ValueRef::Int(-7)), (&text, ValueRef::Text(b"-7"))));
        assert!(!equal((&int, ValueRef::Int(7)), (&text, ValueRef::Text(b"7 "))));
        assert!(equal((&DataType::Year, ValueRef::Year(0)), (&text, ValueRef::Text(b"0000"))));
        let float = DataType::Float { digits: None, unsigned: false };
        assert!(equal((&float, ValueRef::Float(0.1)), (&text, ValueRef::Text(b"0.1"))));
        let latin1 = varchar(Charset::Latin1);
        let blob = DataType::VarBinary { bytes: 9 };
        assert!(equal((&latin1, ValueRef::Text(b"\xe9")), (&blob, ValueRef::Bytes(b"\xe9"))));
        let members =
            DataType::Enum { members: vec!["a".into()], charset: Charset::Utf8mb4, collation: String::new() };
        assert!(equal((&members, ValueRef::Enum(1)), (&text, ValueRef::Text(b"a"))));
        assert!(equal((&members, ValueRef::Enum(0)), (&text, ValueRef::Text(b""))));
    }

    #[test]
    fn members_are_compared_by_name() {
        let of = |names: &[&str]| DataType::Enum {
            members: names.iter().map(|name| (*name).to_owned()).collect(),
            charset: Charset::Utf8mb4,
            collation: String::new(),
        };
        let (old, new) = (of(&["a", "b"]), of(&["b", "a"]));
        assert!(equal((&old, ValueRef::Enum(1)), (&new, ValueRef::Enum(2))));
        assert!(!equal((&old, ValueRef::Enum(1)), (&new, ValueRef::Enum(1))));
    }
}
