//! Results that are cut, damaged, late or too large.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use whimbrel_connector_mysql::wire::{Connection, FILE_PART, LocalFile, WireError};

use crate::fake::{CAPABILITIES, DEPRECATE_EOF, EOF, Fake, OK, serve, text};

/// The error of `SELECT` against a server that logs the client in, sends the result's head, and then does `rest`.
async fn rows_then<F>(rest: impl Fn(Fake) -> F + Send + Sync + Clone + 'static) -> (Connection, WireError)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (mut options, server) = serve(1, move |_, mut fake| {
        let rest = rest.clone();
        async move {
            fake.log_in(CAPABILITIES).await;
            fake.begin_rows().await;
            rest(fake).await;
        }
    })
    .await;
    options.max_packet = 1024;
    let mut connection = Connection::connect(&options).await.expect("session");
    let error = connection.query_rows("SELECT c").await.expect_err("no rows");
    text(&error);
    server.await.expect("script");
    (connection, error)
}

async fn assert_unusable(mut connection: Connection) {
    assert!(!connection.is_usable());
    assert!(matches!(connection.ping().await, Err(WireError::Poisoned)));
}

#[tokio::test]
async fn a_connection_cut_in_a_packet_is_noticed() {
    let (connection, error) =
        rows_then(|mut fake| async move { fake.raw(b"\x05\0\0\x04\x04ab").await }).await;
    assert!(matches!(error, WireError::Closed { mid_packet: true, .. }), "{error}");
    assert_unusable(connection).await;
    let (_, error) = rows_then(|_| async {}).await;
    assert!(matches!(error, WireError::Closed { mid_packet: false, .. }), "{error}");
}

#[tokio::test]
async fn packets_out_of_order_are_noticed() {
    let (connection, error) = rows_then(|mut fake| async move { fake.packet(5, b"\x01a").await }).await;
    assert!(matches!(error, WireError::Sequence { expected: 4, got: 5 }), "{error}");
    assert_unusable(connection).await;
}

#[tokio::test]
async fn packets_beyond_the_limit_are_refused_before_they_arrive() {
    let (connection, error) = rows_then(|mut fake| async move { fake.raw(b"\x01\x04\0\x04").await }).await;
    assert!(matches!(error, WireError::PacketTooLarge { size: 1025, limit: 1024 }), "{error}");
    assert_unusable(connection).await;
}

#[tokio::test]
async fn damaged_rows_are_refused() {
    let (connection, error) = rows_then(|mut fake| async move { fake.packet(4, b"\x05ab").await }).await;
    assert!(matches!(error, WireError::Protocol { what: "row", at: 0 }), "{error}");
    assert_unusable(connection).await;
}

#[tokio::test]
async fn silence_in_a_result_ends_at_the_read_timeout() {
    let (mut options, server) = serve(1, |_, mut fake| async move {
        fake.log_in(CAPABILITIES).await;
        fake.begin_rows().await;
        drop(fake.receive_rest().await);
    })
    .await;
    options.read_timeout = Some(Duration::from_millis(50));
    let mut connection = Connection::connect(&options).await.expect("session");
    let error = connection.query_rows("SELECT c").await.expect_err("silence");
    assert!(matches!(error, WireError::ReadTimeout { .. }), "{error}");
    assert_unusable(connection).await;
    server.await.expect("script");
}

#[tokio::test]
async fn an_error_between_rows_leaves_the_connection_usable() {
    let (options, server) = serve(1, |_, mut fake| async move {
        fake.log_in(CAPABILITIES).await;
        fake.begin_rows().await;
        fake.packet(4, b"\x01a").await;
        fake.packet(5, b"\xff\x25\x05#70100Query execution was interrupted").await;
        assert_eq!(fake.receive().await, (0, vec![0x0e]));
        fake.packet(1, OK).await;
    })
    .await;
    let mut connection = Connection::connect(&options).await.expect("session");
    let mut rows = connection.query_stream("SELECT c").await.expect("rows");
    assert_eq!(rows.next().await.expect("first").expect("row").get(0), Some(&b"a"[..]));
    assert_eq!(rows.next().await.expect_err("interrupted").server_code(), Some(1317));
    assert!(rows.next().await.expect("stays ended").is_none());
    connection.ping().await.expect("usable");
    server.await.expect("script");
}

#[tokio::test]
async fn rows_arrive_whole_however_they_are_cut() {
    let big = vec![b'x'; 0x100_0005];
    let expected = big.clone();
    let (options, server) = serve(1, move |_, mut fake| {
        let big = big.clone();
        async move {
            fake.log_in(CAPABILITIES).await;
            fake.begin_rows().await;
            // Byte by byte, then one over 16 MiB in two parts, then one of exactly one full part and an empty one.
            for byte in b"\x06\0\0\x04\x05hello" {
                fake.raw(&[*byte]).await;
            }
            let mut row = vec![0xfe];
            row.extend_from_slice(&(big.len() as u64).to_le_bytes());
            row.extend_from_slice(&big);
            let (head, tail) = row.split_at(0xff_ffff);
            fake.packet(5, head).await;
            fake.packet(6, tail).await;
            let mut row = vec![0xfd, 0xfb, 0xff, 0xff];
            row.resize(0xff_ffff, b'y');
            fake.packet(7, &row).await;
            fake.packet(8, b"").await;
            fake.packet(9, b"\xfb").await;
            fake.packet(10, EOF).await;
        }
    })
    .await;
    let mut connection = Connection::connect(&options).await.expect("session");
    let mut rows = connection.query_stream("SELECT c").await.expect("rows");
    assert_eq!(rows.columns()[0].name, "c");
    assert_eq!(rows.next().await.expect("row").expect("row").get(0), Some(&b"hello"[..]));
    assert!(rows.next().await.expect("row").expect("row").get(0) == Some(&expected));
    assert_eq!(rows.next().await.expect("row").expect("row").get(0).map(<[u8]>::len), Some(0xff_fffb));
    assert_eq!(rows.next().await.expect("row").expect("row").get(0), None);
    let end = rows.finish().await.expect("end");
    assert!(end.status.autocommit());
    assert!(connection.is_usable());
    server.await.expect("script");
}

#[tokio::test]
async fn a_request_for_a_local_file_is_refused() {
    let (options, server) = serve(1, |_, mut fake| async move {
        fake.log_in(CAPABILITIES | DEPRECATE_EOF).await;
        fake.receive().await;
        fake.packet(1, b"\xfb/etc/passwd").await;
        assert_eq!(fake.receive().await, (2, Vec::new()), "an empty packet and nothing else");
        fake.packet(3, b"\xff\x6c\x0f#42000Loading local data is disabled").await;
        assert_eq!(fake.receive().await, (0, vec![0x0e]));
        fake.packet(1, OK).await;
    })
    .await;
    let mut connection = Connection::connect(&options).await.expect("session");
    let error = connection.execute("SELECT 1").await.expect_err("refused");
    assert!(matches!(error, WireError::LocalInfile), "{error}");
    connection.ping().await.expect("still usable");
    server.await.expect("script");
}

/// The answer to a statement with another one behind it.
const OK_AND_MORE: &[u8] = b"\0\0\0\x0a\0\0\0";

#[tokio::test]
async fn a_statement_gets_the_file_that_was_given_for_it() {
    let bytes: Vec<u8> = (0..FILE_PART * 2 + 5).map(|at| at as u8).collect();
    let expected = bytes.clone();
    let (options, server) = serve(1, move |_, mut fake| {
        let expected = expected.clone();
        async move {
            fake.log_in(CAPABILITIES).await;
            fake.receive().await;
            fake.packet(1, OK_AND_MORE).await;
            fake.packet(2, b"\xfbanything").await;
            let mut file = Vec::new();
            let mut last = 2;
            loop {
                let (sequence, part) = fake.receive().await;
                assert_eq!(sequence, last + 1);
                assert!(part.len() <= FILE_PART);
                last = sequence;
                if part.is_empty() {
                    break;
                }
                file.extend_from_slice(&part);
            }
            assert!(file == expected, "the file arrives whole");
            fake.packet(last + 1, b"\0\x03\0\x02\0\0\0").await;
        }
    })
    .await;
    let mut connection = Connection::connect(&options).await.expect("session");
    let file = LocalFile { statement: 1, bytes: &bytes };
    let results = connection.execute_multi_with("BEGIN;LOAD DATA", file).await.expect("loaded");
    assert_eq!(results.iter().map(|result| result.affected_rows).collect::<Vec<_>>(), [0, 3]);
    server.await.expect("script");
}

#[tokio::test]
async fn a_file_is_sent_for_its_own_statement_only_and_only_once() {
    // Asked for at the statement before, and asked for twice.
    for statement in [1, 0] {
        let (options, server) = serve(1, move |_, mut fake| async move {
            fake.log_in(CAPABILITIES).await;
            fake.receive().await;
            fake.packet(1, b"\xfb/etc/passwd").await;
            let mut next = 2;
            if statement == 0 {
                assert_eq!(fake.receive().await, (2, b"rows".to_vec()));
                assert_eq!(fake.receive().await, (3, Vec::new()));
                fake.packet(4, b"\xfb/etc/shadow").await;
                next = 5;
            }
            assert_eq!(fake.receive().await, (next, Vec::new()), "an empty packet and nothing else");
            fake.packet(next + 1, b"\xff\x6c\x0f#42000Loading local data is disabled").await;
            assert_eq!(fake.receive().await, (0, vec![0x0e]));
            fake.packet(1, OK).await;
        })
        .await;
        let mut connection = Connection::connect(&options).await.expect("session");
        let file = LocalFile { statement, bytes: b"rows" };
        let error = connection.execute_multi_with("SELECT 1", file).await.expect_err("refused");
        assert!(matches!(error.source, WireError::LocalInfile), "{error}");
        connection.ping().await.expect("still usable");
        server.await.expect("script");
    }
}

#[tokio::test]
async fn files_are_offered_only_by_sessions_that_send_them() {
    for local_files in [false, true] {
        let (mut options, server) = serve(1, move |_, mut fake| async move {
            fake.greet(CAPABILITIES, "mysql_native_password").await;
            let (_, login) = fake.receive().await;
            assert_eq!(login[0] & 0x80 != 0, local_files);
            fake.packet(2, OK).await;
        })
        .await;
        options.local_files = local_files;
        Connection::connect(&options).await.expect("session");
        server.await.expect("script");
    }
}

#[tokio::test]
async fn a_cancelled_query_poisons_the_connection() {
    let (answer, wait) = oneshot::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    let (options, server) = serve(1, move |_, mut fake| {
        let wait = wait.lock().expect("lock").take().expect("one connection");
        async move {
            fake.log_in(CAPABILITIES).await;
            fake.receive().await;
            drop(wait.await);
            fake.packet(1, OK).await;
        }
    })
    .await;
    let mut connection = Connection::connect(&options).await.expect("session");
    let cancelled = timeout(Duration::from_millis(20), connection.execute("SELECT SLEEP(9)")).await;
    assert!(cancelled.is_err());
    answer.send(()).expect("server waits");
    server.await.expect("script");
    assert!(matches!(connection.execute("SELECT 1").await, Err(WireError::Poisoned)));
    assert_unusable(connection).await;
}

#[tokio::test]
async fn a_stream_that_is_dropped_early_poisons_the_connection() {
    let (options, server) = serve(1, |_, mut fake| async move {
        fake.log_in(CAPABILITIES).await;
        fake.begin_rows().await;
        fake.packet(4, b"\x01a").await;
        fake.packet(5, b"\x01b").await;
        fake.packet(6, EOF).await;
    })
    .await;
    let mut connection = Connection::connect(&options).await.expect("session");
    let mut rows = connection.query_stream("SELECT c").await.expect("rows");
    assert!(rows.next().await.expect("row").is_some());
    drop(rows);
    assert_unusable(connection).await;
    server.await.expect("script");
}

#[tokio::test]
async fn both_sides_may_send_much_at_once() {
    // Each side's 8 MiB exceed what the sockets buffer, and the server reads only after it has sent everything.
    const LEN: usize = 8 << 20;
    let (options, server) = serve(1, |_, mut fake| async move {
        fake.log_in(CAPABILITIES).await;
        let mut info = OK.to_vec();
        info.resize(LEN, b'i');
        fake.packet(1, &info).await;
        let (_, command) = fake.receive().await;
        assert_eq!(command.len(), LEN + 1);
    })
    .await;
    let mut connection = Connection::connect(&options).await.expect("session");
    let ok = connection.execute(vec![b' '; LEN]).await.expect("no deadlock");
    assert_eq!(ok.info.len(), LEN - OK.len());
    server.await.expect("script");
}

#[tokio::test]
async fn a_command_that_is_refused_while_it_is_sent_shows_the_servers_reason() {
    let (options, server) = serve(1, |_, mut fake| async move {
        fake.log_in(CAPABILITIES).await;
        fake.packet(9, b"\xff\x81\x04#08S01Got a packet bigger than 'max_allowed_packet' bytes").await;
    })
    .await;
    let mut connection = Connection::connect(&options).await.expect("session");
    let error = connection.execute(vec![b' '; 15 << 20]).await.expect_err("refused");
    assert_eq!(error.server_code(), Some(1153), "{error}");
    assert_unusable(connection).await;
    server.await.expect("script");
}

#[tokio::test]
async fn commands_over_16_mib_go_out_in_parts() {
    let (options, server) = serve(1, |_, mut fake| async move {
        fake.log_in(CAPABILITIES).await;
        // One byte of the payload is the command, so these fill one part exactly and need an empty second one.
        let parts = [fake.receive().await, fake.receive().await];
        assert_eq!(parts.map(|(sequence, part)| (sequence, part.len())), [(0, 0xff_ffff), (1, 0)]);
        fake.packet(2, OK).await;
        let parts = [fake.receive().await, fake.receive().await];
        assert_eq!(parts.map(|(sequence, part)| (sequence, part.len())), [(0, 0xff_ffff), (1, 12)]);
        fake.packet(2, OK).await;
    })
    .await;
    let mut connection = Connection::connect(&options).await.expect("session");
    connection.execute(vec![b' '; 0xff_fffe]).await.expect("one full part");
    connection.execute(vec![b' '; 0x100_000a]).await.expect("two parts");
    server.await.expect("script");
}
