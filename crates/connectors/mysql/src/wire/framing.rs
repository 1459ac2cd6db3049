//! Packets on a socket: splitting and joining, sequence numbers, one reused receive buffer.
//!
//! A packet lies in `buf[start..end]` and is handed out as a [`Span`]; only packets of 16 MiB and more, which arrive
//! in parts, are copied together in `joined`. All reading is cancel-safe: what has arrived stays in the buffer.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::error::WireError;
use super::packet::{self, parse_err};

/// Largest payload of one part; a part of exactly this size has a successor.
const PART_MAX: usize = 0xff_ffff;
const HEADER: usize = 4;
const BUFFER: usize = 64 * 1024;
/// A buffer that grew beyond this is given back between commands.
const BUFFER_KEPT: usize = 1024 * 1024;
/// Size of the send buffer: packets up to here are copied behind their header to go out in one write.
const COPIED_WRITE: usize = 32 * 1024;
/// Most bytes taken in while a command is still being sent.
const READ_AHEAD: usize = 16 * 1024 * 1024;

pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Only while the stream is being wrapped into TLS.
    Gone,
}

impl Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Plain(_) | Self::Gone => Poll::Ready(Ok(())),
        }
    }
}

/// Where a packet's payload lies; valid until the next packet is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    joined: bool,
    start: usize,
    end: usize,
}

pub(super) struct Framing {
    socket: Socket,
    server: Arc<str>,
    max_packet: usize,
    read_timeout: Option<Duration>,
    /// All of it is initialised; received and not yet handed out is `start..end`.
    buf: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes from `start` that the next packet needs.
    wanted: usize,
    joined: Vec<u8>,
    /// Bytes still missing in the current part of a packet that is being joined, and whether it is the last part.
    part: Option<(usize, bool)>,
    joining: bool,
    sequence: u8,
    /// Packets that wait to be sent.
    out: Vec<u8>,
    /// The socket failed; the session cannot go on even if the last answer was complete.
    dead: bool,
}

impl Framing {
    pub(super) fn new(stream: TcpStream, server: Arc<str>, max_packet: usize) -> Self {
        Self {
            socket: Socket::Plain(stream),
            server,
            max_packet,
            read_timeout: None,
            buf: vec![0; BUFFER],
            start: 0,
            end: 0,
            wanted: HEADER,
            joined: Vec::new(),
            part: None,
            joining: false,
            sequence: 0,
            out: Vec::new(),
            dead: false,
        }
    }

    pub(super) fn server(&self) -> Arc<str> {
        Arc::clone(&self.server)
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead
    }

    pub(super) fn set_read_timeout(&mut self, limit: Option<Duration>) {
        self.read_timeout = limit;
    }

    /// Takes the plain stream out, to wrap it into TLS. Bytes that arrived too early are an error, because a
    /// listener between could have put them there.
    pub(super) fn take_plain(&mut self) -> Result<TcpStream, WireError> {
        if self.start != self.end {
            return Err(WireError::Protocol { what: "data before the TLS handshake", at: 0 });
        }
        match std::mem::replace(&mut self.socket, Socket::Gone) {
            Socket::Plain(stream) => Ok(stream),
            Socket::Tls(_) | Socket::Gone => Err(WireError::Poisoned),
        }
    }

    pub(super) fn set_tls(&mut self, stream: TlsStream<TcpStream>) {
        self.socket = Socket::Tls(Box::new(stream));
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self.socket, Socket::Tls(_))
    }

    /// The payload of the packet that was read last.
    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        let buffer = if span.joined { &self.joined } else { &self.buf };
        buffer.get(span.start..span.end).unwrap_or_default()
    }

    /// Reads the next packet.
    pub(super) async fn packet(&mut self) -> Result<Span, WireError> {
        loop {
            if let Some(span) = self.buffered_packet()? {
                return Ok(span);
            }
            self.fill("reading from the server").await?;
        }
    }

    /// The next packet, if all of it has arrived.
    pub(super) fn buffered_packet(&mut self) -> Result<Option<Span>, WireError> {
        loop {
            if let Some((left, last)) = self.part {
                let available = self.buf.get(self.start..self.end).unwrap_or_default();
                let piece = available.get(..left).unwrap_or(available);
                let taken = piece.len();
                self.joined.extend_from_slice(piece);
                self.start += taken;
                if taken < left {
                    self.part = Some((left - taken, last));
                    return Ok(None);
                }
                self.part = None;
                if last {
                    self.joining = false;
                    return Ok(Some(Span { joined: true, start: 0, end: self.joined.len() }));
                }
            }
            self.wanted = HEADER;
            let available = self.buf.get(self.start..self.end).unwrap_or_default();
            let Some((&[a, b, c, sequence], payload)) = available.split_first_chunk() else {
                return Ok(None);
            };
            let len = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
            let before = if self.joining { self.joined.len() } else { 0 };
            if before + len > self.max_packet {
                return Err(WireError::PacketTooLarge { size: before + len, limit: self.max_packet });
            }
            if self.joining || len == PART_MAX {
                self.check_sequence(sequence, None)?;
                if !self.joining {
                    self.joined.clear();
                    self.joining = true;
                }
                self.start += HEADER;
                self.part = Some((len, len < PART_MAX));
                continue;
            }
            let Some(payload) = payload.get(..len) else {
                self.wanted = HEADER + len;
                return Ok(None);
            };
            self.check_sequence(sequence, payload.first().copied())?;
            let start = self.start + HEADER;
            self.start = start + len;
            return Ok(Some(Span { joined: false, start, end: start + len }));
        }
    }

    fn check_sequence(&mut self, got: u8, first: Option<u8>) -> Result<(), WireError> {
        let expected = self.sequence;
        self.sequence = got.wrapping_add(1);
        // A server that gives up by itself (idle limit, oversized packet) sends its ERR with a number of its own.
        if got == expected || first == Some(packet::ERR) {
            return Ok(());
        }
        Err(WireError::Sequence { expected, got })
    }

    /// Waits for more bytes.
    async fn fill(&mut self, action: &'static str) -> Result<(), WireError> {
        let limit = self.read_timeout;
        let server = self.server();
        let filling = poll_fn(|cx| self.poll_fill(cx));
        let filled = match limit {
            None => filling.await,
            Some(after) => match timeout(after, filling).await {
                Ok(filled) => filled,
                Err(_) => {
                    self.dead = true;
                    return Err(WireError::ReadTimeout { server, after });
                }
            },
        };
        match filled {
            Ok(0) => Err(self.closed()),
            Ok(_) => Ok(()),
            Err(source) => Err(self.io_error(action, source)),
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.make_room();
        let mut free = ReadBuf::new(self.buf.get_mut(self.end..).unwrap_or_default());
        ready!(self.socket.poll_read(cx, &mut free))?;
        let count = free.filled().len();
        self.end += count;
        Poll::Ready(Ok(count))
    }

    /// Makes sure that there is free space at the end of the buffer, and enough in all for the wanted packet.
    fn make_room(&mut self) {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        if self.end < self.buf.len() && self.start + self.wanted <= self.buf.len() {
            return;
        }
        self.buf.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let needed = self.wanted.max(self.end + BUFFER / 2);
        if self.buf.len() < needed {
            self.buf.resize(needed.next_multiple_of(BUFFER), 0);
        }
    }

    fn closed(&mut self) -> WireError {
        self.dead = true;
        WireError::Closed { server: self.server(), mid_packet: self.start != self.end || self.joining }
    }

    fn io_error(&mut self, action: &'static str, source: io::Error) -> WireError {
        self.dead = true;
        // rustls reports a connection that ends without a closing alert as an error.
        match source.kind() {
            io::ErrorKind::UnexpectedEof => self.closed(),
            _ => WireError::Io { action, server: self.server(), source },
        }
    }

    /// The sequence number that the next packet, in either direction, must have.
    pub(super) fn sequence(&self) -> u8 {
        self.sequence
    }

    pub(super) fn set_sequence(&mut self, sequence: u8) {
        self.sequence = sequence;
    }

    /// Gives memory back that large packets of the last command took.
    pub(super) fn shrink(&mut self) {
        if self.start == self.end && self.buf.len() > BUFFER_KEPT {
            self.buf = vec![0; BUFFER];
            self.start = 0;
            self.end = 0;
        }
        if self.joined.capacity() > BUFFER_KEPT {
            self.joined = Vec::new();
        }
    }

    /// Puts one packet into the send buffer, in parts if need be; `head` and `body` together are its payload.
    /// A full buffer and large bodies go out at once.
    pub(super) async fn queue(&mut self, head: &[u8], body: &[u8]) -> Result<(), WireError> {
        let mut left = head.len() + body.len();
        let mut prefix = head;
        let mut rest = body;
        loop {
            let len = left.min(PART_MAX);
            left -= len;
            self.out.extend((len as u32).to_le_bytes().iter().take(3));
            self.out.push(self.sequence);
            self.sequence = self.sequence.wrapping_add(1);
            self.out.extend_from_slice(prefix);
            let (part, after) =
                rest.split_at_checked(len.saturating_sub(prefix.len())).unwrap_or((rest, &[]));
            if self.out.len() + part.len() <= COPIED_WRITE {
                self.out.extend_from_slice(part);
            } else {
                self.write_out().await?;
                self.write(part).await?;
            }
            prefix = &[];
            rest = after;
            if len < PART_MAX {
                return Ok(());
            }
        }
    }

    /// Sends one packet and everything that is queued.
    pub(super) async fn send(&mut self, head: &[u8], body: &[u8]) -> Result<(), WireError> {
        self.queue(head, body).await?;
        self.flush().await
    }

    async fn write_out(&mut self) -> Result<(), WireError> {
        let mut out = std::mem::take(&mut self.out);
        let written = self.write(&out).await;
        out.clear();
        self.out = out;
        written
    }

    /// Writes everything. Meanwhile takes in what the server sends, so that two sides that both want to send
    /// do not wait for each other.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let limit = self.read_timeout;
        let mut rest = bytes;
        let written = poll_fn(|cx| {
            while !rest.is_empty() {
                match self.socket.poll_write(cx, rest) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(count)) => rest = rest.get(count..).unwrap_or_default(),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => ready!(self.poll_read_ahead(cx))?,
                }
            }
            Poll::Ready(Ok(()))
        });
        let written = bounded(limit, written).await;
        match written {
            Ok(()) => Ok(()),
            Err(source) => Err(self.write_error(source).await),
        }
    }

    /// Sends what is queued.
    pub(super) async fn flush(&mut self) -> Result<(), WireError> {
        self.write_out().await?;
        let limit = self.read_timeout;
        let flushed = poll_fn(|cx| {
            loop {
                match self.socket.poll_flush(cx) {
                    Poll::Pending => ready!(self.poll_read_ahead(cx))?,
                    done => return done,
                }
            }
        });
        let flushed = bounded(limit, flushed).await;
        match flushed {
            Ok(()) => Ok(()),
            Err(source) => Err(self.write_error(source).await),
        }
    }

    fn poll_read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.end - self.start >= READ_AHEAD {
            let text = "the server sent more than 16 MiB before it took the whole command";
            return Poll::Ready(Err(io::Error::other(text)));
        }
        match ready!(self.poll_fill(cx))? {
            0 => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// If the server said why it stopped taking the command, that is the error.
    async fn write_error(&mut self, source: io::Error) -> WireError {
        self.dead = true;
        // One look without waiting; whether it finds something or fails, the write error stands.
        poll_fn(|cx| Poll::Ready(self.poll_fill(cx).is_ready())).await;
        if let Ok(Some(span)) = self.buffered_packet()
            && self.bytes(span).first() == Some(&packet::ERR)
        {
            return parse_err(self.bytes(span));
        }
        self.io_error("sending to the server", source)
    }

    /// The first bytes of the connection, at least five of them unless the peer closes before.
    pub(super) async fn first_bytes(&mut self) -> Result<&[u8], WireError> {
        while self.end - self.start <= HEADER {
            match self.fill("reading the server's greeting").await {
                Err(WireError::Closed { .. }) if self.end > self.start => break,
                other => other?,
            }
        }
        Ok(self.buf.get(self.start..self.end).unwrap_or_default())
    }

    /// Ends the connection in order; errors do not matter any more.
    pub(super) async fn shutdown(&mut self) {
        let ended = match &mut self.socket {
            Socket::Plain(stream) => stream.shutdown().await,
            Socket::Tls(stream) => stream.shutdown().await,
            Socket::Gone => Ok(()),
        };
        if let Err(error) = ended {
            tracing::debug!(server = %self.server, %error, "connection was already gone at its end");
        }
        self.dead = true;
    }
}

async fn bounded(limit: Option<Duration>, work: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    match limit {
        None => work.await,
        Some(limit) => timeout(limit, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
    }
}
