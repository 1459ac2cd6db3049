//! Where the statements of a script end.

use crate::keyword::Kw;
use crate::token::{Token, TokenKind};

/// The token ranges of a script's statements, semicolons left out, empty ones too. With `unfinished`, what
/// stands behind the last semicolon is left out.
pub(crate) fn statements(tokens: &[Token], unfinished: bool) -> impl Iterator<Item = &[Token]> {
    let mut rest = tokens;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let end = statement_length(rest);
            let found = rest.get(..end)?;
            let terminated = rest.len() > end;
            rest = rest.get(end + 1..).unwrap_or_default();
            if unfinished && !terminated {
                return None;
            }
            // Routines that are cut off end with the semicolon of an inner statement.
            let found = without_end(found);
            if !found.is_empty() {
                return Some(found);
            }
        }
    })
}

/// `tokens` without the semicolons at their end.
pub(crate) fn without_end(tokens: &[Token]) -> &[Token] {
    let length =
        tokens.iter().rposition(|token| token.kind != TokenKind::Semicolon).map_or(0, |last| last + 1);
    tokens.get(..length).unwrap_or_default()
}

/// What stands behind the last semicolon that ends a statement.
pub(crate) fn unfinished(tokens: &[Token]) -> &[Token] {
    let mut rest = tokens;
    loop {
        let end = statement_length(rest);
        match rest.get(end + 1..) {
            Some(behind) => rest = behind,
            None => return rest,
        }
    }
}

/// Tokens before the semicolon that ends the first statement.
fn statement_length(tokens: &[Token]) -> usize {
    let is_end = |token: &Token| token.kind == TokenKind::Semicolon;
    if !may_hold_blocks(tokens) {
        return tokens.iter().position(is_end).unwrap_or(tokens.len());
    }
    // A package's own END has no BEGIN.
    let package = tokens.iter().take(16).any(|token| token.kw() == Kw::PACKAGE);
    let mut depth = usize::from(package && tokens.first().is_some_and(|token| token.kw() == Kw::CREATE));
    let mut after_end = false;
    for (index, token) in tokens.iter().enumerate() {
        match token.kw() {
            // END IF, END LOOP and so on close what was not counted; END CASE is one END.
            Kw::IF | Kw::LOOP | Kw::WHILE | Kw::REPEAT | Kw::FOR if after_end => depth += 1,
            Kw::CASE if after_end => {}
            Kw::BEGIN | Kw::CASE => depth += 1,
            Kw::END => depth = depth.saturating_sub(1),
            _ => {}
        }
        after_end = token.kw() == Kw::END;
        if depth == 0 && is_end(token) {
            return index;
        }
    }
    tokens.len()
}

/// True for the statements whose bodies are made of statements.
fn may_hold_blocks(tokens: &[Token]) -> bool {
    let first = tokens.first().map_or(Kw::NotKeyword, |token| token.kw());
    let second = tokens.get(1).map_or(Kw::NotKeyword, |token| token.kw());
    match first {
        Kw::BEGIN => second == Kw::NOT,
        Kw::ALTER | Kw::CREATE => creates_program(tokens),
        _ => false,
    }
}

/// The first word that names a kind of object decides; DEFINER and others stand before it.
fn creates_program(tokens: &[Token]) -> bool {
    for token in tokens.iter().skip(1).take(16) {
        match token.kw() {
            Kw::PROCEDURE | Kw::FUNCTION | Kw::TRIGGER | Kw::EVENT | Kw::PACKAGE => return true,
            Kw::TABLE | Kw::VIEW | Kw::INDEX | Kw::DATABASE | Kw::SCHEMA | Kw::USER | Kw::SEQUENCE => {
                return false;
            }
            _ => {}
        }
    }
    false
}
