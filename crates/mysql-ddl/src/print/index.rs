//! Indexes, foreign keys, checks.

use std::fmt::{self, Display, Formatter};

use super::{Commas, Quoted, Word, if_exists, if_not_exists, optional};
use crate::ast::{
    CheckDef, CreateIndex, DropIndex, ForeignKeyDef, IndexDef, IndexKind, IndexOption, KeyPart,
    KeyPartTarget, MatchType, OptionValue, References, ReferentialAction, SortOrder,
};

impl IndexKind {
    /// The words of the kind inside CREATE TABLE, in upper case.
    pub fn name(self) -> &'static str {
        match self {
            IndexKind::Primary => "PRIMARY KEY",
            IndexKind::Unique => "UNIQUE KEY",
            IndexKind::Plain => "KEY",
            IndexKind::Fulltext => "FULLTEXT KEY",
            IndexKind::Spatial => "SPATIAL KEY",
            IndexKind::Vector => "VECTOR INDEX",
            IndexKind::Columnar => "COLUMNAR INDEX",
        }
    }
}

impl Display for SortOrder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SortOrder::Asc => "ASC",
            SortOrder::Desc => "DESC",
        })
    }
}

impl Display for KeyPart {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.target {
            KeyPartTarget::Column(column) => Display::fmt(column, f)?,
            KeyPartTarget::Expr(expr) => write!(f, "({expr})")?,
        }
        if let Some(length) = self.length {
            write!(f, "({length})")?;
        }
        optional(f, "", self.order.as_ref())
    }
}

impl Display for IndexDef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(constraint) = &self.constraint {
            write!(f, "CONSTRAINT {constraint} ")?;
        }
        f.write_str(self.kind.name())?;
        if_not_exists(f, self.if_not_exists)?;
        optional(f, "", self.name.as_ref())?;
        write_parts(f, self)?;
        write_options(f, self)
    }
}

fn write_parts(f: &mut Formatter<'_>, index: &IndexDef) -> fmt::Result {
    write!(f, " ({}", Commas(&index.parts))?;
    if let Some(period) = &index.without_overlaps {
        write!(f, ", {period} WITHOUT OVERLAPS")?;
    }
    f.write_str(")")
}

fn write_options(f: &mut Formatter<'_>, index: &IndexDef) -> fmt::Result {
    index.options.iter().try_for_each(|option| write!(f, " {option}"))?;
    optional(f, "", index.partitioning.as_ref())
}

impl Display for IndexOption {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        use IndexOption as O;
        match self {
            O::Using(method) => write!(f, "USING {method}"),
            O::KeyBlockSize(size) => write!(f, "KEY_BLOCK_SIZE={size}"),
            O::WithParser(parser) => write!(f, "WITH PARSER {parser}"),
            O::Comment(text) => write!(f, "COMMENT {}", Quoted(text)),
            O::Visible => f.write_str("VISIBLE"),
            O::Invisible => f.write_str("INVISIBLE"),
            O::Ignored => f.write_str("IGNORED"),
            O::NotIgnored => f.write_str("NOT IGNORED"),
            O::EngineAttribute(text) => write!(f, "ENGINE_ATTRIBUTE={}", Quoted(text)),
            O::SecondaryEngineAttribute(text) => write!(f, "SECONDARY_ENGINE_ATTRIBUTE={}", Quoted(text)),
            O::Layout(layout) => Display::fmt(layout, f),
            O::Global => f.write_str("GLOBAL"),
            O::Local => f.write_str("LOCAL"),
            O::BlockSize(size) => write!(f, "BLOCK_SIZE {size}"),
            O::Storing(columns) => write!(f, "STORING ({})", Commas(columns)),
            O::Named { name, value: OptionValue::Text(text) } if name == "WITH" => write!(f, "WITH {text}"),
            O::Named { name, value } => write!(f, "{}={value}", Word(name)),
        }
    }
}

impl Display for ForeignKeyDef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(constraint) = &self.constraint {
            write!(f, "CONSTRAINT {constraint} ")?;
        }
        f.write_str("FOREIGN KEY")?;
        if_not_exists(f, self.if_not_exists)?;
        optional(f, "", self.index_name.as_ref())?;
        write!(f, " ({}) {}", Commas(&self.columns), self.references)
    }
}

impl Display for References {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "REFERENCES {}", self.table)?;
        if !self.columns.is_empty() {
            write!(f, " ({})", Commas(&self.columns))?;
        }
        if let Some(match_type) = self.match_type {
            f.write_str(match match_type {
                MatchType::Full => " MATCH FULL",
                MatchType::Partial => " MATCH PARTIAL",
                MatchType::Simple => " MATCH SIMPLE",
            })?;
        }
        optional(f, "ON DELETE", self.on_delete.as_ref())?;
        optional(f, "ON UPDATE", self.on_update.as_ref())
    }
}

impl Display for ReferentialAction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReferentialAction::Restrict => "RESTRICT",
            ReferentialAction::Cascade => "CASCADE",
            ReferentialAction::SetNull => "SET NULL",
            ReferentialAction::NoAction => "NO ACTION",
            ReferentialAction::SetDefault => "SET DEFAULT",
        })
    }
}

impl Display for CheckDef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(constraint) = &self.constraint {
            f.write_str("CONSTRAINT")?;
            if_not_exists(f, self.if_not_exists)?;
            write!(f, " {constraint} ")?;
        }
        write!(f, "CHECK ({})", self.expr)?;
        f.write_str(match self.enforced {
            Some(true) => " ENFORCED",
            Some(false) => " NOT ENFORCED",
            None => "",
        })
    }
}

impl Display for CreateIndex {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("CREATE")?;
        if self.or_replace {
            f.write_str(" OR REPLACE")?;
        }
        optional(f, "", self.online.as_ref())?;
        f.write_str(match self.index.kind {
            IndexKind::Unique => " UNIQUE INDEX",
            IndexKind::Fulltext => " FULLTEXT INDEX",
            IndexKind::Spatial => " SPATIAL INDEX",
            IndexKind::Vector => " VECTOR INDEX",
            IndexKind::Columnar => " COLUMNAR INDEX",
            IndexKind::Plain | IndexKind::Primary => " INDEX",
        })?;
        if_not_exists(f, self.index.if_not_exists)?;
        optional(f, "", self.index.name.as_ref())?;
        write!(f, " ON {}", self.table)?;
        write_parts(f, &self.index)?;
        optional(f, "", self.wait.as_ref())?;
        write_options(f, &self.index)?;
        optional(f, "ALGORITHM =", self.algorithm.as_ref())?;
        optional(f, "LOCK =", self.lock.as_ref())
    }
}

impl Display for DropIndex {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("DROP")?;
        optional(f, "", self.online.as_ref())?;
        f.write_str(" INDEX")?;
        if_exists(f, self.if_exists)?;
        write!(f, " {} ON {}", self.name, self.table)?;
        optional(f, "", self.wait.as_ref())?;
        optional(f, "ALGORITHM =", self.algorithm.as_ref())?;
        optional(f, "LOCK =", self.lock.as_ref())
    }
}
