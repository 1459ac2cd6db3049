//! Registered consumers: who still needs which records. Kept in `consumers.json`, replaced atomically.
//!
//! ```text
//! {"version":1,"consumers":{"name":{"needs":sequence}}}
//! ```
//!
//! What is written there is never ahead of what a consumer acknowledged, and may be behind: a second at
//! most and only within one segment file, so that retention keeps too much rather than too little.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::fs::Fs;
use crate::sequence::Sequence;
use whimbrel_connector::{FailPoint, Mutation};

pub(crate) const FILE: &str = "consumers.json";
const PERSIST_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "version")]
enum Persisted {
    #[serde(rename = "1")]
    V1 { consumers: BTreeMap<String, Consumer> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Consumer {
    /// The lowest record that it still needs.
    needs: Sequence,
}

#[derive(Debug)]
pub(crate) struct Consumers {
    dir: PathBuf,
    consumers: BTreeMap<String, Consumer>,
    persisted: Instant,
}

impl Consumers {
    pub fn load(fs: &dyn Fs, dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        let consumers = match fs.open_read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(StoreError::io("open", path)(error)),
            Ok(file) => {
                let len = file.len().map_err(StoreError::io("read", &path))?;
                let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
                let read = crate::fs::read_full(file.as_ref(), &mut bytes, 0)
                    .map_err(StoreError::io("read", &path))?;
                bytes.truncate(read);
                let Persisted::V1 { consumers } = serde_json::from_slice(&bytes)
                    .map_err(|source| StoreError::Consumers { path, source })?;
                consumers
            }
        };
        Ok(Self { dir: dir.to_owned(), consumers, persisted: Instant::now() })
    }

    /// The lowest record that anybody needs, and who.
    pub fn slowest(&self) -> Option<(&str, Sequence)> {
        let lowest = self.consumers.iter().min_by_key(|(_, consumer)| consumer.needs);
        lowest.map(|(name, consumer)| (name.as_str(), consumer.needs))
    }

    /// The record that the fastest consumer needs next: all before it were acknowledged once.
    pub fn furthest(&self) -> Option<Sequence> {
        self.consumers.values().map(|consumer| consumer.needs).max()
    }

    pub fn needs(&self, name: &str) -> Option<Sequence> {
        self.consumers.get(name).map(|consumer| consumer.needs)
    }

    pub fn all(&self) -> Vec<(String, Sequence)> {
        self.consumers.iter().map(|(name, consumer)| (name.clone(), consumer.needs)).collect()
    }

    /// Sets what a consumer needs, durably.
    pub fn register(&mut self, fs: &dyn Fs, name: &str, needs: Sequence) -> Result<(), StoreError> {
        let before = self.consumers.insert(name.to_owned(), Consumer { needs });
        self.persist(fs).inspect_err(|_| {
            match before {
                Some(before) => self.consumers.insert(name.to_owned(), before),
                None => self.consumers.remove(name),
            };
        })
    }

    pub fn unregister(&mut self, fs: &dyn Fs, name: &str) -> Result<(), StoreError> {
        match self.consumers.remove(name) {
            None => Err(StoreError::UnknownConsumer { name: name.to_owned() }),
            Some(_) => self.persist(fs),
        }
    }

    /// Moves a consumer forward; a lower number than before changes nothing. `crosses_file` says that it
    /// frees a segment file, which may be removed only after this has been written down.
    pub fn advance(
        &mut self,
        fs: &dyn Fs,
        name: &str,
        needs: Sequence,
        crosses_file: bool,
    ) -> Result<(), StoreError> {
        let consumer = self.consumers.get_mut(name);
        let consumer = consumer.ok_or_else(|| StoreError::UnknownConsumer { name: name.to_owned() })?;
        let before = *consumer;
        consumer.needs = consumer.needs.max(needs);
        if !crosses_file && self.persisted.elapsed() < PERSIST_EVERY {
            return Ok(());
        }
        self.persist(fs).inspect_err(|_| {
            self.consumers.insert(name.to_owned(), before);
        })
    }

    pub fn persist(&mut self, fs: &dyn Fs) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(&Persisted::V1 { consumers: self.consumers.clone() })
            .expect("a map with text keys is JSON");
        let path = self.dir.join(FILE);
        let temporary = self.dir.join(format!("{FILE}.tmp"));
        let file = fs.create(&temporary).map_err(StoreError::io("create", &temporary))?;
        write_full(file.as_ref(), &bytes, 0).map_err(StoreError::io("write", &temporary))?;
        if !Mutation::SkipConsumersSync.active() {
            file.sync_data().map_err(StoreError::io("sync", &temporary))?;
        }
        FailPoint::ConsumersWritten.reached();
        fs.rename(&temporary, &path).map_err(StoreError::io("rename", &path))?;
        fs.sync_dir(&self.dir).map_err(StoreError::io("sync", &self.dir))?;
        self.persisted = Instant::now();
        Ok(())
    }
}

/// Writes all of `bytes` at an offset.
pub(crate) fn write_full(file: &dyn crate::fs::FsFile, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match file.write_at(rest, offset + written as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::RealFs;

    /// Persisted form: this text must be readable for ever.
    #[test]
    fn the_frozen_list_is_read_and_written() {
        let dir = tempfile::tempdir().unwrap();
        let frozen = r#"{"version":"1","consumers":{"incr-sync":{"needs":42}}}"#;
        std::fs::write(dir.path().join(FILE), frozen).unwrap();
        let mut consumers = Consumers::load(&RealFs, dir.path()).unwrap();
        assert_eq!(consumers.slowest(), Some(("incr-sync", Sequence(42))));
        consumers.register(&RealFs, "incr-sync", Sequence(42)).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join(FILE)).unwrap(), frozen);
    }

    #[test]
    fn a_consumer_moves_forward_only_and_must_be_known() {
        let dir = tempfile::tempdir().unwrap();
        let mut consumers = Consumers::load(&RealFs, dir.path()).unwrap();
        consumers.register(&RealFs, "a", Sequence(10)).unwrap();
        consumers.advance(&RealFs, "a", Sequence(5), true).unwrap();
        assert_eq!(consumers.needs("a"), Some(Sequence(10)));
        let unknown = consumers.advance(&RealFs, "b", Sequence(5), true);
        assert!(matches!(unknown, Err(StoreError::UnknownConsumer { name }) if name == "b"));
        std::fs::write(dir.path().join(FILE), "{").unwrap();
        assert!(matches!(Consumers::load(&RealFs, dir.path()), Err(StoreError::Consumers { .. })));
    }
}
