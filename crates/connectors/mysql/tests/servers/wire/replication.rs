//! Binlog dumps of real servers.

use std::time::Duration;

use whimbrel_connector_mysql::wire::{BinlogDump, BinlogStart, Connection, ReplicaIdentity, WireError};

use crate::server::{connect, root, user};

/// Type code of an event, from its common header.
fn event_type(event: &[u8]) -> u8 {
    event.get(4).copied().expect("an event has a header")
}

const FORMAT_DESCRIPTION: u8 = 15;

/// A registered replica that takes checksums.
async fn replica(server: &str, server_id: u32) -> Connection {
    let mut connection = connect(server, &user(server)).await;
    let setup = ["SET @master_binlog_checksum = 'CRC32'", "SET @source_binlog_checksum = 'CRC32'"];
    for sql in setup {
        connection.query_drop(sql).await.expect(sql);
    }
    let identity = ReplicaIdentity { server_id, host: "wire-test", port: 3306 };
    connection.register_replica(&identity).await.expect("registered");
    connection
}

async fn first_log(server: &str) -> String {
    let mut admin = connect(server, &root(server)).await;
    let logs = admin.query_rows("SHOW BINARY LOGS").await.expect("logs");
    logs.rows.last().and_then(|row| row.text(0)).expect("binlog is on").to_owned()
}

#[tokio::test]
async fn a_dump_by_file_begins_with_the_format_and_ends() {
    for (server, server_id) in [("mysql97", 970_001), ("mariadb1011", 970_002)] {
        let name = first_log(server).await;
        let mut connection = replica(server, server_id).await;
        let dump = BinlogDump {
            server_id,
            start: BinlogStart::File { name: &name, position: 4 },
            non_blocking: true,
            idle_timeout: Some(Duration::from_secs(20)),
        };
        connection.start_binlog_dump(&dump).await.expect("asked");
        assert!(!connection.is_usable());
        let mut types = Vec::new();
        while let Some(event) = connection.next_binlog_packet().await.expect("event") {
            let length = event.get(9..13).and_then(|b| <[u8; 4]>::try_from(b).ok()).map(u32::from_le_bytes);
            assert_eq!(length, Some(event.len() as u32), "{server}: the packet is one event");
            types.push(event_type(event));
        }
        assert!(types.contains(&FORMAT_DESCRIPTION), "{server}: {types:?}");
        assert!(matches!(connection.next_binlog_packet().await, Err(WireError::Poisoned)));
    }
}

#[tokio::test]
async fn a_dump_by_gtid_starts_after_what_is_executed() {
    let mut connection = replica("mysql97", 970_003).await;
    let dump = BinlogDump {
        server_id: 970_003,
        // The empty set: everything that the server still has.
        start: BinlogStart::Gtid { encoded_set: &[0; 8] },
        non_blocking: true,
        idle_timeout: Some(Duration::from_secs(20)),
    };
    connection.start_binlog_dump(&dump).await.expect("asked");
    let mut types = Vec::new();
    while let Some(event) = connection.next_binlog_packet().await.expect("event") {
        types.push(event_type(event));
        if types.len() > 100 {
            break;
        }
    }
    assert!(types.contains(&FORMAT_DESCRIPTION), "{types:?}");
}

#[tokio::test]
async fn a_dump_of_a_missing_file_is_the_servers_error() {
    for (server, server_id) in [("mysql97", 970_004), ("mariadb1011", 970_005)] {
        let mut connection = replica(server, server_id).await;
        let dump = BinlogDump {
            server_id,
            start: BinlogStart::File { name: "no-such-log.000001", position: 4 },
            non_blocking: false,
            idle_timeout: Some(Duration::from_secs(20)),
        };
        connection.start_binlog_dump(&dump).await.expect("asked");
        let error = connection.next_binlog_packet().await.expect_err("no such file");
        assert_eq!(error.server_code(), Some(1236), "{server}: {error}");
    }
}

#[tokio::test]
async fn an_idle_server_without_heartbeats_is_noticed() {
    let name = first_log("mariadb1011").await;
    let mut connection = replica("mariadb1011", 970_006).await;
    let dump = BinlogDump {
        server_id: 970_006,
        start: BinlogStart::File { name: &name, position: 4 },
        non_blocking: false,
        // So short that even writes of other tests leave such a gap.
        idle_timeout: Some(Duration::from_millis(5)),
    };
    connection.start_binlog_dump(&dump).await.expect("asked");
    let error = loop {
        match connection.next_binlog_packet().await {
            Ok(event) => assert!(event.is_some()),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, WireError::HeartbeatTimeout { .. }), "{error}");
}
