//! Indexes, foreign keys, checks.

use super::{Parsed, Parser};
use crate::ast::{
    CheckDef, ForeignKeyDef, Fragment, Ident, IndexDef, IndexKind, IndexOption, KeyPart, KeyPartTarget,
    MatchType, OptionValue, References, ReferentialAction, SortOrder,
};
use crate::keyword::Kw;
use crate::token::TokenKind;

/// A table constraint or index.
pub(super) enum KeyOrConstraint {
    Index(IndexDef),
    ForeignKey(ForeignKeyDef),
    Check(CheckDef),
}

impl Parser<'_> {
    /// True when an index or a table constraint begins here rather than a column.
    pub(super) fn begins_key_or_constraint(&self) -> bool {
        match self.kw() {
            Kw::CONSTRAINT | Kw::PRIMARY | Kw::UNIQUE | Kw::FULLTEXT | Kw::SPATIAL | Kw::FOREIGN => true,
            Kw::INDEX | Kw::KEY | Kw::CHECK => true,
            // Not reserved: a column may be called so.
            Kw::VECTOR | Kw::COLUMNAR => matches!(self.nth_kw(1), Kw::INDEX | Kw::KEY),
            _ => false,
        }
    }

    /// `[CONSTRAINT [name]]`.
    pub(super) fn constraint_name(&mut self) -> Parsed<Option<Ident>> {
        if !self.accept_kw(Kw::CONSTRAINT) || !self.is_identifier(self.peek()) {
            return Ok(None);
        }
        let first = self.ident()?;
        // OceanBase and old dumps write `db.constraint`; the name is the last part.
        if self.accept(TokenKind::Dot) {
            return self.ident_behind_dot().map(Some);
        }
        Ok(Some(first))
    }

    /// `[CONSTRAINT [name]] PRIMARY KEY|UNIQUE|INDEX|FULLTEXT|SPATIAL|FOREIGN KEY|CHECK ...`.
    pub(super) fn key_or_constraint(&mut self) -> Parsed<KeyOrConstraint> {
        let first = self.at;
        let constrained = self.kw() == Kw::CONSTRAINT;
        // MariaDB: CONSTRAINT IF NOT EXISTS name.
        let mut if_not_exists = false;
        let mut constraint = None;
        if constrained {
            if self.nth_kw(1) == Kw::IF && self.nth_kw(2) == Kw::NOT {
                self.advance();
                if_not_exists = self.if_not_exists();
                constraint = Some(self.ident()?);
            } else {
                constraint = self.constraint_name()?;
            }
        }
        match self.kw() {
            Kw::FOREIGN => {
                let mut key = self.foreign_key(first, constraint)?;
                key.if_not_exists |= if_not_exists;
                Ok(KeyOrConstraint::ForeignKey(key))
            }
            Kw::CHECK => {
                let mut check = self.check_def(first, constraint)?;
                check.if_not_exists = if_not_exists;
                Ok(KeyOrConstraint::Check(check))
            }
            Kw::PRIMARY | Kw::UNIQUE => self.index_def(first, constraint).map(KeyOrConstraint::Index),
            _ if constrained => Err(self.unexpected("PRIMARY KEY, UNIQUE, FOREIGN KEY or CHECK")),
            _ => self.index_def(first, None).map(KeyOrConstraint::Index),
        }
    }

    fn index_kind(&mut self) -> Parsed<IndexKind> {
        let words = [
            Kw::PRIMARY,
            Kw::UNIQUE,
            Kw::FULLTEXT,
            Kw::SPATIAL,
            Kw::VECTOR,
            Kw::COLUMNAR,
            Kw::INDEX,
            Kw::KEY,
        ];
        let kw = self.expect_one_of(&words, "index or constraint")?;
        let kind = match kw {
            Kw::PRIMARY => {
                self.expect_kw(Kw::KEY)?;
                return Ok(IndexKind::Primary);
            }
            Kw::UNIQUE => IndexKind::Unique,
            Kw::FULLTEXT => IndexKind::Fulltext,
            Kw::SPATIAL => IndexKind::Spatial,
            Kw::VECTOR => IndexKind::Vector,
            Kw::COLUMNAR => IndexKind::Columnar,
            _ => return Ok(IndexKind::Plain),
        };
        self.accept_one_of(&[Kw::INDEX, Kw::KEY]);
        Ok(kind)
    }

    fn index_def(&mut self, first: usize, constraint: Option<Ident>) -> Parsed<IndexDef> {
        let kind = self.index_kind()?;
        let if_not_exists = self.if_not_exists();
        let name = if self.is_identifier(self.peek()) && !self.begins_index_type() {
            Some(self.ident()?)
        } else {
            None
        };
        self.index_body(first, IndexHead { kind, constraint, if_not_exists, name })
    }

    /// `USING BTREE` and `TYPE BTREE`, which older grammars allow before the columns.
    fn begins_index_type(&self) -> bool {
        self.kw() == Kw::TYPE && matches!(self.nth_kw(1), Kw::BTREE | Kw::HASH | Kw::RTREE)
    }

    /// From the index type or the column list on.
    pub(super) fn index_body(&mut self, first: usize, head: IndexHead) -> Parsed<IndexDef> {
        self.index_body_and_wait(first, head).map(|(index, _)| index)
    }

    /// The same, with MariaDB's WAIT behind the columns of CREATE INDEX.
    pub(super) fn index_body_and_wait(
        &mut self,
        first: usize,
        head: IndexHead,
    ) -> Parsed<(IndexDef, Option<Fragment>)> {
        let mut options = Vec::new();
        self.index_type(&mut options)?;
        let (parts, without_overlaps) = self.key_parts()?;
        let wait = self.wait()?;
        self.index_options(&mut options)?;
        let partitioning = if self.kw() == Kw::PARTITION && self.nth_kw(1) == Kw::BY {
            Some(Box::new(self.partitioning()?))
        } else {
            None
        };
        let index = IndexDef {
            kind: head.kind,
            constraint: head.constraint,
            name: head.name,
            if_not_exists: head.if_not_exists,
            parts,
            without_overlaps,
            options,
            partitioning,
            span: self.span_from(first),
        };
        Ok((index, wait))
    }

    /// USING, TYPE.
    pub(super) fn index_type(&mut self, options: &mut Vec<IndexOption>) -> Parsed<()> {
        if self.accept_kw(Kw::USING) || (self.begins_index_type() && self.accept_kw(Kw::TYPE)) {
            options.push(IndexOption::Using(self.upper_word("index type")?));
        }
        Ok(())
    }

    /// `( part, ... [, period WITHOUT OVERLAPS] )`.
    fn key_parts(&mut self) -> Parsed<(Vec<KeyPart>, Option<Ident>)> {
        self.expect_open()?;
        let mut parts = Vec::new();
        let mut period = None;
        loop {
            if self.nth_kw(1) == Kw::WITHOUT && self.nth_kw(2) == Kw::OVERLAPS {
                period = Some(self.ident()?);
                self.expect_words(&[Kw::WITHOUT, Kw::OVERLAPS])?;
                break;
            }
            parts.push(self.key_part()?);
            if !self.accept(TokenKind::Comma) {
                break;
            }
        }
        self.expect_close()?;
        Ok((parts, period))
    }

    fn key_part(&mut self) -> Parsed<KeyPart> {
        let (target, length) = if self.is(TokenKind::Open) {
            (KeyPartTarget::Expr(self.parenthesised()?), None)
        } else {
            self.key_column()?
        };
        Ok(KeyPart { target, length, order: self.sort_order() })
    }

    /// `column [(length)]`.
    fn key_column(&mut self) -> Parsed<(KeyPartTarget, Option<u64>)> {
        let name = self.ident_as("column name")?;
        let mut length = None;
        if self.accept(TokenKind::Open) {
            length = Some(self.integer()?);
            self.expect_close()?;
        }
        Ok((KeyPartTarget::Column(name), length))
    }

    pub(super) fn sort_order(&mut self) -> Option<SortOrder> {
        self.accept_one_of(&[Kw::ASC, Kw::DESC])
            .map(|kw| if kw == Kw::ASC { SortOrder::Asc } else { SortOrder::Desc })
    }

    pub(super) fn index_options(&mut self, options: &mut Vec<IndexOption>) -> Parsed<()> {
        while let Some(option) = self.index_option()? {
            options.push(option);
        }
        Ok(())
    }

    fn index_option(&mut self) -> Parsed<Option<IndexOption>> {
        let kw = self.kw();
        if kw == Kw::USING || self.begins_index_type() {
            let mut one = Vec::new();
            self.index_type(&mut one)?;
            return Ok(one.pop());
        }
        let option = match kw {
            Kw::VISIBLE => IndexOption::Visible,
            Kw::INVISIBLE => IndexOption::Invisible,
            Kw::IGNORED => IndexOption::Ignored,
            Kw::GLOBAL => IndexOption::Global,
            Kw::LOCAL => IndexOption::Local,
            Kw::NOT if self.nth_kw(1) == Kw::IGNORED => {
                self.advance();
                IndexOption::NotIgnored
            }
            Kw::CLUSTERED | Kw::NONCLUSTERED => {
                return Ok(self.primary_key_layout().map(IndexOption::Layout));
            }
            Kw::KEY_BLOCK_SIZE | Kw::BLOCK_SIZE => {
                self.advance();
                self.accept_eq();
                let size = self.integer()?;
                return Ok(Some(match kw {
                    Kw::KEY_BLOCK_SIZE => IndexOption::KeyBlockSize(size),
                    _ => IndexOption::BlockSize(size),
                }));
            }
            Kw::WITH if self.nth_kw(1) == Kw::PARSER => {
                self.at += 2;
                return Ok(Some(IndexOption::WithParser(self.ident_as("parser name")?)));
            }
            Kw::COMMENT | Kw::ENGINE_ATTRIBUTE | Kw::SECONDARY_ENGINE_ATTRIBUTE => {
                self.advance();
                self.accept_eq();
                let value = self.string()?;
                return Ok(Some(match kw {
                    Kw::COMMENT => IndexOption::Comment(value),
                    Kw::ENGINE_ATTRIBUTE => IndexOption::EngineAttribute(value),
                    _ => IndexOption::SecondaryEngineAttribute(value),
                }));
            }
            Kw::STORING => {
                self.advance();
                return Ok(Some(IndexOption::Storing(self.ident_list()?)));
            }
            _ => return self.named_index_option(),
        };
        self.advance();
        Ok(Some(option))
    }

    /// Options of one family, kept as name and value.
    fn named_index_option(&mut self) -> Parsed<Option<IndexOption>> {
        let kw = self.kw();
        let equals = self.nth(1).kind == TokenKind::Eq;
        let known = match kw {
            Kw::WITH => self.nth(1).kind == TokenKind::Open,
            Kw::PARSER_PROPERTIES | Kw::PRE_SPLIT_REGIONS | Kw::CTXCAT => true,
            // ALGORITHM= and LOCK= belong to CREATE INDEX.
            Kw::ALGORITHM | Kw::LOCK => false,
            _ => equals && self.is_identifier(self.peek()) && self.family() != crate::Family::Mysql,
        };
        if !known {
            return Ok(None);
        }
        let name = self.ident_of(self.peek())?.value.to_ascii_uppercase();
        self.advance();
        self.accept_eq();
        let value = if self.is(TokenKind::Open) {
            OptionValue::Text(self.parenthesised_whole()?)
        } else {
            self.plain_value()?
        };
        Ok(Some(IndexOption::Named { name, value }))
    }

    fn foreign_key(&mut self, first: usize, constraint: Option<Ident>) -> Parsed<ForeignKeyDef> {
        self.expect_words(&[Kw::FOREIGN, Kw::KEY])?;
        let if_not_exists = self.if_not_exists();
        let index_name = if self.is(TokenKind::Open) { None } else { Some(self.ident_as("(")?) };
        let columns = self.ident_list()?;
        let references = self.references()?;
        Ok(ForeignKeyDef {
            constraint,
            if_not_exists,
            index_name,
            columns,
            references,
            span: self.span_from(first),
        })
    }

    pub(super) fn references(&mut self) -> Parsed<References> {
        self.expect_kw(Kw::REFERENCES)?;
        let table = self.table_name()?;
        let columns = if self.is(TokenKind::Open) { self.ident_list()? } else { Vec::new() };
        let match_type = if self.accept_kw(Kw::MATCH) {
            Some(
                match self.expect_one_of(&[Kw::FULL, Kw::PARTIAL, Kw::SIMPLE], "FULL, PARTIAL or SIMPLE")? {
                    Kw::FULL => MatchType::Full,
                    Kw::PARTIAL => MatchType::Partial,
                    _ => MatchType::Simple,
                },
            )
        } else {
            None
        };
        let mut references = References { table, columns, match_type, on_delete: None, on_update: None };
        // A column's own ON UPDATE CURRENT_TIMESTAMP can't follow: REFERENCES comes last in every grammar.
        while self.kw() == Kw::ON && matches!(self.nth_kw(1), Kw::DELETE | Kw::UPDATE) {
            self.advance();
            let event = self.expect_one_of(&[Kw::DELETE, Kw::UPDATE], "DELETE or UPDATE")?;
            let action = Some(self.referential_action()?);
            match event {
                Kw::DELETE => references.on_delete = action,
                _ => references.on_update = action,
            }
        }
        Ok(references)
    }

    fn referential_action(&mut self) -> Parsed<ReferentialAction> {
        let expected = "RESTRICT, CASCADE, SET NULL, NO ACTION or SET DEFAULT";
        Ok(match self.expect_one_of(&[Kw::RESTRICT, Kw::CASCADE, Kw::SET, Kw::NO], expected)? {
            Kw::RESTRICT => ReferentialAction::Restrict,
            Kw::CASCADE => ReferentialAction::Cascade,
            Kw::NO => {
                self.expect_kw(Kw::ACTION)?;
                ReferentialAction::NoAction
            }
            _ => match self.expect_one_of(&[Kw::NULL, Kw::DEFAULT], "NULL or DEFAULT")? {
                Kw::NULL => ReferentialAction::SetNull,
                _ => ReferentialAction::SetDefault,
            },
        })
    }

    /// At CHECK; `first` is the index of the constraint's first token.
    pub(super) fn check_def(&mut self, first: usize, constraint: Option<Ident>) -> Parsed<CheckDef> {
        self.expect_kw(Kw::CHECK)?;
        let expr = self.parenthesised()?;
        let enforced = self.enforced();
        Ok(CheckDef { constraint, if_not_exists: false, expr, enforced, span: self.span_from(first) })
    }

    /// `[NOT] ENFORCED`.
    pub(super) fn enforced(&mut self) -> Option<bool> {
        if self.accept_kw(Kw::ENFORCED) {
            Some(true)
        } else if self.accept_words(&[Kw::NOT, Kw::ENFORCED]) {
            Some(false)
        } else {
            None
        }
    }
}

/// What stands before an index's columns.
pub(super) struct IndexHead {
    pub(super) kind: IndexKind,
    pub(super) constraint: Option<Ident>,
    pub(super) if_not_exists: bool,
    pub(super) name: Option<Ident>,
}
