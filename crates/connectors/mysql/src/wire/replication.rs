//! The connection as a replica's: registering, asking for the binlog, reading its events.
//!
//! What differs by server is set by the caller with statements before the dump: `@master_binlog_checksum` /
//! `@source_binlog_checksum`, `@master_heartbeat_period` (nanoseconds), `@slave_uuid`; MariaDB's start position is
//! `@slave_connect_state` with `@mariadb_slave_capability=4`, after which the dump is asked for with an empty file name.
//! `@rpl_semi_sync_slave` must stay unset: packets would get a header that is not expected here.

use std::time::Duration;

use super::connection::{Connection, State};
use super::error::WireError;
use super::packet::{self, is_end, parse_err};

const COM_BINLOG_DUMP: u8 = 0x12;
const COM_REGISTER_SLAVE: u8 = 0x15;
const COM_BINLOG_DUMP_GTID: u8 = 0x1e;

const DUMP_NON_BLOCK: u16 = 0x01;
const DUMP_THROUGH_GTID: u16 = 0x04;

/// How a replica introduces itself; shown by `SHOW REPLICAS`. Account data is never sent.
#[derive(Debug, Clone)]
pub struct ReplicaIdentity<'a> {
    /// Must differ from every other replica's; a second one with the same id ends the first one's dump.
    pub server_id: u32,
    /// At most 255 bytes.
    pub host: &'a str,
    pub port: u16,
}

/// Where a dump starts.
#[derive(Debug, Clone)]
pub enum BinlogStart<'a> {
    /// At an event's start offset in a file. The offset is 32 bits in the protocol; 4 is the first event.
    File { name: &'a str, position: u32 },
    /// After a set of GTIDs (MySQL 5.6 and later): all transactions that are not in it.
    /// The bytes are the encoded set, as in the manual's `Gtid_set::encode`: 8 bytes number of SIDs, then per SID
    /// 16 bytes UUID (or tag form), 8 bytes number of intervals, intervals of two times 8 bytes.
    Gtid { encoded_set: &'a [u8] },
}

/// A request for the binlog.
#[derive(Debug, Clone)]
pub struct BinlogDump<'a> {
    pub server_id: u32,
    pub start: BinlogStart<'a>,
    /// End with the last event instead of waiting for more.
    pub non_blocking: bool,
    /// Longest silence before [`WireError::HeartbeatTimeout`]; should be several heartbeat periods.
    pub idle_timeout: Option<Duration>,
}

impl BinlogDump<'_> {
    fn command(&self) -> (u8, Vec<u8>) {
        let mut flags = if self.non_blocking { DUMP_NON_BLOCK } else { 0 };
        let mut out = Vec::new();
        match &self.start {
            // 4 position, 2 flags, 4 server id, file name up to the end.
            BinlogStart::File { name, position } => {
                out.extend_from_slice(&position.to_le_bytes());
                out.extend_from_slice(&flags.to_le_bytes());
                out.extend_from_slice(&self.server_id.to_le_bytes());
                out.extend_from_slice(name.as_bytes());
                (COM_BINLOG_DUMP, out)
            }
            // 2 flags, 4 server id, 4 length and file name, 8 position, 4 length and GTID set.
            BinlogStart::Gtid { encoded_set } => {
                flags |= DUMP_THROUGH_GTID;
                out.extend_from_slice(&flags.to_le_bytes());
                out.extend_from_slice(&self.server_id.to_le_bytes());
                out.extend_from_slice(&0u32.to_le_bytes());
                out.extend_from_slice(&4u64.to_le_bytes());
                out.extend_from_slice(&(encoded_set.len() as u32).to_le_bytes());
                out.extend_from_slice(encoded_set);
                (COM_BINLOG_DUMP_GTID, out)
            }
        }
    }
}

impl Connection {
    /// Registers as a replica (`COM_REGISTER_SLAVE`), which needs the privilege REPLICATION SLAVE.
    pub async fn register_replica(&mut self, identity: &ReplicaIdentity<'_>) -> Result<(), WireError> {
        let host = identity.host.as_bytes();
        let host = host.get(..255).unwrap_or(host);
        // 4 server id, length and host, length and user, length and password, 2 port, 4 rank, 4 source's id.
        let mut body = identity.server_id.to_le_bytes().to_vec();
        body.push(host.len() as u8);
        body.extend_from_slice(host);
        body.extend_from_slice(&[0, 0]);
        body.extend_from_slice(&identity.port.to_le_bytes());
        body.extend_from_slice(&[0; 8]);
        self.command(COM_REGISTER_SLAVE, &body).await.map(drop)
    }

    /// Asks for the binlog. From here on only [`next_binlog_packet`](Self::next_binlog_packet) can be called; a
    /// request that the server refuses shows there too.
    pub async fn start_binlog_dump(&mut self, dump: &BinlogDump<'_>) -> Result<(), WireError> {
        self.begin()?;
        let (command, body) = dump.command();
        let sent = self.framing.send(&[command], &body).await;
        self.settle(sent)?;
        self.framing.set_read_timeout(dump.idle_timeout);
        self.state = State::Dumping;
        Ok(())
    }

    /// The next event: its bytes from the common header on, checksum included. `None` at the end of a non-blocking
    /// dump. Cancelling it loses nothing: the event comes with the next call. After `None` or an error the
    /// connection is over.
    pub async fn next_binlog_packet(&mut self) -> Result<Option<&[u8]>, WireError> {
        if self.state != State::Dumping {
            return Err(WireError::Poisoned);
        }
        let span = match self.framing.packet().await {
            Ok(span) => span,
            Err(error) => {
                self.state = State::Broken;
                return Err(match error {
                    WireError::ReadTimeout { server, after } => WireError::HeartbeatTimeout { server, after },
                    other => other,
                });
            }
        };
        match self.framing.bytes(span) {
            [packet::OK, event @ ..] => Ok(Some(event)),
            payload => {
                self.state = State::Broken;
                match payload {
                    [packet::ERR, ..] => Err(parse_err(payload)),
                    _ if is_end(payload, self.deprecate_eof) => Ok(None),
                    _ => Err(WireError::Protocol { what: "binlog packet", at: 0 }),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_both_dump_commands() {
        let mut dump = BinlogDump {
            server_id: 0x01020304,
            start: BinlogStart::File { name: "binlog.000007", position: 154 },
            non_blocking: true,
            idle_timeout: None,
        };
        let by_file = b"\x9a\0\0\0\x01\0\x04\x03\x02\x01binlog.000007";
        assert_eq!(dump.command(), (COM_BINLOG_DUMP, by_file.to_vec()));
        dump.start = BinlogStart::Gtid { encoded_set: b"\0\0\0\0\0\0\0\0" };
        let by_gtid = b"\x05\0\x04\x03\x02\x01\0\0\0\0\x04\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(dump.command(), (COM_BINLOG_DUMP_GTID, by_gtid.to_vec()));
    }
}
