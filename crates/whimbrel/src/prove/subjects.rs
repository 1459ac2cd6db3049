//! Which types are proved: all that a source may have, or those of a project's columns.

use std::collections::HashMap;

use whimbrel_model::{Charset, DataType, TableSchema, TextSize};

use super::samples::{self, Sample};

/// A type, where the project has it, and the values to try.
pub struct Subject {
    pub data_type: DataType,
    /// `schema.table.column`; empty for `--types all`.
    pub columns: Vec<String>,
    pub samples: Vec<Sample>,
}

/// One subject for each type.
pub fn all() -> Vec<Subject> {
    all_types()
        .into_iter()
        .map(|data_type| Subject { samples: samples::of(&data_type), data_type, columns: Vec::new() })
        .collect()
}

/// One subject for each type that a column of these tables has, in the order of first appearance.
pub fn of_tables(tables: &[TableSchema]) -> Vec<Subject> {
    let mut found: Vec<Subject> = Vec::new();
    let mut known: HashMap<&DataType, usize> = HashMap::new();
    for table in tables {
        for column in table.columns.iter().filter(|column| column.generated.is_none()) {
            let at = *known.entry(&column.data_type).or_insert_with(|| {
                let data_type = column.data_type.clone();
                found.push(Subject { samples: samples::of(&data_type), data_type, columns: Vec::new() });
                found.len() - 1
            });
            if let Some(subject) = found.get_mut(at) {
                subject.columns.push(format!("{}.{}", table.name, column.name));
            }
        }
    }
    found
}

fn varchar(charset: Charset) -> DataType {
    DataType::VarChar { chars: 255, charset, collation: format!("{charset}_bin") }
}

fn utf8(members: Vec<String>) -> (Vec<String>, Charset, String) {
    (members, Charset::Utf8mb4, "utf8mb4_bin".to_owned())
}

fn enumeration(members: Vec<String>) -> DataType {
    let (members, charset, collation) = utf8(members);
    DataType::Enum { members, charset, collation }
}

fn set(members: Vec<String>) -> DataType {
    let (members, charset, collation) = utf8(members);
    DataType::Set { members, charset, collation }
}

/// Every type of MySQL and MariaDB, with text in every charset.
pub fn all_types() -> Vec<DataType> {
    let mut types = vec![DataType::Bool];
    types.extend(numbers());
    types.extend([DataType::Date, DataType::Year]);
    for fsp in [0, 3, 6] {
        types.extend([DataType::Time { fsp }, DataType::DateTime { fsp }, DataType::Timestamp { fsp }]);
    }
    types.extend(Charset::all().filter(|charset| *charset != Charset::Binary).map(varchar));
    types.extend(large_text_and_bytes());
    let names = |count: usize| (1..=count).map(|number| format!("m{number}")).collect::<Vec<_>>();
    let special = ["a", "it's", "é", "数", "😀", "A b"].map(str::to_owned).to_vec();
    types.extend([
        enumeration(special.clone()),
        set(special),
        set(names(64)),
        enumeration(names(3000)),
        enumeration(names(65_535)),
    ]);
    types.push(DataType::Json);
    let kinds = [
        "geometry",
        "point",
        "linestring",
        "polygon",
        "multipoint",
        "multilinestring",
        "multipolygon",
        "geometrycollection",
    ];
    types.extend(kinds.map(|kind| DataType::Geometry { kind: kind.to_owned(), srid: None }));
    types.push(DataType::Geometry { kind: "point".to_owned(), srid: Some(4326) });
    types.push(DataType::Vector { dimensions: 3 });
    types.extend([DataType::Uuid, DataType::Inet4, DataType::Inet6]);
    types
}

fn numbers() -> Vec<DataType> {
    let mut types = Vec::new();
    for bytes in [1, 2, 3, 4, 8] {
        for unsigned in [false, true] {
            types.push(DataType::Int { bytes, unsigned, zerofill: None });
        }
    }
    types.push(DataType::Int { bytes: 4, unsigned: true, zerofill: Some(10) });
    for (precision, scale, unsigned) in
        [(10, 0, false), (10, 2, true), (30, 30, false), (65, 0, false), (65, 30, false)]
    {
        types.push(DataType::Decimal { precision, scale, unsigned });
    }
    for digits in [None, Some((7, 3))] {
        types.push(DataType::Float { digits, unsigned: false });
        types.push(DataType::Double { digits, unsigned: false });
    }
    types.extend([
        DataType::Float { digits: None, unsigned: true },
        DataType::Double { digits: None, unsigned: true },
    ]);
    types.extend([1, 8, 33, 64].map(|bits| DataType::Bit { bits }));
    types
}

fn large_text_and_bytes() -> Vec<DataType> {
    let collation = || "utf8mb4_bin".to_owned();
    let mut types = vec![DataType::Char { chars: 255, charset: Charset::Utf8mb4, collation: collation() }];
    types.extend([DataType::Binary { bytes: 255 }, DataType::VarBinary { bytes: 65_000 }]);
    for size in [TextSize::Tiny, TextSize::Regular, TextSize::Medium, TextSize::Long] {
        types.push(DataType::Text { size, charset: Charset::Utf8mb4, collation: collation() });
        types.push(DataType::Blob { size });
    }
    types
}
