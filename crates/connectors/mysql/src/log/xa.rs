//! XA transactions: prepared in one group of the log, committed or rolled back in a later one.
//!
//! The changes of a prepared transaction must not be seen before its commit, so they are kept in memory, up
//! to a limit, and come out as a transaction of their own where the commit stands in the log.

use std::collections::HashMap;

use whimbrel_model::gtid::Gtid;
use whimbrel_model::{LogRecord, RowOp};

use crate::binlog::Xid;

/// A prepared transaction.
pub(crate) struct Prepared {
    /// Its changes (`Rows` only), none where it changed no table of the filter.
    pub(super) records: Vec<LogRecord>,
    pub(super) bytes: usize,
    /// The GTID of its first group, which positions leave out until the second one.
    pub(super) gtid: Option<Gtid>,
}

/// All prepared transactions whose end hasn't come.
#[derive(Default)]
pub(crate) struct PreparedStore {
    by_xid: HashMap<Xid, Prepared>,
    bytes: usize,
}

impl PreparedStore {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn put(&mut self, xid: Xid, prepared: Prepared) {
        self.bytes += prepared.bytes;
        if let Some(old) = self.by_xid.insert(xid, prepared) {
            self.bytes = self.bytes.saturating_sub(old.bytes);
        }
    }

    pub(super) fn take(&mut self, xid: &Xid) -> Option<Prepared> {
        let prepared = self.by_xid.remove(xid)?;
        self.bytes = self.bytes.saturating_sub(prepared.bytes);
        Some(prepared)
    }
}

/// Bytes that a record holds in memory.
pub(super) fn record_bytes(record: &LogRecord) -> usize {
    match record {
        LogRecord::Rows(batch) => batch.byte_len() + batch.ops.len() * size_of::<RowOp>(),
        _ => size_of::<LogRecord>(),
    }
}

/// Reads `XA verb X'gtrid',X'bqual',format` as servers write it into the log.
pub(super) fn parse_xid(sql: &str) -> Option<Xid> {
    let mut words = sql.trim().splitn(3, |c: char| c.is_ascii_whitespace());
    if !words.next()?.eq_ignore_ascii_case("XA") {
        return None;
    }
    words.next()?;
    let mut fields = words.next()?.split(',').map(str::trim);
    let hex = |field: &str| {
        let digits = field.strip_prefix(['X', 'x'])?.strip_prefix('\'')?.split('\'').next()?;
        let pairs = digits.as_bytes().chunks(2);
        pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect::<Option<Vec<u8>>>()
    };
    let gtrid = hex(fields.next()?)?;
    let bqual = fields.next().map_or(Some(Vec::new()), hex)?;
    let format = fields.next().map_or(Some(1), |number| {
        number.split_ascii_whitespace().next().and_then(|number| number.parse().ok())
    })?;
    Some(Xid { format, gtrid, bqual })
}

/// True for `XA START` and `XA BEGIN`.
pub(super) fn starts(sql: &str) -> bool {
    ["XA START", "XA BEGIN"]
        .iter()
        .any(|verb| sql.get(..verb.len()).is_some_and(|head| head.eq_ignore_ascii_case(verb)))
}

/// As `XA RECOVER` shows it, as far as it is text.
pub(super) fn show(xid: &Xid) -> String {
    format!(
        "'{}','{}',{}",
        String::from_utf8_lossy(&xid.gtrid).escape_debug(),
        String::from_utf8_lossy(&xid.bqual).escape_debug(),
        xid.format
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_read_as_the_servers_write_them() {
        let xid = parse_xid("XA COMMIT X'6162',X'',7").unwrap();
        assert_eq!(xid, Xid { format: 7, gtrid: b"ab".to_vec(), bqual: Vec::new() });
        assert_eq!(parse_xid("XA START X'6162',X'63',1").unwrap().bqual, b"c");
        assert_eq!(show(&xid), "'ab','',7");
        assert_eq!(parse_xid("XA COMMIT X'6162',X'',1 ONE PHASE").unwrap().format, 1);
        for text in ["XA COMMIT 'ab'", "COMMIT", "XA", "XA END X'6'zz"] {
            let _ = parse_xid(text);
        }
        assert_eq!(parse_xid("XA COMMIT 'ab'"), None);
    }

    #[test]
    fn the_store_counts_what_it_holds() {
        let mut store = PreparedStore::default();
        let xid = Xid { format: 1, gtrid: b"a".to_vec(), bqual: Vec::new() };
        store.put(xid.clone(), Prepared { records: Vec::new(), bytes: 10, gtid: None });
        store.put(xid.clone(), Prepared { records: Vec::new(), bytes: 7, gtid: None });
        assert_eq!(store.bytes(), 7);
        assert!(store.take(&xid).is_some() && store.take(&xid).is_none());
        assert_eq!(store.bytes(), 0);
    }
}
