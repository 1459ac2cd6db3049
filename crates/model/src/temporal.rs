//! Dates and times as MySQL means them: zero dates, invalid days such as `2021-02-30`, and times of
//! more than a day are values like any other, so no calendar library can hold them.
//!
//! Everything is packed into one integer whose order is the order of time, which is also how a batch
//! stores it.

use std::fmt;

/// A date. `0000-00-00` and partial dates (`2020-00-15`) are allowed, as MySQL allows them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(u32);

impl Date {
    /// `0000-00-00`.
    pub const ZERO: Self = Self(0);

    /// `year` 0..=9999, `month` 0..=12, `day` 0..=31; larger values are refused.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        (year <= 9999 && month <= 12 && day <= 31)
            .then_some(Self(u32::from(year) << 9 | u32::from(month) << 5 | u32::from(day)))
    }

    /// Packed form: `year << 9 | month << 5 | day`.
    pub fn to_bits(self) -> u32 {
        self.0
    }

    /// The inverse of [`Date::to_bits`]; `None` where the bits are no date.
    pub fn from_bits(bits: u32) -> Option<Self> {
        let date = Self(bits);
        Self::new((bits >> 9).try_into().ok()?, date.month(), date.day())
    }

    pub fn year(self) -> u16 {
        (self.0 >> 9) as u16
    }
    pub fn month(self) -> u8 {
        (self.0 >> 5 & 15) as u8
    }
    pub fn day(self) -> u8 {
        (self.0 & 31) as u8
    }

    /// Parses `YYYY-MM-DD`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else { return None };
        let year = digit(y1)? * 1000 + digit(y2)? * 100 + digit(y3)? * 10 + digit(y4)?;
        let month = digit(m1)? * 10 + digit(m2)?;
        let day = digit(d1)? * 10 + digit(d2)?;
        Self::new(year, month as u8, day as u8)
    }

    /// Appends `YYYY-MM-DD`.
    pub fn write(self, out: &mut Vec<u8>) {
        push_padded(out, u32::from(self.year()), 4);
        out.push(b'-');
        push_padded(out, u32::from(self.month()), 2);
        out.push(b'-');
        push_padded(out, u32::from(self.day()), 2);
    }
}

/// A date with a time of day to the microsecond, without a zone. A `TIMESTAMP` uses it for UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime(u64);

impl DateTime {
    /// `0000-00-00 00:00:00`.
    pub const ZERO: Self = Self(0);

    /// Fields out of range (`hour` 23, `minute` and `second` 59, `micro` 999999) are refused.
    pub fn new(date: Date, hour: u8, minute: u8, second: u8, micro: u32) -> Option<Self> {
        (hour <= 23 && minute <= 59 && second <= 59 && micro <= 999_999).then_some(Self(
            u64::from(date.0) << 37
                | u64::from(hour) << 32
                | u64::from(minute) << 26
                | u64::from(second) << 20
                | u64::from(micro),
        ))
    }

    /// Packed form: `date << 37 | hour << 32 | minute << 26 | second << 20 | microsecond`.
    pub fn to_bits(self) -> u64 {
        self.0
    }

    /// The inverse of [`DateTime::to_bits`]; `None` where the bits are no date and time.
    pub fn from_bits(bits: u64) -> Option<Self> {
        let date = Date::from_bits((bits >> 37).try_into().ok()?)?;
        let value = Self(bits);
        Self::new(date, value.hour(), value.minute(), value.second(), value.micro())
    }

    pub fn date(self) -> Date {
        Date((self.0 >> 37) as u32)
    }
    pub fn hour(self) -> u8 {
        (self.0 >> 32 & 31) as u8
    }
    pub fn minute(self) -> u8 {
        (self.0 >> 26 & 63) as u8
    }
    pub fn second(self) -> u8 {
        (self.0 >> 20 & 63) as u8
    }
    pub fn micro(self) -> u32 {
        (self.0 & 0xf_ffff) as u32
    }

    /// The UTC date and time of a Unix time, `seconds` since 1970-01-01, up to the year 9999.
    pub fn from_unix(seconds: u64, micro: u32) -> Option<Self> {
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        let date = civil_from_days(days)?;
        Self::new(date, (rest / 3600) as u8, (rest / 60 % 60) as u8, (rest % 60) as u8, micro)
    }

    /// Parses `YYYY-MM-DD hh:mm:ss` with an optional fraction of up to six digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let date = Date::parse(text.get(..10)?)?;
        let [sep, h1, h2, b':', m1, m2, b':', s1, s2, fraction @ ..] = text.get(10..)? else { return None };
        if !matches!(sep, b' ' | b'T') {
            return None;
        }
        let hour = digit(*h1)? * 10 + digit(*h2)?;
        let minute = digit(*m1)? * 10 + digit(*m2)?;
        let second = digit(*s1)? * 10 + digit(*s2)?;
        Self::new(date, hour as u8, minute as u8, second as u8, parse_fraction(fraction)?)
    }

    /// Appends `YYYY-MM-DD hh:mm:ss` and, where `fsp` is 1 to 6, that many digits of the fraction.
    pub fn write(self, out: &mut Vec<u8>, fsp: u8) {
        self.date().write(out);
        out.push(b' ');
        push_padded(out, u32::from(self.hour()), 2);
        out.push(b':');
        push_padded(out, u32::from(self.minute()), 2);
        out.push(b':');
        push_padded(out, u32::from(self.second()), 2);
        push_fraction(out, self.micro(), fsp);
    }
}

/// A span of time in microseconds, `-838:59:59.999999` to `838:59:59.999999`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// `00:00:00`.
    pub const ZERO: Self = Self(0);
    const MAX_MICROS: i64 = (838 * 3600 + 59 * 60 + 59) * 1_000_000 + 999_999;

    /// `None` where the span is beyond what MySQL holds.
    pub fn from_micros(micros: i64) -> Option<Self> {
        (-Self::MAX_MICROS..=Self::MAX_MICROS).contains(&micros).then_some(Self(micros))
    }

    pub fn micros(self) -> i64 {
        self.0
    }

    /// Parses `[-]h..hh:mm:ss` with an optional fraction of up to six digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let colon = rest.iter().position(|&b| b == b':')?;
        let (hours, tail) = rest.split_at(colon);
        if hours.is_empty() || hours.len() > 3 {
            return None;
        }
        let hours = hours.iter().try_fold(0i64, |n, &b| Some(n * 10 + i64::from(digit(b)?)))?;
        let [b':', m1, m2, b':', s1, s2, fraction @ ..] = tail else { return None };
        let minute = i64::from(digit(*m1)? * 10 + digit(*m2)?);
        let second = i64::from(digit(*s1)? * 10 + digit(*s2)?);
        if minute > 59 || second > 59 {
            return None;
        }
        let micros = (hours * 3600 + minute * 60 + second) * 1_000_000 + i64::from(parse_fraction(fraction)?);
        Self::from_micros(if negative { -micros } else { micros })
    }

    /// Appends `[-]hh:mm:ss` and, where `fsp` is 1 to 6, that many digits of the fraction.
    pub fn write(self, out: &mut Vec<u8>, fsp: u8) {
        if self.0 < 0 {
            out.push(b'-');
        }
        let micros = self.0.unsigned_abs();
        let seconds = micros / 1_000_000;
        push_padded(out, (seconds / 3600) as u32, 2);
        out.push(b':');
        push_padded(out, (seconds / 60 % 60) as u32, 2);
        out.push(b':');
        push_padded(out, (seconds % 60) as u32, 2);
        push_fraction(out, (micros % 1_000_000) as u32, fsp);
    }
}

fn digit(byte: u8) -> Option<u16> {
    byte.is_ascii_digit().then(|| u16::from(byte - b'0'))
}

/// `""` or `.d` to `.dddddd`, as microseconds.
fn parse_fraction(text: &[u8]) -> Option<u32> {
    let digits = match text {
        [] => return Some(0),
        [b'.', digits @ ..] if (1..=6).contains(&digits.len()) => digits,
        _ => return None,
    };
    let value = digits.iter().try_fold(0u32, |n, &b| Some(n * 10 + u32::from(digit(b)?)))?;
    Some(value * 10u32.pow(6 - digits.len() as u32))
}

fn push_padded(out: &mut Vec<u8>, value: u32, width: u32) {
    let mut divisor = 10u32.pow(width - 1);
    while value / divisor >= 10 {
        divisor *= 10;
    }
    while divisor > 0 {
        out.push(b'0' + (value / divisor % 10) as u8);
        divisor /= 10;
    }
}

fn push_fraction(out: &mut Vec<u8>, micro: u32, fsp: u8) {
    if fsp == 0 {
        return;
    }
    let fsp = u32::from(fsp.min(6));
    out.push(b'.');
    push_padded(out, micro / 10u32.pow(6 - fsp), fsp);
}

/// Days since 1970-01-01 to a civil date (Hinnant's `civil_from_days`, for days at or after the epoch).
fn civil_from_days(days: u64) -> Option<Date> {
    let z = days.checked_add(719_468)?;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    Date::new(year.try_into().ok()?, month as u8, day as u8)
}

macro_rules! text_format {
    ($type:ty, |$value:ident, $out:ident| $write:expr) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let ($value, mut buffer) = (*self, Vec::with_capacity(26));
                let $out = &mut buffer;
                $write;
                f.write_str(&String::from_utf8_lossy(&buffer))
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}
text_format!(Date, |value, out| value.write(out));
text_format!(DateTime, |value, out| value.write(out, 6));
text_format!(Time, |value, out| value.write(out, 6));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_that_no_calendar_has_survive() {
        for text in ["0000-00-00", "2020-00-15", "2021-02-30", "9999-12-31"] {
            assert_eq!(Date::parse(text.as_bytes()).unwrap().to_string(), text);
        }
        assert_eq!(Date::parse(b"2021-13-01"), None);
        assert_eq!(Date::parse(b"2021-1-01"), None);
    }

    #[test]
    fn times_beyond_a_day_and_below_zero_survive() {
        for (text, fsp) in [("838:59:59", 0), ("-838:59:59.999999", 6), ("-00:00:00.5", 1), ("00:00:00", 0)] {
            let mut out = Vec::new();
            Time::parse(text.as_bytes()).unwrap().write(&mut out, fsp);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        assert_eq!(Time::parse(b"839:00:00"), None);
        for beyond in [i64::MIN, i64::MAX, Time::MAX_MICROS + 1, -Time::MAX_MICROS - 1] {
            assert_eq!(Time::from_micros(beyond), None);
        }
    }

    #[test]
    fn unix_times_become_utc() {
        for (unix, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (2_147_483_647, "2038-01-19 03:14:07"),
            (32_536_771_199, "3001-01-18 23:59:59"),
        ] {
            let mut out = Vec::new();
            DateTime::from_unix(unix, 0).unwrap().write(&mut out, 0);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn packed_order_is_the_order_of_time() {
        let parse = |text: &str| DateTime::parse(text.as_bytes()).unwrap();
        assert!(parse("2020-01-01 00:00:00.000001") < parse("2020-01-01 00:00:01"));
        assert!(parse("0000-00-00 00:00:00") < parse("1000-01-01 00:00:00"));
        assert_eq!(DateTime::from_bits(u64::MAX), None);
        let value = parse("9999-12-31 23:59:59.999999");
        assert_eq!(DateTime::from_bits(value.to_bits()), Some(value));
    }
}
