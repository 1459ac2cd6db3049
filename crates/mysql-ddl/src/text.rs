//! Canonical text: token ranges made independent of comments and `sql_mode`, and quoting.

use std::borrow::Cow;
use std::fmt;

use crate::dialect::SqlMode;
use crate::error::{Failure, ParseErrorKind};
use crate::lexer::{decode_identifier, decode_string};
use crate::token::{Token, TokenKind};

/// Writes `name` as a quoted identifier.
pub(crate) fn write_identifier(out: &mut impl fmt::Write, name: &str) -> fmt::Result {
    out.write_char('`')?;
    for (index, part) in name.split('`').enumerate() {
        if index > 0 {
            out.write_str("``")?;
        }
        out.write_str(part)?;
    }
    out.write_char('`')
}

/// Writes `value` as a string literal of the default `sql_mode`.
pub(crate) fn write_string(out: &mut impl fmt::Write, value: &str) -> fmt::Result {
    out.write_char('\'')?;
    for c in value.chars() {
        match c {
            '\'' => out.write_str("''")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\0' => out.write_str("\\0")?,
            '\u{1a}' => out.write_str("\\Z")?,
            other => out.write_char(other)?,
        }
    }
    out.write_char('\'')
}

const TO_STRING: &str = "writing to a string cannot fail";

/// Appends `bytes` as `x'..'`.
pub(crate) fn push_hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    out.push_str("x'");
    for byte in bytes {
        out.extend(DIGITS.get(usize::from(byte >> 4)));
        out.extend(DIGITS.get(usize::from(byte & 15)));
    }
    out.push('\'');
}

/// The name that a word or a quoted identifier says.
pub(crate) fn identifier(source: &[u8], token: Token) -> Result<String, Failure> {
    let raw = token.span().of(source);
    let bytes = match token.kind {
        TokenKind::Quoted => Cow::Owned(decode_identifier(raw)),
        _ => Cow::Borrowed(raw),
    };
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(Failure::new(ParseErrorKind::NotUtf8 { what: "identifier" }, token.start)),
    }
}

/// The bytes that a string token says, without an introducer's charset applied.
pub(crate) fn string_bytes(source: &[u8], token: Token, mode: SqlMode) -> Vec<u8> {
    let raw = token.span().of(source);
    let raw = if token.kind == TokenKind::NationalStr { raw.get(1..).unwrap_or_default() } else { raw };
    decode_string(raw, mode.no_backslash_escapes)
}

/// The canonical text of a token range.
///
/// Tokens keep their source text; where there was white space or a comment between two of them, one
/// space stands. Double-quoted identifiers get backticks, and strings are escaped for the default
/// `sql_mode`, so the text reads the same whatever the session's mode was. A string whose bytes are
/// not UTF-8 becomes `x'..'` with its introducer, or with `_utf8mb4` when it had none.
pub(crate) fn canonical(source: &[u8], tokens: &[Token], mode: SqlMode) -> Result<String, Failure> {
    let length = match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => (last.end - first.start) as usize,
        _ => 0,
    };
    let mut out = String::with_capacity(length);
    let mut previous: Option<Token> = None;
    for &token in tokens {
        if previous.is_some_and(|p| p.end < token.start) {
            out.push(' ');
        }
        match token.kind {
            TokenKind::Str | TokenKind::NationalStr => {
                push_source_string(&mut out, source, token, previous, mode);
            }
            TokenKind::Quoted => write_identifier(&mut out, &identifier(source, token)?).expect(TO_STRING),
            _ => match std::str::from_utf8(token.span().of(source)) {
                Ok(text) => out.push_str(text),
                Err(_) => {
                    return Err(Failure::new(ParseErrorKind::NotUtf8 { what: "identifier" }, token.start));
                }
            },
        }
        previous = Some(token);
    }
    Ok(out)
}

fn push_source_string(out: &mut String, source: &[u8], token: Token, previous: Option<Token>, mode: SqlMode) {
    let raw = token.span().of(source);
    match std::str::from_utf8(raw) {
        Ok(text) if !(mode.no_backslash_escapes && text.contains('\\')) => out.push_str(text),
        Ok(_) => {
            if token.kind == TokenKind::NationalStr {
                out.push('N');
            }
            // Only quotes and backslashes changed meaning, so the bytes are still UTF-8.
            let value = string_bytes(source, token, mode);
            write_string(out, &String::from_utf8_lossy(&value)).expect(TO_STRING);
        }
        Err(_) => {
            let introduced = previous.is_some_and(|p| is_introducer(source, p));
            if !introduced {
                out.push_str("_utf8mb4 ");
            }
            push_hex(out, &string_bytes(source, token, mode));
        }
    }
}

/// True for `_utf8mb4` and its like.
pub(crate) fn is_introducer(source: &[u8], token: Token) -> bool {
    matches!(token.kind, TokenKind::Word(_)) && token.span().of(source).first() == Some(&b'_')
}
