//! One thing that waits, as it is shown.

use serde::{Deserialize, Serialize};
use whimbrel_connector::{Result, Writer};
use whimbrel_incr_sync::{Hold, ParkedEntry, hold, parked};
use whimbrel_model::{RowBatch, ValueRef};

/// A parked row or statement. Fields are only ever added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Item {
    /// `r...` for a row, `d...` for a statement; the same as long as it waits.
    pub id: String,
    /// A row's key in the task's state; a statement has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<Vec<u8>>,
    /// A statement's number in the Store; a row has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Source table of a row, target tables that wait behind a statement.
    pub tables: Vec<String>,
    pub code: String,
    pub reason: String,
    /// A position of the source at or after a row's change, at or before a statement.
    pub position: String,
    /// Row: what was refused, such as `insert`. Statement: as the source ran it.
    pub what: String,
    /// Row: the images that are kept, by name, as `column=value`. Statement: what is to run at the target.
    pub details: Vec<(String, String)>,
    /// Later changes of a row.
    pub queued: u64,
    /// A decision about a statement has been made and is being carried out.
    pub decided: bool,
}

/// All that waits, statements first.
pub async fn all(writer: &mut dyn Writer) -> Result<Vec<Item>> {
    let mut items: Vec<Item> = hold::list(writer).await?.into_iter().map(of_hold).collect();
    items.extend(parked::list(writer).await?.iter().map(of_row));
    Ok(items)
}

fn of_hold(hold: Hold) -> Item {
    let statement = hold.statement;
    let mut details = Vec::new();
    for (number, step) in statement.steps.iter().enumerate() {
        let state = if number < statement.done { "done" } else { "to do" };
        details.push((state.to_owned(), step.clone()));
    }
    Item {
        id: statement.id(),
        sequence: Some(statement.sequence),
        tables: hold.tables.into_keys().collect(),
        code: statement.code,
        reason: statement.reason,
        position: statement.position.to_string(),
        what: statement.sql,
        details,
        decided: hold.decision.is_some(),
        ..Item::default()
    }
}

fn of_row(entry: &ParkedEntry) -> Item {
    let row = &entry.row;
    let images = [
        ("before", row.before.as_ref()),
        ("refused", row.refused.as_ref()),
        ("at the source now", row.current()),
    ];
    let mut details: Vec<(String, String)> = images
        .into_iter()
        .filter_map(|(name, image)| Some((name.to_owned(), cells(entry, image?))))
        .collect();
    if row.current().is_none() {
        details.push(("at the source now".to_owned(), "deleted".to_owned()));
    }
    if let Some(other) = &row.other {
        details.push(("the other row".to_owned(), cells(entry, other)));
    }
    Item {
        id: entry.id(),
        item: Some(entry.item.clone()),
        tables: vec![row.owner.source.to_string()],
        code: row.code.clone(),
        reason: row.reason.clone(),
        position: row.at.as_ref().map(ToString::to_string).unwrap_or_default(),
        what: format!("{:?}", row.op).to_lowercase(),
        details,
        queued: row.queued,
        ..Item::default()
    }
}

fn cells(entry: &ParkedEntry, image: &RowBatch) -> String {
    let Some(row) = image.rows().next() else { return String::new() };
    let columns = entry.row.owner.columns.iter().zip(0..row.len());
    let texts = columns.map(|(column, at)| format!("{}={}", column.name, value(row.get(at))));
    texts.collect::<Vec<_>>().join(", ")
}

fn value(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(text) | ValueRef::Json(text) => format!("'{}'", String::from_utf8_lossy(text)),
        other => parked::value_text(other),
    }
}
