//! Conversions of single columns that the project decides itself (`--convert db.table.column=TYPE`).
//!
//! Which column an override is about, the program knows ([`Overrides`]); what the type means for the column stands
//! here: the type as a column of the target ([`GivenType`]), and what would be lost ([`fit`]). An override that can
//! lose a value is refused unless the project accepts the loss for that column; one that can't be done at all is
//! always refused ([`check`]).

mod fit;
mod given;

use std::fmt;

use whimbrel_model::{Column, ColumnDefault, DataType, Key, TableName, TableSchema};

pub(crate) use fit::most_bytes;
pub use fit::{Fit, fit};
pub use given::{GivenType, TypeError};

use crate::profile::TargetProfile;
use crate::{Note, collation, render, rules};

/// A project's own conversions.
pub trait Overrides: fmt::Debug + Send + Sync {
    /// The override for a column of the source: the most specific of those that name it.
    fn of(&self, table: &TableName, column: &Column) -> Option<&Override>;

    /// True where the project agrees to lose values of the column.
    fn accepts_loss(&self, table: &TableName, column: &str) -> bool;
}

/// No column is converted by choice.
#[derive(Debug)]
pub(crate) struct NoOverrides;

impl Overrides for NoOverrides {
    fn of(&self, _: &TableName, _: &Column) -> Option<&Override> {
        None
    }

    fn accepts_loss(&self, _: &TableName, _: &str) -> bool {
        false
    }
}

/// One override.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// As it was written, for messages: `shop.orders.total=DECIMAL(20,4)`.
    pub text: String,
    pub given: GivenType,
}

/// Why an override can't be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {from} can't become {to} ({why}){}", if *accepted_would_do { "; --accept-loss would allow it" } else { "" })]
pub struct OverrideRefused {
    /// `schema.table.column` of the source.
    pub column: String,
    pub from: String,
    pub to: String,
    pub why: String,
    /// `--accept-loss` for the column would allow it.
    pub accepted_would_do: bool,
}

/// What stands in the way of the overrides for a table's columns; empty where nothing does.
pub fn check(table: &TableSchema, target: &TargetProfile) -> Vec<OverrideRefused> {
    let mut refused = Vec::new();
    for column in &table.columns {
        let Some(chosen) = target.overrides().of(&table.name, column) else { continue };
        let unique = unique_keys_of(table, &column.name).next().is_some();
        let to = chosen.given.resolve(column, unique, target);
        let refusal = |why: String, accepted_would_do: bool| OverrideRefused {
            column: format!("{}.{}", table.name, column.name),
            from: render::data_type(&column.data_type),
            to: render::data_type(&to),
            why,
            accepted_would_do,
        };
        if let Some(why) = in_key(table, column, &to).or_else(|| lacking(&to, target)) {
            refused.push(refusal(why, false));
            continue;
        }
        match fit(column, &to, unique) {
            Fit::Never(why) => refused.push(refusal(why, false)),
            Fit::Loses(why) if !target.overrides().accepts_loss(&table.name, &column.name) => {
                refused.push(refusal(why, true));
            }
            Fit::Whole | Fit::Loses(_) => {}
        }
    }
    refused
}

/// A type that the target hasn't got at all.
fn lacking(to: &DataType, target: &TargetProfile) -> Option<String> {
    let missing = match to {
        DataType::Uuid => !target.has_type_since((10, 7, 0)),
        DataType::Inet6 => !target.has_type_since((10, 5, 0)),
        DataType::Inet4 => !target.has_type_since((10, 10, 0)),
        DataType::Vector { .. } => !target.has_vectors(),
        _ => false,
    };
    missing.then(|| "the target has no such type".to_owned())
}

/// Primary and unique keys over a column.
fn unique_keys_of<'a>(table: &'a TableSchema, column: &str) -> impl Iterator<Item = &'a Key> {
    let column = column.to_lowercase();
    table.primary_key.iter().chain(&table.unique_keys).filter(move |key| {
        key.parts.iter().any(|part| part.column().is_some_and(|name| name.to_lowercase() == column))
    })
}

/// A key that the new type can't be part of.
fn in_key(table: &TableSchema, column: &Column, to: &DataType) -> Option<String> {
    let large = matches!(
        to,
        DataType::Text { .. } | DataType::Blob { .. } | DataType::Json | DataType::Geometry { .. }
    );
    let was_large = matches!(column.data_type, DataType::Text { .. } | DataType::Blob { .. });
    let key = unique_keys_of(table, &column.name).next()?;
    (large && !was_large)
        .then(|| format!("it is part of key {}, and no key can hold a whole value of that type", key.name))
}

/// Gives a column of the source the type that the project chose, with a note. False where nothing was chosen.
pub(crate) fn apply(
    table: &TableName,
    column: &mut Column,
    target: &TargetProfile,
    unique: bool,
    object: &str,
    notes: &mut Vec<Note>,
) -> bool {
    let Some(chosen) = target.overrides().of(table, column) else { return false };
    let to = chosen.given.resolve(column, unique, target);
    let mut note = rules::OVERRIDE.note(
        object,
        format!(
            "{} becomes {} by --convert {}",
            render::data_type(&column.data_type),
            render::data_type(&to),
            chosen.text
        ),
    );
    if let Fit::Loses(why) | Fit::Never(why) = fit(column, &to, unique) {
        note.loss = crate::Loss::Data;
        note.text = format!("{}: {why}", note.text);
    }
    notes.push(note);
    fit_attributes(column, &to);
    column.data_type = to;
    true
}

/// Drops what the new type can't have, as [`fit`] has said.
fn fit_attributes(column: &mut Column, to: &DataType) {
    if !fit::counts(to) {
        column.auto_increment = false;
    }
    if !fit::holds_now(to) {
        column.on_update = None;
    }
    column.default = match column.default.take() {
        Some(ColumnDefault::Expression(text)) if render::is_now(&text) => match to {
            DataType::DateTime { fsp } | DataType::Timestamp { fsp } => {
                Some(ColumnDefault::Expression(fit::now(*fsp)))
            }
            _ => None,
        },
        Some(ColumnDefault::Expression(text) | ColumnDefault::Literal(text))
            if matches!(column.data_type, DataType::Bit { .. }) && !matches!(to, DataType::Bit { .. }) =>
        {
            fit::bits(&text).map(|number| ColumnDefault::Literal(number.to_string()))
        }
        other => other,
    };
    if let (Some(_), DataType::DateTime { fsp } | DataType::Timestamp { fsp }) = (&column.on_update, to) {
        column.on_update = Some(fit::now(*fsp));
    }
}

/// The collation of a text type that was given without one.
pub(crate) fn collation_for(
    target: &TargetProfile,
    charset: whimbrel_model::Charset,
    source: &DataType,
    unique: bool,
) -> String {
    match source.collation() {
        Some(collation) if source.charset() == charset => collation.to_owned(),
        _ => collation::of_charset(target, charset, source.collation().unwrap_or_default(), unique),
    }
}
