//! The tokens of an expression, for those who look into one: conditions, generated columns, checks.
//!
//! What it guarantees: every byte of the text is in a token, in a comment or white space; strings and names are
//! decoded. What it doesn't do: say what the tokens mean together.

use crate::ParseOptions;
use crate::ast::Span;
use crate::error::ParseError;
use crate::lexer::{decode_identifier, decode_string, lex};
use crate::token::TokenKind;

/// One token of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExprToken {
    /// An unquoted word: name, keyword, function.
    Word(String),
    /// A name in backticks (or in double quotes under ANSI_QUOTES).
    Quoted(String),
    /// A string; its bytes are those of the text.
    Str(Vec<u8>),
    /// `X'..'` or `0x..`: the bytes. An odd number of digits behind `0x` has a zero before it.
    Hex(Vec<u8>),
    /// `B'..'` or `0b..`: the digits.
    Bit(String),
    /// Digits only.
    Int(String),
    /// A number with a fraction or an exponent.
    Real(String),
    /// A byte of punctuation or of an operator.
    Punct(u8),
}

/// Reads the tokens of an expression, each with its place.
///
/// # Errors
/// As [`crate::parse`]: strings without end, malformed literals, names that aren't UTF-8.
pub fn expression_tokens(text: &str, options: &ParseOptions) -> Result<Vec<(ExprToken, Span)>, ParseError> {
    let source = text.as_bytes();
    let whole = Span::new(0, crate::checked_length(source)?);
    let lexed = lex(source, options);
    if let Some(failure) = lexed.failure {
        return Err(failure.locate(source, whole));
    }
    let no_escapes = options.sql_mode.no_backslash_escapes;
    let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let tokens = lexed.tokens.iter().filter(|token| token.kind != TokenKind::End).map(|token| {
        let raw = token.span().of(source);
        let read = match token.kind {
            TokenKind::Word(_) | TokenKind::Host => ExprToken::Word(text_of(raw)),
            TokenKind::Quoted => ExprToken::Quoted(text_of(&decode_identifier(raw))),
            TokenKind::Str => ExprToken::Str(decode_string(raw, no_escapes)),
            TokenKind::NationalStr => {
                ExprToken::Str(decode_string(raw.get(1..).unwrap_or_default(), no_escapes))
            }
            TokenKind::Hex => ExprToken::Hex(hex_bytes(raw)),
            TokenKind::Bit => ExprToken::Bit(digits(raw)),
            TokenKind::Int => ExprToken::Int(text_of(raw)),
            TokenKind::Real => ExprToken::Real(text_of(raw)),
            TokenKind::Open => ExprToken::Punct(b'('),
            TokenKind::Close => ExprToken::Punct(b')'),
            TokenKind::Comma => ExprToken::Punct(b','),
            TokenKind::Semicolon => ExprToken::Punct(b';'),
            TokenKind::Dot => ExprToken::Punct(b'.'),
            TokenKind::Eq => ExprToken::Punct(b'='),
            TokenKind::At => ExprToken::Punct(b'@'),
            TokenKind::Op(byte) => ExprToken::Punct(byte),
            TokenKind::End => ExprToken::Punct(b' '),
        };
        (read, token.span())
    });
    Ok(tokens.collect())
}

/// What stands between the quotes, or behind `0x`.
fn digits(raw: &[u8]) -> String {
    let inner = match raw.get(1) {
        Some(b'\'') => raw.get(2..raw.len().saturating_sub(1)),
        _ => raw.get(2..),
    };
    String::from_utf8_lossy(inner.unwrap_or_default()).into_owned()
}

fn hex_bytes(raw: &[u8]) -> Vec<u8> {
    let mut digits = digits(raw);
    if !digits.len().is_multiple_of(2) {
        digits.insert(0, '0');
    }
    let value = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
    digits.as_bytes().chunks(2).map(|pair| pair.iter().fold(0, |all, byte| all << 4 | value(*byte))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialect;

    #[test]
    fn literals_and_names_are_decoded_and_placed() {
        let text = "`a``b` <> 'it''s \\n' AND x'0aF' = 0xabc -- tail";
        let found = expression_tokens(text, &ParseOptions::new(Dialect::mysql(90_700)));
        assert!(found.is_err(), "x'0aF' has an odd number of digits");
        let text = "`a``b` <> 'it''s \\n' AND x'0a' = 0xabc -- tail";
        let found = expression_tokens(text, &ParseOptions::new(Dialect::mysql(90_700))).unwrap();
        let kinds: Vec<&ExprToken> = found.iter().map(|(token, _)| token).collect();
        assert_eq!(kinds[0], &ExprToken::Quoted("a`b".into()));
        assert_eq!(kinds[3], &ExprToken::Str(b"it's \n".to_vec()));
        assert_eq!(kinds[5], &ExprToken::Hex(vec![0x0a]));
        assert_eq!(kinds[7], &ExprToken::Hex(vec![0x0a, 0xbc]));
        assert_eq!(found[3].1.text(text), "'it''s \\n'");
        assert_eq!(kinds.len(), 8);
    }
}
