//! What must be true at the end, looked at without any of the components.

use std::sync::Arc;

use whimbrel_connector_sim::{Random, Row};
use whimbrel_full_verification::TableVerification;
use whimbrel_model::{TableName, TableSchema};

use crate::life::{at_rest, verify};
use crate::world::{World, target_name};

type Cells = Vec<Option<Vec<u8>>>;

/// Rows of both sides in the target's columns, in an order of their own.
fn both_sides(world: &World, name: &TableName) -> Option<(Vec<Cells>, Vec<Cells>)> {
    let (source, target) = (world.source.0.schema(name)?, world.target.0.schema(&target_name(name))?);
    let expected = |row: &Row| -> Cells {
        let columns = target.columns.iter();
        columns
            .map(|column| match source.column_index(&column.name) {
                Some(at) => row[at].clone(),
                // The default of the target's own column, as its cell holds it.
                None => Some(vec![14]),
            })
            .collect()
    };
    let mut left: Vec<Cells> = world.source.0.rows(name).iter().map(expected).collect();
    let mut right: Vec<Cells> =
        world.target.0.rows(&target_name(name)).iter().map(|row| row.to_vec()).collect();
    left.sort();
    right.sort();
    let missing = source.columns.iter().any(|column| target.column_index(&column.name).is_none());
    (!missing).then_some((left, right))
}

/// Both sides are equal, and nothing is set aside or reported.
///
/// # Errors
/// What is wrong.
pub fn equal(world: &World) -> Result<(), String> {
    for name in &world.names {
        let Some((source, target)) = both_sides(world, name) else {
            return Err(format!("{name}: the structures differ"));
        };
        if source != target {
            let only = |of: &[Cells], not: &[Cells]| -> Vec<Cells> {
                of.iter().filter(|row| !not.contains(row)).cloned().collect()
            };
            let (missing, extra) = (only(&source, &target), only(&target, &source));
            return Err(format!(
                "{name}: {} rows at the source, {} at the target; missing {missing:?}, too many {extra:?}",
                source.len(),
                target.len()
            ));
        }
    }
    for kind in ["parked", "deferred", "foreign", "hold"] {
        let found = world.target.0.entries(kind);
        if found > 0 {
            return Err(format!("{found} entries of kind {kind} are left"));
        }
    }
    Ok(())
}

async fn verified(world: &World) -> Result<Vec<TableVerification>, String> {
    verify(world, at_rest())
        .await
        .map(|report| report.tables)
        .map_err(|error| format!("the verification failed: {}: {}", error.object, error.chain()))
}

fn shown(found: &[TableVerification]) -> String {
    format!("{found:?}")
}

/// The verification says so too, and finds exactly the difference that is planted then.
///
/// # Errors
/// What is wrong.
pub async fn verification(world: &World, random: &mut Random) -> Result<(), String> {
    let found = verified(world).await?;
    if found.iter().any(|table| table.differences() + table.undecided > 0) {
        return Err(format!("equal tables are said to differ: {}", shown(&found)));
    }
    for (table, name) in found.iter().zip(&world.names) {
        let rows = world.source.0.rows(name).len() as u64;
        if table.rows != rows {
            return Err(format!("{name}: {} of {rows} rows were compared", table.rows));
        }
    }
    let Some((at, expected)) = plant(world, random) else { return Ok(()) };
    let found = verified(world).await?;
    for (index, table) in found.iter().enumerate() {
        let counted = (table.missing, table.extra, table.different);
        let wanted = if index == at { expected } else { (0, 0, 0) };
        if counted != wanted || table.undecided > 0 {
            return Err(format!("planted {expected:?} in table {at}: {}", shown(&found)));
        }
    }
    Ok(())
}

/// Changes one row of the target; which table, and what is missing, extra and different then.
fn plant(world: &World, random: &mut Random) -> Option<(usize, (u64, u64, u64))> {
    let at = usize::try_from(random.below(world.names.len() as u64)).ok()?;
    let name = target_name(&world.names[at]);
    let schema = world.target.0.schema(&name)?;
    let rows = world.target.0.rows(&name);
    let row = rows.get(usize::try_from(random.below(rows.len() as u64)).ok()?)?;
    let keyless = schema.row_key().is_none();
    match random.below(3) {
        0 => {
            world.target.0.tamper(&name, Some(row), None);
            Some((at, (1, 0, 0)))
        }
        1 if keyless => {
            world.target.0.tamper(&name, None, Some(row));
            Some((at, (0, 1, 0)))
        }
        1 => {
            let free = free_row(&schema, row, &rows)?;
            world.target.0.tamper(&name, None, Some(&free));
            Some((at, (0, 1, 0)))
        }
        _ => {
            let column = changeable(&schema, row)?;
            let mut cells = row.to_vec();
            cells[column] = None;
            world.target.0.tamper(&name, Some(row), Some(&cells.into()));
            Some((at, if keyless { (1, 1, 0) } else { (0, 0, 1) }))
        }
    }
}

/// A row like this one, but with values of its own in all unique keys.
fn free_row(schema: &Arc<TableSchema>, row: &Row, rows: &[Row]) -> Option<Row> {
    let mut cells = row.to_vec();
    for columns in crate::tables::unique_columns(schema) {
        for at in columns {
            cells[at] = Some(vec![0x7e, 0x7e]);
        }
    }
    let free: Row = cells.into();
    (!rows.contains(&free)).then_some(free)
}

/// A column outside of the row key that can be NULL, and isn't.
fn changeable(schema: &TableSchema, row: &Row) -> Option<usize> {
    let key = schema.row_key().map(|key| schema.key_columns(key)).unwrap_or_default();
    (0..row.len()).find(|at| {
        !key.contains(at)
            && schema.columns[*at].nullable
            && row[*at].is_some()
            && schema.columns[*at].name != "own"
    })
}
