//! The reading side.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;

use super::frame::{Frame, FrameReader, ProtocolError, send};
use super::{OLDEST_VERSION, PROTOCOL_VERSION};
use crate::decode::{Decoder, Fault, Rows, Step};
use crate::error::StoreError;
use crate::format::{BLOCK_HEADER, BlockHeader, flags};
use crate::pack::Unpacker;
use crate::seek::StartAt;
use crate::sequence::{Sequence, StoreItem};

/// Without a frame (a heartbeat comes every five seconds) for this long the connection is dead.
const SILENCE: Duration = Duration::from_secs(30);
/// A block larger than this, packed or unpacked, is refused: one row has at most a gigabyte.
const BLOCK_LIMIT: u64 = 2 << 30;

/// A connection that has been let in.
#[derive(Debug)]
pub struct RemoteStore<S> {
    frames: FrameReader<ReadHalf<S>>,
    write: WriteHalf<S>,
    pub store_id: [u8; 16],
    /// The oldest record that was there when the connection was made.
    pub oldest: Sequence,
    /// The next record at that moment.
    pub next: Sequence,
}

/// Reads records from a Store in another process; the same records that a [`crate::StoreReader`] gives.
#[derive(Debug)]
pub struct RemoteStoreReader<S> {
    frames: FrameReader<ReadHalf<S>>,
    write: WriteHalf<S>,
    decoding: Option<Decoding>,
    items: VecDeque<StoreItem>,
    running: Option<JoinHandle<Decoded>>,
}

type Decoded = (Decoding, Result<Vec<StoreItem>, ProtocolError>);

/// What is needed to decode blocks.
#[derive(Debug)]
struct Decoding {
    decoder: Decoder,
    unpacker: Unpacker,
    /// The first record that is handed out.
    from: u64,
    expected: Option<u64>,
}

/// Connects over TCP.
pub async fn connect_tcp(
    address: &str,
    token: Option<&str>,
) -> Result<RemoteStore<TcpStream>, ProtocolError> {
    let stream = timely(async { TcpStream::connect(address).await.map_err(ProtocolError::Io) }).await?;
    stream.set_nodelay(true).map_err(ProtocolError::Io)?;
    RemoteStore::greet(stream, token).await
}

/// Connects to a unix socket.
pub async fn connect_unix(
    path: &Path,
    token: Option<&str>,
) -> Result<RemoteStore<UnixStream>, ProtocolError> {
    let stream = timely(async { UnixStream::connect(path).await.map_err(ProtocolError::Io) }).await?;
    RemoteStore::greet(stream, token).await
}

async fn timely<T>(action: impl Future<Output = Result<T, ProtocolError>>) -> Result<T, ProtocolError> {
    let silent = ProtocolError::Silent { seconds: SILENCE.as_secs() };
    tokio::time::timeout(SILENCE, action).await.unwrap_or(Err(silent))
}

async fn next_frame(frames: &mut FrameReader<impl AsyncRead + Unpin>) -> Result<Frame, ProtocolError> {
    match timely(frames.next()).await? {
        Frame::Error { code, message } => Err(ProtocolError::Refused { code, message }),
        frame => Ok(frame),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> RemoteStore<S> {
    /// Says hello on a connected stream.
    pub async fn greet(stream: S, token: Option<&str>) -> Result<Self, ProtocolError> {
        let (read, mut write) = tokio::io::split(stream);
        let mut frames = FrameReader::new(read, BLOCK_LIMIT + 1024);
        let token = token.unwrap_or_default().as_bytes().to_vec();
        if token.len() > usize::from(u16::MAX) {
            return Err("a token of more than 65535 bytes".into());
        }
        let hello = Frame::Hello { lowest: OLDEST_VERSION, highest: PROTOCOL_VERSION, token };
        timely(send(&mut write, &hello)).await?;
        match next_frame(&mut frames).await? {
            Frame::Welcome { version: OLDEST_VERSION..=PROTOCOL_VERSION, store_id, oldest, next, .. } => {
                Ok(Self { frames, write, store_id, oldest: Sequence(oldest), next: Sequence(next) })
            }
            _ => Err("something else than a welcome".into()),
        }
    }

    /// Asks for records from some place on. With a consumer's name the server registers it, keeps what it
    /// needs, and takes [`RemoteStoreReader::acknowledge`].
    pub async fn subscribe(
        mut self,
        from: StartAt,
        consumer: Option<&str>,
    ) -> Result<RemoteStoreReader<S>, ProtocolError> {
        let consumer = consumer.unwrap_or_default().to_owned();
        if consumer.len() > usize::from(u16::MAX) {
            return Err("a consumer's name of more than 65535 bytes".into());
        }
        timely(send(&mut self.write, &Frame::Subscribe { from, consumer })).await?;
        Ok(RemoteStoreReader {
            frames: self.frames,
            write: self.write,
            decoding: Some(Decoding {
                decoder: Decoder::default(),
                unpacker: Unpacker::default(),
                from: 0,
                expected: None,
            }),
            items: VecDeque::new(),
            running: None,
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> RemoteStoreReader<S> {
    /// The next record; waits until there is one. May be dropped at any await: nothing is lost. After an
    /// error the reader is finished; a new connection goes on from the last record.
    pub async fn next(&mut self) -> Result<StoreItem, ProtocolError> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(item);
            }
            if let Some(running) = &mut self.running {
                let joined = running.await;
                self.running = None;
                let lost = |_| ProtocolError::Store(StoreError::TaskLost("decodes the change log"));
                let (decoding, items) = joined.map_err(lost)?;
                self.items.extend(items?);
                self.decoding = Some(decoding);
                continue;
            }
            let frame = next_frame(&mut self.frames).await?;
            if matches!(frame, Frame::Heartbeat { .. }) {
                continue;
            }
            let mut decoding = self.decoding.take().ok_or(ProtocolError::Closed)?;
            // Unpacking a full block takes half a millisecond and more.
            self.running = Some(tokio::task::spawn_blocking(move || {
                let items = decoding.frame(&frame);
                (decoding, items)
            }));
        }
    }

    /// Tells the server that everything up to and including a record is done. Has to be awaited to its end.
    pub async fn acknowledge(&mut self, done: Sequence) -> Result<(), ProtocolError> {
        timely(send(&mut self.write, &Frame::Ack { sequence: done.0 })).await
    }
}

impl Decoding {
    fn frame(&mut self, frame: &Frame) -> Result<Vec<StoreItem>, ProtocolError> {
        match (frame, self.expected) {
            (Frame::Subscribed { first, definitions }, None) => {
                self.from = *first;
                self.expected = Some(0);
                let header = block_header(definitions)?;
                let payload = self.unpacker.unpack(&header, block_payload(definitions))?;
                self.decoder.definitions(payload.records)?;
                Ok(Vec::new())
            }
            (Frame::Block(block), Some(expected)) => self.block(block, expected),
            _ => Err("a frame at the wrong time".into()),
        }
    }

    fn block(&mut self, block: &[u8], expected: u64) -> Result<Vec<StoreItem>, ProtocolError> {
        let header = block_header(block)?;
        // Numbers jump only where a file begins, which a block with an anchor does.
        let follows = header.first_sequence == expected
            || (header.first_sequence > expected && header.has(flags::ANCHOR));
        if !follows {
            return Err("a block out of order".into());
        }
        let payload = self.unpacker.unpack(&header, block_payload(block))?;
        let mut items = Vec::new();
        let from = self.from;
        self.decoder.block(&header, payload, Rows::From(from), |_, step| {
            if let Step::Record(sequence, record) = step
                && sequence >= from
            {
                items.push(StoreItem { sequence: Sequence(sequence), record });
            }
            Ok::<(), Fault>(())
        })?;
        self.expected = Some(header.end_sequence());
        Ok(items)
    }
}

fn block_header(block: &[u8]) -> Result<BlockHeader, ProtocolError> {
    let header = BlockHeader::read(block)?;
    if header.total_len() != block.len() as u64 {
        return Err("a block with a wrong length".into());
    }
    let bytes = u64::from(header.plain_len);
    if bytes > BLOCK_LIMIT {
        return Err(ProtocolError::FrameTooLarge { bytes, limit: BLOCK_LIMIT });
    }
    Ok(header)
}

fn block_payload(block: &[u8]) -> &[u8] {
    block.get(BLOCK_HEADER..).unwrap_or_default()
}
