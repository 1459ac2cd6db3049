//! Cases for the state table: entries, take-over and the fence.

use std::cell::RefCell;
use std::time::Duration;

use super::rows::{batch, int, plan, refs};
use super::{Playground, create_table, must, schema_of, version_of};
use crate::{ErrorKind, InsertMode, StateKey, Writer};

/// A task that no other case uses.
fn task(playground: &dyn Playground) -> String {
    // Names of tasks have 64 bytes at most; the end of the schema's name tells cases apart.
    let name = playground.schema();
    format!("conf:{}", &name[name.len().saturating_sub(50)..])
}

async fn own(playground: &dyn Playground) -> (u64, Box<dyn Writer>) {
    let task = task(playground);
    let epoch = must(playground.target().take_over(&task).await);
    let writer = must(playground.target().writer(&task, epoch).await);
    (epoch, writer)
}

/// An entry is there with the commit of its transaction, and not before; its payload is any bytes.
pub async fn entries_live_and_die_with_their_transaction(playground: &dyn Playground) {
    let name = create_table(playground, "t", "id INT NOT NULL PRIMARY KEY").await;
    let table = version_of(playground, &name).await;
    let plan = plan(&table, schema_of(playground, &name).await);
    let (epoch, mut writer) = own(playground).await;
    let mut other = must(playground.target().writer(&task(playground), epoch).await);

    let key = StateKey::new("checkpoint", b"a\0\xff".to_vec());
    let payload: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    for small in [true, false] {
        let payload = if small { &payload[..40] } else { &payload[..] };
        must(writer.begin().await);
        let rows = batch(&table, &[vec![int(i64::from(small))]]);
        must(writer.insert(&plan, &refs(&rows), InsertMode::Plain).await);
        must(writer.state_put(&key, payload).await);
        assert_eq!(must(writer.state_get(&key).await).as_deref(), Some(payload), "sees its own entry");
        must(writer.commit().await);
        assert_eq!(must(other.state_get(&key).await).as_deref(), Some(payload), "after the commit");
        assert_eq!(must(other.fetch(&plan, &refs(&rows)).await).len(), 1);
    }

    must(writer.begin().await);
    must(writer.state_put(&key, b"rolled back").await);
    must(writer.rollback().await);
    assert_eq!(must(writer.state_get(&key).await).as_deref(), Some(&payload[..]));

    // Outside of a transaction an entry is one of its own.
    must(writer.state_put(&key, b"").await);
    assert_eq!(must(other.state_get(&key).await).as_deref(), Some(&b""[..]));
    must(writer.begin().await);
    must(writer.state_delete(&key).await);
    must(writer.rollback().await);
    assert!(must(other.state_get(&key).await).is_some());
    must(writer.state_delete(&key).await);
    assert_eq!(must(other.state_get(&key).await), None);
    let too_long = StateKey::new("checkpoint", vec![0; 401]);
    assert!(writer.state_put(&too_long, b"").await.is_err());
}

/// Entries of a kind come in the order of their items, and only those that begin with the prefix.
pub async fn entries_are_listed_by_prefix(playground: &dyn Playground) {
    let (_, mut writer) = own(playground).await;
    let items: [&[u8]; 5] = [b"", b"a", b"a\xff", b"a\xffb", b"b"];
    for item in items.iter().rev() {
        must(writer.state_put(&StateKey::new("chunk", *item), item).await);
        must(writer.state_put(&StateKey::new("other", *item), b"x").await);
    }
    let mut list = async |prefix: &[u8]| -> Vec<Vec<u8>> {
        let entries = must(writer.state_list("chunk", prefix).await);
        assert!(entries.iter().all(|entry| entry.key.kind == "chunk" && entry.payload == entry.key.item));
        entries.into_iter().map(|entry| entry.key.item).collect()
    };
    assert_eq!(list(b"").await, items);
    assert_eq!(list(b"a").await, &items[1..4]);
    assert_eq!(list(b"a\xff").await, &items[2..4]);
    assert_eq!(list(b"c").await, Vec::<Vec<u8>>::new());
}

/// Epochs grow, and a writer of an older one can write no entry: neither in a transaction that it had begun, nor
/// outside, nor as a new writer.
pub async fn a_task_that_was_taken_over_can_not_commit(playground: &dyn Playground) {
    let name = create_table(playground, "t", "id INT NOT NULL PRIMARY KEY").await;
    let table = version_of(playground, &name).await;
    let plan = plan(&table, schema_of(playground, &name).await);
    let (epoch, mut old) = own(playground).await;
    let key = StateKey::new("checkpoint", b"k");
    must(old.state_put(&key, b"old").await);

    let rows = batch(&table, &[vec![int(1)]]);
    must(old.begin().await);
    must(old.insert(&plan, &refs(&rows), InsertMode::Plain).await);
    let (newer, mut new) = own(playground).await;
    assert!(newer > epoch, "{newer} after {epoch}");
    // The entry may be refused when it is written or when the transaction is committed.
    let refused = match old.state_put(&key, b"fenced").await {
        Ok(()) => old.commit().await,
        Err(error) => Err(error),
    };
    assert_eq!(refused.expect_err("fenced").kind, ErrorKind::Fenced);
    must(old.rollback().await);
    assert_eq!(must(new.fetch(&plan, &refs(&rows)).await).len(), 0, "the data went with the entry");
    assert_eq!(old.state_put(&key, b"fenced").await.expect_err("fenced").kind, ErrorKind::Fenced);
    assert_eq!(old.state_delete(&key).await.expect_err("fenced").kind, ErrorKind::Fenced);
    assert_eq!(old.refuse_taken_over().await.expect_err("fenced").kind, ErrorKind::Fenced);
    must(new.refuse_taken_over().await);
    let late = playground.target().writer(&task(playground), epoch).await;
    assert!(matches!(late, Err(error) if error.kind == ErrorKind::Fenced), "a writer of an old epoch");
    assert_eq!(must(new.state_get(&key).await).as_deref(), Some(&b"old"[..]));
    must(new.state_put(&key, b"new").await);
    assert_eq!(must(new.state_get(&key).await).as_deref(), Some(&b"new"[..]));
}

/// Nothing of it is there for whoever has the name next; an older owner can't forget it.
pub async fn a_task_that_is_forgotten_leaves_nothing(playground: &dyn Playground) {
    let (old, _) = own(playground).await;
    let (epoch, mut writer) = own(playground).await;
    let (task, key) = (task(playground), StateKey::new("checkpoint", b"k"));
    must(writer.state_put(&key, b"v").await);
    let refused = playground.target().forget(&task, old).await;
    assert_eq!(refused.expect_err("another owner").kind, ErrorKind::Fenced);
    assert!(must(writer.state_get(&key).await).is_some(), "nothing was forgotten");
    must(playground.target().forget(&task, epoch).await);
    assert_eq!(writer.state_put(&key, b"late").await.expect_err("fenced").kind, ErrorKind::Fenced);
    let (anew, mut next) = own(playground).await;
    assert_eq!(anew, 1);
    assert_eq!(must(next.state_get(&key).await), None);
}

/// Once a take-over has returned, no transaction of an older epoch that wrote state is still open: either it was
/// waited for, or it can't commit.
pub async fn taking_over_waits_for_open_transactions(playground: &dyn Playground) {
    let (_, mut old) = own(playground).await;
    let key = StateKey::new("checkpoint", b"k");
    must(old.begin().await);
    must(old.state_put(&key, b"late").await);
    // Reading makes sure that the entry has been sent.
    assert!(must(old.state_get(&key).await).is_some());
    let task = task(playground);
    let mut taking = playground.target().take_over(&task);
    // One that doesn't wait takes a few round trips.
    let ended = tokio::time::timeout(Duration::from_millis(500), &mut taking).await;
    assert!(ended.is_err(), "the take-over didn't wait but ended with {ended:?}");
    let committed = old.commit().await;
    let epoch = must(taking.await);
    let mut new = must(playground.target().writer(&task, epoch).await);
    let found = must(new.state_get(&key).await);
    assert_eq!(found.is_some(), committed.is_ok(), "the entry is there if its commit said so");
}

/// Writers of one task that write different entries at once don't block each other.
pub async fn parallel_writers_do_not_wait_for_each_other(playground: &dyn Playground) {
    let (epoch, mut one) = own(playground).await;
    let mut other = must(playground.target().writer(&task(playground), epoch).await);
    must(one.begin().await);
    must(one.state_put(&StateKey::new("chunk", b"1"), b"x").await);
    assert!(must(one.state_get(&StateKey::new("chunk", b"1")).await).is_some());
    // Would wait for ever, or until a time-out, behind the first one's open transaction.
    must(other.begin().await);
    must(other.state_put(&StateKey::new("chunk", b"2"), b"y").await);
    must(other.commit().await);
    must(one.commit().await);
    assert_eq!(must(one.state_list("chunk", b"").await).len(), 2);
}

/// A writer of an older epoch changes no structure and empties no table. Statements that change structures commit by
/// themselves, so nothing that is written beside them keeps them from happening.
pub async fn a_task_that_was_taken_over_can_not_change_structures(playground: &dyn Playground) {
    let name = create_table(playground, "t", "id INT NOT NULL PRIMARY KEY").await;
    let table = version_of(playground, &name).await;
    let plan = plan(&table, schema_of(playground, &name).await);
    let (_, mut old) = own(playground).await;
    must(old.execute_ddl(playground.schema(), "ALTER TABLE t ADD COLUMN a INT").await);
    let rows = batch(&table, &[vec![int(1)]]);
    must(old.insert(&plan, &refs(&rows), InsertMode::Plain).await);
    let (_, mut new) = own(playground).await;

    let schema = playground.schema();
    let settings = ["SET sql_mode=''".to_owned()];
    for refused in [
        old.execute_ddl(schema, "TRUNCATE TABLE t").await,
        old.execute_ddl(schema, "DROP TABLE t").await,
        old.execute_ddl_with(schema, &settings, "ALTER TABLE t ADD COLUMN b INT").await,
        old.truncate(&plan).await,
    ] {
        assert_eq!(refused.expect_err("fenced").kind, ErrorKind::Fenced);
    }
    assert_eq!(schema_of(playground, &name).await.columns.len(), 2, "only the owner's column");
    assert_eq!(must(new.fetch(&plan, &refs(&rows)).await).len(), 1, "the row is there");
    must(new.execute_ddl(schema, "ALTER TABLE t ADD COLUMN b INT").await);
    must(new.truncate(&plan).await);
    assert_eq!(must(new.fetch(&plan, &refs(&rows)).await).len(), 0);
}

/// A take-over doesn't return while a statement of the old owner that changes structures is under way.
pub async fn taking_over_waits_for_changing_structures(playground: &dyn Playground) {
    let name = create_table(playground, "t", "id INT NOT NULL PRIMARY KEY").await;
    let table = version_of(playground, &name).await;
    let plan = plan(&table, schema_of(playground, &name).await);
    let (_, mut old) = own(playground).await;
    let task = task(playground);
    let holds = playground.open_transaction(&[format!("INSERT INTO {name} VALUES (1)")]).await;
    let order = RefCell::new(Vec::new());
    let note = |what: &'static str| order.borrow_mut().push(what);
    // The statement waits for the open transaction. Nothing is cut off in the middle, whatever the outcome: there is
    // a server that hangs when that happens to DDL.
    let (emptied, taken, ()) = tokio::join!(
        async {
            let emptied = old.truncate(&plan).await;
            note("emptied");
            emptied
        },
        async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            note("taking over");
            let taken = playground.target().take_over(&task).await;
            note("taken over");
            taken
        },
        async {
            // A take-over that doesn't wait takes a few round trips.
            tokio::time::sleep(Duration::from_millis(400)).await;
            note("released");
            holds.commit().await;
        },
    );
    let order = order.into_inner();
    let place = |what| order.iter().position(|noted| *noted == what);
    let fenced = matches!(&emptied, Err(error) if error.kind == ErrorKind::Fenced);
    assert!(fenced || place("emptied") < place("taken over"), "it didn't wait: {order:?}, {emptied:?}");
    let mut new = must(playground.target().writer(&task, must(taken)).await);
    let row = batch(&table, &[vec![int(1)]]);
    let there = must(new.fetch(&plan, &refs(&row)).await).len();
    assert_eq!(there == 0, emptied.is_ok(), "the table is empty if its statement said so: {emptied:?}");
}
