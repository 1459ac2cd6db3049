//! ALTER TABLE behind its name: clauses about columns, keys and the table as a whole.

use super::index::KeyOrConstraint;
use super::{Parsed, Parser};
use crate::ast::{
    AlterClause, AlterColumnAction, AlterTable, ColumnDef, ColumnPosition, Ident, IndexVisibility, SortOrder,
};
use crate::keyword::Kw;
use crate::token::TokenKind;

impl Parser<'_> {
    /// Behind ALTER [ONLINE] [IGNORE] TABLE.
    pub(super) fn alter_table(&mut self, online: Option<String>, ignore: bool) -> Parsed<AlterTable> {
        let if_exists = self.if_exists();
        let table = self.table_name()?;
        let wait = self.wait()?;
        let mut clauses = Vec::new();
        while !self.at_end() {
            // PARTITION BY and REMOVE PARTITIONING follow the last clause without a comma, and so do
            // further table options behind the first.
            clauses.push(self.alter_clause()?);
            let more = self.accept(TokenKind::Comma);
            if more && self.at_end() {
                return Err(self.unexpected("clause of ALTER TABLE"));
            }
            if !more && !self.at_end() && !self.follows_without_comma(clauses.last()) {
                return Err(self.unexpected("comma or end of statement"));
            }
        }
        Ok(AlterTable { online, ignore, if_exists, table, wait, clauses })
    }

    fn follows_without_comma(&self, last: Option<&AlterClause>) -> bool {
        let partitions = (self.kw() == Kw::PARTITION && self.nth_kw(1) == Kw::BY)
            || (self.kw() == Kw::REMOVE && self.nth_kw(1) == Kw::PARTITIONING);
        partitions || matches!(last, Some(AlterClause::Option(_)))
    }

    fn alter_clause(&mut self) -> Parsed<AlterClause> {
        if let Some(clause) = self.alter_partition_clause()? {
            return Ok(clause);
        }
        if let Some(clause) = self.vendor_clause()? {
            return Ok(clause);
        }
        match self.kw() {
            Kw::ADD => self.alter_add(),
            Kw::DROP => self.alter_drop(),
            Kw::MODIFY => {
                self.advance();
                self.accept_kw(Kw::COLUMN);
                let if_exists = self.if_exists();
                let (column, position) = self.column_and_position()?;
                Ok(AlterClause::ModifyColumn { if_exists, column, position })
            }
            Kw::CHANGE => {
                self.advance();
                self.accept_kw(Kw::COLUMN);
                let if_exists = self.if_exists();
                let old = self.last_name("column name")?;
                let (column, position) = self.column_and_position()?;
                Ok(AlterClause::ChangeColumn { if_exists, old, column, position })
            }
            Kw::ALTER => self.alter_alter(),
            Kw::RENAME => self.alter_rename(),
            Kw::CONVERT => self.convert_to(),
            _ => self.whole_table_clause(),
        }
    }

    fn column_and_position(&mut self) -> Parsed<(ColumnDef, Option<ColumnPosition>)> {
        let column = self.column_def()?;
        Ok((column, self.column_position()?))
    }

    fn alter_add(&mut self) -> Parsed<AlterClause> {
        self.expect_kw(Kw::ADD)?;
        if self.begins_key_or_constraint() {
            return Ok(match self.key_or_constraint()? {
                KeyOrConstraint::Index(index) => AlterClause::AddIndex(index),
                KeyOrConstraint::ForeignKey(key) => AlterClause::AddForeignKey(key),
                KeyOrConstraint::Check(check) => AlterClause::AddCheck(check),
            });
        }
        if self.accept_words(&[Kw::SYSTEM, Kw::VERSIONING]) {
            return Ok(AlterClause::AddSystemVersioning);
        }
        if self.begins_period() {
            return Ok(AlterClause::AddPeriod(self.period()?));
        }
        self.accept_kw(Kw::COLUMN);
        let if_not_exists = self.if_not_exists();
        if self.is(TokenKind::Open) {
            return Ok(AlterClause::AddElements { if_not_exists, elements: self.table_elements()? });
        }
        let (column, position) = self.column_and_position()?;
        Ok(AlterClause::AddColumn { if_not_exists, column, position })
    }

    fn alter_drop(&mut self) -> Parsed<AlterClause> {
        self.expect_kw(Kw::DROP)?;
        let kw = self.kw();
        match kw {
            Kw::PRIMARY => {
                self.expect_words(&[Kw::PRIMARY, Kw::KEY])?;
                Ok(AlterClause::DropPrimaryKey)
            }
            Kw::INDEX | Kw::KEY | Kw::CHECK | Kw::CONSTRAINT => {
                self.advance();
                let if_exists = self.if_exists();
                // MariaDB: DROP CONSTRAINT PRIMARY KEY.
                if kw == Kw::CONSTRAINT && !if_exists && self.accept_words(&[Kw::PRIMARY, Kw::KEY]) {
                    return Ok(AlterClause::DropPrimaryKey);
                }
                let name = self.last_name("name")?;
                Ok(match kw {
                    Kw::CHECK => AlterClause::DropCheck { if_exists, name },
                    Kw::CONSTRAINT => AlterClause::DropConstraint { if_exists, name },
                    _ => AlterClause::DropIndex { if_exists, name },
                })
            }
            Kw::FOREIGN => {
                self.expect_words(&[Kw::FOREIGN, Kw::KEY])?;
                let if_exists = self.if_exists();
                Ok(AlterClause::DropForeignKey { if_exists, name: self.last_name("foreign key name")? })
            }
            Kw::SYSTEM if self.nth_kw(1) == Kw::VERSIONING => {
                self.at += 2;
                Ok(AlterClause::DropSystemVersioning)
            }
            Kw::PERIOD if self.begins_period() => {
                self.advance();
                let if_exists = self.if_exists();
                self.expect_kw(Kw::FOR)?;
                Ok(AlterClause::DropPeriod { if_exists, name: self.ident_as("period name")? })
            }
            _ => {
                self.accept_kw(Kw::COLUMN);
                let if_exists = self.if_exists();
                let name = self.last_name("column name")?;
                self.accept_one_of(&[Kw::RESTRICT, Kw::CASCADE]);
                Ok(AlterClause::DropColumn { if_exists, name })
            }
        }
    }

    /// ALTER [COLUMN], ALTER INDEX, ALTER CHECK, ALTER CONSTRAINT.
    fn alter_alter(&mut self) -> Parsed<AlterClause> {
        self.expect_kw(Kw::ALTER)?;
        if self.accept_one_of(&[Kw::INDEX, Kw::KEY]).is_some() {
            let if_exists = self.if_exists();
            let name = self.ident_as("index name")?;
            return Ok(AlterClause::AlterIndex { if_exists, name, visibility: self.index_visibility()? });
        }
        if self.accept_one_of(&[Kw::CHECK, Kw::CONSTRAINT]).is_some() {
            let name = self.ident_as("constraint name")?;
            return match self.enforced() {
                Some(enforced) => Ok(AlterClause::AlterCheck { name, enforced }),
                None => Err(self.unexpected("ENFORCED or NOT ENFORCED")),
            };
        }
        self.accept_kw(Kw::COLUMN);
        let if_exists = self.if_exists();
        let name = self.ident_as("column name")?;
        let action = match self.expect_one_of(&[Kw::SET, Kw::DROP], "SET or DROP")? {
            Kw::DROP => {
                self.expect_kw(Kw::DEFAULT)?;
                AlterColumnAction::DropDefault
            }
            _ => match self
                .expect_one_of(&[Kw::DEFAULT, Kw::VISIBLE, Kw::INVISIBLE], "DEFAULT, VISIBLE or INVISIBLE")?
            {
                Kw::DEFAULT => AlterColumnAction::SetDefault(self.default_value()?),
                Kw::VISIBLE => AlterColumnAction::SetVisible,
                _ => AlterColumnAction::SetInvisible,
            },
        };
        Ok(AlterClause::AlterColumn { if_exists, name, action })
    }

    fn index_visibility(&mut self) -> Parsed<IndexVisibility> {
        if self.accept_words(&[Kw::NOT, Kw::IGNORED]) {
            return Ok(IndexVisibility::NotIgnored);
        }
        let expected = "VISIBLE, INVISIBLE, IGNORED or NOT IGNORED";
        Ok(match self.expect_one_of(&[Kw::VISIBLE, Kw::INVISIBLE, Kw::IGNORED], expected)? {
            Kw::VISIBLE => IndexVisibility::Visible,
            Kw::INVISIBLE => IndexVisibility::Invisible,
            _ => IndexVisibility::Ignored,
        })
    }

    fn alter_rename(&mut self) -> Parsed<AlterClause> {
        self.expect_kw(Kw::RENAME)?;
        match self.kw() {
            Kw::COLUMN => {
                self.advance();
                let if_exists = self.if_exists();
                let (from, to) = self.old_and_new("column name")?;
                Ok(AlterClause::RenameColumn { if_exists, from, to })
            }
            Kw::INDEX | Kw::KEY => {
                self.advance();
                let if_exists = self.if_exists();
                let (from, to) = self.old_and_new("index name")?;
                Ok(AlterClause::RenameIndex { if_exists, from, to })
            }
            _ => {
                if !self.accept_eq() {
                    self.accept_one_of(&[Kw::TO, Kw::AS]);
                }
                Ok(AlterClause::RenameTo(self.table_name()?))
            }
        }
    }

    pub(super) fn old_and_new(&mut self, what: &'static str) -> Parsed<(Ident, Ident)> {
        let from = self.ident_as(what)?;
        self.expect_kw(Kw::TO)?;
        Ok((from, self.ident_as(what)?))
    }

    /// CONVERT TO CHARACTER SET x [COLLATE y].
    fn convert_to(&mut self) -> Parsed<AlterClause> {
        self.expect_words(&[Kw::CONVERT, Kw::TO])?;
        if !self.accept_kw(Kw::CHARSET) {
            self.expect_one_of(&[Kw::CHARACTER, Kw::CHAR], "CHARACTER SET")?;
            self.expect_kw(Kw::SET)?;
        }
        self.accept_eq();
        let charset = self.charset_name("charset")?;
        let mut collation = None;
        if self.accept_kw(Kw::COLLATE) {
            self.accept_eq();
            collation = self.charset_name("collation")?;
        }
        Ok(AlterClause::ConvertTo { charset, collation })
    }

    fn whole_table_clause(&mut self) -> Parsed<AlterClause> {
        let clause = match (self.kw(), self.nth_kw(1)) {
            (Kw::ORDER, _) => return self.order_by(),
            (Kw::ALGORITHM, _) => {
                self.advance();
                self.accept_eq();
                return Ok(AlterClause::Algorithm(self.upper_word("algorithm")?));
            }
            (Kw::LOCK, _) => {
                self.advance();
                self.accept_eq();
                return Ok(AlterClause::Lock(self.upper_word("kind of lock")?));
            }
            (Kw::FORCE, Kw::AUTO_INCREMENT | Kw::AUTO_RANDOM_BASE) => return self.option_clause(),
            (Kw::FORCE, _) => {
                self.advance();
                return Ok(AlterClause::Force);
            }
            (Kw::SECONDARY_LOAD, _) => {
                self.advance();
                return Ok(AlterClause::SecondaryLoad);
            }
            (Kw::SECONDARY_UNLOAD, _) => {
                self.advance();
                return Ok(AlterClause::SecondaryUnload);
            }
            (Kw::DISABLE, Kw::KEYS) => AlterClause::DisableKeys,
            (Kw::ENABLE, Kw::KEYS) => AlterClause::EnableKeys,
            (Kw::WITH, Kw::VALIDATION) => AlterClause::WithValidation,
            (Kw::WITHOUT, Kw::VALIDATION) => AlterClause::WithoutValidation,
            (Kw::DISCARD, Kw::TABLESPACE) => AlterClause::DiscardTablespace,
            (Kw::IMPORT, Kw::TABLESPACE) => AlterClause::ImportTablespace,
            _ => return self.option_clause(),
        };
        self.at += 2;
        Ok(clause)
    }

    fn option_clause(&mut self) -> Parsed<AlterClause> {
        match self.table_option()? {
            Some(option) => Ok(AlterClause::Option(option)),
            None => Err(self.unexpected("clause of ALTER TABLE")),
        }
    }

    /// ORDER BY takes commas of its own, so it has to be the last clause, as the manual wants.
    fn order_by(&mut self) -> Parsed<AlterClause> {
        self.expect_words(&[Kw::ORDER, Kw::BY])?;
        let columns = self.comma_list(|parser| -> Parsed<(Ident, Option<SortOrder>)> {
            let name = parser.last_name("column name")?;
            Ok((name, parser.sort_order()))
        })?;
        Ok(AlterClause::OrderBy(columns))
    }
}
