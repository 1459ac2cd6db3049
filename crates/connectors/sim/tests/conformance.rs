//! The conformance suite of all connectors, on the database in memory.

#![allow(
    clippy::unwrap_used,
    reason = "functions shared by tests fail the test; clippy.toml allows that only inside the test functions"
)]

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;
use whimbrel_connector::conformance::{OpenTransaction, Playground, Sample};
use whimbrel_connector::{Source, Target, conformance_suite};
use whimbrel_connector_sim::{SimClock, SimEndpoint, SimServer, SimSession};

struct SimPlayground {
    schema: String,
    endpoint: SimEndpoint,
    session: Mutex<SimSession>,
}

impl SimPlayground {
    fn new(case: &str) -> std::future::Ready<Self> {
        let server = SimServer::new("sim", Arc::new(SimClock::default()), 256 << 10);
        let schema = format!("conformance_{case}");
        server.create_schema(&schema);
        let session = Mutex::new(server.session());
        std::future::ready(Self { schema, endpoint: SimEndpoint(server), session })
    }
}

struct Transaction(SimSession);

#[async_trait]
impl OpenTransaction for Transaction {
    async fn commit(mut self: Box<Self>) {
        self.0.commit().await.unwrap();
    }
}

#[async_trait]
impl Playground for SimPlayground {
    fn source(&self) -> &dyn Source {
        &self.endpoint
    }

    fn target(&self) -> &dyn Target {
        &self.endpoint
    }

    fn schema(&self) -> &str {
        &self.schema
    }

    async fn run(&self, sql: &str) {
        self.session.lock().await.run("", sql).await.unwrap();
    }

    async fn open_transaction(&self, statements: &[String]) -> Box<dyn OpenTransaction> {
        let mut session = self.endpoint.0.session();
        session.begin().await.unwrap();
        for sql in statements {
            session.run("", sql).await.unwrap();
        }
        Box::new(Transaction(session))
    }

    fn samples(&self) -> Vec<Sample> {
        vec![
            Sample::new(
                "numbers",
                "id INT NOT NULL PRIMARY KEY, t TINYINT, s SMALLINT UNSIGNED, b BIGINT, u BIGINT UNSIGNED",
                &[
                    "(1, -128, 0, -9223372036854775808, 0)",
                    "(2, 127, 65535, 9223372036854775807, 18446744073709551615)",
                    "(-3, NULL, NULL, NULL, NULL)",
                ],
            )
            .with_changes(&["t = 5", "b = NULL"]),
            Sample::new(
                "texts",
                "a VARCHAR(20) NOT NULL, b VARBINARY(20) NOT NULL, v VARCHAR(20), PRIMARY KEY (a, b)",
                &[
                    "('', x'', '')",
                    "('', x'00', 'x')",
                    "('a', x'0001', NULL)",
                    "('a ', x'', 'A')",
                    "('A', x'ff', 'é')",
                ],
            ),
            Sample::new(
                "nullable_unique",
                "id BIGINT UNSIGNED NOT NULL, u INT, v VARCHAR(9), PRIMARY KEY (id), CONSTRAINT uu UNIQUE (u, v)",
                &[
                    "(18446744073709551615, NULL, 'a')",
                    "(0, NULL, 'a')",
                    "(256, 1, NULL)",
                    "(255, 1, NULL)",
                    "(7, 1, 'a')",
                ],
            ),
            Sample::new(
                "unique_only",
                "u INT NOT NULL, v VARCHAR(9), CONSTRAINT uu UNIQUE (u)",
                &["(3, 'a')", "(1, 'b')", "(-2, NULL)"],
            ),
            Sample::new("keyless", "a INT, v VARBINARY(9)", &["(1, x'61')", "(NULL, x'')", "(-1, NULL)"]),
        ]
    }

    fn has_log(&self) -> bool {
        true
    }
}

conformance_suite!(SimPlayground::new);
