//! The first packet, or whatever comes in its place.

use std::time::Duration;

use whimbrel_connector_mysql::wire::{Connection, WireError};

use crate::fake::{CAPABILITIES, greeting, serve, text};

/// Connects to a server that says `bytes` and closes.
async fn greeted_with(bytes: &'static [u8]) -> WireError {
    let (options, server) = serve(1, move |_, mut fake| async move { fake.raw(bytes).await }).await;
    let error = Connection::connect(&options).await.expect_err("no session");
    server.await.expect("script");
    text(&error);
    error
}

#[tokio::test]
async fn other_protocols_are_told_apart() {
    let banners: [&[u8]; 5] = [
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"-ERR wrong number of arguments\r\n",
        // The X protocol's notice, on port 33060.
        b"\x05\0\0\0\x0b\x08\x05\x1a\0",
        b"E",
    ];
    for banner in banners {
        let error = greeted_with(banner).await;
        assert!(matches!(error, WireError::NotMysql { .. }), "{banner:?}: {error}");
    }
    let http = greeted_with(banners[0]).await.to_string();
    assert!(http.contains("does not speak the MySQL protocol: it greets with \"HTTP/1.1 400"), "{http}");
}

#[tokio::test]
async fn a_server_that_closes_at_once_is_closed() {
    assert!(matches!(greeted_with(b"").await, WireError::Closed { mid_packet: false, .. }));
}

#[tokio::test]
async fn a_greeting_that_is_cut_is_closed_in_the_middle() {
    let error = greeted_with(b"\x4a\0\0\0\x0a8.0.36\0\x08\0\0\0ab").await;
    assert!(matches!(error, WireError::Closed { mid_packet: true, .. }), "{error}");
    assert!(error.is_connection_lost());
}

#[tokio::test]
async fn a_damaged_greeting_is_a_protocol_error() {
    let error = greeted_with(b"\x04\0\0\0\x0a8.0").await;
    assert!(matches!(error, WireError::Protocol { what: "server version", at: 1 }), "{error}");
}

#[tokio::test]
async fn a_refusal_instead_of_a_greeting_is_the_servers_error() {
    assert_eq!(greeted_with(b"\x17\0\0\0\xff\x10\x04Too many connections").await.server_code(), Some(1040));
}

#[tokio::test]
async fn old_protocols_are_named() {
    let error = greeted_with(b"\x08\0\0\0\x093.20.3\0").await;
    assert!(matches!(error, WireError::ServerTooOld { .. }), "{error}");
    let (options, server) = serve(1, |_, mut fake| async move {
        fake.packet(0, &greeting(CAPABILITIES & !(1 << 9), "")).await;
    })
    .await;
    let error = Connection::connect(&options).await.expect_err("too old");
    server.await.expect("script");
    assert!(matches!(error, WireError::ServerTooOld { .. }), "{error}");
}

#[tokio::test]
async fn a_silent_server_ends_at_the_deadline_with_the_step() {
    let (mut options, server) = serve(1, |_, mut fake| async move { drop(fake.receive_rest().await) }).await;
    options.connect_timeout = Duration::from_millis(50);
    let error = Connection::connect(&options).await.expect_err("silence");
    assert!(
        matches!(error, WireError::ConnectTimeout { stage: "waiting for the server's greeting", .. }),
        "{error}"
    );
    server.await.expect("script");

    let (mut options, server) = serve(1, |_, mut fake| async move {
        fake.greet(CAPABILITIES, "mysql_native_password").await;
        drop(fake.receive_rest().await);
    })
    .await;
    options.connect_timeout = Duration::from_millis(200);
    let error = Connection::connect(&options).await.expect_err("silence");
    assert!(matches!(error, WireError::ConnectTimeout { stage: "logging in", .. }), "{error}");
    server.await.expect("script");
}

#[tokio::test]
async fn nobody_listening_is_an_io_error_with_the_address() {
    let (options, server) = serve(0, |_, _| async {}).await;
    server.await.expect("listener is closed");
    let error = Connection::connect(&options).await.expect_err("refused");
    assert!(matches!(error, WireError::Io { action: "connecting", .. }), "{error}");
    assert!(error.to_string().contains(&options.address()));
}
