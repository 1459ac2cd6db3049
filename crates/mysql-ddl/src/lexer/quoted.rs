//! Strings and quoted identifiers: where they end, and what they say.

use super::Lexer;
use crate::error::{Failure, ParseErrorKind};
use crate::token::TokenKind;

impl Lexer<'_> {
    pub(super) fn quoted(&mut self, kind: TokenKind, what: &'static str) -> Result<(), Failure> {
        let start = self.here();
        self.quoted_from(kind, what, start)
    }

    /// At the opening quote; the token begins at `start`, which is before it for `N'..'`.
    pub(super) fn quoted_from(
        &mut self,
        kind: TokenKind,
        what: &'static str,
        start: u32,
    ) -> Result<(), Failure> {
        let quote = self.peek(0);
        let escapes = kind != TokenKind::Quoted && !self.options.sql_mode.no_backslash_escapes;
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            if byte == b'\\' && escapes {
                self.at += 1;
            } else if Some(byte) == quote {
                if self.peek(0) == quote {
                    self.at += 1;
                } else {
                    self.push(kind, start);
                    return Ok(());
                }
            }
        }
        self.at = self.source.len();
        Err(Failure::new(ParseErrorKind::Unterminated { what }, start))
    }
}

/// What a quoted identifier says: the quotes taken off, doubled quotes made single.
pub(crate) fn decode_identifier(raw: &[u8]) -> Vec<u8> {
    unquote(raw, false)
}

/// What a string says; `raw` includes its quotes.
pub(crate) fn decode_string(raw: &[u8], no_backslash_escapes: bool) -> Vec<u8> {
    unquote(raw, !no_backslash_escapes)
}

fn unquote(raw: &[u8], escapes: bool) -> Vec<u8> {
    let quote = raw.first().copied();
    let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied();
    while let Some(byte) = bytes.next() {
        if Some(byte) == quote {
            // The lexer has seen its twin.
            bytes.next();
            out.push(byte);
        } else if byte == b'\\' && escapes {
            match bytes.next() {
                Some(escaped) => push_escaped(escaped, &mut out),
                None => out.push(byte),
            }
        } else {
            out.push(byte);
        }
    }
    out
}

/// The manual's table of escape sequences, "String Literals"; `\%` and `\_` keep their backslash.
fn push_escaped(escaped: u8, out: &mut Vec<u8>) {
    match escaped {
        b'0' => out.push(0),
        b'b' => out.push(8),
        b'n' => out.push(b'\n'),
        b'r' => out.push(b'\r'),
        b't' => out.push(b'\t'),
        b'Z' => out.push(0x1a),
        b'%' | b'_' => out.extend([b'\\', escaped]),
        other => out.push(other),
    }
}
