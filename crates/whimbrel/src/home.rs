//! A task's folder: `HOME/NAME/`, with its definition, its Store and its results.
//!
//! ```text
//! HOME/NAME/lock              held (flock) by the process that runs the task
//! HOME/NAME/control           socket at which that process takes commands (whimbrel parked)
//! HOME/NAME/task.json         what the task is; no secrets
//! HOME/NAME/tables.json       source tables as they were at the start position
//! HOME/NAME/store/            the Store
//! HOME/NAME/differences/      difference files and correction SQL
//! HOME/NAME/objects/          what a person makes at the target after the switchover
//! ```
//!
//! `task.json` and `tables.json` carry a version, and are written beside their place, synced and renamed, so
//! they are never half there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use whimbrel_connector::FailPoint;
use whimbrel_model::{Position, TableName, TableSchema};

use crate::cli::{ApplyMode, ExistingMode, ForeignPolicy, Step};
use crate::failure::Failure;

/// Of `tables.json`.
const VERSION: u32 = 1;
/// Of `task.json`. Version 1 had no filters.
const TASK_VERSION: u32 = 2;

/// What a task is. A run with another definition under the same name is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskDefinition {
    /// Endpoint without password.
    pub source: String,
    pub target: String,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub map: Vec<String>,
    #[serde(rename = "where", default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rename_column: Vec<String>,
    pub steps: Vec<Step>,
    pub apply: ApplyMode,
    pub existing: ExistingMode,
    pub foreign_changes: ForeignPolicy,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub convert: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept_loss: Vec<String>,
}

/// Persisted: `task.json`.
#[derive(Debug, Serialize, Deserialize)]
struct TaskFile {
    version: u32,
    /// Names the task's state at the target: `NAME-` and random hexadecimal digits, so that a task begun anew
    /// under an old name never takes old state for its own.
    id: String,
    definition: TaskDefinition,
}

/// Persisted: `tables.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct StartTables {
    version: u32,
    /// Where the log was when the task began.
    pub position: Position,
    pub tables: Vec<TableSchema>,
    /// Tables that were there then and look like shadow tables of the task's, but aren't
    /// ([`crate::followed`]). Absent in files of older programs, whose tasks follow no shadow tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<Vec<TableName>>,
}

impl StartTables {
    pub fn new(position: Position, tables: Vec<TableSchema>, outside: Option<Vec<TableName>>) -> Self {
        Self { version: VERSION, position, tables, outside }
    }
}

/// An open task folder. The lock is held until this is dropped.
#[derive(Debug)]
pub struct TaskHome {
    dir: PathBuf,
    pub id: String,
    _lock: File,
}

/// A folder opened without a definition to compare it with.
#[derive(Debug)]
pub struct ExistingHome {
    pub home: TaskHome,
    pub definition: TaskDefinition,
}

/// `--home`, else `$XDG_STATE_HOME/whimbrel`, else `/var/lib/whimbrel` where this user may have it, else
/// `~/.local/state/whimbrel`.
pub fn home_dir(given: Option<&Path>) -> PathBuf {
    if let Some(dir) = given {
        return dir.to_owned();
    }
    if let Some(state) = std::env::var_os("XDG_STATE_HOME").filter(|dir| !dir.is_empty()) {
        return Path::new(&state).join("whimbrel");
    }
    let system = PathBuf::from("/var/lib/whimbrel");
    match std::env::var_os("HOME") {
        Some(home) if fs::create_dir_all(&system).is_err() => Path::new(&home).join(".local/state/whimbrel"),
        _ => system,
    }
}

/// The folder of a task, whether it is there or not.
pub fn task_dir(home: Option<&Path>, name: &str) -> Result<PathBuf, Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 40 || name.starts_with('.') || !name.chars().all(plain) {
        return Err(Failure::usage(
            format!("--name {name}"),
            "a name is 1 to 40 letters, digits, '-', '_' and '.', and doesn't begin with a dot",
        ));
    }
    Ok(home_dir(home).join(name))
}

impl TaskHome {
    /// Opens or creates a task's folder.
    ///
    /// # Errors
    /// The folder can't be made or written; another process holds it; it holds another task.
    pub fn open(home: Option<&Path>, name: &str, definition: &TaskDefinition) -> Result<Self, Failure> {
        let dir = task_dir(home, name)?;
        let storage = |path: &Path, what: &str, error: io::Error| {
            Failure::storage(path.display().to_string(), what.to_owned(), error)
        };
        fs::create_dir_all(&dir).map_err(|e| storage(&dir, "the task's folder can't be created", e))?;
        let lock_path = dir.join("lock");
        let lock =
            File::create(&lock_path).map_err(|e| storage(&lock_path, "the lock file can't be created", e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(Failure::configuration(
                    dir.display().to_string(),
                    "another process runs this task",
                    "wait for it or stop it, or choose another --name",
                ));
            }
            Err(fs::TryLockError::Error(error)) => return Err(storage(&lock_path, "locking failed", error)),
        }
        let path = dir.join("task.json");
        let id = match read_json::<TaskFile>(&path, TASK_VERSION)? {
            Some(file) => {
                refuse_change(&dir, &file.definition, definition)?;
                file.id
            }
            None => {
                let id = format!("{name}-{:08x}", random_u32());
                let file = TaskFile { version: TASK_VERSION, id, definition: definition.clone() };
                write_json(&path, &file)?;
                FailPoint::TaskWritten.reached();
                file.id
            }
        };
        Ok(Self { dir, id, _lock: lock })
    }

    /// Opens the folder of a task that was begun earlier; `None` where another process holds it.
    ///
    /// # Errors
    /// No task is there.
    pub fn open_existing(dir: &Path) -> Result<Option<ExistingHome>, Failure> {
        let path = dir.join("task.json");
        let Some(file) = read_json::<TaskFile>(&path, TASK_VERSION)? else {
            return Err(Failure::configuration(
                dir.display().to_string(),
                "no task is there",
                "name the task's --home and --name",
            ));
        };
        let lock_path = dir.join("lock");
        let storage =
            |what: &str, error| Failure::storage(lock_path.display().to_string(), what.to_owned(), error);
        let lock =
            File::create(&lock_path).map_err(|error| storage("the lock file can't be opened", error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            Err(fs::TryLockError::Error(error)) => return Err(storage("locking failed", error)),
        }
        let home = Self { dir: dir.to_owned(), id: file.id, _lock: lock };
        Ok(Some(ExistingHome { home, definition: file.definition }))
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn store_dir(&self) -> PathBuf {
        self.dir.join("store")
    }

    pub fn differences_dir(&self) -> PathBuf {
        self.dir.join("differences")
    }

    /// Triggers and events of a task that follows.
    pub fn switchover_file(&self) -> PathBuf {
        self.dir.join("objects").join("after-switchover.sql")
    }

    pub fn start_tables(&self) -> Result<Option<StartTables>, Failure> {
        read_start_tables(&self.dir.join("tables.json"))
    }

    pub fn write_start_tables(&self, tables: &StartTables) -> Result<(), Failure> {
        write_json(&self.dir.join("tables.json"), tables)
    }
}

/// The tables of a task at its start; `None` where it has none yet.
pub fn read_start_tables(path: &Path) -> Result<Option<StartTables>, Failure> {
    read_json(path, VERSION)
}

/// The id need only differ from those of earlier tasks of the same name.
fn random_u32() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id()) as u32
}

fn refuse_change(dir: &Path, old: &TaskDefinition, new: &TaskDefinition) -> Result<(), Failure> {
    let fields = |task: &TaskDefinition| match serde_json::to_value(task) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => unreachable!("a task definition is a JSON object"),
    };
    let (old, new) = (fields(old), fields(new));
    let nothing = serde_json::Value::Array(Vec::new());
    let added = new.keys().filter(|name| !old.contains_key(*name));
    let changes: Vec<String> = old
        .keys()
        .chain(added)
        .map(|name| (name, old.get(name).unwrap_or(&nothing), new.get(name).unwrap_or(&nothing)))
        .filter(|(_, was, is)| was != is)
        .map(|(name, was, is)| format!("{name} was {was}, now {is}"))
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    Err(Failure::configuration(
        dir.display().to_string(),
        format!("this task was begun with another definition: {}", changes.join("; ")),
        "run it as it was begun to resume, or choose another --name for a new task",
    ))
}

/// Reads a file of a version up to `newest`.
fn read_json<T: DeserializeOwned>(path: &Path, newest: u32) -> Result<Option<T>, Failure> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::storage(path.display().to_string(), "reading failed", error)),
    };
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let damaged = |error: serde_json::Error| {
        Failure::corrupt(path.display().to_string(), format!("the file is damaged: {error}"))
    };
    let head: Versioned = serde_json::from_slice(&text).map_err(damaged)?;
    if !(1..=newest).contains(&head.version) {
        return Err(Failure::corrupt(
            path.display().to_string(),
            format!("the file has version {}, this program knows 1 to {newest}", head.version),
        ));
    }
    serde_json::from_slice(&text).map(Some).map_err(damaged)
}

/// Writes a file so that a crash leaves the old or the new one.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let beside = path.with_extension("json.new");
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec_pretty(value)?)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        let parent = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent)?.sync_all()
    };
    write().map_err(|error| Failure::storage(path.display().to_string(), "writing failed", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> TaskDefinition {
        TaskDefinition {
            source: "mysql://u@h:3306/".into(),
            target: "oceanbase://u@h:2881/".into(),
            include: vec!["a.*".into()],
            exclude: vec![],
            map: vec![],
            rows: vec![],
            columns: vec![],
            rename_column: vec![],
            steps: vec![Step::Schema, Step::Full, Step::Incr, Step::Verify],
            apply: ApplyMode::Transaction,
            existing: ExistingMode::Stop,
            foreign_changes: ForeignPolicy::Repair,
            convert: vec![],
            accept_loss: vec![],
        }
    }

    #[test]
    fn a_task_resumes_under_its_own_id_only_unchanged_and_alone() {
        let home = tempfile::tempdir().unwrap();
        let first = TaskHome::open(Some(home.path()), "t", &definition()).unwrap();
        let second = TaskHome::open(Some(home.path()), "t", &definition()).unwrap_err();
        assert!(second.to_string().contains("another process"), "{second}");
        let id = first.id.clone();
        drop(first);
        let mut changed = definition();
        changed.apply = ApplyMode::Convergent;
        let refused = TaskHome::open(Some(home.path()), "t", &changed).unwrap_err();
        assert!(refused.to_string().contains(r#"apply was "transaction", now "convergent""#), "{refused}");
        let mut converted = definition();
        converted.convert = vec!["a.t.c=BIGINT".into()];
        let refused = TaskHome::open(Some(home.path()), "t", &converted).unwrap_err();
        assert!(refused.to_string().contains(r#"convert was [], now ["a.t.c=BIGINT"]"#), "{refused}");
        assert_eq!(TaskHome::open(Some(home.path()), "t", &definition()).unwrap().id, id);
    }

    /// Persisted form: this text must be readable for ever.
    #[test]
    fn the_frozen_task_file_reads() {
        let frozen = r#"{"version":1,"id":"t-0011aabb","definition":{"source":"mysql://u@h:3306/","target":"oceanbase://u@h:2881/","include":["a.*"],"exclude":[],"map":[],"steps":["schema","full","incr","verify"],"apply":"transaction","existing":"stop","foreign_changes":"repair"}}"#;
        let file: TaskFile = serde_json::from_str(frozen).unwrap();
        assert_eq!(file.definition, definition());
        assert_eq!(serde_json::to_string(&file).unwrap(), frozen);
    }

    /// As above, of version 2, with filters.
    #[test]
    fn the_frozen_task_file_with_filters_reads() {
        let frozen = r#"{"version":2,"id":"t-0011aabb","definition":{"source":"mysql://u@h:3306/","target":"oceanbase://u@h:2881/","include":["a.*"],"exclude":[],"map":[],"where":["a.b=c > 1"],"columns":["a.b=-d"],"rename_column":["a.b.e=f"],"steps":["schema","full","incr","verify"],"apply":"transaction","existing":"stop","foreign_changes":"repair"}}"#;
        let file: TaskFile = serde_json::from_str(frozen).unwrap();
        let filtered = TaskDefinition {
            rows: vec!["a.b=c > 1".into()],
            columns: vec!["a.b=-d".into()],
            rename_column: vec!["a.b.e=f".into()],
            ..definition()
        };
        assert_eq!(file.definition, filtered);
        assert_eq!(serde_json::to_string(&file).unwrap(), frozen);
        let error = refuse_change(Path::new("h"), &definition(), &filtered).unwrap_err().to_string();
        assert!(error.contains(r#"where was [], now ["a.b=c > 1"]"#), "{error}");
    }

    /// Persisted form: these texts must be readable for ever.
    #[test]
    fn the_frozen_start_tables_read() {
        let position = r#"{"kind":"binlog","server":"7","file":"binlog.000002","offset":157}"#;
        let old = format!(r#"{{"version":1,"position":{position},"tables":[]}}"#);
        let read: StartTables = serde_json::from_str(&old).unwrap();
        assert_eq!((read.outside.as_ref(), serde_json::to_string(&read).unwrap()), (None, old.clone()));
        let new = old.replace("[]}", r#"[],"outside":[{"schema":"d","table":"_t_new"}]}"#);
        let read: StartTables = serde_json::from_str(&new).unwrap();
        assert_eq!(read.outside, Some(vec![TableName::new("d", "_t_new")]));
        assert_eq!(serde_json::to_string(&read).unwrap(), new);
    }

    #[test]
    fn names_that_could_leave_the_home_are_refused() {
        for name in ["", "..", "a/b", ".x", "a b"] {
            assert!(task_dir(Some(Path::new("h")), name).is_err(), "{name}");
        }
    }
}
