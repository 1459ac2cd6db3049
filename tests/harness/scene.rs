//! The databases of one test: unique names, dropped at the end, also when the test fails.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::compare;
use super::servers::Server;
use super::sql::Sql;
use super::whimbrel::{Running, Task};

/// Longest that dropping a test's databases may take.
const CLEANING: Duration = Duration::from_secs(60);

/// A source database and where it goes.
#[derive(Debug)]
pub struct Scene {
    pub source: Server,
    pub target: Server,
    /// Name of the source's database.
    pub db: String,
    /// Name of the target's database; another one where both are on one server.
    pub target_db: String,
    folder: TempDir,
}

impl Scene {
    /// Makes the source's database; the target's is left to Whimbrel. `test` is a short unique name.
    pub async fn new(test: &str, source: Server, target: Server) -> Self {
        let db = format!("e2e_{test}_{}", std::process::id());
        let target_db = if source.port() == target.port() { format!("{db}_copy") } else { db.clone() };
        let folder = TempDir::new().expect("a temporary folder");
        let scene = Self { source, target, db, target_db, folder };
        scene.drop_databases().await;
        let mut sql = Sql::open(&scene.source, "").await;
        sql.run(&format!("CREATE DATABASE `{}` CHARACTER SET utf8mb4", scene.db)).await;
        scene
    }

    /// MySQL to OceanBase.
    pub async fn mysql(test: &str) -> Self {
        Self::new(test, Server::mysql(), Server::oceanbase()).await
    }

    /// MariaDB to OceanBase.
    pub async fn mariadb(test: &str) -> Self {
        Self::new(test, Server::mariadb(), Server::oceanbase()).await
    }

    pub async fn source(&self) -> Sql {
        Sql::open(&self.source, &self.db).await
    }

    pub async fn target(&self) -> Sql {
        Sql::open(&self.target, &self.target_db).await
    }

    /// The target's database, for tests that fill it before Whimbrel does.
    pub async fn make_target(&self) -> Sql {
        let mut sql = Sql::open(&self.target, "").await;
        sql.run(&format!("CREATE DATABASE IF NOT EXISTS `{}` CHARACTER SET utf8mb4", self.target_db)).await;
        sql.run(&format!("USE `{}`", self.target_db)).await;
        sql
    }

    /// `whimbrel COMMAND` for all tables of the database.
    pub fn task(&self, command: &str) -> Task {
        let task = Task::new(command, &self.source.url(), &self.target.target_url())
            .include(&format!("{}.*", self.db));
        if self.db == self.target_db {
            return task;
        }
        task.arg("--map", &format!("{}.*={}.*", self.db, self.target_db))
    }

    pub fn migrate(&self) -> Task {
        self.task("migrate")
    }

    /// By the tests' own comparison: all tables of the source database are at the target with the same rows.
    pub async fn assert_equal(&self) {
        compare::assert_databases_equal(&mut self.source().await, &mut self.target().await).await;
    }

    /// Only these tables.
    pub async fn assert_tables_equal(&self, tables: &[&str]) {
        let (mut source, mut target) = (self.source().await, self.target().await);
        for table in tables {
            compare::assert_tables_equal(&mut source, table, &mut target, table).await;
        }
    }

    /// A folder for files of the test.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where a verification shall put its differences.
    pub fn corrections(&self) -> PathBuf {
        self.folder.path().join("corrections")
    }

    /// `whimbrel verify` with its corrections in [`Scene::corrections`].
    pub fn verify(&self) -> Task {
        self.task("verify").arg("--corrections", &self.corrections().display().to_string())
    }

    /// The table that [`Scene::drain`] uses. To be made before the migration starts.
    pub async fn make_marker(&self) {
        self.source()
            .await
            .run("CREATE TABLE marker (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, what TEXT)")
            .await;
    }

    /// Waits until the target holds everything that is committed at the source now.
    pub async fn drain(&self, running: &mut Running) {
        let mut source = self.source().await;
        let id = source.run("INSERT INTO marker (what) VALUES ('drained')").await.last_insert_id;
        let target = tokio::sync::Mutex::new(self.target().await);
        let query = format!("SELECT COUNT(*) FROM marker WHERE id = {id}");
        running
            .wait_for("the target to hold the marker row", async || {
                target.lock().await.value::<u64>(&query).await == 1
            })
            .await;
    }

    async fn drop_databases(&self) {
        let mut sql = Sql::open(&self.source, "").await;
        sql.run(&format!("DROP DATABASE IF EXISTS `{}`", self.db)).await;
        let mut sql = Sql::open(&self.target, "").await;
        sql.run(&format!("DROP DATABASE IF EXISTS `{}`", self.target_db)).await;
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::env::var_os("WHIMBREL_E2E_KEEP").is_some() {
            println!(
                "kept: database {} at {} and {} at {}",
                self.db, self.source.name, self.target_db, self.target.name
            );
            return;
        }
        // A drop can't wait inside the test's runtime, so another thread with a runtime of its own does.
        std::thread::scope(|scope| {
            let cleaning = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                // A server that hangs must not hold the other tests.
                let dropped = async { tokio::time::timeout(CLEANING, self.drop_databases()).await };
                assert!(runtime.expect("a runtime").block_on(dropped).is_ok(), "no end within {CLEANING:?}");
            });
            if cleaning.join().is_err() {
                println!("the databases {} and {} could not be dropped", self.db, self.target_db);
            }
        });
    }
}
