//! Where the real servers are: from `WHIMBREL_<NAME>_<VARIABLE>` in the environment, else from `dev/servers env NAME`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use whimbrel_connector_mysql::wire::{ConnectOptions, Connection};

/// Variables of the servers that were asked for, by server.
static KNOWN: LazyLock<Mutex<HashMap<String, HashMap<String, String>>>> = LazyLock::new(Mutex::default);

/// A variable of a server, as in `variable("mysql97", "TLS_CA")`; empty if the server has none of that name.
pub fn variable(server: &str, name: &str) -> String {
    let full = format!("WHIMBREL_{}_{name}", server.to_uppercase());
    if let Ok(value) = std::env::var(&full) {
        return value;
    }
    let mut known = KNOWN.lock().expect("no test panics while it holds the lock");
    let variables = known.entry(server.to_owned()).or_insert_with(|| ask(server));
    variables.get(&full).cloned().unwrap_or_default()
}

fn ask(server: &str) -> HashMap<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../dev/servers");
    let output = Command::new(&script).args(["env", server]).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {}: {error}", script.display()));
    assert!(output.status.success(), "{}", hint(server, &String::from_utf8_lossy(&output.stderr)));
    let text = String::from_utf8(output.stdout).expect("variables are UTF-8");
    let lines = text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
    lines.map(|(name, value)| (name.to_owned(), value.trim_matches(['\'', '"']).to_owned())).collect()
}

fn hint(server: &str, why: &str) -> String {
    format!("this test needs the server {server} ({why}); start it with: dev/servers up {server}")
}

fn options(server: &str, variable_name: &str) -> ConnectOptions {
    let url = variable(server, variable_name);
    url.parse().unwrap_or_else(|error| panic!("{}", hint(server, &format!("{variable_name}: {error}"))))
}

/// The administrator's account, without password.
pub fn root(server: &str) -> ConnectOptions {
    options(server, "ROOT_URL")
}

/// The account that a migration would use at a source.
pub fn user(server: &str) -> ConnectOptions {
    options(server, "URL")
}

/// The server's certificate authority.
pub fn authority(server: &str) -> PathBuf {
    PathBuf::from(variable(server, "TLS_CA"))
}

/// A session; if there is none, the test fails with how to start the server.
pub async fn connect(server: &str, options: &ConnectOptions) -> Connection {
    match Connection::connect(options).await {
        Ok(connection) => connection,
        Err(error) => panic!("{}", hint(server, &format!("{options}: {:#}", anyhow::Error::new(error)))),
    }
}
