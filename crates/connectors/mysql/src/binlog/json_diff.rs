//! Partial updates of JSON columns (PARTIAL_UPDATE_ROWS, MySQL 8.0.3): changes of the value before the update.
//!
//! ```text
//! { 1 operation: 0 replace, 1 insert, 2 remove   v length, path   replace and insert: v length, binary value }
//! ```
//! `v` is a length-encoded integer. A path is a run of `[n]`, `.name` and `."name"`, without the `$` before
//! it. Source: `sql/json_diff.h`.

use super::bytes::Bytes;
use super::error::CellError;
use super::jsonb::{Json, JsonError, write_scalar, write_string};

const DEPTH_MAX: usize = 128;

/// A value that can be changed. Scalars are kept as their text.
#[derive(Debug, PartialEq)]
enum Tree {
    Scalar(Vec<u8>),
    Array(Vec<Tree>),
    /// In MySQL's order: by length of the key, then by its bytes.
    Object(Vec<(Vec<u8>, Tree)>),
}

enum Leg {
    Cell(usize),
    Member(Vec<u8>),
}

/// Appends the text of `before` after the changes.
pub(crate) fn write_changed(before: &[u8], diffs: &[u8], out: &mut Vec<u8>) -> Result<(), CellError> {
    let mut tree = Tree::build(Json::parse(before)?, 0)?;
    let mut diffs = Bytes::new(diffs);
    while !diffs.is_empty() {
        let operation = diffs.u8("JSON change")?;
        let path = parse_path(diffs.lenenc_bytes("JSON path")?)?;
        match operation {
            0 | 1 => {
                let value = Tree::build(Json::parse(diffs.lenenc_bytes("JSON value")?)?, 0)?;
                if operation == 0 { tree.replace(&path, value)? } else { tree.insert(&path, value)? }
            }
            2 => tree.remove(&path)?,
            _ => return Err(JsonError::Damaged("unknown operation of a change").into()),
        }
    }
    tree.write(out, 0)
}

impl Tree {
    fn build(value: Json<'_>, depth: usize) -> Result<Self, CellError> {
        if depth > DEPTH_MAX {
            return Err(JsonError::TooDeep.into());
        }
        Ok(match value {
            Json::Array(array) => {
                let values = (0..array.len()).map(|index| Self::build(array.value(index)?, depth + 1));
                Self::Array(values.collect::<Result<_, CellError>>()?)
            }
            Json::Object(object) => {
                let members = (0..object.len()).map(|index| {
                    Ok((object.key(index)?.to_vec(), Self::build(object.value(index)?, depth + 1)?))
                });
                Self::Object(members.collect::<Result<_, CellError>>()?)
            }
            scalar => {
                let mut text = Vec::new();
                write_scalar(scalar, &mut text)?;
                Self::Scalar(text)
            }
        })
    }

    fn write(&self, out: &mut Vec<u8>, depth: usize) -> Result<(), CellError> {
        if depth > DEPTH_MAX {
            return Err(JsonError::TooDeep.into());
        }
        let separate = |index: usize, out: &mut Vec<u8>| {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
        };
        match self {
            Self::Scalar(text) => out.extend_from_slice(text),
            Self::Array(values) => {
                out.push(b'[');
                for (index, value) in values.iter().enumerate() {
                    separate(index, out);
                    value.write(out, depth + 1)?;
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (index, (key, value)) in members.iter().enumerate() {
                    separate(index, out);
                    write_string(key, out)?;
                    out.extend_from_slice(b": ");
                    value.write(out, depth + 1)?;
                }
                out.push(b'}');
            }
        }
        Ok(())
    }

    /// What a path leads to. As in MySQL, cell 0 of something that is no array is the thing itself.
    fn at(&mut self, path: &[Leg]) -> Result<&mut Self, JsonError> {
        let Some((leg, rest)) = path.split_first() else { return Ok(self) };
        let next = match (self, leg) {
            (Self::Array(values), Leg::Cell(index)) => values.get_mut(*index),
            (Self::Object(members), Leg::Member(key)) => {
                members.iter_mut().find(|(known, _)| known == key).map(|(_, value)| value)
            }
            (other, Leg::Cell(0)) => Some(other),
            _ => None,
        };
        next.ok_or(JsonError::DiffDoesNotFit)?.at(rest)
    }

    fn replace(&mut self, path: &[Leg], value: Self) -> Result<(), JsonError> {
        *self.at(path)? = value;
        Ok(())
    }

    fn insert(&mut self, path: &[Leg], value: Self) -> Result<(), JsonError> {
        let (last, parent) = path.split_last().ok_or(JsonError::DiffDoesNotFit)?;
        match (self.at(parent)?, last) {
            (Self::Array(values), Leg::Cell(index)) => {
                values.insert((*index).min(values.len()), value);
                Ok(())
            }
            (Self::Object(members), Leg::Member(key)) => {
                let place = members.binary_search_by(|(known, _)| {
                    known.len().cmp(&key.len()).then_with(|| known.as_slice().cmp(key))
                });
                match place {
                    Ok(_) => Err(JsonError::DiffDoesNotFit),
                    Err(place) => {
                        members.insert(place, (key.clone(), value));
                        Ok(())
                    }
                }
            }
            _ => Err(JsonError::DiffDoesNotFit),
        }
    }

    fn remove(&mut self, path: &[Leg]) -> Result<(), JsonError> {
        let (last, parent) = path.split_last().ok_or(JsonError::DiffDoesNotFit)?;
        match (self.at(parent)?, last) {
            (Self::Array(values), Leg::Cell(index)) if *index < values.len() => {
                values.remove(*index);
                Ok(())
            }
            (Self::Object(members), Leg::Member(key)) => {
                let place = members.iter().position(|(known, _)| known == key);
                members.remove(place.ok_or(JsonError::DiffDoesNotFit)?);
                Ok(())
            }
            _ => Err(JsonError::DiffDoesNotFit),
        }
    }
}

fn parse_path(text: &[u8]) -> Result<Vec<Leg>, JsonError> {
    const DAMAGED: JsonError = JsonError::Damaged("path of a change");
    let mut rest = text.strip_prefix(b"$").unwrap_or(text);
    let mut legs = Vec::new();
    while let Some((first, after)) = rest.split_first() {
        match first {
            b'[' => {
                let end = after.iter().position(|byte| *byte == b']').ok_or(DAMAGED)?;
                let (digits, tail) = after.split_at(end);
                let index = std::str::from_utf8(digits).ok().and_then(|digits| digits.trim().parse().ok());
                legs.push(Leg::Cell(index.ok_or(DAMAGED)?));
                rest = tail.get(1..).unwrap_or_default();
            }
            b'.' => {
                let (key, tail) = parse_member(after).ok_or(DAMAGED)?;
                legs.push(Leg::Member(key));
                rest = tail;
            }
            b' ' => rest = after,
            _ => return Err(DAMAGED),
        }
    }
    Ok(legs)
}

/// A name up to the next leg, or a JSON string.
fn parse_member(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|byte| matches!(byte, b'.' | b'[' | b' ')).unwrap_or(text.len());
        let (name, tail) = text.split_at(end);
        return Some((name.to_vec(), tail));
    };
    let mut key = Vec::new();
    let mut rest = quoted;
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'"' => return Some((key, rest)),
            b'\\' => rest = parse_escape(rest, &mut key)?,
            other => key.push(*other),
        }
    }
}

fn parse_escape<'a>(text: &'a [u8], key: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (escape, mut rest) = text.split_first()?;
    match escape {
        b'b' => key.push(0x08),
        b'f' => key.push(0x0c),
        b'n' => key.push(b'\n'),
        b'r' => key.push(b'\r'),
        b't' => key.push(b'\t'),
        b'u' => {
            // MySQL escapes control characters only, so there are no surrogates.
            let (digits, tail) = rest.split_at_checked(4)?;
            let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
            let mut buffer = [0; 4];
            key.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut buffer).as_bytes());
            rest = tail;
        }
        other => key.push(*other),
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// {"a": 1, "bc": [true, "x"]}
    const BEFORE: [u8; 35] = [
        0, 2, 0, 34, 0, 18, 0, 1, 0, 19, 0, 2, 0, 5, 1, 0, 2, 21, 0, b'a', b'b', b'c', 2, 0, 13, 0, 4, 1, 0,
        12, 10, 0, 1, b'x', 0,
    ];

    fn changed(diffs: &[(u8, &str, &[u8])]) -> Result<String, CellError> {
        let mut bytes = Vec::new();
        for (operation, path, value) in diffs {
            bytes.extend_from_slice(&[*operation, path.len() as u8]);
            bytes.extend_from_slice(path.as_bytes());
            if *operation != 2 {
                bytes.push(value.len() as u8);
                bytes.extend_from_slice(value);
            }
        }
        let mut out = Vec::new();
        write_changed(&BEFORE, &bytes, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    const SEVEN: &[u8] = &[5, 7, 0];

    #[test]
    fn changes_apply_in_order() {
        assert_eq!(changed(&[]).unwrap(), r#"{"a": 1, "bc": [true, "x"]}"#);
        assert_eq!(changed(&[(0, ".bc[1]", SEVEN)]).unwrap(), r#"{"a": 1, "bc": [true, 7]}"#);
        assert_eq!(changed(&[(1, ".bc[1]", SEVEN)]).unwrap(), r#"{"a": 1, "bc": [true, 7, "x"]}"#);
        assert_eq!(changed(&[(1, ".bc[9]", SEVEN)]).unwrap(), r#"{"a": 1, "bc": [true, "x", 7]}"#);
        assert_eq!(
            changed(&[(1, r#"."d\"e""#, SEVEN)]).unwrap(),
            r#"{"a": 1, "bc": [true, "x"], "d\"e": 7}"#
        );
        assert_eq!(changed(&[(1, ".B", SEVEN), (2, ".a", &[])]).unwrap(), r#"{"B": 7, "bc": [true, "x"]}"#);
        assert_eq!(changed(&[(2, ".bc[0]", &[]), (0, "$.bc[0]", SEVEN)]).unwrap(), r#"{"a": 1, "bc": [7]}"#);
    }

    #[test]
    fn a_change_that_does_not_fit_is_an_error() {
        for diff in [(0, ".nothing", SEVEN), (2, ".bc[2]", &[][..]), (1, ".a", SEVEN), (2, "", &[][..])] {
            let error = changed(&[diff]).unwrap_err();
            assert!(matches!(error, CellError::Json(JsonError::DiffDoesNotFit)), "{diff:?}");
        }
        assert!(matches!(changed(&[(0, "x", SEVEN)]), Err(CellError::Json(JsonError::Damaged(_)))));
        assert!(matches!(changed(&[(9, ".a", SEVEN)]), Err(CellError::Json(JsonError::Damaged(_)))));
    }
}
