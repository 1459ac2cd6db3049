//! How rows of the two sides find each other.
//!
//! Rows are paired by the canonical form of their key, so a difference of types or charsets between the sides
//! doesn't part a pair, and a collation that takes `a` for `A` doesn't make one.

use whimbrel_connector::{ConnectorError, ErrorKind, KeyBound, Mutation, Result};
use whimbrel_model::schema::Key;
use whimbrel_model::{CellKind, DataType, Date, DateTime, RowBatch, RowRef, TableSchema, Time, ValueRef};

use crate::{Shared, VerifyTable, canonical};

/// Which side a row comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Target,
}

/// The two keys of a table and how they meet. Borrowed from the table it is made for.
pub(crate) struct Pairing<'a> {
    pub table: &'a VerifyTable,
    /// Columns of the source's row key, as positions in source rows and in target rows.
    source_key: Vec<(usize, usize)>,
    /// Columns of the target's row key, likewise.
    target_key: Vec<(usize, usize)>,
    columns: Vec<Compared>,
    /// Equal bytes are equal values in all columns that are compared and in those of the source's key.
    bytes_compare: bool,
}

/// A column of both sides, as positions in their rows.
struct Compared {
    source: usize,
    target: usize,
}

impl<'a> Pairing<'a> {
    /// # Errors
    /// A key column of one side that the other side doesn't have.
    pub fn new(table: &'a VerifyTable) -> Result<Self> {
        let (source, target) = (&table.plan.source.schema, &table.target.schema);
        let columns = |key: Option<&Key>| -> Result<Vec<(usize, usize)>> {
            let parts = key.map(|key| key.parts.as_slice()).unwrap_or_default();
            parts.iter().map(|part| Self::column(source, target, part.column().unwrap_or_default())).collect()
        };
        let (source_key, target_key) = (columns(source.row_key())?, columns(target.row_key())?);
        let compared = table.plan.columns.len() - usize::from(Mutation::IgnoreLastColumn.active());
        let maps = table.plan.columns.iter().take(compared);
        let columns: Vec<Compared> =
            maps.map(|map| Compared { source: map.source, target: map.target }).collect();
        let mut pairs = columns.iter().map(|column| (column.source, column.target)).chain(source_key.clone());
        let bytes_compare =
            pairs.all(|(s, t)| canonical::alike(&source.columns[s].data_type, &target.columns[t].data_type));
        Ok(Self { table, source_key, target_key, columns, bytes_compare })
    }

    fn column(source: &TableSchema, target: &TableSchema, name: &str) -> Result<(usize, usize)> {
        let at = |schema: &TableSchema| {
            schema.column_index(name).ok_or_else(|| {
                ConnectorError::new(
                    ErrorKind::Unsupported,
                    format!("table {}", schema.name),
                    format!(
                        "key column {name} of the other side does not exist here, so rows can't be paired"
                    ),
                )
            })
        };
        Ok((at(source)?, at(target)?))
    }

    /// Tables that share a target are asked for each other's keys as they are.
    ///
    /// # Errors
    /// One that has another key.
    pub fn refuse_unlike(&self, shared: &Shared, index: usize) -> Result<()> {
        for sibling in shared.siblings(index) {
            let other = Pairing::new(&shared.tables[sibling])?;
            let types = |pairing: &Pairing<'_>| {
                let (schema, key) = pairing.key_of(Side::Source);
                key.into_iter().map(|at| schema.columns[at].data_type.clone()).collect::<Vec<_>>()
            };
            if types(self) != types(&other) {
                let (one, other) =
                    (&self.table.plan.source.schema.name, &other.table.plan.source.schema.name);
                let message =
                    format!("its key is of other types than that of {other}, with which it shares a target");
                return Err(ConnectorError::new(ErrorKind::SchemaMismatch, format!("table {one}"), message)
                    .with_hint("give both tables the same key"));
            }
        }
        Ok(())
    }

    /// True where a range of the source's key, given to the target, holds the same rows: the same columns in
    /// the same order and direction, of types that every server orders alike. Text qualifies under a binary
    /// collation only. Never where the target has rows of other tables too.
    pub fn ranges_meet(&self) -> bool {
        let (source, target) = (&self.table.plan.source.schema, &self.table.target.schema);
        let directions = |schema: &TableSchema| {
            let parts = schema.row_key().map(|key| key.parts.as_slice()).unwrap_or_default();
            parts.iter().map(|part| part.descending).collect::<Vec<_>>()
        };
        !self.table.plan.merged
            && self.source_key == self.target_key
            && directions(source) == directions(target)
            && self
                .source_key
                .iter()
                .all(|&(s, t)| ordered_alike(&source.columns[s].data_type, &target.columns[t].data_type))
    }

    /// What pairs rows: the forms of the source's key columns, with lengths between them.
    pub fn key_form(&self, side: Side, row: RowRef<'_>) -> Vec<u8> {
        let mut form = Vec::with_capacity(16);
        for &(s, t) in &self.source_key {
            let source = (&self.table.plan.source.schema.columns[s].data_type, s);
            let target = (&self.table.target.schema.columns[t].data_type, t);
            let ((own, at), (other, _)) = match side {
                Side::Source => (source, target),
                Side::Target => (target, source),
            };
            let value = canonical::form_beside(own, other, row.get(at));
            let value = value.as_deref().unwrap_or_default();
            form.extend_from_slice(&(value.len() as u32).to_be_bytes());
            form.extend_from_slice(value);
        }
        form
    }

    /// An empty batch for keys of one side.
    pub fn key_batch(&self, side: Side) -> RowBatch {
        let (schema, key) = self.key_of(side);
        RowBatch::new(key.iter().map(|at| schema.columns[*at].data_type.cell_kind()).collect())
    }

    /// Appends the key by which `to` finds the partner of a row of `from`; false where `to` can't hold such a
    /// key (so it has no partner).
    pub fn push_key(&self, from: Side, row: RowRef<'_>, to: Side, keys: &mut RowBatch) -> bool {
        let pairs = match to {
            Side::Source => &self.source_key,
            Side::Target => &self.target_key,
        };
        for &(s, t) in pairs {
            let source = (&self.table.plan.source.schema.columns[s].data_type, s);
            let target = (&self.table.target.schema.columns[t].data_type, t);
            let (has, wants) = match from {
                Side::Source => (source, target),
                Side::Target => (target, source),
            };
            let wanted = if from == to { has.0 } else { wants.0 };
            if !push_converted(has.0, row.get(has.1), wanted, keys) {
                keys.abandon_row();
                return false;
            }
        }
        keys.end_row();
        true
    }

    /// A bound of the source's key in the target's terms. Only where [`Pairing::ranges_meet`].
    pub fn target_bound(&self, bound: &KeyBound) -> Result<KeyBound> {
        let damaged = || {
            ConnectorError::new(ErrorKind::Other, "verification", "a key bound doesn't fit the target's key")
        };
        let kinds = self.key_batch(Side::Source).kinds().clone();
        let batch = RowBatch::decode(kinds, &bound.row).map_err(|error| damaged().with_source(error))?;
        if batch.len() != 1 {
            return Err(damaged());
        }
        let row = batch.row(0);
        let mut keys = self.key_batch(Side::Target);
        for (part, &(s, t)) in self.source_key.iter().enumerate() {
            let has = &self.table.plan.source.schema.columns[s].data_type;
            let wants = &self.table.target.schema.columns[t].data_type;
            if !push_converted(has, row.get(part), wants, &mut keys) {
                return Err(damaged());
            }
        }
        keys.end_row();
        let mut row = Vec::new();
        keys.encode(&mut row);
        Ok(KeyBound { row })
    }

    /// True where two rows are partners and the same because their bytes are, which says nearly all; false where a
    /// closer look is needed.
    pub fn same_bytes(&self, source: RowRef<'_>, target: RowRef<'_>) -> bool {
        let equal = |s, t| source.raw(s) == target.raw(t);
        self.bytes_compare
            && self.source_key.iter().all(|&(s, t)| equal(s, t))
            && self.columns.iter().all(|column| equal(column.source, column.target))
    }

    /// True where all columns of a pair hold the same values.
    pub fn same(&self, source: RowRef<'_>, target: RowRef<'_>) -> bool {
        self.differing(source, target).next().is_none()
    }

    /// Names of the columns that differ.
    pub fn differing<'r>(&'r self, source: RowRef<'r>, target: RowRef<'r>) -> impl Iterator<Item = &'r str> {
        let (left, right) = (&self.table.plan.source.schema, &self.table.target.schema);
        self.columns.iter().filter_map(move |column| {
            let same = canonical::same(
                (&left.columns[column.source].data_type, source),
                column.source,
                (&right.columns[column.target].data_type, target),
                column.target,
            );
            (!same).then(|| right.columns[column.target].name.as_str())
        })
    }

    fn key_of(&self, side: Side) -> (&TableSchema, Vec<usize>) {
        match side {
            Side::Source => {
                (&self.table.plan.source.schema, self.source_key.iter().map(|pair| pair.0).collect())
            }
            Side::Target => (&self.table.target.schema, self.target_key.iter().map(|pair| pair.1).collect()),
        }
    }
}

fn ordered_alike(left: &DataType, right: &DataType) -> bool {
    let (a, b) = (left.cell_kind(), right.cell_kind());
    match (a, b) {
        (CellKind::Int | CellKind::UInt, CellKind::Int | CellKind::UInt) => true,
        (CellKind::Text, CellKind::Text) => {
            left.collation() == right.collation()
                && left.collation().is_some_and(|name| name.ends_with("_bin"))
                && left.charset().is_utf8()
                && right.charset().is_utf8()
        }
        // Members may be numbered differently; MariaDB orders UUIDs by time; JSON and geometry have no order.
        (CellKind::Enum | CellKind::Set | CellKind::Json | CellKind::Geometry, _) => false,
        _ if matches!(left, DataType::Uuid | DataType::Inet4 | DataType::Inet6) => false,
        (CellKind::DateTime | CellKind::Timestamp, CellKind::DateTime | CellKind::Timestamp) => true,
        _ => a == b,
    }
}

/// Appends a value as a cell of another type; false where that type can't hold it.
fn push_converted(has: &DataType, value: ValueRef<'_>, wants: &DataType, out: &mut RowBatch) -> bool {
    let kind = wants.cell_kind();
    match (value, kind) {
        (ValueRef::Null, _) => out.push_null(),
        (ValueRef::Enum(_) | ValueRef::Set(_), CellKind::Enum | CellKind::Set)
            if canonical::members(has) == canonical::members(wants) =>
        {
            out.push_value(value);
        }
        (ValueRef::Text(_) | ValueRef::Enum(_) | ValueRef::Set(_), CellKind::Enum | CellKind::Set) => {
            let Some(name) = canonical::form(has, value) else { return false };
            match member_number(&name, wants) {
                Some(number) => out.push_uint(number),
                None => return false,
            }
        }
        (ValueRef::Text(text), CellKind::Text) => {
            let Ok(utf8) = has.charset().to_utf8(text) else { return false };
            return push_text(&utf8, wants, out);
        }
        (ValueRef::Bytes(_) | ValueRef::Enum(_) | ValueRef::Set(_), CellKind::Text) => {
            let Some(text) = canonical::form(has, value) else { return false };
            return push_text(&text, wants, out);
        }
        (ValueRef::Text(text), CellKind::Bytes) => out.push_bytes(text),
        (ValueRef::Float(v), CellKind::Double) => out.push_double(f64::from(v)),
        (ValueRef::DateTime(v) | ValueRef::Timestamp(v), CellKind::DateTime | CellKind::Timestamp) => {
            out.push_datetime(v);
        }
        (ValueRef::Date(date), CellKind::DateTime | CellKind::Timestamp) => {
            let Some(midnight) = DateTime::new(date, 0, 0, 0, 0) else { return false };
            out.push_datetime(midnight);
        }
        // The begin of a day stands for the day; any other moment is no date.
        (ValueRef::DateTime(v) | ValueRef::Timestamp(v), CellKind::Date) => {
            if DateTime::new(v.date(), 0, 0, 0, 0) != Some(v) {
                return false;
            }
            out.push_date(v.date());
        }
        (ValueRef::Text(text), kind) if kind != CellKind::Json && kind != CellKind::Geometry => {
            let Ok(utf8) = has.charset().to_utf8(text) else { return false };
            return push_read(&utf8, kind, out);
        }
        (value, CellKind::Text) => {
            let mut shown = Vec::new();
            return value.write_shown(has, &mut shown) && push_text(&shown, wants, out);
        }
        (value, kind) if has.cell_kind() == kind => out.push_value(value),
        (value, kind) => return whole_number(value).is_some_and(|number| push_number(number, kind, out)),
    }
    true
}

/// Appends the number or moment that a text says; false where it says none.
fn push_read(text: &[u8], kind: CellKind, out: &mut RowBatch) -> bool {
    let number = || std::str::from_utf8(text).ok();
    match kind {
        CellKind::Float => number().and_then(|text| text.parse().ok()).map(|v| out.push_float(v)).is_some(),
        CellKind::Double => number().and_then(|text| text.parse().ok()).map(|v| out.push_double(v)).is_some(),
        CellKind::Date => Date::parse(text).map(|v| out.push_date(v)).is_some(),
        CellKind::Time => Time::parse(text).map(|v| out.push_time(v)).is_some(),
        CellKind::DateTime | CellKind::Timestamp => {
            DateTime::parse(text).map(|v| out.push_datetime(v)).is_some()
        }
        CellKind::Decimal if number().is_some_and(|text| text.parse::<f64>().is_ok()) => {
            out.push_bytes(text);
            true
        }
        kind => whole_number(ValueRef::Decimal(text)).is_some_and(|number| push_number(number, kind, out)),
    }
}

fn push_text(utf8: &[u8], wants: &DataType, out: &mut RowBatch) -> bool {
    let Some(text) = wants.charset().encode_utf8(utf8) else { return false };
    out.push_bytes(&text);
    true
}

/// The number of an ENUM's member, or the bits of a SET's, by name.
fn member_number(name: &[u8], wants: &DataType) -> Option<u64> {
    let members = canonical::members(wants);
    let position = |name: &[u8]| members.iter().position(|member| member.as_bytes() == name);
    match wants {
        DataType::Set { .. } if name.is_empty() => Some(0),
        DataType::Set { .. } => name
            .split(|byte| *byte == b',')
            .try_fold(0u64, |bits, name| Some(bits | 1u64.checked_shl(position(name)? as u32)?)),
        _ => position(name).map(|index| index as u64 + 1),
    }
}

fn whole_number(value: ValueRef<'_>) -> Option<i128> {
    match value {
        ValueRef::Int(v) => Some(v.into()),
        ValueRef::UInt(v) | ValueRef::Bit(v) => Some(v.into()),
        ValueRef::Year(v) => Some(v.into()),
        ValueRef::Decimal(text) => {
            let text = std::str::from_utf8(text).ok()?;
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            fraction.bytes().all(|digit| digit == b'0').then(|| whole.parse().ok())?
        }
        _ => None,
    }
}

fn push_number(number: i128, kind: CellKind, out: &mut RowBatch) -> bool {
    match kind {
        CellKind::Int => match i64::try_from(number) {
            Ok(number) => out.push_int(number),
            Err(_) => return false,
        },
        CellKind::UInt | CellKind::Bit | CellKind::Year => match u64::try_from(number) {
            Ok(number) => out.push_uint(number),
            Err(_) => return false,
        },
        CellKind::Decimal => out.push_bytes(number.to_string().as_bytes()),
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests;
