//! The running task's ear: a socket in its folder, for commands of the same user on the same machine.
//!
//! `HOME/NAME/control`, a Unix stream socket, mode 0600. One connection, one request, one answer, each a JSON object on
//! one line ([`Request`], [`Answer`]); at most [`LONGEST`] bytes. Only the process that holds `HOME/NAME/lock` makes the
//! socket, after removing what an earlier one has left, so a socket that answers belongs to the task's own process,
//! and one that nobody answers at was left by a kill. Nothing is kept in the socket: a request takes effect in the task's
//! state at the target or not at all, whichever of the two processes dies.

use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout_at};
use whimbrel_connector::{ConnectorError, ErrorKind, Result, Target};
use whimbrel_incr_sync::Control;

use super::{Answer, Named, Request, item, named, objection};
use crate::endpoints::Endpoint;
use crate::failure::Failure;

const SOCKET: &str = "control";
/// Longest request; a person's statement is in it.
const LONGEST: u64 = 1 << 20;
/// How long a request waits for the applying of changes. It pauses between two steps of a task, mostly for moments.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the running task knows, to answer with.
#[derive(Debug)]
pub struct Desk {
    target: Endpoint,
    task: String,
    /// Since the task was taken over.
    epoch: Mutex<Option<u64>>,
    /// While changes are applied.
    applying: watch::Sender<Option<mpsc::Sender<Control>>>,
}

/// The applying came to its end before it came to the request.
struct Ended;

impl Desk {
    pub fn new(target: Endpoint, task: &str) -> Self {
        Self { target, task: task.to_owned(), epoch: Mutex::default(), applying: watch::Sender::new(None) }
    }

    pub fn taken_over(&self, epoch: u64) {
        *self.epoch.lock().unwrap_or_else(PoisonError::into_inner) = Some(epoch);
    }

    /// Where requests go from here on.
    pub fn applying(&self, control: Option<mpsc::Sender<Control>>) {
        self.applying.send_replace(control);
    }

    async fn answer(&self, request: Request) -> Answer {
        match self.settle(request).await {
            Ok(answer) => answer,
            Err(error) => Answer::failed(&error),
        }
    }

    async fn settle(&self, request: Request) -> Result<Answer> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let named = match self.find(&request).await? {
                Ok(named) => named,
                Err(answer) => return Ok(answer),
            };
            let control = self.applying_by(deadline).await?;
            let settled = match named {
                Named::Row(item) => settle_row(&control, request.clone(), item).await,
                Named::Statement(sequence) => settle_statement(&control, request.clone(), sequence).await,
            };
            match settled {
                Ok(answer) => return Ok(answer),
                Err(Ended) if Instant::now() < deadline => {}
                Err(Ended) => return Err(self.not_now("it has stopped applying changes")),
            }
        }
    }

    /// What the request is about, or its answer where nothing has to be applied for it.
    async fn find(&self, request: &Request) -> Result<std::result::Result<Named, Answer>> {
        let epoch = *self.epoch.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(epoch) = epoch else { return Err(self.not_now("it is starting")) };
        let target: &dyn Target = self.target.as_ref();
        let items = item::all(target.writer(&self.task, epoch).await?.as_mut()).await?;
        let (id, edit) = match request {
            Request::List => return Ok(Err(Answer::Items { items })),
            Request::Retry { id } | Request::Skip { id } => (id, None),
            Request::Edit { id, sql } => (id, Some(sql)),
        };
        let Some(named) = named(id, &items) else { return Ok(Err(Answer::Unknown)) };
        match edit.and_then(|sql| objection(sql, matches!(named, Named::Row(_)))) {
            Some(objection) => Err(ConnectorError::new(ErrorKind::Configuration, "--sql", objection)),
            None => Ok(Ok(named)),
        }
    }

    /// The way to the applying, which is waited for.
    async fn applying_by(&self, deadline: Instant) -> Result<mpsc::Sender<Control>> {
        let mut applying = self.applying.subscribe();
        loop {
            let control = applying.borrow_and_update().clone();
            if let Some(control) = control.filter(|control| !control.is_closed()) {
                return Ok(control);
            }
            match timeout_at(deadline, applying.changed()).await {
                Ok(Ok(())) => {}
                _ => return Err(self.not_now("it doesn't apply changes at the moment")),
            }
        }
    }

    fn not_now(&self, why: &str) -> ConnectorError {
        ConnectorError::new(
            ErrorKind::Cancelled,
            format!("task {}", self.task),
            format!("it can't do that now: {why}"),
        )
        .with_hint("try again in a moment")
    }
}

async fn settle_row(
    control: &mpsc::Sender<Control>,
    request: Request,
    item: Vec<u8>,
) -> std::result::Result<Answer, Ended> {
    Ok(match request {
        Request::Retry { .. } => {
            Answer::of_row(hand_over(control, |reply| Control::RetryParked { item, reply }).await?)
        }
        Request::Edit { sql, .. } => {
            Answer::of_row(hand_over(control, |reply| Control::EditParked { item, sql, reply }).await?)
        }
        _ => match hand_over(control, |reply| Control::SkipParked { item, reply }).await? {
            Ok(true) => Answer::Done { text: "the row is given up; the target stays as it is".to_owned() },
            Ok(false) => Answer::Unknown,
            Err(error) => Answer::failed(&error),
        },
    })
}

async fn settle_statement(
    control: &mpsc::Sender<Control>,
    request: Request,
    sequence: u64,
) -> std::result::Result<Answer, Ended> {
    let decided = match request {
        Request::Retry { .. } => {
            hand_over(control, |reply| Control::RetryStatement { sequence, reply }).await?
        }
        Request::Edit { sql, .. } => {
            hand_over(control, |reply| Control::EditStatement { sequence, sql, reply }).await?
        }
        _ => hand_over(control, |reply| Control::SkipStatement { sequence, reply }).await?,
    };
    Ok(Answer::of_statement(decided))
}

/// Incr-Sync answers whatever it begins, so a request that isn't answered can be handed over again.
async fn hand_over<T>(
    control: &mpsc::Sender<Control>,
    request: impl FnOnce(oneshot::Sender<T>) -> Control,
) -> std::result::Result<T, Ended> {
    let (reply, answer) = oneshot::channel();
    control.send(request(reply)).await.map_err(|_| Ended)?;
    answer.await.map_err(|_| Ended)
}

/// The open socket. Closed and removed when this is dropped.
#[derive(Debug)]
pub struct ControlServer {
    path: PathBuf,
    accepting: JoinHandle<()>,
}

impl ControlServer {
    /// Listens in a task's folder, of which the caller holds the lock.
    ///
    /// # Errors
    /// The socket can't be made.
    pub fn start(dir: &Path, desk: Arc<Desk>) -> std::result::Result<Self, Failure> {
        let path = dir.join(SOCKET);
        let failed = |error: std::io::Error| {
            Failure::storage(path.display().to_string(), "the socket for commands can't be made", error)
        };
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = with_short_path(dir, |short| {
            let listener = UnixListener::bind(short)?;
            std::fs::set_permissions(short, std::fs::Permissions::from_mode(0o600))?;
            Ok(listener)
        })
        .map_err(failed)?;
        let accepting = tokio::spawn(async move {
            // Requests are ended with the server.
            let mut open = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                        open.spawn(serve(stream, desk.clone()));
                    },
                    Some(_) = open.join_next() => {}
                }
            }
        });
        Ok(Self { path, accepting })
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.accepting.abort();
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "the socket for commands is gone already");
        }
    }
}

/// A caller that goes away, or sends something else, gets nothing more.
async fn serve(stream: UnixStream, desk: Arc<Desk>) {
    if let Err(error) = answer_one(stream, &desk).await {
        tracing::debug!(%error, "a command's connection broke");
    }
}

async fn answer_one(mut stream: UnixStream, desk: &Desk) -> std::io::Result<()> {
    let mut line = String::new();
    let (read, mut write) = stream.split();
    BufReader::new(read.take(LONGEST)).read_line(&mut line).await?;
    let answer = match serde_json::from_str::<Request>(&line) {
        Ok(request) => desk.answer(request).await,
        Err(error) => Answer::failed(
            &ConnectorError::new(ErrorKind::Configuration, "command", "the request can't be understood")
                .with_source(error)
                .with_hint("use the same version of whimbrel as the running task"),
        ),
    };
    write.write_all(&line_of(&answer)?).await?;
    write.shutdown().await
}

fn line_of(message: &impl serde::Serialize) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// Asks the running task; `None` where nobody listens.
///
/// # Errors
/// The task's process dies before it answers.
pub async fn ask(dir: &Path, request: &Request) -> std::result::Result<Option<Answer>, Failure> {
    let stream = with_short_path(dir, |short| {
        let stream = std::os::unix::net::UnixStream::connect(short)?;
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream)
    });
    let Ok(mut stream) = stream else { return Ok(None) };
    let failed = |error: std::io::Error| {
        let mut failure = Failure::storage(
            dir.join(SOCKET).display().to_string(),
            "the running task didn't answer to the end",
            error,
        );
        failure.error = failure.error.with_hint("see with whimbrel parked list whether it has taken effect");
        failure
    };
    let exchange = async {
        stream.write_all(&line_of(request)?).await?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await?;
        Ok(serde_json::from_str(&line)?)
    };
    exchange.await.map(Some).map_err(failed)
}

/// A socket's path has at most 107 bytes, a home's may have more: the folder is named by its descriptor.
fn with_short_path<T>(dir: &Path, work: impl FnOnce(&Path) -> std::io::Result<T>) -> std::io::Result<T> {
    let folder = std::fs::File::open(dir)?;
    work(&PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd())))
}
