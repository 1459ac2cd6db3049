//! The values by which a type is judged: its limits, and what is known to go wrong between servers.
//!
//! A sample is a value as a source of that type may hold it, in the form of a batch's cell, with the class that it stands
//! for. Limits that would take megabytes are taken at [`LONGEST`] instead; the class says so.

mod numbers;
mod spatial;
mod text;
mod times;

use whimbrel_model::{DataType, TextSize, Value};

/// Most bytes of a sample.
pub const LONGEST: usize = 1 << 20;

/// One value of a type.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub class: &'static str,
    pub value: Value,
}

impl Sample {
    fn new(class: &'static str, value: Value) -> Self {
        Self { class, value }
    }
}

/// The samples of a type, NULL first.
pub fn of(data_type: &DataType) -> Vec<Sample> {
    let mut samples = vec![Sample::new("NULL", Value::Null)];
    samples.extend(match data_type {
        DataType::Bool => numbers::integers(1, false),
        DataType::Int { bytes, unsigned, .. } => numbers::integers(*bytes, *unsigned),
        DataType::Decimal { precision, scale, unsigned } => numbers::decimals(*precision, *scale, *unsigned),
        DataType::Float { digits, unsigned } => numbers::floats(*digits, *unsigned),
        DataType::Double { digits, unsigned } => numbers::doubles(*digits, *unsigned),
        DataType::Bit { bits } => numbers::bits(*bits),
        DataType::Date => times::dates(),
        DataType::Time { fsp } => times::times(*fsp),
        DataType::DateTime { fsp } => times::datetimes(*fsp),
        DataType::Timestamp { fsp } => times::timestamps(*fsp),
        DataType::Year => times::years(),
        DataType::Char { chars, charset, .. } => text::fixed(*charset, *chars as usize),
        DataType::VarChar { chars, charset, .. } => text::varying(*charset, *chars as usize, usize::MAX),
        DataType::Text { size, charset, .. } => text::varying(*charset, usize::MAX, size_bytes(*size)),
        DataType::Binary { bytes } => fixed_bytes(*bytes as usize),
        DataType::VarBinary { bytes } => varying_bytes(*bytes as usize),
        DataType::Blob { size } => varying_bytes(size_bytes(*size)),
        DataType::Enum { members, .. } => enum_members(members.len()),
        DataType::Set { members, .. } => set_members(members.len()),
        DataType::Json => text::documents(),
        DataType::Geometry { kind, srid } => spatial::of(kind, *srid),
        DataType::Vector { dimensions } => numbers::vectors(*dimensions),
        DataType::Uuid => addresses(16),
        DataType::Inet4 => addresses(4),
        DataType::Inet6 => addresses(16),
    });
    samples
}

fn size_bytes(size: TextSize) -> usize {
    match size {
        TextSize::Tiny => 255,
        TextSize::Regular => 65_535,
        TextSize::Medium | TextSize::Long => LONGEST,
    }
}

fn every_byte() -> Vec<u8> {
    (0..=u8::MAX).collect()
}

fn fixed_bytes(length: usize) -> Vec<Sample> {
    let mut begins_with_all = every_byte();
    begins_with_all.resize(length, 0);
    vec![
        Sample::new("all zero", Value::Bytes(vec![0; length])),
        Sample::new("all one", Value::Bytes(vec![0xff; length])),
        Sample::new("every byte", Value::Bytes(begins_with_all)),
    ]
}

fn varying_bytes(longest: usize) -> Vec<Sample> {
    let mut bytes = every_byte();
    bytes.truncate(longest);
    vec![
        Sample::new("empty", Value::Bytes(Vec::new())),
        Sample::new("every byte", Value::Bytes(bytes)),
        Sample::new("zeros and spaces at the end", Value::Bytes([0, b' '].repeat(longest.min(4) / 2))),
        Sample::new("longest", Value::Bytes(vec![0xa5; longest.min(LONGEST)])),
    ]
}

fn enum_members(count: usize) -> Vec<Sample> {
    let last = u16::try_from(count).unwrap_or(u16::MAX);
    vec![
        Sample::new("first member", Value::Enum(1)),
        Sample::new("last member", Value::Enum(last)),
        Sample::new("no member (of an invalid insert)", Value::Enum(0)),
    ]
}

fn set_members(count: usize) -> Vec<Sample> {
    let all = u64::MAX >> 64usize.saturating_sub(count.clamp(1, 64));
    vec![
        Sample::new("no member", Value::Set(0)),
        Sample::new("first member", Value::Set(1)),
        Sample::new("last member", Value::Set(all ^ (all >> 1))),
        Sample::new("all members", Value::Set(all)),
    ]
}

fn addresses(length: usize) -> Vec<Sample> {
    let ascending: Vec<u8> = (0x10..).take(length).collect();
    vec![
        Sample::new("all zero", Value::Bytes(vec![0; length])),
        Sample::new("all one", Value::Bytes(vec![0xff; length])),
        Sample::new("ordinary", Value::Bytes(ascending)),
    ]
}

#[cfg(test)]
mod tests {
    use whimbrel_model::{CellKind, RowBatch};

    use super::*;

    /// Every sample is a cell of its type: it goes into a batch and comes out the same.
    #[test]
    fn samples_are_cells_of_their_type() {
        for data_type in super::super::subjects::all_types() {
            let kind = data_type.cell_kind();
            let samples = of(&data_type);
            assert!(samples.len() > 2 || matches!(data_type, DataType::Geometry { .. }), "{data_type:?}");
            let mut batch = RowBatch::new([kind].into());
            for sample in &samples {
                batch.push_value(sample.value.as_ref());
                batch.end_row();
            }
            for (row, sample) in batch.rows().zip(&samples) {
                let found = row.get(0).to_owned();
                let same = found == sample.value || kind == CellKind::Bytes;
                assert!(same, "{data_type:?} {}: {found:?}", sample.class);
            }
        }
    }

    #[test]
    fn a_set_of_64_members_has_all_its_bits() {
        assert_eq!(set_members(64).last().map(|s| s.value.clone()), Some(Value::Set(u64::MAX)));
        assert_eq!(set_members(64)[2].value, Value::Set(1 << 63));
        assert_eq!(set_members(3)[3].value, Value::Set(7));
    }
}
