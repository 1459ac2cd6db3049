//! Rules of types, in the order in which they are tried.

use whimbrel_model::{Charset, DataType, TextSize};

use super::{ANY, Aspect, Effort, MARIADB, NOT_MARIADB, OCEANBASE, Rule};
use crate::Loss;
use crate::profile::TargetProfile;

/// A rule that gives a column another type.
pub(crate) struct TypeRule {
    pub rule: Rule,
    /// The new type of a type that the rule is about.
    convert: fn(&DataType) -> Option<DataType>,
}

impl TypeRule {
    /// The first rule that holds for a type, with its result.
    pub fn find(data_type: &DataType, target: &TargetProfile) -> Option<(&'static Rule, DataType)> {
        RULES.iter().find_map(|row| {
            let converted = (row.convert)(data_type)?;
            row.rule.holds(target).then_some((&row.rule, converted))
        })
    }
}

fn ascii(chars: u32) -> DataType {
    DataType::VarChar { chars, charset: Charset::Utf8mb4, collation: "utf8mb4_bin".to_owned() }
}

fn without_srid(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Geometry { kind, srid: Some(_) } => {
            Some(DataType::Geometry { kind: kind.clone(), srid: None })
        }
        _ => None,
    }
}

pub(super) static RULES: &[TypeRule] = &[
    TypeRule {
        rule: Rule {
            id: "uuid-as-text",
            aspect: Aspect::Type,
            sources: MARIADB,
            targets: ANY,
            from: "UUID",
            when: "the target is not MariaDB 10.7 or later",
            to: "VARCHAR(36)",
            loss: Loss::None,
            effort: Effort::Low,
            why: "the same text as the source shows; it sorts differently than MariaDB's UUID",
            to_do: "look for ORDER BY and ranges over the column",
            holds: |target| !target.has_type_since((10, 7, 0)),
        },
        convert: |data_type| (*data_type == DataType::Uuid).then(|| ascii(36)),
    },
    TypeRule {
        rule: Rule {
            id: "inet6-as-text",
            aspect: Aspect::Type,
            sources: MARIADB,
            targets: ANY,
            from: "INET6",
            when: "the target is not MariaDB 10.5 or later",
            to: "VARCHAR(45)",
            loss: Loss::None,
            effort: Effort::Low,
            why: "the same text as the source shows; it sorts as text, not by address",
            to_do: "look for ORDER BY and ranges over the column",
            holds: |target| !target.has_type_since((10, 5, 0)),
        },
        convert: |data_type| (*data_type == DataType::Inet6).then(|| ascii(45)),
    },
    TypeRule {
        rule: Rule {
            id: "inet4-as-text",
            aspect: Aspect::Type,
            sources: MARIADB,
            targets: ANY,
            from: "INET4",
            when: "the target is not MariaDB 10.10 or later",
            to: "VARCHAR(15)",
            loss: Loss::None,
            effort: Effort::Low,
            why: "the same text as the source shows; it sorts as text, not by address",
            to_do: "look for ORDER BY and ranges over the column",
            holds: |target| !target.has_type_since((10, 10, 0)),
        },
        convert: |data_type| (*data_type == DataType::Inet4).then(|| ascii(15)),
    },
    TypeRule {
        rule: Rule {
            id: "srid-dropped",
            aspect: Aspect::Type,
            sources: NOT_MARIADB,
            targets: OCEANBASE,
            from: "geometry with SRID n (not 0)",
            when: "the target has no spatial reference systems",
            to: "geometry without SRID",
            loss: Loss::Data,
            effort: Effort::High,
            why: "the target knows no spatial reference systems (error 3548): values with an SRID other than 0 will be \
                  refused and parked",
            to_do: "convert the column to LONGBLOB with --convert, or move the values to SRID 0 at the source",
            holds: |target| !target.has_spatial_reference_systems(),
        },
        convert: |data_type| match data_type {
            DataType::Geometry { srid: Some(1..), .. } => without_srid(data_type),
            _ => None,
        },
    },
    TypeRule {
        rule: Rule {
            id: "srid-of-values-only",
            aspect: Aspect::Type,
            sources: NOT_MARIADB,
            targets: MARIADB,
            from: "geometry with SRID n",
            when: "the target is MariaDB",
            to: "geometry without SRID",
            loss: Loss::Behaviour,
            effort: Effort::Low,
            why: "MariaDB keeps each value's SRID but not the column's",
            to_do: "let the application see to it that all values have one SRID",
            holds: |target| !target.has_srid_columns(),
        },
        convert: without_srid,
    },
    TypeRule {
        rule: Rule {
            id: "json-as-text",
            aspect: Aspect::Type,
            sources: NOT_MARIADB,
            targets: MARIADB,
            from: "JSON",
            when: "the target is MariaDB",
            to: "LONGTEXT",
            loss: Loss::Behaviour,
            effort: Effort::Low,
            why: "MariaDB's JSON is text: the same document, as the source shows it",
            to_do: "compare documents with JSON_EQUALS, not with =",
            holds: |target| !target.has_json(),
        },
        convert: |data_type| {
            (*data_type == DataType::Json).then(|| DataType::Text {
                size: TextSize::Long,
                charset: Charset::Utf8mb4,
                collation: "utf8mb4_bin".to_owned(),
            })
        },
    },
    TypeRule {
        rule: Rule {
            id: "vector-as-bytes",
            aspect: Aspect::Type,
            sources: ANY,
            targets: ANY,
            from: "VECTOR(n)",
            when: "the target has no vectors (MySQL before 9.0, MariaDB before 11.7, OceanBase before 4.3.3)",
            to: "VARBINARY(4n)",
            loss: Loss::Behaviour,
            effort: Effort::Medium,
            why: "the same bytes, without vector functions and indexes",
            to_do: "let the application do the search, or choose a target with vectors",
            holds: |target| !target.has_vectors(),
        },
        convert: |data_type| match data_type {
            DataType::Vector { dimensions } => {
                Some(DataType::VarBinary { bytes: dimensions.saturating_mul(4) })
            }
            _ => None,
        },
    },
];
