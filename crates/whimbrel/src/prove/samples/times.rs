//! Dates and times.

use whimbrel_model::{Date, DateTime, Time, Value};

use super::Sample;

const DATES: [(&str, Day); 9] = [
    ("zero date", (0, 0, 0)),
    ("year without month and day", (2020, 0, 0)),
    ("month without day", (2020, 2, 0)),
    ("day that the month hasn't", (2021, 2, 31)),
    ("earliest", (1, 1, 1)),
    ("before 1582", (1500, 2, 28)),
    ("leap day", (2000, 2, 29)),
    ("1970", (1970, 1, 1)),
    ("latest", (9999, 12, 31)),
];

fn dated() -> impl Iterator<Item = (&'static str, Date)> {
    DATES.iter().filter_map(|(class, (year, month, day))| Some((*class, Date::new(*year, *month, *day)?)))
}

pub(super) fn dates() -> Vec<Sample> {
    dated().map(|(class, date)| Sample::new(class, Value::Date(date))).collect()
}

/// The finest fraction of a second that a column with so many digits holds, in microseconds.
fn finest(fsp: u8) -> u32 {
    10u32.pow(6 - u32::from(fsp.min(6)))
}

/// The last fraction before the next second.
fn last_fraction(fsp: u8) -> u32 {
    1_000_000 - finest(fsp)
}

pub(super) fn times(fsp: u8) -> Vec<Sample> {
    let longest = (838 * 3600 + 59 * 60 + 59) * 1_000_000_i64;
    let least = if fsp == 0 { 1_000_000 } else { i64::from(finest(fsp)) };
    let day = 24 * 3600 * 1_000_000;
    let values = [
        ("zero", 0),
        ("least positive", least),
        ("least negative", -least),
        ("end of the day", day - least),
        ("more than a day", day + least),
        ("longest", longest),
        ("longest negative", -longest),
    ];
    let sample = |(class, micros)| Some(Sample::new(class, Value::Time(Time::from_micros(micros)?)));
    values.into_iter().filter_map(sample).collect()
}

/// Hour, minute and second.
type Clock = (u8, u8, u8);
/// Year, month and day.
type Day = (u16, u8, u8);

/// Moments around which clocks and counters go wrong, in UTC.
const MOMENTS: [(&str, Day, Clock); 6] = [
    ("before a leap second", (2016, 12, 31), (23, 59, 59)),
    ("after a leap second", (2017, 1, 1), (0, 0, 0)),
    ("hour that summer time skips in Europe", (2021, 3, 28), (2, 30, 0)),
    ("hour that summer time repeats in Europe", (2021, 10, 31), (2, 30, 0)),
    ("first of the epoch", (1970, 1, 1), (0, 0, 1)),
    ("last of 31 bits", (2038, 1, 19), (3, 14, 7)),
];

fn moments(fsp: u8) -> impl Iterator<Item = (&'static str, DateTime)> {
    MOMENTS.iter().filter_map(move |(class, (year, month, day), (hour, minute, second))| {
        let fraction = if fsp > 0 && *second == 59 { last_fraction(fsp) } else { 0 };
        Some((*class, DateTime::new(Date::new(*year, *month, *day)?, *hour, *minute, *second, fraction)?))
    })
}

pub(super) fn datetimes(fsp: u8) -> Vec<Sample> {
    let at_midnight = dated().filter_map(|(class, date)| Some((class, DateTime::new(date, 0, 0, 0, 0)?)));
    let last = Date::new(9999, 12, 31)
        .and_then(|date| DateTime::new(date, 23, 59, 59, if fsp > 0 { last_fraction(fsp) } else { 0 }));
    let beyond = Date::new(2038, 1, 19).and_then(|date| DateTime::new(date, 3, 14, 8, 0));
    at_midnight
        .chain(moments(fsp))
        .chain(beyond.map(|value| ("beyond 31 bits", value)))
        .chain(last.map(|value| ("last of all", value)))
        .map(|(class, value)| Sample::new(class, Value::DateTime(value)))
        .collect()
}

pub(super) fn timestamps(fsp: u8) -> Vec<Sample> {
    let zero = Date::new(0, 0, 0).and_then(|date| DateTime::new(date, 0, 0, 0, 0));
    let finest = Date::new(2001, 9, 9)
        .and_then(|date| DateTime::new(date, 1, 46, 40, if fsp > 0 { finest(fsp) } else { 0 }));
    moments(fsp)
        .chain(zero.map(|value| ("zero date", value)))
        .chain(finest.map(|value| ("finest fraction", value)))
        .map(|(class, value)| Sample::new(class, Value::Timestamp(value)))
        .collect()
}

pub(super) fn years() -> Vec<Sample> {
    let years = [("0000", 0), ("earliest", 1901), ("2000", 2000), ("latest", 2155)];
    years.into_iter().map(|(class, year)| Sample::new(class, Value::Year(year))).collect()
}
