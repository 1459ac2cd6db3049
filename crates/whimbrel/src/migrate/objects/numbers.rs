//! Numbers that go on: AUTO_INCREMENT and sequences of the target take up where the source's stand.
//!
//! Both only ever grow here: a number that the target has passed by itself stays.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use whimbrel_connector::{Source, Target};
use whimbrel_dbcat::ConvertedObject;
use whimbrel_dbcat::render::quoted_table;
use whimbrel_model::object::Sequence;
use whimbrel_model::{TableName, TableSchema};

use super::create::Creator;
use super::{Task, plan};
use crate::failure::Failure;
use crate::migrate::schema::MigratedTable;
use crate::precheck::Prechecked;

pub(super) async fn catch_up(
    task: &Arc<Task>,
    id: &str,
    epoch: u64,
    checked: &Prechecked,
    tables: &[MigratedTable],
) -> Result<(), Failure> {
    let mut creator = Creator::open(task, id, epoch, checked).await?;
    auto_increment(task, &mut creator, tables).await?;
    sequences(task, checked, &mut creator).await
}

/// The next value may be far beyond the largest row: rows at the end may have been deleted.
async fn auto_increment(task: &Task, creator: &mut Creator, tables: &[MigratedTable]) -> Result<(), Failure> {
    let counted = |table: &&MigratedTable| {
        table.is_own() && table.plan.source.schema.columns.iter().any(|column| column.auto_increment)
    };
    let counted: Vec<&MigratedTable> = tables.iter().filter(counted).collect();
    if counted.is_empty() {
        return Ok(());
    }
    let sources: Vec<TableName> = counted.iter().map(|table| table.plan.source.schema.name.clone()).collect();
    let targets: Vec<TableName> = counted.iter().map(|table| table.plan.target.name.clone()).collect();
    let sources = next_values(Source::catalog(task.source.as_ref()).await?.existing_tables(&sources).await?);
    // OceanBase doesn't say; there a value that is behind the present one changes nothing.
    let at_target =
        next_values(Target::catalog(task.target.as_ref()).await?.existing_tables(&targets).await?);
    // Several tables may have become one, which goes on from the greatest number of all.
    let mut wanted: BTreeMap<&TableName, (u64, &MigratedTable)> = BTreeMap::new();
    for table in counted {
        if let Some(next) = sources.get(&table.plan.source.schema.name.to_string().to_lowercase()) {
            let greatest = wanted.entry(&table.plan.target.name).or_insert((*next, table));
            greatest.0 = greatest.0.max(*next);
        }
    }
    for (name, (next, table)) in wanted {
        // The table was made with what the source's stood at then.
        if table.plan.source.schema.auto_increment == Some(next) {
            continue;
        }
        if at_target.get(&name.to_string().to_lowercase()).is_some_and(|there| *there >= next) {
            continue;
        }
        let sql = format!("ALTER TABLE {} AUTO_INCREMENT = {next}", quoted_table(name));
        if let Err(refusal) = creator.refusable("", &[], &sql).await? {
            tracing::warn!(table = %name, code = refusal.code, "{}: {}", sql, refusal.message);
        }
    }
    Ok(())
}

fn next_values(tables: Vec<TableSchema>) -> HashMap<String, u64> {
    let next = |table: TableSchema| Some((table.name.to_string().to_lowercase(), table.auto_increment?));
    tables.into_iter().filter_map(next).collect()
}

async fn sequences(task: &Task, checked: &Prechecked, creator: &mut Creator) -> Result<(), Failure> {
    let plan = plan(task, checked).await?;
    let made: Vec<(&ConvertedObject, &str, &Sequence)> = plan
        .converted
        .iter()
        .filter_map(|object| {
            let advance = object.outcome.as_ref().ok()?.advance.as_deref()?;
            Some((object, advance, plan.sequences.get(&object.source)?))
        })
        .collect();
    if made.is_empty() {
        return Ok(());
    }
    let there = creator.sequences(made.iter().map(|(object, ..)| &object.target)).await?;
    for (object, advance, at_source) in made {
        let behind = there.get(&object.target.to_string().to_lowercase()).is_some_and(|at_target| {
            if at_source.increment < 0 {
                at_target.next > at_source.next
            } else {
                at_target.next < at_source.next
            }
        });
        if !behind || !creator.is_own(object).await? {
            continue;
        }
        if let Err(refusal) = creator.refusable("", &[], advance).await? {
            tracing::warn!(sequence = %object.target, code = refusal.code, "{}", refusal.message);
        }
    }
    Ok(())
}
