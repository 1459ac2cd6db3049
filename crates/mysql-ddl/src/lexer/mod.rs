//! Bytes to tokens.
//!
//! Executable comments become code or are dropped, as [`Dialect`](crate::Dialect) says; other comments
//! (`-- `, `#`, `/* */`, optimizer hints) are dropped. Bytes above 0x7F belong to identifiers or strings,
//! and are checked to be UTF-8 only where they are turned into text.

mod comment;
mod quoted;

use crate::ParseOptions;
use crate::error::{Failure, ParseErrorKind};
use crate::keyword::Kw;
use crate::token::{Span, Token, TokenKind};

pub(crate) use quoted::{decode_identifier, decode_string};

/// The tokens of a text, and why and where lexing stopped early, if it did.
pub(crate) struct Lexed {
    pub(crate) tokens: Vec<Token>,
    /// Executable comments that were code, delimiters included, in order.
    pub(crate) code_comments: Vec<Span>,
    pub(crate) failure: Option<Failure>,
}

impl Lexed {
    /// `span` and every executable comment that it cuts into, so that the raw text under it is whole.
    pub(crate) fn whole(&self, span: Span) -> Span {
        let first = self.code_comments.partition_point(|comment| comment.end <= span.start);
        let overlapping =
            self.code_comments.iter().skip(first).take_while(|comment| comment.start < span.end);
        overlapping.fold(span, |span, comment| span.to(*comment))
    }
}

/// Lexes all of `source`, whose length fits 32 bits (checked by the caller).
pub(crate) fn lex(source: &[u8], options: &ParseOptions) -> Lexed {
    let mut lexer =
        Lexer { source, at: 0, options, tokens: Vec::new(), code_comment: None, code_comments: Vec::new() };
    lexer.tokens.reserve(source.len() / 6 + 4);
    let failure = lexer.run().err();
    Lexed { tokens: lexer.tokens, code_comments: lexer.code_comments, failure }
}

struct Lexer<'a> {
    source: &'a [u8],
    at: usize,
    options: &'a ParseOptions,
    tokens: Vec<Token>,
    /// Where the executable comment began that the lexer is inside of.
    code_comment: Option<u32>,
    code_comments: Vec<Span>,
}

/// Letters, digits, `_`, `$`, and every byte of a multi-byte character.
pub(crate) fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.source.get(self.at + ahead).copied()
    }

    fn here(&self) -> u32 {
        self.at as u32
    }

    fn push(&mut self, kind: TokenKind, start: u32) {
        self.tokens.push(Token { kind, start, end: self.at as u32 });
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek(0).is_some_and(&wanted) {
            self.at += 1;
        }
    }

    fn run(&mut self) -> Result<(), Failure> {
        while let Some(byte) = self.peek(0) {
            if is_space(byte) {
                self.at += 1;
                continue;
            }
            match byte {
                b'#' => self.skip_while(|b| b != b'\n'),
                b'-' if self.starts_line_comment() => self.skip_while(|b| b != b'\n'),
                b'/' if self.peek(1) == Some(b'*') => self.comment()?,
                b'*' if self.code_comment.is_some() && self.peek(1) == Some(b'/') => {
                    self.at += 2;
                    let end = self.here();
                    self.code_comments.extend(self.code_comment.take().map(|start| Span::new(start, end)));
                }
                _ => self.token(byte)?,
            }
        }
        match self.code_comment {
            Some(start) => Err(Failure::new(ParseErrorKind::Unterminated { what: "comment" }, start)),
            None => Ok(()),
        }
    }

    /// `--` begins a comment only when white space, a control character or the end follows (manual, "Comments").
    fn starts_line_comment(&self) -> bool {
        self.peek(1) == Some(b'-') && self.peek(2).is_none_or(|b| b <= b' ' || b == 0x7f)
    }

    fn token(&mut self, byte: u8) -> Result<(), Failure> {
        let start = self.here();
        match byte {
            b'\'' => self.quoted(TokenKind::Str, "string"),
            b'"' if self.options.sql_mode.ansi_quotes => self.quoted(TokenKind::Quoted, "quoted identifier"),
            b'"' => self.quoted(TokenKind::Str, "string"),
            b'`' => self.quoted(TokenKind::Quoted, "quoted identifier"),
            b'0'..=b'9' if self.follows_dot() => {
                self.word(start);
                Ok(())
            }
            b'0'..=b'9' => {
                self.number(start);
                Ok(())
            }
            b'.' if self.peek(1).is_some_and(|b| b.is_ascii_digit()) && !self.follows_name() => {
                self.fraction(start);
                Ok(())
            }
            b'@' => self.at_sign(start),
            _ if is_word_byte(byte) => self.word_or_prefixed_literal(byte, start),
            _ => {
                self.at += 1;
                self.push(punctuation(byte), start);
                Ok(())
            }
        }
    }

    /// True right behind `name.`, where digits are a name: `db.2024`.
    fn follows_dot(&self) -> bool {
        self.tokens.last().is_some_and(|t| t.kind == TokenKind::Dot && t.end == self.here())
    }

    fn follows_name(&self) -> bool {
        self.tokens.last().is_some_and(|t| {
            t.end == self.here() && matches!(t.kind, TokenKind::Word(_) | TokenKind::Quoted | TokenKind::Host)
        })
    }

    fn word(&mut self, start: u32) {
        self.skip_while(is_word_byte);
        let text = self.source.get(start as usize..self.at).unwrap_or_default();
        self.push(TokenKind::Word(Kw::of(text)), start);
    }

    fn word_or_prefixed_literal(&mut self, byte: u8, start: u32) -> Result<(), Failure> {
        if self.peek(1) == Some(b'\'') && !self.follows_dot() {
            let kind = match byte {
                b'n' | b'N' => Some(TokenKind::NationalStr),
                b'x' | b'X' => Some(TokenKind::Hex),
                b'b' | b'B' => Some(TokenKind::Bit),
                _ => None,
            };
            match kind {
                Some(TokenKind::NationalStr) => {
                    self.at += 1;
                    return self.quoted_from(TokenKind::NationalStr, "string", start);
                }
                Some(kind) => return self.quoted_digits(kind, start),
                None => {}
            }
        }
        self.word(start);
        Ok(())
    }

    /// `x'0aF'` needs an even number of hex digits, `b'01'` only zeros and ones.
    fn quoted_digits(&mut self, kind: TokenKind, start: u32) -> Result<(), Failure> {
        self.at += 2;
        let digits = self.at;
        let hex = kind == TokenKind::Hex;
        self.skip_while(|b| if hex { b.is_ascii_hexdigit() } else { matches!(b, b'0' | b'1') });
        let what = if hex { "hex" } else { "bit" };
        if self.peek(0) != Some(b'\'') || (hex && !(self.at - digits).is_multiple_of(2)) {
            return Err(Failure::new(ParseErrorKind::MalformedLiteral { what }, start));
        }
        self.at += 1;
        self.push(kind, start);
        Ok(())
    }

    /// A number, or a name that begins with digits, as in `1st_table` or `0x`.
    fn number(&mut self, start: u32) {
        let radix = match (self.peek(0), self.peek(1)) {
            (Some(b'0'), Some(b'x')) => Some(TokenKind::Hex),
            (Some(b'0'), Some(b'b')) => Some(TokenKind::Bit),
            _ => None,
        };
        self.skip_while(is_word_byte);
        let text = self.source.get(start as usize..self.at).unwrap_or_default();
        if let Some(kind) = radix {
            let digits = text.get(2..).unwrap_or_default();
            let valid = |b: &u8| match kind {
                TokenKind::Hex => b.is_ascii_hexdigit(),
                _ => matches!(b, b'0' | b'1'),
            };
            let kind = if !digits.is_empty() && digits.iter().all(valid) {
                kind
            } else {
                TokenKind::Word(Kw::NotKeyword)
            };
            return self.push(kind, start);
        }
        if text.iter().all(u8::is_ascii_digit) {
            if self.peek(0) == Some(b'.') {
                return self.fraction(start);
            }
            return self.push(TokenKind::Int, start);
        }
        match exponent_length(text, self.source.get(self.at..).unwrap_or_default()) {
            Some(signed_tail) => {
                self.at += signed_tail;
                self.push(TokenKind::Real, start);
            }
            None => self.push(TokenKind::Word(Kw::NotKeyword), start),
        }
    }

    /// From the dot of a number on: `.5`, `.5e-3`, `.` alone behind digits.
    fn fraction(&mut self, start: u32) {
        self.at += 1;
        self.skip_while(|b| b.is_ascii_digit());
        if matches!(self.peek(0), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.peek(1), Some(b'+' | b'-')));
            if self.peek(1 + sign).is_some_and(|b| b.is_ascii_digit()) {
                self.at += 1 + sign;
                self.skip_while(|b| b.is_ascii_digit());
            }
        }
        self.push(TokenKind::Real, start);
    }

    /// `@` and, when it follows without a gap and without quotes, the host or variable behind it.
    fn at_sign(&mut self, start: u32) -> Result<(), Failure> {
        self.at += 1;
        self.push(TokenKind::At, start);
        if self.peek(0) == Some(b'@') {
            let second = self.here();
            self.at += 1;
            self.push(TokenKind::At, second);
            return Ok(());
        }
        let host = self.here();
        self.skip_while(|b| is_word_byte(b) || b == b'.');
        if self.here() > host {
            self.push(TokenKind::Host, host);
        }
        Ok(())
    }
}

/// When `text` is digits, `e` and maybe digits, and with `rest` makes a number such as `1e5` or `1e-5`:
/// how many bytes of `rest` belong to it.
fn exponent_length(text: &[u8], rest: &[u8]) -> Option<usize> {
    let e = text.iter().position(|b| !b.is_ascii_digit())?;
    if !matches!(text.get(e), Some(b'e' | b'E')) {
        return None;
    }
    let behind = text.get(e + 1..).unwrap_or_default();
    if !behind.is_empty() {
        return behind.iter().all(u8::is_ascii_digit).then_some(0);
    }
    let sign = rest.first().filter(|b| matches!(b, b'+' | b'-'))?;
    let digits = rest.iter().skip(1).take_while(|b| b.is_ascii_digit()).count();
    (digits > 0 && sign.is_ascii()).then_some(1 + digits)
}

fn punctuation(byte: u8) -> TokenKind {
    match byte {
        b'(' => TokenKind::Open,
        b')' => TokenKind::Close,
        b',' => TokenKind::Comma,
        b';' => TokenKind::Semicolon,
        b'.' => TokenKind::Dot,
        b'=' => TokenKind::Eq,
        other => TokenKind::Op(other),
    }
}

#[cfg(test)]
mod tests;
