//! A server that does what a test's script says.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use whimbrel_connector_mysql::wire::{ConnectOptions, Scheme, Secret, TlsMode, WireError};

/// The server's side of one connection.
pub struct Fake(TcpStream);

/// What the greeting offers: everything of MySQL 8 but TLS and `DEPRECATE_EOF`.
pub const CAPABILITIES: u32 = 0xdeff_f7ff;
pub const SSL: u32 = 1 << 11;
pub const DEPRECATE_EOF: u32 = 1 << 24;

pub const OK: &[u8] = b"\0\0\0\x02\0\0\0";
/// EOF packet in autocommit mode.
pub const EOF: &[u8] = b"\xfe\0\0\x02\0";
/// A column called `c`, of type VARCHAR.
pub const COLUMN: &[u8] = b"\x03def\0\0\0\x01c\0\x0c\x2d\0\x40\0\0\0\xfd\0\0\0\0\0";

impl Fake {
    pub async fn raw(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("the client takes bytes");
    }

    pub async fn packet(&mut self, sequence: u8, payload: &[u8]) {
        let mut bytes = (payload.len() as u32).to_le_bytes();
        bytes[3] = sequence;
        self.raw(&bytes).await;
        self.raw(payload).await;
    }

    pub async fn receive(&mut self) -> (u8, Vec<u8>) {
        let mut header = [0; 4];
        self.0.read_exact(&mut header).await.expect("a packet's header");
        let len = u32::from_le_bytes([header[0], header[1], header[2], 0]);
        let mut payload = vec![0; len as usize];
        self.0.read_exact(&mut payload).await.expect("a packet's payload");
        (header[3], payload)
    }

    /// Everything that comes until the client closes.
    pub async fn receive_rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // The client may close while it has not read everything, which shows as a reset.
        drop(self.0.read_to_end(&mut bytes).await);
        bytes
    }

    pub async fn greet(&mut self, capabilities: u32, plugin: &str) {
        self.packet(0, &greeting(capabilities, plugin)).await;
    }

    /// Greeting, login with whatever password, OK.
    pub async fn log_in(&mut self, capabilities: u32) {
        self.greet(capabilities, "mysql_native_password").await;
        let (sequence, _) = self.receive().await;
        assert_eq!(sequence, 1);
        self.packet(2, OK).await;
    }

    /// Waits for a query and answers with the head of a result of one column.
    pub async fn begin_rows(&mut self) {
        let (sequence, command) = self.receive().await;
        assert_eq!((sequence, command[0]), (0, 3));
        self.packet(1, &[1]).await;
        self.packet(2, COLUMN).await;
        self.packet(3, EOF).await;
    }
}

pub fn greeting(capabilities: u32, plugin: &str) -> Vec<u8> {
    let mut bytes = b"\x0a8.0.0-fake\0\x07\0\0\0abcdefgh\0".to_vec();
    let [a, b, c, d] = capabilities.to_le_bytes();
    bytes.extend_from_slice(&[a, b, 45, 2, 0, c, d, 21]);
    bytes.extend_from_slice(&[0; 10]);
    bytes.extend_from_slice(b"ijklmnopqrst\0");
    bytes.extend_from_slice(plugin.as_bytes());
    bytes.push(0);
    bytes
}

/// Starts a server that serves one connection after the other, each by one call of `script` with the connection's
/// number. Await the handle after the client is done: it carries the script's own assertions.
pub async fn serve<F>(
    connections: usize,
    script: impl Fn(usize, Fake) -> F + Send + 'static,
) -> (ConnectOptions, JoinHandle<()>)
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let server = tokio::spawn(async move {
        for number in 0..connections {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("nodelay");
            script(number, Fake(stream)).await;
        }
    });
    let mut options = ConnectOptions::new(Scheme::Mysql, "127.0.0.1", port, "user", Secret::new("hunter2"));
    options.tls = TlsMode::Off;
    options.connect_timeout = Duration::from_secs(20);
    (options, server)
}

/// The error and its causes, which must not hold the password.
pub fn text(error: &WireError) -> String {
    let text = format!(
        "{error} {error:?} {:?}",
        anyhow::Chain::new(error).map(ToString::to_string).collect::<Vec<_>>()
    );
    assert!(!text.contains("hunter2"), "{text}");
    text
}
