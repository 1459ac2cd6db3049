//! Where in a source's log a reader stands.
//!
//! Positions are source-native. A binlog position always has file and offset (the order of one server's
//! log) and, where the server has them, the set of executed GTIDs (which survives a change of server).

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

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
        let key = |position: &Self| {
            let number = position.file.rsplit('.').next().and_then(|n| n.parse::<u64>().ok());
            number.map(|number| (number, position.offset))
        };
        (self.server == other.server).then_some(())?;
        Some(key(self)?.cmp(&key(other)?))
    }
}

impl Position {
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
