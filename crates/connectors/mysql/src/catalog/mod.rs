//! Reading what a MySQL, MariaDB or OceanBase server is and holds: [`MysqlCatalog`], the connector's `Catalog`.
//!
//! Definitions come from `information_schema`, by schema and not by table ([`tables`]); positions stand in a
//! proven relation to reads ([`position`]); prechecks try what they check where that changes nothing
//! ([`check_source`], [`check_target`], [`privileges`]). Only [`MysqlCatalog::try_abilities`] writes, into a schema of its own.
//!
//! What it guarantees: nothing at the server is changed; every statement has a deadline; a type, charset or
//! object that can't be carried is an error that names it.
//!
//! What is not read: options of full-text and vector indexes, index methods, compression of columns, tablespaces, periods
//! and hidden columns of MariaDB's versioned tables. MariaDB's JSON is what it is there: LONGTEXT with a check, kept byte for byte.

mod check_source;
mod check_target;
mod column;
mod column_type;
mod keys;
mod objects;
mod position;
mod privileges;
mod probe;
mod session;
mod show_create;
mod tables;
mod texts;
mod trial;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use whimbrel_connector::text::TextQuestion;
use whimbrel_connector::{
    AccountCatalogue, Catalog, ConnectorError, ErrorKind, Finding, ObjectCatalogue, Result, ServerInfo,
    TableEstimate, TableKind, TableSummary,
};
use whimbrel_model::{Position, TableName, TableSchema};

pub use column_type::ColumnTypeError;

use session::{CATALOGUE, Session, literal, qualified};

use crate::wire::ConnectOptions;

/// Schemas that belong to the server.
const SYSTEM_SCHEMAS: [&str; 8] = [
    "information_schema",
    "mysql",
    "performance_schema",
    "sys",
    "oceanbase",
    "__recyclebin",
    "__public",
    "lbacsys",
];

/// A server's catalogue. The contract is the trait's.
pub struct MysqlCatalog {
    session: Session,
    owned_wait: Duration,
}

impl MysqlCatalog {
    /// Nothing is connected yet; the first call does.
    pub fn new(options: &ConnectOptions) -> Self {
        Self { session: Session::new(options), owned_wait: position::OWNED_WAIT }
    }

    /// How long `position_before_reads` waits for transactions that own a GTID (MySQL with GTIDs); 8 s unless said
    /// otherwise. A replica's long transactions are such.
    pub fn owned_wait(mut self, limit: Duration) -> Self {
        self.owned_wait = limit;
        self
    }

    /// Finds out by trying what the server doesn't tell ([`trial`]).
    ///
    /// # Errors
    /// A connection that is lost; what a server refuses is an answer.
    pub async fn try_abilities(&mut self) -> Result<whimbrel_connector::Abilities> {
        trial::abilities(&mut self.session).await
    }

    /// Connects now, so that a wrong endpoint is known at once.
    ///
    /// # Errors
    /// As [`crate::error::connect_error`].
    pub async fn connect(options: &ConnectOptions) -> Result<Self> {
        let mut catalog = Self::new(options);
        catalog.session.identity().await?;
        Ok(catalog)
    }
}

#[async_trait]
impl Catalog for MysqlCatalog {
    async fn server(&mut self) -> Result<ServerInfo> {
        probe::server(&mut self.session).await
    }

    async fn schemas(&mut self) -> Result<Vec<String>> {
        Ok(self.schema_collations().await?.into_keys().collect())
    }

    async fn schema_collations(&mut self) -> Result<BTreeMap<String, String>> {
        let sql = "SELECT SCHEMA_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA";
        let rows = self.session.rows(sql, "reading schemas").await?;
        let pairs = rows.iter().filter_map(|row| Some((row.text(0)?.to_owned(), row.text(1)?.to_owned())));
        Ok(pairs.filter(|(name, _)| !SYSTEM_SCHEMAS.contains(&name.to_lowercase().as_str())).collect())
    }

    async fn tables(&mut self, schema: &str) -> Result<Vec<TableSummary>> {
        let folded = self.session.identity().await?.fold(schema);
        let sql = format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS, \
             COALESCE(DATA_LENGTH, 0) + COALESCE(INDEX_LENGTH, 0) FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = {}",
            literal(&folded)
        );
        let rows = self.session.rows_within(&sql, "reading tables", CATALOGUE).await?;
        let summary = |row: &crate::wire::Row| {
            let kind = match row.text(2)? {
                "BASE TABLE" | "SYSTEM VERSIONED" => TableKind::Table,
                "VIEW" => TableKind::View,
                // Sequences and temporary tables are neither.
                _ => return None,
            };
            Some(TableSummary {
                name: TableName::new(row.text(0)?, row.text(1)?),
                kind,
                engine: row.text(3).map(str::to_owned),
                estimate: TableEstimate {
                    rows: row.parse(4).unwrap_or_default(),
                    bytes: row.parse(5).unwrap_or_default(),
                },
            })
        };
        let mut tables: Vec<TableSummary> = rows.iter().filter_map(summary).collect();
        // Collations of the servers don't agree on the order.
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(tables)
    }

    async fn table_schemas(&mut self, names: &[TableName]) -> Result<Vec<TableSchema>> {
        let found = tables::load(&mut self.session, names).await?;
        let missing = |name: &TableName| {
            let what = "the table does not exist, or the user may not see it";
            ConnectorError::new(ErrorKind::UnknownTable, name.to_string(), what)
        };
        names.iter().zip(found).map(|(name, schema)| schema.ok_or_else(|| missing(name))).collect()
    }

    async fn existing_tables(&mut self, names: &[TableName]) -> Result<Vec<TableSchema>> {
        Ok(tables::load(&mut self.session, names).await?.into_iter().flatten().collect())
    }

    async fn objects(&mut self, schemas: &[String]) -> Result<ObjectCatalogue> {
        objects::objects(&mut self.session, schemas).await
    }

    async fn accounts(&mut self) -> Result<AccountCatalogue> {
        objects::accounts(&mut self.session).await
    }

    async fn has_rows(&mut self, table: &TableName) -> Result<bool> {
        let sql = format!("SELECT 1 FROM {} LIMIT 1", qualified(table));
        Ok(self.session.first(&sql, "looking for rows").await?.is_some())
    }

    async fn position_before_reads(&mut self) -> Result<Position> {
        position::before_reads(&mut self.session, self.owned_wait).await
    }

    async fn position_after_reads(&mut self) -> Result<Position> {
        position::after_reads(&mut self.session).await
    }

    async fn check_source(&mut self, tables: &[TableSchema], with_log: bool) -> Result<Vec<Finding>> {
        check_source::check(&mut self.session, tables, with_log).await
    }

    async fn check_target(&mut self, schemas: &[String]) -> Result<Vec<Finding>> {
        check_target::check(&mut self.session, schemas).await
    }

    async fn ask_text(&mut self, question: &TextQuestion) -> Result<Vec<u8>> {
        texts::ask(&mut self.session, question).await
    }
}
