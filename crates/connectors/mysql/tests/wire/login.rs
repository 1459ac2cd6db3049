//! TLS and login against servers that ask for too much.

use whimbrel_connector_mysql::wire::{ConnectOptions, Connection, TlsMode, WireError};

use crate::fake::{CAPABILITIES, OK, SSL, serve, text};

/// Connects to a server that answers the login with `answer`.
async fn answered_with(answer: &'static [u8]) -> WireError {
    let (options, server) = serve(1, move |_, mut fake| async move {
        fake.greet(CAPABILITIES, "caching_sha2_password").await;
        fake.receive().await;
        fake.packet(2, answer).await;
    })
    .await;
    let error = Connection::connect(&options).await.expect_err("no session");
    server.await.expect("script");
    text(&error);
    error
}

#[tokio::test]
async fn login_methods_that_are_not_there_are_named() {
    let plugin = |error: WireError| match error {
        WireError::AuthPlugin { plugin, .. } => plugin,
        other => panic!("{other}"),
    };
    assert_eq!(plugin(answered_with(b"\xfe").await), "mysql_old_password");
    assert_eq!(plugin(answered_with(b"\xfemysql_old_password\0abcdefgh\0").await), "mysql_old_password");
    assert_eq!(plugin(answered_with(b"\xfedialog\0Password: ").await), "dialog");
    assert_eq!(plugin(answered_with(b"\x01\x07").await), "caching_sha2_password");
    assert_eq!(plugin(answered_with(b"\x01-----BEGIN PUBLIC KEY-----\nAAAA").await), "caching_sha2_password");
}

#[tokio::test]
async fn a_readable_password_is_not_sent_in_clear() {
    let (options, server) = serve(1, |_, mut fake| async move {
        fake.greet(CAPABILITIES, "mysql_clear_password").await;
        let (_, login) = fake.receive().await;
        let switch = b"\xfemysql_clear_password\0";
        fake.packet(2, switch).await;
        let rest = fake.receive_rest().await;
        for sent in [login, rest] {
            assert!(!sent.windows(7).any(|window| window == b"hunter2"));
        }
    })
    .await;
    let error = Connection::connect(&options).await.expect_err("refused");
    assert!(
        matches!(&error, WireError::AuthPlugin { plugin, .. } if plugin == "mysql_clear_password"),
        "{error}"
    );
    server.await.expect("script");
}

#[tokio::test]
async fn malformed_answers_are_protocol_errors() {
    assert!(matches!(answered_with(b"\x09").await, WireError::Protocol { .. }));
    assert!(matches!(answered_with(b"").await, WireError::Protocol { .. }));
    assert!(matches!(answered_with(b"\xfeno_end_of_name").await, WireError::Protocol { .. }));
    assert!(matches!(answered_with(b"\0\xfe").await, WireError::Protocol { .. }));
}

#[tokio::test]
async fn a_login_without_end_is_cut() {
    let (options, server) = serve(1, |_, mut fake| async move {
        fake.greet(CAPABILITIES, "caching_sha2_password").await;
        fake.receive().await;
        for sequence in 2..18 {
            fake.packet(sequence, b"\x01\x03").await;
        }
    })
    .await;
    let error = Connection::connect(&options).await.expect_err("no end");
    assert!(matches!(error, WireError::Protocol { what: "login that never ends", .. }), "{error}");
    server.await.expect("script");
}

#[tokio::test]
async fn required_tls_that_is_not_offered_sends_no_login() {
    for mode in [TlsMode::Require, TlsMode::VerifyFull] {
        let (mut options, server) = serve(1, |_, mut fake| async move {
            fake.greet(CAPABILITIES, "mysql_native_password").await;
            assert_eq!(fake.receive_rest().await, b"");
        })
        .await;
        options.tls = mode;
        let error = Connection::connect(&options).await.expect_err("no TLS");
        assert!(matches!(error, WireError::TlsNotOffered { .. }), "{error}");
        server.await.expect("script");
    }
}

/// A server that answers the TLS hello with `answer`, and serves clear sessions after that.
async fn old_tls(answer: &'static [u8], connections: usize) -> (ConnectOptions, tokio::task::JoinHandle<()>) {
    serve(connections, move |number, mut fake| async move {
        fake.greet(CAPABILITIES | SSL, "mysql_native_password").await;
        let (_, request) = fake.receive().await;
        if number == 0 {
            assert_eq!(request.len(), 32, "a request for TLS");
            fake.raw(answer).await;
        } else {
            fake.packet(2, OK).await;
        }
    })
    .await
}

/// Alert "protocol version", as a server with nothing above TLS 1.1 sends it.
const TOO_OLD: &[u8] = b"\x15\x03\x01\0\x02\x02\x46";

#[tokio::test]
async fn a_server_with_old_tls_is_named_when_tls_is_required() {
    let (mut options, server) = old_tls(TOO_OLD, 1).await;
    options.tls = TlsMode::Require;
    let error = Connection::connect(&options).await.expect_err("too old");
    assert!(matches!(error, WireError::TlsTooOld { .. }), "{error}");
    server.await.expect("script");
}

#[tokio::test]
async fn a_server_with_old_tls_is_used_in_clear_with_a_warning_when_tls_is_preferred() {
    for answer in [TOO_OLD, b"", b"\x16\x03\x01\0\x05gibberish"] {
        let (mut options, server) = old_tls(answer, 2).await;
        options.tls = TlsMode::Prefer;
        let connection = Connection::connect(&options).await.expect("a session in clear");
        assert!(!connection.is_encrypted());
        assert!(connection.tls_warning().is_some_and(|warning| warning.contains("TLS")));
        server.await.expect("script");
    }
}

#[tokio::test]
async fn bytes_that_arrive_before_the_tls_handshake_are_refused() {
    let (mut options, server) = serve(1, |_, mut fake| async move {
        let greeting = crate::fake::greeting(CAPABILITIES | SSL, "mysql_native_password");
        let mut bytes = vec![greeting.len() as u8, 0, 0, 0];
        bytes.extend_from_slice(&greeting);
        bytes.extend_from_slice(b"\x07\0\0\x02\0\0\0\x02\0\0\0");
        fake.raw(&bytes).await;
        drop(fake.receive_rest().await);
    })
    .await;
    options.tls = TlsMode::Require;
    let error = Connection::connect(&options).await.expect_err("injected");
    assert!(matches!(error, WireError::Protocol { what: "data before the TLS handshake", .. }), "{error}");
    server.await.expect("script");
}
