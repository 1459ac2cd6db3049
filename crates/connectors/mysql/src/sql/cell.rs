//! Cells of a batch out of the text that a server shows.
//!
//! A [`CellReader`] is made once for a column. It says what to select ([`CellReader::push_select`]), because some
//! types are not exact in their plain text, and reads the text that comes back.
//!
//! | type | selected | why |
//! |---|---|---|
//! | FLOAT, FLOAT(M,D), DOUBLE(M,D) | `col*1e0` | their text has 6, or D, digits; `+0e0` would lose the sign of -0 |
//! | ENUM, SET | `CAST(col AS UNSIGNED)` | the number, where `col+0` is a double in MySQL (63-bit sets) |
//! | UUID, INET4, INET6 | `CAST(col AS BINARY(n))` | the bytes in the order of the text |
//! | VECTOR | `col` | bytes (MySQL) or text (OceanBase), both read as the bytes |
//! | all others | `col` | |
//!
//! Measured on MySQL 5.5 to 9.7, MariaDB 10.2 to 11.8 and seekdb 1.4: DOUBLE shows as the shortest text that reads
//! back to the same bits. MariaDB shows -0 as 0; everything else is exact.

use whimbrel_model::{DataType, Date, DateTime, RowBatch, Time};

use super::fixed_bytes;
use crate::wire::push_identifier;

/// Text that is no value of the column's type. The text itself is row data and isn't repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server's text of a column is not {expected}")]
pub struct UnexpectedText {
    pub expected: &'static str,
}

/// Reads one column.
#[derive(Clone, Debug)]
pub struct CellReader {
    select: Select,
    parse: Parse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Select {
    Plain,
    Exact,
    Number,
    FixedBytes(usize),
}

#[derive(Clone, Debug)]
enum Parse {
    Int,
    UInt,
    Float,
    Double,
    /// The number of digits after the point.
    Decimal(usize),
    Date,
    /// The day of a date and time.
    DayOf,
    DateTime,
    /// The begin of a day.
    Midnight,
    /// A whole number, perhaps with zeros after the point.
    Whole {
        unsigned: bool,
    },
    Time,
    Bytes,
    /// Bits as a big-endian binary string.
    Bits,
    /// The name of an ENUM's member.
    Member(Vec<String>),
    /// Names of a SET's members.
    Members(Vec<String>),
    /// The text of such a value.
    FixedText(DataType),
    /// So many numbers of 4 bytes.
    Vector(u32),
}

impl CellReader {
    /// For a column of type `wanted` of which the server has it as `stored`: the same type when a server's own table
    /// is read, another one when a target's row is read in the source's layout.
    pub fn new(wanted: &DataType, stored: &DataType) -> Self {
        let select = match stored {
            DataType::Float { .. } | DataType::Double { digits: Some(_), .. } => Select::Exact,
            DataType::Enum { members, .. } => match wanted {
                DataType::Enum { members: same, .. } if same == members => Select::Number,
                _ => Select::Plain,
            },
            DataType::Set { members, .. } => match wanted {
                DataType::Set { members: same, .. } if same == members => Select::Number,
                _ => Select::Plain,
            },
            DataType::Uuid | DataType::Inet4 | DataType::Inet6 if wanted == stored => {
                fixed_bytes::width(stored).map_or(Select::Plain, Select::FixedBytes)
            }
            _ => Select::Plain,
        };
        Self { select, parse: Parse::new(wanted, stored, select) }
    }

    /// Appends the expression to select.
    pub fn push_select(&self, out: &mut Vec<u8>, column: &str) {
        if matches!(self.select, Select::Number | Select::FixedBytes(_)) {
            out.extend_from_slice(b"CAST(");
        }
        push_identifier(out, column);
        match self.select {
            Select::Plain => {}
            Select::Exact => out.extend_from_slice(b"*1e0"),
            Select::Number => out.extend_from_slice(b" AS UNSIGNED)"),
            Select::FixedBytes(width) => out.extend_from_slice(format!(" AS BINARY({width}))").as_bytes()),
        }
    }

    /// Appends a cell to the batch.
    ///
    /// # Errors
    /// The text is no value of the wanted type; nothing is appended.
    #[inline]
    pub fn push(&self, batch: &mut RowBatch, text: Option<&[u8]>) -> Result<(), UnexpectedText> {
        let Some(text) = text else {
            batch.push_null();
            return Ok(());
        };
        match &self.parse {
            Parse::Bytes => batch.push_bytes(text),
            Parse::Int => batch.push_int(parse_i64(text).ok_or(NOT_AN_INTEGER)?),
            Parse::UInt => batch.push_uint(parse_u64(text).ok_or(NOT_AN_INTEGER)?),
            Parse::DateTime => batch.push_datetime(DateTime::parse(text).ok_or(NOT_A_DATE_AND_TIME)?),
            Parse::Date => batch.push_date(Date::parse(text).ok_or(UnexpectedText { expected: "a date" })?),
            Parse::Time => batch.push_time(Time::parse(text).ok_or(UnexpectedText { expected: "a time" })?),
            Parse::DayOf => {
                let moment = DateTime::parse(text).ok_or(NOT_A_DATE_AND_TIME)?;
                batch.push_date(moment.date());
            }
            Parse::Midnight => {
                let day = Date::parse(text).and_then(|date| DateTime::new(date, 0, 0, 0, 0));
                batch.push_datetime(day.ok_or(NOT_A_DATE_AND_TIME)?);
            }
            Parse::Whole { unsigned: true } => {
                batch.push_uint(parse_u64(whole(text)).ok_or(NOT_AN_INTEGER)?);
            }
            Parse::Whole { unsigned: false } => {
                batch.push_int(parse_i64(whole(text)).ok_or(NOT_AN_INTEGER)?);
            }
            Parse::Decimal(scale) => return push_decimal(batch, text, *scale),
            Parse::Float => batch.push_float(parse_f64(text).ok_or(NOT_A_NUMBER)? as f32),
            Parse::Double => batch.push_double(parse_f64(text).ok_or(NOT_A_NUMBER)?),
            Parse::Bits => {
                batch.push_uint(parse_bits(text).ok_or(UnexpectedText { expected: "a bit string" })?);
            }
            Parse::Member(members) => batch.push_uint(member(members, text).ok_or(NOT_A_MEMBER)?),
            Parse::Members(members) => batch.push_uint(member_bits(members, text).ok_or(NOT_A_MEMBER)?),
            Parse::FixedText(data_type) => {
                let text = str::from_utf8(text).ok();
                let bytes = text.and_then(|text| fixed_bytes::from_text(data_type, text));
                batch.push_bytes(&bytes.ok_or(UnexpectedText { expected: "an address or UUID" })?);
            }
            Parse::Vector(dimensions) => match vector_text(text, *dimensions) {
                Some(bytes) => batch.push_bytes(&bytes),
                None => batch.push_bytes(text),
            },
        }
        Ok(())
    }
}

const NOT_AN_INTEGER: UnexpectedText = UnexpectedText { expected: "an integer" };
const NOT_A_NUMBER: UnexpectedText = UnexpectedText { expected: "a number" };
const NOT_A_DATE_AND_TIME: UnexpectedText = UnexpectedText { expected: "a date and time" };
const NOT_A_MEMBER: UnexpectedText = UnexpectedText { expected: "a member of its type" };

impl Parse {
    fn new(wanted: &DataType, stored: &DataType, select: Select) -> Self {
        match wanted {
            DataType::Int { .. } | DataType::Bool if matches!(stored, DataType::Decimal { .. }) => {
                Self::Whole { unsigned: matches!(wanted, DataType::Int { unsigned: true, .. }) }
            }
            DataType::Date if matches!(stored, DataType::DateTime { .. } | DataType::Timestamp { .. }) => {
                Self::DayOf
            }
            DataType::DateTime { .. } | DataType::Timestamp { .. } if *stored == DataType::Date => {
                Self::Midnight
            }
            DataType::Int { unsigned: true, .. } | DataType::Year => Self::UInt,
            DataType::Int { .. } | DataType::Bool => Self::Int,
            DataType::Decimal { scale, .. } => Self::Decimal(usize::from(*scale)),
            DataType::Float { .. } => Self::Float,
            DataType::Double { .. } => Self::Double,
            DataType::Bit { .. } => match stored {
                DataType::Bit { .. } | DataType::Binary { .. } | DataType::VarBinary { .. } => Self::Bits,
                _ => Self::UInt,
            },
            DataType::Date => Self::Date,
            DataType::Time { .. } => Self::Time,
            DataType::DateTime { .. } | DataType::Timestamp { .. } => Self::DateTime,
            DataType::Enum { .. } | DataType::Set { .. } if select == Select::Number => Self::UInt,
            DataType::Enum { members, .. } => Self::Member(members.clone()),
            DataType::Set { members, .. } => Self::Members(members.clone()),
            DataType::Uuid | DataType::Inet4 | DataType::Inet6 if select == Select::Plain => {
                Self::FixedText(wanted.clone())
            }
            DataType::Vector { dimensions } if stored == wanted => Self::Vector(*dimensions),
            DataType::Char { .. }
            | DataType::Vector { .. }
            | DataType::VarChar { .. }
            | DataType::Text { .. }
            | DataType::Binary { .. }
            | DataType::VarBinary { .. }
            | DataType::Blob { .. }
            | DataType::Json
            | DataType::Geometry { .. }
            | DataType::Uuid
            | DataType::Inet4
            | DataType::Inet6 => Self::Bytes,
        }
    }
}

/// Without the fraction, where that is zero.
fn whole(text: &[u8]) -> &[u8] {
    let point = text.iter().position(|&byte| byte == b'.');
    match point.map(|at| text.split_at(at)) {
        Some((whole, fraction)) if fraction.iter().skip(1).all(|&byte| byte == b'0') => whole,
        _ => text,
    }
}

fn parse_u64(text: &[u8]) -> Option<u64> {
    // 19 digits always fit.
    if text.is_empty() || text.len() > 19 {
        return parse_long_u64(text);
    }
    let mut number = 0u64;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u64::from(digit);
    }
    Some(number)
}

#[cold]
fn parse_long_u64(text: &[u8]) -> Option<u64> {
    let digits = text.iter().all(u8::is_ascii_digit) && !text.is_empty();
    digits.then(|| str::from_utf8(text).ok()?.parse().ok())?
}

fn parse_i64(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => 0i64.checked_sub_unsigned(parse_u64(digits)?),
        digits => parse_u64(digits)?.try_into().ok(),
    }
}

fn parse_f64(text: &[u8]) -> Option<f64> {
    let number: f64 = str::from_utf8(text).ok()?.parse().ok()?;
    number.is_finite().then_some(number)
}

/// The bytes of a vector that is shown as text, `[1,2.5]`, as OceanBase does; MySQL shows the bytes. Bytes that read as
/// a list of exactly as many numbers would be taken for text, which no list of real numbers does by chance.
fn vector_text(text: &[u8], dimensions: u32) -> Option<Vec<u8>> {
    let list = str::from_utf8(text).ok()?.strip_prefix('[')?.strip_suffix(']')?;
    let numbers: Vec<f32> = list.split(',').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    (numbers.len() == dimensions as usize)
        .then(|| numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
}

fn parse_bits(text: &[u8]) -> Option<u64> {
    let mut full = [0u8; 8];
    let start = full.len().checked_sub(text.len())?;
    full[start..].copy_from_slice(text);
    Some(u64::from_be_bytes(full))
}

/// Drops the leading zeros of ZEROFILL and the sign of zero, and shows as many digits after the point as the scale.
fn push_decimal(batch: &mut RowBatch, text: &[u8], scale: usize) -> Result<(), UnexpectedText> {
    let not_decimal = UnexpectedText { expected: "a decimal number" };
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let point = digits.iter().position(|&byte| byte == b'.').unwrap_or(digits.len());
    let (whole, fraction) = digits.split_at(point);
    let fraction = fraction.get(1..).unwrap_or_default();
    if whole.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return Err(not_decimal);
    }
    let zeros = whole.iter().take_while(|&&byte| byte == b'0').count().min(whole.len() - 1);
    let whole = whole.get(zeros..).unwrap_or(whole);
    let (kept, cut) = fraction.split_at(scale.min(fraction.len()));
    if cut.iter().any(|&byte| byte != b'0') {
        return Err(not_decimal);
    }
    let zero = whole.iter().chain(kept).all(|&byte| byte == b'0');
    batch.push_with(|out| {
        if negative && !zero {
            out.push(b'-');
        }
        out.extend_from_slice(whole);
        if scale > 0 {
            out.push(b'.');
            out.extend_from_slice(kept);
            out.resize(out.len() + scale - kept.len(), b'0');
        }
        Ok(())
    })
}

/// The number of a member by its name; 0 for the empty text that stands for no member.
fn member(members: &[String], name: &[u8]) -> Option<u64> {
    match members.iter().position(|member| member.as_bytes() == name) {
        Some(index) => Some(index as u64 + 1),
        None => name.is_empty().then_some(0),
    }
}

fn member_bits(members: &[String], names: &[u8]) -> Option<u64> {
    if names.is_empty() {
        return Some(0);
    }
    names.split(|&byte| byte == b',').try_fold(0, |bits, name| {
        let number = member(members, name).filter(|number| (1..=64).contains(number))?;
        Some(bits | 1 << (number - 1))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use whimbrel_model::{Charset, RawCell, ValueRef};

    use super::*;

    fn read(wanted: &DataType, stored: &DataType, text: &[u8]) -> Result<RowBatch, UnexpectedText> {
        let mut batch = RowBatch::new([wanted.cell_kind()].into());
        CellReader::new(wanted, stored).push(&mut batch, Some(text))?;
        batch.end_row();
        Ok(batch)
    }

    fn int(unsigned: bool) -> DataType {
        DataType::Int { bytes: 8, unsigned, zerofill: None }
    }

    fn decimal(scale: u8) -> DataType {
        DataType::Decimal { precision: 20, scale, unsigned: false }
    }

    #[test]
    fn integers_of_all_sizes() {
        for (text, expected) in [
            ("-9223372036854775808", Some(i64::MIN)),
            ("000042", Some(42)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
            ("1x", None),
        ] {
            let batch = read(&int(false), &int(false), text.as_bytes()).ok();
            let found = batch.as_ref().map(|batch| batch.row(0).get(0));
            assert_eq!(found, expected.map(ValueRef::Int), "{text}");
        }
        let batch = read(&int(true), &int(true), b"18446744073709551615").unwrap();
        assert_eq!(batch.row(0).get(0), ValueRef::UInt(u64::MAX));
        assert!(read(&int(true), &int(true), b"18446744073709551616").is_err());
    }

    #[test]
    fn decimals_are_canonical() {
        for (text, scale, expected) in [
            ("000123.450", 3, Some("123.450")),
            ("-0.00", 2, Some("0.00")),
            ("-0.05", 2, Some("-0.05")),
            ("7", 0, Some("7")),
            ("1.5", 3, Some("1.500")),
            ("1.500", 1, Some("1.5")),
            ("1.55", 1, None),
            (".5", 1, None),
            ("1e3", 0, None),
        ] {
            let found = read(&decimal(scale), &decimal(scale), text.as_bytes()).ok();
            let found = found.as_ref().map(|batch| batch.row(0).get(0));
            assert_eq!(found, expected.map(|text| ValueRef::Decimal(text.as_bytes())), "{text}");
        }
    }

    #[test]
    fn bits_and_members() {
        let bit = DataType::Bit { bits: 64 };
        let batch = read(&bit, &bit, &[1, 0]).unwrap();
        assert_eq!(batch.row(0).get(0), ValueRef::Bit(256));
        assert!(read(&bit, &bit, &[0; 9]).is_err());
        assert_eq!(read(&bit, &int(true), b"256").unwrap().row(0).get(0), ValueRef::Bit(256));

        let members = vec!["a".to_owned(), "b".to_owned()];
        let (charset, collation) = (Charset::Utf8mb4, String::new());
        let one = DataType::Enum { members: members.clone(), charset, collation: collation.clone() };
        let set = DataType::Set { members, charset, collation: collation.clone() };
        let text = DataType::VarChar { chars: 9, charset, collation };
        assert_eq!(read(&one, &one, b"2").unwrap().row(0).get(0), ValueRef::Enum(2));
        assert_eq!(read(&one, &text, b"b").unwrap().row(0).get(0), ValueRef::Enum(2));
        assert_eq!(read(&one, &text, b"").unwrap().row(0).get(0), ValueRef::Enum(0));
        assert!(read(&one, &text, b"c").is_err());
        assert_eq!(read(&set, &text, b"a,b").unwrap().row(0).get(0), ValueRef::Set(3));
        assert_eq!(read(&set, &text, b"").unwrap().row(0).get(0), ValueRef::Set(0));
    }

    #[test]
    fn converted_columns_read_back_as_the_source_has_them() {
        let decimal = DataType::Decimal { precision: 12, scale: 2, unsigned: false };
        assert_eq!(read(&int(false), &decimal, b"-7.00").unwrap().row(0).get(0), ValueRef::Int(-7));
        assert_eq!(read(&int(true), &decimal, b"7").unwrap().row(0).get(0), ValueRef::UInt(7));
        assert!(read(&int(false), &decimal, b"7.50").is_err());
        let fine = DataType::DateTime { fsp: 6 };
        let day = Date::new(2021, 2, 3).unwrap();
        let midnight = DateTime::new(day, 0, 0, 0, 0).unwrap();
        let found = read(&DataType::Date, &fine, b"2021-02-03 00:00:00.000000").unwrap();
        assert_eq!(found.row(0).get(0), ValueRef::Date(day));
        assert_eq!(
            read(&fine, &DataType::Date, b"2021-02-03").unwrap().row(0).get(0),
            ValueRef::DateTime(midnight)
        );
    }

    #[test]
    fn vectors_read_the_same_from_bytes_and_text() {
        let vector = DataType::Vector { dimensions: 3 };
        let bytes: Vec<u8> = [1.0f32, 2.5, -3e-7].iter().flat_map(|number| number.to_le_bytes()).collect();
        for shown in [&bytes[..], b"[1,2.5,-3e-07]"] {
            let batch = read(&vector, &vector, shown).unwrap();
            assert_eq!(batch.row(0).raw(0), RawCell::Bytes(&bytes));
        }
    }

    #[test]
    fn what_is_selected_is_exact() {
        let select = |data_type: &DataType| {
            let mut out = Vec::new();
            CellReader::new(data_type, data_type).push_select(&mut out, "c`");
            String::from_utf8(out).unwrap()
        };
        assert_eq!(select(&int(true)), "`c```");
        assert_eq!(select(&DataType::Float { digits: None, unsigned: false }), "`c```*1e0");
        assert_eq!(select(&DataType::Uuid), "CAST(`c``` AS BINARY(16))");
    }

    proptest! {
        #[test]
        fn doubles_read_back_from_their_literals(bits: u64) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            let double = DataType::Double { digits: None, unsigned: false };
            let mut text = Vec::new();
            super::super::literal::push_double(&mut text, number).unwrap();
            let batch = read(&double, &double, &text).unwrap();
            let ValueRef::Double(found) = batch.row(0).get(0) else { panic!("a double") };
            prop_assert_eq!(found.to_bits(), bits);
        }

        #[test]
        fn any_text_is_read_or_refused(text: Vec<u8>) {
            for data_type in [int(false), int(true), decimal(2), DataType::Date, DataType::Time { fsp: 6 },
                DataType::DateTime { fsp: 6 }, DataType::Bit { bits: 64 }, DataType::Uuid, DataType::Year] {
                let _ = read(&data_type, &data_type, &text);
            }
        }
    }
}
