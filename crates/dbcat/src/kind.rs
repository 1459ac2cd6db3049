//! Kinds of statements and clauses: what a user's policy about DDL is written in.

use std::fmt;
use std::str::FromStr;

use whimbrel_mysql_ddl::ast::{AlterClause, Body, Statement, TableElement};

/// What a statement, or a clause of ALTER TABLE, does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DdlKind {
    CreateTable,
    DropTable,
    Truncate,
    /// RENAME TABLE, ALTER TABLE ... RENAME TO.
    Rename,
    AddColumn,
    DropColumn,
    /// MODIFY, CHANGE under the same name, ALTER COLUMN, CONVERT TO CHARACTER SET.
    ModifyColumn,
    /// RENAME COLUMN, CHANGE to another name.
    RenameColumn,
    PrimaryKey,
    /// Secondary and unique keys: make, drop, rename, hide.
    Index,
    ForeignKey,
    Check,
    /// Partitions without loss of rows: add, reorganize, partition by.
    Partition,
    /// DROP, TRUNCATE, EXCHANGE PARTITION: rows go, and no row events say so.
    DropPartition,
    /// Comment, charset, engine and whatever else says nothing about columns and keys.
    Options,
    CreateDatabase,
    DropDatabase,
}

impl DdlKind {
    pub const ALL: [Self; 17] = [
        Self::CreateTable,
        Self::DropTable,
        Self::Truncate,
        Self::Rename,
        Self::AddColumn,
        Self::DropColumn,
        Self::ModifyColumn,
        Self::RenameColumn,
        Self::PrimaryKey,
        Self::Index,
        Self::ForeignKey,
        Self::Check,
        Self::Partition,
        Self::DropPartition,
        Self::Options,
        Self::CreateDatabase,
        Self::DropDatabase,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateTable => "create-table",
            Self::DropTable => "drop-table",
            Self::Truncate => "truncate",
            Self::Rename => "rename",
            Self::AddColumn => "alter-add-column",
            Self::DropColumn => "alter-drop-column",
            Self::ModifyColumn => "alter-modify",
            Self::RenameColumn => "alter-rename-column",
            Self::PrimaryKey => "primary-key",
            Self::Index => "index",
            Self::ForeignKey => "foreign-key",
            Self::Check => "check",
            Self::Partition => "partition",
            Self::DropPartition => "drop-partition",
            Self::Options => "alter-options",
            Self::CreateDatabase => "create-database",
            Self::DropDatabase => "drop-database",
        }
    }

    /// The kind of each thing that a statement does, in its order. Empty for statements that change no table.
    pub fn of_statement(statement: &Statement) -> Vec<Self> {
        match &statement.body {
            Body::CreateTable(_) => vec![Self::CreateTable],
            Body::DropTable(_) => vec![Self::DropTable],
            Body::TruncateTable(_) => vec![Self::Truncate],
            Body::RenameTable(_) => vec![Self::Rename],
            Body::CreateIndex(_) | Body::DropIndex(_) => vec![Self::Index],
            Body::CreateDatabase(_) | Body::AlterDatabase(_) => vec![Self::CreateDatabase],
            Body::DropDatabase(_) => vec![Self::DropDatabase],
            Body::AlterTable(alter) => alter.clauses.iter().filter_map(Self::of_clause).collect(),
            Body::Classified(_) => Vec::new(),
        }
    }

    /// `None` for words about how the statement runs.
    pub fn of_clause(clause: &AlterClause) -> Option<Self> {
        use AlterClause as A;
        Some(match clause {
            A::AddColumn { .. } | A::AddSystemVersioning | A::AddPeriod(_) => Self::AddColumn,
            A::AddElements { elements, .. } => match elements.first() {
                Some(TableElement::Index(_)) => Self::Index,
                Some(TableElement::ForeignKey(_)) => Self::ForeignKey,
                Some(TableElement::Check(_)) => Self::Check,
                _ => Self::AddColumn,
            },
            A::DropColumn { .. } | A::DropSystemVersioning | A::DropPeriod { .. } => Self::DropColumn,
            A::ModifyColumn { .. } | A::AlterColumn { .. } | A::ConvertTo { .. } => Self::ModifyColumn,
            A::ChangeColumn { old, column, .. } if old.value == column.name.value => Self::ModifyColumn,
            A::ChangeColumn { .. } | A::RenameColumn { .. } => Self::RenameColumn,
            A::DropPrimaryKey => Self::PrimaryKey,
            A::AddIndex(index) if index.kind == whimbrel_mysql_ddl::ast::IndexKind::Primary => {
                Self::PrimaryKey
            }
            A::AddIndex(_) | A::DropIndex { .. } | A::RenameIndex { .. } | A::AlterIndex { .. } => {
                Self::Index
            }
            A::AddForeignKey(_) | A::DropForeignKey { .. } => Self::ForeignKey,
            A::AddCheck(_) | A::DropCheck { .. } | A::DropConstraint { .. } | A::AlterCheck { .. } => {
                Self::Check
            }
            A::RenameTo(_) => Self::Rename,
            A::DropPartition { .. }
            | A::TruncatePartition(_)
            | A::ExchangePartition { .. }
            | A::DropSubpartition { .. }
            | A::TruncateSubpartition { .. }
            | A::IntervalPartition { .. }
            | A::ImportPartitionTablespace(_)
            | A::DiscardPartitionTablespace(_) => Self::DropPartition,
            A::PartitionBy(_)
            | A::RemovePartitioning
            | A::AddPartition { .. }
            | A::AddPartitionCount { .. }
            | A::CoalescePartition { .. }
            | A::ReorganizePartition { .. }
            | A::ConvertPartitionToTable { .. }
            | A::ConvertTableToPartition { .. }
            | A::RenamePartition { .. } => Self::Partition,
            A::Algorithm(_) | A::Lock(_) | A::Force | A::WithValidation | A::WithoutValidation => {
                return None;
            }
            _ => Self::Options,
        })
    }
}

impl fmt::Display for DdlKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The kinds that there are, for an error about another word.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{text:?} is no kind of statement; the kinds are all, {kinds}", kinds = names())]
pub struct UnknownKind {
    text: String,
}

fn names() -> String {
    DdlKind::ALL.map(DdlKind::name).join(", ")
}

impl FromStr for DdlKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| UnknownKind { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_mysql_ddl::{Dialect, ParseOptions, parse};

    use super::*;

    #[test]
    fn statements_have_the_kinds_of_their_clauses() {
        let kinds = |sql: &str| {
            let statement = parse(sql, &ParseOptions::new(Dialect::mariadb(110_800))).unwrap();
            DdlKind::of_statement(&statement).into_iter().map(DdlKind::name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            kinds(
                "ALTER TABLE t ADD a INT, DROP COLUMN b, CHANGE c d INT, CHANGE e e INT, ALGORITHM=INPLACE"
            ),
            "alter-add-column alter-drop-column alter-rename-column alter-modify"
        );
        assert_eq!(
            kinds("ALTER TABLE t DROP KEY k, ADD UNIQUE (a), DROP PRIMARY KEY"),
            "index index primary-key"
        );
        assert_eq!(kinds("ALTER TABLE t DROP PARTITION p0"), "drop-partition");
        assert_eq!(kinds("ALTER TABLE t COMMENT 'x', RENAME TO u"), "alter-options rename");
        assert_eq!(kinds("RENAME TABLE a TO b"), "rename");
        assert_eq!(kinds("CREATE INDEX i ON t (a)"), "index");
        assert_eq!(kinds("CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET @a = 1"), "");
    }

    #[test]
    fn every_kind_is_known_by_its_name_only() {
        for kind in DdlKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!("drop".parse::<DdlKind>().unwrap_err().to_string().contains("alter-add-column"));
    }
}
