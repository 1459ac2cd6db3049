//! Prechecks name what is missing, with the statement that mends it, and nothing else.

use whimbrel_connector::{Catalog, ErrorKind, Finding, Severity};
use whimbrel_connector_mysql::catalog::MysqlCatalog;
use whimbrel_connector_mysql::wire::{ConnectOptions, Scheme, Secret};
use whimbrel_model::TableName;

use super::{admin, catalog, run};
use crate::server;

fn errors(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.severity == Severity::Error).collect()
}

fn hints(findings: &[Finding]) -> Vec<&str> {
    let code = ErrorKind::PrivilegeMissing.code();
    findings.iter().filter(|finding| finding.code == code).map(|finding| finding.hint.as_str()).collect()
}

/// The same server with another account.
fn as_user(server: &str, user: &str) -> MysqlCatalog {
    let mut options = server::root(server);
    options.user = user.to_owned();
    options.password = Secret::new("pw");
    MysqlCatalog::new(&options)
}

#[tokio::test]
async fn a_source_with_all_privileges_has_no_errors() {
    for server in ["mysql97", "mariadb1011", "mysql56", "mysql55", "mariadb102", "mariadb118"] {
        let mut connection = admin(server).await;
        run(&mut connection, "DROP DATABASE IF EXISTS catalog_checked; CREATE DATABASE catalog_checked; USE catalog_checked;
            CREATE TABLE k (id int PRIMARY KEY) ENGINE=InnoDB; CREATE TABLE n (id int) ENGINE=InnoDB; CREATE TABLE m (id int PRIMARY KEY) ENGINE=MyISAM;
            CREATE TABLE f (id int PRIMARY KEY, k int, CONSTRAINT casc FOREIGN KEY (k) REFERENCES k (id) ON DELETE CASCADE) ENGINE=InnoDB;").await;
        let names = ["k", "n", "m", "f"].map(|table| TableName::new("catalog_checked", table));
        let mut catalog = MysqlCatalog::new(&server::user(server));
        let tables = catalog.table_schemas(&names).await.unwrap();
        let findings = catalog.check_source(&tables, true).await.unwrap();
        assert!(errors(&findings).is_empty(), "{server}: {findings:#?}");
        let about = |name: &str| findings.iter().find(|f| f.object == format!("catalog_checked.{name}"));
        assert_eq!(about("n").unwrap().severity, Severity::Info, "{server}: keyless");
        assert!(about("m").unwrap().cause.contains("MyISAM"), "{server}");
        assert_eq!(about("f").is_some(), server != "mysql97", "{server}: MySQL 9.6 and later logs cascades");
        assert!(about("k").is_none());
        connection.query_drop("DROP DATABASE catalog_checked").await.unwrap();
    }
}

#[tokio::test]
async fn every_missing_privilege_at_the_source_is_granted_by_its_hint() {
    for server in ["mysql97", "mariadb1011", "mysql56"] {
        let mut connection = admin(server).await;
        run(
            &mut connection,
            "DROP DATABASE IF EXISTS catalog_source; CREATE DATABASE catalog_source; USE catalog_source;
            CREATE TABLE k (id int PRIMARY KEY, a int); CREATE TABLE n (id int);
            CREATE DATABASE IF NOT EXISTS catalog_other;",
        )
        .await;
        let _ = connection.query_drop("DROP USER 'catalog_src'@'%'").await;
        run(&mut connection, "CREATE USER 'catalog_src'@'%' IDENTIFIED BY 'pw'; GRANT SELECT (id) ON catalog_source.k TO 'catalog_src'@'%';").await;
        let names = ["k", "n"].map(|table| TableName::new("catalog_source", table));
        let tables = catalog(server).table_schemas(&names).await.unwrap();
        let mut user = as_user(server, "catalog_src");
        let findings = user.check_source(&tables, true).await.unwrap();
        let mut expected = vec![
            "GRANT REPLICATION CLIENT ON *.* TO 'catalog_src'@'%';",
            "GRANT REPLICATION SLAVE ON *.* TO 'catalog_src'@'%';",
            "GRANT SELECT ON `catalog_source`.`k` TO 'catalog_src'@'%';",
            "GRANT SELECT ON `catalog_source`.`n` TO 'catalog_src'@'%';",
            "GRANT LOCK TABLES ON `catalog_source`.* TO 'catalog_src'@'%';",
        ];
        if server == "mysql56" {
            expected.insert(2, "GRANT RELOAD ON *.* TO 'catalog_src'@'%';");
        }
        assert_eq!(hints(&findings), expected, "{server}");
        for hint in expected {
            connection.query_drop(hint).await.unwrap();
        }
        // Privileges on everything hold for connections made after the grant.
        let mut user = as_user(server, "catalog_src");
        let findings = user.check_source(&tables, true).await.unwrap();
        assert!(errors(&findings).is_empty(), "{server}: {findings:#?}");
        run(
            &mut connection,
            "DROP USER 'catalog_src'@'%'; DROP DATABASE catalog_source; DROP DATABASE catalog_other;",
        )
        .await;
    }
}

#[tokio::test]
async fn privileges_by_a_role_count() {
    let mut connection = admin("mysql97").await;
    run(&mut connection, "DROP DATABASE IF EXISTS catalog_roles; CREATE DATABASE catalog_roles; CREATE TABLE catalog_roles.n (id int);
        DROP USER IF EXISTS 'catalog_rol'@'%'; DROP ROLE IF EXISTS catalog_role; CREATE ROLE catalog_role;
        GRANT SELECT, LOCK TABLES, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO catalog_role;
        CREATE USER 'catalog_rol'@'%' IDENTIFIED BY 'pw'; GRANT catalog_role TO 'catalog_rol'@'%'; SET DEFAULT ROLE ALL TO 'catalog_rol'@'%';").await;
    let tables = catalog("mysql97").table_schemas(&[TableName::new("catalog_roles", "n")]).await.unwrap();
    let findings = as_user("mysql97", "catalog_rol").check_source(&tables, true).await.unwrap();
    assert!(errors(&findings).is_empty(), "{findings:#?}");
    run(&mut connection, "DROP USER 'catalog_rol'@'%'; DROP ROLE catalog_role; DROP DATABASE catalog_roles;")
        .await;
}

#[tokio::test]
async fn a_target_is_checked_for_privileges_and_state() {
    for server in ["mysql97", "mariadb1011", "seekdb"] {
        let mut connection = admin(server).await;
        run(&mut connection, "DROP DATABASE IF EXISTS catalog_target; CREATE DATABASE catalog_target;").await;
        let _ = connection.query_drop("DROP USER 'catalog_tgt'@'%'").await;
        run(&mut connection, "CREATE USER 'catalog_tgt'@'%' IDENTIFIED BY 'pw';").await;
        connection
            .query_drop("GRANT SELECT, INSERT, CREATE ON catalog_target.* TO 'catalog_tgt'@'%'")
            .await
            .unwrap();
        let schemas = ["catalog_target".to_owned()];
        let findings = as_user(server, "catalog_tgt").check_target(&schemas).await.unwrap();
        let expected = [
            "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON `whimbrel`.* TO 'catalog_tgt'@'%';",
            "GRANT UPDATE, DELETE, ALTER, INDEX, DROP ON `catalog_target`.* TO 'catalog_tgt'@'%';",
        ];
        assert_eq!(hints(&findings), expected, "{server}");
        for hint in expected {
            connection.query_drop(hint).await.unwrap();
        }
        let findings = as_user(server, "catalog_tgt").check_target(&schemas).await.unwrap();
        assert!(errors(&findings).is_empty(), "{server}: {findings:#?}");
        run(&mut connection, "DROP USER 'catalog_tgt'@'%'; DROP DATABASE catalog_target;").await;
    }
}

#[tokio::test]
async fn system_versioned_tables_are_refused_with_a_log_only() {
    let mut connection = admin("mariadb1011").await;
    run(
        &mut connection,
        "DROP DATABASE IF EXISTS catalog_versioned; CREATE DATABASE catalog_versioned;
        CREATE TABLE catalog_versioned.sv (id int PRIMARY KEY) WITH SYSTEM VERSIONING;",
    )
    .await;
    let mut catalog = catalog("mariadb1011");
    let tables = catalog.table_schemas(&[TableName::new("catalog_versioned", "sv")]).await.unwrap();
    let with_log = catalog.check_source(&tables, true).await.unwrap();
    assert_eq!(errors(&with_log)[0].object, "catalog_versioned.sv");
    let without = catalog.check_source(&tables, false).await.unwrap();
    assert!(errors(&without).is_empty() && without.iter().any(|f| f.severity == Severity::Warning));
    connection.query_drop("DROP DATABASE catalog_versioned").await.unwrap();
}

#[tokio::test]
async fn wrong_endpoints_are_known_within_seconds() {
    let real = server::root("mysql97");
    let with = |change: &dyn Fn(&mut ConnectOptions)| {
        let mut options = real.clone();
        change(&mut options);
        options
    };
    // A port that takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let closed_port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let cases = [
        (with(&|o| o.port = closed_port), ErrorKind::Unreachable),
        (with(&|o| o.port = silent_port), ErrorKind::Unreachable),
        (with(&|o| o.password = Secret::new("not the password")), ErrorKind::AuthenticationFailed),
        (with(&|o| o.user = "nobody".to_owned()), ErrorKind::AuthenticationFailed),
        (
            ConnectOptions::new(Scheme::Mysql, "no-such-host.invalid", 3306, "u", Secret::new("p")),
            ErrorKind::Unreachable,
        ),
    ];
    for (options, expected) in cases {
        let begin = std::time::Instant::now();
        let error = MysqlCatalog::new(&options).server().await.unwrap_err();
        assert_eq!(error.kind, expected, "{options}: {}", error.chain());
        assert!(begin.elapsed().as_secs() < 10, "{options}: {:?}", begin.elapsed());
        assert_eq!(error.object, options.to_string());
        assert!(!error.chain().contains("not the password"));
    }
}
