//! `--config`: a file says what flags say.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::harness::{Scene, Task};

/// The URL without its password, and the password.
fn parted(url: &str) -> (String, String) {
    let (scheme, rest) = url.split_once("://").expect("a URL has a scheme");
    let (login, place) = rest.rsplit_once('@').expect("the tests' URLs have a login");
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    (format!("{scheme}://{user}@{place}"), password.to_owned())
}

fn written(scene: &Scene, name: &str, text: &str) -> PathBuf {
    let path = scene.folder().join(name);
    std::fs::write(&path, text).expect("the test's folder can be written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("own file");
    path
}

fn with_config(command: &str, path: &std::path::Path) -> Task {
    Task::bare(&[command]).arg("--config", &path.display().to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_from_a_file_does_what_flags_do_and_flags_override_it() {
    let scene = Scene::mysql("config").await;
    let mut sql = scene.source().await;
    sql.run(
        "CREATE TABLE t (id INT PRIMARY KEY, a INT, secret INT); INSERT INTO t VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3); \
         CREATE TABLE other (id INT PRIMARY KEY)",
    )
    .await;
    let ((source, password), (target, target_password)) =
        (parted(&scene.source.url()), parted(&scene.target.target_url()));
    let secret = written(&scene, "password", &format!("{target_password}\n"));
    let db = &scene.db;
    let text = format!(
        "source:\n  url: {source}\n  password: {{env: TEST_PASSWORD}}\n\
         target:\n  url: {target}\n  password: {{file: {}}}\n\
         include: ['{db}.*']\nexclude: {db}.other\n\
         where: {{{db}.t: id > 1}}\ncolumns:\n  {db}.t: [-secret]\nrename-column: {{{db}.t.a: alpha}}\n\
         steps: [schema, full, incr, verify]\napply: convergent\nworkers: 2\nname: from_file\n",
        secret.display()
    );
    let path = written(&scene, "task.yaml", &text);
    let task = with_config("migrate", &path).env("TEST_PASSWORD", &password);
    task.run().await.expect(0);
    let mut found = scene.target().await;
    assert_eq!(found.column("SELECT CONCAT(id, '-', alpha) FROM t ORDER BY id").await, ["2-2", "3-3"]);
    assert!(task.home().join("from_file").is_dir(), "the file's name counts");
    let stored = std::fs::read_to_string(task.home().join("from_file/task.json")).expect("a task file");
    assert!(stored.contains("id > 1") && !stored.contains("TEST_PASSWORD"), "{stored}");
    // The same file resumes; another condition on the command line is another task.
    task.run().await.expect(0);
    let other = task.clone().arg("--where", &format!("{db}.t=id > 2"));
    other.run().await.expect(1).says(&["begun with another definition", "where was"]);
    // One file serves verify too, which has no steps and no name.
    with_config("verify", &path)
        .env("TEST_PASSWORD", &password)
        .arg("--corrections", &scene.corrections().display().to_string())
        .run()
        .await
        .expect(0);
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).expect("own file");
    let check = with_config("check", &path)
        .env("TEST_PASSWORD", &password)
        .arg("--name", "new")
        .arg("--existing", "ignore");
    check.run().await.expect(0).says(&["holds a password and has mode 644", "chmod 600"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mistake_of_a_file_is_named_with_its_place_and_no_secret_is_shown() {
    let scene = Scene::mysql("config_bad").await;
    let text = "source: mysql://root:geheim@127.0.0.1:1/\ntarget: {url: 'mysql://u@h:1/', password: geheim}\n\
                includes: [a.b]\nworkers: many\nfollow: perhaps\n";
    let path = written(&scene, "bad.yaml", text);
    let outcome = with_config("migrate", &path).secret("geheim").run().await.expect(2);
    outcome.says(&[
        "5 mistakes",
        "line 1, column 9: source: a password must not stand in the file",
        "line 2, column 43: target.password: a password must not stand in the file",
        "line 3, column 1: includes: unknown key; \"include\" may be meant",
        "line 4, column 10: workers:",
        "line 5, column 9: follow: it is true or false",
    ]);
    let missing = scene.folder().join("missing.yaml");
    with_config("check", &missing).run().await.expect(1).says(&["the file can't be read"]);
    let text = "source: {url: 'mysql://u@127.0.0.1:1/', password: {env: NOT_SET_ANYWHERE}}\n\
                target: mysql://u@127.0.0.1:1/\ninclude: a.*\n";
    let path = written(&scene, "env.yaml", text);
    with_config("check", &path).run().await.expect(2).says(&["NOT_SET_ANYWHERE", "is not set"]);
}
