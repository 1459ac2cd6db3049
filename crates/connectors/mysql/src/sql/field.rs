//! Cells as fields of the file that `LOAD DATA` reads: a tab ends a field, a line feed a row, a backslash escapes,
//! `\N` is NULL, and the file's charset is `binary`, so that the server takes the bytes as they are.
//!
//! What it guarantees: where the server reports no warning, a column holds after it exactly what it would hold after an
//! INSERT of [`Literal`]s. That rests on the server's own code: of text it stores the bytes that it got, having looked
//! whether they are well-formed in the column's charset; and it makes numbers and moments from text by the same
//! functions that read a literal of its SQL.
//!
//! | column | field |
//! |---|---|
//! | integers, DECIMAL, FLOAT, DOUBLE | as the literal; FLOAT too is read as a double and then rounded |
//! | DATE, TIME, DATETIME, TIMESTAMP | as the literal, without quotes |
//! | YEAR | four digits: servers read `0` as 2000, `0000` as 0 |
//! | text | its bytes in the target column's charset |
//! | BINARY, VARBINARY, BLOB | its bytes |
//!
//! What it does not do: types that aren't in the table, values of one class for a column of another (but text for
//! bytes), and charsets whose characters have two or four bytes at least, of which servers complete half characters in
//! silence. There is no [`Field`] for these. A cell that has no exact form ([`NoField`]) is left to INSERT, which says
//! what is wrong with it. So is NULL for a column that can't be NULL: `LOAD DATA` puts the present time into a TIMESTAMP
//! then, or a number of its own into an AUTO_INCREMENT column, without a warning.

use whimbrel_model::{Charset, Column, DataType, ValueRef};

use super::literal::Literal;
use crate::wire::push_field;

/// The cell can't be written as a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has no exact form in a file")]
pub struct NoField;

/// How the cells of one column are written.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    form: Form<'a>,
    nullable: bool,
}

#[derive(Clone, Copy, Debug)]
enum Form<'a> {
    /// The literal is a bare word.
    Number(Literal<'a>),
    Moment,
    Year,
    Bytes,
    /// Text of the first charset, which the target stores in the second.
    Text(Charset, Charset),
}

impl<'a> Field<'a> {
    /// For cells of a column of type `source` that are stored in `target`; `None` where it isn't certain that they
    /// arrive as by INSERT.
    pub fn new(source: &'a DataType, target: &Column) -> Option<Self> {
        let form = match (source, &target.data_type) {
            (DataType::Int { .. } | DataType::Bool, DataType::Int { .. } | DataType::Bool)
            | (DataType::Decimal { .. }, DataType::Decimal { .. })
            | (DataType::Float { .. }, DataType::Float { .. })
            | (DataType::Double { .. }, DataType::Double { .. }) => {
                Form::Number(Literal::new(source, &target.data_type))
            }
            (DataType::Date, DataType::Date)
            | (DataType::Time { .. }, DataType::Time { .. })
            | (DataType::DateTime { .. }, DataType::DateTime { .. })
            | (DataType::Timestamp { .. }, DataType::Timestamp { .. }) => Form::Moment,
            (DataType::Year, DataType::Year) => Form::Year,
            (from, to) if is_bytes(to) && (is_bytes(from) || is_text(from)) => Form::Bytes,
            (from, to) if is_text(from) && is_text(to) && has_short_characters(to.charset()) => {
                let charsets = (from.charset(), to.charset());
                // Bytes that mean the same, or nothing, stay as they are; UTF-8 has none of these.
                let kept =
                    charsets.0 == charsets.1 && !matches!(charsets.0, Charset::Utf8mb3 | Charset::Utf8mb4);
                if kept { Form::Bytes } else { Form::Text(charsets.0, charsets.1) }
            }
            _ => return None,
        };
        Some(Self { form, nullable: target.nullable })
    }

    /// Appends the field of a cell, without what ends it.
    ///
    /// # Errors
    /// [`NoField`]; then part of a field may have been appended.
    pub fn push(&self, out: &mut Vec<u8>, value: ValueRef<'_>) -> Result<(), NoField> {
        match (self.form, value) {
            (_, ValueRef::Null) if self.nullable => out.extend_from_slice(b"\\N"),
            (_, ValueRef::Null | ValueRef::Unknown) => return Err(NoField),
            (Form::Number(literal), value) => return literal.push(out, value).map_err(|_| NoField),
            (Form::Moment, ValueRef::DateTime(value) | ValueRef::Timestamp(value)) => {
                value.write(out, if value.micro() == 0 { 0 } else { 6 });
            }
            (Form::Moment, ValueRef::Date(value)) => value.write(out),
            (Form::Moment, ValueRef::Time(value)) => {
                value.write(out, if value.micros() % 1_000_000 == 0 { 0 } else { 6 });
            }
            (Form::Year, ValueRef::Year(_)) => {
                if !value.write_shown(&DataType::Year, out) {
                    return Err(NoField);
                }
            }
            (Form::Bytes, ValueRef::Bytes(bytes) | ValueRef::Text(bytes)) => push_field(out, bytes),
            (Form::Text(from, to), ValueRef::Text(text)) => {
                let utf8 = from.to_utf8(text).map_err(|_| NoField)?;
                push_field(out, &to.encode_utf8(&utf8).ok_or(NoField)?);
            }
            _ => return Err(NoField),
        }
        Ok(())
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Char { .. } | DataType::VarChar { .. } | DataType::Text { .. })
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary { .. } | DataType::VarBinary { .. } | DataType::Blob { .. })
}

fn has_short_characters(charset: Charset) -> bool {
    !matches!(charset, Charset::Ucs2 | Charset::Utf16 | Charset::Utf16le | Charset::Utf32)
}

#[cfg(test)]
mod tests {
    use whimbrel_model::{Date, DateTime, TextSize, Time};

    use super::*;

    fn text(charset: Charset) -> DataType {
        DataType::Text { size: TextSize::Regular, charset, collation: String::new() }
    }

    fn field(source: &DataType, target: &DataType, value: ValueRef<'_>) -> Result<Vec<u8>, NoField> {
        let mut out = Vec::new();
        let column = Column::new("c", target.clone(), true);
        Field::new(source, &column).expect("the types have a field").push(&mut out, value)?;
        Ok(out)
    }

    #[test]
    fn values_of_every_class_have_their_form() {
        let moment = DateTime::new(Date::new(2021, 2, 30).unwrap(), 1, 2, 3, 0).unwrap();
        let fine = DateTime::new(Date::new(2021, 2, 3).unwrap(), 1, 2, 3, 40).unwrap();
        let int = DataType::Int { bytes: 8, unsigned: false, zerofill: None };
        let unsigned = DataType::Int { bytes: 8, unsigned: true, zerofill: Some(20) };
        let decimal = DataType::Decimal { precision: 10, scale: 2, unsigned: false };
        let float = DataType::Float { digits: None, unsigned: false };
        let double = DataType::Double { digits: None, unsigned: false };
        let blob = DataType::Blob { size: TextSize::Regular };
        for (data_type, value, expected) in [
            (&int, ValueRef::Int(i64::MIN), "-9223372036854775808"),
            (&unsigned, ValueRef::UInt(u64::MAX), "18446744073709551615"),
            (&DataType::Bool, ValueRef::Int(1), "1"),
            (&decimal, ValueRef::Decimal(b"-12.50"), "-12.50"),
            (&float, ValueRef::Float(0.1), "1.0000000149011612e-1"),
            (&double, ValueRef::Double(-0.0), "-0e0"),
            (&double, ValueRef::Double(5e-324), "5e-324"),
            (&DataType::Date, ValueRef::Date(Date::ZERO), "0000-00-00"),
            (&DataType::DateTime { fsp: 0 }, ValueRef::DateTime(moment), "2021-02-30 01:02:03"),
            (&DataType::Timestamp { fsp: 6 }, ValueRef::Timestamp(fine), "2021-02-03 01:02:03.000040"),
            (&DataType::Time { fsp: 6 }, ValueRef::Time(Time::from_micros(-1).unwrap()), "-00:00:00.000001"),
            (&DataType::Year, ValueRef::Year(0), "0000"),
            (&DataType::Year, ValueRef::Year(1901), "1901"),
            (&blob, ValueRef::Bytes(b"a\0\t\n\\"), "a\0\\t\\n\\\\"),
        ] {
            let found = field(data_type, data_type, value);
            assert_eq!(found.as_deref(), Ok(expected.as_bytes()), "{data_type:?}");
            assert_eq!(field(data_type, data_type, ValueRef::Null).as_deref(), Ok(&b"\\N"[..]));
            assert_eq!(field(data_type, data_type, ValueRef::Unknown), Err(NoField));
        }
        assert_eq!(field(&double, &double, ValueRef::Double(f64::NAN)), Err(NoField));
        assert_eq!(field(&float, &float, ValueRef::Float(f32::INFINITY)), Err(NoField));
    }

    #[test]
    fn nothing_is_taken_for_null_but_null() {
        let utf8 = text(Charset::Utf8mb4);
        for (value, expected) in [("", ""), ("N", "N"), ("NULL", "NULL"), ("\\N", "\\\\N"), ("\\", "\\\\")] {
            let found = field(&utf8, &utf8, ValueRef::Text(value.as_bytes()));
            assert_eq!(found.as_deref(), Ok(expected.as_bytes()));
        }
        assert_eq!(field(&utf8, &utf8, ValueRef::Null).as_deref(), Ok(&b"\\N"[..]));
        let never_null = Column::new("c", DataType::Timestamp { fsp: 0 }, false);
        let field = Field::new(&never_null.data_type, &never_null).expect("a field");
        assert_eq!(field.push(&mut Vec::new(), ValueRef::Null), Err(NoField));
    }

    #[test]
    fn text_goes_out_in_the_target_columns_charset() {
        let (utf8, latin1, sjis) = (text(Charset::Utf8mb4), text(Charset::Latin1), text(Charset::Sjis));
        let blob = DataType::Blob { size: TextSize::Regular };
        for (source, target, value, expected) in [
            (&latin1, &utf8, &b"caf\xe9"[..], Ok("café".as_bytes())),
            (&utf8, &latin1, "café".as_bytes(), Ok(&b"caf\xe9"[..])),
            (&utf8, &latin1, "你".as_bytes(), Err(NoField)),
            (&utf8, &utf8, b"\xff", Err(NoField)),
            (&latin1, &latin1, b"\xe9\t", Ok(b"\xe9\\t")),
            // Not text that anything else could show, and a backslash that is half a character.
            (&text(Charset::Ascii), &text(Charset::Ascii), b"\x80", Ok(b"\x80")),
            (&sjis, &sjis, b"\x83\x5c", Ok(b"\x83\\\\")),
            (&utf8, &sjis, "ソ".as_bytes(), Ok(b"\x83\\\\")),
            (&utf8, &blob, b"\xff\n", Ok(b"\xff\\n")),
        ] {
            assert_eq!(field(source, target, ValueRef::Text(value)).as_deref(), expected.as_deref());
        }
    }

    #[test]
    fn what_is_not_certain_has_no_field() {
        let utf8 = text(Charset::Utf8mb4);
        let int = DataType::Int { bytes: 4, unsigned: false, zerofill: None };
        let members = vec!["a".to_owned()];
        let one = DataType::Enum { members, charset: Charset::Utf8mb4, collation: String::new() };
        for (source, target) in [
            (&int, &utf8),
            (&int, &DataType::Double { digits: None, unsigned: false }),
            (&utf8, &text(Charset::Utf16)),
            (&text(Charset::Ucs2), &text(Charset::Ucs2)),
            (&one, &one),
            (&one, &utf8),
            (&DataType::Json, &DataType::Json),
            (&DataType::Bit { bits: 1 }, &DataType::Bit { bits: 1 }),
            (&DataType::Uuid, &DataType::Uuid),
            (&DataType::Vector { dimensions: 2 }, &DataType::Vector { dimensions: 2 }),
            (&DataType::DateTime { fsp: 0 }, &DataType::Date),
        ] {
            assert!(Field::new(source, &Column::new("c", target.clone(), true)).is_none(), "{source:?}");
        }
    }
}
