//! ALTER TABLE.

use super::column::{ColumnDef, DefaultValue};
use super::index::{CheckDef, ForeignKeyDef, IndexDef, SortOrder};
use super::name::{Fragment, Ident, TableName};
use super::option::TableOption;
use super::partition::{PartitionDef, Partitioning};
use super::table::{PeriodDef, TableElement};

/// ALTER TABLE: all clauses or none take effect.
///
/// Servers don't apply clauses strictly from left to right. What a schema history has to do:
/// columns and indexes named in DROP, MODIFY, CHANGE, RENAME and ALTER clauses are those of the table
/// before the statement, so `RENAME COLUMN a TO b, RENAME COLUMN b TO a` swaps, and
/// `DROP INDEX i, ADD INDEX i (..)` replaces whatever the order. AFTER, and the columns of added
/// indexes, name columns as they are after the statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AlterTable {
    /// MariaDB: ONLINE, OFFLINE, in upper case.
    pub online: Option<String>,
    /// IGNORE (MySQL to 5.6, MariaDB): rows that collide on a new unique key are deleted, silently and
    /// without a trace in the log.
    pub ignore: bool,
    /// IF EXISTS (MariaDB).
    pub if_exists: bool,
    pub table: TableName,
    /// MariaDB: WAIT n, NOWAIT.
    pub wait: Option<Fragment>,
    /// In the source's order. Empty is legal and does nothing.
    pub clauses: Vec<AlterClause>,
}

/// Where a column goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ColumnPosition {
    First,
    After(Ident),
}

/// ALTER COLUMN.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AlterColumnAction {
    SetDefault(DefaultValue),
    DropDefault,
    SetVisible,
    SetInvisible,
}

/// ALTER INDEX.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IndexVisibility {
    Visible,
    Invisible,
    /// MariaDB.
    Ignored,
    /// MariaDB.
    NotIgnored,
}

/// Which partitions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PartitionSelection {
    All,
    Names(Vec<Ident>),
}

/// One clause. `if_exists` and `if_not_exists` are MariaDB's (and TiDB's, OceanBase's): nothing happens
/// when the object is missing, or there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AlterClause {
    /// ADD [COLUMN]: one more column, at the end unless said otherwise. Its inline keys are added too.
    AddColumn {
        if_not_exists: bool,
        column: ColumnDef,
        position: Option<ColumnPosition>,
    },
    /// ADD [COLUMN] (...): each element in turn, at the end.
    AddElements {
        if_not_exists: bool,
        elements: Vec<TableElement>,
    },
    /// ADD INDEX, KEY, UNIQUE, PRIMARY KEY, FULLTEXT, SPATIAL, VECTOR.
    AddIndex(IndexDef),
    /// ADD FOREIGN KEY: and an index on the child's columns, if none begins with them.
    AddForeignKey(ForeignKeyDef),
    /// ADD CHECK.
    AddCheck(CheckDef),
    /// MariaDB: ADD PERIOD FOR.
    AddPeriod(PeriodDef),
    /// MariaDB: ADD SYSTEM VERSIONING: hidden row_start and row_end columns join the primary key's end.
    AddSystemVersioning,
    /// DROP [COLUMN]: the column leaves every index; an index without columns goes. Behaviour words are read past.
    DropColumn {
        if_exists: bool,
        name: Ident,
    },
    /// DROP PRIMARY KEY, DROP CONSTRAINT PRIMARY KEY: its columns stay NOT NULL.
    DropPrimaryKey,
    /// DROP INDEX, KEY: also a unique one.
    DropIndex {
        if_exists: bool,
        name: Ident,
    },
    /// DROP FOREIGN KEY: its index stays.
    DropForeignKey {
        if_exists: bool,
        name: Ident,
    },
    /// DROP CHECK.
    DropCheck {
        if_exists: bool,
        name: Ident,
    },
    /// DROP CONSTRAINT: a check, foreign key or unique key of the name, or PRIMARY.
    DropConstraint {
        if_exists: bool,
        name: Ident,
    },
    /// MariaDB.
    DropPeriod {
        if_exists: bool,
        name: Ident,
    },
    /// MariaDB: hidden row_start and row_end go, and all old rows.
    DropSystemVersioning,
    /// MODIFY [COLUMN]: the whole definition is replaced, except inline keys that exist; it moves if a
    /// position is given.
    ModifyColumn {
        if_exists: bool,
        column: ColumnDef,
        position: Option<ColumnPosition>,
    },
    /// CHANGE [COLUMN]: as MODIFY, and renamed.
    ChangeColumn {
        if_exists: bool,
        old: Ident,
        column: ColumnDef,
        position: Option<ColumnPosition>,
    },
    /// RENAME COLUMN.
    RenameColumn {
        if_exists: bool,
        from: Ident,
        to: Ident,
    },
    /// ALTER [COLUMN].
    AlterColumn {
        if_exists: bool,
        name: Ident,
        action: AlterColumnAction,
    },
    /// RENAME INDEX, KEY.
    RenameIndex {
        if_exists: bool,
        from: Ident,
        to: Ident,
    },
    /// ALTER INDEX, KEY.
    AlterIndex {
        if_exists: bool,
        name: Ident,
        visibility: IndexVisibility,
    },
    /// ALTER CHECK, ALTER CONSTRAINT.
    AlterCheck {
        name: Ident,
        enforced: bool,
    },
    /// RENAME [TO|AS|=]: also into another database.
    RenameTo(TableName),
    /// CONVERT TO CHARACTER SET: the default, and every text column's charset and collation; TEXT types may
    /// grow to the next size so that all fits. `charset` in lower case, absent for DEFAULT (the database's).
    ConvertTo {
        charset: Option<String>,
        collation: Option<String>,
    },
    /// A table option: CHARSET and COLLATE are defaults for new columns only.
    Option(TableOption),
    /// ORDER BY: rows are written anew in this order.
    OrderBy(Vec<(Ident, Option<SortOrder>)>),
    DisableKeys,
    EnableKeys,
    /// FORCE: a rebuild.
    Force,
    /// ALGORITHM, in upper case.
    Algorithm(String),
    /// LOCK, in upper case.
    Lock(String),
    /// WITH VALIDATION.
    WithValidation,
    /// WITHOUT VALIDATION.
    WithoutValidation,
    DiscardTablespace,
    /// IMPORT TABLESPACE: rows appear that no log holds.
    ImportTablespace,
    /// SECONDARY_LOAD (MySQL HeatWave).
    SecondaryLoad,
    /// SECONDARY_UNLOAD.
    SecondaryUnload,
    /// PARTITION BY: replaces any partitioning.
    PartitionBy(Partitioning),
    RemovePartitioning,
    /// ADD PARTITION (definitions); without any, as NDB takes it.
    AddPartition {
        if_not_exists: bool,
        local: bool,
        definitions: Vec<PartitionDef>,
    },
    /// ADD PARTITION PARTITIONS n.
    AddPartitionCount {
        if_not_exists: bool,
        local: bool,
        count: u64,
    },
    /// DROP PARTITION: its rows go, and no row events say so.
    DropPartition {
        if_exists: bool,
        names: Vec<Ident>,
    },
    /// TRUNCATE PARTITION: rows go, and no row events say so.
    TruncatePartition(PartitionSelection),
    CoalescePartition {
        local: bool,
        count: u64,
    },
    /// REORGANIZE PARTITION. Without names, HASH and KEY partitions are spread anew (NDB).
    ReorganizePartition {
        local: bool,
        names: Vec<Ident>,
        into: Vec<PartitionDef>,
    },
    /// EXCHANGE PARTITION p WITH TABLE t: the rows of both change places, and no row events say so.
    ExchangePartition {
        partition: Ident,
        table: TableName,
        validation: Option<bool>,
    },
    /// ANALYZE, CHECK, OPTIMIZE, REBUILD, REPAIR PARTITION. `verb` in upper case; `options` such as QUICK.
    MaintainPartition {
        verb: String,
        local: bool,
        partitions: PartitionSelection,
        options: Vec<String>,
    },
    DiscardPartitionTablespace(PartitionSelection),
    /// IMPORT PARTITION ... TABLESPACE: rows appear that no log holds.
    ImportPartitionTablespace(PartitionSelection),
    /// MariaDB: CONVERT PARTITION p TO TABLE t: the partition becomes a table.
    ConvertPartitionToTable {
        partition: Ident,
        table: TableName,
    },
    /// MariaDB: CONVERT TABLE t TO PARTITION def: the table becomes a partition.
    ConvertTableToPartition {
        table: TableName,
        definition: PartitionDef,
        validation: Option<bool>,
    },
    /// OceanBase: DROP SUBPARTITION.
    DropSubpartition {
        names: Vec<Ident>,
    },
    /// OceanBase: TRUNCATE SUBPARTITION.
    TruncateSubpartition {
        names: Vec<Ident>,
    },
    /// OceanBase: RENAME PARTITION, RENAME SUBPARTITION.
    RenamePartition {
        subpartition: bool,
        from: Ident,
        to: Ident,
    },
    /// TiDB's interval partitioning: FIRST PARTITION LESS THAN (..), LAST, MERGE FIRST, SPLIT MAXVALUE
    /// PARTITION LESS THAN (..). `verb` in upper case, as written before PARTITION. FIRST and MERGE FIRST
    /// remove partitions, FIRST with their rows.
    IntervalPartition {
        verb: String,
        bound: Fragment,
    },
    /// A clause of TiDB or OceanBase that changes neither columns, keys nor rows: SET TIFLASH REPLICA, CACHE,
    /// NOCACHE, REMOVE TTL, ATTRIBUTES, PARTITION p PLACEMENT POLICY, ADD COLUMN GROUP, DROP TABLEGROUP,
    /// SPLIT PARTITION ... As text.
    Vendor(Fragment),
}
