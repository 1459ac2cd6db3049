//! A line to a server that remembers what the client has sent: which statements really went over it.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use whimbrel_connector_mysql::wire::{ConnectOptions, TlsMode};

#[derive(Clone, Default)]
pub struct Wiretap(Arc<Mutex<Vec<u8>>>);

impl Wiretap {
    /// A tapped line to the server of these options; returns the options that lead over it.
    pub async fn new(options: &ConnectOptions) -> (Self, ConnectOptions) {
        let tap = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mut tapped = options.clone();
        tapped.tls = TlsMode::Off;
        tapped.host = "127.0.0.1".to_owned();
        tapped.port = listener.local_addr().expect("bound").port();
        let server = (options.host.clone(), options.port);
        let heard = tap.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect((server.0.as_str(), server.1)).await.expect("the server");
                tokio::spawn(heard.clone().carry(client, server));
            }
        });
        (tap, tapped)
    }

    async fn carry(self, client: TcpStream, server: TcpStream) {
        client.set_nodelay(true).expect("nodelay");
        server.set_nodelay(true).expect("nodelay");
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let there = async {
            let mut bytes = vec![0; 64 << 10];
            while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
                self.0.lock().expect("nobody panics with it").extend_from_slice(&bytes[..count]);
                if to_server.write_all(&bytes[..count]).await.is_err() {
                    break;
                }
            }
            drop(to_server);
        };
        let back = async {
            // Either side may be gone first.
            drop(tokio::io::copy(&mut from_server, &mut to_client).await);
        };
        tokio::join!(there, back);
    }

    /// How often each of these texts was sent since this was last asked.
    pub fn heard<const N: usize>(&self, texts: [&str; N]) -> [usize; N] {
        let sent = std::mem::take(&mut *self.0.lock().expect("nobody panics with it"));
        texts.map(|text| {
            let (first, rest) = text.as_bytes().split_first().expect("a text");
            let starts = (0..sent.len()).filter(|at| sent[*at] == *first);
            starts.filter(|at| sent[at + 1..].starts_with(rest)).count()
        })
    }
}
