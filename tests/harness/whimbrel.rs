//! The binary under test, run as a user would run it: its own home, a cleared environment, its own output files.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::http;
use super::servers::{Server, free_port};
use super::sql::Sql;

/// Longest that a run may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(240);
/// The same where servers are killed under way: what they do then takes its own time.
const FAULT_PATIENCE: Duration = Duration::from_secs(600);
/// How often a condition is asked for.
const POLL: Duration = Duration::from_millis(20);

/// A command line to be run, possibly several times: clones share the home.
#[derive(Clone, Debug)]
pub struct Task {
    command: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    folder: Arc<TempDir>,
    home: Option<PathBuf>,
    /// Texts that must not be in any output.
    secrets: Vec<String>,
    wrapper: Vec<String>,
}

impl Task {
    /// `whimbrel COMMAND --source SOURCE --target TARGET`.
    pub fn new(command: &str, source: &str, target: &str) -> Self {
        Self::bare(&[command]).arg("--source", source).arg("--target", target)
    }

    /// `whimbrel WORDS...`.
    pub fn bare(words: &[&str]) -> Self {
        let folder = Arc::new(TempDir::new().expect("a temporary folder"));
        Self {
            command: words.iter().map(|word| (*word).to_owned()).collect(),
            arguments: Vec::new(),
            environment: Vec::new(),
            home: Some(folder.path().join("home")),
            folder,
            secrets: Vec::new(),
            wrapper: Vec::new(),
        }
    }

    /// The same home and flags with another command; flags that only `migrate` has are left out by the caller.
    pub fn command(mut self, words: &[&str]) -> Self {
        self.command = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    pub fn arg(mut self, name: &str, value: &str) -> Self {
        self.arguments.extend([name.to_owned(), value.to_owned()]);
        self
    }

    pub fn flag(mut self, name: &str) -> Self {
        self.arguments.push(name.to_owned());
        self
    }

    pub fn include(self, pattern: &str) -> Self {
        self.arg("--include", pattern)
    }

    /// Removes a flag and its value wherever it stands.
    pub fn without(mut self, name: &str) -> Self {
        while let Some(at) = self.arguments.iter().position(|argument| argument == name) {
            self.arguments.drain(at..(at + 2).min(self.arguments.len()));
        }
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// No output may hold this text.
    pub fn secret(mut self, text: &str) -> Self {
        self.secrets.push(text.to_owned());
        self
    }

    /// A home elsewhere; `None` gives no `--home`.
    pub fn at_home(mut self, home: Option<PathBuf>) -> Self {
        self.home = home;
        self
    }

    /// The value of a flag.
    fn argument(&self, name: &str) -> Option<&String> {
        let at = self.arguments.iter().position(|argument| argument == name)?;
        self.arguments.get(at + 1)
    }

    /// Runs the binary through another program: `WRAPPER... whimbrel ...`.
    pub fn wrapped(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// `--home`.
    pub fn home(&self) -> &Path {
        self.home.as_deref().expect("the task has a home")
    }

    pub fn report_path(&self) -> PathBuf {
        self.folder.path().join("report.json")
    }

    /// True for commands that know the flag `--report`.
    fn reports(&self) -> bool {
        self.command
            .first()
            .is_some_and(|word| !matches!(word.as_str(), "store" | "ddl" | "parked" | "prove" | "assess"))
    }

    /// True for commands that know the flag `--home`.
    fn has_home(&self) -> bool {
        self.command.first().is_some_and(|word| !matches!(word.as_str(), "verify" | "ddl" | "assess"))
    }

    /// Starts it, with a port to ask for its status.
    pub fn start(&self) -> Running {
        let port = free_port();
        let migrates = self.command.first().is_some_and(|word| word == "migrate");
        let mut words = self.wrapper.clone();
        words.push(env!("CARGO_BIN_EXE_whimbrel").to_owned());
        words.extend(self.command.iter().cloned());
        words.extend(self.arguments.iter().cloned());
        if let Some(home) = self.home.as_ref().filter(|_| self.has_home()) {
            words.extend(["--home".to_owned(), home.display().to_string()]);
        }
        if migrates && !self.arguments.iter().any(|argument| argument == "--listen") {
            words.extend(["--listen".to_owned(), format!("127.0.0.1:{port}")]);
        }
        if self.reports() && !self.arguments.iter().any(|argument| argument == "--report") {
            words.extend(["--report".to_owned(), self.report_path().display().to_string()]);
        }
        std::fs::remove_file(self.report_path()).ok();
        let output = |name: &str| File::create(self.folder.path().join(name)).expect("an output file");
        let child = Command::new(&words[0])
            .args(&words[1..])
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", "/usr/bin:/bin")
            .env("RUST_BACKTRACE", "1")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", words[0]));
        Running { child, port, task: self.clone(), begun: Instant::now() }
    }

    /// `whimbrel parked WORDS` for the same task, whose target is the shared OceanBase.
    pub async fn parked(&self, words: &[&str]) -> Outcome {
        Self::bare(&[&["parked"], words].concat())
            .at_home(Some(self.home().to_owned()))
            .env("WHIMBREL_TARGET_PASSWORD", &Server::oceanbase().password())
            .run()
            .await
    }

    /// Runs it to its end.
    pub async fn run(&self) -> Outcome {
        self.start().finish().await
    }

    fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.path().join(name)).unwrap_or_default())
            .into_owned()
    }
}

/// A process that runs.
pub struct Running {
    child: Child,
    pub port: u16,
    task: Task,
    begun: Instant,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the process has not been waited for")
    }

    /// `/status`, `None` where it doesn't answer.
    pub async fn status(&self) -> Option<Json> {
        let answer = http::get(self.port, "/status").await?;
        serde_json::from_str(&answer.body).ok()
    }

    /// Waits until `/status` is as wanted; fails when the process ends before.
    pub async fn wait_until(&mut self, what: &str, wanted: impl Fn(&Json) -> bool) -> Json {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.status().await;
            if let Some(status) = status.as_ref().filter(|status| wanted(status)) {
                return status.clone();
            }
            if let Ok(Some(exit)) = self.child.try_wait() {
                panic!("whimbrel ended ({exit}) before {what}\n{}", self.output());
            }
            assert!(
                Instant::now() < deadline,
                "not within {PATIENCE:?}: {what}; status {status:?}\n{}",
                self.output()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// As [`Running::wait_until`], but the end of the process is fine too: false then.
    pub async fn comes_to(&mut self, what: &str, wanted: impl Fn(&Json) -> bool) -> bool {
        let deadline = Instant::now() + FAULT_PATIENCE;
        loop {
            let status = self.status().await;
            if status.as_ref().is_some_and(&wanted) {
                return true;
            }
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return false;
            }
            assert!(
                Instant::now() < deadline,
                "not within {FAULT_PATIENCE:?}: {what}; status {status:?}\n{}",
                self.output()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits for a phase.
    pub async fn wait_phase(&mut self, phase: &str) -> Json {
        self.wait_until(&format!("phase {phase}"), |status| status["phase"] == phase).await
    }

    /// Waits until full import has committed so many rows, or is over.
    pub async fn wait_imported(&mut self, rows: u64) -> Json {
        let copying =
            |status: &Json| ["precheck", "schema", "full_import"].map(Json::from).contains(&status["phase"]);
        self.wait_until(&format!("{rows} imported rows"), |status| {
            imported(status) >= rows || !copying(status)
        })
        .await
    }

    /// Waits until `done` says so; fails when the process ends before.
    pub async fn wait_for(&mut self, what: &str, mut done: impl AsyncFnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done().await {
            if let Ok(Some(exit)) = self.child.try_wait() {
                panic!("whimbrel ended ({exit}) before {what}\n{}", self.output());
            }
            assert!(
                Instant::now() < deadline,
                "not within {PATIENCE:?}: {what}; status {:?}\n{}",
                self.status().await,
                self.output()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// SIGINT.
    pub async fn interrupt(&self) {
        self.signal("INT").await;
    }

    pub async fn signal(&self, name: &str) {
        let outcome = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().await;
        assert!(
            outcome.is_ok_and(|status| status.success()),
            "the process to be signalled is gone\n{}",
            self.output()
        );
    }

    /// SIGKILL; returns when it is gone. At the shared OceanBase only while the target is at none of its statements: the
    /// process is held, the target is let come to its end, and what the process never hears of is lost. seekdb 1.4 never
    /// comes back from DDL whose connection goes, and every later DDL of the server waits for it.
    pub async fn kill(mut self) {
        let oceanbase = Server::oceanbase();
        if self.task.argument("--target") == Some(&oceanbase.target_url())
            && let Some((database, _)) = self.task.argument("--include").and_then(|text| text.split_once('.'))
        {
            let held = std::process::Command::new("kill").args(["-STOP", &self.pid().to_string()]).status();
            assert!(held.expect("kill can be run").success());
            let busy = format!(
                "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE id <> CONNECTION_ID() AND command <> 'Sleep' \
                 AND info LIKE '%{database}%'"
            );
            let mut target = Sql::open(&oceanbase, "").await;
            let begun = Instant::now();
            while target.value::<u64>(&busy).await > 0 {
                assert!(begun.elapsed() < PATIENCE, "the target doesn't come to the end of its statements");
                tokio::time::sleep(POLL).await;
            }
        }
        self.child.kill().await.expect("a process of our own can be killed");
    }

    /// Waits for its end.
    pub async fn finish(mut self) -> Outcome {
        let exit = match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(exit) => exit.expect("a process of our own can be waited for"),
            Err(_) => {
                panic!("no end within {PATIENCE:?}; status {:?}\n{}", self.status().await, self.output())
            }
        };
        self.outcome(exit)
    }

    /// SIGINT, and waits for its end.
    pub async fn stop(self) -> Outcome {
        self.interrupt().await;
        self.finish().await
    }

    fn outcome(&self, exit: ExitStatus) -> Outcome {
        let report = std::fs::read(self.task.report_path()).ok();
        let outcome = Outcome {
            code: exit.code(),
            stdout: self.task.read("stdout"),
            stderr: self.task.read("stderr"),
            report: report.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(Json::Null),
            seconds: self.begun.elapsed().as_secs_f64(),
        };
        for secret in &self.task.secrets {
            let everything = format!("{}{}{}", outcome.stdout, outcome.stderr, outcome.report);
            assert!(!everything.contains(secret.as_str()), "the output holds a secret\n{}", outcome.text());
        }
        assert!(!outcome.stderr.contains("panicked at"), "whimbrel panicked\n{}", outcome.text());
        outcome
    }

    fn output(&self) -> String {
        format!(
            "--- stdout\n{}\n--- stderr\n{}",
            tail(&self.task.read("stdout")),
            tail(&self.task.read("stderr"))
        )
    }
}

/// Rows of all tables that full import has committed, by a status.
pub fn imported(status: &Json) -> u64 {
    status["tables"].as_array().into_iter().flatten().filter_map(|table| table["rows"].as_u64()).sum()
}

/// The end of a text, enough to see what happened.
fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(6000);
    let start = (start..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    &text[start..]
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// `None`: by a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// The report, null where none was written.
    pub report: Json,
    pub seconds: f64,
}

impl Outcome {
    pub fn text(&self) -> String {
        let report = serde_json::to_string_pretty(&self.report).unwrap_or_default();
        format!(
            "exit {:?} after {:.1} s\n--- stdout\n{}\n--- stderr\n{}\n--- report\n{}",
            self.code,
            self.seconds,
            tail(&self.stdout),
            tail(&self.stderr),
            tail(&report)
        )
    }

    pub fn all_output(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    /// Fails the test unless it ended with this code.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.text());
        self
    }

    /// Fails the test unless the output holds all of these.
    pub fn says(self, texts: &[&str]) -> Self {
        let output = self.all_output();
        for text in texts {
            assert!(output.contains(text), "the output lacks {text:?}\n{}", self.text());
        }
        self
    }

    /// A table's part of the report, by the name of its source table.
    pub fn table(&self, name: &str) -> &Json {
        let tables = self.report["tables"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = tables.iter().find(|table| {
            table["source"]
                .as_str()
                .is_some_and(|source| source.rsplit_once('.').is_some_and(|(_, last)| last == name))
        });
        found.unwrap_or_else(|| panic!("the report has no table {name}\n{}", self.text()))
    }
}
