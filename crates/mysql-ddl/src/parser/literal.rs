//! Numbers, strings, constants, names of charsets.

use super::{Parsed, Parser};
use crate::ast::{Literal, LiteralKind};
use crate::error::{Failure, ParseErrorKind};
use crate::keyword::Kw;
use crate::text;
use crate::token::{Token, TokenKind};

impl<'a> Parser<'a> {
    /// An unsigned integer.
    pub(super) fn integer(&mut self) -> Parsed<u64> {
        let token = self.expect(TokenKind::Int, "number")?;
        let text = self.raw_text(token)?;
        text.parse().map_err(|_| {
            Failure::new(
                ParseErrorKind::NumberOutOfRange { found: crate::error::excerpt(text.as_bytes(), 40) },
                token.start,
            )
        })
    }

    /// A number as written.
    pub(super) fn number_text(&mut self) -> Parsed<&'a str> {
        match self.peek().kind {
            TokenKind::Int | TokenKind::Real => {
                let token = self.advance();
                self.raw_text(token)
            }
            _ => Err(self.unexpected("number")),
        }
    }

    fn string_of(&self, token: Token) -> Parsed<String> {
        String::from_utf8(text::string_bytes(self.source, token, self.options.sql_mode))
            .map_err(|_| Failure::new(ParseErrorKind::NotUtf8 { what: "string" }, token.start))
    }

    /// A string in quotes, decoded. Hex and bit literals stand for their bytes where text is wanted.
    pub(super) fn string(&mut self) -> Parsed<String> {
        let token = self.peek();
        match token.kind {
            TokenKind::Str | TokenKind::NationalStr => {
                self.advance();
                self.string_of(token)
            }
            TokenKind::Hex | TokenKind::Bit => {
                self.advance();
                let raw = self.raw(token);
                let bytes = if token.kind == TokenKind::Hex { hex_bytes(raw) } else { bit_bytes(raw) };
                String::from_utf8(bytes)
                    .map_err(|_| Failure::new(ParseErrorKind::NotUtf8 { what: "string" }, token.start))
            }
            _ => Err(self.unexpected("string")),
        }
    }

    /// A word, quoted identifier or string: how charsets, engines and methods may be written.
    pub(super) fn ident_or_string(&mut self, expected: &'static str) -> Parsed<String> {
        let token = self.peek();
        match token.kind {
            TokenKind::Str => {
                self.advance();
                self.string_of(token)
            }
            TokenKind::Word(Kw::BINARY) => {
                self.advance();
                Ok("binary".to_owned())
            }
            _ => Ok(self.ident_as(expected)?.value),
        }
    }

    /// A charset's or collation's name in lower case; `DEFAULT` gives `None`.
    pub(super) fn charset_name(&mut self, expected: &'static str) -> Parsed<Option<String>> {
        if self.accept_kw(Kw::DEFAULT) {
            return Ok(None);
        }
        let name = self.ident_or_string(expected)?.to_ascii_lowercase();
        // No charset has this name, and quoted it means the same.
        Ok(Some(name).filter(|name| name != "default"))
    }

    /// Any single word, in upper case.
    pub(super) fn upper_word(&mut self, expected: &'static str) -> Parsed<String> {
        let token = self.peek();
        match token.kind {
            TokenKind::Word(_) => {
                self.advance();
                Ok(self.raw_text(token)?.to_ascii_uppercase())
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    /// A constant, or nothing when none begins here.
    pub(super) fn literal(&mut self) -> Parsed<Option<Literal>> {
        let first = self.at;
        let token = self.peek();
        let kind = match token.kind {
            TokenKind::Str | TokenKind::NationalStr => self.string_literal(None)?,
            TokenKind::Word(_) if text::is_introducer(self.source, token) => {
                if !matches!(self.nth(1).kind, TokenKind::Str | TokenKind::Hex) {
                    return Ok(None);
                }
                self.advance();
                let name = self.raw_text(token)?.trim_start_matches('_').to_ascii_lowercase();
                self.string_literal(Some(name))?
            }
            TokenKind::Hex | TokenKind::Bit => self.string_literal(None)?,
            TokenKind::Int | TokenKind::Real => LiteralKind::Number(self.number_text()?.to_owned()),
            TokenKind::Op(sign @ (b'-' | b'+'))
                if matches!(self.nth(1).kind, TokenKind::Int | TokenKind::Real) =>
            {
                self.advance();
                let number = self.number_text()?;
                LiteralKind::Number(if sign == b'-' { format!("-{number}") } else { number.to_owned() })
            }
            TokenKind::Word(Kw::TRUE) => {
                self.advance();
                LiteralKind::Boolean(true)
            }
            TokenKind::Word(Kw::FALSE) => {
                self.advance();
                LiteralKind::Boolean(false)
            }
            TokenKind::Word(Kw::DATE | Kw::TIME | Kw::TIMESTAMP) if self.nth(1).kind == TokenKind::Str => {
                self.advance();
                LiteralKind::Temporal { keyword: token.kw().name().to_owned(), value: self.string()? }
            }
            _ => return Ok(None),
        };
        Ok(Some(Literal { kind, span: self.span_from(first) }))
    }

    /// A string, with those behind it, which are one with it (`'a' 'b'`); a hex or bit literal.
    fn string_literal(&mut self, introducer: Option<String>) -> Parsed<LiteralKind> {
        let token = self.advance();
        match token.kind {
            TokenKind::Hex => {
                return Ok(LiteralKind::Bytes { value: hex_bytes(self.raw(token)), introducer });
            }
            TokenKind::Bit => {
                let text = self.raw_text(token)?;
                let quoted = text.get(2..text.len().saturating_sub(1)).unwrap_or_default();
                return Ok(LiteralKind::Bits(text.strip_prefix("0b").unwrap_or(quoted).to_owned()));
            }
            _ => {}
        }
        let mut bytes = text::string_bytes(self.source, token, self.options.sql_mode);
        while self.is(TokenKind::Str) {
            let next = self.advance();
            bytes.extend(text::string_bytes(self.source, next, self.options.sql_mode));
        }
        let national = token.kind == TokenKind::NationalStr;
        Ok(match String::from_utf8(bytes) {
            Ok(value) => LiteralKind::String { value, introducer, national },
            Err(invalid) => {
                let introducer = introducer.or_else(|| Some("utf8mb4".to_owned()));
                LiteralKind::Bytes { value: invalid.into_bytes(), introducer }
            }
        })
    }
}

/// The bytes of `x'0aF'` and `0x0aF`; an odd digit at the front is a byte of its own.
fn hex_bytes(raw: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = raw
        .get(2..)
        .unwrap_or_default()
        .iter()
        .filter_map(|b| char::from(*b).to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    let (odd, even) = digits.split_at(digits.len() % 2);
    odd.iter().copied().chain(even.chunks(2).map(|pair| pair.iter().fold(0, |n, d| n << 4 | d))).collect()
}

/// The bytes of `b'01'` and `0b01`, zeros put in front to fill the first.
fn bit_bytes(raw: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> =
        raw.get(2..).unwrap_or_default().iter().filter(|b| **b != b'\'').map(|b| b & 1).collect();
    let (odd, even) = bits.split_at(bits.len() % 8);
    let byte = |bits: &[u8]| bits.iter().fold(0, |n, bit| n << 1 | bit);
    let first = (!odd.is_empty()).then(|| byte(odd));
    first.into_iter().chain(even.chunks(8).map(byte)).collect()
}
