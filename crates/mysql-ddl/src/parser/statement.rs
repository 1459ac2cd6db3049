//! The first words of a statement.

use super::{Parsed, Parser};
use crate::ast::{Body, DropIndex, DropTable, Ident, Statement, StatementKind};
use crate::dialect::Family;
use crate::error::{Failure, ParseErrorKind, excerpt};
use crate::keyword::Kw;
use crate::token::TokenKind;

impl Parser<'_> {
    /// One statement, which is all of the tokens.
    pub(crate) fn statement(&mut self) -> Parsed<Statement> {
        if self.at_end() {
            return Err(Failure::new(ParseErrorKind::Empty, self.peek().start));
        }
        let variables = self.statement_variables()?;
        let body = self.body()?;
        let span = self.span_from(0);
        if !self.at_end() {
            return Err(self.unexpected("end of statement"));
        }
        Ok(Statement { variables, body, span })
    }

    /// MariaDB: `SET STATEMENT a = 1, b = 2 FOR`.
    fn statement_variables(&mut self) -> Parsed<Option<crate::ast::Fragment>> {
        if self.family() != Family::MariaDb || !self.accept_words(&[Kw::SET, Kw::STATEMENT]) {
            return Ok(None);
        }
        let first = self.at;
        while self.kw() != Kw::FOR {
            match self.peek().kind {
                TokenKind::End | TokenKind::Semicolon => return Err(self.unexpected("FOR")),
                TokenKind::Open => self.skip_parenthesised().map(drop)?,
                _ => self.at += 1,
            }
        }
        let variables = self.fragment_from(first)?;
        self.expect_kw(Kw::FOR)?;
        Ok(Some(variables))
    }

    fn body(&mut self) -> Parsed<Body> {
        match self.kw() {
            Kw::CREATE => self.create(),
            Kw::ALTER => self.alter(),
            Kw::DROP => self.drop_statement(),
            Kw::RENAME => self.rename(),
            Kw::TRUNCATE => {
                self.advance();
                self.accept_kw(Kw::TABLE);
                Ok(Body::TruncateTable(self.truncate_table()?))
            }
            _ => self.other_statement(),
        }
    }

    fn rename(&mut self) -> Parsed<Body> {
        let first = self.at;
        self.expect_kw(Kw::RENAME)?;
        match self.expect_one_of(&[Kw::TABLE, Kw::TABLES, Kw::USER], "TABLE or USER")? {
            Kw::USER => {
                let accounts = self.comma_list(|parser| {
                    let from = parser.account()?;
                    parser.expect_kw(Kw::TO)?;
                    Ok([from, parser.account()?])
                })?;
                self.classified(
                    first,
                    StatementKind::RenameUser,
                    accounts.into_iter().flatten().collect(),
                    Vec::new(),
                )
            }
            _ => Ok(Body::RenameTable(self.rename_table()?)),
        }
    }

    /// ONLINE, OFFLINE.
    pub(super) fn online(&mut self) -> Option<String> {
        self.accept_one_of(&[Kw::ONLINE, Kw::OFFLINE]).map(|kw| kw.name().to_owned())
    }

    fn alter(&mut self) -> Parsed<Body> {
        let first = self.at;
        self.expect_kw(Kw::ALTER)?;
        let mut online = self.online();
        let ignore = self.accept_kw(Kw::IGNORE);
        online = online.or_else(|| self.online());
        if self.accept_kw(Kw::TABLE) {
            return Ok(Body::AlterTable(Box::new(self.alter_table(online, ignore)?)));
        }
        if online.is_some() || ignore {
            return Err(self.unexpected("TABLE"));
        }
        if self.accept_one_of(&[Kw::DATABASE, Kw::SCHEMA]).is_some() {
            return Ok(Body::AlterDatabase(self.alter_database()?));
        }
        self.alter_other(first)
    }

    fn drop_statement(&mut self) -> Parsed<Body> {
        let first = self.at;
        self.expect_kw(Kw::DROP)?;
        let global = self.kw() == Kw::GLOBAL && self.nth_kw(1) == Kw::TEMPORARY;
        if global {
            self.advance();
        }
        let temporary = self.accept_kw(Kw::TEMPORARY);
        if self.accept_one_of(&[Kw::TABLE, Kw::TABLES]).is_some() {
            let drop = self.drop_table()?;
            return Ok(Body::DropTable(DropTable { temporary, global, ..drop }));
        }
        if temporary && self.kw() != Kw::SEQUENCE {
            return Err(self.unexpected("TABLE"));
        }
        let online = self.online();
        if self.accept_kw(Kw::INDEX) {
            return self.drop_index(online);
        }
        if online.is_some() {
            return Err(self.unexpected("INDEX"));
        }
        if self.accept_one_of(&[Kw::DATABASE, Kw::SCHEMA]).is_some() {
            return Ok(Body::DropDatabase(self.drop_database()?));
        }
        self.drop_other(first)
    }

    fn drop_index(&mut self, online: Option<String>) -> Parsed<Body> {
        let if_exists = self.if_exists();
        let name: Ident = self.ident_as("index name")?;
        self.expect_kw(Kw::ON)?;
        let table = self.table_name()?;
        let mut drop =
            DropIndex { online, if_exists, name, table, algorithm: None, lock: None, wait: self.wait()? };
        (drop.algorithm, drop.lock) = self.algorithm_and_lock()?;
        Ok(Body::DropIndex(Box::new(drop)))
    }

    /// `[ALGORITHM [=] x] [LOCK [=] x]` in either order, in upper case.
    pub(super) fn algorithm_and_lock(&mut self) -> Parsed<(Option<String>, Option<String>)> {
        let (mut algorithm, mut lock) = (None, None);
        while let Some(kw) = self.accept_one_of(&[Kw::ALGORITHM, Kw::LOCK]) {
            self.accept_eq();
            match kw {
                Kw::ALGORITHM => algorithm = Some(self.upper_word("algorithm")?),
                _ => lock = Some(self.upper_word("kind of lock")?),
            }
        }
        Ok((algorithm, lock))
    }

    pub(super) fn unknown_statement(&self, at: usize) -> Failure {
        let token = self.tokens.get(at).copied().unwrap_or_else(|| self.peek());
        Failure::new(ParseErrorKind::UnknownStatement { found: excerpt(self.raw(token), 40) }, token.start)
    }
}
