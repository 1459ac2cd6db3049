//! The real servers: those that all tests share, and ones of a test's own.
//!
//! Shared servers are started by `dev/test` (or `make servers`) and found through `dev/servers env`. A test that needs
//! a server with other settings, or that would disturb others, starts its own with [`Server::own`], which is removed
//! when the last clone is dropped.

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};

use tempfile::TempDir;
use whimbrel_connector_mysql::wire::ConnectOptions;

/// A server that answers.
#[derive(Clone, Debug)]
pub struct Server {
    pub name: &'static str,
    variables: Arc<HashMap<String, String>>,
    own: Option<Arc<OwnServer>>,
}

/// Asked once for each server: the script takes a moment.
static SHARED: LazyLock<Mutex<HashMap<&'static str, Server>>> = LazyLock::new(Mutex::default);

impl Server {
    pub fn mysql() -> Self {
        Self::shared("mysql97")
    }

    pub fn mariadb() -> Self {
        Self::shared("mariadb1011")
    }

    pub fn oceanbase() -> Self {
        Self::shared("seekdb")
    }

    /// Any of the servers of `dev/servers list`.
    pub fn shared(name: &'static str) -> Self {
        let mut known = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let server = known.entry(name).or_insert_with(|| {
            let variables = Arc::new(ask(name, &[]));
            Self { name, variables, own: None }
        });
        server.clone()
    }

    /// A server of the test's own, on a free port, with further options for its program.
    pub fn own(name: &'static str, options: &str) -> Self {
        let own = OwnServer::start(name, options);
        let variables = Arc::new(ask(name, &own.environment()));
        Self { name, variables, own: Some(Arc::new(own)) }
    }

    /// Stops a server of the test's own and starts it with other options; its data stay.
    pub fn restart(&self, options: &str) {
        let own = self.own.as_ref().expect("only a test's own server is restarted");
        own.run("down", "");
        own.run("up", options);
    }

    /// SIGKILL for a server of the test's own, which is started again.
    pub fn take_away(&self) {
        let own = self.own.as_ref().expect("only a test's own server is taken away");
        own.kill();
        own.run("up", "");
    }

    fn variable(&self, name: &str) -> &str {
        let full = format!("WHIMBREL_{}_{name}", self.name.to_uppercase());
        self.variables.get(&full).map(String::as_str).unwrap_or_default()
    }

    pub fn is_mysql(&self) -> bool {
        self.name.starts_with("mysql")
    }

    pub fn is_oceanbase(&self) -> bool {
        self.name == "seekdb"
    }

    pub fn port(&self) -> u16 {
        self.variable("PORT").parse().expect("a server has a port")
    }

    /// `scheme` of its URLs.
    pub fn scheme(&self) -> &str {
        self.variable("URL").split_once("://").expect("a URL has a scheme").0
    }

    /// With the rights of a migration's source; at OceanBase with all rights.
    pub fn url(&self) -> String {
        self.variable("URL").to_owned()
    }

    pub fn root_url(&self) -> String {
        self.variable("ROOT_URL").to_owned()
    }

    /// The URL under which it can be written.
    pub fn target_url(&self) -> String {
        if self.is_oceanbase() { self.url() } else { self.root_url() }
    }

    /// The password of [`Server::target_url`]; empty for none.
    pub fn password(&self) -> String {
        let url = self.target_url();
        let login = url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(login, _)| login);
        login
            .and_then(|login| login.split_once(':'))
            .map(|(_, password)| password.to_owned())
            .unwrap_or_default()
    }

    /// A URL with another login.
    pub fn url_of(&self, user: &str, password: &str) -> String {
        format!("{}://{user}:{password}@127.0.0.1:{}/", self.scheme(), self.port())
    }

    /// Path of its certificate authority.
    pub fn authority(&self) -> &str {
        self.variable("TLS_CA")
    }

    pub fn root(&self) -> ConnectOptions {
        self.root_url().parse().expect("dev/servers prints a valid URL")
    }
}

/// A server in a folder of its own.
#[derive(Debug)]
struct OwnServer {
    name: &'static str,
    port: u16,
    dir: TempDir,
}

impl OwnServer {
    fn start(name: &'static str, options: &str) -> Self {
        // Not `.tmp...`, the default: seekdb takes its redo log for left-overs where its path holds that.
        let dir = tempfile::Builder::new().prefix("whimbrel-server-").tempdir();
        let own = Self { name, port: free_port(), dir: dir.expect("a temporary folder") };
        own.run("up", options);
        own
    }

    fn environment(&self) -> Vec<(String, String)> {
        let upper = self.name.to_uppercase();
        vec![
            ("WHIMBREL_SERVERS_DIR".into(), self.dir.path().display().to_string()),
            ("WHIMBREL_SERVERS_DIST".into(), programs_dir().display().to_string()),
            (format!("WHIMBREL_{upper}_PORT"), self.port.to_string()),
        ]
    }

    /// The file holds the process id and when it began.
    fn kill(&self) {
        let file = self.dir.path().join(self.name).join("run/pid");
        let text = std::fs::read_to_string(file).expect("a started server has a process id");
        let id = text.split_whitespace().next().expect("a process id");
        let killed = Command::new("kill").args(["-KILL", id]).status();
        assert!(killed.is_ok_and(|status| status.success()), "the server {} is gone already", self.name);
        while Path::new("/proc").join(id).exists() {
            std::thread::yield_now();
        }
    }

    fn run(&self, command: &str, options: &str) {
        let mut environment = self.environment();
        environment.push((format!("WHIMBREL_{}_OPTIONS", self.name.to_uppercase()), options.to_owned()));
        let outcome = Command::new(script_path()).args([command, self.name]).envs(environment).output();
        let output = outcome.unwrap_or_else(|error| panic!("cannot run dev/servers: {error}"));
        if !output.status.success() {
            let log = std::fs::read(self.dir.path().join(self.name).join("log")).unwrap_or_default();
            let (errors, log) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&log));
            panic!("dev/servers {command} {} failed: {errors}\n{log}", self.name);
        }
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // In a drop during a panic a second panic would abort all tests.
        let outcome = Command::new(script_path()).args(["down", self.name]).envs(self.environment()).output();
        if !outcome.is_ok_and(|output| output.status.success()) {
            println!("the server {} at port {} could not be stopped", self.name, self.port);
        }
    }
}

/// The checkout.
pub fn root_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn script_path() -> PathBuf {
    root_dir().join("dev/servers")
}

/// Where the programs of the shared servers are.
fn programs_dir() -> PathBuf {
    let named = |name| std::env::var_os(name).map(PathBuf::from);
    named("WHIMBREL_SERVERS_DIST").unwrap_or_else(|| {
        named("WHIMBREL_SERVERS_DIR").unwrap_or_else(|| root_dir().join(".servers")).join("dist")
    })
}

/// A port that nothing listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

fn ask(name: &str, environment: &[(String, String)]) -> HashMap<String, String> {
    let text = script(&["env", name], environment);
    let lines = text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
    lines.map(|(name, value)| (name.to_owned(), value.trim_matches(['\'', '"']).to_owned())).collect()
}

fn script(arguments: &[&str], environment: &[(String, String)]) -> String {
    let output = Command::new(script_path()).args(arguments).envs(environment.iter().cloned()).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run dev/servers: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "dev/servers {} failed (make servers?): {errors}", arguments.join(" "));
    String::from_utf8(output.stdout).expect("dev/servers prints UTF-8")
}
