//! CREATE ...: what comes into being.

use super::index::IndexHead;
use super::{Parsed, Parser};
use crate::ast::{Body, CreateIndex, CreateTable, IndexKind, StatementKind};
use crate::keyword::Kw;
use crate::token::TokenKind;

impl Parser<'_> {
    pub(super) fn create(&mut self) -> Parsed<Body> {
        let first = self.at;
        self.expect_kw(Kw::CREATE)?;
        let or_replace = self.accept_words(&[Kw::OR, Kw::REPLACE]);
        match (self.kw(), self.nth_kw(1)) {
            (Kw::TABLE, _) | (Kw::TEMPORARY | Kw::EXTERNAL, Kw::TABLE) | (Kw::GLOBAL, Kw::TEMPORARY) => {
                self.create_table(or_replace)
            }
            (Kw::INDEX | Kw::UNIQUE | Kw::FULLTEXT, _) | (Kw::ONLINE | Kw::OFFLINE, _) => {
                self.create_index(or_replace)
            }
            (Kw::SPATIAL | Kw::VECTOR | Kw::COLUMNAR, Kw::INDEX) => self.create_index(or_replace),
            (Kw::DATABASE | Kw::SCHEMA, _) => {
                self.advance();
                Ok(Body::CreateDatabase(self.create_database(or_replace)?))
            }
            _ => self.create_other(first),
        }
    }

    fn create_table(&mut self, or_replace: bool) -> Parsed<Body> {
        let global = self.accept_kw(Kw::GLOBAL);
        let temporary = self.accept_kw(Kw::TEMPORARY);
        let external = self.accept_kw(Kw::EXTERNAL);
        self.expect_kw(Kw::TABLE)?;
        let if_not_exists = self.if_not_exists();
        let name = self.table_name()?;
        let body = self.create_table_body()?;
        let create = CreateTable { or_replace, temporary, global, external, if_not_exists, name, body };
        Ok(Body::CreateTable(Box::new(create)))
    }

    fn create_index(&mut self, or_replace: bool) -> Parsed<Body> {
        let online = self.online();
        let first = self.at;
        let words = [Kw::UNIQUE, Kw::FULLTEXT, Kw::SPATIAL, Kw::VECTOR, Kw::COLUMNAR];
        let kind = match self.accept_one_of(&words) {
            Some(Kw::UNIQUE) => IndexKind::Unique,
            Some(Kw::FULLTEXT) => IndexKind::Fulltext,
            Some(Kw::SPATIAL) => IndexKind::Spatial,
            Some(Kw::VECTOR) => IndexKind::Vector,
            Some(_) => IndexKind::Columnar,
            None => IndexKind::Plain,
        };
        self.expect_kw(Kw::INDEX)?;
        let if_not_exists = self.if_not_exists();
        let name = Some(self.ident_as("index name")?);
        let mut early_type = Vec::new();
        self.index_type(&mut early_type)?;
        self.expect_kw(Kw::ON)?;
        let table = self.table_name()?;
        let (mut index, wait) =
            self.index_body_and_wait(first, IndexHead { kind, constraint: None, if_not_exists, name })?;
        index.options.splice(0..0, early_type);
        let (algorithm, lock) = self.algorithm_and_lock()?;
        Ok(Body::CreateIndex(Box::new(CreateIndex {
            or_replace,
            online,
            table,
            index,
            algorithm,
            lock,
            wait,
        })))
    }

    /// Objects that are only classified; `first` is the index of CREATE.
    fn create_other(&mut self, first: usize) -> Parsed<Body> {
        self.object_modifiers()?;
        match self.kw() {
            Kw::VIEW => {
                self.advance();
                self.if_not_exists();
                let name = self.object_name("view name")?;
                if self.is(TokenKind::Open) {
                    self.skip_parenthesised()?;
                }
                while !matches!(self.kw(), Kw::AS) {
                    if self.at_end() {
                        return Err(self.unexpected("AS"));
                    }
                    self.advance();
                }
                self.expect_kw(Kw::AS)?;
                self.expect_more("query")?;
                self.classified(first, StatementKind::CreateView, vec![name], Vec::new())
            }
            Kw::TRIGGER => self.create_trigger(first),
            Kw::AGGREGATE | Kw::FUNCTION | Kw::PROCEDURE => self.create_routine(first),
            Kw::EVENT => self.create_named(first, 1, StatementKind::CreateEvent),
            Kw::TEMPORARY if self.nth_kw(1) == Kw::SEQUENCE => {
                self.create_named(first, 2, StatementKind::CreateSequence)
            }
            Kw::SEQUENCE => self.create_named(first, 1, StatementKind::CreateSequence),
            Kw::PACKAGE if self.nth_kw(1) == Kw::BODY => {
                self.create_named(first, 2, StatementKind::CreatePackage)
            }
            Kw::PACKAGE => self.create_named(first, 1, StatementKind::CreatePackage),
            Kw::LIBRARY => self.create_named(first, 1, StatementKind::CreateLibrary),
            Kw::USER => self.account_statement(first, StatementKind::CreateUser),
            Kw::ROLE => self.account_statement(first, StatementKind::CreateRole),
            _ => self.create_server_object(first),
        }
    }

    /// ALGORITHM, DEFINER, SQL SECURITY and others, before VIEW, TRIGGER, PROCEDURE, ...
    pub(super) fn object_modifiers(&mut self) -> Parsed<()> {
        loop {
            match (self.kw(), self.nth_kw(1)) {
                (Kw::ALGORITHM, _) => {
                    self.advance();
                    self.accept_eq();
                    self.upper_word("algorithm")?;
                }
                (Kw::DEFINER, _) => {
                    self.advance();
                    self.accept_eq();
                    self.account()?;
                }
                (Kw::SQL, Kw::SECURITY) => {
                    self.at += 2;
                    self.upper_word("DEFINER or INVOKER")?;
                }
                (Kw::FORCE | Kw::NO | Kw::MATERIALIZED | Kw::JSON | Kw::RELATIONAL | Kw::DUALITY, _) => {
                    self.at += 1;
                }
                _ => return Ok(()),
            }
        }
    }

    fn create_trigger(&mut self, first: usize) -> Parsed<Body> {
        self.expect_kw(Kw::TRIGGER)?;
        self.if_not_exists();
        let name = self.object_name("trigger name")?;
        self.expect_one_of(&[Kw::BEFORE, Kw::AFTER], "BEFORE or AFTER")?;
        while self.kw() != Kw::ON {
            if self.at_end() {
                return Err(self.unexpected("ON"));
            }
            self.advance();
        }
        self.expect_kw(Kw::ON)?;
        let table = self.table_name()?;
        self.expect_words(&[Kw::FOR, Kw::EACH, Kw::ROW])?;
        self.expect_more("body of the trigger")?;
        self.classified(first, StatementKind::CreateTrigger, vec![name], vec![table])
    }

    fn create_routine(&mut self, first: usize) -> Parsed<Body> {
        self.accept_kw(Kw::AGGREGATE);
        let kind = match self.expect_one_of(&[Kw::FUNCTION, Kw::PROCEDURE], "FUNCTION")? {
            Kw::FUNCTION => StatementKind::CreateFunction,
            _ => StatementKind::CreateProcedure,
        };
        self.if_not_exists();
        let name = self.object_name("routine name")?;
        self.expect_more("parameters of the routine")?;
        self.classified(first, kind, vec![name], Vec::new())
    }

    /// `words` keywords, `[IF NOT EXISTS]`, a name, and anything behind it.
    pub(super) fn create_named(&mut self, first: usize, words: usize, kind: StatementKind) -> Parsed<Body> {
        self.at += words;
        if !self.if_not_exists() {
            self.if_exists();
        }
        let name = self.object_name("name")?;
        self.classified(first, kind, vec![name], Vec::new())
    }

    /// Server-wide objects.
    fn create_server_object(&mut self, first: usize) -> Parsed<Body> {
        use StatementKind as K;
        match (self.kw(), self.nth_kw(1)) {
            (Kw::UNDO, Kw::TABLESPACE) => self.create_named(first, 2, K::CreateTablespace),
            (Kw::TABLESPACE, _) => self.create_named(first, 1, K::CreateTablespace),
            (Kw::LOGFILE, Kw::GROUP) => self.create_named(first, 2, K::CreateLogfileGroup),
            (Kw::SERVER, _) => self.server_object(first, K::CreateServer),
            (Kw::RESOURCE, Kw::GROUP) => self.create_named(first, 2, K::CreateResourceGroup),
            (Kw::RESOURCE, Kw::UNIT | Kw::POOL) => self.create_named(first, 2, K::Tenant),
            (Kw::TENANT, _) => self.create_named(first, 1, K::Tenant),
            (Kw::SPATIAL, Kw::REFERENCE) => self.numbered_object(first, K::CreateSpatialReferenceSystem),
            (Kw::PLACEMENT, Kw::POLICY) => self.create_named(first, 2, K::PlacementPolicy),
            (Kw::GLOBAL | Kw::SESSION, Kw::BINDING) | (Kw::BINDING, _) => {
                self.classified_rest(first, K::PlanBinding)
            }
            (Kw::OUTLINE, _) => self.create_named(first, 1, K::PlanBinding),
            (Kw::TABLEGROUP, _) => self.create_named(first, 1, K::Tablegroup),
            (Kw::STATISTICS, _) => self.classified_rest(first, K::Statistics),
            _ => Err(self.unexpected("object that can be created")),
        }
    }

    /// A server's name may be a string.
    pub(super) fn server_object(&mut self, first: usize, kind: StatementKind) -> Parsed<Body> {
        self.at += 1;
        if !self.if_not_exists() {
            self.if_exists();
        }
        let token = self.peek();
        let value = self.ident_or_string("server name")?;
        let name = crate::ast::Ident { value, span: token.span() };
        self.classified(first, kind, vec![crate::ast::ObjectName { schema: None, name }], Vec::new())
    }

    /// SPATIAL REFERENCE SYSTEM [IF [NOT] EXISTS] srid.
    pub(super) fn numbered_object(&mut self, first: usize, kind: StatementKind) -> Parsed<Body> {
        self.expect_words(&[Kw::SPATIAL, Kw::REFERENCE, Kw::SYSTEM])?;
        if !self.if_not_exists() {
            self.if_exists();
        }
        self.integer()?;
        self.classified(first, kind, Vec::new(), Vec::new())
    }
}
