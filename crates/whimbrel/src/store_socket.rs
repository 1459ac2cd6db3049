//! The Store's socket: `migrate --store-listen` serves it, `whimbrel store tail --connect` reads it.
//!
//! The protocol is described in `docs/dev/store-protocol.md`. It has no encryption; a token
//! (`WHIMBREL_STORE_TOKEN`) is asked for wherever others than this machine's users could connect.

use std::io::{ErrorKind as IoKind, stdout};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{ConnectorError, ErrorKind};
use whimbrel_store::inspect::Printer;
use whimbrel_store::protocol::{
    Listener, ProtocolError, RemoteStore, ServeOptions, connect_tcp, connect_unix, serve,
};
use whimbrel_store::{Sequence, StartAt, Store};

use crate::failure::{Exit, Failure};
use crate::signals;

const TOKEN: &str = "WHIMBREL_STORE_TOKEN";

/// `unix:PATH` or `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Address {
    Unix(PathBuf),
    Tcp(String),
}

impl Address {
    fn parse(text: &str) -> Self {
        match text.strip_prefix("unix:") {
            Some(path) => Self::Unix(PathBuf::from(path)),
            None => Self::Tcp(text.to_owned()),
        }
    }
}

fn token() -> Option<String> {
    std::env::var(TOKEN).ok().filter(|token| !token.is_empty())
}

/// A Store being served.
pub struct StoreSocket {
    task: JoinHandle<()>,
    cancel: CancellationToken,
    path: Option<PathBuf>,
}

impl StoreSocket {
    /// Binds and serves until [`StoreSocket::stop`].
    ///
    /// # Errors
    /// An address that can't be listened on, or that others could reach while no token is set.
    pub async fn start(listen: &str, store: Store) -> Result<Self, Failure> {
        let object = format!("--store-listen {listen}");
        let options = ServeOptions { token: token(), ..ServeOptions::default() };
        let (listener, path) = match Address::parse(listen) {
            Address::Unix(path) => {
                let listener = bind_unix(&path).await.map_err(|error| cannot_listen(&object, error))?;
                (Listener::Unix(listener), Some(path))
            }
            Address::Tcp(address) => {
                let listener =
                    TcpListener::bind(&address).await.map_err(|error| cannot_listen(&object, error))?;
                let local = listener.local_addr().map_err(|error| cannot_listen(&object, error))?;
                refuse_open_door(&object, local, options.token.is_some())?;
                eprintln!("Store: {local}");
                (Listener::Tcp(listener), None)
            }
        };
        let cancel = CancellationToken::new();
        let task = tokio::spawn(serve(store, listener, options, cancel.clone()));
        Ok(Self { task, cancel, path })
    }

    /// Closes all connections.
    pub async fn stop(self) {
        self.cancel.cancel();
        if self.task.await.is_err() {
            tracing::warn!("serving the Store broke");
        }
        if let Some(path) = self.path {
            // A socket that stays is replaced by the next start.
            drop(std::fs::remove_file(path));
        }
    }
}

fn cannot_listen(object: &str, error: std::io::Error) -> Failure {
    let mut failure = Failure::usage(object, "the address can't be listened on");
    failure.error = failure
        .error
        .with_source(error)
        .with_hint("give unix:PATH of a folder that you may write, or a free HOST:PORT");
    failure
}

fn refuse_open_door(object: &str, local: SocketAddr, has_token: bool) -> Result<(), Failure> {
    if has_token || local.ip().is_loopback() {
        return Ok(());
    }
    let mut failure = Failure::usage(object, "other machines could read every change without a token");
    failure.error = failure.error.with_hint(format!("set {TOKEN}, or listen on 127.0.0.1 or unix:PATH"));
    Err(failure)
}

/// Only this user may connect. A socket that a killed process left is replaced; one that answers isn't.
async fn bind_unix(path: &Path) -> std::io::Result<UnixListener> {
    let left = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if left && UnixStream::connect(path).await.is_err() {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// What `whimbrel store tail` is asked for.
pub struct Tail<'a> {
    pub connect: &'a str,
    pub from: StartAt,
    /// Registers as this consumer, so that the Store keeps what it hasn't printed yet.
    pub consumer: Option<&'a str>,
    pub limit: u64,
}

impl Tail<'_> {
    /// Prints records as they become durable, until SIGINT or SIGTERM, or `limit` lines.
    ///
    /// # Errors
    /// A Store that can't be reached, that refuses, or whose connection is lost.
    pub async fn run(self) -> Result<Exit, Failure> {
        let token = token();
        match Address::parse(self.connect) {
            Address::Unix(path) => {
                let remote = connect_unix(&path, token.as_deref()).await;
                self.print(remote.map_err(|error| self.failed(error))?).await
            }
            Address::Tcp(address) => {
                let remote = connect_tcp(&address, token.as_deref()).await;
                self.print(remote.map_err(|error| self.failed(error))?).await
            }
        }
    }

    async fn print<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        remote: RemoteStore<S>,
    ) -> Result<Exit, Failure> {
        let stop = signals::listen()?;
        let mut reader =
            remote.subscribe(self.from.clone(), self.consumer).await.map_err(|error| self.failed(error))?;
        let mut out = stdout();
        let mut printer = Printer::new(&mut out, self.limit);
        while !printer.is_full() {
            let item = tokio::select! {
                () = stop.cancelled() => return Ok(Exit::Done),
                item = reader.next() => item.map_err(|error| self.failed(error))?,
            };
            let printed = printer.item(&item).and_then(|()| printer.flush());
            match printed {
                // A reader that has seen enough (`| head`) is no failure.
                Err(error) if error.kind() == IoKind::BrokenPipe => return Ok(Exit::Done),
                Err(error) => return Err(Failure::storage("standard output", "writing failed", error)),
                Ok(()) => {}
            }
            if self.consumer.is_some() {
                reader.acknowledge(item.sequence).await.map_err(|error| self.failed(error))?;
            }
        }
        Ok(Exit::Done)
    }

    fn failed(&self, error: ProtocolError) -> Failure {
        let kind = match &error {
            ProtocolError::Io(_) | ProtocolError::Silent { .. } => ErrorKind::Unreachable,
            ProtocolError::Closed => ErrorKind::ConnectionLost,
            ProtocolError::Refused { .. } => ErrorKind::Configuration,
            ProtocolError::FrameTooLarge { .. } | ProtocolError::Malformed { .. } => ErrorKind::WrongProtocol,
            ProtocolError::Store(_) => ErrorKind::LocalCorrupt,
        };
        let object = format!("Store at {}", self.connect);
        ConnectorError::new(kind, object, "reading it failed")
            .with_source(error)
            .with_hint(format!(
                "check that whimbrel migrate runs there with --store-listen, and {TOKEN} where it has one"
            ))
            .into()
    }
}

/// A record's number or a time.
///
/// # Errors
/// Neither.
pub fn remote_start(from: Option<&str>) -> Result<StartAt, Failure> {
    let Some(text) = from else { return Ok(StartAt::Start) };
    if let Ok(sequence) = text.parse::<u64>() {
        return Ok(StartAt::Sequence(Sequence(sequence)));
    }
    let time =
        text.parse::<jiff::Timestamp>().ok().and_then(|time| u64::try_from(time.as_microsecond()).ok());
    time.map(StartAt::Time).ok_or_else(|| {
        Failure::usage(
            format!("--from {text}"),
            "neither a record's number nor a time (2026-11-23T10:00:00Z)",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_starts_are_read() {
        assert_eq!(Address::parse("unix:/run/w.sock"), Address::Unix("/run/w.sock".into()));
        assert_eq!(Address::parse("127.0.0.1:7700"), Address::Tcp("127.0.0.1:7700".into()));
        assert_eq!(remote_start(None).unwrap(), StartAt::Start);
        assert_eq!(remote_start(Some("42")).unwrap(), StartAt::Sequence(Sequence(42)));
        assert_eq!(remote_start(Some("1970-01-01T00:00:01Z")).unwrap(), StartAt::Time(1_000_000));
        assert!(remote_start(Some("yesterday")).is_err());
    }

    #[test]
    fn a_door_to_other_machines_needs_a_token() {
        let (near, far) = ("127.0.0.1:1".parse().unwrap(), "0.0.0.0:1".parse().unwrap());
        assert!(refuse_open_door("x", near, false).is_ok());
        assert!(refuse_open_door("x", far, true).is_ok());
        assert!(refuse_open_door("x", far, false).is_err());
    }
}
