//! The whole way from a real Store.

use tokio_util::sync::CancellationToken;
use whimbrel_connector::Target;
use whimbrel_incr_sync::{ApplyMode, StoreSource};
use whimbrel_model::LogRecord;
use whimbrel_store::{Sequence, StartAt, Store, StoreOptions};

use crate::script::{Run, position};
use crate::server::Scene;
use crate::workload::{TABLES, Tables, expect, history};

fn append(store: &Store, records: &[LogRecord]) {
    let mut writer = store.take_writer().unwrap();
    for record in records {
        writer.append(record).unwrap();
    }
    writer.flush().unwrap();
    store.put_writer(writer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_applied_resumed_and_acknowledged() {
    let mut scene = Scene::new("mysql97", "stored", &TABLES).await;
    let tables = Tables::of(&scene).await;
    let history = history(&tables, 61, 90, true);
    let directory = tempfile::tempdir().unwrap();
    let schemas = [&tables.items, &tables.pairs, &tables.notes].map(|table| table.schema.clone());
    let store = Store::create(directory.path(), StoreOptions::default(), &position(0), &schemas).unwrap();
    store.register_consumer("incr", Sequence::FIRST).unwrap();
    let records = history.script.records();
    let half = records.iter().take_while(|record| !is_commit_at(record, 40)).count() + 1;
    let run = Run::new(ApplyMode::Transaction);
    for (part, until) in [(&records[..half], 40), (&records[half..], 90)] {
        append(&store, part);
        let epoch = scene.target().take_over(&scene.task).await.unwrap();
        let sync = run.sync(&scene, epoch, Some(position(until)));
        let source = StoreSource::new(store.clone(), "incr", StartAt::Start);
        let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
        let status = sync.run(Box::new(source), stop, abort).await.unwrap();
        expect(&mut scene, &history.after[until], &format!("after {until} transactions")).await;
        assert_eq!(status.foreign_changes, 0);
        let needs = store.consumers()[0].1;
        assert_eq!(needs, Sequence(status.applied_sequence).next());
    }
    scene.drop().await;
}

fn is_commit_at(record: &LogRecord, transactions: usize) -> bool {
    matches!(record, LogRecord::Commit(commit) if commit.position == position(transactions))
}
