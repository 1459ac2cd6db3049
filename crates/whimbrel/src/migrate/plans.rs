//! What the task selects, and plans between the tables of both sides as they are now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use whimbrel_connector::{ConnectorError, ErrorKind, Source, TablePlan, Target};
use whimbrel_filter::Selection;
use whimbrel_model::{TableName, TableSchema, TableVersion};

use super::compared::Exceptions;
use crate::cli::EndpointArgs;
use crate::endpoints::Endpoint;
use crate::failure::Failure;
use crate::merging::Merging;
use crate::precheck;
use crate::rules::Rules;
use crate::table_rules::PatternRules;

/// The rules of `--where`, `--columns` and `--rename-column`.
pub fn selection(ends: &EndpointArgs) -> Result<(PatternRules, Arc<Selection>), Failure> {
    let rules = PatternRules::parse(&ends.rows, &ends.columns, &ends.rename_column)?;
    let of = rules.clone();
    Ok((rules, Arc::new(Selection::new(move |table| of.of(table)))))
}

/// A table that the flags don't fit.
pub fn unseen(error: whimbrel_filter::ViewError) -> Failure {
    ConnectorError::new(
        ErrorKind::Configuration,
        "--where, --columns, --rename-column",
        "a table doesn't fit them",
    )
    .with_source(error)
    .with_hint("begin a new task with flags that fit the tables as they are now")
    .into()
}

/// Plans between the tables of both sides as they are now.
///
/// # Errors
/// A table that the target doesn't have, or that can't hold the source's columns.
pub async fn current_plans(
    source: &Endpoint,
    target: &Endpoint,
    rules: &Arc<Rules>,
    selection: &Selection,
    exceptions: &Exceptions,
) -> Result<Vec<Arc<TablePlan>>, Failure> {
    let (source, target): (&dyn Source, &dyn Target) = (source.as_ref(), target.as_ref());
    let mut catalog = source.catalog().await?;
    let names = precheck::selected_tables(catalog.as_mut(), source, rules).await?;
    let mut schemas = catalog.existing_tables(&names).await?;
    schemas.retain(|table| !exceptions.leaves_out(&rules.target_name(&table.name)));
    let merging = Merging::new(rules.clone(), &names);
    let targets: Vec<TableName> = schemas.iter().map(|table| rules.target_name(&table.name)).collect();
    let unique: BTreeSet<&TableName> = targets.iter().collect();
    let unique: Vec<TableName> = unique.into_iter().cloned().collect();
    let existing = target.catalog().await?.table_schemas(&unique).await?;
    let existing: BTreeMap<TableName, Arc<TableSchema>> =
        unique.into_iter().zip(existing.into_iter().map(Arc::new)).collect();
    schemas
        .into_iter()
        .zip(targets)
        .map(|(schema, target)| {
            let existing = existing[&target].clone();
            let name = existing.name.to_string();
            let merged = merging.merges(&schema.name);
            let schema = selection.view(&schema, false).map_err(unseen)?.schema;
            let target = existing.name.clone();
            let left_out = |column: &str| exceptions.leaves_out_column(&target, column);
            let version = Arc::new(TableVersion::new(0, schema));
            let plan = TablePlan::leaving_out(version, existing, &left_out);
            plan.map(|plan| Arc::new(plan.merging(merged))).map_err(|error| {
                ConnectorError::new(
                    ErrorKind::SchemaMismatch,
                    format!("table {name}"),
                    "it can't hold the source's rows",
                )
                .with_source(error)
                .with_hint("give the target's table the columns and keys of the source's")
                .into()
            })
        })
        .collect()
}
