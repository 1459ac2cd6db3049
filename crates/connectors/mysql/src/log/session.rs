//! One connection that sends the log: what is asked and set before, and where it begins.

use std::collections::HashMap;
use std::time::Duration;

use whimbrel_connector::{ConnectorError, ErrorKind};
use whimbrel_model::{BinlogPosition, GtidState};

use super::config::{ReaderConfig, StartBy};
use super::schema_history::ServerDefaults;
use super::translator::{Translator, XaSearch};
use super::xa::Prepared;
use crate::binlog::{Checksum, Decoder, Xid, encode_set};
use crate::error::{connect_error, statement_error};
use crate::wire::{BinlogDump, BinlogStart, Connection, Flavor, ReplicaIdentity, WireError, push_string};

/// A running dump.
pub(super) struct Dump {
    pub(super) connection: Connection,
    pub(super) decoder: Decoder,
    /// `server_uuid`, else `server_id`.
    pub(super) server: String,
    pub(super) defaults: ServerDefaults,
    /// Where it begins, for people.
    pub(super) from: String,
}

/// Who the reader is to the server.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) server_id: u32,
    pub(super) uuid: String,
}

impl Identity {
    /// The configured id or one at random, with a UUID of its own: MySQL ends the older of two dumps with the
    /// same UUID.
    pub(super) fn choose(configured: Option<u32>) -> Result<Self, ConnectorError> {
        let mut random = [0u8; 20];
        getrandom::fill(&mut random).map_err(|error| {
            ConnectorError::new(ErrorKind::Other, "reader", "drawing random numbers")
                .with_source(error.to_string())
        })?;
        let (number, uuid) = random.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
        let hex: Vec<String> = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().concat();
        let uuid = [part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 16)].join("-");
        let server_id = configured.unwrap_or(u32::from_le_bytes(*number) | 1 << 31);
        Ok(Self { server_id, uuid })
    }
}

/// Opens a connection and asks for the log from `position` on.
pub(super) async fn open(
    config: &ReaderConfig,
    identity: &Identity,
    position: &BinlogPosition,
) -> Result<Dump, ConnectorError> {
    let endpoint = config.options.to_string();
    let mut connection =
        Connection::connect(&config.options).await.map_err(|error| connect_error(&endpoint, error))?;
    connection.probe_flavor().await.map_err(|error| connect_error(&endpoint, error))?;
    if connection.server_version().flavor == Flavor::OceanBase {
        let message = "OceanBase's log isn't read as a binary log";
        return Err(ConnectorError::new(ErrorKind::Unsupported, endpoint, message));
    }
    let mut session = Session { connection, endpoint, config, identity };
    let variables = session.variables().await?;
    let named = |name: &str| variables.get(name).filter(|value| !value.is_empty()).cloned();
    let server = named("server_uuid").or_else(|| named("server_id")).unwrap_or_default();
    let defaults = session.defaults(&variables).await?;
    let checksum = session.prepare(&variables).await?;
    let from = session.start(position, &server, &variables).await?;
    let mut decoder = Decoder::new(config.limits, checksum);
    decoder.set_position(&position.file, position.offset);
    Ok(Dump { connection: session.connection, decoder, server, defaults, from })
}

/// Looks in the log files that the server has, newest first, for an XA transaction that was prepared before the
/// place that `reader` has reached.
pub(super) async fn find_prepared(
    config: &ReaderConfig,
    identity: &Identity,
    reader: &Translator,
    xid: &Xid,
) -> Result<Option<Prepared>, ConnectorError> {
    let endpoint = config.options.to_string();
    let mut connection =
        Connection::connect(&config.options).await.map_err(|error| connect_error(&endpoint, error))?;
    let logs = connection.query_rows("SHOW BINARY LOGS").await;
    let logs = logs.map_err(|error| statement_error(&endpoint, "listing the log files", error))?;
    connection.close().await;
    let (last, end) = reader.place();
    let names: Vec<&str> = logs.rows.iter().filter_map(|row| row.text(0)).collect();
    let Some(newest) = names.iter().position(|name| *name == last) else { return Ok(None) };
    // A dump beside the reader's, which must keep its own identity.
    let searcher = Identity::choose(Some(identity.server_id ^ 1))?;
    for name in names.iter().take(newest + 1).rev() {
        let start = BinlogPosition {
            server: String::new(),
            file: (*name).to_owned(),
            offset: 4,
            gtids: GtidState::None,
        };
        let Dump { mut connection, decoder, .. } = open(config, &searcher, &start).await?;
        let mut search = XaSearch::new(reader, decoder, xid.clone());
        loop {
            let packet = tokio::time::timeout(SEARCH_SILENCE, connection.next_binlog_packet()).await;
            let Ok(packet) = packet else {
                let message = "the server sends nothing of an older log file";
                return Err(ConnectorError::new(ErrorKind::ConnectionLost, endpoint, message));
            };
            let Some(event) = packet.map_err(|error| dump_error(&endpoint, error))? else { break };
            search.feed(event).map_err(|error| error.into_connector(&endpoint))?;
            let (file, offset) = search.place();
            if file != *name || file == last && offset >= end {
                break;
            }
        }
        if let Some(prepared) = search.into_found() {
            return Ok(Some(prepared));
        }
    }
    Ok(None)
}

/// Longest silence of a server within a file that is there.
const SEARCH_SILENCE: Duration = Duration::from_secs(60);

struct Session<'a> {
    connection: Connection,
    endpoint: String,
    config: &'a ReaderConfig,
    identity: &'a Identity,
}

type Variables = HashMap<String, String>;

impl Session<'_> {
    fn is_mariadb(&self) -> bool {
        self.connection.server_version().flavor == Flavor::MariaDb
    }

    async fn variables(&mut self) -> Result<Variables, ConnectorError> {
        let sql = "SHOW GLOBAL VARIABLES WHERE variable_name IN ('log_bin','binlog_checksum','collation_server',\
                   'lower_case_table_names','explicit_defaults_for_timestamp','gtid_mode','server_uuid','server_id')";
        let result = self.connection.query_rows(sql).await;
        let result = result.map_err(|error| self.failed("reading server variables", error))?;
        let pair =
            |row: &crate::wire::Row| Some((row.text(0)?.to_ascii_lowercase(), row.text(1)?.to_owned()));
        let variables: Variables = result.rows.iter().filter_map(pair).collect();
        if variables.get("log_bin").is_some_and(|value| value == "OFF") {
            let error = ConnectorError::new(ErrorKind::LogUnusable, &self.endpoint, "the binary log is off");
            return Err(error.with_hint("start the source with log_bin and binlog_format=ROW"));
        }
        Ok(variables)
    }

    async fn defaults(&mut self, variables: &Variables) -> Result<ServerDefaults, ConnectorError> {
        let version = self.connection.server_version();
        let numbers = (version.major, version.minor, version.patch);
        let mut defaults = ServerDefaults::of_version(version.flavor == Flavor::MariaDb, numbers);
        if let Some(collation) = variables.get("collation_server") {
            defaults.collation.clone_from(collation);
        }
        if let Some(value) = variables.get("explicit_defaults_for_timestamp") {
            defaults.explicit_timestamp_defaults = value == "ON";
        }
        defaults.lower_case_names = variables.get("lower_case_table_names").is_some_and(|value| value != "0");
        let sql = "SELECT schema_name, default_collation_name FROM information_schema.schemata";
        let schemata = self.connection.query_rows(sql).await;
        let schemata = schemata.map_err(|error| self.failed("reading the databases' collations", error))?;
        let pair = |row: &crate::wire::Row| Some((row.text(0)?.to_owned(), row.text(1)?.to_owned()));
        defaults.databases = schemata.rows.iter().filter_map(pair).collect();
        Ok(defaults)
    }

    /// Sets what the dump needs; tells what checksums events carry until the log says it.
    async fn prepare(&mut self, variables: &Variables) -> Result<Checksum, ConnectorError> {
        let heartbeat = self.config.heartbeat.as_nanos();
        let mut sets = vec![
            format!("@master_heartbeat_period={heartbeat}"),
            format!("@source_heartbeat_period={heartbeat}"),
            format!("@slave_uuid='{}'", self.identity.uuid),
            format!("@replica_uuid='{}'", self.identity.uuid),
            // A reader that waits for its consumer is no reason to cut it off.
            "net_write_timeout=3600".to_owned(),
        ];
        let checksums = variables.contains_key("binlog_checksum");
        if checksums {
            sets.push("@master_binlog_checksum='CRC32'".to_owned());
            sets.push("@source_binlog_checksum='CRC32'".to_owned());
        }
        if self.is_mariadb() {
            sets.push("@mariadb_slave_capability=4".to_owned());
        }
        self.execute(format!("SET {}", sets.join(", ")).as_bytes(), "preparing the session").await?;
        Ok(if checksums { Checksum::Crc32 } else { Checksum::None })
    }

    async fn start(
        &mut self,
        position: &BinlogPosition,
        server: &str,
        variables: &Variables,
    ) -> Result<String, ConnectorError> {
        let replica = ReplicaIdentity { server_id: self.identity.server_id, host: "whimbrel", port: 0 };
        let registered = self.connection.register_replica(&replica).await;
        registered.map_err(|error| {
            let failed = self.failed("registering as a replica", error);
            match failed.kind {
                ErrorKind::PrivilegeMissing => failed.with_hint("GRANT REPLICATION SLAVE ON *.* TO the user"),
                _ => failed,
            }
        })?;
        let same_server = position.server == server || position.server.is_empty();
        let by_file = same_server && self.config.start_by == StartBy::FileOnSameServer;
        let gtids_on = variables.get("gtid_mode").is_none_or(|mode| mode == "ON" || mode == "ON_PERMISSIVE");
        match &position.gtids {
            GtidState::Mysql(set) if !by_file && gtids_on && !self.is_mariadb() => {
                let encoded_set = encode_set(set);
                self.dump(BinlogStart::Gtid { encoded_set: &encoded_set }).await?;
                Ok(format!("GTIDs after {set}"))
            }
            GtidState::MariaDb(set) if !by_file && !set.is_empty() && self.is_mariadb() => {
                let mut sql = b"SET @slave_connect_state=".to_vec();
                push_string(&mut sql, set.to_string().as_bytes());
                sql.extend_from_slice(b", @slave_gtid_strict_mode=0, @slave_gtid_ignore_duplicates=0");
                self.execute(&sql, "naming the start position").await?;
                self.dump(BinlogStart::File { name: "", position: 4 }).await?;
                Ok(format!("GTIDs after {set}"))
            }
            _ if !same_server => {
                let message = format!(
                    "the position is one of the server {}, and this is {server}; without GTIDs it means nothing here",
                    position.server
                );
                Err(ConnectorError::new(ErrorKind::PositionPurged, &self.endpoint, message))
            }
            _ => self.start_at_file(position).await,
        }
    }

    async fn start_at_file(&mut self, position: &BinlogPosition) -> Result<String, ConnectorError> {
        let Ok(offset) = u32::try_from(position.offset) else {
            let message = format!(
                "offset {} of {} can't be asked for: the protocol has 32 bits for it",
                position.offset, position.file
            );
            let hint = "start at the beginning of the next log file, or by GTID";
            return Err(ConnectorError::new(ErrorKind::Unsupported, &self.endpoint, message).with_hint(hint));
        };
        self.dump(BinlogStart::File { name: &position.file, position: offset.max(4) }).await?;
        Ok(format!("{}:{offset}", position.file))
    }

    async fn dump(&mut self, start: BinlogStart<'_>) -> Result<(), ConnectorError> {
        // How long silence may last depends on what the server is doing: the reader counts it.
        let dump =
            BinlogDump { server_id: self.identity.server_id, start, non_blocking: false, idle_timeout: None };
        let started = self.connection.start_binlog_dump(&dump).await;
        started.map_err(|error| dump_error(&self.endpoint, error))
    }

    async fn execute(&mut self, sql: &[u8], doing: &str) -> Result<(), ConnectorError> {
        let done = self.connection.query_drop(sql).await;
        done.map_err(|error| self.failed(doing, error))
    }

    fn failed(&self, doing: &str, error: WireError) -> ConnectorError {
        statement_error(&self.endpoint, doing, error)
    }
}

/// What a server means that ends a dump: error 1236 stands for many things and only its text tells them apart.
pub(super) fn dump_error(endpoint: &str, error: WireError) -> ConnectorError {
    let told = match &error {
        WireError::Server { code: 1236 | 1373 | 1789, message, .. } => Some(fatal_dump(message)),
        _ => None,
    };
    let Some((kind, message, hint)) = told else {
        return statement_error(endpoint, "reading the binary log", error);
    };
    ConnectorError::new(kind, endpoint, message).with_hint(hint).with_source(error)
}

fn fatal_dump(message: &str) -> (ErrorKind, &'static str, &'static str) {
    let lower = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&["same server_uuid", "same server_id", "server_uuid/server_id"]) {
        return (
            ErrorKind::Configuration,
            "another replica has registered at the source with the server id of this reader",
            "give every reader and replica of the source a server id of its own",
        );
    }
    if says(&["max_allowed_packet", "bogus data in log event", "log event entry exceeded"]) {
        return (
            ErrorKind::LogUnusable,
            "the source can't send an event of its log",
            "raise max_allowed_packet at the source, or check its log with mysqlbinlog",
        );
    }
    if says(&["impossible position", "> file size", "position > file size", "wrong offset", "read past"]) {
        return (
            ErrorKind::PositionPurged,
            "the source's log does not reach the position",
            "the source has lost the end of its log, or its logs were reset: start the task anew",
        );
    }
    if says(&[
        "more gtids than",
        "has more gtids",
        "diverge",
        "not in the master's binlog",
        "not in the source's binlog",
    ]) {
        return (
            ErrorKind::PositionPurged,
            "the source's log does not hold the transactions that have been read",
            "the source was reset, or is another server than before: start the task anew",
        );
    }
    if says(&[
        "purged",
        "could not find first log",
        "could not find gtid state",
        "could not open log",
        "not find",
    ]) {
        return (
            ErrorKind::PositionPurged,
            "the source has removed the log at the position",
            "keep binary logs longer at the source (binlog_expire_logs_seconds, expire_logs_days), and start the task anew",
        );
    }
    (ErrorKind::LogUnusable, "the source ends the reading of its log", "look at the source's error log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_error_1236_tells_what_happened() {
        for (message, kind) in [
            ("Could not find first log file name in binary log index file", ErrorKind::PositionPurged),
            ("Cannot replicate because the source purged required binary logs.", ErrorKind::PositionPurged),
            (
                "Client requested source to start replication from position > file size",
                ErrorKind::PositionPurged,
            ),
            (
                "Client requested master to start replication from impossible position",
                ErrorKind::PositionPurged,
            ),
            (
                "A replica with the same server_uuid/server_id as this replica has connected to the source",
                ErrorKind::Configuration,
            ),
            (
                "Error: connecting slave requested to start from GTID 0-1-9, which is not in the master's binlog",
                ErrorKind::PositionPurged,
            ),
            (
                "Could not find GTID state requested by slave in any binlog files. Probably the slave state is too old",
                ErrorKind::PositionPurged,
            ),
            ("log event entry exceeded max_allowed_packet", ErrorKind::LogUnusable),
            ("something new", ErrorKind::LogUnusable),
        ] {
            let error = WireError::Server { code: 1236, sqlstate: "HY000".into(), message: message.into() };
            assert_eq!(dump_error("e", error).kind, kind, "{message}");
        }
        let lost = WireError::Closed { server: "h:1".into(), mid_packet: false };
        assert_eq!(dump_error("e", lost).kind, ErrorKind::ConnectionLost);
    }

    #[test]
    fn a_reader_has_an_identity_of_its_own() {
        let (one, two) = (Identity::choose(None).unwrap(), Identity::choose(Some(7)).unwrap());
        assert!(one.server_id >= 1 << 31 && two.server_id == 7);
        assert_eq!(one.uuid.len(), 36);
        assert_ne!(one.uuid, two.uuid);
        assert!(whimbrel_model::gtid::parse_uuid(&one.uuid).is_some());
    }
}
