//! How to read the rows of a table: the log's description and the schema's, checked against each other.
//!
//! The log's types decide the bytes, the schema decides the meaning (sign, charset, what a CHAR of 16 bytes
//! is). Whatever the log says of its own (`binlog_row_metadata=FULL`) must agree with the schema: a
//! difference is an error, never a shift of columns.

use std::sync::Arc;

use whimbrel_model::{Charset, Column, DataType, TableVersion, TextSize};

use super::cell::CellReader;
use super::collation::collation_charset;
use super::decimal::DecimalLayout;
use super::error::PlanError;
use super::table_map::{LogColumn, LogType, TableMap};

/// The readers of a table's columns, in order.
#[derive(Clone, Debug)]
pub struct TablePlan {
    pub(crate) version: Arc<TableVersion>,
    pub(crate) readers: Box<[CellReader]>,
    /// Columns of JSON type in the log, which PARTIAL_UPDATE_ROWS counts.
    pub(crate) json_columns: usize,
}

impl TablePlan {
    /// # Errors
    /// A description that doesn't fit the schema: other number of columns, names, types or charsets.
    pub fn new(map: &TableMap, version: &Arc<TableVersion>, mariadb: bool) -> Result<Self, PlanError> {
        let schema = &version.schema;
        let table = || schema.name.to_string();
        if map.columns.len() != schema.columns.len() {
            return Err(PlanError::ColumnCount {
                table: table(),
                log: map.columns.len(),
                schema: schema.columns.len(),
            });
        }
        let mut readers = Vec::with_capacity(map.columns.len());
        for (index, (log, column)) in map.columns.iter().zip(&schema.columns).enumerate() {
            if let Some(name) = &log.name
                && name.to_lowercase() != column.name.to_lowercase()
            {
                let (log, schema) = (name.clone(), column.name.clone());
                return Err(PlanError::ColumnName { table: table(), index, log, schema });
            }
            let reader = reader_for(log, &column.data_type).filter(|_| signs_agree(log, &column.data_type));
            let reader = reader.ok_or_else(|| PlanError::ColumnType {
                table: table(),
                column: column.name.clone(),
                log: describe(log),
                schema: format!("{:?}", column.data_type),
            })?;
            check_charset(&table, log, column, mariadb)?;
            readers.push(reader);
        }
        let json_columns = readers.iter().filter(|reader| reader.is_json()).count();
        Ok(Self { version: version.clone(), readers: readers.into(), json_columns })
    }

    /// The table version whose rows the plan reads.
    pub fn version(&self) -> &Arc<TableVersion> {
        &self.version
    }
}

fn describe(log: &LogColumn) -> String {
    match log.unsigned {
        Some(true) => format!("{} unsigned", log.log_type),
        _ => log.log_type.to_string(),
    }
}

fn signs_agree(log: &LogColumn, data_type: &DataType) -> bool {
    match (log.unsigned, data_type) {
        (Some(in_log), DataType::Int { unsigned, .. }) => in_log == *unsigned,
        (Some(in_log), DataType::Bool) => !in_log,
        _ => true,
    }
}

fn check_charset(
    table: &dyn Fn() -> String,
    log: &LogColumn,
    column: &Column,
    mariadb: bool,
) -> Result<(), PlanError> {
    let Some(in_log) = log.collation.and_then(|number| collation_charset(number, mariadb)) else {
        return Ok(());
    };
    let agrees = match &column.data_type {
        DataType::Char { charset, .. }
        | DataType::VarChar { charset, .. }
        | DataType::Text { charset, .. }
        | DataType::Enum { charset, .. }
        | DataType::Set { charset, .. } => *charset == in_log,
        DataType::Binary { .. } | DataType::VarBinary { .. } | DataType::Blob { .. } => {
            in_log == Charset::Binary
        }
        // JSON of MariaDB is text, its UUID and INET types are shown with charsets of their own.
        _ => true,
    };
    if agrees {
        return Ok(());
    }
    Err(PlanError::ColumnCharset {
        table: table(),
        column: column.name.clone(),
        log: in_log.name().to_owned(),
        schema: column.data_type.charset().name().to_owned(),
    })
}

/// The reader of a column, `None` where log and schema can't be the same type.
fn reader_for(log: &LogColumn, data_type: &DataType) -> Option<CellReader> {
    match (log.log_type, data_type) {
        (LogType::Bit { bits }, DataType::Bit { bits: known }) => {
            (bits == u16::from(*known)).then_some(CellReader::Bit { bytes: bits.div_ceil(8) as u8 })
        }
        (LogType::Enum { bytes }, DataType::Enum { members, charset, .. }) => {
            let wanted = if members.len() < 256 { 1 } else { 2 };
            (bytes == wanted && members_agree(log, members, *charset)).then_some(CellReader::Number { bytes })
        }
        (LogType::Set { bytes }, DataType::Set { members, charset, .. }) => {
            let wanted = match members.len().div_ceil(8) {
                len @ 0..=4 => len.max(1),
                _ => 8,
            };
            (usize::from(bytes) == wanted && members_agree(log, members, *charset))
                .then_some(CellReader::Number { bytes })
        }
        (LogType::Json { prefix }, DataType::Json) => Some(CellReader::Json { prefix }),
        // MariaDB's JSON is LONGTEXT; a vector is bytes in both families.
        (LogType::Blob { prefix, compressed }, DataType::Json) => Some(sized(prefix, compressed)),
        (LogType::Geometry { prefix }, DataType::Geometry { .. })
        | (LogType::Vector { prefix }, DataType::Vector { .. }) => Some(CellReader::Sized { prefix }),
        (
            LogType::Blob { prefix, compressed: false },
            DataType::Geometry { .. } | DataType::Vector { .. },
        ) => Some(CellReader::Sized { prefix }),
        (LogType::VarChar { bytes, compressed: false }, DataType::Vector { dimensions }) => {
            (u32::from(bytes) == dimensions * 4).then_some(CellReader::Sized { prefix: prefix_of(bytes) })
        }
        // A UUID is logged in the order of its text, not in the one in which InnoDB sorts it.
        (LogType::Fixed { bytes: width @ 16 }, DataType::Uuid | DataType::Inet6)
        | (LogType::Fixed { bytes: width @ 4 }, DataType::Inet4) => {
            Some(CellReader::Padded { prefix: 1, width })
        }
        (log_type, data_type) => numeric(log_type, data_type)
            .or_else(|| temporal(log_type, data_type))
            .or_else(|| text_or_bytes(log_type, data_type)),
    }
}

fn numeric(log_type: LogType, data_type: &DataType) -> Option<CellReader> {
    let (log_bytes, readers) = match log_type {
        LogType::Tiny => (1, (CellReader::Int8, CellReader::UInt8)),
        LogType::Short => (2, (CellReader::Int16, CellReader::UInt16)),
        LogType::Int24 => (3, (CellReader::Int24, CellReader::UInt24)),
        LogType::Long => (4, (CellReader::Int32, CellReader::UInt32)),
        LogType::LongLong => (8, (CellReader::Int64, CellReader::UInt64)),
        LogType::Float => return matches!(data_type, DataType::Float { .. }).then_some(CellReader::Float),
        LogType::Double => return matches!(data_type, DataType::Double { .. }).then_some(CellReader::Double),
        LogType::Decimal { precision, scale } => {
            let layout = DecimalLayout::new(precision, scale).map(CellReader::Decimal);
            return match data_type {
                DataType::Decimal { precision: p, scale: s, .. } if (*p, *s) == (precision, scale) => layout,
                _ => None,
            };
        }
        _ => return None,
    };
    match data_type {
        DataType::Int { bytes, unsigned, .. } if *bytes == log_bytes => {
            Some(if *unsigned { readers.1 } else { readers.0 })
        }
        DataType::Bool if log_bytes == 1 => Some(CellReader::Int8),
        _ => None,
    }
}

fn temporal(log_type: LogType, data_type: &DataType) -> Option<CellReader> {
    let same = |fsp: u8, known: &u8, reader| (fsp == *known).then_some(reader);
    match (log_type, data_type) {
        (LogType::Year, DataType::Year) => Some(CellReader::Year),
        (LogType::Date, DataType::Date) => Some(CellReader::Date),
        (LogType::Time { fsp }, DataType::Time { fsp: known }) => same(fsp, known, CellReader::Time { fsp }),
        (LogType::DateTime { fsp }, DataType::DateTime { fsp: known }) => {
            same(fsp, known, CellReader::DateTime { fsp })
        }
        (LogType::Timestamp { fsp }, DataType::Timestamp { fsp: known }) => {
            same(fsp, known, CellReader::Timestamp { fsp })
        }
        // The old types tell no fraction. Only MariaDB's of 5.3 can have one, and then in a form of its own.
        (LogType::OldTime, DataType::Time { fsp }) => {
            Some(if *fsp == 0 { CellReader::OldTime } else { CellReader::HiresTime { fsp: *fsp } })
        }
        (LogType::OldDateTime, DataType::DateTime { fsp }) => {
            Some(if *fsp == 0 { CellReader::OldDateTime } else { CellReader::HiresDateTime { fsp: *fsp } })
        }
        (LogType::OldTimestamp, DataType::Timestamp { fsp }) => {
            Some(if *fsp == 0 { CellReader::OldTimestamp } else { CellReader::HiresTimestamp { fsp: *fsp } })
        }
        _ => None,
    }
}

fn text_or_bytes(log_type: LogType, data_type: &DataType) -> Option<CellReader> {
    let width = |chars: u32, charset: Charset| chars.checked_mul(charset.max_len());
    match (log_type, data_type) {
        (LogType::Fixed { bytes }, DataType::Char { chars, charset, .. }) => (width(*chars, *charset)
            == Some(u32::from(bytes)))
        .then_some(CellReader::Sized { prefix: prefix_of(bytes) }),
        (LogType::Fixed { bytes }, DataType::Binary { bytes: known }) => (*known == u32::from(bytes))
            .then_some(CellReader::Padded { prefix: prefix_of(bytes), width: bytes }),
        (LogType::VarChar { bytes, compressed }, DataType::VarChar { chars, charset, .. }) => {
            varchar(bytes, compressed, width(*chars, *charset)?)
        }
        (LogType::VarChar { bytes, compressed }, DataType::VarBinary { bytes: known }) => {
            varchar(bytes, compressed, *known)
        }
        (LogType::Blob { prefix, compressed }, DataType::Text { size, .. } | DataType::Blob { size }) => {
            (prefix == prefix_of_size(*size)).then_some(sized(prefix, compressed))
        }
        _ => None,
    }
}

/// A compressed column has one byte more in the log, for the method.
fn varchar(bytes: u16, compressed: bool, known: u32) -> Option<CellReader> {
    let fits = u32::from(bytes) == known + u32::from(compressed);
    fits.then_some(sized(prefix_of(bytes), compressed))
}

fn sized(prefix: u8, compressed: bool) -> CellReader {
    if compressed { CellReader::Compressed { prefix } } else { CellReader::Sized { prefix } }
}

/// Bytes of the length of a value of at most `bytes` bytes.
fn prefix_of(bytes: u16) -> u8 {
    if bytes < 256 { 1 } else { 2 }
}

fn prefix_of_size(size: TextSize) -> u8 {
    match size {
        TextSize::Tiny => 1,
        TextSize::Regular => 2,
        TextSize::Medium => 3,
        TextSize::Long => 4,
    }
}

/// Members as the log lists them must be the schema's, as far as they can be converted.
fn members_agree(log: &LogColumn, members: &[String], charset: Charset) -> bool {
    let Some(in_log) = &log.members else { return true };
    in_log.len() == members.len()
        && in_log.iter().zip(members).all(|(theirs, ours)| {
            // Old servers write them in UTF-8 whatever the column's charset.
            theirs == ours.as_bytes() || charset.to_utf8(theirs).is_ok_and(|text| *text == *ours.as_bytes())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(log_type: LogType) -> LogColumn {
        LogColumn {
            log_type,
            nullable: true,
            unsigned: None,
            collation: None,
            name: None,
            members: None,
            geometry: None,
            visible: None,
            dimensions: None,
        }
    }

    fn varchar_of(chars: u32, charset: Charset) -> DataType {
        DataType::VarChar { chars, charset, collation: String::new() }
    }

    #[test]
    fn lengths_are_bytes_in_the_log_and_characters_in_the_schema() {
        let column = |bytes| log(LogType::VarChar { bytes, compressed: false });
        assert_eq!(
            reader_for(&column(400), &varchar_of(100, Charset::Utf8mb4)),
            Some(CellReader::Sized { prefix: 2 })
        );
        assert_eq!(
            reader_for(&column(100), &varchar_of(100, Charset::Latin1)),
            Some(CellReader::Sized { prefix: 1 })
        );
        assert_eq!(reader_for(&column(300), &varchar_of(100, Charset::Utf8mb4)), None);
    }

    #[test]
    fn a_type_that_differs_is_refused() {
        let int = |bytes, unsigned| DataType::Int { bytes, unsigned, zerofill: None };
        assert_eq!(reader_for(&log(LogType::Long), &int(4, true)), Some(CellReader::UInt32));
        assert_eq!(reader_for(&log(LogType::Long), &int(8, false)), None);
        let decimal = DataType::Decimal { precision: 10, scale: 2, unsigned: false };
        assert_eq!(reader_for(&log(LogType::Decimal { precision: 10, scale: 3 }), &decimal), None);
        assert_eq!(reader_for(&log(LogType::DateTime { fsp: 3 }), &DataType::DateTime { fsp: 6 }), None);
        assert_eq!(
            reader_for(&log(LogType::OldDateTime), &DataType::DateTime { fsp: 6 }),
            Some(CellReader::HiresDateTime { fsp: 6 })
        );
        let unsigned = LogColumn { unsigned: Some(true), ..log(LogType::Long) };
        assert!(!signs_agree(&unsigned, &int(4, false)) && signs_agree(&unsigned, &int(4, true)));
    }

    #[test]
    fn enum_members_must_be_the_same() {
        let members = |list: &[&str]| list.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>();
        let column =
            LogColumn { members: Some(vec![b"caf\xe9".to_vec()]), ..log(LogType::Enum { bytes: 1 }) };
        let data_type = |list: &[&str]| DataType::Enum {
            members: members(list),
            charset: Charset::Latin1,
            collation: String::new(),
        };
        assert!(reader_for(&column, &data_type(&["café"])).is_some());
        assert!(reader_for(&column, &data_type(&["cafe"])).is_none());
        assert!(reader_for(&column, &data_type(&["café", "x"])).is_none());
    }
}
