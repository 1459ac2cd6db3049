//! Cells as SQL literals.
//!
//! A [`Literal`] is made once for a column (what the source's bytes mean, what the target's column is) and
//! then writes any number of its cells into a statement buffer without allocating.
//!
//! What it guarantees, for a session whose client charset is utf8mb4, whose `sql_mode` has no
//! `NO_BACKSLASH_ESCAPES` and whose time zone is UTC:
//! - integers, decimals, bits: digits; doubles: the shortest text that reads back to the same bits;
//! - FLOAT: its exact value as a double, so that the server's rounding to FLOAT meets the same bits (a
//!   short decimal would be rounded twice, first to a double); FLOAT(M,D): the shortest text, because
//!   OceanBase refuses the exact value of the largest number that the column holds (1264);
//! - text: UTF-8 in quotes, but its own bytes as `_charset x'...'` where the target's column has the same charset, so
//!   that bytes which share a character (cp932 has 396 of these) or have none stay as they are; ENUM and SET: the names of their members; bytes and geometry: `_binary'...'`
//!   for more than a few bytes, because it is shorter than hex and reads as the same binary string.
//!
//! What it does not do: guess. Bytes that are no text in their charset, an unknown value and a member that
//! isn't there are errors.

use whimbrel_model::{Charset, DataType, ValueRef};

use super::fixed_bytes;
use crate::wire::{push_hex, push_identifier, push_string};

/// Why a cell can't be written as a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiteralError {
    #[error("its bytes are not valid {0} text")]
    InvalidText(Charset),
    #[error("the log holds no value for it")]
    Unknown,
    #[error("member {0} is none of its type")]
    NoSuchMember(u64),
    #[error("it has a wrong number of bytes for its type")]
    WrongWidth,
    #[error("it is not a finite number")]
    NotFinite,
}

/// Shorter binary strings go out as hex, which every tool shows in a readable way.
const SHORT_BYTES: usize = 16;

/// How the cells of one column are written.
#[derive(Clone, Copy, Debug)]
pub struct Literal<'a> {
    form: Form<'a>,
    /// The target rounds floats to a fixed number of digits.
    short_floats: bool,
}

#[derive(Clone, Copy, Debug)]
enum Form<'a> {
    /// The value's own kind says it all.
    Value,
    /// Text to be converted to UTF-8.
    Text(Charset),
    /// Text that is stored as it is.
    Raw,
    /// Text in the charset of the column that it is compared with.
    Introduced(Charset),
    /// Text that the target stores in the same charset, which is not UTF-8.
    Kept(Charset),
    Enum(&'a [String]),
    /// The name of a member, in a column of text; the number 0 shows as nothing.
    EnumText(&'a [String]),
    Set(&'a [String]),
    /// The number that a member of the first list has in the second.
    EnumNumber(&'a [String], &'a [String]),
    SetNumber(&'a [String], &'a [String]),
    FixedBytes(&'a DataType),
    /// A number or moment of this type as text, as the source shows it.
    Shown(&'a DataType),
}

impl<'a> Literal<'a> {
    /// For cells of a column of type `source` that are stored in, or compared with, one of type `target`.
    pub fn new(source: &'a DataType, target: &DataType) -> Self {
        let form = match source {
            _ if is_text(target) && is_shown(source) => Form::Shown(source),
            DataType::Char { charset, .. }
            | DataType::VarChar { charset, .. }
            | DataType::Text { charset, .. } => {
                let binary = matches!(
                    target,
                    DataType::Binary { .. } | DataType::VarBinary { .. } | DataType::Blob { .. }
                );
                match *charset {
                    _ if binary => Form::Raw,
                    charset @ (Charset::Utf8mb3 | Charset::Utf8mb4) => Form::Text(charset),
                    charset if charset == target.charset() => Form::Kept(charset),
                    charset => Form::Text(charset),
                }
            }
            DataType::Enum { members, .. } if is_text(target) => Form::EnumText(members),
            DataType::Enum { members, .. } => Form::Enum(members),
            DataType::Set { members, .. } => Form::Set(members),
            DataType::Uuid | DataType::Inet4 | DataType::Inet6 => Form::FixedBytes(source),
            _ => Form::Value,
        };
        let short_floats = match target {
            DataType::Float { digits, .. } => digits.is_some(),
            DataType::Double { .. } => false,
            _ => true,
        };
        Self { form, short_floats }
    }

    /// As [`Literal::new`], to be compared with the stored value: floats always exact, and ENUM and SET by number,
    /// because seekdb refuses to compare an indexed one with text (1210).
    pub fn compared(source: &'a DataType, target: &'a DataType) -> Self {
        let form = match (source, target) {
            (DataType::Enum { members: from, .. }, DataType::Enum { members: to, .. }) => {
                Form::EnumNumber(from, to)
            }
            (DataType::Set { members: from, .. }, DataType::Set { members: to, .. }) => {
                Form::SetNumber(from, to)
            }
            _ => Self::new(source, target).form,
        };
        Self { form, short_floats: false }
    }

    /// For values of a column that are compared with the same column of the server that they were read from. Text
    /// stays in its charset, ENUM and SET are numbers, which is how they are ordered. `introducers` is false for
    /// servers that know no `_charset` but UTF-8 and binary (OceanBase).
    pub fn own(data_type: &'a DataType, introducers: bool) -> Self {
        let form = match data_type {
            DataType::Enum { members, .. } => Form::EnumNumber(members, members),
            DataType::Set { members, .. } => Form::SetNumber(members, members),
            _ => match data_type.charset() {
                Charset::Binary => Self::new(data_type, data_type).form,
                Charset::Utf8mb4 => Form::Text(Charset::Utf8mb4),
                charset if introducers => Form::Introduced(charset),
                charset => Form::Text(charset),
            },
        };
        Self { form, short_floats: false }
    }

    /// Appends the column as it compares with literals made by [`Literal::compared`] or [`Literal::own`]. A SET is
    /// cast, because MySQL and MariaDB take its number for a signed one. No index is used for it then.
    pub fn push_column(&self, out: &mut Vec<u8>, name: &str) {
        if matches!(self.form, Form::SetNumber(..)) {
            out.extend_from_slice(b"CAST(");
            push_identifier(out, name);
            out.extend_from_slice(b" AS UNSIGNED)");
        } else {
            push_identifier(out, name);
        }
    }

    /// Appends the literal of a cell.
    ///
    /// # Errors
    /// As [`LiteralError`] says; then part of a literal may have been appended.
    pub fn push(&self, out: &mut Vec<u8>, value: ValueRef<'_>) -> Result<(), LiteralError> {
        if let Form::Shown(data_type) = self.form {
            return push_shown(out, data_type, value);
        }
        match value {
            ValueRef::Null => out.extend_from_slice(b"NULL"),
            ValueRef::Unknown => return Err(LiteralError::Unknown),
            ValueRef::Int(number) => push_i64(out, number),
            ValueRef::UInt(number) | ValueRef::Bit(number) => push_u64(out, number),
            ValueRef::Text(text) => return self.push_text(out, text),
            ValueRef::Decimal(digits) => out.extend_from_slice(digits),
            ValueRef::DateTime(value) | ValueRef::Timestamp(value) => {
                out.push(b'\'');
                value.write(out, if value.micro() == 0 { 0 } else { 6 });
                out.push(b'\'');
            }
            ValueRef::Date(value) => {
                out.push(b'\'');
                value.write(out);
                out.push(b'\'');
            }
            ValueRef::Time(value) => {
                out.push(b'\'');
                value.write(out, if value.micros() % 1_000_000 == 0 { 0 } else { 6 });
                out.push(b'\'');
            }
            ValueRef::Double(number) => return push_double(out, number),
            ValueRef::Float(number) => return self.push_float(out, number),
            ValueRef::Year(year) => push_u64(out, u64::from(year)),
            ValueRef::Bytes(bytes) => return self.push_fixed_or_bytes(out, bytes),
            ValueRef::Geometry(bytes) => push_bytes(out, bytes),
            ValueRef::Json(text) => push_string(out, text),
            ValueRef::Enum(number) => return self.push_member(out, number),
            ValueRef::Set(bits) => return self.push_members(out, bits),
        }
        Ok(())
    }

    fn push_text(&self, out: &mut Vec<u8>, text: &[u8]) -> Result<(), LiteralError> {
        match self.form {
            Form::Text(charset) => {
                let utf8 = charset.to_utf8(text).map_err(|error| LiteralError::InvalidText(error.charset))?;
                push_string(out, &utf8);
            }
            // Shorter, and readable.
            Form::Kept(charset) if charset.keeps_ascii() && text.is_ascii() => push_string(out, text),
            Form::Introduced(charset) | Form::Kept(charset) => {
                out.push(b'_');
                out.extend_from_slice(charset.name().as_bytes());
                out.push(b' ');
                push_hex(out, text);
            }
            _ => push_bytes(out, text),
        }
        Ok(())
    }

    fn push_float(&self, out: &mut Vec<u8>, number: f32) -> Result<(), LiteralError> {
        if self.short_floats {
            if !number.is_finite() {
                return Err(LiteralError::NotFinite);
            }
            push_display(out, format_args!("{number:e}"));
            return Ok(());
        }
        push_double(out, f64::from(number))
    }

    fn push_fixed_or_bytes(&self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), LiteralError> {
        if let Form::FixedBytes(data_type) = self.form {
            let text = fixed_bytes::to_text(data_type, bytes).ok_or(LiteralError::WrongWidth)?;
            push_string(out, text.as_bytes());
        } else {
            push_bytes(out, bytes);
        }
        Ok(())
    }

    /// Number 0 is what an invalid insert left; it has no name, and `''` could be another member's.
    fn push_member(&self, out: &mut Vec<u8>, number: u16) -> Result<(), LiteralError> {
        let members = match self.form {
            Form::EnumText(_) if number == 0 => {
                out.extend_from_slice(b"''");
                return Ok(());
            }
            Form::Enum(members) | Form::EnumText(members) => members,
            Form::EnumNumber(from, to) if from != to => {
                let number = renumbered(u64::from(number), from, to)?;
                push_u64(out, number);
                return Ok(());
            }
            _ => {
                push_u64(out, u64::from(number));
                return Ok(());
            }
        };
        let Some(index) = number.checked_sub(1) else {
            out.push(b'0');
            return Ok(());
        };
        let name = members.get(usize::from(index)).ok_or(LiteralError::NoSuchMember(number.into()))?;
        push_string(out, name.as_bytes());
        Ok(())
    }

    fn push_members(&self, out: &mut Vec<u8>, bits: u64) -> Result<(), LiteralError> {
        let members = match self.form {
            Form::Set(members) => members,
            Form::SetNumber(from, to) if from != to => {
                let (mut rest, mut renamed) = (bits, 0);
                while rest != 0 {
                    let number = renumbered(u64::from(rest.trailing_zeros()) + 1, from, to)?;
                    renamed |= 1u64.checked_shl(number as u32 - 1).unwrap_or(0);
                    rest &= rest - 1;
                }
                push_u64(out, renamed);
                return Ok(());
            }
            _ => {
                push_u64(out, bits);
                return Ok(());
            }
        };
        out.push(b'\'');
        let mut rest = bits;
        while rest != 0 {
            let bit = rest.trailing_zeros();
            let name = members.get(bit as usize).ok_or(LiteralError::NoSuchMember(u64::from(bit) + 1))?;
            if rest != bits {
                out.push(b',');
            }
            // The literal of the name without its quotes.
            let start = out.len();
            push_string(out, name.as_bytes());
            out.remove(start);
            out.pop();
            rest &= rest - 1;
        }
        out.push(b'\'');
        Ok(())
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Char { .. } | DataType::VarChar { .. } | DataType::Text { .. })
}

/// Types whose values become text in the way that the source shows them, and not in the way that the target would
/// turn a literal into text.
fn is_shown(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Int { .. }
            | DataType::Bool
            | DataType::Decimal { .. }
            | DataType::Float { .. }
            | DataType::Double { .. }
            | DataType::Bit { .. }
            | DataType::Date
            | DataType::Time { .. }
            | DataType::DateTime { .. }
            | DataType::Timestamp { .. }
            | DataType::Year
    )
}

/// A number or moment in quotes, with as many digits as its type has.
fn push_shown(out: &mut Vec<u8>, data_type: &DataType, value: ValueRef<'_>) -> Result<(), LiteralError> {
    if value == ValueRef::Null {
        out.extend_from_slice(b"NULL");
        return Ok(());
    }
    if matches!(value, ValueRef::Float(number) if !number.is_finite())
        || matches!(value, ValueRef::Double(number) if !number.is_finite())
    {
        return Err(LiteralError::NotFinite);
    }
    out.push(b'\'');
    if !value.write_shown(data_type, out) {
        return Err(LiteralError::Unknown);
    }
    out.push(b'\'');
    Ok(())
}

/// The number, from 1, that a member has in another list; 0 stays 0.
fn renumbered(number: u64, from: &[String], to: &[String]) -> Result<u64, LiteralError> {
    let Some(index) = number.checked_sub(1) else { return Ok(0) };
    let name = usize::try_from(index).ok().and_then(|index| from.get(index));
    let found = name.and_then(|name| to.iter().position(|other| other == name));
    found.map(|index| index as u64 + 1).ok_or(LiteralError::NoSuchMember(number))
}

/// Appends a binary string. The empty one is `''`: seekdb 1.4 takes `x''` in a list or an expression for the three
/// characters that it is written with.
pub fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.is_empty() {
        out.extend_from_slice(b"''");
    } else if bytes.len() <= SHORT_BYTES {
        push_hex(out, bytes);
    } else {
        out.extend_from_slice(b"_binary");
        push_string(out, bytes);
    }
}

/// Appends the shortest decimal text that reads back to the same bits; it always has an exponent, so that servers
/// read it as a double and not as a decimal.
pub fn push_double(out: &mut Vec<u8>, number: f64) -> Result<(), LiteralError> {
    if !number.is_finite() {
        return Err(LiteralError::NotFinite);
    }
    push_display(out, format_args!("{number:e}"));
    Ok(())
}

fn push_display(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    use std::io::Write as _;
    out.write_fmt(text).expect("writing to a vector can't fail");
}

/// Appends a number in decimal.
pub fn push_u64(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn push_i64(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    push_u64(out, number.unsigned_abs());
}

#[cfg(test)]
mod tests {
    use whimbrel_model::{Date, DateTime, TextSize, Time};

    use super::*;

    const INT: DataType = DataType::Int { bytes: 8, unsigned: false, zerofill: None };
    const FLOAT: DataType = DataType::Float { digits: None, unsigned: false };

    fn literal(source: &DataType, target: &DataType, value: ValueRef<'_>) -> Result<String, LiteralError> {
        let mut out = Vec::new();
        Literal::new(source, target).push(&mut out, value)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn text(charset: Charset) -> DataType {
        DataType::Text { size: TextSize::Regular, charset, collation: String::new() }
    }

    #[test]
    fn numbers_are_exact() {
        for (value, expected) in [
            (ValueRef::Int(i64::MIN), "-9223372036854775808"),
            (ValueRef::Int(0), "0"),
            (ValueRef::UInt(u64::MAX), "18446744073709551615"),
            (ValueRef::Double(-0.0), "-0e0"),
            (ValueRef::Double(5e-324), "5e-324"),
            (ValueRef::Double(0.1), "1e-1"),
            (ValueRef::Decimal(b"-12.50"), "-12.50"),
            (ValueRef::Bit(5), "5"),
            (ValueRef::Year(0), "0"),
            (ValueRef::Null, "NULL"),
        ] {
            assert_eq!(literal(&INT, &INT, value).unwrap(), expected);
        }
        assert_eq!(literal(&INT, &INT, ValueRef::Double(f64::NAN)), Err(LiteralError::NotFinite));
        assert_eq!(literal(&INT, &INT, ValueRef::Unknown), Err(LiteralError::Unknown));
    }

    #[test]
    fn floats_are_exact_doubles_unless_the_column_rounds_them() {
        let rounded = DataType::Float { digits: Some((7, 3)), unsigned: false };
        let decimal = DataType::Decimal { precision: 10, scale: 3, unsigned: false };
        assert_eq!(literal(&FLOAT, &FLOAT, ValueRef::Float(0.1)).unwrap(), "1.0000000149011612e-1");
        assert_eq!(literal(&FLOAT, &rounded, ValueRef::Float(9999.999)).unwrap(), "9.999999e3");
        assert_eq!(literal(&FLOAT, &decimal, ValueRef::Float(0.1)).unwrap(), "1e-1");
    }

    #[test]
    fn values_become_text_as_the_source_shows_them() {
        let to = text(Charset::Utf8mb4);
        let moment = DateTime::new(Date::new(2021, 2, 3).unwrap(), 1, 2, 3, 0).unwrap();
        let members =
            DataType::Enum { members: vec!["a".into()], charset: Charset::Utf8mb4, collation: String::new() };
        for (from, value, expected) in [
            (&INT, ValueRef::Int(-7), "'-7'"),
            (&DataType::Year, ValueRef::Year(0), "'0000'"),
            (&FLOAT, ValueRef::Float(0.1), "'0.1'"),
            (&FLOAT, ValueRef::Float(1e30), "'1e30'"),
            (&DataType::DateTime { fsp: 0 }, ValueRef::DateTime(moment), "'2021-02-03 01:02:03'"),
            (&DataType::DateTime { fsp: 3 }, ValueRef::DateTime(moment), "'2021-02-03 01:02:03.000'"),
            (&members, ValueRef::Enum(1), "'a'"),
            (&members, ValueRef::Enum(0), "''"),
            (&INT, ValueRef::Null, "NULL"),
        ] {
            assert_eq!(literal(from, &to, value).unwrap(), expected);
        }
        assert_eq!(literal(&INT, &to, ValueRef::Unknown), Err(LiteralError::Unknown));
    }

    #[test]
    fn temporal_values_show_a_fraction_only_where_there_is_one() {
        let day = Date::new(2021, 2, 30).unwrap();
        for (value, expected) in [
            (ValueRef::Date(Date::ZERO), "'0000-00-00'"),
            (ValueRef::DateTime(DateTime::new(day, 1, 2, 3, 0).unwrap()), "'2021-02-30 01:02:03'"),
            (ValueRef::DateTime(DateTime::new(day, 1, 2, 3, 40).unwrap()), "'2021-02-30 01:02:03.000040'"),
            (ValueRef::Time(Time::from_micros(-1).unwrap()), "'-00:00:00.000001'"),
            (ValueRef::Time(Time::from_micros(-3_020_399_000_000).unwrap()), "'-838:59:59'"),
        ] {
            assert_eq!(literal(&INT, &INT, value).unwrap(), expected);
        }
    }

    #[test]
    fn text_goes_out_as_utf8_and_only_if_it_is_text() {
        let utf8 = text(Charset::Utf8mb4);
        assert_eq!(literal(&text(Charset::Latin1), &utf8, ValueRef::Text(b"caf\xe9'")).unwrap(), "'café\\''");
        assert_eq!(
            literal(&utf8, &utf8, ValueRef::Text(b"\xff")),
            Err(LiteralError::InvalidText(Charset::Utf8mb4))
        );
        let blob = DataType::Blob { size: TextSize::Regular };
        assert_eq!(literal(&utf8, &blob, ValueRef::Text(b"\xff")).unwrap(), "x'ff'");
        assert_eq!(
            literal(&blob, &blob, ValueRef::Bytes(&[b'a'; 17])).unwrap(),
            "_binary'aaaaaaaaaaaaaaaaa'"
        );
        assert_eq!(literal(&DataType::Uuid, &utf8, ValueRef::Bytes(&[0; 15])), Err(LiteralError::WrongWidth));
    }

    #[test]
    fn a_column_is_compared_with_its_own_bytes_and_numbers() {
        let own = |data_type: &DataType, introducers, value| {
            let mut out = Vec::new();
            Literal::own(data_type, introducers).push(&mut out, value).unwrap();
            String::from_utf8(out).unwrap()
        };
        let latin1 = text(Charset::Latin1);
        let kept =
            |charset, value: &[u8]| literal(&text(charset), &text(charset), ValueRef::Text(value)).unwrap();
        assert_eq!(kept(Charset::Latin1, b"it's"), "'it\\'s'");
        assert_eq!(kept(Charset::Latin1, b"caf\xe9"), "_latin1 x'636166e9'");
        assert_eq!(kept(Charset::Ascii, b"\x80"), "_ascii x'80'");
        assert_eq!(kept(Charset::Sjis, b"\\"), "_sjis x'5c'");
        assert_eq!(own(&latin1, true, ValueRef::Text(b"\xe9")), "_latin1 x'e9'");
        assert_eq!(own(&latin1, false, ValueRef::Text(b"\xe9")), "'é'");
        assert_eq!(own(&text(Charset::Utf8mb4), true, ValueRef::Text("é".as_bytes())), "'é'");
        let members = vec!["a".to_owned()];
        let one = DataType::Enum { members, charset: Charset::Utf8mb4, collation: String::new() };
        assert_eq!(own(&one, true, ValueRef::Enum(1)), "1");
        let rounded = DataType::Float { digits: Some((7, 1)), unsigned: false };
        assert_eq!(own(&rounded, true, ValueRef::Float(0.1)), "1.0000000149011612e-1");
        let mut out = Vec::new();
        Literal::compared(&rounded, &rounded).push(&mut out, ValueRef::Float(0.5)).unwrap();
        assert_eq!(out, b"5e-1");
    }

    #[test]
    fn members_go_out_by_name() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (charset, collation) = (Charset::Utf8mb4, String::new());
        let members = names(&["it's", "b", ""]);
        let one = DataType::Enum { members: members.clone(), charset, collation: collation.clone() };
        let many = DataType::Set { members, charset, collation };
        for (value, expected) in [(0, "0"), (1, "'it\\'s'"), (3, "''")] {
            assert_eq!(literal(&one, &one, ValueRef::Enum(value)).unwrap(), expected);
        }
        assert_eq!(literal(&one, &one, ValueRef::Enum(4)), Err(LiteralError::NoSuchMember(4)));
        for (value, expected) in [(0, "''"), (3, "'it\\'s,b'"), (2, "'b'")] {
            assert_eq!(literal(&many, &many, ValueRef::Set(value)).unwrap(), expected);
        }
        assert_eq!(literal(&many, &many, ValueRef::Set(8)), Err(LiteralError::NoSuchMember(4)));
    }

    #[test]
    fn members_are_compared_by_the_number_that_the_target_gives_them() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (charset, collation) = (Charset::Utf8mb4, String::new());
        let one = |members: &[&str]| DataType::Enum {
            members: names(members),
            charset,
            collation: collation.clone(),
        };
        let many = |members: &[&str]| DataType::Set {
            members: names(members),
            charset,
            collation: collation.clone(),
        };
        let compared = |source: &DataType, target: &DataType, value| {
            let mut out = Vec::new();
            Literal::compared(source, target).push(&mut out, value).map(|()| String::from_utf8(out).unwrap())
        };
        let (ab, xba) = (one(&["a", "b"]), one(&["x", "b", "a"]));
        assert_eq!(compared(&ab, &ab, ValueRef::Enum(2)).unwrap(), "2");
        assert_eq!(compared(&ab, &xba, ValueRef::Enum(1)).unwrap(), "3");
        assert_eq!(compared(&ab, &xba, ValueRef::Enum(0)).unwrap(), "0");
        assert_eq!(compared(&xba, &ab, ValueRef::Enum(1)), Err(LiteralError::NoSuchMember(1)));
        let (ab, xba) = (many(&["a", "b"]), many(&["x", "b", "a"]));
        assert_eq!(compared(&ab, &xba, ValueRef::Set(3)).unwrap(), "6");
        assert_eq!(compared(&ab, &ab, ValueRef::Set(3)).unwrap(), "3");
    }
}
