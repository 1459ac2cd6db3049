//! Statements and their kinds.

use super::alter::{AlterClause, AlterTable};
use super::classified::Classified;
use super::database::{AlterDatabase, CreateDatabase, DropDatabase};
use super::index::{CreateIndex, DropIndex};
use super::name::{Fragment, TableName};
use super::table::{CreateTable, CreateTableBody, DropTable, RenameTable, TruncateTable};
use crate::token::Span;

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Statement {
    /// MariaDB: the assignments of `SET STATEMENT ... FOR`, which hold for this statement only.
    pub variables: Option<Fragment>,
    /// What it says.
    pub body: Body,
    /// Where it stands, without the semicolon. Executable comments that it begins or ends in are whole: the
    /// raw text under the span is the statement.
    pub span: Span,
}

/// What a statement says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Body {
    CreateTable(Box<CreateTable>),
    AlterTable(Box<AlterTable>),
    RenameTable(RenameTable),
    DropTable(DropTable),
    TruncateTable(TruncateTable),
    CreateIndex(Box<CreateIndex>),
    DropIndex(Box<DropIndex>),
    CreateDatabase(CreateDatabase),
    AlterDatabase(AlterDatabase),
    DropDatabase(DropDatabase),
    /// Recognised, not taken apart.
    Classified(Classified),
}

/// What a family of kinds has in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatementClass {
    /// Changes databases, tables, indexes.
    Schema,
    /// Changes views, routines, triggers, events, sequences and other stored programs.
    Program,
    /// Changes rows.
    Data,
    /// Begins, ends or divides transactions.
    Transaction,
    /// Changes users, roles, privileges.
    Account,
    /// Looks after tables without changing what they hold.
    Maintenance,
    /// Changes the server, its storage or its replication.
    Administration,
    /// Concerns the session only: SET, USE, PREPARE, LOCK TABLES.
    Session,
    /// Reads.
    Query,
}

macro_rules! kinds {
    ($($class:ident { $($(#[$doc:meta])* $kind:ident => $name:literal,)* })*) => {
        /// What a statement does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum StatementKind {
            $($($(#[$doc])* $kind,)*)*
        }

        impl StatementKind {
            /// The family.
            pub fn class(self) -> StatementClass {
                match self { $($(StatementKind::$kind => StatementClass::$class,)*)* }
            }

            /// The leading words, in upper case.
            pub fn name(self) -> &'static str {
                match self { $($(StatementKind::$kind => $name,)*)* }
            }
        }
    };
}

kinds! {
    Schema {
        CreateTable => "CREATE TABLE",
        /// CREATE TABLE with a query: a table and rows.
        CreateTableSelect => "CREATE TABLE ... SELECT",
        AlterTable => "ALTER TABLE",
        RenameTable => "RENAME TABLE",
        DropTable => "DROP TABLE",
        TruncateTable => "TRUNCATE TABLE",
        CreateIndex => "CREATE INDEX",
        DropIndex => "DROP INDEX",
        CreateDatabase => "CREATE DATABASE",
        AlterDatabase => "ALTER DATABASE",
        DropDatabase => "DROP DATABASE",
        /// TiDB, OceanBase: a dropped or truncated table comes back; OceanBase: also the recycle bin.
        FlashbackTable => "FLASHBACK TABLE",
        /// TiDB, OceanBase.
        FlashbackDatabase => "FLASHBACK DATABASE",
        /// TiDB: RECOVER TABLE.
        RecoverTable => "RECOVER TABLE",
        /// MySQL: tables from .sdi files.
        ImportTable => "IMPORT TABLE",
    }
    Program {
        CreateView => "CREATE VIEW",
        AlterView => "ALTER VIEW",
        DropView => "DROP VIEW",
        CreateTrigger => "CREATE TRIGGER",
        /// OceanBase.
        AlterTrigger => "ALTER TRIGGER",
        DropTrigger => "DROP TRIGGER",
        CreateProcedure => "CREATE PROCEDURE",
        AlterProcedure => "ALTER PROCEDURE",
        DropProcedure => "DROP PROCEDURE",
        CreateFunction => "CREATE FUNCTION",
        AlterFunction => "ALTER FUNCTION",
        DropFunction => "DROP FUNCTION",
        CreateEvent => "CREATE EVENT",
        AlterEvent => "ALTER EVENT",
        DropEvent => "DROP EVENT",
        CreateSequence => "CREATE SEQUENCE",
        AlterSequence => "ALTER SEQUENCE",
        DropSequence => "DROP SEQUENCE",
        /// MariaDB.
        CreatePackage => "CREATE PACKAGE",
        DropPackage => "DROP PACKAGE",
        /// MySQL 9.2.
        CreateLibrary => "CREATE LIBRARY",
        AlterLibrary => "ALTER LIBRARY",
        DropLibrary => "DROP LIBRARY",
    }
    Data {
        Insert => "INSERT",
        Replace => "REPLACE",
        Update => "UPDATE",
        Delete => "DELETE",
        LoadData => "LOAD DATA",
        LoadXml => "LOAD XML",
        /// A routine that may do anything.
        Call => "CALL",
        /// TiDB: BATCH ... DELETE, UPDATE, INSERT.
        Batch => "BATCH",
        /// MariaDB: BEGIN NOT ATOMIC, a block that may do anything.
        Compound => "BEGIN NOT ATOMIC",
        /// Rows in row-event form, as mysqlbinlog prints them.
        Binlog => "BINLOG",
    }
    Transaction {
        Begin => "BEGIN",
        Commit => "COMMIT",
        Rollback => "ROLLBACK",
        Savepoint => "SAVEPOINT",
        ReleaseSavepoint => "RELEASE SAVEPOINT",
        RollbackToSavepoint => "ROLLBACK TO SAVEPOINT",
        XaStart => "XA START",
        XaEnd => "XA END",
        XaPrepare => "XA PREPARE",
        XaCommit => "XA COMMIT",
        XaRollback => "XA ROLLBACK",
        XaRecover => "XA RECOVER",
        SetTransaction => "SET TRANSACTION",
    }
    Account {
        CreateUser => "CREATE USER",
        AlterUser => "ALTER USER",
        DropUser => "DROP USER",
        RenameUser => "RENAME USER",
        CreateRole => "CREATE ROLE",
        DropRole => "DROP ROLE",
        Grant => "GRANT",
        Revoke => "REVOKE",
        SetPassword => "SET PASSWORD",
        SetRole => "SET ROLE",
        SetDefaultRole => "SET DEFAULT ROLE",
    }
    Maintenance {
        AnalyzeTable => "ANALYZE TABLE",
        OptimizeTable => "OPTIMIZE TABLE",
        RepairTable => "REPAIR TABLE",
        CheckTable => "CHECK TABLE",
        ChecksumTable => "CHECKSUM TABLE",
        CacheIndex => "CACHE INDEX",
        LoadIndex => "LOAD INDEX",
        Flush => "FLUSH",
        /// TiDB.
        SplitTable => "SPLIT TABLE",
        /// TiDB: statistics and their locks, extended statistics.
        Statistics => "STATISTICS",
    }
    Administration {
        CreateTablespace => "CREATE TABLESPACE",
        AlterTablespace => "ALTER TABLESPACE",
        DropTablespace => "DROP TABLESPACE",
        CreateLogfileGroup => "CREATE LOGFILE GROUP",
        AlterLogfileGroup => "ALTER LOGFILE GROUP",
        DropLogfileGroup => "DROP LOGFILE GROUP",
        CreateServer => "CREATE SERVER",
        AlterServer => "ALTER SERVER",
        DropServer => "DROP SERVER",
        CreateResourceGroup => "CREATE RESOURCE GROUP",
        AlterResourceGroup => "ALTER RESOURCE GROUP",
        DropResourceGroup => "DROP RESOURCE GROUP",
        SetResourceGroup => "SET RESOURCE GROUP",
        CreateSpatialReferenceSystem => "CREATE SPATIAL REFERENCE SYSTEM",
        DropSpatialReferenceSystem => "DROP SPATIAL REFERENCE SYSTEM",
        /// MySQL: ALTER INSTANCE; OceanBase: ALTER SYSTEM.
        AlterInstance => "ALTER INSTANCE",
        Install => "INSTALL",
        Uninstall => "UNINSTALL",
        /// Replication: CHANGE, START, STOP, RESET, PURGE, CLONE.
        Replication => "REPLICATION",
        Clone => "CLONE",
        Kill => "KILL",
        Shutdown => "SHUTDOWN",
        Restart => "RESTART",
        /// MariaDB: BACKUP; TiDB: BACKUP, RESTORE.
        Backup => "BACKUP",
        /// TiDB: CREATE, ALTER, DROP PLACEMENT POLICY.
        PlacementPolicy => "PLACEMENT POLICY",
        /// TiDB: CREATE, DROP, SET BINDING; OceanBase: outlines.
        PlanBinding => "PLAN BINDING",
        /// TiDB: ADMIN.
        Admin => "ADMIN",
        /// OceanBase: tablegroups.
        Tablegroup => "TABLEGROUP",
        /// OceanBase: PURGE TABLE, INDEX, DATABASE, RECYCLEBIN.
        PurgeRecycleBin => "PURGE",
        /// OceanBase: tenants, resource units and pools.
        Tenant => "TENANT",
    }
    Session {
        Set => "SET",
        Use => "USE",
        LockTables => "LOCK TABLES",
        UnlockTables => "UNLOCK TABLES",
        /// PREPARE, EXECUTE, DEALLOCATE.
        Prepared => "PREPARE",
        /// GET DIAGNOSTICS, SIGNAL, RESIGNAL, HELP and the like.
        Diagnostics => "DIAGNOSTICS",
    }
    Query {
        Select => "SELECT",
        Show => "SHOW",
        Explain => "EXPLAIN",
        Do => "DO",
        Handler => "HANDLER",
    }
}

impl Statement {
    /// What it does.
    pub fn kind(&self) -> StatementKind {
        match &self.body {
            Body::CreateTable(create) => match &create.body {
                CreateTableBody::Definition(definition) if definition.query.is_some() => {
                    StatementKind::CreateTableSelect
                }
                _ => StatementKind::CreateTable,
            },
            Body::AlterTable(_) => StatementKind::AlterTable,
            Body::RenameTable(_) => StatementKind::RenameTable,
            Body::DropTable(_) => StatementKind::DropTable,
            Body::TruncateTable(_) => StatementKind::TruncateTable,
            Body::CreateIndex(_) => StatementKind::CreateIndex,
            Body::DropIndex(_) => StatementKind::DropIndex,
            Body::CreateDatabase(_) => StatementKind::CreateDatabase,
            Body::AlterDatabase(_) => StatementKind::AlterDatabase,
            Body::DropDatabase(_) => StatementKind::DropDatabase,
            Body::Classified(classified) => classified.kind,
        }
    }

    /// Every table that the statement makes, changes, renames (old and new name), drops or takes its shape
    /// from, in the source's order. Not the tables inside queries and expressions, nor parents of foreign keys.
    pub fn tables(&self) -> Vec<TableName> {
        match &self.body {
            Body::CreateTable(create) => {
                let like = match &create.body {
                    CreateTableBody::Like(table) => Some(table.clone()),
                    CreateTableBody::Definition(_) => None,
                };
                std::iter::once(create.name.clone()).chain(like).collect()
            }
            Body::AlterTable(alter) => {
                let others = alter.clauses.iter().filter_map(AlterClause::other_table).cloned();
                std::iter::once(alter.table.clone()).chain(others).collect()
            }
            Body::RenameTable(rename) => {
                rename.renames.iter().flat_map(|(from, to)| [from.clone(), to.clone()]).collect()
            }
            Body::DropTable(drop) => drop.tables.clone(),
            Body::TruncateTable(truncate) => vec![truncate.table.clone()],
            Body::CreateIndex(create) => vec![create.table.clone()],
            Body::DropIndex(drop) => vec![drop.table.clone()],
            Body::CreateDatabase(_) | Body::AlterDatabase(_) | Body::DropDatabase(_) => Vec::new(),
            Body::Classified(classified) => classified.tables.clone(),
        }
    }
}

impl AlterClause {
    /// The second table that a clause of ALTER TABLE touches, if it does.
    pub fn other_table(&self) -> Option<&TableName> {
        match self {
            AlterClause::RenameTo(table)
            | AlterClause::ExchangePartition { table, .. }
            | AlterClause::ConvertPartitionToTable { table, .. }
            | AlterClause::ConvertTableToPartition { table, .. } => Some(table),
            _ => None,
        }
    }
}
