//! Statements of which only kind and names are read.

use super::{Parsed, Parser};
use crate::ast::{Body, Classified, ObjectName, StatementKind, TableName};
use crate::keyword::Kw;
use crate::token::TokenKind;

use StatementKind as K;

impl Parser<'_> {
    /// Takes the rest of the statement and makes all of it, from the token `first` on, the text.
    pub(super) fn classified(
        &mut self,
        first: usize,
        kind: StatementKind,
        objects: Vec<ObjectName>,
        tables: Vec<TableName>,
    ) -> Parsed<Body> {
        if holds_statements(kind) {
            self.skip_program()?;
        } else {
            self.skip_rest()?;
        }
        let text = self.fragment_from(first)?;
        Ok(Body::Classified(Classified { kind, objects, tables, text }))
    }

    pub(super) fn classified_rest(&mut self, first: usize, kind: StatementKind) -> Parsed<Body> {
        self.classified(first, kind, Vec::new(), Vec::new())
    }

    /// Behind ALTER, when no table or database follows.
    pub(super) fn alter_other(&mut self, first: usize) -> Parsed<Body> {
        self.object_modifiers()?;
        match (self.kw(), self.nth_kw(1)) {
            (Kw::VIEW, _) => self.create_named(first, 1, K::AlterView),
            (Kw::TRIGGER, _) => self.create_named(first, 1, K::AlterTrigger),
            (Kw::PROCEDURE, _) => self.create_named(first, 1, K::AlterProcedure),
            (Kw::FUNCTION, _) => self.create_named(first, 1, K::AlterFunction),
            (Kw::EVENT, _) => self.create_named(first, 1, K::AlterEvent),
            (Kw::SEQUENCE, _) => self.create_named(first, 1, K::AlterSequence),
            (Kw::LIBRARY, _) => self.create_named(first, 1, K::AlterLibrary),
            (Kw::USER, _) => self.account_statement(first, K::AlterUser),
            (Kw::UNDO, Kw::TABLESPACE) => self.create_named(first, 2, K::AlterTablespace),
            (Kw::TABLESPACE, _) => self.create_named(first, 1, K::AlterTablespace),
            (Kw::LOGFILE, Kw::GROUP) => self.create_named(first, 2, K::AlterLogfileGroup),
            (Kw::SERVER, _) => self.server_object(first, K::AlterServer),
            (Kw::RESOURCE, Kw::GROUP) => self.create_named(first, 2, K::AlterResourceGroup),
            (Kw::RESOURCE, Kw::UNIT | Kw::POOL) => self.create_named(first, 2, K::Tenant),
            (Kw::TENANT, _) => self.create_named(first, 1, K::Tenant),
            (Kw::INSTANCE | Kw::SYSTEM, _) => self.classified_rest(first, K::AlterInstance),
            (Kw::PLACEMENT, Kw::POLICY) => self.create_named(first, 2, K::PlacementPolicy),
            (Kw::TABLEGROUP, _) => self.create_named(first, 1, K::Tablegroup),
            (Kw::OUTLINE, _) => self.create_named(first, 1, K::PlanBinding),
            (Kw::RANGE, _) => self.create_named(first, 1, K::PlacementPolicy),
            _ => Err(self.unexpected("object that can be altered")),
        }
    }

    /// Behind DROP, when no table, index or database follows.
    pub(super) fn drop_other(&mut self, first: usize) -> Parsed<Body> {
        match (self.kw(), self.nth_kw(1)) {
            (Kw::VIEW, _) => self.drop_list(first, 1, K::DropView),
            (Kw::MATERIALIZED, Kw::VIEW) => self.drop_list(first, 2, K::DropView),
            (Kw::TRIGGER, _) => self.create_named(first, 1, K::DropTrigger),
            (Kw::PROCEDURE, _) => self.create_named(first, 1, K::DropProcedure),
            (Kw::FUNCTION, _) => self.create_named(first, 1, K::DropFunction),
            (Kw::EVENT, _) => self.create_named(first, 1, K::DropEvent),
            (Kw::SEQUENCE, _) => self.drop_list(first, 1, K::DropSequence),
            (Kw::TEMPORARY, Kw::SEQUENCE) => self.drop_list(first, 2, K::DropSequence),
            (Kw::PACKAGE, Kw::BODY) => self.create_named(first, 2, K::DropPackage),
            (Kw::PACKAGE, _) => self.create_named(first, 1, K::DropPackage),
            (Kw::LIBRARY, _) => self.create_named(first, 1, K::DropLibrary),
            (Kw::USER, _) => self.account_statement(first, K::DropUser),
            (Kw::ROLE, _) => self.account_statement(first, K::DropRole),
            (Kw::UNDO, Kw::TABLESPACE) => self.create_named(first, 2, K::DropTablespace),
            (Kw::TABLESPACE, _) => self.create_named(first, 1, K::DropTablespace),
            (Kw::LOGFILE, Kw::GROUP) => self.create_named(first, 2, K::DropLogfileGroup),
            (Kw::SERVER, _) => self.server_object(first, K::DropServer),
            (Kw::RESOURCE, Kw::GROUP) => self.create_named(first, 2, K::DropResourceGroup),
            (Kw::RESOURCE, Kw::UNIT | Kw::POOL) => self.create_named(first, 2, K::Tenant),
            (Kw::TENANT, _) => self.create_named(first, 1, K::Tenant),
            (Kw::SPATIAL, Kw::REFERENCE) => self.numbered_object(first, K::DropSpatialReferenceSystem),
            (Kw::PREPARE, _) => self.create_named(first, 1, K::Prepared),
            (Kw::PLACEMENT, Kw::POLICY) => self.create_named(first, 2, K::PlacementPolicy),
            (Kw::GLOBAL | Kw::SESSION, Kw::BINDING) | (Kw::BINDING, _) => {
                self.classified_rest(first, K::PlanBinding)
            }
            (Kw::OUTLINE, _) => self.create_named(first, 1, K::PlanBinding),
            (Kw::TABLEGROUP, _) => self.create_named(first, 1, K::Tablegroup),
            (Kw::STATS | Kw::STATISTICS, _) => self.classified_rest(first, K::Statistics),
            _ => Err(self.unexpected("object that can be dropped")),
        }
    }

    /// `words` keywords, `[IF EXISTS]`, names.
    fn drop_list(&mut self, first: usize, words: usize, kind: StatementKind) -> Parsed<Body> {
        self.at += words;
        self.if_exists();
        let names = self.comma_list(|parser| parser.object_name("name"))?;
        self.classified(first, kind, names, Vec::new())
    }

    /// Everything that doesn't begin with CREATE, ALTER, DROP, RENAME, TRUNCATE.
    pub(super) fn other_statement(&mut self) -> Parsed<Body> {
        let first = self.at;
        if self.is(TokenKind::Open) {
            return self.classified_rest(first, K::Select);
        }
        match self.kw() {
            Kw::INSERT | Kw::REPLACE | Kw::UPDATE | Kw::DELETE | Kw::LOAD | Kw::WITH => self.dml(first),
            Kw::BEGIN | Kw::START | Kw::COMMIT | Kw::ROLLBACK | Kw::SAVEPOINT | Kw::RELEASE | Kw::XA => {
                self.transaction(first)
            }
            Kw::SET => self.set_statement(first),
            Kw::GRANT => self.privileges(first, K::Grant),
            Kw::REVOKE => {
                self.if_exists();
                self.privileges(first, K::Revoke)
            }
            Kw::ANALYZE | Kw::OPTIMIZE | Kw::REPAIR | Kw::CHECK | Kw::CHECKSUM => self.maintenance(first),
            Kw::LOCK | Kw::UNLOCK => self.lock(first),
            Kw::FLASHBACK | Kw::RECOVER => self.flashback(first),
            Kw::TRACE | Kw::PLAN | Kw::QUERY | Kw::CALIBRATE | Kw::TRAFFIC | Kw::DISTRIBUTE | Kw::CANCEL
                if self.family() == crate::Family::TiDb =>
            {
                self.classified_rest(first, if self.kw() == Kw::TRACE { K::Explain } else { K::Admin })
            }
            kw => match one_word_kind(kw, self.nth_kw(1)) {
                Some(kind) => {
                    self.advance();
                    self.classified_rest(first, kind)
                }
                None => Err(self.unknown_statement(first)),
            },
        }
    }

    fn set_statement(&mut self, first: usize) -> Parsed<Body> {
        self.expect_kw(Kw::SET)?;
        let kind = match (self.kw(), self.nth_kw(1), self.nth_kw(2)) {
            (Kw::PASSWORD, _, _) => K::SetPassword,
            (Kw::ROLE, _, _) => K::SetRole,
            (Kw::DEFAULT, Kw::ROLE, _) => K::SetDefaultRole,
            (Kw::RESOURCE, Kw::GROUP, _) => K::SetResourceGroup,
            (Kw::TRANSACTION, _, _) | (Kw::SESSION | Kw::GLOBAL | Kw::LOCAL, Kw::TRANSACTION, _) => {
                K::SetTransaction
            }
            (Kw::BINDING, _, _) => K::PlanBinding,
            _ => K::Set,
        };
        self.expect_more("variable")?;
        self.classified_rest(first, kind)
    }

    fn transaction(&mut self, first: usize) -> Parsed<Body> {
        let (verb, second) = (self.kw(), self.nth_kw(1));
        self.advance();
        let kind = match (verb, second) {
            (Kw::BEGIN, Kw::NOT) => K::Compound,
            (Kw::BEGIN, _) | (Kw::START, Kw::TRANSACTION) => K::Begin,
            (Kw::START, Kw::SLAVE | Kw::REPLICA | Kw::GROUP_REPLICATION | Kw::ALL) => K::Replication,
            (Kw::START, _) => return Err(self.unexpected("TRANSACTION, REPLICA or GROUP_REPLICATION")),
            (Kw::COMMIT, _) => K::Commit,
            (Kw::XA, _) => return self.xa(first),
            (Kw::SAVEPOINT, _) => return self.savepoint(first, K::Savepoint),
            (Kw::RELEASE, _) => {
                self.expect_kw(Kw::SAVEPOINT)?;
                return self.savepoint(first, K::ReleaseSavepoint);
            }
            _ => {
                self.accept_kw(Kw::WORK);
                if self.accept_kw(Kw::TO) {
                    self.accept_kw(Kw::SAVEPOINT);
                    return self.savepoint(first, K::RollbackToSavepoint);
                }
                K::Rollback
            }
        };
        self.classified_rest(first, kind)
    }

    fn savepoint(&mut self, first: usize, kind: StatementKind) -> Parsed<Body> {
        let name = self.ident_as("savepoint name")?;
        self.classified(first, kind, vec![ObjectName { schema: None, name }], Vec::new())
    }

    fn xa(&mut self, first: usize) -> Parsed<Body> {
        let words = [Kw::START, Kw::BEGIN, Kw::END, Kw::PREPARE, Kw::COMMIT, Kw::ROLLBACK, Kw::RECOVER];
        let kind = match self.expect_one_of(&words, "START, END, PREPARE, COMMIT, ROLLBACK or RECOVER")? {
            Kw::START | Kw::BEGIN => K::XaStart,
            Kw::END => K::XaEnd,
            Kw::PREPARE => K::XaPrepare,
            Kw::COMMIT => K::XaCommit,
            Kw::ROLLBACK => K::XaRollback,
            _ => K::XaRecover,
        };
        self.classified_rest(first, kind)
    }

    fn maintenance(&mut self, first: usize) -> Parsed<Body> {
        let kind = match self.kw() {
            Kw::ANALYZE => K::AnalyzeTable,
            Kw::OPTIMIZE => K::OptimizeTable,
            Kw::REPAIR => K::RepairTable,
            Kw::CHECK => K::CheckTable,
            _ => K::ChecksumTable,
        };
        self.advance();
        self.accept_one_of(&[Kw::NO_WRITE_TO_BINLOG, Kw::LOCAL]);
        self.accept_one_of(&[Kw::INCREMENTAL]);
        if self.accept_one_of(&[Kw::TABLE, Kw::TABLES]).is_some() {
            let tables = self.comma_list(Self::table_name)?;
            return self.classified(first, kind, Vec::new(), tables);
        }
        match (kind, self.kw()) {
            // MariaDB runs what it analyzes.
            (K::AnalyzeTable, Kw::UPDATE | Kw::DELETE | Kw::INSERT | Kw::REPLACE) => self.dml(first),
            (K::AnalyzeTable, Kw::SELECT | Kw::FORMAT | Kw::WITH) => self.classified_rest(first, K::Explain),
            (_, Kw::VIEW) => {
                self.advance();
                let views = self.comma_list(|parser| parser.object_name("view name"))?;
                self.classified(first, kind, views, Vec::new())
            }
            _ => Err(self.unexpected("TABLE")),
        }
    }

    fn lock(&mut self, first: usize) -> Parsed<Body> {
        let unlocks = self.kw() == Kw::UNLOCK;
        self.advance();
        let kind = if unlocks { K::UnlockTables } else { K::LockTables };
        let words = [Kw::TABLE, Kw::TABLES, Kw::INSTANCE, Kw::STATS, Kw::BINLOG];
        let object = self.expect_one_of(&words, "TABLES or INSTANCE")?;
        if unlocks || !matches!(object, Kw::TABLE | Kw::TABLES) {
            return self.classified_rest(first, kind);
        }
        let tables = self.comma_list(|parser| {
            let table = parser.table_name()?;
            while !matches!(parser.peek().kind, TokenKind::Comma | TokenKind::End | TokenKind::Semicolon) {
                parser.advance();
            }
            Ok(table)
        })?;
        self.classified(first, kind, Vec::new(), tables)
    }

    /// TiDB, OceanBase: FLASHBACK TABLE, DATABASE; TiDB: RECOVER TABLE.
    fn flashback(&mut self, first: usize) -> Parsed<Body> {
        let recovers = self.kw() == Kw::RECOVER;
        self.advance();
        if self.accept_one_of(&[Kw::DATABASE, Kw::SCHEMA, Kw::CLUSTER, Kw::TENANT]).is_some() {
            return self.classified_rest(first, K::FlashbackDatabase);
        }
        self.expect_kw(Kw::TABLE)?;
        let kind = if recovers { K::RecoverTable } else { K::FlashbackTable };
        let tables = if self.is_identifier(self.peek()) { vec![self.table_name()?] } else { Vec::new() };
        self.classified(first, kind, Vec::new(), tables)
    }
}

/// True when semicolons may stand inside the statement.
fn holds_statements(kind: StatementKind) -> bool {
    matches!(
        kind,
        K::CreateTrigger
            | K::CreateProcedure
            | K::CreateFunction
            | K::CreateEvent
            | K::AlterEvent
            | K::CreatePackage
            | K::Compound
    )
}

/// Statements that their first one or two words tell.
fn one_word_kind(kw: Kw, second: Kw) -> Option<StatementKind> {
    Some(match kw {
        Kw::SELECT | Kw::TABLE | Kw::VALUES => K::Select,
        Kw::SHOW => K::Show,
        Kw::EXPLAIN | Kw::DESCRIBE | Kw::DESC => K::Explain,
        Kw::DO => K::Do,
        Kw::HANDLER => K::Handler,
        Kw::CALL => K::Call,
        Kw::USE => K::Use,
        Kw::FLUSH => K::Flush,
        Kw::PREPARE | Kw::EXECUTE | Kw::DEALLOCATE => K::Prepared,
        Kw::GET | Kw::SIGNAL | Kw::RESIGNAL | Kw::HELP => K::Diagnostics,
        Kw::CACHE => K::CacheIndex,
        Kw::INSTALL => K::Install,
        Kw::UNINSTALL => K::Uninstall,
        Kw::CHANGE | Kw::STOP | Kw::RESET => K::Replication,
        Kw::PURGE if matches!(second, Kw::BINARY | Kw::MASTER) => K::Replication,
        Kw::PURGE => K::PurgeRecycleBin,
        Kw::CLONE => K::Clone,
        Kw::KILL => K::Kill,
        Kw::SHUTDOWN => K::Shutdown,
        Kw::RESTART => K::Restart,
        Kw::BACKUP | Kw::RESTORE => K::Backup,
        Kw::BINLOG => K::Binlog,
        Kw::IMPORT if second == Kw::TABLE => K::ImportTable,
        Kw::IMPORT => K::LoadData,
        Kw::BATCH => K::Batch,
        Kw::ADMIN => K::Admin,
        Kw::SPLIT => K::SplitTable,
        Kw::REFRESH => K::Statistics,
        _ => return None,
    })
}

mod dml;
