//! Something between Whimbrel and a server: a relay that can cut connections at a chosen byte, stall and slow them, and
//! a listener that speaks another protocol.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A relay to a server's port. Ends when it is dropped.
pub struct Proxy {
    pub port: u16,
    rules: Arc<Rules>,
    _accepting: JoinSet<()>,
}

#[derive(Default)]
struct Rules {
    /// Bytes that a connection may carry from the server before it is cut.
    limit: AtomicU64,
    /// Connections cut so far.
    cuts: AtomicU64,
    /// Milliseconds that each piece is late.
    late: AtomicU64,
    /// Nothing is carried while this is true.
    stalled: tokio::sync::watch::Sender<bool>,
    /// Raised to cut all connections that are open.
    generation: AtomicU64,
    changed: tokio::sync::Notify,
}

impl Proxy {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let own_port = listener.local_addr().expect("a bound socket has an address").port();
        let rules = Arc::new(Rules { limit: AtomicU64::new(u64::MAX), ..Rules::default() });
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, port, rules.clone()));
        Self { port: own_port, rules, _accepting: accepting }
    }

    /// From now on each new connection is cut after so many bytes from the server.
    pub fn cut_after(&self, bytes: u64) {
        self.rules.limit.store(bytes, Ordering::SeqCst);
    }

    /// Nothing is carried any more, in either direction; nobody is told.
    pub fn stall(&self) {
        self.rules.stalled.send_replace(true);
    }

    /// Each piece of up to 16 KiB is late by so much.
    pub fn slow(&self, late: Duration) {
        self.rules.late.store(late.as_millis() as u64, Ordering::SeqCst);
    }

    /// New connections live again, and all carry what they are given.
    pub fn heal(&self) {
        self.cut_after(u64::MAX);
        self.rules.late.store(0, Ordering::SeqCst);
        self.rules.stalled.send_replace(false);
    }

    /// Cuts all open connections now.
    pub fn cut_now(&self) {
        self.rules.generation.fetch_add(1, Ordering::SeqCst);
        self.rules.changed.notify_waiters();
    }

    pub fn cuts(&self) -> u64 {
        self.rules.cuts.load(Ordering::SeqCst)
    }
}

impl Rules {
    /// Waits as long as a piece has to. True where the proxy is gone.
    async fn pass(&self) -> bool {
        let late = self.late.load(Ordering::SeqCst);
        if late > 0 {
            tokio::time::sleep(Duration::from_millis(late)).await;
        }
        // The sender is our own.
        self.stalled.subscribe().wait_for(|stalled| !stalled).await.is_err()
    }
}

async fn accept(listener: TcpListener, port: u16, rules: Arc<Rules>) {
    let mut relays = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        if let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await {
            relays.spawn(relay(client, server, rules.clone()));
        }
    }
}

async fn relay(mut client: TcpStream, mut server: TcpStream, rules: Arc<Rules>) {
    let mut left = rules.limit.load(Ordering::SeqCst);
    let generation = rules.generation.load(Ordering::SeqCst);
    let mut from_client = vec![0; 16 << 10];
    let mut from_server = vec![0; 16 << 10];
    loop {
        let cut = rules.changed.notified();
        if rules.generation.load(Ordering::SeqCst) != generation {
            rules.cuts.fetch_add(1, Ordering::SeqCst);
            return;
        }
        let done = tokio::select! {
            () = cut => false,
            read = client.read(&mut from_client) => match read {
                Ok(n) if n > 0 => rules.pass().await || server.write_all(&from_client[..n]).await.is_err(),
                _ => true,
            },
            read = server.read(&mut from_server) => match read {
                Ok(n) if n > 0 => {
                    rules.pass().await;
                    // A connection that was to be cut, and wasn't before the line healed, is as good as any other.
                    if rules.limit.load(Ordering::SeqCst) == u64::MAX {
                        left = u64::MAX;
                    }
                    let pass = left.min(n as u64);
                    left -= pass;
                    let failed = client.write_all(&from_server[..pass as usize]).await.is_err();
                    if left == 0 {
                        rules.cuts.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    failed
                }
                _ => true,
            },
        };
        if done {
            return;
        }
    }
}

/// A listener that greets every client with the same bytes and then waits for it to go.
pub struct Stranger {
    pub port: u16,
    _accepting: JoinSet<()>,
}

impl Stranger {
    pub async fn greeting(bytes: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                clients.spawn(async move {
                    let mut rest = Vec::new();
                    // The outcome is the client's business.
                    if client.write_all(bytes).await.is_ok() {
                        client.read_to_end(&mut rest).await.ok();
                    }
                });
            }
        });
        Self { port, _accepting: accepting }
    }
}
