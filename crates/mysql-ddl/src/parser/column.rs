//! Column definitions and their attributes.

use super::{Parsed, Parser};
use crate::ast::{
    ColumnAttribute, ColumnDef, ColumnPosition, DefaultValue, GeneratedStorage, Ident, PrimaryKeyLayout,
};
use crate::dialect::Family;
use crate::keyword::Kw;
use crate::token::TokenKind;

impl Parser<'_> {
    /// `name type attributes`.
    pub(super) fn column_def(&mut self) -> Parsed<ColumnDef> {
        let name = self.last_name("column name")?;
        self.column_body(name)
    }

    /// What stands behind the column's name.
    pub(super) fn column_body(&mut self, name: Ident) -> Parsed<ColumnDef> {
        let generated_without_type = self.kw() == Kw::GENERATED && self.nth_kw(3) == Kw::ROW;
        let mut data_type = if generated_without_type { None } else { Some(self.data_type()?) };
        let mut attributes = Vec::new();
        loop {
            // COLLATE stands anywhere among the attributes, and in MariaDB so does the charset.
            let charset = match self.kw() {
                Kw::CHARACTER => self.nth_kw(1) == Kw::SET,
                kw => matches!(kw, Kw::CHARSET | Kw::COLLATE),
            };
            if charset && let Some(data_type) = &mut data_type {
                self.charset_attributes(data_type)?;
                continue;
            }
            match self.column_attribute()? {
                Some(attribute) => attributes.push(attribute),
                None => break,
            }
        }
        let span = name.span.to(self.last_span());
        // One order, wherever it stood.
        attributes.sort_by_key(|attribute| !matches!(attribute, ColumnAttribute::Compressed(_)));
        Ok(ColumnDef { name, data_type, attributes, span })
    }

    /// FIRST, AFTER column.
    pub(super) fn column_position(&mut self) -> Parsed<Option<ColumnPosition>> {
        if self.accept_kw(Kw::FIRST) {
            return Ok(Some(ColumnPosition::First));
        }
        if self.accept_kw(Kw::AFTER) {
            return Ok(Some(ColumnPosition::After(self.ident_as("column name")?)));
        }
        Ok(None)
    }

    fn column_attribute(&mut self) -> Parsed<Option<ColumnAttribute>> {
        let attribute = match self.kw() {
            Kw::NOT => return self.negated_attribute(),
            Kw::NULL => {
                self.advance();
                ColumnAttribute::Null
            }
            Kw::DEFAULT => {
                self.advance();
                ColumnAttribute::Default(self.default_value()?)
            }
            Kw::ON => {
                self.expect_words(&[Kw::ON, Kw::UPDATE])?;
                ColumnAttribute::OnUpdateNow(self.now()?)
            }
            Kw::AUTO_INCREMENT => {
                self.advance();
                ColumnAttribute::AutoIncrement
            }
            Kw::AUTO_RANDOM => self.auto_random()?,
            Kw::PRIMARY | Kw::KEY => {
                self.accept_kw(Kw::PRIMARY);
                self.expect_kw(Kw::KEY)?;
                ColumnAttribute::PrimaryKey(self.primary_key_layout())
            }
            Kw::UNIQUE => {
                self.advance();
                self.accept_kw(Kw::KEY);
                let global = self.accept_kw(Kw::GLOBAL);
                if !global {
                    self.accept_kw(Kw::LOCAL);
                }
                ColumnAttribute::Unique { global }
            }
            Kw::COMMENT => {
                self.advance();
                self.accept_eq();
                ColumnAttribute::Comment(self.string()?)
            }
            Kw::GENERATED | Kw::AS => return self.generated().map(Some),
            Kw::SERIAL => {
                self.expect_words(&[Kw::SERIAL, Kw::DEFAULT, Kw::VALUE])?;
                ColumnAttribute::SerialDefaultValue
            }
            Kw::CONSTRAINT | Kw::CHECK | Kw::REFERENCES => return self.column_constraint().map(Some),
            _ => return self.storage_attribute(),
        };
        Ok(Some(attribute))
    }

    fn negated_attribute(&mut self) -> Parsed<Option<ColumnAttribute>> {
        self.expect_kw(Kw::NOT)?;
        match self.expect_one_of(&[Kw::NULL, Kw::SECONDARY], "NULL")? {
            Kw::NULL => Ok(Some(ColumnAttribute::NotNull)),
            _ => Ok(Some(ColumnAttribute::NotSecondary)),
        }
    }

    fn auto_random(&mut self) -> Parsed<ColumnAttribute> {
        self.expect_kw(Kw::AUTO_RANDOM)?;
        let mut bits = Vec::new();
        if self.is(TokenKind::Open) {
            bits = self.parenthesised_list(Self::integer)?;
        }
        let mut bits = bits.into_iter();
        Ok(ColumnAttribute::AutoRandom { shard_bits: bits.next(), range_bits: bits.next() })
    }

    /// TiDB: CLUSTERED, NONCLUSTERED.
    pub(super) fn primary_key_layout(&mut self) -> Option<PrimaryKeyLayout> {
        self.accept_one_of(&[Kw::CLUSTERED, Kw::NONCLUSTERED]).map(|kw| match kw {
            Kw::CLUSTERED => PrimaryKeyLayout::Clustered,
            _ => PrimaryKeyLayout::NonClustered,
        })
    }

    /// Attributes about where and how a column is stored and shown.
    fn storage_attribute(&mut self) -> Parsed<Option<ColumnAttribute>> {
        let kw = self.kw();
        let takes_equals =
            matches!(kw, Kw::ENGINE_ATTRIBUTE | Kw::SECONDARY_ENGINE_ATTRIBUTE | Kw::COMPRESSED | Kw::SRID);
        // `name = value` with another of these names is an engine's option.
        if self.nth(1).kind == TokenKind::Eq && !takes_equals {
            return self.engine_attribute();
        }
        match kw {
            Kw::VISIBLE | Kw::INVISIBLE => {
                self.advance();
                let visible = kw == Kw::VISIBLE;
                Ok(Some(if visible { ColumnAttribute::Visible } else { ColumnAttribute::Invisible }))
            }
            Kw::SRID => {
                self.advance();
                self.accept_eq();
                Ok(Some(ColumnAttribute::Srid(self.integer()?)))
            }
            Kw::COLUMN_FORMAT => {
                self.advance();
                let format =
                    self.expect_one_of(&[Kw::FIXED, Kw::DYNAMIC, Kw::DEFAULT], "FIXED, DYNAMIC or DEFAULT")?;
                Ok(Some(ColumnAttribute::ColumnFormat(format.name().to_owned())))
            }
            Kw::STORAGE => {
                self.advance();
                let media =
                    self.expect_one_of(&[Kw::DISK, Kw::MEMORY, Kw::DEFAULT], "DISK, MEMORY or DEFAULT")?;
                Ok(Some(ColumnAttribute::Storage(media.name().to_owned())))
            }
            Kw::SKIP_INDEX => {
                self.advance();
                Ok(Some(ColumnAttribute::SkipIndex(self.parenthesised_whole()?)))
            }
            _ => self.versioning_or_engine_attribute(),
        }
    }

    fn versioning_or_engine_attribute(&mut self) -> Parsed<Option<ColumnAttribute>> {
        let kw = self.kw();
        Ok(Some(match kw {
            Kw::COMPRESSED => {
                self.advance();
                let method = if self.accept_eq() { Some(self.ident_or_string("method")?) } else { None };
                ColumnAttribute::Compressed(method)
            }
            Kw::WITH | Kw::WITHOUT if self.nth_kw(1) == Kw::SYSTEM => {
                self.advance();
                self.expect_words(&[Kw::SYSTEM, Kw::VERSIONING])?;
                match kw {
                    Kw::WITH => ColumnAttribute::WithSystemVersioning,
                    _ => ColumnAttribute::WithoutSystemVersioning,
                }
            }
            Kw::ENGINE_ATTRIBUTE | Kw::SECONDARY_ENGINE_ATTRIBUTE => {
                self.advance();
                self.accept_eq();
                let value = self.string()?;
                match kw {
                    Kw::ENGINE_ATTRIBUTE => ColumnAttribute::EngineAttribute(value),
                    _ => ColumnAttribute::SecondaryEngineAttribute(value),
                }
            }
            _ => return Ok(None),
        }))
    }

    /// MariaDB: `name = value`.
    fn engine_attribute(&mut self) -> Parsed<Option<ColumnAttribute>> {
        if self.family() != Family::MariaDb || !self.is_identifier(self.peek()) {
            return Ok(None);
        }
        let name = self.ident()?;
        self.accept_eq();
        Ok(Some(ColumnAttribute::EngineOption { name, value: self.plain_value()? }))
    }

    /// `[GENERATED ALWAYS] AS (expr) [VIRTUAL|STORED]`, `GENERATED ALWAYS AS ROW START|END`.
    fn generated(&mut self) -> Parsed<ColumnAttribute> {
        if self.accept_kw(Kw::GENERATED) {
            self.expect_kw(Kw::ALWAYS)?;
        }
        self.expect_kw(Kw::AS)?;
        if self.accept_kw(Kw::ROW) {
            return Ok(match self.expect_one_of(&[Kw::START, Kw::END], "START or END")? {
                Kw::START => ColumnAttribute::RowStart,
                _ => ColumnAttribute::RowEnd,
            });
        }
        let expr = self.parenthesised()?;
        let storage = self.accept_one_of(&[Kw::VIRTUAL, Kw::STORED, Kw::PERSISTENT]).map(|kw| match kw {
            Kw::VIRTUAL => GeneratedStorage::Virtual,
            _ => GeneratedStorage::Stored,
        });
        Ok(ColumnAttribute::Generated { expr, storage })
    }

    /// `[CONSTRAINT [name]] CHECK ...` or `[CONSTRAINT [name]] REFERENCES ...`.
    fn column_constraint(&mut self) -> Parsed<ColumnAttribute> {
        let first = self.at;
        let constraint = self.constraint_name()?;
        match self.kw() {
            Kw::CHECK => Ok(ColumnAttribute::Check(self.check_def(first, constraint)?)),
            Kw::REFERENCES => Ok(ColumnAttribute::References { constraint, references: self.references()? }),
            _ => Err(self.unexpected("CHECK or REFERENCES")),
        }
    }

    /// What stands behind DEFAULT.
    pub(super) fn default_value(&mut self) -> Parsed<DefaultValue> {
        if self.is(TokenKind::Open) {
            return Ok(DefaultValue::Expr(self.parenthesised()?));
        }
        match self.kw() {
            Kw::NULL => {
                self.advance();
                return Ok(DefaultValue::Null);
            }
            Kw::CURRENT_TIMESTAMP | Kw::NOW | Kw::LOCALTIME | Kw::LOCALTIMESTAMP => {
                return Ok(DefaultValue::Now(self.now()?));
            }
            _ => {}
        }
        if let Some(literal) = self.literal()? {
            return Ok(DefaultValue::Literal(literal));
        }
        self.bare_expression()
    }

    /// CURRENT_TIMESTAMP and its synonyms with `[(n)]`; NOW needs the parentheses.
    fn now(&mut self) -> Parsed<Option<u8>> {
        let words = [Kw::CURRENT_TIMESTAMP, Kw::NOW, Kw::LOCALTIME, Kw::LOCALTIMESTAMP];
        let kw = self.expect_one_of(&words, "CURRENT_TIMESTAMP")?;
        if kw == Kw::NOW && !self.is(TokenKind::Open) {
            return Err(self.unexpected("("));
        }
        if !self.accept(TokenKind::Open) || self.accept(TokenKind::Close) {
            return Ok(None);
        }
        let token = self.peek();
        let digits = self.integer()?;
        let digits = u8::try_from(digits).map_err(|_| self.unexpected_at(token, "number from 0 to 6"))?;
        self.expect_close()?;
        Ok(Some(digits))
    }

    /// An expression without parentheses around it: a function call, NEXT VALUE FOR, a plain name.
    ///
    /// MySQL 8 wants parentheses; MariaDB, TiDB and OceanBase take some expressions without.
    fn bare_expression(&mut self) -> Parsed<DefaultValue> {
        let first = self.at;
        if self.family() == Family::Mysql {
            return Err(self.unexpected("default value"));
        }
        match (self.kw(), self.peek().kind) {
            (Kw::NEXT | Kw::PREVIOUS, _) if self.nth_kw(1) == Kw::VALUE => {
                self.advance();
                self.expect_words(&[Kw::VALUE, Kw::FOR])?;
                self.object_name("sequence name")?;
            }
            (Kw::CASE, _) => self.skip_case()?,
            (_, TokenKind::At) => {
                while self.accept(TokenKind::At) {}
                self.advance();
                while self.accept(TokenKind::Dot) {
                    self.ident_behind_dot()?;
                }
            }
            (_, TokenKind::Word(_) | TokenKind::Quoted) => self.call_or_name()?,
            _ => return Err(self.unexpected("default value")),
        }
        Ok(DefaultValue::BareExpr(self.fragment_from(first)?))
    }

    /// `name`, `table.column`, `function(...)`, `MATCH (...) AGAINST (...)`.
    fn call_or_name(&mut self) -> Parsed<()> {
        let calls = matches!(self.peek().kind, TokenKind::Word(_)) && self.nth(1).kind == TokenKind::Open;
        let constants =
            [Kw::CURRENT_DATE, Kw::CURRENT_TIME, Kw::CURRENT_USER, Kw::UTC_DATE, Kw::UTC_TIMESTAMP];
        if !calls && !constants.contains(&self.kw()) && !self.is_identifier(self.peek()) {
            return Err(self.unexpected("default value"));
        }
        self.advance();
        while self.accept(TokenKind::Dot) {
            self.ident_behind_dot()?;
        }
        if self.is(TokenKind::Open) {
            self.skip_parenthesised()?;
        }
        if self.accept_kw(Kw::AGAINST) {
            self.skip_parenthesised()?;
        }
        Ok(())
    }

    /// At CASE: steps behind its END.
    fn skip_case(&mut self) -> Parsed<()> {
        let mut depth = 0usize;
        loop {
            match (self.peek().kind, self.kw()) {
                (TokenKind::End, _) => return Err(self.unexpected("END")),
                (TokenKind::Open, _) => {
                    self.skip_parenthesised()?;
                    continue;
                }
                (_, Kw::CASE) => depth += 1,
                (_, Kw::END) => depth -= 1,
                _ => {}
            }
            self.advance();
            if depth == 0 {
                return Ok(());
            }
        }
    }
}
