//! Recursive descent over tokens.
//!
//! No function calls itself: nesting occurs only in parentheses, which are matched by counting, so the
//! depth of a text can't exhaust the stack.

mod account;
mod alter;
mod alter_partition;
mod classified;
mod column;
mod create;
mod data_type;
mod database;
mod index;
mod literal;
mod option;
mod partition;
mod statement;
mod table;

pub(crate) use option::PLAIN_VALUES;

use crate::ParseOptions;
use crate::ast::{Fragment, Ident, ObjectName, Span};
use crate::dialect::Family;
use crate::error::{Failure, ParseErrorKind, excerpt};
use crate::keyword::Kw;
use crate::text;
use crate::token::{Token, TokenKind};

pub(crate) type Parsed<T> = Result<T, Failure>;

/// A cursor over the tokens of one statement.
pub(crate) struct Parser<'a> {
    source: &'a [u8],
    tokens: &'a [Token],
    at: usize,
    options: &'a ParseOptions,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(source: &'a [u8], tokens: &'a [Token], options: &'a ParseOptions) -> Self {
        Parser { source, tokens, at: 0, options }
    }

    fn family(&self) -> Family {
        self.options.dialect.family
    }

    /// The token `ahead` places on; behind the last one, an empty token at its end.
    fn nth(&self, ahead: usize) -> Token {
        self.tokens.get(self.at + ahead).copied().unwrap_or_else(|| {
            let end = self.tokens.last().map_or(0, |last| last.end);
            Token { kind: TokenKind::End, start: end, end }
        })
    }

    fn peek(&self) -> Token {
        self.nth(0)
    }

    fn kw(&self) -> Kw {
        self.peek().kw()
    }

    fn nth_kw(&self, ahead: usize) -> Kw {
        self.nth(ahead).kw()
    }

    fn is(&self, kind: TokenKind) -> bool {
        self.peek().kind == kind
    }

    fn at_end(&self) -> bool {
        self.is(TokenKind::End)
    }

    fn advance(&mut self) -> Token {
        let token = self.peek();
        if token.kind != TokenKind::End {
            self.at += 1;
        }
        token
    }

    /// The place of the last token that was taken.
    fn last_span(&self) -> Span {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        last.map_or_else(|| self.peek().span(), |token| token.span())
    }

    /// From the token at index `first` to the last one taken.
    fn span_from(&self, first: usize) -> Span {
        match self.tokens.get(first) {
            Some(token) if first < self.at => token.span().to(self.last_span()),
            _ => Span::new(self.peek().start, self.peek().start),
        }
    }

    fn accept(&mut self, kind: TokenKind) -> bool {
        let found = self.is(kind);
        if found {
            self.at += 1;
        }
        found
    }

    fn accept_kw(&mut self, kw: Kw) -> bool {
        let found = self.kw() == kw;
        if found {
            self.at += 1;
        }
        found
    }

    /// Takes all of `words`, or nothing.
    fn accept_words(&mut self, words: &[Kw]) -> bool {
        let found = words.iter().enumerate().all(|(ahead, kw)| self.nth_kw(ahead) == *kw);
        if found {
            self.at += words.len();
        }
        found
    }

    /// Takes one of `words`.
    fn accept_one_of(&mut self, words: &[Kw]) -> Option<Kw> {
        let kw = self.kw();
        if kw != Kw::NotKeyword && words.contains(&kw) {
            self.at += 1;
            return Some(kw);
        }
        None
    }

    fn expect(&mut self, kind: TokenKind, expected: &'static str) -> Parsed<Token> {
        if self.is(kind) { Ok(self.advance()) } else { Err(self.unexpected(expected)) }
    }

    fn expect_open(&mut self) -> Parsed<()> {
        self.expect(TokenKind::Open, "(").map(drop)
    }

    fn expect_close(&mut self) -> Parsed<()> {
        self.expect(TokenKind::Close, ")").map(drop)
    }

    fn expect_kw(&mut self, kw: Kw) -> Parsed<()> {
        if self.accept_kw(kw) { Ok(()) } else { Err(self.unexpected(kw.name())) }
    }

    fn expect_words(&mut self, words: &[Kw]) -> Parsed<()> {
        words.iter().try_for_each(|kw| self.expect_kw(*kw))
    }

    /// Takes one of `words`, whose list is `expected` in an error.
    fn expect_one_of(&mut self, words: &[Kw], expected: &'static str) -> Parsed<Kw> {
        self.accept_one_of(words).ok_or_else(|| self.unexpected(expected))
    }

    fn unexpected(&self, expected: &'static str) -> Failure {
        self.unexpected_at(self.peek(), expected)
    }

    fn unexpected_at(&self, token: Token, expected: &'static str) -> Failure {
        let found = match token.kind {
            TokenKind::End => "end of statement".to_owned(),
            _ => excerpt(token.span().of(self.source), 40),
        };
        Failure::new(ParseErrorKind::Unexpected { expected, found }, token.start)
    }

    fn raw(&self, token: Token) -> &'a [u8] {
        token.span().of(self.source)
    }

    /// The token's text; for words, which the lexer delimits, and numbers.
    fn raw_text(&self, token: Token) -> Parsed<&'a str> {
        std::str::from_utf8(self.raw(token))
            .map_err(|_| Failure::new(ParseErrorKind::NotUtf8 { what: "identifier" }, token.start))
    }

    fn is_identifier(&self, token: Token) -> bool {
        match token.kind {
            TokenKind::Quoted => true,
            TokenKind::Word(kw) => !kw.is_reserved(),
            _ => false,
        }
    }

    fn ident_of(&self, token: Token) -> Parsed<Ident> {
        Ok(Ident { value: text::identifier(self.source, token)?, span: token.span() })
    }

    /// An identifier that is not a reserved word.
    fn ident(&mut self) -> Parsed<Ident> {
        self.ident_as("identifier")
    }

    fn ident_as(&mut self, expected: &'static str) -> Parsed<Ident> {
        if !self.is_identifier(self.peek()) {
            return Err(self.unexpected(expected));
        }
        let token = self.advance();
        self.ident_of(token)
    }

    /// `[schema .] name`. Behind the dot, reserved words are names too. `.name` is a name (ODBC).
    fn object_name(&mut self, expected: &'static str) -> Parsed<ObjectName> {
        if self.accept(TokenKind::Dot) {
            return Ok(ObjectName { schema: None, name: self.ident_behind_dot()? });
        }
        let first = self.ident_as(expected)?;
        if self.accept(TokenKind::Dot) {
            return Ok(ObjectName { schema: Some(first), name: self.ident_behind_dot()? });
        }
        Ok(ObjectName { schema: None, name: first })
    }

    fn table_name(&mut self) -> Parsed<ObjectName> {
        self.object_name("table name")
    }

    /// `[[schema .] table .] name` or `.name`, as MySQL 5 and MariaDB write columns and keys in DDL: the last
    /// part, which is all that counts.
    fn last_name(&mut self, expected: &'static str) -> Parsed<Ident> {
        let mut name = if self.is(TokenKind::Dot) { None } else { Some(self.ident_as(expected)?) };
        while self.accept(TokenKind::Dot) {
            name = Some(self.ident_behind_dot()?);
        }
        name.ok_or_else(|| self.unexpected(expected))
    }

    fn ident_behind_dot(&mut self) -> Parsed<Ident> {
        match self.peek().kind {
            TokenKind::Quoted | TokenKind::Word(_) => {
                let token = self.advance();
                self.ident_of(token)
            }
            _ => Err(self.unexpected("identifier")),
        }
    }

    /// One `item` or more, with commas between.
    fn comma_list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.accept(TokenKind::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `( item, item, ... )`.
    fn parenthesised_list<T>(&mut self, item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.expect_open()?;
        let items = self.comma_list(item)?;
        self.expect_close()?;
        Ok(items)
    }

    fn ident_list(&mut self) -> Parsed<Vec<Ident>> {
        self.parenthesised_list(Self::ident)
    }

    /// The tokens from index `first` up to the cursor.
    fn fragment_from(&self, first: usize) -> Parsed<Fragment> {
        self.fragment(first, self.at)
    }

    fn fragment(&self, first: usize, end: usize) -> Parsed<Fragment> {
        let tokens = self.tokens.get(first..end).unwrap_or_default();
        let text = text::canonical(self.source, tokens, self.options.sql_mode)?;
        let span = match (tokens.first(), tokens.last()) {
            (Some(first), Some(last)) => first.span().to(last.span()),
            _ => Span::new(self.peek().start, self.peek().start),
        };
        Ok(Fragment { text, span })
    }

    /// At `(`: steps behind its `)`. Returns the index of the token behind `(`, and that of `)`.
    fn skip_parenthesised(&mut self) -> Parsed<(usize, usize)> {
        self.expect_open()?;
        let first = self.at;
        let mut depth = 1usize;
        loop {
            let token = self.advance();
            match token.kind {
                TokenKind::Open => {
                    depth += 1;
                    if depth > crate::MAX_DEPTH {
                        return Err(Failure::new(ParseErrorKind::TooDeep, token.start));
                    }
                }
                TokenKind::Close => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok((first, self.at - 1));
                    }
                }
                TokenKind::End => return Err(self.unexpected(")")),
                _ => {}
            }
        }
    }

    /// `( tokens )`, the parentheses taken off; at least one token.
    fn parenthesised(&mut self) -> Parsed<Fragment> {
        let (first, close) = self.skip_parenthesised()?;
        if first == close {
            let token = self.tokens.get(close).copied().unwrap_or_else(|| self.peek());
            return Err(self.unexpected_at(token, "expression"));
        }
        self.fragment(first, close)
    }

    /// `( tokens )` with the parentheses; may be empty.
    fn parenthesised_whole(&mut self) -> Parsed<Fragment> {
        let first = self.at;
        self.skip_parenthesised()?;
        self.fragment_from(first)
    }

    /// Steps over everything up to a semicolon or the end, checking that parentheses match.
    fn skip_rest(&mut self) -> Parsed<()> {
        loop {
            match self.peek().kind {
                TokenKind::End | TokenKind::Semicolon => return Ok(()),
                TokenKind::Open => self.skip_parenthesised().map(drop)?,
                TokenKind::Close => return Err(self.unexpected("end of statement")),
                _ => self.at += 1,
            }
        }
    }

    /// Steps over a routine's body to the end, semicolons of its statements included.
    fn skip_program(&mut self) -> Parsed<()> {
        loop {
            self.skip_rest()?;
            if !self.accept(TokenKind::Semicolon) {
                return Ok(());
            }
        }
    }

    /// Fails at the end of the statement.
    fn expect_more(&self, expected: &'static str) -> Parsed<()> {
        match self.peek().kind {
            TokenKind::End | TokenKind::Semicolon => Err(self.unexpected(expected)),
            _ => Ok(()),
        }
    }

    /// The rest of the statement as text; at least one token.
    fn rest(&mut self, expected: &'static str) -> Parsed<Fragment> {
        let first = self.at;
        self.expect_more(expected)?;
        self.skip_rest()?;
        self.fragment_from(first)
    }

    fn accept_eq(&mut self) -> bool {
        self.accept(TokenKind::Eq)
    }

    fn if_exists(&mut self) -> bool {
        self.accept_words(&[Kw::IF, Kw::EXISTS])
    }

    fn if_not_exists(&mut self) -> bool {
        self.accept_words(&[Kw::IF, Kw::NOT, Kw::EXISTS])
    }

    /// MariaDB: `WAIT n`, `NOWAIT`.
    fn wait(&mut self) -> Parsed<Option<Fragment>> {
        let first = self.at;
        if self.accept_kw(Kw::WAIT) {
            self.number_text()?;
        } else if !self.accept_kw(Kw::NOWAIT) {
            return Ok(None);
        }
        self.fragment_from(first).map(Some)
    }
}
