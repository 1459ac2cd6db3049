//! Live writers: seeded random transactions of all kinds that are hard for a migration, until they are told to stop.
//!
//! Tables: `account` (surrogate key, two unique keys, a secondary index), `entry` (composite key), `tag` (string key),
//! `audit` (no key at all, with duplicates). Every writer has its own generator, so a seed gives the same sequence of
//! decisions; what the server makes of them depends on how the writers meet.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::random::Random;
use super::servers::Server;
use super::sql::Sql;

const SCHEMA: &str = "
CREATE TABLE account (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  slot INT NULL,
  email VARCHAR(80) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  balance DECIMAL(14,2) NOT NULL,
  note TEXT,
  raw_bytes VARBINARY(300),
  touched DATETIME(6),
  rating DOUBLE,
  UNIQUE KEY account_slot (slot),
  UNIQUE KEY account_email (email),
  KEY account_balance (balance));
CREATE TABLE entry (
  account_id BIGINT NOT NULL,
  seq INT NOT NULL,
  amount DECIMAL(14,2) NOT NULL,
  kind ENUM('in','out','fee') NOT NULL,
  PRIMARY KEY (account_id, seq));
CREATE TABLE tag (
  name VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  uses INT NOT NULL,
  flags SET('a','b','c') NOT NULL);
CREATE TABLE audit (
  at_time DATETIME(3) NOT NULL,
  actor INT,
  what VARCHAR(60))";

/// Accounts above this number belong to large transactions.
const LARGE: i64 = 1_000_000_000;

/// How long a killed server may take to come back.
const SERVER_PATIENCE: Duration = Duration::from_secs(120);

/// Transactions after which a writer does no large ones any more: otherwise a busy machine makes more than it applies.
const LAST_LARGE: u64 = 1_300;

/// How hard they write.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub writers: u64,
    /// Most transactions a second of one writer.
    pub rate: u64,
    pub seed: u64,
    /// Rows of a large transaction; 0 for none. One writer does one after some time, then now and then.
    pub large_rows: u64,
}

impl Load {
    pub fn modest(seed: u64) -> Self {
        Self { writers: 3, rate: 60, seed, large_rows: 0 }
    }
}

/// Makes the tables and fills them with about `accounts` rows each. In words that MySQL 5.5 knows too.
pub async fn prepare(sql: &mut Sql, accounts: u64) {
    let whole_seconds = has_whole_seconds(sql).await;
    sql.run(&in_its_words(SCHEMA, whole_seconds)).await;
    sql.run("CREATE TEMPORARY TABLE n (i INT NOT NULL PRIMARY KEY)").await;
    let all: Vec<u64> = (1..=accounts).collect();
    for some in all.chunks(5_000) {
        let values: Vec<String> = some.iter().map(|i| format!("({i})")).collect();
        sql.run(&format!("INSERT INTO n VALUES {}", values.join(","))).await;
    }
    for fill in [
        "INSERT INTO account (slot, email, balance, note, raw_bytes, touched, rating) SELECT i, \
         CONCAT('user', i, '@example.org'), i * 1.25, REPEAT(CHAR(97 + i % 26), i % 90), UNHEX(SHA2(i, 256)), \
         '2024-02-29 12:00:00.123456' + INTERVAL i SECOND, i / 7 FROM n ORDER BY i",
        "INSERT INTO entry SELECT 1 + i DIV 3, i % 3, i / 8, 1 + i % 3 FROM n",
        "INSERT INTO tag SELECT CONCAT('tag', i), i % 50, 1 + i % 7 FROM n WHERE i <= 2000",
        "INSERT INTO audit SELECT '2020-01-01' + INTERVAL (i % 100) MINUTE, i % 7, CONCAT('event ', i % 100) FROM n",
        "DROP TEMPORARY TABLE n",
    ] {
        sql.run(fill).await;
    }
    if !whole_seconds {
        // For what tests add themselves; MySQL 5.6 has no recursion.
        sql.try_run("SET SESSION cte_max_recursion_depth = 10000000").await.ok();
        sql.try_run("SET SESSION max_recursive_iterations = 10000000").await.ok();
    }
}

/// MySQL 5.5 keeps no fractions of a second.
async fn has_whole_seconds(sql: &mut Sql) -> bool {
    sql.value::<String>("SELECT VERSION()").await.starts_with("5.5")
}

fn in_its_words(statement: &str, whole_seconds: bool) -> String {
    if !whole_seconds {
        return statement.to_owned();
    }
    ["(6)", "(3)"].iter().fold(statement.to_owned(), |text, fraction| {
        ["DATETIME", "NOW"].iter().fold(text, |text, word| {
            let bare = if *word == "NOW" { "NOW()" } else { word };
            text.replace(&format!("{word}{fraction}"), bare)
        })
    })
}

/// A common table expression `n (i)` with the numbers 1 to `count`.
pub fn numbers(count: u64) -> String {
    format!("WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < {count})")
}

/// Lets [`numbers`] count beyond 1000, the default of both families.
pub async fn allow_recursion(sql: &mut Sql) {
    let mysql = sql.try_run("SET SESSION cte_max_recursion_depth = 10000000").await;
    if mysql.is_err() {
        sql.run("SET SESSION max_recursive_iterations = 10000000").await;
    }
}

/// Writers at work.
#[derive(Debug)]
pub struct Workload {
    stop: CancellationToken,
    writers: JoinSet<BTreeMap<&'static str, u64>>,
}

impl Workload {
    /// The tables must be there.
    pub async fn start(server: &Server, db: &str, load: Load) -> Self {
        let stop = CancellationToken::new();
        let mut writers = JoinSet::new();
        let random = Random::new(load.seed);
        for number in 0..load.writers {
            let sql = Sql::open(server, db).await;
            let large_rows = if number == 0 { load.large_rows } else { 0 };
            let writer = Writer {
                sql,
                random: random.fork(number + 1),
                counts: BTreeMap::new(),
                large_rows,
                done: 0,
                whole_seconds: false,
            };
            writers.spawn(writer.run(load.rate, stop.clone()));
        }
        Self { stop, writers }
    }

    /// As [`Workload::start`], for a server that may be killed: a writer that loses it begins again with another session.
    pub async fn start_through_restarts(server: &Server, db: &str, load: Load) -> Self {
        let stop = CancellationToken::new();
        let mut writers = JoinSet::new();
        for number in 0..load.writers {
            let (server, db, stop) = (server.clone(), db.to_owned(), stop.clone());
            writers.spawn(async move {
                let mut random = Random::new(load.seed).fork(number + 1);
                while !stop.is_cancelled() {
                    let Some(sql) = Sql::open_within(&server, &db, SERVER_PATIENCE).await else {
                        panic!("the server {} doesn't come back", server.name)
                    };
                    let random = Random::new(random.next_u64());
                    let writer = Writer {
                        sql,
                        random,
                        counts: BTreeMap::new(),
                        large_rows: 0,
                        done: 0,
                        whole_seconds: false,
                    };
                    // Whatever it was, the session is of no use any more; what it had committed is compared in the end.
                    let ended = tokio::spawn(writer.run(load.rate, stop.clone())).await;
                    if let Ok(counts) = ended {
                        return counts;
                    }
                }
                BTreeMap::new()
            });
        }
        Self { stop, writers }
    }

    /// Ends them; how many transactions of each kind were committed. Fails the test where one has failed.
    pub async fn stop(mut self) -> BTreeMap<&'static str, u64> {
        self.stop.cancel();
        let mut total = BTreeMap::new();
        while let Some(counts) = self.writers.join_next().await {
            for (kind, count) in counts.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
            {
                *total.entry(kind).or_default() += count;
            }
        }
        println!("transactions: {total:?}");
        total
    }
}

struct Writer {
    sql: Sql,
    random: Random,
    counts: BTreeMap<&'static str, u64>,
    large_rows: u64,
    done: u64,
    whole_seconds: bool,
}

/// The server's answers to writers that meet: duplicate key, lock wait, deadlock, changed since last read (MariaDB).
const MEETINGS: [u16; 4] = [1062, 1205, 1213, 1020];

impl Writer {
    async fn run(mut self, rate: u64, stop: CancellationToken) -> BTreeMap<&'static str, u64> {
        let mut ticks = interval(Duration::from_secs(1) / rate.clamp(1, 10_000) as u32);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        self.whole_seconds = has_whole_seconds(&mut self.sql).await;
        if self.large_rows > 0 {
            allow_recursion(&mut self.sql).await;
        }
        while !stop.is_cancelled() {
            ticks.tick().await;
            let (kind, statements) = self.decide().await;
            if self.transaction(&statements).await {
                *self.counts.entry(kind).or_default() += 1;
            }
            self.done += 1;
        }
        self.counts
    }

    /// True if it was committed. A writer that loses against another gives up its transaction.
    async fn transaction(&mut self, statements: &[String]) -> bool {
        self.sql.run("BEGIN").await;
        for statement in statements {
            match self.sql.try_run(&in_its_words(statement, self.whole_seconds)).await {
                Ok(_) => {}
                Err(whimbrel_connector_mysql::wire::WireError::Server { code, .. })
                    if MEETINGS.contains(&code) =>
                {
                    self.sql.run("ROLLBACK").await;
                    return false;
                }
                Err(error) => panic!("a live writer's statement failed: {statement}: {error}"),
            }
        }
        let keep = !statements.iter().any(|statement| statement == "ROLLBACK");
        if keep {
            self.sql.run("COMMIT").await;
        }
        keep
    }

    async fn decide(&mut self) -> (&'static str, Vec<String>) {
        if self.large_rows > 0 && self.done % 400 == 40 && self.done < LAST_LARGE {
            return ("large", self.large());
        }
        match self.random.below(100) {
            0..25 => ("insert", self.insert()),
            25..45 => ("update", self.update()),
            45..55 => ("delete", self.delete()),
            55..62 => ("key change", self.change_key().await),
            62..72 => ("swap", self.swap().await),
            72..80 => ("several tables", self.several_tables()),
            80..88 => ("savepoint", self.savepoint()),
            88..94 => ("tags", self.tags()),
            94..97 => ("hand over", self.hand_over().await),
            _ => ("rollback", [self.insert(), vec!["ROLLBACK".into()]].concat()),
        }
    }

    /// An account that is likely there.
    fn some_account(&mut self) -> String {
        let from = self.random.below(30_000);
        format!("id >= {from} AND id < {LARGE} ORDER BY id LIMIT 1")
    }

    fn insert(&mut self) -> Vec<String> {
        let (slot, word) = (self.random.between(100_000, 90_000_000), self.random.word(12));
        let balance = self.random.between(-1_000_000, 1_000_000);
        vec![
            format!(
                "INSERT INTO account (slot, email, balance, note, raw_bytes, touched, rating) VALUES ({slot}, \
                 '{word}@example.net', {balance} / 100, 'it''s \\\\ {word} \u{1f426}', x'00ff{slot:08x}', NOW(6), {balance} / 3)"
            ),
            format!("INSERT INTO audit VALUES (NOW(3), {}, 'insert')", slot % 7),
        ]
    }

    fn update(&mut self) -> Vec<String> {
        let (account, delta) = (self.some_account(), self.random.between(-500, 500));
        let note =
            if delta % 5 == 0 { "NULL".to_owned() } else { format!("REPEAT('n', {})", delta.unsigned_abs()) };
        vec![format!(
            "UPDATE account SET balance = balance + {delta}, note = {note}, touched = NOW(6) WHERE {account}"
        )]
    }

    fn delete(&mut self) -> Vec<String> {
        let account = self.some_account();
        let actor = self.random.below(7);
        vec![
            format!("DELETE FROM account WHERE {account}"),
            format!("DELETE FROM audit WHERE actor = {actor} LIMIT 2"),
            format!("UPDATE audit SET what = 'seen' WHERE actor = {actor} AND what = 'event 3' LIMIT 1"),
        ]
    }

    async fn change_key(&mut self) -> Vec<String> {
        let account = self.some_account();
        let Some(id) = self.sql.maybe::<i64>(&format!("SELECT id FROM account WHERE {account}")).await else {
            return self.insert();
        };
        let new = self.random.between(1, 40_000);
        vec![
            format!("UPDATE account SET id = {new} WHERE id = {id}"),
            format!("UPDATE entry SET account_id = {new}, seq = seq + 10 WHERE account_id = {id}"),
        ]
    }

    /// Two accounts change places on a unique key: over NULL on one, over a third value on the other.
    async fn swap(&mut self) -> Vec<String> {
        let from = self.random.below(30_000);
        let query = format!(
            "SELECT id, slot, email FROM account WHERE id >= {from} AND id < {LARGE} AND slot IS NOT NULL ORDER BY id \
             LIMIT 2"
        );
        let pairs = self.sql.rows(&query).await;
        let [a, b] = pairs.as_slice() else { return self.insert() };
        let cell = |row: &[Option<String>], at: usize| row[at].clone().unwrap_or_default();
        let (a_id, a_slot, a_email) = (cell(a, 0), cell(a, 1), cell(a, 2));
        let (b_id, b_slot, b_email) = (cell(b, 0), cell(b, 1), cell(b, 2));
        if self.random.below(2) == 0 {
            return vec![
                format!("UPDATE account SET slot = NULL WHERE id = {a_id}"),
                format!("UPDATE account SET slot = {a_slot} WHERE id = {b_id}"),
                format!("UPDATE account SET slot = {b_slot} WHERE id = {a_id}"),
            ];
        }
        vec![
            format!("UPDATE account SET email = CONCAT('swap', CONNECTION_ID()) WHERE id = {a_id}"),
            format!("UPDATE account SET email = '{a_email}' WHERE id = {b_id}"),
            format!("UPDATE account SET email = '{b_email}' WHERE id = {a_id}"),
        ]
    }

    fn several_tables(&mut self) -> Vec<String> {
        let (account, seq) = (self.random.below(30_000), self.random.below(50));
        let amount = self.random.between(-9_999, 9_999);
        vec![
            format!(
                "INSERT INTO entry VALUES ({account}, {seq}, {amount} / 100, 'fee') ON DUPLICATE KEY UPDATE amount = amount + 1"
            ),
            format!("UPDATE account SET balance = balance - {amount} / 100 WHERE id = {account}"),
            format!("REPLACE INTO entry VALUES ({account}, {seq} + 100, {amount}, 'in')"),
            format!(
                "INSERT INTO audit VALUES ('2021-01-01', {}, 'moved'), ('2021-01-01', {}, 'moved')",
                account % 7,
                account % 7
            ),
        ]
    }

    /// What is rolled back to the savepoint must leave no trace, what is around it must stay.
    fn savepoint(&mut self) -> Vec<String> {
        let mut statements = self.insert();
        statements.push("SAVEPOINT a".into());
        statements.extend(self.update());
        statements.push("SAVEPOINT b".into());
        statements.extend(self.delete());
        statements.push(if self.random.below(2) == 0 { "ROLLBACK TO a" } else { "ROLLBACK TO b" }.into());
        statements.extend(self.several_tables());
        statements
    }

    fn tags(&mut self) -> Vec<String> {
        let (word, number) = (self.random.word(3), self.random.below(2000));
        vec![
            format!(
                "INSERT INTO tag VALUES ('{word}', 1, 'a,c') ON DUPLICATE KEY UPDATE uses = uses + 1, flags = 'b'"
            ),
            format!("UPDATE tag SET name = CONCAT(UPPER(name), ' ') WHERE name = 'tag{number}'"),
            format!("DELETE FROM tag WHERE name = 'tag{}'", number + 1),
        ]
    }

    /// A row dies and a new one takes over its unique values, in one transaction.
    async fn hand_over(&mut self) -> Vec<String> {
        let account = self.some_account();
        let found = self.sql.rows(&format!("SELECT id, email FROM account WHERE {account}")).await;
        let Some([Some(id), Some(email)]) = found.first().map(Vec::as_slice) else { return self.insert() };
        let new_id = self.random.between(40_001, 60_000);
        // One that was handed over before gets no longer by it.
        let origin = email.rsplit(' ').next().unwrap_or_default();
        vec![
            format!("DELETE FROM account WHERE id = {id}"),
            format!("INSERT INTO account (id, email, balance) VALUES ({new_id}, '{email}', 0)"),
            format!("INSERT INTO account (id, email, balance) VALUES ({id}, 'again{new_id} {origin}', 1)"),
        ]
    }

    fn large(&mut self) -> Vec<String> {
        let rows = self.large_rows;
        let base = LARGE + self.done as i64 * 1_000_000;
        let numbers = numbers(rows);
        vec![
            format!("INSERT INTO entry {numbers} SELECT {base} + i, 0, i / 100, 'in' FROM n"),
            format!(
                "UPDATE entry SET amount = amount + 1, kind = 'out' WHERE account_id BETWEEN {base} AND {base} + {}",
                rows / 2
            ),
            format!(
                "DELETE FROM entry WHERE account_id BETWEEN {base} + {} AND {base} + {}",
                rows / 4,
                rows / 3
            ),
        ]
    }
}
