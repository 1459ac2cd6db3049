//! Conversion rules of types: data, in the order in which they are tried. A type that no rule names stays.

use whimbrel_connector::Flavor;
use whimbrel_model::{Charset, DataType, TextSize};

use crate::Loss;
use crate::profile::TargetProfile;

/// One rule.
pub struct Rule {
    /// What the source has, for people.
    pub from: &'static str,
    /// What the target gets, for people.
    pub to: &'static str,
    /// When it holds, for people.
    pub when: &'static str,
    pub loss: Loss,
    pub why: &'static str,
    /// The new type, where the rule holds.
    convert: fn(&DataType, &TargetProfile) -> Option<DataType>,
}

impl Rule {
    /// The rule that holds for a type, with its result.
    pub(crate) fn find(data_type: &DataType, target: &TargetProfile) -> Option<(&'static Self, DataType)> {
        RULES.iter().find_map(|rule| Some((rule, (rule.convert)(data_type, target)?)))
    }
}

fn ascii(chars: u32) -> DataType {
    DataType::VarChar { chars, charset: Charset::Utf8mb4, collation: "utf8mb4_bin".to_owned() }
}

/// All rules. Collations have rules of their own (`collation.rs`).
pub static RULES: &[Rule] = &[
    Rule {
        from: "UUID",
        to: "VARCHAR(36)",
        when: "the target is not MariaDB 10.7 or later",
        loss: Loss::None,
        why: "the same text as the source shows; it sorts differently than MariaDB's UUID",
        convert: |data_type, target| {
            (*data_type == DataType::Uuid && !target.has_type_since((10, 7, 0))).then(|| ascii(36))
        },
    },
    Rule {
        from: "INET6",
        to: "VARCHAR(45)",
        when: "the target is not MariaDB 10.5 or later",
        loss: Loss::None,
        why: "the same text as the source shows",
        convert: |data_type, target| {
            (*data_type == DataType::Inet6 && !target.has_type_since((10, 5, 0))).then(|| ascii(45))
        },
    },
    Rule {
        from: "INET4",
        to: "VARCHAR(15)",
        when: "the target is not MariaDB 10.10 or later",
        loss: Loss::None,
        why: "the same text as the source shows",
        convert: |data_type, target| {
            (*data_type == DataType::Inet4 && !target.has_type_since((10, 10, 0))).then(|| ascii(15))
        },
    },
    Rule {
        from: "geometry with SRID n (not 0)",
        to: "geometry without SRID",
        when: "the target is OceanBase",
        loss: Loss::Data,
        why: "OceanBase knows no spatial reference systems in this build (error 3548): values with an SRID other than \
              0 will be refused and parked",
        convert: |data_type, target| match data_type {
            DataType::Geometry { kind, srid: Some(1..) } if target.is_oceanbase() => {
                Some(DataType::Geometry { kind: kind.clone(), srid: None })
            }
            _ => None,
        },
    },
    Rule {
        from: "geometry with SRID n",
        to: "geometry without SRID",
        when: "the target is MariaDB",
        loss: Loss::Behaviour,
        why: "MariaDB keeps each value's SRID but not the column's",
        convert: |data_type, target| match data_type {
            DataType::Geometry { kind, srid: Some(_) } if target.flavor == Flavor::MariaDb => {
                Some(DataType::Geometry { kind: kind.clone(), srid: None })
            }
            _ => None,
        },
    },
    Rule {
        from: "JSON",
        to: "LONGTEXT",
        when: "the target is MariaDB",
        loss: Loss::Behaviour,
        why: "MariaDB's JSON is text: the same document, as the source shows it",
        convert: |data_type, target| {
            (*data_type == DataType::Json && target.flavor == Flavor::MariaDb).then(|| DataType::Text {
                size: TextSize::Long,
                charset: Charset::Utf8mb4,
                collation: "utf8mb4_bin".to_owned(),
            })
        },
    },
    Rule {
        from: "VECTOR(n)",
        to: "VARBINARY(4n)",
        when: "the target has no vectors",
        loss: Loss::Behaviour,
        why: "the same bytes, without vector functions and indexes",
        convert: |data_type, target| match data_type {
            DataType::Vector { dimensions } if !target.has_vectors() => {
                Some(DataType::VarBinary { bytes: dimensions.saturating_mul(4) })
            }
            _ => None,
        },
    },
];
