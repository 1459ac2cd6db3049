//! A definition out of the log's own description of a table.

use whimbrel_model::{Charset, Column, DataType, Key, KeyPart, TableName, TableSchema, TextSize};

use crate::binlog::{LogColumn, LogType, TableMap, collation_charset, collation_name};

/// `None` where the description lacks names, signs or charsets, or a type can't be told from it.
pub(super) fn schema_of(map: &TableMap, mariadb: bool) -> Option<TableSchema> {
    let mut schema = TableSchema::new(TableName::new(&map.schema, &map.table), Vec::new());
    for column in &map.columns {
        let data_type = data_type(column, mariadb)?;
        let mut made = Column::new(column.name.as_ref()?, data_type, column.nullable);
        made.invisible = column.visible == Some(false);
        schema.columns.push(made);
    }
    if let Some(parts) = &map.primary_key {
        let parts = parts.iter().map(|(index, prefix)| {
            let name = schema.columns.get(*index)?.name.clone();
            Some(KeyPart { prefix: (*prefix > 0).then_some(*prefix), ..KeyPart::column_named(name) })
        });
        let parts: Option<Vec<KeyPart>> = parts.collect();
        schema.primary_key = Some(Key { parts: parts?, ..Key::on_columns("PRIMARY", [""; 0]) });
    }
    Some(schema)
}

fn data_type(column: &LogColumn, mariadb: bool) -> Option<DataType> {
    let int = |bytes| Some(DataType::Int { bytes, unsigned: column.unsigned?, zerofill: None });
    let text = || {
        let number = column.collation?;
        Some((collation_charset(number, mariadb)?, collation_name(number, mariadb)?.to_owned()))
    };
    let chars = |bytes: u16, charset: Charset| u32::from(bytes) / charset.max_len();
    let members = |charset: Charset| {
        let members = column.members.as_ref()?.iter().map(|member| {
            let utf8 = charset.to_utf8(member).ok()?;
            String::from_utf8(utf8.into_owned()).ok()
        });
        members.collect::<Option<Vec<String>>>()
    };
    Some(match column.log_type {
        LogType::Tiny => int(1)?,
        LogType::Short => int(2)?,
        LogType::Int24 => int(3)?,
        LogType::Long => int(4)?,
        LogType::LongLong => int(8)?,
        LogType::Float => DataType::Float { digits: None, unsigned: column.unsigned? },
        LogType::Double => DataType::Double { digits: None, unsigned: column.unsigned? },
        LogType::Decimal { precision, scale } => {
            DataType::Decimal { precision, scale, unsigned: column.unsigned? }
        }
        LogType::Year => DataType::Year,
        LogType::Date => DataType::Date,
        LogType::Time { fsp } => DataType::Time { fsp },
        LogType::DateTime { fsp } => DataType::DateTime { fsp },
        LogType::Timestamp { fsp } => DataType::Timestamp { fsp },
        LogType::Bit { bits } => DataType::Bit { bits: u8::try_from(bits).ok()? },
        LogType::VarChar { bytes, compressed } => {
            let (charset, collation) = text()?;
            let bytes = bytes - u16::from(compressed);
            match charset {
                Charset::Binary => DataType::VarBinary { bytes: u32::from(bytes) },
                _ => DataType::VarChar { chars: chars(bytes, charset), charset, collation },
            }
        }
        LogType::Fixed { bytes } => {
            let (charset, collation) = text()?;
            match charset {
                Charset::Binary => DataType::Binary { bytes: u32::from(bytes) },
                _ => DataType::Char { chars: chars(bytes, charset), charset, collation },
            }
        }
        LogType::Enum { .. } => {
            let (charset, collation) = text()?;
            DataType::Enum { members: members(charset)?, charset, collation }
        }
        LogType::Set { .. } => {
            let (charset, collation) = text()?;
            DataType::Set { members: members(charset)?, charset, collation }
        }
        LogType::Blob { prefix, .. } => {
            let (charset, collation) = text()?;
            let size = match prefix {
                1 => TextSize::Tiny,
                2 => TextSize::Regular,
                3 => TextSize::Medium,
                _ => TextSize::Long,
            };
            match charset {
                Charset::Binary => DataType::Blob { size },
                _ => DataType::Text { size, charset, collation },
            }
        }
        LogType::Json { .. } => DataType::Json,
        LogType::Geometry { .. } => DataType::Geometry { kind: geometry_name(column.geometry?), srid: None },
        LogType::Vector { .. } => DataType::Vector { dimensions: column.dimensions? },
        // Whether these have a fraction, and so which form they have, isn't in the log.
        LogType::OldTime | LogType::OldDateTime | LogType::OldTimestamp => return None,
    })
}

fn geometry_name(number: u32) -> String {
    let name = match number {
        1 => "point",
        2 => "linestring",
        3 => "polygon",
        4 => "multipoint",
        5 => "multilinestring",
        6 => "multipolygon",
        7 => "geomcollection",
        _ => "geometry",
    };
    name.to_owned()
}
