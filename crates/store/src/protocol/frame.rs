//! Frames and their bytes.
//!
//! ```text
//! u32 length of what follows, u8 type, body; numbers little endian
//!
//! to the server
//!   1 hello       4 bytes "WSTP", u16 lowest version, u16 highest version, u16 length, token
//!   3 subscribe   u8 from (0 start, 1 sequence, 2 position, 3 time); u64 (1: sequence, 3: microseconds since
//!                 1970) or u32 length, position as JSON (2); u16 length, consumer's name (empty: none)
//!   5 ack         u64 sequence: everything up to and including it is done
//! to the client
//!   2 welcome     u16 version, 16 bytes store id, u32 format version, u64 oldest sequence, u64 next sequence
//!   4 subscribed  u64 first sequence; then a block that defines table versions
//!   6 block       a block as in a segment file
//!   7 heartbeat   u64 next sequence
//!   8 error       u16 code, message in UTF-8; the connection ends
//! ```

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use whimbrel_model::Position;

use crate::error::StoreError;
use crate::format::{take, take_bytes, take_u8, take_u32, take_u64};
use crate::seek::StartAt;
use crate::sequence::Sequence;

const HELLO_MAGIC: [u8; 4] = *b"WSTP";
/// What is asked from the operating system at once.
const READ_CHUNK: usize = 64 << 10;

/// Why the other side refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// A frame that isn't understood or comes at the wrong time.
    Protocol,
    /// No version in common.
    Version,
    /// The token is missing or wrong.
    Unauthorized,
    /// Retention has removed what was asked for.
    PositionGone,
    /// The position is of another server.
    PositionIncomparable,
    /// The record doesn't exist yet.
    SequenceAhead,
    UnknownConsumer,
    /// A segment file is damaged.
    Damaged,
    /// Too many connections.
    Busy,
    /// Anything else, and codes of newer servers.
    Internal,
}

impl ErrorCode {
    const ALL: [(Self, u16); 10] = [
        (Self::Protocol, 1),
        (Self::Version, 2),
        (Self::Unauthorized, 3),
        (Self::PositionGone, 4),
        (Self::PositionIncomparable, 5),
        (Self::SequenceAhead, 6),
        (Self::UnknownConsumer, 7),
        (Self::Damaged, 8),
        (Self::Busy, 9),
        (Self::Internal, 10),
    ];

    fn number(self) -> u16 {
        Self::ALL.iter().find(|(code, _)| *code == self).map_or(10, |(_, number)| *number)
    }

    fn from_number(number: u16) -> Self {
        Self::ALL.iter().find(|(_, known)| *known == number).map_or(Self::Internal, |(code, _)| *code)
    }

    pub(super) fn of(error: &StoreError) -> Self {
        match error {
            StoreError::PositionGone { .. } => Self::PositionGone,
            StoreError::PositionIncomparable { .. } => Self::PositionIncomparable,
            StoreError::SequenceAhead { .. } => Self::SequenceAhead,
            StoreError::UnknownConsumer { .. } => Self::UnknownConsumer,
            StoreError::Damaged(_)
            | StoreError::SegmentMissing { .. }
            | StoreError::ForeignSegment { .. } => Self::Damaged,
            _ => Self::Internal,
        }
    }
}

/// Errors of a connection.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    #[error("talking to the other side of the change log's socket")]
    Io(#[source] io::Error),
    #[error("the other side closed the connection")]
    Closed,
    #[error("nothing came from the other side for {seconds} seconds")]
    Silent { seconds: u64 },
    #[error("a frame of {bytes} bytes is more than the {limit} allowed")]
    FrameTooLarge { bytes: u64, limit: u64 },
    #[error("the other side sent {what} that can't be understood")]
    Malformed { what: &'static str },
    #[error("the other side refused ({code:?}): {message}")]
    Refused { code: ErrorCode, message: String },
    /// The Store failed (on the server's side).
    #[error("reading the change log")]
    Store(#[source] StoreError),
}

impl From<&'static str> for ProtocolError {
    fn from(what: &'static str) -> Self {
        Self::Malformed { what }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Frame {
    Hello { lowest: u16, highest: u16, token: Vec<u8> },
    Welcome { version: u16, store_id: [u8; 16], format: u32, oldest: u64, next: u64 },
    Subscribe { from: StartAt, consumer: String },
    Subscribed { first: u64, definitions: Vec<u8> },
    Ack { sequence: u64 },
    Block(Vec<u8>),
    Heartbeat { next: u64 },
    Error { code: ErrorCode, message: String },
}

impl Frame {
    /// Appends the frame with its length.
    pub fn write(&self, out: &mut Vec<u8>) {
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        match self {
            Self::Hello { lowest, highest, token } => {
                out.push(1);
                out.extend_from_slice(&HELLO_MAGIC);
                out.extend_from_slice(&lowest.to_le_bytes());
                out.extend_from_slice(&highest.to_le_bytes());
                put_short(out, token);
            }
            Self::Welcome { version, store_id, format, oldest, next } => {
                out.push(2);
                out.extend_from_slice(&version.to_le_bytes());
                out.extend_from_slice(store_id);
                out.extend_from_slice(&format.to_le_bytes());
                out.extend_from_slice(&oldest.to_le_bytes());
                out.extend_from_slice(&next.to_le_bytes());
            }
            Self::Subscribe { from, consumer } => {
                out.push(3);
                put_start(out, from);
                put_short(out, consumer.as_bytes());
            }
            Self::Subscribed { first, definitions } => {
                out.push(4);
                out.extend_from_slice(&first.to_le_bytes());
                out.extend_from_slice(definitions);
            }
            Self::Ack { sequence } => {
                out.push(5);
                out.extend_from_slice(&sequence.to_le_bytes());
            }
            Self::Block(block) => {
                out.push(6);
                out.extend_from_slice(block);
            }
            Self::Heartbeat { next } => {
                out.push(7);
                out.extend_from_slice(&next.to_le_bytes());
            }
            Self::Error { code, message } => {
                out.push(8);
                out.extend_from_slice(&code.number().to_le_bytes());
                out.extend_from_slice(message.as_bytes());
            }
        }
        let len = u32::try_from(out.len() - at - 4).expect("blocks are below 3.75 GiB, the rest is small");
        if let Some(field) = out.get_mut(at..at + 4) {
            field.copy_from_slice(&len.to_le_bytes());
        }
    }

    /// Reads a frame without its length.
    pub fn read(body: &[u8]) -> Result<Self, ProtocolError> {
        let mut input = body;
        let kind = take_u8(&mut input).ok_or("an empty frame")?;
        let frame = match kind {
            1 => read_hello(&mut input).ok_or("a hello frame")?,
            2 => read_welcome(&mut input).ok_or("a welcome frame")?,
            3 => read_subscribe(&mut input).ok_or("a subscribe frame")?,
            4 => {
                let first = take_u64(&mut input).ok_or("a subscribed frame")?;
                Self::Subscribed { first, definitions: std::mem::take(&mut input).to_vec() }
            }
            5 => Self::Ack { sequence: take_u64(&mut input).ok_or("an ack frame")? },
            6 => Self::Block(std::mem::take(&mut input).to_vec()),
            7 => Self::Heartbeat { next: take_u64(&mut input).ok_or("a heartbeat frame")? },
            8 => {
                let code = ErrorCode::from_number(take_u16(&mut input).ok_or("an error frame")?);
                let message = String::from_utf8_lossy(std::mem::take(&mut input)).into_owned();
                Self::Error { code, message }
            }
            _ => return Err("an unknown frame".into()),
        };
        if input.is_empty() { Ok(frame) } else { Err("a frame with bytes after its end".into()) }
    }
}

fn take_u16(input: &mut &[u8]) -> Option<u16> {
    take(input).map(u16::from_le_bytes)
}

/// What is longer than 65535 bytes is cut; tokens and names are refused before.
fn put_short(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(bytes.get(..usize::from(len)).unwrap_or(bytes));
}

fn take_short<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = take_u16(input)?;
    take_bytes(input, u64::from(len))
}

fn put_start(out: &mut Vec<u8>, from: &StartAt) {
    match from {
        StartAt::Start => out.push(0),
        StartAt::Sequence(sequence) => {
            out.push(1);
            out.extend_from_slice(&sequence.0.to_le_bytes());
        }
        StartAt::Position(position) => {
            out.push(2);
            let json = serde_json::to_vec(position).expect("the model's types have text keys");
            out.extend_from_slice(&u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes());
            out.extend_from_slice(&json);
        }
        StartAt::Time(time_us) => {
            out.push(3);
            out.extend_from_slice(&time_us.to_le_bytes());
        }
    }
}

fn read_hello(input: &mut &[u8]) -> Option<Frame> {
    (take::<4>(input)? == HELLO_MAGIC).then_some(())?;
    let (lowest, highest) = (take_u16(input)?, take_u16(input)?);
    Some(Frame::Hello { lowest, highest, token: take_short(input)?.to_vec() })
}

fn read_welcome(input: &mut &[u8]) -> Option<Frame> {
    Some(Frame::Welcome {
        version: take_u16(input)?,
        store_id: take(input)?,
        format: take_u32(input)?,
        oldest: take_u64(input)?,
        next: take_u64(input)?,
    })
}

fn read_subscribe(input: &mut &[u8]) -> Option<Frame> {
    let from = match take_u8(input)? {
        0 => StartAt::Start,
        1 => StartAt::Sequence(Sequence(take_u64(input)?)),
        2 => {
            let len = take_u32(input)?;
            let position: Position = serde_json::from_slice(take_bytes(input, u64::from(len))?).ok()?;
            StartAt::Position(position)
        }
        3 => StartAt::Time(take_u64(input)?),
        _ => return None,
    };
    let consumer = std::str::from_utf8(take_short(input)?).ok()?.to_owned();
    Some(Frame::Subscribe { from, consumer })
}

/// Reads frames from a stream.
#[derive(Debug)]
pub(super) struct FrameReader<R> {
    stream: R,
    buffer: Vec<u8>,
    /// Bytes at the buffer's front that were handed out.
    used: usize,
    limit: u64,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub fn new(stream: R, limit: u64) -> Self {
        Self { stream, buffer: Vec::new(), used: 0, limit }
    }

    /// The next frame. May be dropped at any await: what was read stays in the buffer. The buffer grows
    /// with the bytes that came, not with the length that was announced.
    pub async fn next(&mut self) -> Result<Frame, ProtocolError> {
        loop {
            if let Some(frame) = self.buffered()? {
                return Ok(frame);
            }
            if self.used > 0 {
                self.buffer.drain(..self.used);
                self.used = 0;
            }
            self.buffer.reserve(READ_CHUNK);
            if self.stream.read_buf(&mut self.buffer).await.map_err(ProtocolError::Io)? == 0 {
                return Err(ProtocolError::Closed);
            }
        }
    }

    fn buffered(&mut self) -> Result<Option<Frame>, ProtocolError> {
        let mut input = self.buffer.get(self.used..).unwrap_or_default();
        let Some(len) = take_u32(&mut input) else { return Ok(None) };
        if u64::from(len) > self.limit {
            return Err(ProtocolError::FrameTooLarge { bytes: u64::from(len), limit: self.limit });
        }
        let Some(body) = take_bytes(&mut input, u64::from(len)) else { return Ok(None) };
        let frame = Frame::read(body)?;
        self.used += 4 + len as usize;
        Ok(Some(frame))
    }
}

/// Writes a frame and flushes.
pub(super) async fn send(stream: &mut (impl AsyncWrite + Unpin), frame: &Frame) -> Result<(), ProtocolError> {
    let mut bytes = Vec::new();
    frame.write(&mut bytes);
    stream.write_all(&bytes).await.map_err(ProtocolError::Io)?;
    stream.flush().await.map_err(ProtocolError::Io)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use whimbrel_model::{BinlogPosition, GtidState};

    use super::*;

    fn frames() -> Vec<Frame> {
        let position = Position::Binlog(BinlogPosition {
            server: "s".into(),
            file: "binlog.000001".into(),
            offset: 4,
            gtids: GtidState::None,
        });
        let subscribe = |from| Frame::Subscribe { from, consumer: "incr".into() };
        vec![
            Frame::Hello { lowest: 1, highest: 2, token: b"secret".to_vec() },
            Frame::Welcome { version: 1, store_id: [7; 16], format: 1, oldest: 5, next: 9 },
            subscribe(StartAt::Start),
            subscribe(StartAt::Sequence(Sequence(77))),
            subscribe(StartAt::Position(position)),
            subscribe(StartAt::Time(1)),
            Frame::Subscribed { first: 3, definitions: vec![1, 2, 3] },
            Frame::Ack { sequence: 4 },
            Frame::Block(vec![9; 100]),
            Frame::Heartbeat { next: 6 },
            Frame::Error { code: ErrorCode::PositionGone, message: "gone".into() },
        ]
    }

    #[tokio::test]
    async fn frames_read_back_from_a_stream_in_any_pieces() {
        let mut bytes = Vec::new();
        frames().iter().for_each(|frame| frame.write(&mut bytes));
        let (mut sender, receiver) = tokio::io::duplex(3);
        let sending = tokio::spawn(async move { sender.write_all(&bytes).await });
        let mut reader = FrameReader::new(receiver, 1000);
        for frame in frames() {
            assert_eq!(reader.next().await.unwrap(), frame);
        }
        sending.await.unwrap().unwrap();
        assert!(matches!(reader.next().await, Err(ProtocolError::Closed)));
    }

    #[tokio::test]
    async fn an_announced_length_beyond_the_limit_is_refused_before_it_is_read() {
        let bytes = u32::MAX.to_le_bytes();
        let mut reader = FrameReader::new(bytes.as_slice(), 1000);
        let refused = reader.next().await;
        assert!(matches!(refused, Err(ProtocolError::FrameTooLarge { limit: 1000, .. })));
    }

    proptest! {
        #[test]
        fn damaged_frames_never_panic(pick in 0usize..11, at: usize, value: u8, cut: usize) {
            let mut bytes = Vec::new();
            frames()[pick].write(&mut bytes);
            let mut body = bytes.split_off(4);
            let at = at % body.len();
            body[at] = value;
            let _ = Frame::read(&body[..cut % (body.len() + 1)]);
            let _ = Frame::read(&body);
        }
    }
}
