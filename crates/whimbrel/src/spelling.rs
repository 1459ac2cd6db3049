//! When two names of schemas or tables mean the same, by `lower_case_table_names`.

use std::collections::HashMap;

use whimbrel_connector::ServerInfo;
use whimbrel_model::{TableName, TableSchema};

/// Whether a server takes names of schemas and tables that differ only in case for the same, and shows them in another
/// case than they were given (`lower_case_table_names` is not 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    Exact,
    Folded,
}

impl Spelling {
    pub fn of(server: &ServerInfo) -> Self {
        if server.folds_names() { Self::Folded } else { Self::Exact }
    }

    /// The form in which names are compared: servers fold character by character.
    pub fn of_name(self, name: &str) -> String {
        match self {
            Self::Exact => name.to_owned(),
            Self::Folded => name.chars().flat_map(char::to_lowercase).collect(),
        }
    }

    pub fn of_table(self, name: &TableName) -> TableName {
        TableName::new(self.of_name(&name.schema), self.of_name(&name.table))
    }

    /// Tables by the form in which their names are compared.
    pub fn by_name(self, tables: Vec<TableSchema>) -> HashMap<TableName, TableSchema> {
        tables.into_iter().map(|table| (self.of_table(&table.name), table)).collect()
    }
}
