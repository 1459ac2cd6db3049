//! What a proof has found: the matrix of types and classes of values, for people, for programs, and kept for the precheck.
//!
//! Kept as `HOME/proofs/SERVER.json` (with a version), where SERVER is the target server's identity. A later `plan`,
//! `check` or `migrate` to the same server warns of the columns whose type was found to lose or refuse something.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use whimbrel_connector::{ErrorKind, Finding, ServerInfo, Severity};
use whimbrel_dbcat::render;
use whimbrel_model::{DataType, TableSchema};

use crate::failure::Failure;

const VERSION: u32 = 1;

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Read back as it was.
    Lossless,
    /// The target took it and holds another value.
    Lossy,
    /// The target, or the conversion to its charset, refused it. Such a row is parked, never changed.
    Refused,
}

/// Which way the value took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// A multi-row insert, as full import does it.
    Import,
    /// An update, then a deletion and an insertion, each with a checkpoint, as incremental synchronisation does it.
    Apply,
}

/// One class of values of a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassResult {
    pub class: String,
    /// The worst of its values.
    pub outcome: Outcome,
    pub values: usize,
    /// Of the first value with that outcome, where it isn't lossless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Example>,
}

/// A value that didn't arrive as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    pub route: Route,
    pub written: String,
    /// What was read back; none where it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeResult {
    pub data_type: DataType,
    /// In SQL.
    pub source: String,
    /// In SQL; none where the target refused the column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub classes: Vec<ClassResult>,
}

impl TypeResult {
    pub fn outcome(&self) -> Outcome {
        let worst = self.classes.iter().map(|class| class.outcome).max().unwrap_or(Outcome::Lossless);
        if self.error.is_some() { Outcome::Refused } else { worst }
    }
}

/// A whole proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub version: u32,
    /// The target, without password.
    pub target: String,
    pub target_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    pub types: Vec<TypeResult>,
}

impl Proof {
    pub fn new(target: &str, server: &ServerInfo, source: Option<&str>) -> Self {
        Self {
            version: VERSION,
            target: target.to_owned(),
            target_version: server.version_text.clone(),
            source: source.map(str::to_owned),
            types: Vec::new(),
        }
    }

    pub fn is_lossless(&self) -> bool {
        self.types.iter().all(|found| found.outcome() == Outcome::Lossless)
    }

    /// The matrix for people: a line for each type, and one for each class that isn't lossless.
    pub fn text(&self) -> String {
        let mut out = format!("-- target: {}\n", self.target_version);
        let mut counts: BTreeMap<Outcome, usize> = BTreeMap::new();
        for found in &self.types {
            *counts.entry(found.outcome()).or_default() += 1;
            let target = found.target.as_deref().unwrap_or("-");
            let values: usize = found.classes.iter().map(|class| class.values).sum();
            out.push_str(&format!(
                "{:<9} {} -> {target} ({values} values)\n",
                word(found.outcome()),
                found.source
            ));
            if let Some(error) = &found.error {
                out.push_str(&format!("          {error}\n"));
            }
            for class in found.classes.iter().filter(|class| class.outcome != Outcome::Lossless) {
                out.push_str(&format!("          {} {}", word(class.outcome), class.class));
                if let Some(example) = &class.example {
                    out.push_str(&format!(": {}", describe(example)));
                }
                out.push('\n');
            }
            if found.outcome() != Outcome::Lossless && !found.columns.is_empty() {
                out.push_str(&format!("          columns: {}\n", found.columns.join(", ")));
            }
        }
        let count = |outcome| counts.get(&outcome).copied().unwrap_or_default();
        out.push_str(&format!(
            "-- {} types: {} lossless, {} lossy, {} refuse something\n",
            self.types.len(),
            count(Outcome::Lossless),
            count(Outcome::Lossy),
            count(Outcome::Refused)
        ));
        out
    }

    /// Keeps the proof for prechecks.
    ///
    /// # Errors
    /// The folder or file can't be written.
    pub fn keep(&self, home: &Path, server: &ServerInfo) -> Result<PathBuf, Failure> {
        let path = place(home, server);
        let object = path.display().to_string();
        let failed = |error: std::io::Error| Failure::storage(&object, "the proof can't be kept", error);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(failed)?;
        }
        let json = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        let beside = path.with_extension("json.new");
        fs::write(&beside, json).map_err(failed)?;
        fs::rename(&beside, &path).map_err(failed)?;
        Ok(path)
    }

    /// The proof of this target, if there is one that this program can read.
    pub fn kept(home: &Path, server: &ServerInfo) -> Option<Self> {
        let path = place(home, server);
        let text = fs::read(&path).ok()?;
        match serde_json::from_slice::<Self>(&text) {
            // After an upgrade of the server it proves nothing.
            Ok(proof) if proof.version == VERSION && proof.target_version == server.version_text => {
                Some(proof)
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the kept proof can't be read");
                None
            }
        }
    }

    /// Warnings about columns whose type doesn't pass.
    pub fn findings(&self, tables: &[TableSchema]) -> Vec<Finding> {
        let columns = tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
        columns
            .filter(|(_, column)| column.generated.is_none())
            .filter_map(|(table, column)| {
                let found = self.of_type(&column.data_type)?;
                let losses: Vec<String> = losses(found).collect();
                (!losses.is_empty()).then(|| Finding {
                    severity: Severity::Warning,
                    code: ErrorKind::RowRefused.code().to_owned(),
                    object: format!("column {}.{}", table.name, column.name),
                    cause: format!(
                        "{} does not hold every value at this target: {}",
                        found.source,
                        losses.join("; ")
                    ),
                    hint: "rows with refused values are parked; whimbrel prove shows all classes of values"
                        .to_owned(),
                })
            })
            .collect()
    }

    fn of_type(&self, data_type: &DataType) -> Option<&TypeResult> {
        self.types.iter().find(|found| found.data_type == *data_type)
    }
}

/// What a type's columns lose, a phrase for each class.
fn losses(found: &TypeResult) -> impl Iterator<Item = String> {
    let error = found.error.iter().cloned();
    let classes = found.classes.iter().filter(|class| class.outcome != Outcome::Lossless);
    error.chain(classes.map(|class| {
        let example = class.example.as_ref().map(|example| format!(" ({})", describe(example)));
        format!("{} is {}{}", class.class, word(class.outcome), example.unwrap_or_default())
    }))
}

fn describe(example: &Example) -> String {
    let route = if example.route == Route::Import { "" } else { " when changes are applied" };
    match (&example.read, &example.error) {
        (Some(read), _) => format!("{} is read back as {read}{route}", example.written),
        (None, Some(error)) => format!("{}{route}: {error}", example.written),
        (None, None) => format!("{} is gone{route}", example.written),
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Lossless => "lossless",
        Outcome::Lossy => "lossy",
        Outcome::Refused => "refused",
    }
}

/// A type in SQL, shortened where it lists many members.
pub fn sql_of(data_type: &DataType) -> String {
    const LIMIT: usize = 120;
    let text = render::data_type(data_type);
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}... ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
        None => text,
    }
}

fn place(home: &Path, server: &ServerInfo) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = server.server.chars().map(plain).collect();
    home.join("proofs").join(format!("{name}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frozen: a file that version 1 wrote.
    const SAMPLE: &str = r#"{
      "version": 1, "target": "oceanbase://u@h:2881", "target_version": "5.7.25-OceanBase",
      "types": [{
        "data_type": {"type": "int", "bytes": 4, "unsigned": false, "zerofill": null},
        "source": "int", "target": "int", "columns": ["a.b.c"],
        "classes": [
          {"class": "zero", "outcome": "lossless", "values": 1},
          {"class": "largest", "outcome": "lossy", "values": 1, "example": {"route": "apply", "written": "2", "read": "1"}}
        ]}]
    }"#;

    fn server(version_text: &str) -> ServerInfo {
        ServerInfo {
            flavor: whimbrel_connector::Flavor::OceanBase,
            version: (4, 3, 5),
            version_text: version_text.to_owned(),
            server: "a/b 1".to_owned(),
            variables: BTreeMap::new(),
            collations: BTreeMap::new(),
            abilities: whimbrel_connector::Abilities::default(),
        }
    }

    #[test]
    fn a_kept_proof_is_read_again_for_the_same_server() {
        let proof: Proof = serde_json::from_str(SAMPLE).unwrap();
        assert!(!proof.is_lossless());
        let home = std::env::temp_dir().join(format!("whimbrel-proof-{}", std::process::id()));
        let path = proof.keep(&home, &server("5.7.25-OceanBase")).unwrap();
        assert!(path.ends_with("proofs/a_b_1.json"));
        assert_eq!(Proof::kept(&home, &server("5.7.25-OceanBase")), Some(proof));
        assert_eq!(Proof::kept(&home, &server("another version")), None);
        fs::remove_dir_all(&home).unwrap();
    }

    #[test]
    fn the_text_shows_an_example_of_what_is_lost() {
        let proof: Proof = serde_json::from_str(SAMPLE).unwrap();
        let text = proof.text();
        assert!(text.contains("lossy largest: 2 is read back as 1 when changes are applied"), "{text}");
        assert!(text.contains("columns: a.b.c"), "{text}");
    }
}
