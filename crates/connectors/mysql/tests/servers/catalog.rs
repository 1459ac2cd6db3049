//! The catalogue against real servers.

mod definitions;
mod objects;
mod positions;
mod prechecks;

use whimbrel_connector_mysql::catalog::MysqlCatalog;
use whimbrel_connector_mysql::wire::{ConnectOptions, Connection};

use crate::server;

/// A catalogue of the server, with the administrator's account.
fn catalog(name: &str) -> MysqlCatalog {
    MysqlCatalog::new(&server::root(name))
}

/// A session that takes scripts.
async fn admin(name: &str) -> Connection {
    let options = ConnectOptions { multi_statements: true, ..server::root(name) };
    server::connect(name, &options).await
}

async fn run(connection: &mut Connection, script: &str) {
    if let Err(error) = connection.execute_multi(script).await {
        let index = error.index;
        panic!("statement {index} of the script: {:#}\n{script}", anyhow::Error::new(error));
    }
}
