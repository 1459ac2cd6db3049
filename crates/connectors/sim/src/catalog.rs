//! [`Catalog`] in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use whimbrel_connector::{
    Abilities, AccountCatalogue, Catalog, Finding, Flavor, ObjectCatalogue, Result, ServerInfo,
    TableEstimate, TableKind, TableSummary,
};
use whimbrel_model::object::{Definition, ObjectSession};
use whimbrel_model::{Position, SchemaObject, TableName, TableSchema};

use crate::database::{Database, unknown_table};
use crate::server::SimServer;

pub(crate) struct SimCatalog(pub Arc<SimServer>);

impl SimCatalog {
    async fn call<T>(&self, name: &'static str, work: impl FnOnce(&Database) -> T + Send) -> Result<T>
    where
        T: Send,
    {
        let after = self.0.enter(name, String::new()).await?;
        let done = work(&self.0.db());
        self.0.leave(after).await?;
        Ok(done)
    }
}

#[async_trait]
impl Catalog for SimCatalog {
    async fn server(&mut self) -> Result<ServerInfo> {
        // What speaks MySQL's dialect is treated as the newest MySQL.
        Ok(ServerInfo {
            flavor: Flavor::Mysql,
            version: (9, 7, 0),
            version_text: "simulated".to_owned(),
            server: self.0.name.clone(),
            variables: BTreeMap::new(),
            collations: BTreeMap::new(),
            abilities: Abilities::default(),
        })
    }

    async fn schemas(&mut self) -> Result<Vec<String>> {
        self.call("schemas", |db| db.schemas.iter().cloned().collect()).await
    }

    async fn schema_collations(&mut self) -> Result<BTreeMap<String, String>> {
        Ok(BTreeMap::new())
    }

    async fn tables(&mut self, schema: &str) -> Result<Vec<TableSummary>> {
        let summaries = |db: &Database| {
            let of_schema = db.names.iter().filter(|(name, _)| name.schema == schema);
            let summary = |(name, id): (&TableName, &u64)| {
                let rows = db.tables.get(id).map_or(0, |table| table.rows.len() as u64);
                TableSummary {
                    name: name.clone(),
                    kind: TableKind::Table,
                    engine: None,
                    estimate: TableEstimate { rows, bytes: rows * 32 },
                }
            };
            of_schema.map(summary).collect()
        };
        self.call("tables", summaries).await
    }

    async fn table_schemas(&mut self, names: &[TableName]) -> Result<Vec<TableSchema>> {
        let find = |db: &Database| {
            let schema = |name| db.table(name).map(|table| table.schema.as_ref().clone());
            names.iter().map(schema).collect::<Result<Vec<_>>>()
        };
        self.call("table_schemas", find).await?
    }

    async fn existing_tables(&mut self, names: &[TableName]) -> Result<Vec<TableSchema>> {
        let find = |db: &Database| {
            names.iter().filter_map(|name| Some(db.table(name).ok()?.schema.as_ref().clone())).collect()
        };
        self.call("existing_tables", find).await
    }

    async fn objects(&mut self, schemas: &[String]) -> Result<ObjectCatalogue> {
        let find = |db: &Database| {
            let views = db.views.iter().filter(|(name, _)| schemas.contains(&name.schema));
            let object = |(name, view): (&TableName, &whimbrel_model::object::View)| SchemaObject {
                name: name.clone(),
                definer: None,
                session: ObjectSession::default(),
                comment: String::new(),
                definition: Definition::View(view.clone()),
            };
            ObjectCatalogue { objects: views.map(object).collect(), unread: Vec::new() }
        };
        self.call("objects", find).await
    }

    async fn accounts(&mut self) -> Result<AccountCatalogue> {
        Ok(AccountCatalogue::default())
    }

    async fn has_rows(&mut self, table: &TableName) -> Result<bool> {
        let look = |db: &Database| {
            let table = db.table(table).map_err(|_| unknown_table(table))?;
            Ok(!table.rows.is_empty())
        };
        self.call("has_rows", look).await?
    }

    async fn position_before_reads(&mut self) -> Result<Position> {
        self.call("position_before_reads", |db| db.log.end()).await
    }

    async fn position_after_reads(&mut self) -> Result<Position> {
        self.call("position_after_reads", |db| db.log.end()).await
    }

    async fn check_source(&mut self, _: &[TableSchema], _: bool) -> Result<Vec<Finding>> {
        Ok(Vec::new())
    }

    async fn check_target(&mut self, _: &[String]) -> Result<Vec<Finding>> {
        Ok(Vec::new())
    }
}
