//! `information_schema.COLUMNS.COLUMN_TYPE` to a [`DataType`].
//!
//! The text is what the server prints, in its own narrow dialect: a name in lower case (OceanBase: `VECTOR(4)`),
//! numbers or quoted members in parentheses, `unsigned`, `zerofill`, and comments such as MariaDB's
//! `/*M!100301 COMPRESSED*/`. Anything else is refused: a type that is guessed would move wrong values.
//!
//! OceanBase prints members of ENUM and SET without escaping their quotes (`enum('b'c')`); they are split at
//! `','`, which is wrong only for a member that holds these three characters.

use whimbrel_model::{Charset, DataType, TextSize};

/// Why a column's type can't be carried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnTypeError {
    #[error("type {0:?} is not known")]
    Unknown(String),
    #[error("character set {0:?} cannot be converted")]
    Charset(String),
    #[error("YEAR(2) holds two digits only; convert it to YEAR at the source")]
    TwoDigitYear,
}

/// What goes with a column's type.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TypeContext<'a> {
    pub(super) charset: Option<&'a str>,
    pub(super) collation: Option<&'a str>,
    pub(super) srid: Option<u32>,
    /// OceanBase: members of ENUM and SET come unescaped.
    pub(super) raw_members: bool,
}

/// Reads a COLUMN_TYPE.
pub(super) fn parse(text: &str, context: TypeContext<'_>) -> Result<DataType, ColumnTypeError> {
    let unknown = || ColumnTypeError::Unknown(text.to_owned());
    let parts = Parts::split(text).ok_or_else(unknown)?;
    if matches!(parts.name.as_str(), "enum" | "set") {
        return members_type(&parts, context, text);
    }
    let numbers = parts.numbers().ok_or_else(unknown)?;
    if parts.zerofill || parts.unsigned {
        // Only numbers have signs; checked here so that the match below needn't.
        let numeric = ["tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double"];
        if !numeric.contains(&parts.name.as_str()) {
            return Err(unknown());
        }
    }
    let first = numbers.first().copied();
    match (numeric_type(&parts, &numbers), first) {
        (Some(found), _) => return found.ok_or_else(unknown),
        (None, Some(2)) if parts.name == "year" => return Err(ColumnTypeError::TwoDigitYear),
        (None, _) => {}
    }
    let fsp = || first.unwrap_or(0).try_into().ok().filter(|fsp: &u8| *fsp <= 6).ok_or_else(unknown);
    let length = || first.ok_or_else(unknown);
    Ok(match parts.name.as_str() {
        "date" => DataType::Date,
        "time" => DataType::Time { fsp: fsp()? },
        "datetime" => DataType::DateTime { fsp: fsp()? },
        "timestamp" => DataType::Timestamp { fsp: fsp()? },
        "year" => DataType::Year,
        "char" | "varchar" => {
            let (charset, collation) = text_charset(context)?;
            let chars = length()?;
            if parts.name == "char" {
                DataType::Char { chars, charset, collation }
            } else {
                DataType::VarChar { chars, charset, collation }
            }
        }
        "tinytext" | "text" | "mediumtext" | "longtext" => {
            let (charset, collation) = text_charset(context)?;
            DataType::Text { size: size(&parts.name), charset, collation }
        }
        "binary" => DataType::Binary { bytes: length()? },
        "varbinary" => DataType::VarBinary { bytes: length()? },
        "tinyblob" | "blob" | "mediumblob" | "longblob" => DataType::Blob { size: size(&parts.name) },
        "json" => DataType::Json,
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geomcollection" => {
            DataType::Geometry { kind: parts.name.clone(), srid: context.srid }
        }
        // MySQL before 8.0.11 and MariaDB spell it out; one name for one type.
        "geometrycollection" => DataType::Geometry { kind: "geomcollection".to_owned(), srid: context.srid },
        "vector" => DataType::Vector { dimensions: length()? },
        "uuid" => DataType::Uuid,
        "inet4" => DataType::Inet4,
        "inet6" => DataType::Inet6,
        _ => return Err(unknown()),
    })
}

/// `None` where the name is none of a number; the inner `None` where the numbers behind it don't fit.
fn numeric_type(parts: &Parts<'_>, numbers: &[u32]) -> Option<Option<DataType>> {
    let unsigned = parts.unsigned || parts.zerofill;
    let bytes = match parts.name.as_str() {
        "tinyint" => 1,
        "smallint" => 2,
        "mediumint" => 3,
        "int" => 4,
        "bigint" => 8,
        _ => 0,
    };
    let small = |n: u32| u8::try_from(n).ok();
    let digits = || match numbers {
        [] => Some(None),
        [precision, scale] => Some(Some((small(*precision)?, small(*scale)?))),
        _ => None,
    };
    Some(match parts.name.as_str() {
        "tinyint" if numbers == [1] && !unsigned => Some(DataType::Bool),
        _ if bytes > 0 => {
            let zerofill = if parts.zerofill { numbers.first().copied().and_then(small) } else { None };
            let fits = numbers.len() <= 1 && parts.zerofill == zerofill.is_some();
            fits.then_some(DataType::Int { bytes, unsigned, zerofill })
        }
        "decimal" => match numbers {
            [precision, scale] => small(*precision)
                .zip(small(*scale))
                .map(|(precision, scale)| DataType::Decimal { precision, scale, unsigned }),
            _ => None,
        },
        "float" => digits().map(|digits| DataType::Float { digits, unsigned }),
        "double" => digits().map(|digits| DataType::Double { digits, unsigned }),
        "bit" => match numbers {
            [bits] => small(*bits).filter(|bits| (1..=64).contains(bits)).map(|bits| DataType::Bit { bits }),
            _ => None,
        },
        _ => return None,
    })
}

fn size(name: &str) -> TextSize {
    match name.trim_end_matches("text").trim_end_matches("blob") {
        "tiny" => TextSize::Tiny,
        "medium" => TextSize::Medium,
        "long" => TextSize::Long,
        _ => TextSize::Regular,
    }
}

fn text_charset(context: TypeContext<'_>) -> Result<(Charset, String), ColumnTypeError> {
    let name = context.charset.unwrap_or_default();
    let charset = Charset::from_name(name).ok_or_else(|| ColumnTypeError::Charset(name.to_owned()))?;
    Ok((charset, context.collation.unwrap_or_default().to_owned()))
}

fn members_type(
    parts: &Parts<'_>,
    context: TypeContext<'_>,
    text: &str,
) -> Result<DataType, ColumnTypeError> {
    let (charset, collation) = text_charset(context)?;
    let raw = context.raw_members.then(|| raw_members(parts.arguments)).flatten();
    let members =
        members(parts.arguments).or(raw).ok_or_else(|| ColumnTypeError::Unknown(text.to_owned()))?;
    Ok(if parts.name == "enum" {
        DataType::Enum { members, charset, collation }
    } else {
        DataType::Set { members, charset, collation }
    })
}

/// The pieces of a type's text.
struct Parts<'a> {
    name: String,
    /// Between the parentheses; empty without any.
    arguments: &'a str,
    unsigned: bool,
    zerofill: bool,
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        // The arguments' end is the last parenthesis: members may hold any text, what follows never one.
        let (arguments, mut rest) = match rest.strip_prefix('(') {
            Some(inner) => {
                let end = inner.rfind(')')?;
                (inner.get(..end)?, inner.get(end + 1..)?)
            }
            None => ("", rest),
        };
        let mut parts = Self { name: name.to_ascii_lowercase(), arguments, unsigned: false, zerofill: false };
        loop {
            rest = rest.trim_start();
            if rest.is_empty() {
                return (!parts.name.is_empty()).then_some(parts);
            }
            if let Some(comment) = rest.strip_prefix("/*") {
                rest = comment.split_once("*/")?.1;
                continue;
            }
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            match word {
                "unsigned" => parts.unsigned = true,
                "zerofill" => parts.zerofill = true,
                _ => return None,
            }
            rest = after;
        }
    }

    fn numbers(&self) -> Option<Vec<u32>> {
        if self.arguments.is_empty() {
            return Some(Vec::new());
        }
        self.arguments.split(',').map(|number| number.trim().parse().ok()).collect()
    }
}

/// `'a','b''c','d\\e'`: quotes doubled, backslash escapes.
fn members(arguments: &str) -> Option<Vec<String>> {
    let mut members = Vec::new();
    let mut chars = arguments.chars().peekable();
    loop {
        (chars.next()? == '\'').then_some(())?;
        let mut member = String::new();
        loop {
            match chars.next()? {
                '\'' if chars.peek() == Some(&'\'') => {
                    chars.next();
                    member.push('\'');
                }
                '\'' => break,
                '\\' => member.push(unescape(chars.next()?)),
                c => member.push(c),
            }
        }
        members.push(member);
        match chars.next() {
            None => return Some(members),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

/// What a backslash and this character mean in a string.
pub(super) fn unescape(c: char) -> char {
    match c {
        '0' => '\0',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'Z' => '\u{1a}',
        other => other,
    }
}

fn raw_members(arguments: &str) -> Option<Vec<String>> {
    let inner = arguments.strip_prefix('\'')?.strip_suffix('\'')?;
    Some(inner.split("','").map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTF8: TypeContext<'_> = TypeContext {
        charset: Some("utf8mb4"),
        collation: Some("utf8mb4_bin"),
        srid: None,
        raw_members: false,
    };

    fn json(text: &str) -> String {
        serde_json::to_string(&parse(text, UTF8).unwrap_or_else(|error| panic!("{text}: {error}"))).unwrap()
    }

    #[test]
    fn numbers_keep_sign_width_and_digits() {
        for (text, expected) in [
            ("tinyint(1)", r#"{"type":"bool"}"#),
            ("tinyint(1) unsigned", r#"{"type":"int","bytes":1,"unsigned":true,"zerofill":null}"#),
            ("tinyint(4)", r#"{"type":"int","bytes":1,"unsigned":false,"zerofill":null}"#),
            ("bigint unsigned", r#"{"type":"int","bytes":8,"unsigned":true,"zerofill":null}"#),
            ("smallint(5) unsigned zerofill", r#"{"type":"int","bytes":2,"unsigned":true,"zerofill":5}"#),
            ("decimal(65,30)", r#"{"type":"decimal","precision":65,"scale":30,"unsigned":false}"#),
            ("float(7,3)", r#"{"type":"float","digits":[7,3],"unsigned":false}"#),
            ("double unsigned zerofill", r#"{"type":"double","digits":null,"unsigned":true}"#),
            ("bit(64)", r#"{"type":"bit","bits":64}"#),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
    }

    #[test]
    fn everything_else_keeps_its_length() {
        for (text, expected) in [
            ("datetime(6)", r#"{"type":"date_time","fsp":6}"#),
            ("timestamp", r#"{"type":"timestamp","fsp":0}"#),
            ("year(4)", r#"{"type":"year"}"#),
            ("char(0)", r#"{"type":"char","chars":0,"charset":"utf8mb4","collation":"utf8mb4_bin"}"#),
            (
                "longtext /*M!100301 COMPRESSED*/",
                r#"{"type":"text","size":"long","charset":"utf8mb4","collation":"utf8mb4_bin"}"#,
            ),
            ("tinyblob", r#"{"type":"blob","size":"tiny"}"#),
            ("geometrycollection", r#"{"type":"geometry","kind":"geomcollection","srid":null}"#),
            ("VECTOR(4)", r#"{"type":"vector","dimensions":4}"#),
            ("inet6", r#"{"type":"inet6"}"#),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
    }

    #[test]
    fn members_may_hold_quotes_commas_and_newlines() {
        let DataType::Enum { members, .. } =
            parse(r"enum('a','b''c','d,e','','b\\s','n\nl',')')", UTF8).unwrap()
        else {
            panic!("no enum");
        };
        assert_eq!(members, ["a", "b'c", "d,e", "", "b\\s", "n\nl", ")"]);
        let raw = TypeContext { raw_members: true, ..UTF8 };
        let DataType::Set { members, .. } = parse("set('a','b'c','x\ny')", raw).unwrap() else {
            panic!("no set");
        };
        assert_eq!(members, ["a", "b'c", "x\ny"]);
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_text() {
        for text in
            ["xmltype", "int(10) signed", "char", "varchar(a)", "text unsigned", "", "enum('a'", "bit(65)"]
        {
            assert_eq!(parse(text, UTF8), Err(ColumnTypeError::Unknown(text.to_owned())), "{text}");
        }
        assert_eq!(parse("year(2)", UTF8), Err(ColumnTypeError::TwoDigitYear));
        let unknown = TypeContext { charset: Some("klingon"), ..UTF8 };
        assert_eq!(parse("char(3)", unknown), Err(ColumnTypeError::Charset("klingon".into())));
    }
}
