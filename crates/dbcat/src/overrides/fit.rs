//! What becomes of the values of a column when it gets another type.
//!
//! [`Fit::Whole`]: every value that the source's type can hold is held by the other one such that it reads back as the
//! same value. That is decided by the types alone, so it holds for all values to come.

use whimbrel_model::{Charset, Column, ColumnDefault, DataType, TextSize};

use crate::render;

/// How well a type takes the values of another one. The texts say why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Every value fits and reads back.
    Whole,
    /// Some values or attributes can be lost.
    Loses(String),
    /// The values can't be written as values of this type.
    Never(String),
}

impl Fit {
    fn unless(fits: bool, why: impl FnOnce() -> String) -> Self {
        if fits { Self::Whole } else { Self::Loses(why()) }
    }
}

/// What becomes of a column's values and attributes in another type. `unique`: the column is part of a primary or
/// unique key.
pub fn fit(column: &Column, to: &DataType, unique: bool) -> Fit {
    let from = &column.data_type;
    let values = if from == to { Fit::Whole } else { values(from, to) };
    if values != Fit::Whole {
        return values;
    }
    if column.auto_increment && !counts(to) {
        return Fit::Loses("AUTO_INCREMENT is dropped".to_owned());
    }
    if column.on_update.is_some() && !holds_now(to) {
        return Fit::Loses("ON UPDATE CURRENT_TIMESTAMP is dropped".to_owned());
    }
    let now = matches!(&column.default, Some(ColumnDefault::Expression(text)) if render::is_now(text));
    if now && !holds_now(to) {
        return Fit::Loses("DEFAULT CURRENT_TIMESTAMP is dropped".to_owned());
    }
    match (from.collation(), to.collation()) {
        (Some(from), Some(to)) if unique && from != to && !to.ends_with("_bin") => Fit::Loses(format!(
            "it is part of a key, and keys that {from} tells apart may be equal under {to}"
        )),
        _ => Fit::Whole,
    }
}

/// Types that can be AUTO_INCREMENT.
pub(super) fn counts(to: &DataType) -> bool {
    matches!(to, DataType::Int { .. } | DataType::Bool)
}

/// Types whose default and ON UPDATE can be the current time.
pub(super) fn holds_now(to: &DataType) -> bool {
    matches!(to, DataType::DateTime { .. } | DataType::Timestamp { .. })
}

pub(super) fn now(fsp: u8) -> String {
    if fsp == 0 { "CURRENT_TIMESTAMP".to_owned() } else { format!("CURRENT_TIMESTAMP({fsp})") }
}

/// The number of a bit literal or of digits.
pub(super) fn bits(text: &str) -> Option<u64> {
    let digits =
        text.strip_prefix("b'").or_else(|| text.strip_prefix("B'")).and_then(|t| t.strip_suffix('\''));
    match digits {
        Some(digits) => u64::from_str_radix(digits, 2).ok(),
        None => text.parse().ok(),
    }
}

fn values(from: &DataType, to: &DataType) -> Fit {
    use DataType as D;
    if let Some(room) = Room::of(to) {
        return text(from, to, room);
    }
    match (from, to) {
        (_, D::Binary { .. } | D::VarBinary { .. } | D::Blob { .. }) => bytes(from, to),
        (D::Char { .. } | D::VarChar { .. } | D::Text { .. }, _) => out_of_text(to),
        (D::Enum { members: a, .. }, D::Enum { members: b, .. })
        | (D::Set { members: a, .. }, D::Set { members: b, .. }) => {
            let missing = a.iter().find(|member| !b.contains(member));
            Fit::unless(missing.is_none(), || format!("member {:?} is missing", missing.map_or("", |m| m)))
        }
        (D::Date | D::DateTime { .. } | D::Timestamp { .. } | D::Time { .. }, _) => temporal(from, to),
        (D::Geometry { .. }, D::Geometry { kind, .. }) if kind == "geometry" => Fit::Whole,
        _ => numbers(from, to),
    }
}

fn never() -> Fit {
    Fit::Never("values of the one can't be written as values of the other".to_owned())
}

/// A type of whole numbers as its least and largest value.
fn whole_numbers(data_type: &DataType) -> Option<(i128, i128)> {
    Some(match data_type {
        DataType::Bool => (-128, 127),
        DataType::Int { bytes, unsigned: true, .. } => (0, (1 << (8 * u32::from(*bytes))) - 1),
        DataType::Int { bytes, .. } => {
            let half = 1i128 << (8 * u32::from(*bytes) - 1);
            (-half, half - 1)
        }
        DataType::Bit { bits } => (0, (1 << u32::from(*bits)) - 1),
        DataType::Year => (0, 2155),
        DataType::Decimal { precision, scale: 0, unsigned } if *precision <= 38 => {
            let most = 10i128.pow(u32::from(*precision)) - 1;
            (if *unsigned { 0 } else { -most }, most)
        }
        _ => return None,
    })
}

fn numbers(from: &DataType, to: &DataType) -> Fit {
    use DataType as D;
    let range = whole_numbers(from);
    match (range, to) {
        // A BIT shows as bytes, and a YEAR takes 1 to 99 for 1901 to 2099.
        (_, D::Bit { .. }) if !matches!(from, D::Bit { .. }) => never(),
        (_, D::Year) if range.is_some() => {
            Fit::Loses("numbers other than 0 and 1901 to 2155 don't fit".to_owned())
        }
        (Some((least, most)), _) if whole_numbers(to).is_some() => {
            let (low, high) = whole_numbers(to).unwrap_or_default();
            Fit::unless(low <= least && most <= high, || format!("only {low} to {high} fit"))
        }
        (Some((least, most)), D::Decimal { precision, scale, unsigned }) => {
            let digits = most.to_string().len();
            let room = usize::from(precision.saturating_sub(*scale));
            Fit::unless(digits <= room && !(*unsigned && least < 0), || format!("only {room} digits fit"))
        }
        (Some((least, most)), D::Double { digits: None, unsigned }) => {
            Fit::unless(most <= 1 << 53 && !(*unsigned && least < 0), || {
                "numbers beyond 2^53 are rounded".to_owned()
            })
        }
        (Some((least, most)), D::Float { digits: None, unsigned }) => {
            Fit::unless(most <= 1 << 24 && !(*unsigned && least < 0), || {
                "numbers beyond 2^24 are rounded".to_owned()
            })
        }
        (_, D::Decimal { precision, scale, unsigned }) => match from {
            D::Decimal { precision: p, scale: s, unsigned: u } => {
                let (whole, had) = (precision.saturating_sub(*scale), p.saturating_sub(*s));
                Fit::unless(whole >= had && scale >= s && (!unsigned || *u), || {
                    format!("only {whole} digits before and {scale} after the point fit")
                })
            }
            D::Float { .. } | D::Double { .. } | D::Bit { .. } => {
                Fit::Loses("numbers are rounded".to_owned())
            }
            _ => never(),
        },
        (_, D::Double { digits: None, unsigned }) => match from {
            D::Float { unsigned: u, .. } | D::Double { unsigned: u, .. } => {
                Fit::unless(!unsigned || *u, || "negative numbers don't fit".to_owned())
            }
            D::Decimal { .. } | D::Int { .. } => Fit::Loses("numbers are rounded".to_owned()),
            _ => never(),
        },
        (_, D::Float { digits: None, .. }) if matches!(from, D::Float { .. }) => Fit::Whole,
        (_, D::Float { .. } | D::Double { .. } | D::Int { .. } | D::Bool) if is_number(from) => {
            Fit::Loses("numbers are rounded".to_owned())
        }
        _ => never(),
    }
}

fn is_number(data_type: &DataType) -> bool {
    use DataType as D;
    whole_numbers(data_type).is_some()
        || matches!(data_type, D::Decimal { .. } | D::Float { .. } | D::Double { .. })
}

fn temporal(from: &DataType, to: &DataType) -> Fit {
    use DataType as D;
    let digits = |from: u8, to: u8| {
        Fit::unless(to >= from, || format!("fractions of a second beyond {to} digits are rounded"))
    };
    match (from, to) {
        (D::Time { fsp: a }, D::Time { fsp: b })
        | (D::DateTime { fsp: a }, D::DateTime { fsp: b })
        | (D::Timestamp { fsp: a }, D::Timestamp { fsp: b }) => digits(*a, *b),
        (D::Date, D::DateTime { .. }) => Fit::Whole,
        (D::Timestamp { .. }, D::DateTime { .. }) => {
            Fit::Loses("a DATETIME follows no time zone: it will hold the moment in UTC".to_owned())
        }
        (D::Date | D::DateTime { .. }, D::Timestamp { .. }) => {
            Fit::Loses("only moments from 1970 to 2038 fit, and they are taken for UTC".to_owned())
        }
        (D::DateTime { .. } | D::Timestamp { .. }, D::Date) => {
            Fit::Loses("the time of day is dropped".to_owned())
        }
        _ => never(),
    }
}

fn out_of_text(to: &DataType) -> Fit {
    use DataType as D;
    match to {
        D::Enum { .. } | D::Set { .. } => Fit::Loses("text that is no member doesn't fit".to_owned()),
        D::Json => Fit::Loses("text that is no JSON doesn't fit, and documents are written anew".to_owned()),
        D::Uuid | D::Inet4 | D::Inet6 => Fit::Loses("text that is no such value doesn't fit".to_owned()),
        D::Geometry { .. } | D::Vector { .. } | D::Bit { .. } => never(),
        _ => Fit::Loses("text that is no such value doesn't fit, and values are written anew".to_owned()),
    }
}

/// Into BINARY, VARBINARY and BLOB.
fn bytes(from: &DataType, to: &DataType) -> Fit {
    use DataType as D;
    let room = match to {
        D::Binary { bytes } | D::VarBinary { bytes } => u64::from(*bytes),
        D::Blob { size } => bytes_of(*size),
        _ => 0,
    };
    let padded = matches!(to, D::Binary { .. });
    let need = match from {
        D::Binary { bytes } | D::VarBinary { bytes } => u64::from(*bytes),
        D::Blob { size } => bytes_of(*size),
        D::Vector { dimensions } => u64::from(*dimensions) * 4,
        D::Geometry { .. } => bytes_of(TextSize::Long),
        D::Char { .. } | D::VarChar { .. } | D::Text { .. } => {
            return Fit::Loses(
                "charset and collation are dropped: the bytes are kept, without a meaning".to_owned(),
            );
        }
        _ => return never(),
    };
    if matches!(from, D::Vector { .. } | D::Geometry { .. }) && need <= room && !padded {
        return Fit::Loses("the bytes are kept, without the functions of the type".to_owned());
    }
    let same_length = matches!((from, to), (D::Binary { bytes: a }, D::Binary { bytes: b }) if a == b);
    Fit::unless(need <= room && (!padded || same_length), || {
        if padded { "values are padded with zeros".to_owned() } else { format!("only {room} bytes fit") }
    })
}

fn bytes_of(size: TextSize) -> u64 {
    match size {
        TextSize::Tiny => 0xff,
        TextSize::Regular => 0xffff,
        TextSize::Medium => 0xff_ffff,
        TextSize::Long => 0xffff_ffff,
    }
}

/// How much text a type holds.
#[derive(Clone, Copy)]
enum Room {
    Chars(u64),
    Bytes(u64),
}

impl Room {
    fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Char { chars, .. } | DataType::VarChar { chars, .. } => Self::Chars((*chars).into()),
            DataType::Text { size, .. } => Self::Bytes(bytes_of(*size)),
            _ => return None,
        })
    }

    /// True where `chars` characters of the charset always fit.
    fn holds(self, chars: u64, charset: Charset) -> bool {
        match self {
            Self::Chars(room) => chars <= room,
            Self::Bytes(room) => chars.saturating_mul(most_bytes(charset)) <= room,
        }
    }
}

/// Bytes of the longest character.
pub(crate) fn most_bytes(charset: Charset) -> u64 {
    match charset {
        Charset::Utf8mb4 | Charset::Utf16 | Charset::Utf16le | Charset::Utf32 | Charset::Gb18030 => 4,
        Charset::Utf8mb3 | Charset::Ujis | Charset::Eucjpms => 3,
        Charset::Ucs2
        | Charset::Gbk
        | Charset::Gb2312
        | Charset::Big5
        | Charset::Sjis
        | Charset::Cp932
        | Charset::Euckr => 2,
        _ => 1,
    }
}

/// True where every character of `from` is in `to`.
fn holds_charset(to: Charset, from: Charset) -> bool {
    let all_of_unicode = matches!(
        to,
        Charset::Utf8mb4 | Charset::Utf16 | Charset::Utf16le | Charset::Utf32 | Charset::Gb18030
    );
    to == from || all_of_unicode || from == Charset::Ascii
}

/// Into CHAR, VARCHAR and TEXT.
fn text(from: &DataType, to: &DataType, room: Room) -> Fit {
    use DataType as D;
    let charset = to.charset();
    let own = from.charset();
    if from.collation().is_some() && !holds_charset(charset, own) {
        return Fit::Loses(format!("characters of {own} that {charset} lacks don't fit"));
    }
    let chars = match from {
        D::Char { chars, .. } | D::VarChar { chars, .. } => u64::from(*chars),
        // As many characters as bytes, where all are of one byte; then the other charset needs no more bytes either,
        // unless its own bytes for them are more.
        D::Text { size, .. } => {
            let bytes = bytes_of(*size);
            let fits = match room {
                Room::Bytes(room) if charset == own || (own.is_utf8() && charset.is_utf8()) => bytes <= room,
                room => room.holds(bytes, charset),
            };
            return Fit::unless(fits, || "longer text doesn't fit".to_owned());
        }
        D::Enum { members, .. } => {
            members.iter().map(|member| member.chars().count() as u64).max().unwrap_or(0)
        }
        D::Set { members, .. } => {
            members.iter().map(|member| member.chars().count() as u64 + 1).sum::<u64>().saturating_sub(1)
        }
        D::Date => 10,
        D::Time { fsp } => 10 + fraction(*fsp),
        D::DateTime { fsp } | D::Timestamp { fsp } => 19 + fraction(*fsp),
        D::Year => 4,
        D::Float { .. } | D::Double { .. } => 24,
        D::Decimal { precision, .. } => u64::from(*precision) + 3,
        D::Uuid => 36,
        D::Inet4 => 15,
        D::Inet6 => 45,
        D::Json => {
            return Fit::unless(room.holds(bytes_of(TextSize::Long) / 4, charset), || {
                "longer documents don't fit".to_owned()
            });
        }
        D::Binary { .. } | D::VarBinary { .. } | D::Blob { .. } => {
            return Fit::Loses("bytes that are no text don't fit".to_owned());
        }
        D::Geometry { .. } | D::Vector { .. } => return never(),
        D::Int { .. } | D::Bool | D::Bit { .. } => {
            let (least, most) = whole_numbers(from).unwrap_or_default();
            least.to_string().len().max(most.to_string().len()) as u64
        }
    };
    if matches!((from, to), (D::VarChar { .. }, D::Char { .. })) {
        return Fit::Loses("spaces at the end are dropped".to_owned());
    }
    Fit::unless(room.holds(chars, charset), || format!("values of up to {chars} characters don't fit"))
}

fn fraction(fsp: u8) -> u64 {
    if fsp == 0 { 0 } else { u64::from(fsp) + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIGINT: DataType = DataType::Int { bytes: 8, unsigned: false, zerofill: None };
    const INT: DataType = DataType::Int { bytes: 4, unsigned: false, zerofill: None };
    const UINT: DataType = DataType::Int { bytes: 4, unsigned: true, zerofill: None };

    fn varchar(chars: u32, charset: Charset) -> DataType {
        DataType::VarChar { chars, charset, collation: format!("{charset}_bin") }
    }

    fn longtext() -> DataType {
        DataType::Text { size: TextSize::Long, charset: Charset::Utf8mb4, collation: "utf8mb4_bin".into() }
    }

    fn fits(from: &DataType, to: &DataType) -> Fit {
        fit(&Column::new("c", from.clone(), true), to, false)
    }

    fn decimal(precision: u8, scale: u8) -> DataType {
        DataType::Decimal { precision, scale, unsigned: false }
    }

    #[test]
    fn types_that_hold_every_value_are_whole() {
        let members = |names: &[&str]| DataType::Enum {
            members: names.iter().map(|name| (*name).to_owned()).collect(),
            charset: Charset::Utf8mb4,
            collation: "utf8mb4_bin".into(),
        };
        for (from, to) in [
            (INT, BIGINT),
            (UINT, BIGINT),
            (INT, varchar(11, Charset::Utf8mb4)),
            (INT, decimal(12, 2)),
            (INT, DataType::Double { digits: None, unsigned: false }),
            (DataType::Bool, INT),
            (DataType::Bit { bits: 4 }, UINT),
            (DataType::Year, varchar(4, Charset::Latin1)),
            (decimal(8, 2), decimal(12, 4)),
            (decimal(9, 0), INT),
            (
                DataType::Float { digits: None, unsigned: false },
                DataType::Double { digits: None, unsigned: false },
            ),
            (DataType::Date, DataType::DateTime { fsp: 0 }),
            (DataType::DateTime { fsp: 3 }, varchar(23, Charset::Utf8mb4)),
            (DataType::Time { fsp: 2 }, DataType::Time { fsp: 6 }),
            (varchar(20, Charset::Latin1), varchar(20, Charset::Utf8mb4)),
            (varchar(20, Charset::Utf8mb4), longtext()),
            (DataType::Json, longtext()),
            (members(&["a", "b"]), members(&["b", "x", "a"])),
            (members(&["abc", "b"]), varchar(3, Charset::Utf8mb4)),
            (DataType::Uuid, varchar(36, Charset::Utf8mb4)),
            (DataType::VarBinary { bytes: 9 }, DataType::Blob { size: TextSize::Tiny }),
            (
                DataType::Geometry { kind: "point".into(), srid: None },
                DataType::Geometry { kind: "geometry".into(), srid: None },
            ),
        ] {
            assert_eq!(fits(&from, &to), Fit::Whole, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn types_that_hold_less_lose_and_say_why() {
        for (from, to, part) in [
            (BIGINT, INT, "-2147483648"),
            (INT, UINT, "only 0 to"),
            (BIGINT, DataType::Double { digits: None, unsigned: false }, "2^53"),
            (INT, varchar(10, Charset::Utf8mb4), "11 characters"),
            (INT, decimal(10, 2), "8 digits"),
            (DataType::Timestamp { fsp: 0 }, DataType::DateTime { fsp: 0 }, "time zone"),
            (DataType::DateTime { fsp: 6 }, DataType::DateTime { fsp: 3 }, "beyond 3 digits"),
            (DataType::DateTime { fsp: 0 }, DataType::Date, "time of day"),
            (varchar(20, Charset::Utf8mb4), varchar(20, Charset::Latin1), "latin1 lacks"),
            (varchar(20, Charset::Latin1), varchar(19, Charset::Latin1), "20 characters"),
            (varchar(9, Charset::Latin1), DataType::VarBinary { bytes: 9 }, "charset"),
            (longtext(), DataType::Json, "no JSON"),
            (DataType::Binary { bytes: 4 }, DataType::Binary { bytes: 5 }, "padded"),
        ] {
            let Fit::Loses(why) = fits(&from, &to) else { panic!("{from:?} to {to:?} loses nothing") };
            assert!(why.contains(part), "{from:?} to {to:?}: {why}");
        }
        for (from, to) in [
            (DataType::Geometry { kind: "point".into(), srid: None }, INT),
            (DataType::Date, DataType::Time { fsp: 0 }),
            (INT, DataType::Bit { bits: 64 }),
            (DataType::Json, INT),
        ] {
            assert!(matches!(fits(&from, &to), Fit::Never(_)), "{from:?} to {to:?}");
        }
    }

    #[test]
    fn dropped_attributes_and_coarser_keys_are_losses() {
        let mut counted = Column::new("c", INT, false);
        counted.auto_increment = true;
        assert_eq!(fit(&counted, &BIGINT, true), Fit::Whole);
        assert!(
            matches!(fit(&counted, &varchar(20, Charset::Utf8mb4), true), Fit::Loses(why) if why.contains("AUTO_INCREMENT"))
        );
        let mut touched = Column::new("c", DataType::DateTime { fsp: 0 }, false);
        touched.on_update = Some("CURRENT_TIMESTAMP".into());
        assert!(
            matches!(fit(&touched, &varchar(30, Charset::Utf8mb4), false), Fit::Loses(why) if why.contains("ON UPDATE"))
        );
        let key = Column::new("c", varchar(20, Charset::Utf8mb4), false);
        let coarse = DataType::VarChar {
            chars: 20,
            charset: Charset::Utf8mb4,
            collation: "utf8mb4_general_ci".into(),
        };
        assert_eq!(fit(&key, &coarse, false), Fit::Whole);
        assert!(matches!(fit(&key, &coarse, true), Fit::Loses(why) if why.contains("equal")));
    }
}
