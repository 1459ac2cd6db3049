//! Dates and times in the forms in which they have been packed since MySQL 4.1 and MariaDB 5.3.
//!
//! | type | bytes |
//! |---|---|
//! | DATE | 3, little endian: `year << 9 \| month << 5 \| day` |
//! | TIME to 5.5 | 3, little endian, signed: the decimal digits `hhmmss` |
//! | DATETIME to 5.5 | 8, little endian: the decimal digits `YYYYMMDDhhmmss` |
//! | TIMESTAMP to 5.5 | 4, little endian: Unix time, 0 is the zero date |
//! | the three of MariaDB 5.3 with a fraction | big endian: seconds and the fraction after them (TIMESTAMP); mixed radix numbers |
//! | TIME2, DATETIME2, TIMESTAMP2 (5.6) | big endian: 3, 5, 4 bytes, then 0 to 3 of the fraction |

use whimbrel_model::{Date, DateTime, Time};

use super::bytes::Bytes;
use super::error::CellError;

const OUT_OF_RANGE: CellError = CellError::Invalid("date or time is out of range");

pub(crate) fn date(bits: u32) -> Result<Date, CellError> {
    Date::from_bits(bits).ok_or(OUT_OF_RANGE)
}

/// TIME in 3 bytes.
pub(crate) fn old_time(bytes: [u8; 3]) -> Result<Time, CellError> {
    let [a, b, c] = bytes;
    // Shifted to the top and back, for the sign.
    let digits = i64::from(i32::from_le_bytes([0, a, b, c]) >> 8);
    let magnitude = digits.abs();
    let seconds = magnitude / 10_000 * 3600 + magnitude / 100 % 100 * 60 + magnitude % 100;
    Time::from_micros(digits.signum() * seconds * 1_000_000).ok_or(OUT_OF_RANGE)
}

/// DATETIME in 8 bytes.
pub(crate) fn old_datetime(digits: u64) -> Result<DateTime, CellError> {
    let (date, time) = (digits / 1_000_000, digits % 1_000_000);
    let day = Date::new(
        u16::try_from(date / 10_000).map_err(|_| OUT_OF_RANGE)?,
        (date / 100 % 100) as u8,
        (date % 100) as u8,
    );
    let (hour, minute, second) = (time / 10_000, time / 100 % 100, time % 100);
    day.and_then(|day| DateTime::new(day, hour as u8, minute as u8, second as u8, 0)).ok_or(OUT_OF_RANGE)
}

/// A Unix time with microseconds; zero is the zero date.
pub(crate) fn timestamp(seconds: u32, micros: u32) -> Result<DateTime, CellError> {
    if seconds == 0 && micros == 0 {
        return Ok(DateTime::ZERO);
    }
    DateTime::from_unix(u64::from(seconds), micros).ok_or(OUT_OF_RANGE)
}

/// Bytes of a fraction of `fsp` digits in the types of 5.6.
pub(crate) fn fraction_len(fsp: u8) -> usize {
    usize::from(fsp.div_ceil(2))
}

/// Reads the fraction of a value of 5.6, as microseconds.
fn fraction(input: &mut Bytes<'_>, fsp: u8) -> Result<u32, CellError> {
    let value = input.big(fraction_len(fsp), "fraction of a second")? as u32;
    Ok(value * fraction_unit(fsp))
}

fn fraction_unit(fsp: u8) -> u32 {
    match fsp {
        0 => 0,
        1 | 2 => 10_000,
        3 | 4 => 100,
        _ => 1,
    }
}

/// TIMESTAMP2.
pub(crate) fn timestamp2(input: &mut Bytes<'_>, fsp: u8) -> Result<DateTime, CellError> {
    let seconds = input.big(4, "timestamp")? as u32;
    timestamp(seconds, fraction(input, fsp)?)
}

/// DATETIME2.
pub(crate) fn datetime2(input: &mut Bytes<'_>, fsp: u8) -> Result<DateTime, CellError> {
    let packed = input.big(5, "datetime")?;
    let micros = fraction(input, fsp)?;
    let whole = packed.checked_sub(0x80_0000_0000).ok_or(OUT_OF_RANGE)?;
    datetime_of(whole, micros)
}

/// The whole seconds of a packed DATETIME: `(year * 13 + month) << 22 | day << 17 | hour << 12 | minute << 6 | second`.
pub(crate) fn datetime_of(whole: u64, micros: u32) -> Result<DateTime, CellError> {
    let (day_part, time) = (whole >> 17, whole & 0x1_ffff);
    let (months, day) = (day_part >> 5, (day_part & 31) as u8);
    let year = u16::try_from(months / 13).map_err(|_| OUT_OF_RANGE)?;
    let (hour, minute, second) = ((time >> 12) as u8, (time >> 6 & 63) as u8, (time & 63) as u8);
    Date::new(year, (months % 13) as u8, day)
        .and_then(|date| DateTime::new(date, hour, minute, second, micros))
        .ok_or(OUT_OF_RANGE)
}

/// TIME2: one number with the fraction in its low bytes, offset so that order is byte order.
pub(crate) fn time2(input: &mut Bytes<'_>, fsp: u8) -> Result<Time, CellError> {
    let extra = fraction_len(fsp);
    let packed = input.big(3 + extra, "time")? as i64;
    let fraction_bits = 8 * extra as u32;
    let value = packed - (0x80_0000_i64 << fraction_bits);
    let magnitude = value.unsigned_abs();
    let (whole, rest) = (magnitude >> fraction_bits, magnitude & ((1 << fraction_bits) - 1));
    let micros = rest as u32 * fraction_unit(fsp);
    time_of(whole, micros, value < 0)
}

/// The whole seconds of a packed TIME: `hour << 12 | minute << 6 | second`.
pub(crate) fn time_of(whole: u64, micros: u32, negative: bool) -> Result<Time, CellError> {
    let seconds = (whole >> 12) * 3600 + (whole >> 6 & 63) * 60 + (whole & 63);
    let micros =
        i64::try_from(seconds).ok().and_then(|s| s.checked_mul(1_000_000)).map(|s| s + i64::from(micros));
    micros.and_then(|micros| Time::from_micros(if negative { -micros } else { micros })).ok_or(OUT_OF_RANGE)
}

/// MariaDB's forms of 5.3 with `fsp` 1 to 6 digits: their bytes beyond those of TIMESTAMP are these.
const HIRES_TIMESTAMP: [u8; 7] = [0, 1, 1, 2, 2, 3, 3];
const HIRES_DATETIME: [u8; 7] = [5, 6, 6, 7, 7, 7, 8];
const HIRES_TIME: [u8; 7] = [3, 4, 4, 5, 5, 5, 6];

fn hires_len(table: [u8; 7], fsp: u8) -> usize {
    table.get(usize::from(fsp)).copied().map_or(0, usize::from)
}

/// 10 to the number of digits that are not stored.
fn hires_unit(fsp: u8) -> u64 {
    10u64.pow(u32::from(6 - fsp.min(6)))
}

pub(crate) fn hires_timestamp(input: &mut Bytes<'_>, fsp: u8) -> Result<DateTime, CellError> {
    let seconds = input.big(4, "timestamp")? as u32;
    let digits = input.big(hires_len(HIRES_TIMESTAMP, fsp), "timestamp")?;
    let micros = u32::try_from(digits * hires_unit(fsp)).map_err(|_| OUT_OF_RANGE)?;
    timestamp(seconds, micros)
}

pub(crate) fn hires_datetime(input: &mut Bytes<'_>, fsp: u8) -> Result<DateTime, CellError> {
    let packed = input.big(hires_len(HIRES_DATETIME, fsp), "datetime")?;
    let mut rest = packed.checked_mul(hires_unit(fsp)).ok_or(OUT_OF_RANGE)?;
    let mut next = |radix: u64| {
        let digit = rest % radix;
        rest /= radix;
        digit as u32
    };
    let (micros, second, minute, hour) = (next(1_000_000), next(60), next(60), next(24));
    let (day, month) = (next(32), next(13));
    let year = u16::try_from(rest).map_err(|_| OUT_OF_RANGE)?;
    Date::new(year, month as u8, day as u8)
        .and_then(|date| DateTime::new(date, hour as u8, minute as u8, second as u8, micros))
        .ok_or(OUT_OF_RANGE)
}

pub(crate) fn hires_time(input: &mut Bytes<'_>, fsp: u8) -> Result<Time, CellError> {
    /// One second more than the largest TIME: what zero is stored as.
    const ZERO_SECONDS: i64 = 838 * 3600 + 59 * 60 + 60;
    let packed = input.big(hires_len(HIRES_TIME, fsp), "time")? as i64;
    let unit = hires_unit(fsp) as i64;
    let micros = packed.checked_mul(unit).map(|micros| micros - ZERO_SECONDS * 1_000_000);
    micros.and_then(Time::from_micros).ok_or(OUT_OF_RANGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_forms_are_decimal_digits() {
        assert_eq!(
            old_time((-8_385_959i32).to_le_bytes()[..3].try_into().unwrap()).unwrap().to_string(),
            "-838:59:59.000000"
        );
        assert_eq!(old_datetime(20_240_229_235_958).unwrap().to_string(), "2024-02-29 23:59:58.000000");
        assert_eq!(old_datetime(0).unwrap(), DateTime::ZERO);
        assert!(old_datetime(u64::MAX).is_err());
        assert_eq!(date(2024 << 9 | 2 << 5 | 29).unwrap().to_string(), "2024-02-29");
        assert!(date(13 << 5).is_err());
    }

    #[test]
    fn negative_times_keep_their_fraction() {
        // The manual's examples for TIME(2): one hundredth and one second and one hundredth below zero.
        for (bytes, text) in
            [([0x7f, 0xff, 0xff, 0xff], "-00:00:00.010000"), ([0x7f, 0xff, 0xfe, 0xff], "-00:00:01.010000")]
        {
            assert_eq!(time2(&mut Bytes::new(&bytes), 2).unwrap().to_string(), text);
        }
        assert_eq!(time2(&mut Bytes::new(&[0x80, 0, 0]), 0).unwrap(), Time::ZERO);
        assert!(time2(&mut Bytes::new(&[0xff, 0xff, 0xff]), 0).is_err());
    }

    #[test]
    fn datetimes_carry_months_by_thirteen() {
        let whole = (2024 * 13 + 12) << 22 | 31 << 17 | 23 << 12 | 59 << 6 | 59u64;
        let mut bytes = (whole + 0x80_0000_0000).to_be_bytes()[3..].to_vec();
        bytes.extend_from_slice(&[0x0f, 0x42, 0x3f]);
        assert_eq!(datetime2(&mut Bytes::new(&bytes), 6).unwrap().to_string(), "2024-12-31 23:59:59.999999");
        assert!(datetime2(&mut Bytes::new(&[0; 5]), 0).is_err());
        assert_eq!(datetime2(&mut Bytes::new(&[0x80, 0, 0, 0, 0]), 0).unwrap(), DateTime::ZERO);
    }

    #[test]
    fn mariadb_53_forms_read() {
        assert_eq!(
            hires_timestamp(&mut Bytes::new(&[0, 0, 0, 1, 0x03, 0xe7]), 3).unwrap().to_string(),
            "1970-01-01 00:00:01.999000"
        );
        let packed = (((((2024u64 * 13 + 2) * 32 + 29) * 24 + 23) * 60 + 59) * 60 + 58) * 1_000_000 + 123_456;
        assert_eq!(
            hires_datetime(&mut Bytes::new(&packed.to_be_bytes()), 6).unwrap().to_string(),
            "2024-02-29 23:59:58.123456"
        );
        let zero = (838 * 3600 + 59 * 60 + 60) * 10u64;
        assert_eq!(
            hires_time(&mut Bytes::new(&(zero - 15).to_be_bytes()[4..]), 1).unwrap().to_string(),
            "-00:00:01.500000"
        );
    }
}
