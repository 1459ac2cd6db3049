//! CREATE, ALTER, DROP DATABASE, behind that word.

use super::{Parsed, Parser};
use crate::ast::{AlterDatabase, CreateDatabase, DatabaseOption, DropDatabase};
use crate::keyword::Kw;
use crate::token::TokenKind;

impl Parser<'_> {
    pub(super) fn create_database(&mut self, or_replace: bool) -> Parsed<CreateDatabase> {
        let if_not_exists = self.if_not_exists();
        let name = self.ident_as("database name")?;
        let options = self.database_options()?;
        Ok(CreateDatabase { or_replace, if_not_exists, name, options })
    }

    pub(super) fn alter_database(&mut self) -> Parsed<AlterDatabase> {
        // What may begin an option instead is reserved: servers take `ALTER DATABASE charset ..` for a name too.
        let name = if self.is_identifier(self.peek()) { Some(self.ident_as("database name")?) } else { None };
        let upgrade_data_directory_name =
            self.accept_words(&[Kw::UPGRADE, Kw::DATA, Kw::DIRECTORY, Kw::NAME]);
        let options = self.database_options()?;
        if options.is_empty() && !upgrade_data_directory_name {
            return Err(self.unexpected("database option"));
        }
        Ok(AlterDatabase { name, options, upgrade_data_directory_name })
    }

    fn database_options(&mut self) -> Parsed<Vec<DatabaseOption>> {
        let mut options = Vec::new();
        while let Some(option) = self.database_option()? {
            options.push(option);
            self.accept(TokenKind::Comma);
        }
        Ok(options)
    }

    pub(super) fn drop_database(&mut self) -> Parsed<DropDatabase> {
        let if_exists = self.if_exists();
        Ok(DropDatabase { if_exists, name: self.ident_as("database name")? })
    }
}
