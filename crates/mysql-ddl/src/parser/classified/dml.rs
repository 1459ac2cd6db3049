//! Statements that change rows: which table, as far as the head says.

use super::super::{Parsed, Parser};
use super::K;
use crate::ast::{Body, TableName};
use crate::keyword::Kw;
use crate::token::TokenKind;

impl Parser<'_> {
    /// At INSERT, REPLACE, UPDATE, DELETE, LOAD, WITH; `first` is the index of the statement's first token.
    pub(super) fn dml(&mut self, first: usize) -> Parsed<Body> {
        let kw = self.kw();
        match kw {
            Kw::INSERT | Kw::REPLACE => {
                self.advance();
                self.skip_modifiers();
                self.accept_kw(Kw::INTO);
                self.accept_kw(Kw::TABLE);
                let table = self.table_name()?;
                let kind = if kw == Kw::INSERT { K::Insert } else { K::Replace };
                self.classified(first, kind, Vec::new(), vec![table])
            }
            Kw::UPDATE => {
                self.advance();
                self.skip_modifiers();
                let tables = self.single_target(&[Kw::SET])?;
                self.classified(first, K::Update, Vec::new(), tables)
            }
            Kw::DELETE => {
                self.advance();
                self.skip_modifiers();
                let tables = self.delete_target()?;
                self.classified(first, K::Delete, Vec::new(), tables)
            }
            Kw::LOAD => self.load(first),
            _ => self.with(first),
        }
    }

    fn skip_modifiers(&mut self) {
        let words = [
            Kw::LOW_PRIORITY,
            Kw::DELAYED,
            Kw::HIGH_PRIORITY,
            Kw::QUICK,
            Kw::IGNORE,
            Kw::CONCURRENT,
            Kw::LOCAL,
            Kw::HISTORY,
            Kw::OVERWRITE,
        ];
        while self.accept_one_of(&words).is_some() {}
    }

    /// The one table of a single-table statement, empty when there are several.
    fn single_target(&mut self, ends: &[Kw]) -> Parsed<Vec<TableName>> {
        // `DELETE FROM t.*, u.* USING ..` names several.
        let all_columns = |ahead: usize| {
            self.nth(ahead).kind == TokenKind::Dot && self.nth(ahead + 1).kind == TokenKind::Op(b'*')
        };
        if !self.is_identifier(self.peek()) || all_columns(1) || all_columns(3) {
            return Ok(Vec::new());
        }
        let table = self.table_name()?;
        loop {
            let token = self.peek();
            match token.kind {
                TokenKind::End | TokenKind::Semicolon => return Ok(vec![table]),
                TokenKind::Comma => return Ok(Vec::new()),
                TokenKind::Open => self.skip_parenthesised().map(drop)?,
                TokenKind::Word(
                    Kw::JOIN | Kw::INNER | Kw::LEFT | Kw::RIGHT | Kw::CROSS | Kw::STRAIGHT_JOIN | Kw::NATURAL,
                ) => return Ok(Vec::new()),
                TokenKind::Word(kw) if ends.contains(&kw) => return Ok(vec![table]),
                _ => self.at += 1,
            }
        }
    }

    /// `FROM t WHERE ..` is one table; `t, u FROM ..` and `FROM t USING ..` name several or aliases.
    fn delete_target(&mut self) -> Parsed<Vec<TableName>> {
        if !self.accept_kw(Kw::FROM) {
            return Ok(Vec::new());
        }
        let tables = self.single_target(&[Kw::WHERE, Kw::ORDER, Kw::LIMIT, Kw::RETURNING, Kw::USING])?;
        if self.kw() == Kw::USING {
            return Ok(Vec::new());
        }
        Ok(tables)
    }

    fn load(&mut self, first: usize) -> Parsed<Body> {
        self.expect_kw(Kw::LOAD)?;
        let kind =
            match self.expect_one_of(&[Kw::DATA, Kw::XML, Kw::INDEX, Kw::STATS], "DATA, XML or INDEX")? {
                Kw::DATA => K::LoadData,
                Kw::XML => K::LoadXml,
                Kw::STATS => return self.classified_rest(first, K::Statistics),
                _ => return self.classified_rest(first, K::LoadIndex),
            };
        while !(self.kw() == Kw::INTO && self.nth_kw(1) == Kw::TABLE) {
            if self.at_end() {
                return Err(self.unexpected("INTO TABLE"));
            }
            self.advance();
        }
        self.at += 2;
        let table = self.table_name()?;
        self.classified(first, kind, Vec::new(), vec![table])
    }

    /// WITH common table expressions: the verb behind them decides.
    fn with(&mut self, first: usize) -> Parsed<Body> {
        self.expect_kw(Kw::WITH)?;
        loop {
            match self.peek().kind {
                TokenKind::End => return self.classified_rest(first, K::Select),
                TokenKind::Open => self.skip_parenthesised().map(drop)?,
                TokenKind::Word(Kw::SELECT | Kw::TABLE | Kw::VALUES) => {
                    return self.classified_rest(first, K::Select);
                }
                TokenKind::Word(Kw::UPDATE | Kw::DELETE | Kw::INSERT | Kw::REPLACE) => {
                    return self.dml(first);
                }
                _ => self.at += 1,
            }
        }
    }
}
