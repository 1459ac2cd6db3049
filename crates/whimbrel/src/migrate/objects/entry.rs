//! State entries of objects at the target: kind `object`, item `KIND SCHEMA.NAME` of the source.
//!
//! An entry is there for what this task makes or has made, so that a resumed run neither makes it twice nor takes
//! something for its own that it isn't. It is written before the object, which wasn't there then.

use serde::{Deserialize, Serialize};
use whimbrel_connector::{Result, StateKey, Writer};
use whimbrel_dbcat::ConvertedObject;

use crate::failure::Failure;
use crate::report::ObjectReport;

const KIND: &str = "object";
const VERSION: u32 = 1;

/// Persisted, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    version: u32,
    /// False while it is being made.
    pub made: bool,
    /// A trigger or an event.
    pub acts_by_itself: bool,
    /// Takes it away.
    pub drop: String,
    pub report: ObjectReport,
}

impl Entry {
    pub(super) fn new(object: &ConvertedObject, drop: String, report: ObjectReport) -> Self {
        Self { version: VERSION, made: false, acts_by_itself: object.kind.acts_by_itself(), drop, report }
    }

    fn read(payload: &[u8]) -> std::result::Result<Self, Failure> {
        let place = "state entry object at the target";
        let entry: Self =
            serde_json::from_slice(payload).map_err(|error| Failure::corrupt(place, error.to_string()))?;
        if entry.version != VERSION {
            let message = format!("it has version {}, this program knows {VERSION}", entry.version);
            return Err(Failure::corrupt(place, message));
        }
        Ok(entry)
    }
}

pub(super) fn key(object: &ConvertedObject) -> StateKey {
    StateKey::new(KIND, format!("{} {}", object.kind, object.source))
}

pub(super) async fn get(
    state: &mut dyn Writer,
    key: &StateKey,
) -> std::result::Result<Option<Entry>, Failure> {
    state.state_get(key).await?.map(|payload| Entry::read(&payload)).transpose()
}

pub(super) async fn put(state: &mut dyn Writer, key: &StateKey, entry: &Entry) -> Result<()> {
    let payload = serde_json::to_vec(entry).expect("plain structs of numbers and strings are always JSON");
    state.state_put(key, &payload).await
}

pub(super) async fn all(state: &mut dyn Writer) -> std::result::Result<Vec<(StateKey, Entry)>, Failure> {
    let entries = state.state_list(KIND, b"").await?;
    entries.into_iter().map(|entry| Ok((entry.key, Entry::read(&entry.payload)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ObjectStatus;

    /// Persisted form: this text must be readable for ever.
    #[test]
    fn the_frozen_entry_reads() {
        let frozen = r#"{"version":1,"made":true,"acts_by_itself":false,"drop":"DROP VIEW IF EXISTS `b`.`v`","report":{"kind":"view","name":"a.v","target":"b.v","status":"changed","error_code":null,"error":null,"note":"x"}}"#;
        let entry = Entry::read(frozen.as_bytes()).unwrap();
        assert_eq!(entry.report.status, ObjectStatus::Changed);
        assert_eq!(serde_json::to_string(&entry).unwrap(), frozen);
        assert!(Entry::read(frozen.replace(":1,", ":2,").as_bytes()).is_err());
    }
}
