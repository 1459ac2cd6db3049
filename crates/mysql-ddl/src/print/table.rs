//! Tables, options, databases.

use std::fmt::{self, Display, Formatter};

use super::{Charset, Commas, Quoted, Word, flag, if_exists, if_not_exists, optional};
use crate::ast::{
    AlterDatabase, CreateDatabase, CreateTable, CreateTableBody, CreateTableQuery, DatabaseOption,
    DropDatabase, DropTable, DuplicateRows, Ident, OptionValue, PeriodDef, RenameTable, TableDefinition,
    TableElement, TableOption, TableOptions, TruncateTable,
};

impl Display for CreateTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("CREATE")?;
        flag(f, self.or_replace, "OR REPLACE")?;
        flag(f, self.global, "GLOBAL")?;
        flag(f, self.temporary, "TEMPORARY")?;
        flag(f, self.external, "EXTERNAL")?;
        f.write_str(" TABLE")?;
        if_not_exists(f, self.if_not_exists)?;
        write!(f, " {}", self.name)?;
        match &self.body {
            CreateTableBody::Like(table) => write!(f, " LIKE {table}"),
            CreateTableBody::Definition(definition) => Display::fmt(definition, f),
        }
    }
}

const COLUMN_GROUP: &str = "WITH COLUMN GROUP";

/// OceanBase wants its column groups, TiDB its ON COMMIT behind the partitions.
pub(crate) fn stands_behind_partitions(option: &TableOption) -> bool {
    option.name == COLUMN_GROUP || option.name.starts_with("ON COMMIT")
}

/// With a space in front.
impl Display for TableDefinition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.elements.is_empty() {
            write!(f, " ({})", Commas(&self.elements))?;
        }
        let (behind, before): (Vec<_>, Vec<_>) =
            self.options.0.iter().partition(|o| stands_behind_partitions(o));
        before.into_iter().try_for_each(|option| write!(f, " {option}"))?;
        optional(f, "", self.partitioning.as_ref())?;
        behind.into_iter().try_for_each(|option| write!(f, " {option}"))?;
        optional(f, "", self.query.as_ref())
    }
}

impl Display for CreateTableQuery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.duplicates {
            Some(DuplicateRows::Ignore) => "IGNORE AS ",
            Some(DuplicateRows::Replace) => "REPLACE AS ",
            None => "AS ",
        })?;
        Display::fmt(&self.query, f)
    }
}

impl Display for TableElement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            TableElement::Column(column) => Display::fmt(column, f),
            TableElement::Index(index) => Display::fmt(index, f),
            TableElement::ForeignKey(key) => Display::fmt(key, f),
            TableElement::Check(check) => Display::fmt(check, f),
            TableElement::Period(period) => Display::fmt(period, f),
        }
    }
}

impl Display for PeriodDef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("PERIOD")?;
        if_not_exists(f, self.if_not_exists)?;
        write!(f, " FOR {} ({}, {})", PeriodName(&self.name), self.start, self.end)
    }
}

/// A period's name. MariaDB knows its own only without quotes.
pub(super) struct PeriodName<'a>(pub(super) &'a Ident);

impl Display for PeriodName<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.value.eq_ignore_ascii_case("SYSTEM_TIME") {
            return f.write_str("SYSTEM_TIME");
        }
        Display::fmt(self.0, f)
    }
}

/// Each with a space in front.
impl Display for TableOptions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|option| write!(f, " {option}"))
    }
}

impl Display for OptionValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            OptionValue::None => Ok(()),
            OptionValue::Word(text) => Display::fmt(&Word(text), f),
            OptionValue::Number(text) => f.write_str(text),
            OptionValue::String(text) => Display::fmt(&Quoted(text), f),
            OptionValue::Tables(tables) => write!(f, "({})", Commas(tables)),
            OptionValue::Text(text) => Display::fmt(text, f),
        }
    }
}

impl Display for TableOption {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_option(f, &self.name, &self.value)
    }
}

impl Display for DatabaseOption {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // Behind ALTER DATABASE without a name, these words alone would be the name.
        if matches!(self.name.as_str(), "ENCRYPTION" | "PLACEMENT POLICY") {
            f.write_str("DEFAULT ")?;
        }
        write_option(f, &self.name, &self.value)
    }
}

fn write_option(f: &mut Formatter<'_>, name: &str, value: &OptionValue) -> fmt::Result {
    match (name, value) {
        (_, OptionValue::None) => f.write_str(name),
        ("CHARSET", OptionValue::Word(name)) => write!(f, "CHARACTER SET={}", Charset(name)),
        ("COLLATE", OptionValue::Word(name)) => write!(f, "COLLATE={}", Charset(name)),
        // MariaDB takes `ALTER DATABASE CHARSET` for a database's name.
        ("CHARSET", value) => write!(f, "CHARACTER SET={value}"),
        // `STORAGE = DISK` and `= (..)` behind these are no grammar.
        ("STORAGE" | COLUMN_GROUP | "SET TIFLASH REPLICA", value) => write!(f, "{name} {value}"),
        ("COLLATE" | "UNION", value) => write!(f, "{name}={value}"),
        // A name of more than one word is a known one; others may need quotes.
        (name, value) if name.contains(' ') => write!(f, "{name}={value}"),
        (name, value) => write!(f, "{}={value}", Word(name)),
    }
}

impl Display for RenameTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("RENAME TABLE")?;
        if_exists(f, self.if_exists)?;
        for (index, (from, to)) in self.renames.iter().enumerate() {
            write!(f, "{} {from}", if index > 0 { "," } else { "" })?;
            if index == 0 {
                optional(f, "", self.wait.as_ref())?;
            }
            write!(f, " TO {to}")?;
        }
        Ok(())
    }
}

impl Display for DropTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("DROP")?;
        flag(f, self.global, "GLOBAL")?;
        flag(f, self.temporary, "TEMPORARY")?;
        f.write_str(" TABLE")?;
        if_exists(f, self.if_exists)?;
        write!(f, " {}", Commas(&self.tables))?;
        optional(f, "", self.wait.as_ref())?;
        optional(f, "", self.behaviour.as_ref())?;
        flag(f, self.purge, "PURGE")
    }
}

impl Display for TruncateTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "TRUNCATE TABLE {}", self.table)?;
        optional(f, "", self.wait.as_ref())
    }
}

impl Display for CreateDatabase {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("CREATE")?;
        flag(f, self.or_replace, "OR REPLACE")?;
        f.write_str(" DATABASE")?;
        if_not_exists(f, self.if_not_exists)?;
        write!(f, " {}", self.name)?;
        self.options.iter().try_for_each(|option| write!(f, " {option}"))
    }
}

impl Display for AlterDatabase {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("ALTER DATABASE")?;
        optional(f, "", self.name.as_ref())?;
        flag(f, self.upgrade_data_directory_name, "UPGRADE DATA DIRECTORY NAME")?;
        self.options.iter().try_for_each(|option| write!(f, " {option}"))
    }
}

impl Display for DropDatabase {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("DROP DATABASE")?;
        if_exists(f, self.if_exists)?;
        write!(f, " {}", self.name)
    }
}
