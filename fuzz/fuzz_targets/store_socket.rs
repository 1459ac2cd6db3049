//! The Store's protocol with a peer that sends anything: the server answers or ends the connection, the client gets records
//! or an error.
//!
//! Input: `1 who is tried (even: the client, odd: the server)`, then all that the other one sends.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use whimbrel_model::{BinlogPosition, GtidState, Position};
use whimbrel_store::protocol::{ProtocolError, RemoteStore, ServeOptions, serve_connection};
use whimbrel_store::{StartAt, Store, StoreOptions};

const PIPE: usize = 1 << 16;

/// An empty Store.
static STORE: LazyLock<(tempfile::TempDir, Store)> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a folder");
    let position = Position::Binlog(BinlogPosition {
        server: "fuzz".into(),
        file: "binlog.000001".into(),
        offset: 4,
        gtids: GtidState::None,
    });
    let options = StoreOptions { min_free_bytes: 0, ..StoreOptions::default() };
    let store = Store::create(dir.path(), options, &position, &[]).expect("a Store");
    (dir, store)
});

async fn client(stream: DuplexStream) -> Result<(), ProtocolError> {
    let store = RemoteStore::greet(stream, None).await?;
    let mut reader = store.subscribe(StartAt::Start, None).await?;
    loop {
        if let whimbrel_model::LogRecord::Rows(batch) = &reader.next().await?.record {
            assert!(batch.is_well_formed());
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&who, sent)) = data.split_first() else { return };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    // Silence that a peer is allowed passes at once.
    let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let (ours, mut peer) = duplex(PIPE);
        let tried = async {
            if who % 2 == 0 {
                let _ = client(ours).await;
            } else {
                let options = ServeOptions::default();
                let served = serve_connection(&STORE.1, ours, &options);
                // A client that subscribed and stays silent is served for ever.
                let _ = tokio::time::timeout(Duration::from_secs(60), served).await;
            }
        };
        let other = async {
            let _ = peer.write_all(sent).await;
            let _ = peer.shutdown().await;
            let _ = peer.read_to_end(&mut Vec::new()).await;
        };
        tokio::join!(tried, other);
    });
});
