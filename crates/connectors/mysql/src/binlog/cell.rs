//! One value of a row image, from the packet into a batch.

use whimbrel_model::RowBatch;

use super::bytes::Bytes;
use super::compression::unpack_column;
use super::decimal::DecimalLayout;
use super::error::CellError;
use super::json_diff::write_changed;
use super::{jsonb, temporal};

/// How the values of a column are read. Decided once for a table's version and its form in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CellReader {
    Int8,
    UInt8,
    Int16,
    UInt16,
    Int24,
    UInt24,
    Int32,
    UInt32,
    Int64,
    UInt64,
    Float,
    Double,
    Decimal(DecimalLayout),
    Year,
    Date,
    OldTime,
    OldDateTime,
    OldTimestamp,
    HiresTime {
        fsp: u8,
    },
    HiresDateTime {
        fsp: u8,
    },
    HiresTimestamp {
        fsp: u8,
    },
    Time {
        fsp: u8,
    },
    DateTime {
        fsp: u8,
    },
    Timestamp {
        fsp: u8,
    },
    /// BIT: big endian.
    Bit {
        bytes: u8,
    },
    /// ENUM and SET: little endian.
    Number {
        bytes: u8,
    },
    /// Text and bytes behind a length of `prefix` bytes.
    Sized {
        prefix: u8,
    },
    /// As `Sized`, with the zero bytes at the end that the log leaves out.
    Padded {
        prefix: u8,
        width: u16,
    },
    Json {
        prefix: u8,
    },
    /// A column that MariaDB compressed.
    Compressed {
        prefix: u8,
    },
}

/// Limits for what one value may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CellLimits {
    /// Bytes of an unpacked compressed column.
    pub(crate) unpacked: u64,
}

impl CellReader {
    /// Reads one value that isn't NULL and pushes it.
    #[inline]
    pub(crate) fn read(
        self,
        input: &mut Bytes<'_>,
        out: &mut RowBatch,
        limits: CellLimits,
    ) -> Result<(), CellError> {
        const WHAT: &str = "value";
        match self {
            Self::Int32 => out.push_int(i64::from(input.u32(WHAT)? as i32)),
            Self::Sized { prefix } => out.push_bytes(sized(input, prefix)?),
            Self::Int64 => out.push_int(input.u64(WHAT)? as i64),
            Self::UInt32 => out.push_uint(u64::from(input.u32(WHAT)?)),
            Self::UInt64 => out.push_uint(input.u64(WHAT)?),
            Self::Int8 => out.push_int(i64::from(input.u8(WHAT)? as i8)),
            Self::UInt8 => out.push_uint(u64::from(input.u8(WHAT)?)),
            Self::Int16 => out.push_int(i64::from(input.u16(WHAT)? as i16)),
            Self::UInt16 => out.push_uint(u64::from(input.u16(WHAT)?)),
            Self::Int24 => {
                let [a, b, c] = input.array(WHAT)?;
                out.push_int(i64::from(i32::from_le_bytes([0, a, b, c]) >> 8));
            }
            Self::UInt24 => out.push_uint(u64::from(input.u24(WHAT)?)),
            Self::Float => out.push_float(f32::from_bits(input.u32(WHAT)?)),
            Self::Double => out.push_double(f64::from_bits(input.u64(WHAT)?)),
            Self::Decimal(layout) => out.push_with(|text| layout.write_text(input, text))?,
            Self::Bit { bytes } => out.push_uint(input.big(usize::from(bytes), WHAT)?),
            Self::Number { bytes } => out.push_uint(input.little(usize::from(bytes), WHAT)?),
            Self::Json { prefix } => {
                let binary = sized(input, prefix)?;
                out.push_with(|text| jsonb::write_text(binary, text))?;
            }
            Self::Compressed { prefix } => {
                let packed = sized(input, prefix)?;
                out.push_with(|value| unpack_column(packed, limits.unpacked, value))?;
            }
            Self::Padded { prefix, width } => push_padded(sized(input, prefix)?, usize::from(width), out)?,
            temporal => temporal.read_temporal(input, out)?,
        }
        Ok(())
    }

    fn read_temporal(self, input: &mut Bytes<'_>, out: &mut RowBatch) -> Result<(), CellError> {
        const WHAT: &str = "date or time";
        match self {
            Self::Date => out.push_date(temporal::date(input.u24(WHAT)?)?),
            Self::Time { fsp } => out.push_time(temporal::time2(input, fsp)?),
            Self::DateTime { fsp } => out.push_datetime(temporal::datetime2(input, fsp)?),
            Self::Timestamp { fsp } => out.push_datetime(temporal::timestamp2(input, fsp)?),
            Self::OldTime => out.push_time(temporal::old_time(input.array(WHAT)?)?),
            Self::OldDateTime => out.push_datetime(temporal::old_datetime(input.u64(WHAT)?)?),
            Self::OldTimestamp => out.push_datetime(temporal::timestamp(input.u32(WHAT)?, 0)?),
            Self::HiresTime { fsp } => out.push_time(temporal::hires_time(input, fsp)?),
            Self::HiresDateTime { fsp } => out.push_datetime(temporal::hires_datetime(input, fsp)?),
            Self::HiresTimestamp { fsp } => out.push_datetime(temporal::hires_timestamp(input, fsp)?),
            // 0 is the year 0000, not 1900.
            _ => out.push_uint(match input.u8("year")? {
                0 => 0,
                year => 1900 + u64::from(year),
            }),
        }
        Ok(())
    }

    /// True for columns whose changes PARTIAL_UPDATE_ROWS may hold.
    pub(crate) fn is_json(self) -> bool {
        matches!(self, Self::Json { .. })
    }

    /// The bytes of a JSON value, without reading it.
    pub(crate) fn peek_json<'a>(self, input: Bytes<'a>) -> Result<&'a [u8], CellError> {
        let mut input = input;
        match self {
            Self::Json { prefix } => sized(&mut input, prefix),
            _ => Err(CellError::Invalid("partial update of a column that isn't JSON")),
        }
    }

    /// Reads changes of a JSON value and pushes the value after them.
    pub(crate) fn read_json_changes(
        self,
        before: Option<&[u8]>,
        input: &mut Bytes<'_>,
        out: &mut RowBatch,
    ) -> Result<(), CellError> {
        let changes = self.peek_json(*input)?;
        if let Self::Json { prefix } = self {
            input.take(usize::from(prefix) + changes.len(), "JSON change")?;
        }
        let before = before.ok_or(CellError::Invalid(
            "the log has changes of a JSON value without the value before (binlog_row_image is not FULL)",
        ))?;
        out.push_with(|text| write_changed(before, changes, text))
    }
}

#[inline]
fn sized<'a>(input: &mut Bytes<'a>, prefix: u8) -> Result<&'a [u8], CellError> {
    let len = match prefix {
        1 => usize::from(input.u8("length of a value")?),
        2 => usize::from(input.u16("length of a value")?),
        _ => input.little(usize::from(prefix), "length of a value")? as usize,
    };
    Ok(input.take(len, "value")?)
}

fn push_padded(bytes: &[u8], width: usize, out: &mut RowBatch) -> Result<(), CellError> {
    let missing =
        width.checked_sub(bytes.len()).ok_or(CellError::Invalid("value is longer than its column"))?;
    out.push_with(|cell| {
        cell.extend_from_slice(bytes);
        cell.resize(cell.len() + missing, 0);
        Ok(())
    })
}
