//! The puller and the socket service.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helper may panic")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use support::faulty::{Faults, FaultyFs};
use support::logs::{LogMaker, describe, start_position};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use whimbrel_connector::{ConnectorError, ErrorKind, LogReader};
use whimbrel_model::LogRecord;
use whimbrel_store::protocol::{
    ErrorCode, Listener, ProtocolError, RemoteStore, ServeOptions, connect_tcp, connect_unix, serve,
    serve_connection,
};
use whimbrel_store::{
    PullError, PullStatus, Puller, Sequence, StartAt, Store, StoreOptions, StoreState, inspect,
};

/// A source whose log is what the test sends.
struct Scripted {
    records: mpsc::UnboundedReceiver<Result<LogRecord, ConnectorError>>,
}

#[async_trait]
impl LogReader for Scripted {
    async fn next(&mut self) -> Result<LogRecord, ConnectorError> {
        match self.records.recv().await {
            Some(record) => record,
            None => std::future::pending().await,
        }
    }
}

type Script = mpsc::UnboundedSender<Result<LogRecord, ConnectorError>>;

fn scripted() -> (Script, Box<dyn LogReader>) {
    let (sender, records) = mpsc::unbounded_channel();
    (sender, Box::new(Scripted { records }))
}

fn options() -> StoreOptions {
    StoreOptions {
        segment_bytes: 20_000,
        block_bytes: 2_000,
        anchor_bytes: 2_000,
        min_free_bytes: 0,
        ..StoreOptions::default()
    }
}

fn create(fs: &FaultyFs, options: StoreOptions) -> (Store, LogMaker) {
    let maker = LogMaker::new(11);
    let fs = Arc::new(fs.clone());
    let store =
        Store::create_on(fs, Path::new("/store"), options, &start_position(), &maker.schemas()).unwrap();
    (store, maker)
}

async fn until(
    status: &mut watch::Receiver<PullStatus>,
    what: impl FnMut(&PullStatus) -> bool,
) -> PullStatus {
    let waiting = status.wait_for(what);
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("in time").unwrap().clone()
}

async fn collect(store: &Store, count: usize) -> Vec<String> {
    let mut reader = store.read_from(&StartAt::Start).unwrap();
    let mut seen = Vec::new();
    while seen.len() < count {
        let next = tokio::time::timeout(Duration::from_secs(20), reader.next()).await;
        seen.push(describe(&next.expect("in time").unwrap().record));
    }
    seen
}

#[tokio::test]
async fn a_pull_stores_the_log_and_a_second_one_goes_on_after_the_last_transaction() {
    let (store, mut maker) = create(&FaultyFs::default(), options());
    let (script, reader) = scripted();
    let mut puller = Puller::start(&store, reader, &CancellationToken::new()).unwrap();
    assert!(
        store.resume_point().is_err()
            && Puller::start(&store, scripted().1, &CancellationToken::new()).is_err()
    );
    let mut records: Vec<LogRecord> = (0..50).flat_map(|_| maker.any()).collect();
    let mut open = maker.clone().transaction(3, 2, 10);
    open.pop();
    records.extend(open);
    let mut expected: Vec<_> = records.iter().map(describe).collect();
    for record in records {
        script.send(Ok(record)).unwrap();
    }
    let count = expected.len() as u64;
    let at_end = maker.position();
    let error = ConnectorError::new(ErrorKind::LogCorrupt, "binlog.000009:77", "reading an event");
    script.send(Err(error)).unwrap();
    let ended = puller.ended().await.unwrap_err();
    assert!(matches!(ended, PullError::Source(error) if error.kind == ErrorKind::LogCorrupt));
    let status = puller.status().borrow().clone();
    let StoreState::SourceFailed { code, error, .. } = status.state else { panic!("{:?}", status.state) };
    assert_eq!((code, error.as_str()), ("WB-2003", "binlog.000009:77: reading an event"));
    assert_eq!((status.records, status.next), (count, Sequence(count + 1)));
    let resume = store.resume_point().unwrap();
    assert_eq!((resume.position, resume.tables), (at_end, maker.schemas()));
    // The open transaction ends with an abort before anything else comes.
    let (script, reader) = scripted();
    let puller = Puller::start(&store, reader, &CancellationToken::new()).unwrap();
    expected.push(describe(&LogRecord::Abort));
    for record in maker.transaction(1, 1, 1) {
        expected.push(describe(&record));
        script.send(Ok(record)).unwrap();
    }
    assert_eq!(collect(&store, expected.len()).await, expected);
    puller.stop().await.unwrap();
    assert_eq!(store.resume_point().unwrap().position, maker.position());
}

#[tokio::test]
async fn a_full_disk_is_shown_and_the_pull_goes_on_when_there_is_room() {
    let fs = FaultyFs::default();
    let (store, mut maker) = create(&fs, options());
    let (script, reader) = scripted();
    let puller = Puller::start(&store, reader, &CancellationToken::new()).unwrap();
    let mut status = puller.status();
    fs.set_faults(Faults { capacity: Some(fs.used() + 1_000), ..Faults::default() });
    let records: Vec<LogRecord> = (0..60).flat_map(|_| maker.any()).collect();
    let expected: Vec<_> = records.iter().map(describe).collect();
    for record in records {
        script.send(Ok(record)).unwrap();
    }
    let full = until(&mut status, |status| matches!(status.state, StoreState::DiskFull { .. })).await;
    let StoreState::DiskFull { path, .. } = full.state else { unreachable!() };
    assert_eq!(path, Path::new("/store"));
    fs.set_faults(Faults { fail_syncs: 1, ..Faults::default() });
    assert_eq!(collect(&store, expected.len()).await, expected);
    let done = until(&mut status, |status| status.records == expected.len() as u64).await;
    assert_eq!((done.state, done.position), (StoreState::Running, maker.position()));
    puller.stop().await.unwrap();
    assert_eq!(status.borrow().state, StoreState::Stopped);
}

#[tokio::test]
async fn a_pull_that_is_stopped_on_a_full_disk_ends_at_once_and_loses_nothing_durable() {
    let fs = FaultyFs::default();
    let (store, mut maker) = create(&fs, options());
    let (script, reader) = scripted();
    let cancel = CancellationToken::new();
    let puller = Puller::start(&store, reader, &cancel).unwrap();
    let mut status = puller.status();
    fs.set_faults(Faults { capacity: Some(0), ..Faults::default() });
    let records = maker.transaction(2, 50, 200);
    for record in &records {
        script.send(Ok(record.clone())).unwrap();
    }
    until(&mut status, |status| matches!(status.state, StoreState::DiskFull { .. })).await;
    let stopped = tokio::time::timeout(Duration::from_secs(10), puller.stop()).await.expect("at once");
    assert!(matches!(stopped, Err(PullError::Store(whimbrel_store::StoreError::DiskFull { .. }))));
    fs.set_faults(Faults::default());
    // The transaction wasn't stored whole: it comes again.
    assert_eq!(store.resume_point().unwrap().position, start_position());
    let (script, reader) = scripted();
    let puller = Puller::start(&store, reader, &cancel).unwrap();
    for record in records {
        script.send(Ok(record)).unwrap();
    }
    until(&mut puller.status(), |status| status.position == maker.position()).await;
    puller.stop().await.unwrap();
}

#[tokio::test]
async fn a_pull_waits_for_a_consumer_that_is_too_far_behind() {
    let fs = FaultyFs::default();
    let (store, mut maker) = create(
        &fs,
        StoreOptions { lag_limit_bytes: Some(60_000), sync_interval: Duration::ZERO, ..options() },
    );
    store.register_consumer("incr", Sequence(1)).unwrap();
    let (script, reader) = scripted();
    let puller = Puller::start(&store, reader, &CancellationToken::new()).unwrap();
    let mut status = puller.status();
    let records: Vec<LogRecord> = (0..200).flat_map(|_| maker.transaction(2, 5, 200)).collect();
    let count = records.len() as u64;
    for record in records {
        script.send(Ok(record)).unwrap();
    }
    let waiting =
        until(&mut status, |status| matches!(status.state, StoreState::WaitingForConsumer { .. })).await;
    let StoreState::WaitingForConsumer { consumer, bytes, .. } = waiting.state else { unreachable!() };
    assert!(consumer == "incr" && bytes > 60_000);
    while status.borrow().next != Sequence(count + 1) {
        let next = store.size().unwrap().next;
        store.acknowledge("incr", Sequence(next.0 - 1)).unwrap();
        tokio::time::timeout(Duration::from_secs(20), status.changed()).await.expect("in time").unwrap();
    }
    puller.stop().await.unwrap();
}

/// No consumer can have done with half a transaction, so the pull waits for none within it.
#[tokio::test]
async fn a_transaction_larger_than_the_lag_limit_comes_through() {
    let mut maker = LogMaker::new(4);
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { lag_limit_bytes: Some(1), sync_interval: Duration::ZERO, ..options() };
    let store = Store::create(&dir.path().join("log"), options, &start_position(), &maker.schemas()).unwrap();
    store.register_consumer("incr", Sequence(1)).unwrap();
    let (script, reader) = scripted();
    let puller = Puller::start(&store, reader, &CancellationToken::new()).unwrap();
    let mut status = puller.status();
    let mut sent = 0;
    for records in [maker.transaction(1, 1, 10), maker.transaction(40, 5, 200)] {
        for record in records {
            script.send(Ok(record)).unwrap();
            sent += 1;
        }
        until(&mut status, |status| status.next == Sequence(sent + 1)).await;
        store.acknowledge("incr", Sequence(sent)).unwrap();
    }
    puller.stop().await.unwrap();
}

#[tokio::test]
async fn a_store_is_read_over_a_socket_as_in_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut maker = LogMaker::new(5);
    let store =
        Store::create(&dir.path().join("log"), options(), &start_position(), &maker.schemas()).unwrap();
    let append = |records: &[LogRecord]| -> Vec<(Sequence, String)> {
        let mut writer = store.take_writer().unwrap();
        let written =
            records.iter().map(|record| (writer.append(record).unwrap(), describe(record))).collect();
        writer.flush().unwrap();
        store.put_writer(writer);
        written
    };
    let mut written = append(&(0..150).flat_map(|_| maker.any()).collect::<Vec<_>>());
    let socket = dir.path().join("socket");
    let cancel = CancellationToken::new();
    let listener = Listener::Unix(UnixListener::bind(&socket).unwrap());
    let serving = tokio::spawn(serve(store.clone(), listener, ServeOptions::default(), cancel.clone()));

    let remote = connect_unix(&socket, None).await.unwrap();
    assert_eq!((remote.oldest, remote.next), (Sequence(1), Sequence(written.len() as u64 + 1)));
    let mut reader = remote.subscribe(StartAt::Start, Some("remote")).await.unwrap();
    for (sequence, text) in &written {
        let item = reader.next().await.unwrap();
        assert_eq!((item.sequence, &describe(&item.record)), (*sequence, text));
    }
    let waiting = tokio::time::timeout(Duration::from_millis(20), reader.next()).await;
    assert!(waiting.is_err());
    let more = append(&maker.transaction(2, 3, 30));
    for (sequence, text) in &more {
        let item = reader.next().await.unwrap();
        assert_eq!((item.sequence, &describe(&item.record)), (*sequence, text));
    }
    written.extend(more);
    reader.acknowledge(Sequence(100)).await.unwrap();
    let mut deadline = 0;
    while store.consumers() != [("remote".to_owned(), Sequence(101))] {
        deadline += 1;
        assert!(deadline < 2000, "{:?}", store.consumers());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let remote = connect_unix(&socket, None).await.unwrap();
    let mut middle = remote.subscribe(StartAt::Sequence(Sequence(77)), None).await.unwrap();
    assert_eq!(middle.next().await.unwrap().sequence, Sequence(77));
    cancel.cancel();
    tokio::time::timeout(Duration::from_secs(10), serving).await.unwrap().unwrap();
    assert!(inspect::verify(&dir.path().join("log")).unwrap().problems.is_empty());
}

#[tokio::test]
async fn strangers_are_told_why_and_can_do_no_harm() {
    let (store, mut maker) = create(&FaultyFs::default(), options());
    let mut writer = store.take_writer().unwrap();
    for record in maker.transaction(1, 1, 1) {
        writer.append(&record).unwrap();
    }
    writer.flush().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let options = ServeOptions { token: Some("right".into()), max_connections: 3 };
    let cancel = CancellationToken::new();
    let serving = tokio::spawn(serve(store.clone(), Listener::Tcp(listener), options, cancel.clone()));

    for token in [None, Some("wrong"), Some("righ")] {
        let refused = connect_tcp(&address, token).await.unwrap_err();
        assert!(matches!(refused, ProtocolError::Refused { code: ErrorCode::Unauthorized, .. }), "{refused}");
    }
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 64], &[1, 0, 0, 0, 9], &[5, 0, 0, 0, 3, 1, 2, 3, 4]]
    {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer);
        tokio::time::timeout(Duration::from_secs(20), read).await.expect("closed").unwrap();
        assert_eq!(answer.get(4), Some(&8), "{answer:?}");
    }
    let remote = connect_tcp(&address, Some("right")).await.unwrap();
    let mut ahead = remote.subscribe(StartAt::Sequence(Sequence(99)), None).await.unwrap();
    let refused = ahead.next().await.unwrap_err();
    assert!(matches!(refused, ProtocolError::Refused { code: ErrorCode::SequenceAhead, .. }), "{refused}");
    let remote = connect_tcp(&address, Some("right")).await.unwrap();
    let mut greedy = remote.subscribe(StartAt::Start, Some("greedy")).await.unwrap();
    greedy.next().await.unwrap();
    greedy.acknowledge(Sequence(1_000)).await.unwrap();
    let refused = loop {
        if let Err(error) = greedy.next().await {
            break error;
        }
    };
    assert!(matches!(refused, ProtocolError::Refused { code: ErrorCode::SequenceAhead, .. }), "{refused}");
    let first = connect_tcp(&address, Some("right")).await.unwrap();
    let second = connect_tcp(&address, Some("right")).await.unwrap();
    let third = connect_tcp(&address, Some("right")).await.unwrap();
    let refused = connect_tcp(&address, Some("right")).await.unwrap_err();
    assert!(matches!(refused, ProtocolError::Refused { code: ErrorCode::Busy, .. }), "{refused}");
    drop((first, second, third));
    cancel.cancel();
    tokio::time::timeout(Duration::from_secs(10), serving).await.unwrap().unwrap();
}

/// A client of protocol version 1 can't read blocks of format 2; a server of version 1 has none.
#[tokio::test]
async fn an_older_client_is_told_so_and_an_older_server_is_understood() {
    let (store, _) = create(&FaultyFs::default(), options());
    let (ours, mut client) = tokio::io::duplex(1000);
    client.write_all(b"\x0b\0\0\0\x01WSTP\x01\0\x01\0\0\0").await.unwrap();
    assert!(serve_connection(&store, ours, &ServeOptions::default()).await.is_err());
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer[4..7], [8, 2, 0], "an error frame with the code for versions");

    for (version, understood) in [(0, false), (1, true), (2, true), (3, false)] {
        let (ours, mut server) = tokio::io::duplex(1000);
        server.write_all(&[&[39, 0, 0, 0, 2, version, 0][..], &[0; 36]].concat()).await.unwrap();
        assert_eq!(RemoteStore::greet(ours, None).await.is_ok(), understood, "version {version}");
    }
}
