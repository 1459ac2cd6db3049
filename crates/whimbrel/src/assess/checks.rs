//! Which questions the data of a table raises on its way to a target, and what the answers mean.

use whimbrel_connector::inspect::{Collisions, Cost, Question, Scan};
use whimbrel_dbcat::overrides::{Fit, fit};
use whimbrel_dbcat::{Effort, TargetProfile};
use whimbrel_model::{Charset, Column, DataType, Key, TableSchema, TextSize};

use super::report::Risk;

/// A question about rows with its meaning.
pub struct Check {
    pub question: Question,
    name: &'static str,
    object: String,
    effort: Effort,
    why: String,
    to_do: &'static str,
}

impl Check {
    /// The answer in words.
    pub fn risk(self, rows: Option<u64>, cost: Cost) -> Risk {
        Risk {
            check: self.name,
            object: self.object,
            rows,
            effort: self.effort,
            why: self.why,
            to_do: self.to_do.to_owned(),
            samples: Vec::new(),
            cost,
        }
    }
}

/// Pairs checks with the answers of their scan.
pub fn risks(checks: Vec<Check>, scan: &Scan) -> Vec<Risk> {
    let answers = scan.rows.iter().copied().map(Some).chain(std::iter::repeat(None));
    checks.into_iter().zip(answers).map(|(check, rows)| check.risk(rows, scan.cost.clone())).collect()
}

/// The questions about the rows of a table that becomes `target`.
pub fn of_rows(source: &TableSchema, target: &TableSchema, profile: &TargetProfile) -> Vec<Check> {
    let mut checks = Vec::new();
    for column in source.columns.iter().filter(|column| column.generated.is_none()) {
        let object = format!("{}.{}", source.name, column.name);
        if let Some(at) = target.column_index(&column.name) {
            checks.extend(of_pair(column, &target.columns[at], &object, profile));
        }
        checks.extend(of_column(column, &object));
    }
    if let Some(packet) = profile.packet_bytes()
        && most_row_bytes(source) > packet / 2
    {
        checks.push(Check {
            question: Question::LargerThan { bytes: packet / 2 },
            name: "row-larger-than-packet",
            object: source.name.to_string(),
            effort: Effort::High,
            why: format!(
                "the target takes statements of {packet} bytes (max_allowed_packet); written as text, a row may take up to \
                 twice its bytes, and a larger one is parked"
            ),
            to_do: "raise max_allowed_packet at the target",
        });
    }
    checks
}

/// What a column of another type or collation raises.
fn of_pair(column: &Column, to: &Column, object: &str, profile: &TargetProfile) -> Vec<Check> {
    let mut checks = Vec::new();
    let name = column.name.clone();
    // Nullable at the target and no part of a key, so that only the values count.
    let plain = Column::new(name.clone(), column.data_type.clone(), true);
    if let Fit::Loses(why) = fit(&plain, &to.data_type, false) {
        checks.push(Check {
            question: Question::DoesNotFit { column: name.clone(), to: to.data_type.clone() },
            name: "value-does-not-fit",
            object: object.to_owned(),
            effort: Effort::High,
            why: format!(
                "the target's column is {}: {why}",
                whimbrel_dbcat::render::data_type(&to.data_type)
            ),
            to_do: "correct the values at the source, or give the column a type that holds them",
        });
    }
    let general = to.data_type.collation().is_some_and(|collation| collation.ends_with("general_ci"));
    if general && column.data_type.collation() != to.data_type.collation() && holds_four_bytes(column) {
        checks.push(Check {
            question: Question::FourByteCharacter { column: name.clone() },
            name: "four-byte-characters",
            object: object.to_owned(),
            effort: Effort::Medium,
            why: format!(
                "under {} all characters of four bytes (emoji, rare Han characters) are equal to each other",
                to.data_type.collation().unwrap_or_default()
            ),
            to_do: "look at comparisons, GROUP BY and DISTINCT over the column",
        });
    }
    if matches!(column.data_type, DataType::Geometry { .. }) && !profile.has_spatial_reference_systems() {
        checks.push(Check {
            question: Question::SpatialReference { column: name },
            name: "spatial-reference",
            object: object.to_owned(),
            effort: Effort::High,
            why: "the target knows no spatial reference systems: a value with an SRID is refused and parked"
                .to_owned(),
            to_do: "move the values to SRID 0 at the source, or convert the column to LONGBLOB",
        });
    }
    checks
}

/// What a column raises wherever it goes.
fn of_column(column: &Column, object: &str) -> Option<Check> {
    let name = column.name.clone();
    match &column.data_type {
        DataType::Date | DataType::DateTime { .. } | DataType::Timestamp { .. } => Some(Check {
            question: Question::UnrealDate { column: name },
            name: "unreal-dates",
            object: object.to_owned(),
            effort: Effort::Low,
            why: "zero dates and dates that no calendar has are moved as they are, but sessions with NO_ZERO_DATE, or without \
                  ALLOW_INVALID_DATES, can't write them again"
                .to_owned(),
            to_do: "set the sql_mode of the application's sessions as at the source, or correct the dates",
        }),
        DataType::Char { charset, .. } | DataType::VarChar { charset, .. } | DataType::Text { charset, .. }
            if can_be_invalid(*charset) =>
        {
            Some(Check {
                question: Question::InvalidText { column: name },
                name: "invalid-text",
                object: object.to_owned(),
                effort: Effort::High,
                why: format!("bytes that are no text in {charset} are refused by the target, and the row is parked"),
                to_do: "correct the text at the source, or convert the column to a binary type",
            })
        }
        _ => None,
    }
}

fn holds_four_bytes(column: &Column) -> bool {
    matches!(
        column.data_type.charset(),
        Charset::Utf8mb4 | Charset::Utf16 | Charset::Utf16le | Charset::Utf32 | Charset::Gb18030
    )
}

/// In the other charsets every byte is a character.
fn can_be_invalid(charset: Charset) -> bool {
    matches!(
        charset,
        Charset::Ascii
            | Charset::Utf8mb3
            | Charset::Utf8mb4
            | Charset::Gbk
            | Charset::Gb2312
            | Charset::Gb18030
            | Charset::Big5
            | Charset::Sjis
            | Charset::Cp932
            | Charset::Ujis
            | Charset::Eucjpms
            | Charset::Euckr
    )
}

/// Bytes that a row may take at most, as far as its large columns say.
fn most_row_bytes(table: &TableSchema) -> u64 {
    let bytes = |column: &Column| match &column.data_type {
        DataType::Text { size, .. } | DataType::Blob { size } => match size {
            TextSize::Tiny => 0xff,
            TextSize::Regular => 0xffff,
            TextSize::Medium => 0xff_ffff,
            TextSize::Long => 0xffff_ffff,
        },
        DataType::Json | DataType::Geometry { .. } => 0xffff_ffff,
        DataType::VarChar { chars, .. } => u64::from(*chars) * 4,
        DataType::VarBinary { bytes } => u64::from(*bytes),
        _ => 0,
    };
    table.columns.iter().map(bytes).sum()
}

/// The primary and unique keys of the target whose columns compare otherwise than at the source.
pub fn changed_keys<'a>(source: &TableSchema, target: &'a TableSchema) -> Vec<&'a Key> {
    let compares_alike = |name: &str| {
        let of = |table: &TableSchema| table.column_index(name).map(|at| table.columns[at].data_type.clone());
        match (of(source), of(target)) {
            (Some(from), Some(to)) => {
                let plain = Column::new(name, from.clone(), true);
                from.collation() == to.collation() && !matches!(fit(&plain, &to, true), Fit::Loses(_))
            }
            _ => true,
        }
    };
    let changed = |key: &&Key| {
        let columns: Vec<&str> = key.parts.iter().filter_map(|part| part.column()).collect();
        columns.len() == key.parts.len() && !columns.iter().all(|name| compares_alike(name))
    };
    target.primary_key.iter().chain(&target.unique_keys).filter(changed).collect()
}

/// The answer about a key.
pub fn collision_risk(source: &TableSchema, key: &Key, columns: &[Column], found: Collisions) -> Risk {
    let collations: Vec<&str> = columns.iter().filter_map(|column| column.data_type.collation()).collect();
    let answered = found.cost.stopped.is_none();
    let why = format!(
        "keys that become equal under the target's {}: {}; only one row of each can be there, the others become conflicts",
        if collations.is_empty() { "types".to_owned() } else { collations.join(", ") },
        crate::display::count(found.keys)
    );
    Risk {
        check: "keys-collide",
        object: format!("{}, key {}", source.name, key.name),
        rows: answered.then_some(found.rows),
        effort: Effort::High,
        why,
        to_do: "change one of the values at the source, or give the key's column a binary collation with --convert"
            .to_owned(),
        samples: found.samples,
        cost: found.cost,
    }
}
