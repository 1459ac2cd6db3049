//! Every login method, with and without TLS.
//!
//! Each test has an account of its own, so that tests may run at the same time.

use whimbrel_connector_mysql::wire::{ConnectOptions, Connection, Flavor, Secret, TlsMode, WireError};

use crate::server::{authority, connect, root, user};

const MYSQL: &str = "mysql97";
const MARIADB: &str = "mariadb1011";
const SEEKDB: &str = "seekdb";

/// Options for an account that is created anew; `identified` is the SQL that says how it logs in.
async fn account(server: &str, name: &str, password: &str, identified: &str) -> ConnectOptions {
    let mut admin = connect(server, &root(server)).await;
    let name = format!("wire_{name}");
    admin.query_drop(format!("DROP USER IF EXISTS '{name}'@'%'")).await.expect("drop user");
    admin.query_drop(format!("CREATE USER '{name}'@'%' {identified}")).await.expect("create user");
    admin.close().await;
    let mut options = user(server);
    options.user = name;
    options.password = Secret::new(password);
    options
}

/// Logs in and proves that the session works, is encrypted as expected, and belongs to the account.
async fn logs_in(options: &ConnectOptions, tls: TlsMode, encrypted: bool) {
    let mut options = options.clone();
    options.tls = tls;
    let mut connection =
        Connection::connect(&options).await.unwrap_or_else(|error| panic!("{tls:?}: {error:?}"));
    assert_eq!(connection.is_encrypted(), encrypted, "{tls:?}");
    let row = connection.query_first("SELECT CURRENT_USER()").await.expect("query").expect("row");
    assert!(row.text(0).is_some_and(|name| name.starts_with(&options.user)), "{row:?}");
    connection.close().await;
}

async fn refused(options: &ConnectOptions) -> WireError {
    let error = Connection::connect(options).await.expect_err("must not log in");
    let shown = format!("{error:?} {error}");
    assert!(options.password.is_empty() || !shown.contains(options.password.expose()), "{shown}");
    error
}

#[tokio::test]
async fn caching_sha2_by_rsa_by_tls_and_from_the_cache() {
    let secret = "pä55 'wörd'";
    let created = "IDENTIFIED WITH caching_sha2_password BY 'pä55 \\'wörd\\''";
    // A new account is not in the server's cache: the first login sends the password, the next one does not.
    let options = account(MYSQL, "sha2_rsa", secret, created).await;
    logs_in(&options, TlsMode::Off, false).await;
    logs_in(&options, TlsMode::Off, false).await;
    logs_in(&options, TlsMode::Require, true).await;

    let options = account(MYSQL, "sha2_tls", secret, created).await;
    logs_in(&options, TlsMode::Prefer, true).await;
    logs_in(&options, TlsMode::Off, false).await;
}

#[tokio::test]
async fn sha256_by_rsa_and_by_tls() {
    let options = account(MYSQL, "sha256", "s3cret", "IDENTIFIED WITH sha256_password BY 's3cret'").await;
    logs_in(&options, TlsMode::Off, false).await;
    logs_in(&options, TlsMode::Require, true).await;
}

#[tokio::test]
async fn empty_passwords_of_both_sha_methods() {
    for (name, plugin) in [("empty2", "caching_sha2_password"), ("empty256", "sha256_password")] {
        let options = account(MYSQL, name, "", &format!("IDENTIFIED WITH {plugin} BY ''")).await;
        let mut wrong = options.clone();
        logs_in(&options, TlsMode::Off, false).await;
        logs_in(&options, TlsMode::Require, true).await;
        wrong.password = Secret::new("not-empty");
        assert_eq!(refused(&wrong).await.server_code(), Some(1045));
    }
}

#[tokio::test]
async fn native_and_ed25519_of_mariadb() {
    let native = "IDENTIFIED VIA mysql_native_password USING PASSWORD('s3cret')";
    let ed25519 = "IDENTIFIED VIA ed25519 USING PASSWORD('s3cret')";
    for (name, identified) in [("native", native), ("ed25519", ed25519)] {
        let options = account(MARIADB, name, "s3cret", identified).await;
        logs_in(&options, TlsMode::Off, false).await;
        logs_in(&options, TlsMode::Require, true).await;
        let mut wrong = options.clone();
        wrong.password = Secret::new("another-one");
        assert_eq!(refused(&wrong).await.server_code(), Some(1045), "{name}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_code_1045_everywhere() {
    for server in [MYSQL, MARIADB, SEEKDB] {
        drop(connect(server, &user(server)).await);
        for tls in [TlsMode::Off, TlsMode::Prefer] {
            let mut options = user(server);
            options.tls = tls;
            options.password = Secret::new("wrong-one");
            let error = refused(&options).await;
            assert_eq!(error.server_code(), Some(1045), "{server}: {error}");
        }
    }
}

#[tokio::test]
async fn certificates_are_checked_against_the_given_authority() {
    for server in [MYSQL, MARIADB] {
        let mut options = user(server);
        options.tls = TlsMode::VerifyCa;
        options.tls_ca = Some(authority(server));
        let mut connection = connect(server, &options).await;
        assert!(connection.is_encrypted());
        connection.ping().await.expect("alive");
    }
}

#[tokio::test]
async fn certificates_of_another_authority_are_refused() {
    for (server, other) in [(MYSQL, MARIADB), (MARIADB, MYSQL)] {
        drop(connect(server, &user(server)).await);
        for tls in [TlsMode::VerifyCa, TlsMode::VerifyFull] {
            let mut options = user(server);
            options.tls = tls;
            options.tls_ca = Some(authority(other));
            let error = refused(&options).await;
            assert!(matches!(error, WireError::TlsCertificate { .. }), "{server} {tls:?}: {error}");
        }
    }
}

#[tokio::test]
async fn verify_full_wants_the_hosts_name() {
    // The certificate that MySQL makes for itself names no host; that of MariaDB's test server names 127.0.0.1.
    let mut options = user(MYSQL);
    drop(connect(MYSQL, &options).await);
    options.tls = TlsMode::VerifyFull;
    options.tls_ca = Some(authority(MYSQL));
    let error = refused(&options).await;
    assert!(matches!(error, WireError::TlsCertificate { .. }), "{error}");

    let mut options = user(MARIADB);
    options.tls = TlsMode::VerifyFull;
    options.tls_ca = Some(authority(MARIADB));
    assert!(connect(MARIADB, &options).await.is_encrypted());
}

#[tokio::test]
async fn an_authority_file_that_is_missing_or_empty_is_named() {
    let mut options = user(MYSQL);
    options.tls = TlsMode::VerifyCa;
    for file in ["/nonexistent/ca.pem", "/dev/null"] {
        options.tls_ca = Some(file.into());
        let error = refused(&options).await;
        assert!(matches!(error, WireError::TlsAuthorities { .. }), "{error}");
        assert!(error.to_string().contains(file), "{error}");
    }
}

#[tokio::test]
async fn seekdb_has_no_tls() {
    let options = user(SEEKDB);
    let mut connection = connect(SEEKDB, &options).await;
    assert!(!connection.is_encrypted() && connection.tls_warning().is_none());
    assert_eq!(connection.server_version().flavor, Flavor::Mysql, "the greeting does not tell");
    assert_eq!(connection.probe_flavor().await.expect("version"), Flavor::OceanBase);
    for tls in [TlsMode::Require, TlsMode::VerifyCa, TlsMode::VerifyFull] {
        let mut options = options.clone();
        options.tls = tls;
        assert!(matches!(refused(&options).await, WireError::TlsNotOffered { .. }), "{tls:?}");
    }
}

#[tokio::test]
async fn versions_of_greeting_and_probe_agree() {
    for (server, flavor, major) in [(MYSQL, Flavor::Mysql, 9), (MARIADB, Flavor::MariaDb, 10)] {
        let mut connection = connect(server, &user(server)).await;
        let greeted = connection.server_version().clone();
        assert_eq!((greeted.flavor, greeted.major), (flavor, major));
        assert_eq!(connection.probe_flavor().await.expect("version"), flavor);
        assert!(connection.server_version().at_least(greeted.major, greeted.minor, greeted.patch));
    }
}

#[tokio::test]
async fn a_default_database_is_used_and_an_unknown_one_refused() {
    let mut options = root(MYSQL);
    options.database = Some("mysql".into());
    let mut connection = connect(MYSQL, &options).await;
    let row = connection.query_first("SELECT DATABASE()").await.expect("query").expect("row");
    assert_eq!(row.text(0), Some("mysql"));
    options.database = Some("wire_no_such_database".into());
    assert_eq!(refused(&options).await.server_code(), Some(1049));
}
