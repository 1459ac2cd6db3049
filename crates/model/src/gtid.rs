//! Global transaction identifiers of MySQL (`uuid[:tag]:number`) and MariaDB (`domain-server-sequence`),
//! and the sets of them that a position is made of.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One transaction's identifier.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Gtid {
    Mysql(MysqlGtid),
    MariaDb(MariaDbGtid),
}

/// Who numbers the transactions: a server's UUID and, since MySQL 8.3, an optional tag (lower case).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MysqlSource {
    pub uuid: [u8; 16],
    pub tag: String,
}

/// `uuid[:tag]:number`; numbers start at 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MysqlGtid {
    pub source: MysqlSource,
    pub number: u64,
}

/// `domain-server-sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MariaDbGtid {
    pub domain: u32,
    pub server: u32,
    pub sequence: u64,
}

/// Text that is no GTID or set of them.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{text:?} is not a GTID set")]
pub struct GtidParseError {
    pub text: String,
}

/// A MySQL GTID set: per source, disjoint half-open intervals in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MysqlGtidSet {
    sources: BTreeMap<MysqlSource, Vec<(u64, u64)>>,
}

impl MysqlGtidSet {
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Sources with their intervals `[start, end)`, in order.
    pub fn intervals(&self) -> impl Iterator<Item = (&MysqlSource, &[(u64, u64)])> {
        self.sources.iter().map(|(source, intervals)| (source, intervals.as_slice()))
    }

    pub fn add(&mut self, gtid: &MysqlGtid) {
        // The common case of a growing log must not search or shift.
        if let Some(intervals) = self.sources.get_mut(&gtid.source)
            && let Some(last) = intervals.last_mut()
            && last.1 == gtid.number
        {
            last.1 += 1;
            return;
        }
        self.add_interval(gtid.source.clone(), gtid.number, gtid.number.saturating_add(1));
    }

    /// Adds `[start, end)`; an empty interval adds nothing.
    pub fn add_interval(&mut self, source: MysqlSource, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let intervals = self.sources.entry(source).or_default();
        let first = intervals.partition_point(|&(_, e)| e < start);
        let after = intervals.partition_point(|&(s, _)| s <= end);
        let mut merged = (start, end);
        for &(s, e) in intervals.get(first..after).unwrap_or_default() {
            merged = (merged.0.min(s), merged.1.max(e));
        }
        intervals.splice(first..after, [merged]);
    }

    pub fn contains(&self, gtid: &MysqlGtid) -> bool {
        self.covers(&gtid.source, gtid.number, gtid.number.saturating_add(1))
    }

    /// True where every transaction of `other` is in this set.
    pub fn is_superset(&self, other: &Self) -> bool {
        other
            .sources
            .iter()
            .all(|(source, intervals)| intervals.iter().all(|&(start, end)| self.covers(source, start, end)))
    }

    fn covers(&self, source: &MysqlSource, start: u64, end: u64) -> bool {
        self.sources.get(source).is_some_and(|intervals| {
            let candidate = intervals.partition_point(|&(_, e)| e < end);
            intervals.get(candidate).is_some_and(|&(s, e)| s <= start && end <= e)
        })
    }
}

impl fmt::Display for MysqlSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.uuid.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        if !self.tag.is_empty() {
            write!(f, ":{}", self.tag)?;
        }
        Ok(())
    }
}

impl fmt::Display for MysqlGtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (source, intervals)) in self.sources.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{source}")?;
            for &(start, end) in intervals {
                if end - start == 1 { write!(f, ":{start}") } else { write!(f, ":{start}-{}", end - 1) }?;
            }
        }
        Ok(())
    }
}

/// Reads `uuid[:tag]:n[-m]...[:tag:n[-m]...],...` as `gtid_executed` shows it, line breaks included.
impl FromStr for MysqlGtidSet {
    type Err = GtidParseError;

    fn from_str(text: &str) -> Result<Self, GtidParseError> {
        let mut set = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            add_source_text(&mut set, part).ok_or_else(|| GtidParseError { text: text.to_owned() })?;
        }
        Ok(set)
    }
}

fn add_source_text(set: &mut MysqlGtidSet, text: &str) -> Option<()> {
    let mut fields = text.split(':').map(str::trim);
    let mut source = MysqlSource { uuid: parse_uuid(fields.next()?)?, tag: String::new() };
    let mut seen = false;
    for field in fields {
        if field.starts_with(|c: char| c.is_ascii_digit()) {
            let (start, end) = field.split_once('-').unwrap_or((field, field));
            let (start, end): (u64, u64) = (start.trim().parse().ok()?, end.trim().parse().ok()?);
            if start == 0 || end < start {
                return None;
            }
            set.add_interval(source.clone(), start, end.checked_add(1)?);
            seen = true;
        } else if !field.is_empty() && field.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            source.tag = field.to_ascii_lowercase();
        } else {
            return None;
        }
    }
    seen.then_some(())
}

/// Reads a UUID with dashes in the usual places.
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let hex: Vec<u8> = text.bytes().filter(|b| *b != b'-').collect();
    if hex.len() != 32 || text.len() != 36 {
        return None;
    }
    let mut uuid = [0u8; 16];
    for (byte, pair) in uuid.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(uuid)
}

/// A MariaDB position: the last GTID of each replication domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MariaDbGtidSet {
    domains: BTreeMap<u32, MariaDbGtid>,
}

impl MariaDbGtidSet {
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty()
    }

    pub fn domains(&self) -> impl Iterator<Item = &MariaDbGtid> {
        self.domains.values()
    }

    pub fn get(&self, domain: u32) -> Option<&MariaDbGtid> {
        self.domains.get(&domain)
    }

    /// Makes `gtid` the last of its domain.
    pub fn add(&mut self, gtid: MariaDbGtid) {
        self.domains.insert(gtid.domain, gtid);
    }

    /// True where every domain of `other` is here with at least its sequence number.
    pub fn is_superset(&self, other: &Self) -> bool {
        other.domains.values().all(|theirs| {
            self.domains.get(&theirs.domain).is_some_and(|ours| ours.sequence >= theirs.sequence)
        })
    }
}

impl fmt::Display for MariaDbGtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.domain, self.server, self.sequence)
    }
}

impl fmt::Display for MariaDbGtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, gtid) in self.domains.values().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{gtid}")?;
        }
        Ok(())
    }
}

impl FromStr for MariaDbGtid {
    type Err = GtidParseError;

    fn from_str(text: &str) -> Result<Self, GtidParseError> {
        let parse = || {
            let mut fields = text.trim().split('-');
            let domain = fields.next()?.parse().ok()?;
            let server = fields.next()?.parse().ok()?;
            let sequence = fields.next()?.parse().ok()?;
            fields.next().is_none().then_some(Self { domain, server, sequence })
        };
        parse().ok_or_else(|| GtidParseError { text: text.to_owned() })
    }
}

impl FromStr for MariaDbGtidSet {
    type Err = GtidParseError;

    fn from_str(text: &str) -> Result<Self, GtidParseError> {
        let mut set = Self::default();
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let gtid: MariaDbGtid = part.parse()?;
            // A domain may be listed once per server in `gtid_binlog_state`; the highest counts.
            if set.get(gtid.domain).is_none_or(|known| known.sequence < gtid.sequence) {
                set.add(gtid);
            }
        }
        Ok(set)
    }
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mysql(gtid) => write!(f, "{}:{}", gtid.source, gtid.number),
            Self::MariaDb(gtid) => gtid.fmt(f),
        }
    }
}

impl FromStr for Gtid {
    type Err = GtidParseError;

    fn from_str(text: &str) -> Result<Self, GtidParseError> {
        if let Ok(gtid) = text.parse::<MariaDbGtid>() {
            return Ok(Self::MariaDb(gtid));
        }
        let invalid = || GtidParseError { text: text.to_owned() };
        let set: MysqlGtidSet = text.parse()?;
        let mut sources = set.sources.into_iter();
        match (sources.next(), sources.next()) {
            (Some((source, intervals)), None) => match intervals.as_slice() {
                &[(number, end)] if end - number == 1 => Ok(Self::Mysql(MysqlGtid { source, number })),
                _ => Err(invalid()),
            },
            _ => Err(invalid()),
        }
    }
}

macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
serde_as_text!(Gtid, MysqlGtidSet, MariaDbGtidSet);

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const B: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn set(text: &str) -> MysqlGtidSet {
        text.parse().unwrap()
    }

    #[test]
    fn mysql_sets_print_as_the_server_prints_them() {
        let text = format!("{A}:1-5:7:10-12,{A}:tag1:1-3,{B}:1");
        assert_eq!(set(&text).to_string(), text);
        let as_shown = format!("{A}:1-5:7:10-12:tag1:1-3,\n{B}:1");
        assert_eq!(set(&as_shown), set(&text));
        assert_eq!(set("").to_string(), "");
    }

    #[test]
    fn intervals_merge_and_contain() {
        let mut s = set(&format!("{A}:1-5:7-9"));
        assert!(!s.is_superset(&set(&format!("{A}:5-7"))));
        let Gtid::Mysql(six) = format!("{A}:6").parse().unwrap() else { panic!("a MySQL GTID") };
        s.add(&six);
        assert_eq!(s.to_string(), format!("{A}:1-9"));
        assert!(s.contains(&six));
        assert!(s.is_superset(&set(&format!("{A}:5-7"))));
        assert!(!s.is_superset(&set(&format!("{A}:t:1"))));
        s.add_interval(MysqlSource { uuid: parse_uuid(A).unwrap(), tag: String::new() }, 5, 20);
        assert_eq!(s.to_string(), format!("{A}:1-19"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["x", A, &format!("{A}:0"), &format!("{A}:5-3"), &format!("{A}:1-"), "1-2"] {
            assert!(text.parse::<MysqlGtidSet>().is_err(), "{text}");
        }
        assert!("0-1".parse::<MariaDbGtidSet>().is_err());
        assert!("0-1-2-3".parse::<MariaDbGtidSet>().is_err());
    }

    #[test]
    fn mariadb_positions_compare_by_domain() {
        let old: MariaDbGtidSet = "0-1-10,5-2-7".parse().unwrap();
        let new: MariaDbGtidSet = "0-3-11,5-2-7".parse().unwrap();
        assert!(new.is_superset(&old));
        assert!(!old.is_superset(&new));
        assert_eq!(new.to_string(), "0-3-11,5-2-7");
    }
}
