//! Tokens and spans: places in the statement's bytes.

use std::hash::{Hash, Hasher};

use crate::keyword::Kw;

/// A half-open range of byte offsets in the parsed text.
///
/// All spans compare equal (and hash alike), so two syntax trees are equal when they mean the same,
/// wherever their text stood. Compare `start` and `end` themselves when the place matters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset of the byte after the last one.
    pub end: u32,
}

impl Span {
    pub(crate) fn new(start: u32, end: u32) -> Self {
        Span { start, end }
    }

    /// An empty span at the end.
    pub(crate) fn end_only(self) -> Span {
        Span { start: self.end, end: self.end }
    }

    /// The smallest span that holds both.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Bytes of `source` under the span; empty when the span doesn't belong to `source`.
    pub fn of(self, source: &[u8]) -> &[u8] {
        source.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// Text of `source` under the span; empty when the span doesn't belong to `source`.
    ///
    /// This is the raw text, comments included. A span that begins inside an executable comment and
    /// ends behind it holds a loose `*/`: send [`crate::ast::Fragment::text`] on, not the raw slice.
    pub fn text(self, source: &str) -> &str {
        source.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

impl PartialEq for Span {
    fn eq(&self, _: &Span) -> bool {
        true
    }
}

impl Eq for Span {}

impl Hash for Span {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Unquoted word: keyword, identifier, charset introducer.
    Word(Kw),
    /// Identifier in backticks, or in double quotes under ANSI_QUOTES.
    Quoted,
    /// String in single or double quotes.
    Str,
    /// `N'...'`.
    NationalStr,
    /// `X'..'` or `0x..`.
    Hex,
    /// `B'..'` or `0b..`.
    Bit,
    /// Digits only.
    Int,
    /// Number with a fraction or an exponent.
    Real,
    /// What stands unquoted behind `@`: a host or a user variable's name.
    Host,
    Open,
    Close,
    Comma,
    Semicolon,
    Dot,
    Eq,
    At,
    /// Any other single byte of an operator.
    Op(u8),
    /// Behind the last token.
    End,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Token {
    pub(crate) fn span(self) -> Span {
        Span::new(self.start, self.end)
    }

    /// The keyword of an unquoted word; [`Kw::NotKeyword`] for everything else.
    pub(crate) fn kw(self) -> Kw {
        match self.kind {
            TokenKind::Word(kw) => kw,
            _ => Kw::NotKeyword,
        }
    }
}
