//! CREATE TABLE behind its name; RENAME, DROP, TRUNCATE TABLE.

use super::index::KeyOrConstraint;
use super::{Parsed, Parser};
use crate::ast::{
    CreateTableBody, CreateTableQuery, DropTable, DuplicateRows, Ident, PeriodDef, RenameTable,
    TableDefinition, TableElement, TableOptions, TruncateTable,
};
use crate::keyword::Kw;
use crate::token::TokenKind;

impl Parser<'_> {
    /// What stands behind the table's name.
    pub(super) fn create_table_body(&mut self) -> Parsed<CreateTableBody> {
        if self.accept_kw(Kw::LIKE) {
            return Ok(CreateTableBody::Like(self.table_name()?));
        }
        if self.is(TokenKind::Open) && self.nth_kw(1) == Kw::LIKE {
            self.advance();
            self.advance();
            let table = self.table_name()?;
            self.expect_close()?;
            return Ok(CreateTableBody::Like(table));
        }
        let elements = if self.is(TokenKind::Open) && !self.begins_query() {
            self.table_elements()?
        } else {
            Vec::new()
        };
        let mut options = TableOptions::default();
        self.table_options(&mut options)?;
        let mut partitioning = None;
        if self.kw() == Kw::PARTITION {
            partitioning = Some(self.partitioning()?);
            self.table_options(&mut options)?;
        }
        // One order, wherever they stood.
        options.0.sort_by_key(crate::print::stands_behind_partitions);
        let query = self.create_table_query()?;
        // MariaDB's engines may find the columns themselves: CREATE TABLE t ENGINE=CONNECT ...
        let discovers = self.family() == crate::Family::MariaDb;
        if elements.is_empty() && query.is_none() && !discovers {
            return Err(self.unexpected("column definitions, LIKE or SELECT"));
        }
        Ok(CreateTableBody::Definition(Box::new(TableDefinition { elements, options, partitioning, query })))
    }

    fn begins_query(&self) -> bool {
        let mut ahead = 0;
        while self.nth(ahead).kind == TokenKind::Open {
            ahead += 1;
        }
        matches!(self.nth_kw(ahead), Kw::SELECT | Kw::WITH | Kw::TABLE | Kw::VALUES)
    }

    fn create_table_query(&mut self) -> Parsed<Option<CreateTableQuery>> {
        let duplicates = match self.accept_one_of(&[Kw::IGNORE, Kw::REPLACE]) {
            Some(Kw::IGNORE) => Some(DuplicateRows::Ignore),
            Some(_) => Some(DuplicateRows::Replace),
            None => None,
        };
        let said = self.accept_kw(Kw::AS) || duplicates.is_some();
        if self.begins_query() {
            return Ok(Some(CreateTableQuery { duplicates, query: self.rest("query")? }));
        }
        if said { Err(self.unexpected("query")) } else { Ok(None) }
    }

    /// `( element, element, ... )`.
    pub(super) fn table_elements(&mut self) -> Parsed<Vec<TableElement>> {
        self.parenthesised_list(Self::table_element)
    }

    fn table_element(&mut self) -> Parsed<TableElement> {
        if self.begins_key_or_constraint() {
            return Ok(match self.key_or_constraint()? {
                KeyOrConstraint::Index(index) => TableElement::Index(index),
                KeyOrConstraint::ForeignKey(key) => TableElement::ForeignKey(key),
                KeyOrConstraint::Check(check) => TableElement::Check(check),
            });
        }
        if self.begins_period() {
            return Ok(TableElement::Period(self.period()?));
        }
        Ok(TableElement::Column(self.column_def()?))
    }

    /// True at PERIOD [IF ..] FOR; else `period` is a column's name.
    pub(super) fn begins_period(&self) -> bool {
        self.kw() == Kw::PERIOD && matches!(self.nth_kw(1), Kw::FOR | Kw::IF)
    }

    /// MariaDB: `PERIOD [IF NOT EXISTS] FOR name (start, end)`.
    pub(super) fn period(&mut self) -> Parsed<PeriodDef> {
        let first = self.at;
        self.expect_kw(Kw::PERIOD)?;
        let if_not_exists = self.if_not_exists();
        self.expect_kw(Kw::FOR)?;
        let name = self.ident_as("period name")?;
        self.expect_open()?;
        let start: Ident = self.ident_as("column name")?;
        self.expect(TokenKind::Comma, ",")?;
        let end = self.ident_as("column name")?;
        self.expect_close()?;
        Ok(PeriodDef { name, if_not_exists, start, end, span: self.span_from(first) })
    }

    /// Behind RENAME TABLE.
    pub(super) fn rename_table(&mut self) -> Parsed<RenameTable> {
        let if_exists = self.if_exists();
        let mut wait = None;
        let renames = self.comma_list(|parser| {
            let from = parser.table_name()?;
            wait = parser.wait()?.or(wait.take());
            parser.expect_kw(Kw::TO)?;
            Ok((from, parser.table_name()?))
        })?;
        Ok(RenameTable { if_exists, wait, renames })
    }

    /// Behind DROP TABLE.
    pub(super) fn drop_table(&mut self) -> Parsed<DropTable> {
        let if_exists = self.if_exists();
        let tables = self.comma_list(Self::table_name)?;
        let wait = self.wait()?;
        let behaviour = self.accept_one_of(&[Kw::RESTRICT, Kw::CASCADE]).map(|kw| kw.name().to_owned());
        let purge = self.accept_kw(Kw::PURGE);
        Ok(DropTable { temporary: false, global: false, if_exists, tables, behaviour, wait, purge })
    }

    /// Behind TRUNCATE [TABLE].
    pub(super) fn truncate_table(&mut self) -> Parsed<TruncateTable> {
        let table = self.table_name()?;
        Ok(TruncateTable { table, wait: self.wait()? })
    }
}
