//! The serving side.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::PROTOCOL_VERSION;
use super::frame::{ErrorCode, Frame, FrameReader, ProtocolError, send};
use crate::error::StoreError;
use crate::format::VERSION;
use crate::reader::Engine;
use crate::sequence::Sequence;
use crate::shared::Tail;
use crate::store::Store;

/// A subscribe frame holds a position, whose GTID set may be large; nothing else that clients send is.
const CLIENT_FRAME_BYTES: u64 = 16 << 20;
const HANDSHAKE: Duration = Duration::from_secs(10);
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How a Store is served.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// What clients have to show; `None` lets everybody in.
    pub token: Option<String>,
    pub max_connections: usize,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self { token: None, max_connections: 64 }
    }
}

/// Where clients come in.
#[derive(Debug)]
pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A connected stream of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Listener {
    async fn accept(&self) -> std::io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Self::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

/// Serves a Store until `cancel`; then all connections are closed.
pub async fn serve(store: Store, listener: Listener, options: ServeOptions, cancel: CancellationToken) {
    let room = Arc::new(Semaphore::new(options.max_connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let mut stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                // Mostly too many open files: others must close first.
                tracing::warn!(%error, "can't accept a connection to the change log");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (store, options, cancel) = (store.clone(), options.clone(), cancel.clone());
        let permit = room.clone().try_acquire_owned();
        connections.spawn(async move {
            let Ok(_permit) = permit else {
                let busy = Frame::Error { code: ErrorCode::Busy, message: "too many connections".into() };
                let told = tokio::time::timeout(HANDSHAKE, send(&mut stream, &busy)).await;
                return drop(told);
            };
            tokio::select! {
                () = cancel.cancelled() => {}
                ended = serve_connection(&store, stream, &options) => match ended {
                    Ok(()) | Err(ProtocolError::Closed) => {}
                    Err(error) => tracing::info!(%error, "a connection to the change log ended"),
                }
            }
        });
    }
    connections.shutdown().await;
}

/// Serves one connected stream until the client goes or does something wrong.
pub async fn serve_connection(
    store: &Store,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin,
    options: &ServeOptions,
) -> Result<(), ProtocolError> {
    let (read, mut write) = tokio::io::split(stream);
    let mut frames = FrameReader::new(read, CLIENT_FRAME_BYTES);
    let result = async {
        let subscription =
            tokio::time::timeout(HANDSHAKE, handshake(store, &mut frames, &mut write, options));
        let (engine, consumer) =
            subscription.await.map_err(|_| ProtocolError::Silent { seconds: HANDSHAKE.as_secs() })??;
        let acks = acknowledge(store, &mut frames, &consumer);
        tokio::select! {
            ended = acks => ended,
            ended = stream_blocks(store, engine, &consumer, &mut write) => ended,
        }
    }
    .await;
    if let Err(error) = &result
        && let Some(frame) = error_frame(error)
    {
        // The client may be gone already; the first error is the one to report.
        drop(tokio::time::timeout(HANDSHAKE, send(&mut write, &frame)).await);
        drop(write.shutdown().await);
    }
    result
}

fn error_frame(error: &ProtocolError) -> Option<Frame> {
    let code = match error {
        ProtocolError::Io(_) | ProtocolError::Closed => return None,
        ProtocolError::Refused { code, message } => {
            return Some(Frame::Error { code: *code, message: message.clone() });
        }
        ProtocolError::Store(error) => {
            return Some(Frame::Error { code: ErrorCode::of(error), message: error.to_string() });
        }
        _ => ErrorCode::Protocol,
    };
    Some(Frame::Error { code, message: error.to_string() })
}

async fn handshake(
    store: &Store,
    frames: &mut FrameReader<impl AsyncRead + Unpin>,
    write: &mut (impl AsyncWrite + Unpin),
    options: &ServeOptions,
) -> Result<(Engine, String), ProtocolError> {
    let refused = |code, message: &str| ProtocolError::Refused { code, message: message.to_owned() };
    let Frame::Hello { lowest, highest, token } = frames.next().await? else {
        return Err("something else than a hello".into());
    };
    if !(lowest..=highest).contains(&PROTOCOL_VERSION) {
        let message = format!("this server speaks version {PROTOCOL_VERSION}");
        return Err(refused(ErrorCode::Version, &message));
    }
    if options.token.as_ref().is_some_and(|wanted| !same_bytes(wanted.as_bytes(), &token)) {
        return Err(refused(ErrorCode::Unauthorized, "the token is missing or wrong"));
    }
    let size = blocking(store, Store::size).await?;
    let welcome = Frame::Welcome {
        version: PROTOCOL_VERSION,
        store_id: store.shared().store_id,
        format: VERSION,
        oldest: size.oldest.0,
        next: size.next.0,
    };
    send(write, &welcome).await?;
    let Frame::Subscribe { from, consumer } = frames.next().await? else {
        return Err("something else than a subscribe".into());
    };
    let engine = blocking(store, move |store| Engine::new(store.shared().clone(), &from)).await?;
    Ok((engine, consumer))
}

/// Compares in a time that doesn't tell where the first difference is.
fn same_bytes(wanted: &[u8], given: &[u8]) -> bool {
    wanted.len() == given.len() && wanted.iter().zip(given).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

async fn blocking<T: Send + 'static>(
    store: &Store,
    action: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, ProtocolError> {
    let store = store.clone();
    let joined = tokio::task::spawn_blocking(move || action(&store)).await;
    joined.unwrap_or(Err(StoreError::TaskLost("reads the change log"))).map_err(ProtocolError::Store)
}

async fn acknowledge(
    store: &Store,
    frames: &mut FrameReader<impl AsyncRead + Unpin>,
    consumer: &str,
) -> Result<(), ProtocolError> {
    loop {
        let Frame::Ack { sequence } = frames.next().await? else {
            return Err("something else than an ack".into());
        };
        if consumer.is_empty() {
            return Err("an ack of a connection without a consumer".into());
        }
        let name = consumer.to_owned();
        blocking(store, move |store| store.acknowledge(&name, Sequence(sequence))).await?;
    }
}

async fn stream_blocks(
    store: &Store,
    mut engine: Engine,
    consumer: &str,
    write: &mut (impl AsyncWrite + Unpin),
) -> Result<(), ProtocolError> {
    let mut tail: watch::Receiver<Tail> = store.shared().tail.subscribe();
    let mut subscribed = false;
    loop {
        tail.borrow_and_update();
        let (used, frames) = blocking(store, move |_| {
            let mut frames = Vec::new();
            let first = engine.load_raw(!subscribed, |frame| frame.write(&mut frames))?;
            Ok((engine, (first, frames)))
        })
        .await?;
        engine = used;
        let (first, bytes) = frames;
        if let Some(first) = first.filter(|_| !subscribed) {
            subscribed = true;
            register(store, consumer, first).await?;
        }
        if bytes.is_empty() {
            match tokio::time::timeout(HEARTBEAT, tail.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Ok(()),
                Err(_) => {
                    let next = tail.borrow().next_sequence;
                    send(write, &Frame::Heartbeat { next }).await?;
                }
            }
            continue;
        }
        write.write_all(&bytes).await.map_err(ProtocolError::Io)?;
        write.flush().await.map_err(ProtocolError::Io)?;
    }
}

/// A new consumer needs everything from its first record on; a known one keeps what it has.
async fn register(store: &Store, consumer: &str, first: u64) -> Result<(), ProtocolError> {
    if consumer.is_empty() {
        return Ok(());
    }
    let name = consumer.to_owned();
    blocking(store, move |store| {
        let known = store.consumers().iter().any(|(known, _)| *known == name);
        if known { Ok(()) } else { store.register_consumer(&name, Sequence(first)) }
    })
    .await
}
