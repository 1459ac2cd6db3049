//! The words of a text, for those who look for names in queries and routine bodies.
//!
//! A query or a body is no statement that this crate takes apart; its names can still be found soundly, because
//! strings, comments and executable comments are told apart by the same lexer that the parser uses.

use std::borrow::Cow;

use crate::error::ParseError;
use crate::lexer;
use crate::token::{Span, TokenKind};
use crate::{ParseOptions, checked_length};

/// What a [`Lexeme`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LexemeKind {
    /// A keyword, name or charset introducer without quotes.
    Word,
    /// A name in backticks, or in double quotes under `ANSI_QUOTES`.
    QuotedName,
    /// A string of any kind, hexadecimal and bit literals included.
    Literal,
    Number,
    /// What stands behind `@`: a host or a user variable.
    Host,
    /// `@`
    At,
    Dot,
    Comma,
    Open,
    Close,
    Semicolon,
    /// A byte of any operator.
    Operator,
}

/// One word of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lexeme<'a> {
    pub kind: LexemeKind,
    /// As it stands in the text.
    pub text: &'a str,
    pub span: Span,
}

impl<'a> Lexeme<'a> {
    /// The name that a word or quoted name says.
    pub fn name(&self) -> Option<Cow<'a, str>> {
        match self.kind {
            LexemeKind::Word => Some(Cow::Borrowed(self.text)),
            LexemeKind::QuotedName => {
                let name = lexer::decode_identifier(self.text.as_bytes());
                String::from_utf8(name).ok().map(Cow::Owned)
            }
            _ => None,
        }
    }

    /// True for this word without quotes, in any case.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == LexemeKind::Word && self.text.eq_ignore_ascii_case(word)
    }
}

/// Reads a text into its words; comments are left out.
///
/// # Errors
/// A string, name or comment without its end, and text behind a character that begins no word.
pub fn lexemes<'a>(sql: &'a str, options: &ParseOptions) -> Result<Vec<Lexeme<'a>>, ParseError> {
    let source = sql.as_bytes();
    let everything = Span::new(0, checked_length(source)?);
    let lexed = lexer::lex(source, options);
    if let Some(failure) = lexed.failure {
        return Err(failure.locate(source, everything));
    }
    let lexeme = |token: &crate::token::Token| {
        let kind = match token.kind {
            TokenKind::Word(_) => LexemeKind::Word,
            TokenKind::Quoted => LexemeKind::QuotedName,
            TokenKind::Str | TokenKind::NationalStr | TokenKind::Hex | TokenKind::Bit => LexemeKind::Literal,
            TokenKind::Int | TokenKind::Real => LexemeKind::Number,
            TokenKind::Host => LexemeKind::Host,
            TokenKind::At => LexemeKind::At,
            TokenKind::Dot => LexemeKind::Dot,
            TokenKind::Comma => LexemeKind::Comma,
            TokenKind::Open => LexemeKind::Open,
            TokenKind::Close => LexemeKind::Close,
            TokenKind::Semicolon => LexemeKind::Semicolon,
            TokenKind::Eq | TokenKind::Op(_) | TokenKind::End => LexemeKind::Operator,
        };
        Lexeme { kind, text: token.span().text(sql), span: token.span() }
    };
    Ok(lexed.tokens.iter().map(lexeme).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialect;

    #[test]
    fn names_are_told_from_everything_else() {
        let options = ParseOptions::new(Dialect::mysql(90_700));
        let sql = "select `a``b`.t -- x.y\n, 'it''s t', @v.w, _utf8mb4'q' /*!50001 and z */ from a.1b";
        let found: Vec<_> = lexemes(sql, &options)
            .unwrap()
            .iter()
            .filter_map(|lexeme| lexeme.name().map(Cow::into_owned))
            .collect();
        assert_eq!(found, ["select", "a`b", "t", "_utf8mb4", "and", "z", "from", "a", "1b"]);
        assert!(lexemes("select 'open", &options).is_err());
    }
}
