//! Rows from MySQL and MariaDB into OceanBase: every sample arrives unchanged, and both servers compute the same
//! digest for what they can compare.

use std::sync::Arc;

use whimbrel_connector::conformance::rows::{assert_same_rows, plan, read_all, refs, sorted};
use whimbrel_connector::conformance::{
    Playground, Sample, create_sample, create_table, must, schema_of, version_of,
};
use whimbrel_connector::{Flavor, InsertMode, KeyRange, SnapshotReader};
use whimbrel_model::{TableSchema, TableVersion};

use crate::conformance::playground::{Kind, MysqlPlayground};
use crate::conformance::samples;

/// The samples that both servers have, as the source writes them, with the target's columns.
fn shared(kind: Kind) -> Vec<(Sample, String)> {
    let targets = samples::all(Kind::OceanBase);
    let mut found = Vec::new();
    for mut sample in samples::all(kind) {
        let Some(target) = targets.iter().find(|target| target.name == sample.name) else { continue };
        if sample.name == "documents" {
            // OceanBase has no spatial reference system but 0, and JSON is shown in another form than MariaDB's.
            sample.rows.retain(|row| !row.contains("4326"));
        }
        found.push((sample, target.columns.clone()));
    }
    let latin1 = Sample::new(
        "latin1_text",
        "id INT NOT NULL PRIMARY KEY, v VARCHAR(300) CHARACTER SET latin1, e ENUM('é','€') CHARACTER SET latin1",
        &["(1,'é€ß',1)", "(2,'',2)", "(3,NULL,NULL)", "(4,'plain','€')"],
    );
    let columns = "id INT NOT NULL PRIMARY KEY, v VARCHAR(300), e ENUM('é','€')".to_owned();
    found.push((latin1, columns));
    found
}

async fn copies_are_equal(server: &str, kind: Kind, flavor: Flavor, case: &str) {
    let source = MysqlPlayground::new(server, kind, case).await;
    let target = MysqlPlayground::new("seekdb", Kind::OceanBase, case).await;
    let epoch = must(target.target().take_over(case).await);
    let mut writer = must(target.target().writer(case, epoch).await);
    let mut from = must(source.source().snapshot_reader().await);
    let mut to = must(target.target().snapshot_reader().await);
    let mut compared = Vec::new();
    for (sample, columns) in shared(kind) {
        let name = create_sample(&source, sample.name, &sample).await;
        let copy = create_table(&target, sample.name, &columns).await;
        let table = version_of(&source, &name).await;
        let copied = schema_of(&target, &copy).await;
        let plan = plan(&table, copied.clone());
        let rows = read_all(&mut *from, &table, &KeyRange::default()).await;
        must(writer.insert(&plan, &refs(&rows), InsertMode::Plain).await);
        if !plan.is_keyless() && kind == Kind::Mysql {
            // MariaDB keeps JSON's text as it was written, and a column's charset may be none that OceanBase has.
            let found = must(writer.fetch(&plan, &refs(&rows)).await);
            if sample.name != "latin1_text" && sample.name != "computed" {
                assert_same_rows(&table.schema, &sorted(&found), &sorted(&rows), "copied");
            }
        }
        if digests_agree(&mut *from, &table, &mut *to, &copied, flavor).await {
            compared.push(sample.name);
        }
    }
    let mut expected = vec!["numbers", "temporal", "text", "bytes", "members", "computed", "latin1_text"];
    if kind != Kind::Mysql {
        expected.extend(["floats", "keyless"]);
    }
    for name in expected {
        assert!(compared.contains(&name), "{name} was not compared by digest: {compared:?}");
    }
}

/// False where the two can't be compared.
async fn digests_agree(
    from: &mut dyn SnapshotReader,
    table: &Arc<TableVersion>,
    to: &mut dyn SnapshotReader,
    copied: &TableSchema,
    flavor: Flavor,
) -> bool {
    let columns: Vec<String> = table
        .schema
        .columns
        .iter()
        .filter(|column| column.generated.is_none())
        .map(|column| column.name.clone())
        .collect();
    let range = KeyRange::default();
    let ours = from.digest().expect("the connector has digests");
    let both = ours.comparable(&table.schema, copied, Flavor::OceanBase);
    let digest =
        if both { Some(must(ours.range_digest(&table.schema, &columns, &range).await)) } else { None };
    let theirs = to.digest().expect("the connector has digests");
    assert_eq!(theirs.comparable(copied, &table.schema, flavor), both, "{}", copied.name);
    let Some(digest) = digest else { return false };
    assert_eq!(
        must(theirs.range_digest(copied, &columns, &range).await),
        digest,
        "digest of {}",
        copied.name
    );
    true
}

#[tokio::test]
async fn rows_of_mysql_arrive_in_oceanbase_unchanged() {
    Box::pin(copies_are_equal("mysql97", Kind::Mysql, Flavor::Mysql, "copy_mysql")).await;
}

#[tokio::test]
async fn rows_of_mariadb_arrive_in_oceanbase_unchanged() {
    Box::pin(copies_are_equal("mariadb1011", Kind::MariaDb, Flavor::MariaDb, "copy_mariadb")).await;
}

/// Every byte of latin1 is another character, so that a digest over the conversion to UTF-8 loses nothing.
#[tokio::test]
async fn latin1_converts_without_loss() {
    for (server, kind) in [("mysql97", Kind::Mysql), ("mariadb1011", Kind::MariaDb)] {
        let source = MysqlPlayground::new(server, kind, "latin1").await;
        let columns = "id INT NOT NULL PRIMARY KEY, v CHAR(1) CHARACTER SET latin1, u CHAR(1)";
        let name = create_table(&source, "t", columns).await;
        // A space would be stripped from a CHAR.
        for byte in (0..=255u8).filter(|byte| *byte != b' ') {
            let sql = format!(
                "INSERT INTO {name} VALUES ({byte}, x'{byte:02x}', CONVERT(_latin1 x'{byte:02x}' USING utf8mb4))"
            );
            source.run(&sql).await;
        }
        let table = version_of(&source, &name).await;
        let mut reader = must(source.source().snapshot_reader().await);
        let rows = read_all(&mut *reader, &table, &KeyRange::default()).await;
        let charset = table.schema.columns[1].data_type.charset();
        let mut seen = std::collections::BTreeSet::new();
        for row in rows.rows() {
            let (whimbrel_model::ValueRef::Text(own), whimbrel_model::ValueRef::Text(utf8)) =
                (row.get(1), row.get(2))
            else {
                panic!("both columns are text: {row:?}");
            };
            assert_eq!(&*charset.to_utf8(own).unwrap(), utf8, "{server}: byte {own:?}");
            assert!(seen.insert(utf8.to_vec()), "{server}: two bytes become {utf8:?}");
        }
        assert_eq!(seen.len(), 255);
    }
}
