//! Binlog streams that stall, end or fail.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use whimbrel_connector_mysql::wire::{BinlogDump, BinlogStart, Connection, ReplicaIdentity, WireError};

use crate::fake::{CAPABILITIES, EOF, Fake, OK, serve};

const DUMP: BinlogDump<'static> = BinlogDump {
    server_id: 77,
    start: BinlogStart::File { name: "b.1", position: 4 },
    non_blocking: false,
    idle_timeout: Some(Duration::from_secs(10)),
};

/// A registered replica whose dump the server answers by `answer`.
async fn dump<F>(
    answer: impl Fn(Fake) -> F + Send + Sync + Clone + 'static,
    request: BinlogDump<'static>,
) -> (Connection, tokio::task::JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (options, server) = serve(1, move |_, mut fake| {
        let answer = answer.clone();
        async move {
            fake.log_in(CAPABILITIES).await;
            let registration = b"\x15\x4d\0\0\0\x04host\0\0\xea\x0c\0\0\0\0\0\0\0\0";
            assert_eq!(fake.receive().await, (0, registration.to_vec()));
            fake.packet(1, OK).await;
            assert_eq!(fake.receive().await, (0, b"\x12\x04\0\0\0\0\0\x4d\0\0\0b.1".to_vec()));
            answer(fake).await;
        }
    })
    .await;
    let mut connection = Connection::connect(&options).await.expect("session");
    let identity = ReplicaIdentity { server_id: 77, host: "host", port: 3306 };
    connection.register_replica(&identity).await.expect("registered");
    connection.start_binlog_dump(&request).await.expect("asked");
    (connection, server)
}

#[tokio::test]
async fn events_come_in_order_and_the_sequence_wraps() {
    let (mut connection, server) = dump(
        |mut fake| async move {
            for number in 1..=600u32 {
                let mut packet = vec![0];
                packet.extend_from_slice(&number.to_le_bytes());
                fake.packet(number as u8, &packet).await;
            }
            fake.packet(89, EOF).await;
        },
        DUMP,
    )
    .await;
    for number in 1..=600u32 {
        let event = connection.next_binlog_packet().await.expect("event");
        assert_eq!(event, Some(&number.to_le_bytes()[..]));
    }
    assert_eq!(connection.next_binlog_packet().await.expect("end"), None);
    assert!(matches!(connection.next_binlog_packet().await, Err(WireError::Poisoned)));
    assert!(matches!(connection.ping().await, Err(WireError::Poisoned)));
    server.await.expect("script");
}

#[tokio::test]
async fn silence_beyond_the_limit_is_a_heartbeat_timeout() {
    let request = BinlogDump { idle_timeout: Some(Duration::from_millis(50)), ..DUMP };
    let (mut connection, server) =
        dump(|mut fake| async move { drop(fake.receive_rest().await) }, request).await;
    let error = connection.next_binlog_packet().await.expect_err("silence");
    assert!(matches!(error, WireError::HeartbeatTimeout { .. }), "{error}");
    assert!(error.is_connection_lost());
    drop(connection);
    server.await.expect("script");
}

#[tokio::test]
async fn a_cancelled_wait_loses_no_event() {
    let cancelled = Arc::new(Notify::new());
    let go_on = Arc::clone(&cancelled);
    let (mut connection, server) = dump(
        move |mut fake| {
            let go_on = Arc::clone(&go_on);
            async move {
                fake.raw(b"\x04\0\0\x01\0ab").await;
                go_on.notified().await;
                fake.raw(b"c").await;
                fake.packet(2, b"\0next").await;
                drop(fake.receive_rest().await);
            }
        },
        DUMP,
    )
    .await;
    let waited = timeout(Duration::from_millis(30), connection.next_binlog_packet()).await;
    assert!(waited.is_err(), "half an event is none");
    cancelled.notify_one();
    assert_eq!(connection.next_binlog_packet().await.expect("event"), Some(&b"abc"[..]));
    assert_eq!(connection.next_binlog_packet().await.expect("event"), Some(&b"next"[..]));
    drop(connection);
    server.await.expect("script");
}

#[tokio::test]
async fn the_servers_refusal_and_foreign_packets_are_errors() {
    let (mut connection, server) = dump(
        |mut fake| async move {
            let refusal = b"\xff\xd4\x04#HY000Could not find first log file name in binary log index file";
            fake.packet(1, refusal).await;
        },
        DUMP,
    )
    .await;
    assert_eq!(connection.next_binlog_packet().await.expect_err("purged").server_code(), Some(1236));
    server.await.expect("script");

    let (mut connection, server) =
        dump(|mut fake| async move { fake.packet(1, b"\xef\x01event").await }, DUMP).await;
    let error = connection.next_binlog_packet().await.expect_err("a semi-sync header or worse");
    assert!(matches!(error, WireError::Protocol { what: "binlog packet", .. }), "{error}");
    server.await.expect("script");
}
