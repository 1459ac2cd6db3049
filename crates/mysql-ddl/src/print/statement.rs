//! Statements.

use std::fmt::{self, Display, Formatter};

use crate::ast::{Body, Classified, Statement};

impl Display for Statement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(variables) = &self.variables {
            write!(f, "SET STATEMENT {variables} FOR ")?;
        }
        Display::fmt(&self.body, f)
    }
}

impl Display for Body {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Body::CreateTable(create) => Display::fmt(create, f),
            Body::AlterTable(alter) => Display::fmt(alter, f),
            Body::RenameTable(rename) => Display::fmt(rename, f),
            Body::DropTable(drop) => Display::fmt(drop, f),
            Body::TruncateTable(truncate) => Display::fmt(truncate, f),
            Body::CreateIndex(create) => Display::fmt(create, f),
            Body::DropIndex(drop) => Display::fmt(drop, f),
            Body::CreateDatabase(create) => Display::fmt(create, f),
            Body::AlterDatabase(alter) => Display::fmt(alter, f),
            Body::DropDatabase(drop) => Display::fmt(drop, f),
            Body::Classified(classified) => Display::fmt(classified, f),
        }
    }
}

impl Display for Classified {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.text, f)
    }
}
