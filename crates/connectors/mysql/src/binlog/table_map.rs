//! TABLE_MAP: the table that the row events after it are about.
//!
//! ```text
//! 6 table number (4 where the post-header has 6 bytes)   2 flags
//! 1 length, schema, NUL   1 length, table, NUL   v columns   column types
//! v length, type metadata (below)   bitmap of columns that can be NULL
//! { 1 field   v length   value }     optional metadata: MySQL 8.0.1, MariaDB 10.5
//! ```
//! `v` is a length-encoded integer. Metadata by type: none, one byte (length of a length, digits of a fraction),
//! or two, whose order depends on the type (see `read_type`).

use std::fmt;

use super::bytes::{Bits, Bytes, Truncated, bitmap_len};
use super::error::EventError;

/// A column's type as the log has it, which is less than the server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogType {
    Tiny,
    Short,
    Int24,
    Long,
    LongLong,
    Float,
    Double,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Year,
    Date,
    /// To 5.5, and MariaDB's of 5.3 with a fraction that the log doesn't tell.
    OldTime,
    OldDateTime,
    OldTimestamp,
    Time {
        fsp: u8,
    },
    DateTime {
        fsp: u8,
    },
    Timestamp {
        fsp: u8,
    },
    Bit {
        bits: u16,
    },
    VarChar {
        bytes: u16,
        compressed: bool,
    },
    /// CHAR, BINARY, and MariaDB's UUID and INET types.
    Fixed {
        bytes: u16,
    },
    Enum {
        bytes: u8,
    },
    Set {
        bytes: u8,
    },
    /// `prefix` is the bytes of a value's length.
    Blob {
        prefix: u8,
        compressed: bool,
    },
    Json {
        prefix: u8,
    },
    Geometry {
        prefix: u8,
    },
    Vector {
        prefix: u8,
    },
}

impl fmt::Display for LogType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tiny => f.write_str("TINYINT"),
            Self::Short => f.write_str("SMALLINT"),
            Self::Int24 => f.write_str("MEDIUMINT"),
            Self::Long => f.write_str("INT"),
            Self::LongLong => f.write_str("BIGINT"),
            Self::Float => f.write_str("FLOAT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Decimal { precision, scale } => write!(f, "DECIMAL({precision},{scale})"),
            Self::Year => f.write_str("YEAR"),
            Self::Date => f.write_str("DATE"),
            Self::OldTime => f.write_str("TIME (old form)"),
            Self::OldDateTime => f.write_str("DATETIME (old form)"),
            Self::OldTimestamp => f.write_str("TIMESTAMP (old form)"),
            Self::Time { fsp } => write!(f, "TIME({fsp})"),
            Self::DateTime { fsp } => write!(f, "DATETIME({fsp})"),
            Self::Timestamp { fsp } => write!(f, "TIMESTAMP({fsp})"),
            Self::Bit { bits } => write!(f, "BIT({bits})"),
            Self::VarChar { bytes, .. } => write!(f, "VARCHAR of {bytes} bytes"),
            Self::Fixed { bytes } => write!(f, "CHAR of {bytes} bytes"),
            Self::Enum { bytes } => write!(f, "ENUM of {bytes} bytes"),
            Self::Set { bytes } => write!(f, "SET of {bytes} bytes"),
            Self::Blob { prefix, .. } => write!(f, "BLOB with {prefix} length bytes"),
            Self::Json { .. } => f.write_str("JSON"),
            Self::Geometry { .. } => f.write_str("GEOMETRY"),
            Self::Vector { .. } => f.write_str("VECTOR"),
        }
    }
}

impl LogType {
    fn is_numeric(self) -> bool {
        use LogType::{Decimal, Double, Float, Int24, Long, LongLong, Short, Tiny, Year};
        matches!(self, Tiny | Short | Int24 | Long | LongLong | Float | Double | Decimal { .. } | Year)
    }

    /// Types that MySQL's lists of collations count; a vector is a kind of BLOB there.
    fn has_collation_in_mysql(self) -> bool {
        matches!(self, Self::VarChar { .. } | Self::Fixed { .. } | Self::Blob { .. } | Self::Vector { .. })
    }

    /// As [`Self::has_collation_in_mysql`] in MariaDB, where geometry is a kind of BLOB.
    fn has_collation_in_mariadb(self) -> bool {
        self.has_collation_in_mysql() || matches!(self, Self::Geometry { .. })
    }

    fn is_enum_or_set(self) -> bool {
        matches!(self, Self::Enum { .. } | Self::Set { .. })
    }
}

/// A TABLE_MAP event, not taken apart: bytes that were seen before need not be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableMapEvent<'a> {
    /// Given anew when the server starts or opens the table again; the dummy number 0xffffff closes tables.
    pub table_id: u64,
    /// All behind the table number, which says everything about the table.
    pub body: &'a [u8],
}

/// A table as the log describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableMap {
    pub schema: String,
    pub table: String,
    pub columns: Vec<LogColumn>,
    /// Columns of the primary key in its order, with prefix lengths (0: whole), where the log has it.
    pub primary_key: Option<Vec<(usize, u32)>>,
}

/// A column as the log describes it. What is `None` is in the log only with `binlog_row_metadata=FULL`, or
/// (signedness, charset, geometry) from MySQL 8.0.1 and MariaDB 10.5 on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogColumn {
    pub log_type: LogType,
    pub nullable: bool,
    pub unsigned: Option<bool>,
    /// Number of the collation.
    pub collation: Option<u32>,
    pub name: Option<String>,
    /// Members of ENUM and SET, in the column's charset.
    pub members: Option<Vec<Vec<u8>>>,
    pub geometry: Option<u32>,
    pub visible: Option<bool>,
    pub dimensions: Option<u32>,
}

impl<'a> TableMapEvent<'a> {
    pub(crate) fn read(body: &mut Bytes<'a>, post_header_len: usize) -> Result<Self, Truncated> {
        let table_id = read_table_id(body, post_header_len)?;
        Ok(Self { table_id, body: body.rest() })
    }

    /// Schema and table, without taking the rest apart.
    ///
    /// # Errors
    /// Bytes that end too early.
    pub fn names(&self) -> Result<(&'a [u8], &'a [u8]), Truncated> {
        let mut body = Bytes::new(self.body);
        body.u16("table flags")?;
        Ok((name(&mut body)?, name(&mut body)?))
    }

    /// Takes the event apart.
    ///
    /// # Errors
    /// Damaged bytes, types that no row event of a supported server has.
    pub fn read_table(&self, mariadb: bool) -> Result<TableMap, EventError> {
        let mut body = Bytes::new(self.body);
        body.u16("table flags")?;
        let schema = String::from_utf8_lossy(name(&mut body)?).into_owned();
        let table = String::from_utf8_lossy(name(&mut body)?).into_owned();
        let count = body.lenenc_len("column count")?;
        let types = body.take(count, "column types")?;
        let mut metadata = Bytes::new(body.lenenc_bytes("column metadata")?);
        let nullable = Bits(body.take(bitmap_len(count), "nullable columns")?);
        let mut columns = Vec::with_capacity(count);
        for (index, code) in types.iter().enumerate() {
            let log_type = read_type(*code, &mut metadata)?;
            columns.push(LogColumn {
                log_type,
                nullable: nullable.get(index),
                unsigned: None,
                collation: None,
                name: None,
                members: None,
                geometry: None,
                visible: None,
                dimensions: None,
            });
        }
        if !metadata.is_empty() {
            return Err(EventError::Invalid("column metadata is longer than its columns need"));
        }
        let mut map = TableMap { schema, table, columns, primary_key: None };
        map.read_optional(body, mariadb)?;
        Ok(map)
    }
}

pub(crate) fn read_table_id(body: &mut Bytes<'_>, post_header_len: usize) -> Result<u64, Truncated> {
    body.little(if post_header_len == 6 { 4 } else { 6 }, "table number")
}

fn name<'a>(body: &mut Bytes<'a>) -> Result<&'a [u8], Truncated> {
    let len = usize::from(body.u8("table name")?);
    let name = body.take(len, "table name")?;
    body.u8("table name")?;
    Ok(name)
}

fn read_type(code: u8, metadata: &mut Bytes<'_>) -> Result<LogType, EventError> {
    const WHAT: &str = "column metadata";
    let fsp = |metadata: &mut Bytes<'_>| {
        let fsp = metadata.u8(WHAT)?;
        if fsp > 6 { Err(EventError::Invalid("fraction of more than six digits")) } else { Ok(fsp) }
    };
    let prefix = |metadata: &mut Bytes<'_>| {
        let prefix = metadata.u8(WHAT)?;
        if (1..=4).contains(&prefix) { Ok(prefix) } else { Err(EventError::Invalid("length of a length")) }
    };
    Ok(match code {
        1 => LogType::Tiny,
        2 => LogType::Short,
        3 => LogType::Long,
        8 => LogType::LongLong,
        9 => LogType::Int24,
        4 | 5 => match (code, metadata.u8(WHAT)?) {
            (4, 4) => LogType::Float,
            (_, 8) => LogType::Double,
            _ => return Err(EventError::Invalid("size of a float")),
        },
        246 => LogType::Decimal { precision: metadata.u8(WHAT)?, scale: metadata.u8(WHAT)? },
        13 => LogType::Year,
        10 | 14 => LogType::Date,
        7 => LogType::OldTimestamp,
        11 => LogType::OldTime,
        12 => LogType::OldDateTime,
        17 => LogType::Timestamp { fsp: fsp(metadata)? },
        18 => LogType::DateTime { fsp: fsp(metadata)? },
        19 => LogType::Time { fsp: fsp(metadata)? },
        16 => {
            let (bits, bytes) = (metadata.u8(WHAT)?, metadata.u8(WHAT)?);
            let bits = u16::from(bits) + 8 * u16::from(bytes);
            if bits == 0 || bits > 64 {
                return Err(EventError::Invalid("bit column of no or too many bits"));
            }
            LogType::Bit { bits }
        }
        15 | 141 => LogType::VarChar { bytes: metadata.u16(WHAT)?, compressed: code == 141 },
        247 | 248 | 253 | 254 => read_string_type(metadata.u8(WHAT)?, metadata.u8(WHAT)?)?,
        249..=252 | 140 => LogType::Blob { prefix: prefix(metadata)?, compressed: code == 140 },
        245 => LogType::Json { prefix: prefix(metadata)? },
        255 => LogType::Geometry { prefix: prefix(metadata)? },
        242 => LogType::Vector { prefix: prefix(metadata)? },
        _ => return Err(EventError::Invalid("column of an unknown type")),
    })
}

/// The first byte is the real type; two bits of it, inverted, are the high bits of a length above 255.
fn read_string_type(first: u8, second: u8) -> Result<LogType, EventError> {
    let bytes = u16::from(second) | u16::from(first & 0x30 ^ 0x30) << 4;
    Ok(match first | 0x30 {
        254 | 253 => LogType::Fixed { bytes },
        247 if matches!(bytes, 1 | 2) => LogType::Enum { bytes: second },
        248 if (1..=8).contains(&bytes) => LogType::Set { bytes: second },
        _ => return Err(EventError::Invalid("string column of an unknown type")),
    })
}

impl TableMap {
    fn read_optional(&mut self, mut body: Bytes<'_>, mariadb: bool) -> Result<(), EventError> {
        let is_text =
            if mariadb { LogType::has_collation_in_mariadb } else { LogType::has_collation_in_mysql };
        while !body.is_empty() {
            let field = body.u8("table metadata")?;
            let mut value = Bytes::new(body.lenenc_bytes("table metadata")?);
            match field {
                1 => {
                    let bits = HighBits(value.rest());
                    self.each(LogType::is_numeric, |index, column| {
                        column.unsigned = Some(bits.get(index)?);
                        Ok(())
                    })?;
                }
                2 => self.default_collations(&mut value, is_text)?,
                3 => self.each(is_text, |_, column| {
                    column.collation = Some(number(&mut value)?);
                    Ok(())
                })?,
                4 => self.each(
                    |_| true,
                    |_, column| {
                        let name = value.lenenc_bytes("column name")?;
                        column.name = Some(String::from_utf8_lossy(name).into_owned());
                        Ok(())
                    },
                )?,
                5 => self.members(&mut value, |kind| matches!(kind, LogType::Set { .. }))?,
                6 => self.members(&mut value, |kind| matches!(kind, LogType::Enum { .. }))?,
                7 => self.each(
                    |kind| matches!(kind, LogType::Geometry { .. }),
                    |_, column| {
                        column.geometry = Some(number(&mut value)?);
                        Ok(())
                    },
                )?,
                8 | 9 => self.primary_key = Some(primary_key(&mut value, field == 9, self.columns.len())?),
                10 => self.default_collations(&mut value, LogType::is_enum_or_set)?,
                11 => self.each(LogType::is_enum_or_set, |_, column| {
                    column.collation = Some(number(&mut value)?);
                    Ok(())
                })?,
                12 => {
                    let bits = HighBits(value.rest());
                    self.each(
                        |_| true,
                        |index, column| {
                            column.visible = Some(bits.get(index)?);
                            Ok(())
                        },
                    )?;
                }
                13 => self.each(
                    |kind| matches!(kind, LogType::Vector { .. }),
                    |_, column| {
                        column.dimensions = Some(number(&mut value)?);
                        Ok(())
                    },
                )?,
                // Later servers may describe more; nothing that is needed to read rows is here.
                _ => {}
            }
        }
        Ok(())
    }

    /// Calls `set` for each column of a kind, with its number among them.
    fn each(
        &mut self,
        of_kind: impl Fn(LogType) -> bool,
        mut set: impl FnMut(usize, &mut LogColumn) -> Result<(), Truncated>,
    ) -> Result<(), Truncated> {
        let columns = self.columns.iter_mut().filter(|column| of_kind(column.log_type));
        columns.enumerate().try_for_each(|(index, column)| set(index, column))
    }

    /// One collation for all columns of a kind, then pairs of a column's number among them and its own.
    fn default_collations(
        &mut self,
        value: &mut Bytes<'_>,
        of_kind: fn(LogType) -> bool,
    ) -> Result<(), Truncated> {
        let default = number(value)?;
        let mut own = Vec::new();
        while !value.is_empty() {
            own.push((number(value)? as usize, number(value)?));
        }
        self.each(of_kind, |index, column| {
            let exception = own.iter().find(|(number, _)| *number == index);
            column.collation = Some(exception.map_or(default, |(_, collation)| *collation));
            Ok(())
        })
    }

    fn members(&mut self, value: &mut Bytes<'_>, of_kind: fn(LogType) -> bool) -> Result<(), Truncated> {
        self.each(of_kind, |_, column| {
            let count = value.lenenc_len("enum members")?;
            let members = (0..count).map(|_| value.lenenc_bytes("enum members").map(<[u8]>::to_vec));
            column.members = Some(members.collect::<Result<_, _>>()?);
            Ok(())
        })
    }
}

fn number(value: &mut Bytes<'_>) -> Result<u32, Truncated> {
    u32::try_from(value.lenenc("table metadata")?).map_err(|_| Truncated("table metadata"))
}

fn primary_key(
    value: &mut Bytes<'_>,
    prefixes: bool,
    columns: usize,
) -> Result<Vec<(usize, u32)>, EventError> {
    let mut key = Vec::new();
    while !value.is_empty() {
        let column = number(value)? as usize;
        let prefix = if prefixes { number(value)? } else { 0 };
        if column >= columns {
            return Err(EventError::Invalid("primary key names a column that isn't there"));
        }
        key.push((column, prefix));
    }
    Ok(key)
}

/// A bitmap whose first bit is the most significant one.
struct HighBits<'a>(&'a [u8]);

impl HighBits<'_> {
    fn get(&self, bit: usize) -> Result<bool, Truncated> {
        let byte = self.0.get(bit / 8).ok_or(Truncated("table metadata"))?;
        Ok(byte << (bit % 8) & 0x80 != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `d.t (a INT UNSIGNED, b VARCHAR(10), c CHAR(255) utf8mb4, e ENUM)` with full metadata.
    fn event() -> Vec<u8> {
        let mut body =
            vec![1, 0, 1, b'd', 0, 1, b't', 0, 4, 3, 15, 254, 254, 6, 40, 0, 0xce, 0xfc, 247, 1, 0b0110];
        body.extend_from_slice(&[1, 1, 0x80]);
        body.extend_from_slice(&[2, 3, 45, 1, 63]);
        body.extend_from_slice(&[4, 8, 1, b'a', 1, b'b', 1, b'c', 1, b'e']);
        body.extend_from_slice(&[6, 5, 2, 1, b'x', 1, b'y']);
        body.extend_from_slice(&[8, 1, 0]);
        body.extend_from_slice(&[99, 1, 0]);
        body
    }

    #[test]
    fn a_table_with_full_metadata() {
        let body = event();
        let map = TableMapEvent { table_id: 1, body: &body }.read_table(false).unwrap();
        assert_eq!((map.schema.as_str(), map.table.as_str()), ("d", "t"));
        assert_eq!(map.primary_key, Some(vec![(0, 0)]));
        let [a, b, c, e] = map.columns.as_slice() else { panic!("four columns") };
        assert_eq!((a.log_type, a.unsigned, a.nullable), (LogType::Long, Some(true), false));
        assert_eq!((b.log_type, b.collation), (LogType::VarChar { bytes: 40, compressed: false }, Some(45)));
        assert_eq!((c.log_type, c.collation), (LogType::Fixed { bytes: 1020 }, Some(63)));
        assert_eq!(e.members, Some(vec![b"x".to_vec(), b"y".to_vec()]));
        assert_eq!((b.nullable, c.nullable, e.nullable), (true, true, false));
        assert_eq!(e.name.as_deref(), Some("e"));
    }

    #[test]
    fn no_cut_of_it_panics_and_most_are_errors() {
        let body = event();
        for end in 0..body.len() {
            let read = TableMapEvent { table_id: 1, body: body.get(..end).unwrap() }.read_table(false);
            // Between two fields of optional metadata the event may end.
            assert!(read.is_err() || end >= 21, "{end}");
        }
    }

    #[test]
    fn lengths_above_255_are_in_the_inverted_bits() {
        assert_eq!(read_string_type(0xfe, 200).unwrap(), LogType::Fixed { bytes: 200 });
        assert_eq!(read_string_type(0xee, 0).unwrap(), LogType::Fixed { bytes: 256 });
        assert_eq!(read_string_type(0xce, 0xfc).unwrap(), LogType::Fixed { bytes: 1020 });
        assert!(read_string_type(247, 3).is_err());
        assert!(read_string_type(3, 3).is_err());
    }
}
