//! Partitions.

use super::name::{Fragment, Ident};
use super::option::TableOptions;
use crate::token::Span;

/// PARTITION BY ...
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Partitioning {
    pub method: PartitionMethod,
    /// PARTITIONS n.
    pub count: Option<u64>,
    pub subpartitioning: Option<Subpartitioning>,
    /// Named partitions; empty when only counted.
    pub definitions: Vec<PartitionDef>,
    /// What one family writes behind the method, as text. TiDB: `INTERVAL (..) FIRST PARTITION LESS THAN (..)
    /// LAST PARTITION LESS THAN (..)`; OceanBase: `SIZE('auto')`.
    pub method_suffix: Option<Fragment>,
    /// TiDB: `UPDATE INDEXES (..)`, as text.
    pub update_indexes: Option<Fragment>,
    /// Where it stands.
    pub span: Span,
}

/// How rows are spread.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PartitionMethod {
    Hash {
        linear: bool,
        expr: Fragment,
    },
    /// Without columns, the primary key's.
    Key {
        linear: bool,
        algorithm: Option<u64>,
        columns: Vec<Ident>,
    },
    Range(Fragment),
    /// RANGE COLUMNS, RANGE in OceanBase's index partitioning.
    RangeColumns(Vec<Ident>),
    List(Fragment),
    ListColumns(Vec<Ident>),
    /// MariaDB: SYSTEM_TIME.
    SystemTime(SystemTimePartitioning),
    /// TiDB: NONE, the removal of partitioning by PARTITION BY.
    None,
}

/// MariaDB: PARTITION BY SYSTEM_TIME.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SystemTimePartitioning {
    /// INTERVAL n unit: the text behind INTERVAL.
    pub interval: Option<Fragment>,
    /// STARTS expr.
    pub starts: Option<Fragment>,
    /// LIMIT n.
    pub limit: Option<u64>,
    /// AUTO.
    pub auto: bool,
}

/// SUBPARTITION BY ...
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subpartitioning {
    /// HASH or KEY; OceanBase: any.
    pub method: PartitionMethod,
    /// SUBPARTITIONS n.
    pub count: Option<u64>,
    /// OceanBase: SUBPARTITION TEMPLATE (...).
    pub template: Vec<SubpartitionDef>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartitionDef {
    pub name: Ident,
    pub values: PartitionValues,
    /// `ENGINE`, `COMMENT`, `DATA DIRECTORY`, `TABLESPACE`, `MAX_ROWS`, ...: named as a table's.
    pub options: TableOptions,
    pub subpartitions: Vec<SubpartitionDef>,
    /// Where it stands.
    pub span: Span,
}

/// One subpartition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SubpartitionDef {
    pub name: Ident,
    /// OceanBase only.
    pub values: PartitionValues,
    pub options: TableOptions,
}

/// Which rows a partition takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PartitionValues {
    /// HASH and KEY partitions.
    Unstated,
    /// VALUES LESS THAN (list), parentheses taken off.
    LessThan(Fragment),
    /// VALUES LESS THAN MAXVALUE.
    LessThanMaxValue,
    /// VALUES IN (list), parentheses taken off.
    In(Fragment),
    /// MariaDB, TiDB: DEFAULT.
    Default,
    /// MariaDB: HISTORY.
    History,
    /// MariaDB: CURRENT.
    Current,
}
