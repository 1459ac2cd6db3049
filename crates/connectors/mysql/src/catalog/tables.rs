//! Table definitions out of `information_schema`, by schema and not by table.
//!
//! A handful of queries a schema give columns, keys, foreign keys and checks of all its tables; tables with
//! partitions, binary defaults or (on OceanBase) special indexes cost one more query each. Rows are turned
//! into definitions as they arrive and never kept.
//!
//! MySQL 8 and OceanBase answer from a dictionary, so names are asked for in lists. Older MySQL and MariaDB
//! open every table of the schema unless exactly one is named.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use whimbrel_connector::{ConnectorError, ErrorKind, Flavor, Result};
use whimbrel_model::schema::Check;
use whimbrel_model::{ColumnDefault, DataType, TableName, TableSchema};

use super::column::{self, Pending, RawColumn};
use super::column_type::ColumnTypeError;
use super::keys::{self, ForeignKeys, Keys, RawKeyPart, RawReference};
use super::session::{CATALOGUE, Identity, Session, identifier, literal, qualified};
use super::show_create::ShowCreate;
use crate::wire::TextRow;

/// Tables named in one query.
const NAMES_AT_ONCE: usize = 500;
/// Where naming one table is the only way that doesn't open all of them.
const SINGLE_QUERIES: usize = 8;

/// A definition in the making.
struct Draft {
    schema: TableSchema,
    keys: Keys,
    pending: Vec<(usize, Pending)>,
    partitioned: bool,
    refused: Option<(String, ColumnTypeError)>,
}

type Drafts = HashMap<String, Draft>;

/// The definitions of `names`, in their order; `None` where there is no such table.
///
/// # Errors
/// [`ErrorKind::Unsupported`] with `schema.table.column` as its object for a type that can't be carried.
pub(super) async fn load(session: &mut Session, names: &[TableName]) -> Result<Vec<Option<TableSchema>>> {
    let identity = session.identity().await?;
    let mut by_schema: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in names {
        by_schema.entry(identity.fold(&name.schema)).or_default().insert(identity.fold(&name.table));
    }
    let mut found: HashMap<(String, String), TableSchema> = HashMap::new();
    for (schema, tables) in by_schema {
        let mut drafts = Drafts::new();
        for scope in scopes(&identity, &schema, &tables) {
            read_all(session, &identity, &scope, &mut drafts).await?;
        }
        for table in tables {
            if let Some(draft) = drafts.remove(&table) {
                let definition = Box::pin(complete(session, &identity, draft)).await?;
                found.insert((schema.clone(), table), definition);
            }
        }
    }
    Ok(names
        .iter()
        .map(|name| found.get(&(identity.fold(&name.schema), identity.fold(&name.table))).cloned())
        .collect())
}

/// Which tables one query is about.
pub(super) struct Scope {
    /// The schema's name as a literal.
    schema: String,
    /// A condition on TABLE_NAME; `None` for all.
    tables: Option<String>,
}

impl Scope {
    /// For views with a TABLE_SCHEMA.
    pub(super) fn of_tables(&self) -> String {
        self.condition("TABLE_SCHEMA", true)
    }

    /// For views with a CONSTRAINT_SCHEMA and a TABLE_NAME.
    fn of_constraints(&self) -> String {
        self.condition("CONSTRAINT_SCHEMA", true)
    }

    /// For views with a CONSTRAINT_SCHEMA only.
    fn of_schema(&self) -> String {
        self.condition("CONSTRAINT_SCHEMA", false)
    }

    fn condition(&self, column: &str, with_tables: bool) -> String {
        match &self.tables {
            Some(tables) if with_tables => format!("{column} = {} AND TABLE_NAME {tables}", self.schema),
            _ => format!("{column} = {}", self.schema),
        }
    }
}

/// The queries that cover these tables.
pub(super) fn scopes(identity: &Identity, schema: &str, tables: &BTreeSet<String>) -> Vec<Scope> {
    let scope = |tables: Option<String>| Scope { schema: literal(schema), tables };
    let dictionary = identity.flavor == Flavor::OceanBase || identity.is_mysql((8, 0, 0));
    let tables: Vec<String> = tables.iter().map(|table| literal(table)).collect();
    if dictionary {
        let lists = tables.chunks(NAMES_AT_ONCE).map(|list| list.join(","));
        lists.map(|list| scope(Some(format!("IN ({list})")))).collect()
    } else if tables.len() <= SINGLE_QUERIES {
        tables.iter().map(|table| scope(Some(format!("= {table}")))).collect()
    } else {
        vec![scope(None)]
    }
}

async fn read_all(
    session: &mut Session,
    identity: &Identity,
    scope: &Scope,
    drafts: &mut Drafts,
) -> Result<()> {
    read_tables(session, identity, scope, drafts).await?;
    read_columns(session, identity, scope, drafts).await?;
    read_keys(session, identity, scope, drafts).await?;
    read_foreign_keys(session, identity, scope, drafts).await?;
    read_checks(session, identity, scope, drafts).await?;
    if identity.flavor == Flavor::OceanBase {
        // TABLES.CREATE_OPTIONS says nothing about partitions here.
        let sql = format!(
            "SELECT DISTINCT TABLE_NAME FROM information_schema.PARTITIONS \
             WHERE {} AND PARTITION_METHOD IS NOT NULL",
            scope.of_tables()
        );
        for row in session.rows_within(&sql, "reading partitions", CATALOGUE).await? {
            if let Some(draft) = row.text(0).and_then(|table| drafts.get_mut(&identity.fold(table))) {
                draft.partitioned = true;
            }
        }
    }
    Ok(())
}

async fn read_tables(
    session: &mut Session,
    identity: &Identity,
    scope: &Scope,
    drafts: &mut Drafts,
) -> Result<()> {
    let sql = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, AUTO_INCREMENT, TABLE_COLLATION, CREATE_OPTIONS, TABLE_COMMENT, TABLE_TYPE \
         FROM information_schema.TABLES WHERE {} AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')",
        scope.of_tables()
    );
    let engine_is_real = identity.flavor != Flavor::OceanBase;
    let add = |row: TextRow<'_>| {
        let (Some(schema), Some(table)) = (text(row, 0), text(row, 1)) else { return };
        let draft = Draft {
            schema: TableSchema {
                attributes: attributes(text(row, 7), text(row, 5)),
                collation: text(row, 4).map(str::to_owned),
                engine: text(row, 2).filter(|_| engine_is_real).map(str::to_owned),
                comment: text(row, 6).unwrap_or_default().to_owned(),
                auto_increment: text(row, 3).and_then(|number| number.parse().ok()),
                ..TableSchema::new(TableName::new(schema, table), Vec::new())
            },
            keys: Keys::default(),
            pending: Vec::new(),
            partitioned: text(row, 5).is_some_and(|options| options.contains("partitioned")),
            refused: None,
        };
        drafts.insert(identity.fold(table), draft);
    };
    session.each_row(&sql, "reading tables", add).await
}

/// What no other field has; partitions have one.
fn attributes(kind: Option<&str>, options: Option<&str>) -> Vec<String> {
    let versioned = (kind == Some("SYSTEM VERSIONED")).then(|| "WITH SYSTEM VERSIONING".to_owned());
    let words = options.unwrap_or_default().split_whitespace();
    let options = words.filter(|word| *word != "partitioned").map(str::to_owned);
    versioned.into_iter().chain(options).collect()
}

async fn read_columns(
    session: &mut Session,
    identity: &Identity,
    scope: &Scope,
    drafts: &mut Drafts,
) -> Result<()> {
    let sql = format!(
        "SELECT {} FROM information_schema.COLUMNS WHERE {} ORDER BY TABLE_NAME, ORDINAL_POSITION",
        column::select_list(identity),
        scope.of_tables()
    );
    let add = |row: TextRow<'_>| {
        let Some(draft) = text(row, 0).and_then(|table| drafts.get_mut(&identity.fold(table))) else {
            return;
        };
        // A binary default may be no text; it is asked for again anyway.
        let default = row.get(2).map(String::from_utf8_lossy);
        let raw = RawColumn {
            name: text(row, 1).unwrap_or_default(),
            default: default.as_deref(),
            nullable: text(row, 3) == Some("YES"),
            charset: text(row, 4),
            collation: text(row, 5),
            column_type: text(row, 6).unwrap_or_default(),
            extra: text(row, 7).unwrap_or_default(),
            comment: text(row, 8).unwrap_or_default(),
            generation: text(row, 9),
            srid: text(row, 10).and_then(|number| number.parse().ok()),
        };
        match raw.read(identity) {
            Ok((column, pending)) => {
                let integer = matches!(column.data_type, DataType::Int { .. });
                if !integer && raw.column_type.to_ascii_lowercase().ends_with("zerofill") {
                    draft.schema.attributes.push(format!("ZEROFILL of {}", column.name));
                }
                if pending != Pending::Nothing {
                    draft.pending.push((draft.schema.columns.len(), pending));
                }
                draft.schema.columns.push(column);
            }
            Err(error) => {
                draft.refused.get_or_insert((raw.name.to_owned(), error));
            }
        }
    };
    session.each_row(&sql, "reading columns", add).await
}

async fn read_keys(
    session: &mut Session,
    identity: &Identity,
    scope: &Scope,
    drafts: &mut Drafts,
) -> Result<()> {
    let sql = format!(
        "SELECT {} FROM information_schema.STATISTICS WHERE {} \
         ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX",
        keys::statistics_list(identity),
        scope.of_tables()
    );
    let add = |row: TextRow<'_>| {
        let Some(draft) = text(row, 0).and_then(|table| drafts.get_mut(&identity.fold(table))) else {
            return;
        };
        draft.keys.add(&RawKeyPart {
            key: text(row, 1).unwrap_or_default(),
            unique: text(row, 2) == Some("0"),
            column: text(row, 3),
            direction: text(row, 4),
            prefix: text(row, 5).and_then(|number| number.parse().ok()),
            index_type: text(row, 6).unwrap_or_default(),
            comment: text(row, 7).unwrap_or_default(),
            visible: text(row, 8) != Some("NO"),
            expression: text(row, 9),
        });
    };
    session.each_row(&sql, "reading indexes", add).await
}

async fn read_foreign_keys(
    session: &mut Session,
    identity: &Identity,
    scope: &Scope,
    drafts: &mut Drafts,
) -> Result<()> {
    let mut found = ForeignKeys::default();
    let sql = format!(
        "SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, \
         REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE \
         WHERE {} AND REFERENCED_TABLE_NAME IS NOT NULL \
         ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION",
        scope.of_tables()
    );
    let add = |row: TextRow<'_>| {
        let [table, name, column, schema, parent, parent_column] =
            [0, 1, 2, 3, 4, 5].map(|at| text(row, at).unwrap_or_default());
        let parent = TableName::new(schema, parent);
        found.add(RawReference { table, name, column, parent, parent_column });
    };
    session.each_row(&sql, "reading foreign keys", add).await?;
    let sql = format!(
        "SELECT TABLE_NAME, CONSTRAINT_NAME, UPDATE_RULE, DELETE_RULE \
         FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE {}",
        scope.of_constraints()
    );
    let add = |row: TextRow<'_>| {
        let [table, name, update, delete] = [0, 1, 2, 3].map(|at| text(row, at).unwrap_or_default());
        found.set_actions(table, name, update, delete);
    };
    session.each_row(&sql, "reading foreign keys", add).await?;
    for (table, key) in found.into_iter() {
        if let Some(draft) = drafts.get_mut(&identity.fold(&table)) {
            draft.schema.foreign_keys.push(key);
        }
    }
    Ok(())
}

async fn read_checks(
    session: &mut Session,
    identity: &Identity,
    scope: &Scope,
    drafts: &mut Drafts,
) -> Result<()> {
    let checks = if identity.is_mariadb((10, 2, 22)) {
        let sql = format!(
            "SELECT TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE {}",
            scope.of_constraints()
        );
        let mut checks = Vec::new();
        let add = |row: TextRow<'_>| {
            let [table, name, clause] = [0, 1, 2].map(|at| text(row, at).unwrap_or_default());
            checks.push((table.to_owned(), keys::check(name, clause, true, identity)));
        };
        session.each_row(&sql, "reading checks", add).await?;
        checks
    } else if identity.is_mysql((8, 0, 16)) || identity.flavor == Flavor::OceanBase {
        checks_by_constraint(session, identity, scope).await?
    } else {
        Vec::new()
    };
    for (table, mut check) in checks {
        if let Some(draft) = drafts.get_mut(&identity.fold(&table)) {
            // MariaDB calls the check of a column by the column's name, which is unique in the table only.
            if identity.flavor == Flavor::MariaDb
                && draft.schema.columns.iter().any(|column| column.name == check.name)
            {
                check.name.clear();
            }
            draft.schema.checks.push(check);
        }
    }
    Ok(())
}

/// Names of checks are unique in a schema of MySQL, so the clause is found by the name.
async fn checks_by_constraint(
    session: &mut Session,
    identity: &Identity,
    scope: &Scope,
) -> Result<Vec<(String, Check)>> {
    let sql = format!(
        "SELECT CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE {}",
        scope.of_schema()
    );
    let mut clauses = BTreeMap::new();
    let add = |row: TextRow<'_>| {
        if let (Some(name), Some(clause)) = (text(row, 0), text(row, 1)) {
            clauses.insert(name.to_owned(), clause.to_owned());
        }
    };
    session.each_row(&sql, "reading checks", add).await?;
    if clauses.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT TABLE_NAME, CONSTRAINT_NAME, ENFORCED FROM information_schema.TABLE_CONSTRAINTS \
         WHERE {} AND CONSTRAINT_TYPE = 'CHECK'",
        scope.of_tables()
    );
    let mut checks = Vec::new();
    let add = |row: TextRow<'_>| {
        let [table, name, enforced] = [0, 1, 2].map(|at| text(row, at).unwrap_or_default());
        if let Some(clause) = clauses.remove(name) {
            checks.push((table.to_owned(), keys::check(name, &clause, enforced != "NO", identity)));
        }
    };
    session.each_row(&sql, "reading checks", add).await?;
    // OceanBase leaves checks that it named itself out of TABLE_CONSTRAINTS.
    for (name, clause) in clauses {
        if let Some((table, _)) = name.rsplit_once("_OBCHECK_") {
            checks.push((table.to_owned(), keys::check(&name, &clause, true, identity)));
        }
    }
    Ok(checks)
}

/// Asks for what the large queries leave open, and refuses what can't be carried.
async fn complete(session: &mut Session, identity: &Identity, mut draft: Draft) -> Result<TableSchema> {
    let name = draft.schema.name.clone();
    if let Some((column, error)) = draft.refused.take() {
        let doing = "reading the column's type";
        return Err(
            ConnectorError::new(ErrorKind::Unsupported, format!("{name}.{column}"), doing).with_source(error)
        );
    }
    binary_defaults(session, &mut draft).await?;
    let columns = &draft.schema.columns;
    let hidden = draft.keys.use_hidden_columns(|name| columns.iter().any(|column| column.name == name));
    let open_defaults = draft.pending.iter().any(|(_, pending)| *pending == Pending::DefaultKind);
    let old_checks = identity.is_mariadb((10, 2, 1)) && identity.version < (10, 2, 22);
    let full_text = draft.keys.have_full_text();
    if draft.partitioned || hidden || open_defaults || old_checks || full_text {
        let create = show_create(session, &name).await?;
        draft.schema.partitioning = create.partitioning();
        if hidden {
            draft.keys.replace_secondary(create.keys());
        } else if full_text {
            draft.keys.take_parsers(create.keys());
        }
        if old_checks {
            draft.schema.checks = create.checks();
        }
        for (at, _) in draft.pending.iter().filter(|(_, pending)| *pending == Pending::DefaultKind) {
            let Some(column) = draft.schema.columns.get_mut(*at) else { continue };
            if create.has_expression_default(&column.name)
                && let Some(ColumnDefault::Literal(text)) = column.default.take()
            {
                column.default = Some(ColumnDefault::Expression(text));
            }
        }
    }
    let mut schema = draft.schema;
    // OceanBase lists them in any order.
    schema.checks.sort_by(|a, b| a.name.cmp(&b.name));
    (schema.primary_key, schema.unique_keys, schema.indexes) = draft.keys.split();
    if !schema.columns.iter().any(|column| column.auto_increment) {
        schema.auto_increment = None;
    }
    Ok(schema)
}

async fn show_create(session: &mut Session, name: &TableName) -> Result<ShowCreate> {
    let sql = format!("SHOW CREATE TABLE {}", qualified(name));
    let row = session.first(&sql, "reading the table's definition").await?;
    // Old binary defaults make the text no UTF-8; they are not read from here.
    let text = row.as_ref().and_then(|row| row.bytes(1)).map(String::from_utf8_lossy).unwrap_or_default();
    ShowCreate::read(&text).ok_or_else(|| {
        let what = "SHOW CREATE TABLE gave a text of unknown form";
        ConnectorError::new(ErrorKind::Unsupported, name.to_string(), what)
    })
}

/// Binary defaults as hexadecimal literals. The outer join gives one row also where the table has none.
async fn binary_defaults(session: &mut Session, draft: &mut Draft) -> Result<()> {
    let wanted: Vec<usize> =
        draft.pending.iter().filter(|(_, p)| *p == Pending::BinaryDefault).map(|(at, _)| *at).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let columns: Vec<String> = wanted
        .iter()
        .filter_map(|at| draft.schema.columns.get(*at))
        .map(|column| format!("HEX(DEFAULT(t.{}))", identifier(&column.name)))
        .collect();
    let sql = format!(
        "SELECT {} FROM (SELECT 1 AS x) d LEFT JOIN {} t ON FALSE LIMIT 1",
        columns.join(", "),
        qualified(&draft.schema.name)
    );
    let row = session.first(&sql, "reading binary defaults").await?;
    for (index, at) in wanted.into_iter().enumerate() {
        let digits = row.as_ref().and_then(|row| row.text(index));
        if let (Some(digits), Some(column)) = (digits, draft.schema.columns.get_mut(at)) {
            column.default = Some(ColumnDefault::Expression(format!("x'{digits}'")));
        }
    }
    Ok(())
}

fn text(row: TextRow<'_>, column: usize) -> Option<&str> {
    str::from_utf8(row.get(column)?).ok()
}
