//! The recorded samples and what their servers say is in them (`tests/samples/README.md`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value as Json;
use whimbrel_connector_mysql::log::schema_history::{SchemaHistory, ServerDefaults};
use whimbrel_model::TableName;

pub struct Sample {
    pub server: String,
    pub scenario: String,
    pub log_name: String,
    pub version: String,
    pub content: Vec<u8>,
    pub tables: BTreeMap<String, Json>,
    pub steps: Vec<Json>,
    pub events: Vec<(u64, u64, String)>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples")
}

impl Sample {
    pub fn name(&self) -> String {
        format!("{}/{}", self.server, self.scenario)
    }

    pub fn is_mariadb(&self) -> bool {
        self.version.contains("MariaDB")
    }

    fn load(expected: &Path) -> Self {
        let json: Json = serde_json::from_str(&std::fs::read_to_string(expected).unwrap()).unwrap();
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        let events = json["events_by_server"].as_array().unwrap().iter();
        Self {
            server: text("server"),
            scenario: text("scenario"),
            log_name: text("log_name"),
            version: text("version"),
            content: std::fs::read(expected.with_file_name(text("file"))).unwrap(),
            tables: json["tables"].as_object().unwrap().clone().into_iter().collect(),
            steps: json["steps"].as_array().unwrap().clone(),
            events: events
                .map(|event| {
                    let number = |index: usize| event[index].as_u64().unwrap();
                    (number(0), number(1), event[2].as_str().unwrap().to_owned())
                })
                .collect(),
        }
    }

    pub fn defaults(&self) -> ServerDefaults {
        let text = self.version.strip_prefix("5.5.5-").unwrap_or(&self.version);
        let mut numbers = text.split(['.', '-']).map(|part| part.parse::<u16>().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        let mut defaults = ServerDefaults::of_version(self.is_mariadb(), (next(), next(), next()));
        if self.server == "mysql56" {
            // dev/servers starts it so.
            defaults.explicit_timestamp_defaults = true;
        }
        defaults
    }

    /// A history that knows no table yet and wants all of users' databases.
    pub fn history(&self) -> SchemaHistory {
        let filter =
            |name: &TableName| !matches!(name.schema.as_str(), "mysql" | "sys" | "performance_schema");
        SchemaHistory::new(Vec::new(), Arc::new(filter), 1, self.defaults())
    }
}

/// All samples, in order of their names.
pub fn all() -> Vec<Sample> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .flat_map(|server| std::fs::read_dir(server).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| path.to_string_lossy().ends_with(".expected.json"))
        .collect();
    files.sort();
    assert!(files.len() > 150, "the samples are there");
    files.iter().map(|path| Sample::load(path)).collect()
}
