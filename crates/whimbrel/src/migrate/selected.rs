//! The Store's records as if the source held only the rows and columns that the task selects.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use whimbrel_connector::{Catalog, ConnectorError, ErrorKind, Result, Source};
use whimbrel_filter::condition::{Answers, Condition, EvalError};
use whimbrel_filter::{Selection, View, changes, view_statement};
use whimbrel_incr_sync::ChangeSource;
use whimbrel_model::{ChangeBatch, Ddl, LogRecord, RowRef, TableName, TableSchema, TableVersion};
use whimbrel_mysql_ddl::{Dialect, ParseOptions};

use super::ddl::sql_mode;
use crate::endpoints::Endpoint;

/// A [`ChangeSource`] behind a selection.
pub struct SelectedChanges<S> {
    inner: S,
    selection: Arc<Selection>,
    dialect: Dialect,
    /// Where texts are asked about; connected when first needed.
    source: Endpoint,
    catalog: Option<Box<dyn Catalog>>,
    answers: Answers,
    /// By the id of the source's table version.
    versions: HashMap<u64, Seen>,
    /// The newest view of each table that is known.
    newest: HashMap<TableName, Arc<View>>,
    /// Read and not filtered yet: asking the source may be dropped in between.
    waiting: Option<(u64, Arc<ChangeBatch>)>,
}

/// A table version and what is seen of it.
#[derive(Clone)]
struct Seen {
    view: Arc<View>,
    version: Arc<TableVersion>,
}

impl<S: ChangeSource> SelectedChanges<S> {
    /// `tables`: the source's tables at the start of the task.
    pub fn new(
        inner: S,
        selection: Arc<Selection>,
        dialect: Dialect,
        source: Endpoint,
        tables: &[TableSchema],
    ) -> Self {
        let views = tables
            .iter()
            .filter_map(|table| Some((table.name.clone(), Arc::new(selection.view(table, false).ok()?))));
        let newest = views.collect();
        Self {
            inner,
            selection,
            dialect,
            source,
            catalog: None,
            answers: Answers::default(),
            versions: HashMap::new(),
            newest,
            waiting: None,
        }
    }

    fn seen(&mut self, version: &Arc<TableVersion>) -> Result<Seen> {
        if let Some(seen) = self.versions.get(&version.id) {
            return Ok(seen.clone());
        }
        let name = &version.schema.name;
        let view = self.selection.view(&version.schema, false).map_err(|error| {
            ConnectorError::new(
                ErrorKind::SchemaMismatch,
                format!("table {name}"),
                "its rows can't be filtered as the task wants it",
            )
            .with_source(error)
            .with_hint(CHANGED)
        })?;
        let version = match view.plain {
            true => version.clone(),
            false => Arc::new(TableVersion::new(version.id, view.schema.clone())),
        };
        let seen = Seen { view: Arc::new(view), version };
        self.newest.insert(seen.view.schema.name.clone(), seen.view.clone());
        self.versions.insert(seen.version.id, seen.clone());
        Ok(seen)
    }

    /// `None` where nothing of the batch is left.
    async fn rows(&mut self, batch: &ChangeBatch) -> Result<Option<ChangeBatch>> {
        let seen = self.seen(&batch.table)?;
        let mut fulfilled = vec![true; batch.rows.len()];
        if let Some(condition) = &seen.view.condition {
            for (at, row) in batch.rows.rows().enumerate() {
                fulfilled[at] = self.fulfils(condition, row, &batch.table).await?;
            }
        }
        let left = changes::rewrite(&seen.view, &seen.version, batch, &fulfilled)
            .map_err(|error| no_value(&batch.table, error))?;
        Ok((!left.ops.is_empty()).then_some(left))
    }

    async fn fulfils(
        &mut self,
        condition: &Condition,
        row: RowRef<'_>,
        table: &TableVersion,
    ) -> Result<bool> {
        loop {
            match condition.evaluate(row, &self.answers) {
                Ok(value) => return Ok(value == Some(true)),
                Err(EvalError::Ask(question)) => {
                    if self.catalog.is_none() {
                        self.catalog = Some(Source::catalog(self.source.as_ref()).await?);
                    }
                    let Some(catalog) = self.catalog.as_mut() else { continue };
                    let answer = catalog.ask_text(&question).await?;
                    self.answers.put(question, answer);
                }
                Err(error) => return Err(no_value(table, error)),
            }
        }
    }

    fn ddl(&mut self, ddl: &Ddl) -> Result<Ddl> {
        let options = ParseOptions { dialect: self.dialect, sql_mode: sql_mode(ddl) };
        let names = ddl.effects.iter().flat_map(|effect| {
            [effect.before.as_ref(), effect.after.as_ref().map(|after| &after.name)].into_iter().flatten()
        });
        let concerned = names.into_iter().any(|name| {
            !self.selection.rules(name).is_plain() || self.newest.get(name).is_some_and(|view| !view.plain)
        });
        if !concerned {
            return Ok(ddl.clone());
        }
        let before = |name: &TableName| self.newest.get(name).cloned();
        let (seen, views) = view_statement(ddl, &options, &self.selection, &before).map_err(|error| {
            ConnectorError::new(
                ErrorKind::UnsupportedStatement,
                ddl.sql.clone(),
                "the task's filters don't allow it",
            )
            .with_source(error)
            .with_hint(CHANGED)
        })?;
        for effect in &ddl.effects {
            if let Some(before) = &effect.before {
                self.newest.remove(before);
            }
        }
        self.newest.extend(views.into_iter().map(|view| (view.schema.name.clone(), view)));
        Ok(seen)
    }
}

const CHANGED: &str = "the target holds everything before this statement; begin a new task for this table with flags that fit \
                       it as it is now";

fn no_value(table: &TableVersion, error: EvalError) -> ConnectorError {
    let kind = match error {
        EvalError::Unknown(_) => ErrorKind::LogUnusable,
        _ => ErrorKind::Unsupported,
    };
    let object = format!("table {}", table.schema.name);
    let hint = match kind {
        ErrorKind::LogUnusable => "set binlog_row_image=FULL for every session at the source and begin anew",
        _ => "correct the row at the source, or begin anew with a condition that has a value on every row",
    };
    ConnectorError::new(kind, object, "the condition of --where has no value on a changed row")
        .with_source(error)
        .with_hint(hint)
}

#[async_trait]
impl<S: ChangeSource> ChangeSource for SelectedChanges<S> {
    async fn next(&mut self) -> Result<(u64, LogRecord)> {
        loop {
            if let Some((sequence, batch)) = self.waiting.clone() {
                let left = self.rows(&batch).await?;
                self.waiting = None;
                match left {
                    Some(rows) => return Ok((sequence, LogRecord::Rows(rows))),
                    None => continue,
                }
            }
            let (sequence, record) = self.inner.next().await?;
            match record {
                LogRecord::Rows(batch) if !self.seen(&batch.table)?.view.plain => {
                    self.waiting = Some((sequence, Arc::new(batch)));
                }
                LogRecord::Ddl(ddl) => return Ok((sequence, LogRecord::Ddl(self.ddl(&ddl)?))),
                other => return Ok((sequence, other)),
            }
        }
    }

    async fn seek(&mut self, after: Option<u64>) -> Result<()> {
        self.waiting = None;
        self.inner.seek(after).await
    }

    async fn acknowledge(&mut self, sequence: u64) -> Result<()> {
        self.inner.acknowledge(sequence).await
    }
}
