//! Where in a source's log a reader stands.
//!
//! Positions are source-native. A binlog position always has file and offset (the order of one server's
//! log) and, where the server has them, the set of executed GTIDs (which survives a change of server).

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::change::Begin;
use crate::gtid::{Gtid, MariaDbGtidSet, MysqlGtidSet};

/// A position in a source's log: everything before it has been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Position {
    Binlog(BinlogPosition),
}

/// A position in the binary log of a MySQL or MariaDB server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BinlogPosition {
    /// Whose file and offset these are: `server_uuid`, or `server_id` in decimal where there is none.
    pub server: String,
    /// Name of the log file, `binlog.000042`.
    pub file: String,
    /// Offset of the next event in the file, in bytes.
    pub offset: u64,
    /// Transactions executed up to here.
    #[serde(default, skip_serializing_if = "GtidState::is_none")]
    pub gtids: GtidState,
}

/// A place in one server's log, without the GTIDs of everything before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPoint {
    /// As [`BinlogPosition::server`].
    pub server: Arc<str>,
    pub file: Arc<str>,
    /// In bytes.
    pub offset: u64,
}

/// The executed GTIDs of a position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GtidState {
    /// The server writes none.
    #[default]
    None,
    Mysql(MysqlGtidSet),
    MariaDb(MariaDbGtidSet),
}

impl GtidState {
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Adds a transaction. A GTID of the other family is ignored: a server has one kind only.
    pub fn add(&mut self, gtid: &Gtid) {
        match (self, gtid) {
            (Self::Mysql(set), Gtid::Mysql(gtid)) => set.add(gtid),
            (Self::MariaDb(set), Gtid::MariaDb(gtid)) => set.add(*gtid),
            _ => {}
        }
    }

    /// True where the transaction is among them; `None` where that can't be told (none kept, other family).
    pub fn contains(&self, gtid: &Gtid) -> Option<bool> {
        match (self, gtid) {
            (Self::Mysql(set), Gtid::Mysql(gtid)) => Some(set.contains(gtid)),
            (Self::MariaDb(set), Gtid::MariaDb(gtid)) => {
                Some(set.get(gtid.domain).is_some_and(|last| last.sequence >= gtid.sequence))
            }
            _ => None,
        }
    }

    fn is_superset(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Mysql(ours), Self::Mysql(theirs)) => Some(ours.is_superset(theirs)),
            (Self::MariaDb(ours), Self::MariaDb(theirs)) => Some(ours.is_superset(theirs)),
            _ => None,
        }
    }
}

impl BinlogPosition {
    /// Moves to the end of a transaction or event.
    pub fn advance(&mut self, file: &str, offset: u64, gtid: Option<&Gtid>) {
        if self.file != file {
            file.clone_into(&mut self.file);
        }
        self.offset = offset;
        if let Some(gtid) = gtid {
            self.gtids.add(gtid);
        }
    }

    /// Order in the log of one server; `None` between positions of different servers.
    pub fn log_order(&self, other: &Self) -> Option<Ordering> {
        (self.server == other.server).then_some(())?;
        Some(log_key(&self.file, self.offset)?.cmp(&log_key(&other.file, other.offset)?))
    }

    /// Order of a place in the log against this position; `None` between different servers.
    fn point_order(&self, point: &LogPoint) -> Option<Ordering> {
        (*self.server == *point.server).then_some(())?;
        Some(log_key(&point.file, point.offset)?.cmp(&log_key(&self.file, self.offset)?))
    }
}

/// The number at the end of a log file's name, and the offset.
fn log_key(file: &str, offset: u64) -> Option<(u64, u64)> {
    let number = file.rsplit('.').next().and_then(|n| n.parse::<u64>().ok())?;
    Some((number, offset))
}

impl Position {
    /// True where the transaction that begins so is at or before this position. Sound because positions are
    /// always between transactions: one that begins before a position also ends at or before it. By the place
    /// in the log on the same server, by GTID otherwise; `None` where neither can tell.
    pub fn includes(&self, begin: &Begin) -> Option<bool> {
        let Self::Binlog(position) = self;
        let by_place = begin.start.as_ref().and_then(|start| position.point_order(start));
        by_place
            .map(Ordering::is_lt)
            .or_else(|| begin.gtid.as_ref().and_then(|gtid| position.gtids.contains(gtid)))
    }

    /// True where everything before `target` is also before this position: by file and offset on the same
    /// server, by GTID sets otherwise. `None` where the two can't be compared.
    pub fn has_reached(&self, target: &Self) -> Option<bool> {
        let (Self::Binlog(ours), Self::Binlog(theirs)) = (self, target);
        ours.log_order(theirs).map(Ordering::is_ge).or_else(|| ours.gtids.is_superset(&theirs.gtids))
    }
}

/// `file:offset`, then the GTIDs if there are any: for people, not for parsing.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Binlog(position) = self;
        write!(f, "{}:{}", position.file, position.offset)?;
        match &position.gtids {
            GtidState::Mysql(set) if !set.is_empty() => write!(f, " ({set})"),
            GtidState::MariaDb(set) if !set.is_empty() => write!(f, " ({set})"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(server: &str, file: &str, offset: u64, gtids: &str) -> Position {
        let gtids = GtidState::Mysql(gtids.parse().unwrap());
        Position::Binlog(BinlogPosition { server: server.into(), file: file.into(), offset, gtids })
    }

    #[test]
    fn one_server_is_ordered_by_file_number_and_offset() {
        let old = at("a", "binlog.999999", 500, "");
        let new = at("a", "binlog.1000000", 4, "");
        assert_eq!(new.has_reached(&old), Some(true));
        assert_eq!(old.has_reached(&new), Some(false));
        assert_eq!(old.has_reached(&old), Some(true));
    }

    #[test]
    fn servers_are_compared_by_gtids_or_not_at_all() {
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        let here = at("a", "binlog.000001", 4, &format!("{uuid}:1-10"));
        let there = at("b", "log.000900", 9, &format!("{uuid}:1-9"));
        assert_eq!(here.has_reached(&there), Some(true));
        assert_eq!(there.has_reached(&here), Some(false));
        let mut bare = there;
        let Position::Binlog(position) = &mut bare;
        position.gtids = GtidState::None;
        assert_eq!(here.has_reached(&bare), None);
    }

    #[test]
    fn a_transaction_is_before_a_position_by_its_begin_alone() {
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        let position = at("a", "binlog.000003", 500, &format!("{uuid}:1-7"));
        let begin = |server: &str, offset, number| {
            let source =
                crate::gtid::MysqlSource { uuid: crate::gtid::parse_uuid(uuid).unwrap(), tag: String::new() };
            Begin {
                gtid: Some(Gtid::Mysql(crate::gtid::MysqlGtid { source, number })),
                commit_time_us: 0,
                start: Some(LogPoint { server: server.into(), file: "binlog.000003".into(), offset }),
            }
        };
        assert_eq!(position.includes(&begin("a", 499, 99)), Some(true));
        assert_eq!(position.includes(&begin("a", 500, 1)), Some(false));
        assert_eq!(position.includes(&begin("b", 9999, 7)), Some(true));
        assert_eq!(position.includes(&begin("b", 4, 8)), Some(false));
        let bare = Begin { gtid: None, commit_time_us: 0, start: None };
        assert_eq!(position.includes(&bare), None);
    }

    /// Persisted form: this text must be readable for ever.
    #[test]
    fn the_frozen_json_form_reads_and_writes() {
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        let frozen = format!(
            r#"{{"kind":"binlog","server":"a","file":"binlog.000003","offset":157,"gtids":{{"mysql":"{uuid}:1-7"}}}}"#
        );
        let position: Position = serde_json::from_str(&frozen).unwrap();
        assert_eq!(position, at("a", "binlog.000003", 157, &format!("{uuid}:1-7")));
        assert_eq!(serde_json::to_string(&position).unwrap(), frozen);
    }
}
