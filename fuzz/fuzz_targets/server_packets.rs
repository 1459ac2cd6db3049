//! A MySQL server that sends anything: logging in, the answers to queries, and the binlog stream end with data or an error.
//!
//! Input: `1 what follows the login (even: queries, odd: a binlog dump)`, then all that the server sends.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use whimbrel_connector_mysql::wire::{
    BinlogDump, BinlogStart, ConnectOptions, Connection, Scheme, Secret, TlsMode, WireError,
};

/// Answers that are read at most.
const QUERIES: usize = 8;
const EVENTS: usize = 1000;

async fn queries(connection: &mut Connection) -> Result<(), WireError> {
    for _ in 0..QUERIES {
        let mut rows = connection.query_stream("SELECT 1").await?;
        while let Some(row) = rows.next().await? {
            assert_eq!(row.iter().count(), row.len());
        }
    }
    Ok(())
}

async fn events(connection: &mut Connection) -> Result<(), WireError> {
    let start = BinlogStart::File { name: "binlog.000001", position: 4 };
    let idle_timeout = Some(Duration::from_secs(2));
    connection
        .start_binlog_dump(&BinlogDump { server_id: 1, start, non_blocking: true, idle_timeout })
        .await?;
    for _ in 0..EVENTS {
        if connection.next_binlog_packet().await?.is_none() {
            break;
        }
    }
    Ok(())
}

async fn client(port: u16, dump: bool) -> Result<(), WireError> {
    let mut options =
        ConnectOptions::new(Scheme::Mysql, "127.0.0.1", port, "whimbrel", Secret::new("secret"));
    options.tls = TlsMode::Off;
    options.connect_timeout = Duration::from_secs(2);
    options.read_timeout = Some(Duration::from_secs(2));
    let mut connection = Connection::connect(&options).await?;
    if dump { events(&mut connection).await } else { queries(&mut connection).await }
}

fuzz_target!(|data: &[u8]| {
    let Some((&what, sent)) = data.split_first() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("a port").port();
        let server = async {
            let (mut stream, _) = listener.accept().await.expect("the client connects");
            let _ = stream.write_all(sent).await;
            let _ = stream.shutdown().await;
            // Until the client closes: a reset would take away what it hasn't read.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        };
        let (_, ()) = tokio::join!(client(port, what % 2 == 1), server);
    });
});
