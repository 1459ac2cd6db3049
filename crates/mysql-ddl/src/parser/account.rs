//! Users, roles, privileges.

use super::{Parsed, Parser};
use crate::ast::{Body, Ident, ObjectName, StatementKind};
use crate::keyword::Kw;
use crate::token::TokenKind;

impl Parser<'_> {
    /// `user[@host]`, CURRENT_USER[()]: one name, `user@host`.
    pub(super) fn account(&mut self) -> Parsed<ObjectName> {
        let first = self.at;
        if matches!(self.kw(), Kw::CURRENT_USER | Kw::CURRENT_ROLE | Kw::USER | Kw::PUBLIC) {
            let name = self.kw().name().to_owned();
            self.advance();
            if self.accept(TokenKind::Open) {
                self.expect_close()?;
            }
            return Ok(named(name, self.span_from(first)));
        }
        let mut value = self.ident_or_string("user name")?;
        if self.accept(TokenKind::At) {
            value.push('@');
            value.push_str(&self.host()?);
        }
        Ok(named(value, self.span_from(first)))
    }

    /// What stands behind `@`; OceanBase shows a bare `%`.
    fn host(&mut self) -> Parsed<String> {
        let token = self.peek();
        match token.kind {
            TokenKind::Host => {
                self.advance();
                Ok(self.raw_text(token)?.to_owned())
            }
            TokenKind::Op(b'%') => {
                self.advance();
                Ok("%".to_owned())
            }
            _ => self.ident_or_string("host name"),
        }
    }

    /// Behind CREATE, ALTER or DROP: USER or ROLE, `[IF [NOT] EXISTS]`, accounts with anything between.
    pub(super) fn account_statement(&mut self, first: usize, kind: StatementKind) -> Parsed<Body> {
        self.advance();
        if !self.if_not_exists() {
            self.if_exists();
        }
        let mut accounts = vec![self.account()?];
        // Behind the first account stand authentication and options, whose commas separate accounts
        // only when a plain account follows directly.
        while self.accept(TokenKind::Comma) {
            accounts.push(self.account()?);
        }
        self.classified(first, kind, accounts, Vec::new())
    }

    /// GRANT and REVOKE: the accounts behind TO or FROM.
    pub(super) fn privileges(&mut self, first: usize, kind: StatementKind) -> Parsed<Body> {
        self.advance();
        let word = if kind == StatementKind::Grant { Kw::TO } else { Kw::FROM };
        while self.kw() != word {
            match self.peek().kind {
                TokenKind::End => return Err(self.unexpected(word.name())),
                TokenKind::Open => self.skip_parenthesised().map(drop)?,
                _ => self.at += 1,
            }
        }
        self.expect_kw(word)?;
        let mut accounts = vec![self.account()?];
        while self.accept(TokenKind::Comma) {
            accounts.push(self.account()?);
        }
        self.classified(first, kind, accounts, Vec::new())
    }
}

fn named(value: String, span: crate::ast::Span) -> ObjectName {
    ObjectName { schema: None, name: Ident { value, span } }
}
