//! Events that name transactions, and the encoding of GTID sets.
//!
//! GTID (33) and ANONYMOUS_GTID (34) of MySQL:
//! ```text
//! 1 flags   16 uuid   8 number   1 type (2)   8 last committed   8 sequence number        to here: 5.6 (25 bytes), 5.7
//! 7 commit time, microseconds; its top bit says that the original commit time follows     8.0.1
//! [7 original commit time]
//! n length of the transaction   4 server version, the top bit as above   [4 original]     8.0.2, 8.0.14
//! ```
//!
//! GTID_TAGGED (42), MySQL 8.3: numbered fields in `mysql::serialization` form (numbers in [`varint`]s):
//! ```text
//! v version   v bytes of the message   v last field that must be understood   { v field number, value }
//! 0 flags  1 uuid (each byte a number)  2 number (signed)  3 tag (length, bytes)  4, 5 logical clock
//! 6 commit time  7 original commit time  8 length  9, 10 server versions  11 group ticket
//! ```
//!
//! GTID of MariaDB (162):
//! ```text
//! 8 sequence   4 domain   1 flags   [8 commit id]   [4 format, 1 + 1 lengths, n XID]   [1 more flags ...]
//! ```
//!
//! A GTID set (PREVIOUS_GTIDS, COM_BINLOG_DUMP_GTID):
//! ```text
//! 8 number of sources; with tags: 1 in the first and the last byte, the number between them
//! { 16 uuid   [v length, n tag]   8 number of intervals   { 8 first   8 one behind the last } }
//! ```

use whimbrel_model::gtid::{Gtid, MariaDbGtid, MariaDbGtidSet, MysqlGtid, MysqlGtidSet, MysqlSource};

use super::bytes::{Bytes, Truncated};
use super::error::EventError;

/// The begin of a group of events, as MySQL and MariaDB name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GtidEvent {
    /// `None` for MySQL's anonymous transactions.
    pub gtid: Option<Gtid>,
    /// When the transaction was committed on the server that sends the log; microseconds since 1970. `None`
    /// where the log has only the seconds of the header.
    pub commit_time_us: Option<u64>,
    /// MariaDB's flags; `None` in MySQL.
    pub mariadb: Option<MariaDbGroup>,
}

/// What MariaDB says of a group of events in its GTID.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MariaDbGroup {
    /// One statement without COMMIT: DDL.
    pub standalone: bool,
    /// The group is an XA transaction that is prepared, to be committed by another group.
    pub prepared_xa: bool,
    /// The group commits or rolls back a prepared XA transaction.
    pub completed_xa: bool,
    /// Format, gtrid and bqual of the XA transaction, as in `XA COMMIT X'gtrid',X'bqual',format`.
    pub xid: Option<Xid>,
    pub alter: AlterPhase,
}

/// MariaDB 10.8 may log an ALTER in two groups (`binlog_alter_two_phase`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AlterPhase {
    /// Not in phases.
    #[default]
    Whole,
    /// The ALTER begins; nothing is decided.
    Start,
    Commit,
    Rollback,
}

/// The identifier of an XA transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Xid {
    pub format: u32,
    pub gtrid: Vec<u8>,
    pub bqual: Vec<u8>,
}

const HAS_SECOND: u64 = 1 << 55;

/// Reads GTID and ANONYMOUS_GTID.
pub(crate) fn read_mysql(body: &mut Bytes<'_>, anonymous: bool) -> Result<GtidEvent, EventError> {
    body.u8("gtid flags")?;
    let uuid = body.array::<16>("gtid uuid")?;
    let number = body.u64("gtid number")?;
    let gtid = if anonymous { None } else { Some(mysql_gtid(uuid, String::new(), number)?) };
    let mut commit_time_us = None;
    if !body.is_empty() && body.u8("logical clock type")? == 2 {
        body.take(16, "logical clock")?;
        if body.len() >= 7 {
            let stamp = body.little(7, "commit time")?;
            commit_time_us = Some(stamp & !HAS_SECOND);
        }
    }
    Ok(GtidEvent { gtid, commit_time_us, mariadb: None })
}

fn mysql_gtid(uuid: [u8; 16], tag: String, number: u64) -> Result<Gtid, EventError> {
    if number == 0 || number > i64::MAX as u64 {
        return Err(EventError::Invalid("gtid number is out of range"));
    }
    Ok(Gtid::Mysql(MysqlGtid { source: MysqlSource { uuid, tag }, number }))
}

/// Reads GTID_TAGGED.
pub(crate) fn read_tagged(body: &mut Bytes<'_>) -> Result<GtidEvent, EventError> {
    varint(body)?;
    varint(body)?;
    varint(body)?;
    let (mut uuid, mut number, mut tag, mut commit_time_us) = (None, None, String::new(), None);
    while !body.is_empty() {
        match varint(body)? {
            1 => {
                let mut bytes = [0u8; 16];
                for byte in &mut bytes {
                    *byte = u8::try_from(varint(body)?).map_err(|_| EventError::Invalid("gtid uuid"))?;
                }
                uuid = Some(bytes);
            }
            // Zigzag: the sign is the lowest bit.
            2 => number = Some(varint(body)? >> 1),
            3 => tag = read_tag(body)?,
            4 | 5 => drop(varint(body)?),
            6 => commit_time_us = Some(varint(body)?),
            0 | 7..=11 => drop(varint(body)?),
            // Fields are only ever added, behind those that are known.
            _ => break,
        }
    }
    match (uuid, number) {
        (Some(uuid), Some(number)) => {
            Ok(GtidEvent { gtid: Some(mysql_gtid(uuid, tag, number)?), commit_time_us, mariadb: None })
        }
        _ => Err(EventError::Invalid("tagged gtid without uuid or number")),
    }
}

fn read_tag(body: &mut Bytes<'_>) -> Result<String, EventError> {
    let len = usize::try_from(varint(body)?).map_err(|_| Truncated("gtid tag"))?;
    let tag = body.take(len, "gtid tag")?;
    if len > 32 || !tag.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
        return Err(EventError::Invalid("gtid tag"));
    }
    Ok(String::from_utf8_lossy(tag).into_owned())
}

/// An unsigned number of 1 to 9 bytes: as many more bytes follow the first as it has trailing ones; the value
/// is what is left of all of them, least significant byte first.
pub(crate) fn varint(bytes: &mut Bytes<'_>) -> Result<u64, Truncated> {
    let first = bytes.u8("variable-length number")?;
    let more = first.trailing_ones();
    let rest = bytes.little(more as usize, "variable-length number")?;
    // The first byte holds 7 - more bits of the value; with 7 or 8 more bytes, none.
    let low_bits = 7u32.saturating_sub(more);
    let low = if low_bits == 0 { 0 } else { u64::from(first >> (more + 1)) };
    Ok(low | rest.checked_shl(low_bits).unwrap_or(0))
}

fn put_varint(out: &mut Vec<u8>, value: u8) {
    // Tags have at most 32 bytes: one byte always does.
    out.push(value << 1);
}

/// Reads MariaDB's GTID event. `server_id` is the one of the header.
pub(crate) fn read_mariadb(body: &mut Bytes<'_>, server_id: u32) -> Result<GtidEvent, EventError> {
    let sequence = body.u64("gtid sequence")?;
    let domain = body.u32("gtid domain")?;
    let flags = body.u8("gtid flags")?;
    let mut group = MariaDbGroup {
        standalone: flags & 1 != 0,
        prepared_xa: flags & 64 != 0,
        completed_xa: flags & 128 != 0,
        ..MariaDbGroup::default()
    };
    if flags & 2 != 0 {
        body.u64("commit id")?;
    }
    if group.prepared_xa || group.completed_xa {
        group.xid = Some(read_xid(body)?);
    }
    if !body.is_empty() {
        let more = body.u8("gtid flags")?;
        group.alter = match more & (2 | 4 | 8) {
            0 => AlterPhase::Whole,
            2 => AlterPhase::Start,
            4 => AlterPhase::Commit,
            8 => AlterPhase::Rollback,
            _ => return Err(EventError::Invalid("gtid flags name two phases of an ALTER")),
        };
    }
    let gtid = MariaDbGtid { domain, server: server_id, sequence };
    Ok(GtidEvent { gtid: Some(Gtid::MariaDb(gtid)), commit_time_us: None, mariadb: Some(group) })
}

fn read_xid(body: &mut Bytes<'_>) -> Result<Xid, Truncated> {
    let format = body.u32("xid format")?;
    let gtrid = usize::from(body.u8("xid length")?);
    let bqual = usize::from(body.u8("xid length")?);
    Ok(Xid { format, gtrid: body.take(gtrid, "xid")?.to_vec(), bqual: body.take(bqual, "xid")?.to_vec() })
}

/// Reads XA_PREPARE: `1 one phase   4 format   4 gtrid length   4 bqual length   n XID`.
pub(crate) fn read_xa_prepare(body: &mut Bytes<'_>) -> Result<(bool, Xid), EventError> {
    let one_phase = body.u8("xa one phase")? != 0;
    let format = body.u32("xid format")?;
    let gtrid = body.u32("xid length")? as usize;
    let bqual = body.u32("xid length")? as usize;
    if gtrid > 64 || bqual > 64 {
        return Err(EventError::Invalid("xid is longer than 64 bytes"));
    }
    let xid =
        Xid { format, gtrid: body.take(gtrid, "xid")?.to_vec(), bqual: body.take(bqual, "xid")?.to_vec() };
    Ok((one_phase, xid))
}

/// Reads a GTID set.
pub(crate) fn read_set(body: &mut Bytes<'_>) -> Result<MysqlGtidSet, EventError> {
    let head = body.array::<8>("number of gtid sources")?;
    let [first, middle @ .., last] = head;
    let tagged = first == 1 && last == 1;
    let count = if tagged {
        middle.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte))
    } else {
        u64::from_le_bytes(head)
    };
    let mut set = MysqlGtidSet::default();
    for _ in 0..count {
        let uuid = body.array::<16>("gtid uuid")?;
        let tag = if tagged { read_tag(body)? } else { String::new() };
        let source = MysqlSource { uuid, tag };
        let intervals = body.u64("number of gtid intervals")?;
        for _ in 0..intervals {
            let (start, end) = (body.u64("gtid interval")?, body.u64("gtid interval")?);
            if start == 0 || start >= end {
                return Err(EventError::Invalid("gtid interval"));
            }
            set.add_interval(source.clone(), start, end);
        }
    }
    Ok(set)
}

/// Writes a GTID set as COM_BINLOG_DUMP_GTID takes it. Tags need a server from 8.3 on; a set without tags is
/// written in the form that all servers read.
pub fn encode_set(set: &MysqlGtidSet) -> Vec<u8> {
    let tagged = set.intervals().any(|(source, _)| !source.tag.is_empty());
    let count = set.intervals().count() as u64;
    let mut out = Vec::new();
    if tagged {
        out.push(1);
        out.extend(count.to_le_bytes().iter().take(6));
        out.push(1);
    } else {
        out.extend_from_slice(&count.to_le_bytes());
    }
    for (source, intervals) in set.intervals() {
        out.extend_from_slice(&source.uuid);
        if tagged {
            put_varint(&mut out, source.tag.len() as u8);
            out.extend_from_slice(source.tag.as_bytes());
        }
        out.extend_from_slice(&(intervals.len() as u64).to_le_bytes());
        for (start, end) in intervals {
            out.extend_from_slice(&start.to_le_bytes());
            out.extend_from_slice(&end.to_le_bytes());
        }
    }
    out
}

/// Reads MariaDB's GTID_LIST: `4 count (28 bits) and flags   { 4 domain   4 server   8 sequence }`.
pub(crate) fn read_gtid_list(body: &mut Bytes<'_>) -> Result<MariaDbGtidSet, EventError> {
    let count = body.u32("number of gtids")? & 0x0fff_ffff;
    let mut set = MariaDbGtidSet::default();
    for _ in 0..count {
        let (domain, server) = (body.u32("gtid domain")?, body.u32("gtid server")?);
        let sequence = body.u64("gtid sequence")?;
        if set.get(domain).is_none_or(|known| known.sequence <= sequence) {
            set.add(MariaDbGtid { domain, server, sequence });
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_length_numbers_have_their_length_in_the_low_bits() {
        for (bytes, value) in [
            (&[0b0000_0110][..], 3),
            (&[0xfe], 127),
            (&[0b0000_0001, 2], 128),
            (&[0b1111_1101, 0xff], 16_383),
            (&[0b0000_0011, 0, 4], 1 << 15),
            (&[0xff, 1, 2, 3, 4, 5, 6, 7, 8], 0x0807_0605_0403_0201),
            (&[0x7f, 1, 2, 3, 4, 5, 6, 7], 0x0007_0605_0403_0201),
        ] {
            assert_eq!(varint(&mut Bytes::new(bytes)), Ok(value), "{bytes:?}");
        }
        assert!(varint(&mut Bytes::new(&[0xff, 1])).is_err());
    }

    #[test]
    fn sets_with_and_without_tags_read_back() {
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        for text in [String::new(), format!("{uuid}:1-5:7"), format!("{uuid}:1-5,{uuid}:backup:3")] {
            let set: MysqlGtidSet = text.parse().unwrap();
            let bytes = encode_set(&set);
            assert_eq!(read_set(&mut Bytes::new(&bytes)).unwrap(), set);
            assert_eq!(
                bytes.first(),
                Some(&if text.contains("backup") { 1 } else { u8::from(!text.is_empty()) })
            );
        }
    }

    #[test]
    fn a_mariadb_group_says_what_it_is() {
        // 0-1-77, commit id, prepared XA 'a','b', as MariaDB 10.5 writes it.
        let mut bytes = 77u64.to_le_bytes().to_vec();
        bytes.extend_from_slice(&[0, 0, 0, 0, 2 | 4 | 64]);
        bytes.extend_from_slice(&9u64.to_le_bytes());
        bytes.extend_from_slice(&[1, 0, 0, 0, 1, 1, b'a', b'b']);
        let event = read_mariadb(&mut Bytes::new(&bytes), 1).unwrap();
        assert_eq!(event.gtid.unwrap().to_string(), "0-1-77");
        let group = event.mariadb.unwrap();
        assert!(group.prepared_xa && !group.standalone && !group.completed_xa);
        assert_eq!(group.xid, Some(Xid { format: 1, gtrid: b"a".to_vec(), bqual: b"b".to_vec() }));
    }
}
