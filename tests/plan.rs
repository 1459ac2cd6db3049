//! `whimbrel plan` in its three forms.

use serde_json::Value as Json;

use crate::harness::{Scene, Server, Sql};

const TABLES: [&str; 3] = [
    "CREATE TABLE parent (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(30) CHARACTER SET latin1 NOT NULL, \
     j JSON, g POINT NOT NULL SRID 4326, made DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3), UNIQUE KEY by_name (name), KEY by_made (made DESC))",
    "CREATE TABLE child (id INT PRIMARY KEY, parent INT, note TEXT, CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES parent (id))",
    "CREATE TABLE plain (id BIGINT PRIMARY KEY, n INT)",
];

async fn scene(test: &str, target: Server) -> Scene {
    let scene = Scene::new(test, Server::mysql(), target).await;
    let mut sql = scene.source().await;
    for table in TABLES {
        sql.run(table).await;
    }
    scene
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_as_json_names_every_column_with_its_rules() {
    let scene = scene("plan_json", Server::oceanbase()).await;
    let convert = format!("{}.plain.n=BIGINT", scene.db);
    let outcome = scene.task("plan").arg("--convert", &convert).arg("--format", "json").run().await.expect(0);
    let plan: Json = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(plan["version"], 1);
    assert_eq!(plan["source"]["flavor"], "mysql");
    assert_eq!(plan["target"]["flavor"], "oceanbase");
    let tables = plan["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 3);
    let table = |name: &str| {
        let full = format!("{}.{name}", scene.db);
        tables.iter().find(|table| table["source"] == full.as_str()).unwrap()
    };
    let column = |table: &Json, name: &str| {
        let columns = table["columns"].as_array().unwrap();
        columns.iter().find(|column| column["name"] == name).unwrap().clone()
    };
    let parent = table("parent");
    let name = column(parent, "name");
    assert!(name["source_type"].as_str().unwrap().contains("latin1"), "{name}");
    assert!(name["target_type"].as_str().unwrap().contains("utf8mb4_bin"), "{name}");
    assert_eq!(name["rules"], serde_json::json!(["collation-of-key"]));
    assert_eq!(column(parent, "g")["loss"], "data");
    assert_eq!(column(parent, "g")["rules"], serde_json::json!(["srid-dropped"]));
    assert_eq!(column(parent, "id")["rules"], serde_json::json!([]));
    assert!(parent["create"].as_str().unwrap().starts_with("CREATE TABLE"));
    assert_eq!(parent["indexes"].as_array().unwrap().len(), 1);
    assert!(parent["notes"].to_string().contains("key-ascending"));
    assert_eq!(table("child")["foreign_keys"].as_array().unwrap().len(), 1);
    let plain = column(table("plain"), "n");
    assert_eq!((&plain["source_type"], &plain["target_type"]), (&"int".into(), &"bigint".into()));
    assert_eq!(plain["rules"], serde_json::json!(["override"]));
}

/// The script makes the schema that a migration makes.
async fn the_script_runs(scene: Scene) {
    let script = scene.task("plan").arg("--format", "sql").run().await.expect(0).stdout;
    let mut target = Sql::open(&scene.target, "").await;
    target.run(&script).await;
    let mut target = scene.target().await;
    let definitions = async |sql: &mut Sql| {
        let mut all = Vec::new();
        for table in ["child", "parent", "plain"] {
            let rows = sql.rows(&format!("SHOW CREATE TABLE {table}")).await;
            let text = rows[0][1].clone().unwrap_or_default();
            // OceanBase lists keys in the order in which they were made.
            let mut lines: Vec<String> =
                text.lines().map(|line| line.trim_end_matches(',').to_owned()).collect();
            lines.sort();
            all.push(lines);
        }
        all
    };
    let scripted = definitions(&mut target).await;
    for table in ["child", "parent", "plain"] {
        target.run(&format!("DROP TABLE {table}")).await;
    }
    scene.migrate().run().await.expect(0);
    assert_eq!(definitions(&mut target).await, scripted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_as_script_runs_at_oceanbase() {
    the_script_runs(scene("plan_sql_ob", Server::oceanbase()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_as_script_runs_at_mariadb() {
    the_script_runs(scene("plan_sql_ma", Server::mariadb()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_as_text_says_what_is_lost_first() {
    let scene = scene("plan_text", Server::oceanbase()).await;
    let text = scene.task("plan").run().await.expect(0).stdout;
    let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part:?} in\n{text}"));
    assert!(place("DATA      ") < place("behaviour "), "{text}");
    assert!(place("what will be different") < place("CREATE TABLE"));
    assert!(
        text.contains("name: varchar(30) character set latin1") && text.contains("collation-of-key"),
        "{text}"
    );
    assert!(text.contains("chunks by PRIMARY"));
    // All but statements are comments, so that the text can be pasted into a client.
    assert!(text.lines().all(|line| line.is_empty() || line.starts_with("--") || !line.starts_with("name")));
}
