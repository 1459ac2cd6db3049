//! Everything that can be wrong before or while a task runs: code, object, cause, what to do, exit code, in ten
//! seconds, and never a password.

use std::path::PathBuf;

use crate::harness::proxy::{Proxy, Stranger};
use crate::harness::servers::free_port;
use crate::harness::{Outcome, Scene, Server, Sql, Task};

/// Not a word that could be in an output by chance.
const PASSWORD: &str = "Zq7-not-to-be-seen";

/// How a case must end.
struct Wanted<'a> {
    code: i32,
    /// Stable codes of which one must be shown.
    errors: &'a [&'a str],
    /// What the output must name.
    says: &'a [&'a str],
}

fn assert_refused(case: &str, outcome: &Outcome, wanted: &Wanted<'_>) {
    assert_eq!(outcome.code, Some(wanted.code), "{case}: {}", outcome.text());
    assert!(outcome.seconds < 10.0, "{case} took {:.1} s: {}", outcome.seconds, outcome.text());
    for part in ["cause: ", "to do: "] {
        assert!(outcome.stderr.contains(part), "{case}: no {part:?}: {}", outcome.text());
    }
    assert!(
        wanted.errors.iter().any(|code| outcome.stderr.contains(code)),
        "{case}: none of {:?}: {}",
        wanted.errors,
        outcome.text()
    );
    for text in wanted.says {
        assert!(outcome.stderr.contains(text), "{case}: the output lacks {text:?}: {}", outcome.text());
    }
    assert!(!outcome.all_output().contains(PASSWORD), "{case}: the password is shown");
}

/// A source with one table.
async fn one_table(test: &str, source: Server) -> Scene {
    let scene = Scene::new(test, source, Server::oceanbase()).await;
    let mut sql = scene.source().await;
    sql.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, x INT)").await;
    sql.run("INSERT INTO t VALUES (1, 1)").await;
    scene
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_cannot_be_used() {
    let scene = one_table("bad_servers", Server::mysql()).await;
    let (source, target) = (scene.source.url(), scene.target.target_url());
    let pattern = format!("{}.*", scene.db);
    let login = format!("whimbrel:{PASSWORD}");
    let closed = format!("mysql://{login}@127.0.0.1:{}/", free_port());
    let http = Stranger::greeting(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
    let ssh = Stranger::greeting(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n").await;
    let silent = Stranger::greeting(b"").await;
    let at = |port: u16| format!("mysql://{login}@127.0.0.1:{port}/?connect-timeout=4");
    let named_port = |port: u16| format!("127.0.0.1:{port}");
    let wrong = scene.source.url_of("whimbrel", PASSWORD);
    let wrong_target = scene.target.url_of("whimbrel", PASSWORD);
    let login_error = Wanted { code: 4, errors: &["WB-1004"], says: &["whimbrel@127.0.0.1", "password"] };
    let cases = [
        ("wrong password at the source", wrong.as_str(), target.as_str(), login_error),
        (
            "wrong password at the target",
            &source,
            &wrong_target,
            Wanted { code: 4, errors: &["WB-1004"], says: &["whimbrel@127.0.0.1", "password"] },
        ),
        (
            "nobody listens",
            &closed,
            &target,
            Wanted { code: 4, errors: &["WB-1001"], says: &["127.0.0.1", "port"] },
        ),
        (
            "an unknown host",
            &format!("mysql://{login}@no-such-host.invalid:3306/"),
            &target,
            Wanted { code: 4, errors: &["WB-1001"], says: &["no-such-host.invalid"] },
        ),
        (
            "an unreachable host",
            &format!("mysql://{login}@192.0.2.1:3306/?connect-timeout=3"),
            &target,
            Wanted { code: 4, errors: &["WB-1001", "WB-1009"], says: &["192.0.2.1"] },
        ),
        (
            "a web server",
            &at(http.port),
            &target,
            Wanted { code: 4, errors: &["WB-1002"], says: &[&named_port(http.port)] },
        ),
        (
            "a login server",
            &source,
            &at(ssh.port),
            Wanted { code: 4, errors: &["WB-1002"], says: &["SSH-2.0"] },
        ),
        (
            "a server that says nothing",
            &at(silent.port),
            &target,
            Wanted { code: 4, errors: &["WB-1001", "WB-1002", "WB-1009"], says: &[&named_port(silent.port)] },
        ),
    ];
    for (case, source, target, wanted) in cases {
        for command in ["migrate", "check", "verify"] {
            let outcome = Task::new(command, source, target).include(&pattern).run().await;
            assert_refused(&format!("{case} ({command})"), &outcome, &wanted);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_that_cannot_be_understood() {
    let scene = one_table("bad_flags", Server::mysql()).await;
    let (source, target) = (scene.source.url(), scene.target.target_url());
    let pattern = format!("{}.*", scene.db);
    let pattern = pattern.as_str();
    let broken_url = format!("mysql://whimbrel:{PASSWORD}@127.0.0.1:port/");
    let no_scheme = format!("whimbrel:{PASSWORD}@127.0.0.1:3306");
    let usage = |says| Wanted { code: 2, errors: &["WB-4001"], says };
    let migrate = |source: &str, target: &str| Task::new("migrate", source, target);
    let good = || migrate(&source, &target).include(pattern);
    let cases = [
        ("a broken URL", migrate(&broken_url, &target).include(pattern), usage(&["--source"])),
        ("no URL at all", migrate(&source, &no_scheme).include(pattern), usage(&["--target"])),
        ("a pattern without dot", migrate(&source, &target).include("nodot"), usage(&["nodot"])),
        ("an open bracket", migrate(&source, &target).include("a.[b"), usage(&["a.[b"])),
        ("a map without equals", good().arg("--map", "a.b"), usage(&["a.b"])),
        ("a step twice", good().arg("--steps", "full,full"), usage(&["--steps"])),
        ("follow without incr", good().arg("--steps", "schema,full").flag("--follow"), usage(&["--follow"])),
        ("a name with a slash", good().arg("--name", "a/b"), usage(&["a/b"])),
        (
            "an address in use",
            good().arg("--listen", &format!("127.0.0.1:{}", scene.source.port())),
            usage(&["--listen"]),
        ),
    ];
    for (case, task, wanted) in cases {
        assert_refused(case, &task.run().await, &wanted);
    }
    // What the parser of the command line itself refuses.
    for task in [
        good().arg("--apply", "sometimes"),
        good().flag("--no-such-flag"),
        migrate(&source, &target),
        Task::bare(&["fly"]),
    ] {
        let outcome = task.run().await.expect(2);
        assert!(
            outcome.stderr.contains("error: ") && outcome.stderr.contains("--help"),
            "{}",
            outcome.text()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_and_tables_that_do_not_fit() {
    let scene = one_table("bad_tables", Server::mysql()).await;
    let (source, target) = (scene.source.url(), scene.target.target_url());
    let pattern = format!("{}.*", scene.db);
    let migrate = |pattern: &str| Task::new("migrate", &source, &target).include(pattern);
    let same = Task::new("migrate", &source, &scene.source.root_url()).include(&pattern);
    let mut filled = scene.make_target().await;
    filled.run("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, x INT)").await;
    filled.run("INSERT INTO t VALUES (5, 5)").await;
    let table = format!("{}.t", scene.db);
    let cases = [
        (
            "an unknown database",
            migrate("no_such_database.*"),
            Wanted { code: 4, errors: &["WB-1006", "WB-1007"], says: &["no_such_database"] },
        ),
        (
            "a pattern that matches nothing",
            migrate(&format!("{}.nothing_*", scene.db)),
            Wanted { code: 4, errors: &["WB-1007"], says: &["nothing_*", "--include"] },
        ),
        (
            "everything excluded",
            migrate(&pattern).arg("--exclude", &pattern),
            Wanted { code: 4, errors: &["WB-1007"], says: &["--exclude"] },
        ),
        ("the same tables", same, Wanted { code: 4, errors: &["WB-4001"], says: &["same", "--map"] }),
        (
            "a target that is not empty",
            migrate(&pattern),
            Wanted { code: 4, errors: &["WB-4001"], says: &[&table, "--existing"] },
        ),
        (
            "verify without target tables",
            Task::new("verify", &source, &target)
                .include(&pattern)
                .arg("--map", &format!("{pattern}=no_such_{pattern}")),
            Wanted { code: 4, errors: &["WB-1007", "WB-1006"], says: &["no_such_"] },
        ),
    ];
    for (case, task, wanted) in cases {
        assert_refused(case, &task.run().await, &wanted);
    }
    assert_eq!(filled.count("t").await, 1);
}

/// Users that lack one privilege each; the statement that grants it is shown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn privileges_that_are_missing() {
    for server in [Server::mysql(), Server::mariadb()] {
        let scene = one_table(&format!("bad_grants_{}", &server.name[..3]), server.clone()).await;
        let client = if server.is_mysql() { "REPLICATION CLIENT" } else { "BINLOG MONITOR" };
        let mut root = Sql::open(&server, "").await;
        let cases: [(&str, Vec<&str>, &str); 3] = [
            ("no_select", vec!["REPLICATION SLAVE", client], "GRANT SELECT"),
            ("no_slave", vec!["SELECT", client], "REPLICATION SLAVE"),
            ("no_client", vec!["SELECT", "REPLICATION SLAVE"], "GRANT "),
        ];
        for (name, privileges, grant) in cases {
            let user = format!("{name}_{}", std::process::id());
            root.run(&format!("CREATE USER '{user}'@'%' IDENTIFIED BY '{PASSWORD}'")).await;
            root.run(&format!("GRANT {} ON *.* TO '{user}'@'%'", privileges.join(", "))).await;
            let task = Task::new("migrate", &server.url_of(&user, PASSWORD), &scene.target.target_url());
            let outcome = task.include(&format!("{}.*", scene.db)).run().await;
            // A table that may not be selected may be invisible altogether.
            let errors: &[&str] = if name == "no_select" { &["WB-1005", "WB-1007"] } else { &["WB-1005"] };
            assert_refused(
                &format!("{} {name}", server.name),
                &outcome,
                &Wanted { code: 4, errors, says: &[grant, &user] },
            );
            root.run(&format!("DROP USER '{user}'@'%'")).await;
        }
    }
}

/// Settings of a source that make its log unusable, and a target that may not be written; on servers of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_cannot_work() {
    for name in ["mariadb1011", "mysql97"] {
        let server = Server::own(name, "");
        let scene = one_table(&format!("bad_set_{}", &name[..3]), server.clone()).await;
        let migrate = || scene.migrate();
        let mut root = Sql::open(&server, "").await;
        for (variable, value, back) in [
            ("binlog_format", "MIXED", "ROW"),
            ("binlog_format", "STATEMENT", "ROW"),
            ("binlog_row_image", "MINIMAL", "FULL"),
        ] {
            root.run(&format!("SET GLOBAL {variable} = '{value}'")).await;
            let wanted = Wanted { code: 4, errors: &["WB-2002"], says: &[variable, value, back] };
            assert_refused(&format!("{name} {variable} {value}"), &migrate().run().await, &wanted);
            root.run(&format!("SET GLOBAL {variable} = '{back}'")).await;
        }
        a_purged_position(&server, &scene).await;
        a_read_only_target(&server, &mut root).await;
        drop(root);
        server.restart("--skip-log-bin");
        let wanted = Wanted { code: 4, errors: &["WB-2002"], says: &["log_bin"] };
        assert_refused(&format!("{name} without binlog"), &migrate().run().await, &wanted);
    }
}

/// The log at the task's position is gone when it is run again.
async fn a_purged_position(server: &Server, scene: &Scene) {
    let task = scene.migrate();
    task.run().await.expect(0);
    let mut root = Sql::open(server, &scene.db).await;
    for number in 0..3 {
        root.run(&format!("INSERT INTO t VALUES ({}, 0)", 10 + number)).await;
        root.run("FLUSH BINARY LOGS").await;
    }
    let show = if server.is_mysql() { "SHOW BINARY LOG STATUS" } else { "SHOW MASTER STATUS" };
    let last = root.column(show).await.remove(0);
    // A reader that the server still holds for alive keeps its file from being purged.
    root.end_dumps().await;
    while root.column("SHOW BINARY LOGS").await.len() > 1 {
        root.run(&format!("PURGE BINARY LOGS TO '{last}'")).await;
    }
    let outcome = task.run().await;
    let wanted = Wanted { code: outcome.code.unwrap_or(-1), errors: &["WB-2001"], says: &["binlog."] };
    assert!(matches!(outcome.code, Some(1 | 4)), "{}", outcome.text());
    assert_refused("a purged position", &outcome, &wanted);
}

async fn a_read_only_target(server: &Server, root: &mut Sql) {
    let source = Server::mysql();
    let scene = one_table(&format!("bad_ro_{}", &server.name[..3]), source).await;
    root.run(&format!("CREATE USER writer IDENTIFIED BY '{PASSWORD}'")).await;
    let most = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES, LOCK TABLES";
    root.run(&format!("GRANT {most} ON *.* TO writer")).await;
    root.run("SET GLOBAL read_only = ON").await;
    let before = root.column("SHOW DATABASES").await;
    let task = Task::new("migrate", &scene.source.url(), &server.url_of("writer", PASSWORD))
        .include(&format!("{}.*", scene.db));
    let wanted = Wanted { code: 4, errors: &["WB-3005"], says: &["read_only"] };
    assert_refused("a read-only target", &task.run().await, &wanted);
    assert_eq!(root.column("SHOW DATABASES").await, before, "databases of a target that can't be written");
    // An administrator writes to it all the same, and is warned.
    let task =
        Task::new("migrate", &scene.source.url(), &server.root_url()).include(&format!("{}.*", scene.db));
    let outcome = task.run().await.expect(0);
    assert!(outcome.text().contains("read_only"), "{}", outcome.text());
    root.run("SET GLOBAL read_only = OFF").await;
}

/// `--home` that can't be made, that is full, or whose Store is damaged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn homes_that_cannot_be_used() {
    let scene = one_table("bad_home", Server::mysql()).await;
    let file = scene.folder().join("a-file");
    std::fs::write(&file, "").expect("a file");
    // Not even root may make folders in these.
    for home in [PathBuf::from("/proc/whimbrel"), PathBuf::from("/sys/whimbrel"), file.join("home")] {
        let outcome = scene.migrate().at_home(Some(home.clone())).run().await;
        let wanted = Wanted { code: 1, errors: &["WB-4002"], says: &[&home.display().to_string()] };
        assert_refused("a home that cannot be made", &outcome, &wanted);
    }
    let missing = Task::bare(&["store", "verify"]).run().await;
    assert_refused(
        "no Store",
        &missing,
        &Wanted { code: 1, errors: &["WB-4002", "WB-4003", "WB-4001"], says: &["store"] },
    );
}

/// Bytes of a segment are changed: the task says which file, and doesn't go on with what it can't trust.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_segment_is_named() {
    let scene = one_table("damaged", Server::mysql()).await;
    scene.make_marker().await;
    let task = scene.migrate().flag("--follow");
    let mut running = task.start();
    running.wait_phase("incremental").await;
    let mut sql = scene.source().await;
    for round in 0..20 {
        sql.run(&format!("UPDATE t SET x = {round}")).await;
    }
    scene.drain(&mut running).await;
    running.stop().await.expect(0);
    let segments = files_below(&task.home().join("default/store"));
    let largest = segments.iter().max_by_key(|path| std::fs::metadata(path).map_or(0, |data| data.len()));
    let largest = largest.expect("the Store has a segment").clone();
    let mut bytes = std::fs::read(&largest).expect("a segment can be read");
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 16] {
        *byte ^= 0x5a;
    }
    std::fs::write(&largest, bytes).expect("a segment can be written");
    let name = largest.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let outcome = Task::bare(&["store", "verify"]).at_home(Some(task.home().to_owned())).run().await;
    assert_refused("store verify", &outcome, &Wanted { code: 1, errors: &["WB-4003"], says: &[&name] });
    let outcome = Task::bare(&["store", "dump"]).at_home(Some(task.home().to_owned())).run().await;
    assert_eq!(outcome.code, Some(1), "{}", outcome.text());
    let outcome = task.run().await;
    assert_refused("migrate", &outcome, &Wanted { code: 1, errors: &["WB-4003"], says: &[&name] });
}

fn files_below(dir: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The connection is cut in the middle of a packet, at many places.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_within_a_packet() {
    let scene = one_table("cut_packet", Server::mysql()).await;
    let proxy = Proxy::to(scene.source.port()).await;
    let url = format!("mysql://whimbrel:whimbrel@127.0.0.1:{}/?tls=off", proxy.port);
    for bytes in [1, 3, 20, 100, 200, 900] {
        proxy.cut_after(bytes);
        let task = Task::new("migrate", &url, &scene.target.target_url()).include(&format!("{}.*", scene.db));
        let outcome = task.run().await;
        let named = format!("127.0.0.1:{}", proxy.port);
        let wanted = Wanted { code: 4, errors: &["WB-1001", "WB-1002", "WB-1008"], says: &[&named] };
        assert_refused(&format!("cut after {bytes} bytes"), &outcome, &wanted);
    }
    proxy.heal();
    let task = Task::new("migrate", &url, &scene.target.target_url()).include(&format!("{}.*", scene.db));
    task.run().await.expect(0);
}

/// Some containers permit no namespaces of their own, and so no file system of the test's own size.
async fn has_namespaces() -> bool {
    let tried = tokio::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"])
        .output()
        .await;
    tried.is_ok_and(|output| output.status.success())
}

/// A disk that is full pauses the Store, which says so and goes on by itself when there is room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_pauses_the_store() {
    if !has_namespaces().await {
        println!("not tested: this machine permits no mount namespace");
        return;
    }
    let scene = Scene::mysql("disk_full").await;
    let mut sql = scene.source().await;
    sql.run("CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, body VARBINARY(60000))").await;
    scene.make_marker().await;
    let disk = scene.folder().join("disk");
    std::fs::create_dir(&disk).expect("a folder");
    // A file system that only this process and its child see; no root needed.
    let script = r#"mount -t tmpfs -o size=330m none "$0" && exec "$@""#;
    let wrapper =
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, &disk.display().to_string()]
            .map(str::to_owned);
    let words: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    let task = scene.migrate().flag("--follow").at_home(Some(disk.join("home"))).wrapped(&words);
    let mut running = task.start();
    running.wait_phase("incremental").await;
    let inside = format!("/proc/{}/root{}", running.pid(), disk.display());
    let ballast = PathBuf::from(&inside).join("ballast");
    // The Store keeps 256 MB free.
    std::fs::write(&ballast, vec![7; 70 << 20]).expect("room for the ballast");
    for _ in 0..40 {
        sql.run(
            "INSERT INTO t (body) SELECT RANDOM_BYTES(1000) FROM information_schema.collations LIMIT 200",
        )
        .await;
    }
    let status = running
        .wait_until("the Store to pause", |status| {
            status["store_state"].as_str().is_some_and(|state| state != "running")
        })
        .await;
    assert!(status["store_state"].to_string().to_lowercase().contains("disk full"), "{status}");
    std::fs::remove_file(&ballast).expect("the ballast is there");
    scene.drain(&mut running).await;
    running
        .wait_until("the Store to go on", |status| {
            status["store_state"].as_str().is_none_or(|state| state == "running")
        })
        .await;
    running.stop().await.expect(0);
    scene.assert_equal().await;
}
