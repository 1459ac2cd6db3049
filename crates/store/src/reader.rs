//! Reading a Store: any number of readers at once, each with its own pace.
//!
//! A reader gets durable records only, in order, and waits for new ones. It works through one batch of
//! blocks at a time (about [`BATCH_BYTES`] of uncompressed records, or one block if that is larger), which
//! a blocking task reads, unpacks and decodes: small blocks come from the page cache in microseconds, but a
//! reader far behind waits for the disk, and unpacking a full block takes half a millisecond.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::blocking::BlockingWork;
use crate::cursor::Cursor;
use crate::decode::{Decoder, Rows, Step};
use crate::error::StoreError;
use crate::options::Compression;
use crate::pack::{BlockFacts, Packer};
use crate::protocol::Frame;
use crate::record::BlockBuilder;
use crate::seek::{self, Found, Search, StartAt};
use crate::sequence::{Sequence, StoreItem};
use crate::shared::{Shared, Tail};

const BATCH_BYTES: u64 = 256 << 10;

/// Reads records from some place on.
#[derive(Debug)]
pub struct StoreReader {
    engine: Option<Engine>,
    items: VecDeque<StoreItem>,
    tail: watch::Receiver<Tail>,
    loading: Option<JoinHandle<Loaded>>,
    blocking: BlockingWork,
}

type Loaded = (Engine, Result<Vec<StoreItem>, StoreError>);

impl StoreReader {
    pub(crate) fn new(shared: Arc<Shared>, from: &StartAt) -> Result<Self, StoreError> {
        let tail = shared.tail.subscribe();
        let blocking = shared.options.blocking;
        let engine = Engine::new(shared, from)?;
        Ok(Self { engine: Some(engine), items: VecDeque::new(), tail, loading: None, blocking })
    }

    /// The next record; waits until there is one. May be dropped at any await: nothing is lost. An error
    /// stays: the next call tries the same place again.
    pub async fn next(&mut self) -> Result<StoreItem, StoreError> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(item);
            }
            if !self.load().await? {
                // The sender lives as long as the engine, which this reader holds.
                self.tail.changed().await.map_err(|_| StoreError::TaskLost("writes the change log"))?;
            }
        }
    }

    /// The next record if there is a durable one already, when this is called.
    pub async fn try_next(&mut self) -> Result<Option<StoreItem>, StoreError> {
        // A load that a dropped call left behind may have looked before the record was there.
        let looked_before = self.loading.is_some();
        if self.items.is_empty() && !self.load().await? && looked_before {
            self.load().await?;
        }
        Ok(self.items.pop_front())
    }

    /// Loads the next batch; false where there is nothing more that is durable.
    async fn load(&mut self) -> Result<bool, StoreError> {
        if self.loading.is_none() {
            // Marked as seen before the task looks, so that what comes later wakes this reader.
            self.tail.borrow_and_update();
            let mut engine = self.engine.take().ok_or(StoreError::TaskLost("reads the change log"))?;
            // Handed out by now; the next batch needs about as much room.
            let mut items = Vec::from(std::mem::take(&mut self.items));
            self.loading = Some(self.blocking.spawn_short(move || {
                let result = engine.load(&mut items);
                (engine, result.map(|()| items))
            }));
        }
        let Some(loading) = &mut self.loading else { return Ok(false) };
        let joined = loading.await;
        self.loading = None;
        let (engine, result) = joined.map_err(|_| StoreError::TaskLost("reads the change log"))?;
        self.engine = Some(engine);
        self.items = result?.into();
        Ok(!self.items.is_empty())
    }
}

/// The blocking part of a reader.
#[derive(Debug)]
pub(crate) struct Engine {
    shared: Arc<Shared>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Search(Box<Search>),
    /// Records from `from` on are handed out.
    Read {
        cursor: Box<Cursor>,
        from: u64,
    },
}

impl Engine {
    pub fn new(shared: Arc<Shared>, from: &StartAt) -> Result<Self, StoreError> {
        let phase = match seek::start(&shared, from)? {
            Ok(sequence) => read_phase(&shared, sequence)?,
            Err(search) => Phase::Search(Box::new(search)),
        };
        Ok(Self { shared, phase })
    }

    /// The first record that will be handed out and the cursor before it, once the search has ended.
    pub fn ready(&mut self) -> Result<Option<(&mut Cursor, u64)>, StoreError> {
        if let Phase::Search(search) = &mut self.phase {
            match search.run(&self.shared)? {
                Found::NotYet => return Ok(None),
                Found::At(sequence) => self.phase = read_phase(&self.shared, sequence)?,
            }
        }
        match &mut self.phase {
            Phase::Read { cursor, from } => Ok(Some((cursor, *from))),
            Phase::Search(_) => Ok(None),
        }
    }

    /// Appends durable records, none where there is nothing new, to `items`, which is empty.
    pub fn load(&mut self, items: &mut Vec<StoreItem>) -> Result<(), StoreError> {
        let Some((cursor, from)) = self.ready()? else { return Ok(()) };
        let mut bytes = 0;
        // Blocks before `from` give nothing; only the durable end may give an empty answer.
        while bytes < BATCH_BYTES || items.is_empty() {
            let whole = items.len();
            let step = cursor.advance().and_then(|header| {
                let Some(header) = header else { return Ok(None) };
                let rows = Rows::From(from);
                cursor.decode(&header, rows, |_, step| {
                    keep(items, from, step);
                    Ok(())
                })?;
                Ok(Some(header))
            });
            match step {
                Ok(Some(header)) => bytes += u64::from(header.plain_len),
                Ok(None) => break,
                Err(error) => {
                    items.truncate(whole);
                    // What could be read is handed out first; the error comes with the next call.
                    return if items.is_empty() { Err(error) } else { Ok(()) };
                }
            }
        }
        Ok(())
    }
}

impl Engine {
    /// Frames for a client: blocks as they are in the files, and, where `subscribe` asks for it, first the
    /// frame that begins a subscription. No frame means nothing new. Returns the first record that the
    /// client is to use, once that is known.
    pub fn load_raw(
        &mut self,
        subscribe: bool,
        mut send: impl FnMut(Frame),
    ) -> Result<Option<u64>, StoreError> {
        let Some((cursor, first)) = self.ready()? else { return Ok(None) };
        if subscribe {
            send(Frame::Subscribed { first, definitions: definitions(&cursor.decoder) });
        }
        let mut bytes = 0;
        while bytes < BATCH_BYTES {
            // An error after some blocks comes again with the next call.
            let header = match cursor.advance() {
                Ok(Some(header)) => header,
                Ok(None) => break,
                Err(_) if bytes > 0 => break,
                Err(error) => return Err(error),
            };
            send(Frame::Block(cursor.raw_block().to_vec()));
            bytes += header.total_len();
        }
        Ok(Some(first))
    }
}

/// A block with all table versions that a decoder knows.
fn definitions(decoder: &Decoder) -> Vec<u8> {
    let mut builder = BlockBuilder::default();
    for version in decoder.versions() {
        builder.define(version.id, false, &version.schema);
    }
    let facts = BlockFacts { flags: builder.flags, first_sequence: 0, count: 0, max_time_us: 0, synced: 0 };
    let mut block = Vec::new();
    Packer::new(Compression::Zstd(1)).pack(builder.payload(), facts, &mut block);
    block
}

fn keep(items: &mut Vec<StoreItem>, from: u64, step: Step) {
    if let Step::Record(sequence, record) = step
        && sequence >= from
    {
        items.push(StoreItem { sequence: Sequence(sequence), record });
    }
}

fn read_phase(shared: &Arc<Shared>, sequence: u64) -> Result<Phase, StoreError> {
    let cursor = Box::new(Cursor::at_sequence(shared, sequence)?);
    Ok(Phase::Read { cursor, from: sequence })
}
