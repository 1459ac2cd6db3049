//! ALTER TABLE.

use std::fmt::{self, Display, Formatter};

use super::table::PeriodName;
use super::{Charset, Commas, flag, if_exists, if_not_exists, optional};
use crate::ast::{AlterClause, AlterColumnAction, AlterTable, Fragment, IndexVisibility, PartitionSelection};

impl Display for AlterTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("ALTER")?;
        optional(f, "", self.online.as_ref())?;
        flag(f, self.ignore, "IGNORE")?;
        f.write_str(" TABLE")?;
        if_exists(f, self.if_exists)?;
        write!(f, " {}", self.table)?;
        optional(f, "", self.wait.as_ref())?;
        for (index, clause) in self.clauses.iter().enumerate() {
            // These follow the other clauses without a comma.
            let bare = matches!(clause, AlterClause::PartitionBy(_) | AlterClause::RemovePartitioning);
            f.write_str(if index == 0 || bare { " " } else { ", " })?;
            Display::fmt(clause, f)?;
        }
        Ok(())
    }
}

impl Display for PartitionSelection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            PartitionSelection::All => f.write_str("ALL"),
            PartitionSelection::Names(names) => Display::fmt(&Commas(names), f),
        }
    }
}

impl Display for AlterColumnAction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            AlterColumnAction::SetDefault(value) => write!(f, "SET DEFAULT {value}"),
            AlterColumnAction::DropDefault => f.write_str("DROP DEFAULT"),
            AlterColumnAction::SetVisible => f.write_str("SET VISIBLE"),
            AlterColumnAction::SetInvisible => f.write_str("SET INVISIBLE"),
        }
    }
}

impl Display for IndexVisibility {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IndexVisibility::Visible => "VISIBLE",
            IndexVisibility::Invisible => "INVISIBLE",
            IndexVisibility::Ignored => "IGNORED",
            IndexVisibility::NotIgnored => "NOT IGNORED",
        })
    }
}

impl Display for AlterClause {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            AlterClause::AddColumn { .. }
            | AlterClause::AddElements { .. }
            | AlterClause::AddIndex(_)
            | AlterClause::AddForeignKey(_)
            | AlterClause::AddCheck(_)
            | AlterClause::AddPeriod(_)
            | AlterClause::AddSystemVersioning => write_add(f, self),
            AlterClause::DropColumn { .. }
            | AlterClause::DropPrimaryKey
            | AlterClause::DropIndex { .. }
            | AlterClause::DropForeignKey { .. }
            | AlterClause::DropCheck { .. }
            | AlterClause::DropConstraint { .. }
            | AlterClause::DropPeriod { .. }
            | AlterClause::DropSystemVersioning => write_drop(f, self),
            AlterClause::ModifyColumn { .. }
            | AlterClause::ChangeColumn { .. }
            | AlterClause::RenameColumn { .. }
            | AlterClause::AlterColumn { .. }
            | AlterClause::RenameIndex { .. }
            | AlterClause::AlterIndex { .. }
            | AlterClause::AlterCheck { .. } => write_change(f, self),
            _ => write_whole_table(f, self),
        }
    }
}

fn write_add(f: &mut Formatter<'_>, clause: &AlterClause) -> fmt::Result {
    f.write_str("ADD")?;
    match clause {
        AlterClause::AddColumn { if_not_exists: there, column, position } => {
            f.write_str(" COLUMN")?;
            if_not_exists(f, *there)?;
            write!(f, " {column}")?;
            optional(f, "", position.as_ref())
        }
        AlterClause::AddElements { if_not_exists: there, elements } => {
            if *there {
                f.write_str(" COLUMN IF NOT EXISTS")?;
            }
            write!(f, " ({})", Commas(elements))
        }
        AlterClause::AddIndex(index) => write!(f, " {index}"),
        AlterClause::AddForeignKey(key) => write!(f, " {key}"),
        AlterClause::AddCheck(check) => write!(f, " {check}"),
        AlterClause::AddPeriod(period) => write!(f, " {period}"),
        _ => f.write_str(" SYSTEM VERSIONING"),
    }
}

fn write_drop(f: &mut Formatter<'_>, clause: &AlterClause) -> fmt::Result {
    let (what, there, name) = match clause {
        AlterClause::DropColumn { if_exists, name } => ("COLUMN", *if_exists, Some(name)),
        AlterClause::DropIndex { if_exists, name } => ("KEY", *if_exists, Some(name)),
        AlterClause::DropForeignKey { if_exists, name } => ("FOREIGN KEY", *if_exists, Some(name)),
        AlterClause::DropCheck { if_exists, name } => ("CHECK", *if_exists, Some(name)),
        AlterClause::DropConstraint { if_exists, name } => ("CONSTRAINT", *if_exists, Some(name)),
        AlterClause::DropPeriod { if_exists, name } => ("PERIOD", *if_exists, Some(name)),
        AlterClause::DropPrimaryKey => ("PRIMARY KEY", false, None),
        _ => ("SYSTEM VERSIONING", false, None),
    };
    write!(f, "DROP {what}")?;
    if_exists(f, there)?;
    match (clause, name) {
        (AlterClause::DropPeriod { .. }, Some(name)) => write!(f, " FOR {}", PeriodName(name)),
        _ => optional(f, "", name),
    }
}

fn write_change(f: &mut Formatter<'_>, clause: &AlterClause) -> fmt::Result {
    let head = |f: &mut Formatter<'_>, words: &str, there: bool| -> fmt::Result {
        f.write_str(words)?;
        if_exists(f, there)
    };
    match clause {
        AlterClause::ModifyColumn { if_exists: there, column, position } => {
            head(f, "MODIFY COLUMN", *there)?;
            write!(f, " {column}")?;
            optional(f, "", position.as_ref())
        }
        AlterClause::ChangeColumn { if_exists: there, old, column, position } => {
            head(f, "CHANGE COLUMN", *there)?;
            write!(f, " {old} {column}")?;
            optional(f, "", position.as_ref())
        }
        AlterClause::RenameColumn { if_exists: there, from, to } => {
            head(f, "RENAME COLUMN", *there)?;
            write!(f, " {from} TO {to}")
        }
        AlterClause::RenameIndex { if_exists: there, from, to } => {
            head(f, "RENAME KEY", *there)?;
            write!(f, " {from} TO {to}")
        }
        AlterClause::AlterColumn { if_exists: there, name, action } => {
            head(f, "ALTER COLUMN", *there)?;
            write!(f, " {name} {action}")
        }
        AlterClause::AlterIndex { if_exists: there, name, visibility } => {
            head(f, "ALTER INDEX", *there)?;
            write!(f, " {name} {visibility}")
        }
        AlterClause::AlterCheck { name, enforced } => {
            write!(f, "ALTER CONSTRAINT {name} {}", if *enforced { "ENFORCED" } else { "NOT ENFORCED" })
        }
        _ => Ok(()),
    }
}

fn write_whole_table(f: &mut Formatter<'_>, clause: &AlterClause) -> fmt::Result {
    match clause {
        AlterClause::RenameTo(table) => write!(f, "RENAME TO {table}"),
        AlterClause::ConvertTo { charset, collation } => {
            write!(f, "CONVERT TO CHARACTER SET {}", Charset(charset.as_deref().unwrap_or("DEFAULT")))?;
            optional(f, "COLLATE", collation.as_deref().map(Charset).as_ref())
        }
        AlterClause::Option(option) => Display::fmt(option, f),
        AlterClause::OrderBy(columns) => {
            f.write_str("ORDER BY ")?;
            for (index, (column, order)) in columns.iter().enumerate() {
                write!(f, "{}{column}", if index > 0 { ", " } else { "" })?;
                optional(f, "", order.as_ref())?;
            }
            Ok(())
        }
        AlterClause::DisableKeys => f.write_str("DISABLE KEYS"),
        AlterClause::EnableKeys => f.write_str("ENABLE KEYS"),
        AlterClause::Force => f.write_str("FORCE"),
        AlterClause::Algorithm(algorithm) => write!(f, "ALGORITHM={algorithm}"),
        AlterClause::Lock(lock) => write!(f, "LOCK={lock}"),
        AlterClause::WithValidation => f.write_str("WITH VALIDATION"),
        AlterClause::WithoutValidation => f.write_str("WITHOUT VALIDATION"),
        AlterClause::DiscardTablespace => f.write_str("DISCARD TABLESPACE"),
        AlterClause::ImportTablespace => f.write_str("IMPORT TABLESPACE"),
        AlterClause::SecondaryLoad => f.write_str("SECONDARY_LOAD"),
        AlterClause::SecondaryUnload => f.write_str("SECONDARY_UNLOAD"),
        AlterClause::Vendor(text) => Display::fmt(text, f),
        _ => write_partition(f, clause),
    }
}

fn write_partition(f: &mut Formatter<'_>, clause: &AlterClause) -> fmt::Result {
    let local = |local: &bool| if *local { " NO_WRITE_TO_BINLOG" } else { "" };
    match clause {
        AlterClause::PartitionBy(partitioning) => Display::fmt(partitioning, f),
        AlterClause::RemovePartitioning => f.write_str("REMOVE PARTITIONING"),
        AlterClause::AddPartition { if_not_exists: there, local: l, definitions } => {
            f.write_str("ADD PARTITION")?;
            if_not_exists(f, *there)?;
            f.write_str(local(l))?;
            if definitions.is_empty() { Ok(()) } else { write!(f, " ({})", Commas(definitions)) }
        }
        AlterClause::AddPartitionCount { if_not_exists: there, local: l, count } => {
            f.write_str("ADD PARTITION")?;
            if_not_exists(f, *there)?;
            write!(f, "{} PARTITIONS {count}", local(l))
        }
        AlterClause::DropPartition { if_exists: there, names } => {
            f.write_str("DROP PARTITION")?;
            if_exists(f, *there)?;
            write!(f, " {}", Commas(names))
        }
        AlterClause::TruncatePartition(partitions) => write!(f, "TRUNCATE PARTITION {partitions}"),
        AlterClause::CoalescePartition { local: l, count } => {
            write!(f, "COALESCE PARTITION{} {count}", local(l))
        }
        AlterClause::ReorganizePartition { local: l, names, into } => {
            write!(f, "REORGANIZE PARTITION{}", local(l))?;
            if names.is_empty() { Ok(()) } else { write!(f, " {} INTO ({})", Commas(names), Commas(into)) }
        }
        AlterClause::ExchangePartition { partition, table, validation } => {
            write!(f, "EXCHANGE PARTITION {partition} WITH TABLE {table}")?;
            write_validation(f, *validation)
        }
        AlterClause::MaintainPartition { verb, local: l, partitions, options } => {
            write!(f, "{verb} PARTITION{} {partitions}", local(l))?;
            options.iter().try_for_each(|option| write!(f, " {option}"))
        }
        AlterClause::DiscardPartitionTablespace(partitions) => {
            write!(f, "DISCARD PARTITION {partitions} TABLESPACE")
        }
        AlterClause::ImportPartitionTablespace(partitions) => {
            write!(f, "IMPORT PARTITION {partitions} TABLESPACE")
        }
        AlterClause::ConvertPartitionToTable { partition, table } => {
            write!(f, "CONVERT PARTITION {partition} TO TABLE {table}")
        }
        AlterClause::ConvertTableToPartition { table, definition, validation } => {
            write!(f, "CONVERT TABLE {table} TO {definition}")?;
            write_validation(f, *validation)
        }
        AlterClause::DropSubpartition { names } => write!(f, "DROP SUBPARTITION {}", Commas(names)),
        AlterClause::TruncateSubpartition { names } => write!(f, "TRUNCATE SUBPARTITION {}", Commas(names)),
        AlterClause::RenamePartition { subpartition, from, to } => {
            write!(f, "RENAME {} {from} TO {to}", if *subpartition { "SUBPARTITION" } else { "PARTITION" })
        }
        AlterClause::IntervalPartition { verb, bound } => write_interval(f, verb, bound),
        _ => Ok(()),
    }
}

fn write_interval(f: &mut Formatter<'_>, verb: &str, bound: &Fragment) -> fmt::Result {
    write!(f, "{verb} PARTITION LESS THAN ({bound})")
}

fn write_validation(f: &mut Formatter<'_>, validation: Option<bool>) -> fmt::Result {
    f.write_str(match validation {
        Some(true) => " WITH VALIDATION",
        Some(false) => " WITHOUT VALIDATION",
        None => "",
    })
}
