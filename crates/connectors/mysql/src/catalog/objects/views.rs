//! Views.

use std::collections::{BTreeMap, BTreeSet};

use whimbrel_connector::{Flavor, Result};
use whimbrel_model::TableName;
use whimbrel_model::object::{Definition, ObjectKind, SchemaObject, View};

use super::super::session::{CATALOGUE, qualified};
use super::super::tables::scopes;
use super::{Reading, account_name, made_in, security};

impl Reading<'_> {
    pub(super) async fn views(&mut self) -> Result<()> {
        let algorithm = if self.identity.is_mariadb((10, 1, 3)) { "ALGORITHM" } else { "NULL" };
        let sql = format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, VIEW_DEFINITION, CHECK_OPTION, DEFINER, SECURITY_TYPE, \
             CHARACTER_SET_CLIENT, COLLATION_CONNECTION, {algorithm} FROM information_schema.VIEWS WHERE {}",
            self.in_schemas("TABLE_SCHEMA")
        );
        let Some(rows) = self.ask(ObjectKind::View, &sql).await? else { return Ok(()) };
        let mut views = Vec::new();
        for row in rows {
            let (Some(schema), Some(name)) = (row.text(0), row.text(1)) else { continue };
            let name = TableName::new(schema, name);
            let query = row.text(2).unwrap_or_default();
            if query.is_empty() {
                let reason = "the user may not see its text: GRANT SHOW VIEW on it, or on its schema";
                self.unread(ObjectKind::View, Some(name), reason);
                continue;
            }
            let view = View {
                columns: Vec::new(),
                query: query.to_owned(),
                algorithm: row.text(8).and_then(known_algorithm),
                check_option: row.text(3).filter(|word| *word != "NONE").map(str::to_owned),
                security: security(row.text(5)),
            };
            views.push(SchemaObject {
                name,
                definer: row.text(4).and_then(account_name),
                session: made_in(None, row.text(6), row.text(7)),
                comment: String::new(),
                definition: Definition::View(view),
            });
        }
        self.view_columns(&mut views).await?;
        if self.identity.flavor == Flavor::Mysql {
            self.view_algorithms(&mut views).await?;
        }
        self.found.objects.append(&mut views);
        Ok(())
    }

    /// A view that reads what isn't there has no columns, and a warning.
    async fn view_columns(&mut self, views: &mut [SchemaObject]) -> Result<()> {
        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for view in views.iter() {
            names.entry(view.name.schema.clone()).or_default().insert(view.name.table.clone());
        }
        let mut columns: BTreeMap<TableName, Vec<String>> = BTreeMap::new();
        for (schema, tables) in names {
            for scope in scopes(&self.identity, &schema, &tables) {
                let sql = format!(
                    "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE {} \
                     ORDER BY TABLE_NAME, ORDINAL_POSITION",
                    scope.of_tables()
                );
                for row in self.session.rows_within(&sql, "reading views", CATALOGUE).await? {
                    if let [Some(schema), Some(view), Some(column)] = [0, 1, 2].map(|at| row.text(at)) {
                        columns.entry(TableName::new(schema, view)).or_default().push(column.to_owned());
                    }
                }
            }
        }
        for view in views {
            if let Definition::View(definition) = &mut view.definition {
                definition.columns = columns.remove(&view.name).unwrap_or_default();
            }
        }
        Ok(())
    }

    /// MySQL tells the algorithm in SHOW CREATE VIEW only.
    async fn view_algorithms(&mut self, views: &mut [SchemaObject]) -> Result<()> {
        for view in views {
            let sql = format!("SHOW CREATE VIEW {}", qualified(&view.name));
            let rows = self.session.ask(&sql, "reading a view").await?.rows();
            let text = rows.first().and_then(|row| row.text(1)).unwrap_or_default();
            let word = text.strip_prefix("CREATE ALGORITHM=").and_then(|rest| rest.split(' ').next());
            if let (Some(word), Definition::View(view)) = (word, &mut view.definition) {
                view.algorithm = known_algorithm(word);
            }
        }
        Ok(())
    }
}

fn known_algorithm(word: &str) -> Option<String> {
    matches!(word, "MERGE" | "TEMPTABLE").then(|| word.to_owned())
}
