//! A Store as the source of changes.

use async_trait::async_trait;
use whimbrel_connector::{ConnectorError, ErrorKind, Result};
use whimbrel_model::LogRecord;
use whimbrel_store::{Sequence, StartAt, Store, StoreError, StoreReader};

use crate::source::ChangeSource;

/// Reads a Store of this process as one registered consumer, so that retention keeps what is still needed.
pub struct StoreSource {
    store: Store,
    consumer: String,
    first: StartAt,
    reader: Option<StoreReader>,
}

impl StoreSource {
    /// `consumer` must be registered with the Store. `first` is where the task begins.
    pub fn new(store: Store, consumer: impl Into<String>, first: StartAt) -> Self {
        Self { store, consumer: consumer.into(), first, reader: None }
    }
}

#[async_trait]
impl ChangeSource for StoreSource {
    async fn next(&mut self) -> Result<(u64, LogRecord)> {
        if self.reader.is_none() {
            self.seek(None).await?;
        }
        let Some(reader) = &mut self.reader else {
            return Err(ConnectorError::new(ErrorKind::Other, "change log", "no reader was opened"));
        };
        let item = reader.next().await?;
        Ok((item.sequence.0, item.record))
    }

    async fn seek(&mut self, after: Option<u64>) -> Result<()> {
        let (store, first) = (self.store.clone(), self.first.clone());
        let from = after.map_or(first, |after| StartAt::Sequence(Sequence(after).next()));
        self.reader = Some(blocking(move || store.read_from(&from)).await?);
        Ok(())
    }

    async fn acknowledge(&mut self, sequence: u64) -> Result<()> {
        let (store, consumer) = (self.store.clone(), self.consumer.clone());
        blocking(move || store.acknowledge(&consumer, Sequence(sequence))).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| StoreError::TaskLost("reads the change log"))?.map_err(ConnectorError::from)
}
