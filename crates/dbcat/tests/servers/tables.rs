//! Tables of every type and attribute, from each family to each.

use whimbrel_connector_mysql::wire::Connection;
use whimbrel_dbcat::{ConvertedTable, Loss, convert_table};
use whimbrel_model::{Column, ColumnDefault, DataType, Key, TableName, TableSchema};

use crate::server::{empty_schema, profile, run, session, tables};

const TARGETS: [&str; 3] = ["seekdb", "mysql97", "mariadb1011"];

/// What MySQL and MariaDB both understand.
const SHARED: &str = r#"
CREATE TABLE numbers (id bigint unsigned NOT NULL AUTO_INCREMENT COMMENT 'the id''s "x" \n \\', i1 tinyint(1) DEFAULT 1, i2 smallint unsigned ZEROFILL DEFAULT 7,
 i3 mediumint NOT NULL DEFAULT -3, i4 int unsigned, i8 bigint, b1 bit(1) DEFAULT b'1', b64 bit(64) DEFAULT b'101', d decimal(65,30) DEFAULT '1.5', du decimal(5,0) unsigned,
 f float DEFAULT 1.5, fd float(7,3), db double, dbu double unsigned, PRIMARY KEY (id), UNIQUE KEY ui (i4, i8), KEY k (i3, d)) AUTO_INCREMENT=1001 COMMENT='tab''le \\';
CREATE TABLE times (d date NOT NULL DEFAULT '0000-00-00', d2 date, t time(3) DEFAULT '-838:59:59', dt datetime DEFAULT '1000-01-01 00:00:00', dt6 datetime(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
 ts timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, ts3 timestamp(3) NULL, tsd timestamp NOT NULL DEFAULT '2020-01-01 00:00:00', y year DEFAULT 2020, PRIMARY KEY (d, dt));
CREATE TABLE texts (c char(10) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL DEFAULT 'it''s \\ é', v varchar(20) NOT NULL DEFAULT '', u varchar(50) CHARACTER SET utf8 COLLATE utf8_general_ci, g varchar(9) CHARACTER SET gbk,
 q varchar(30) DEFAULT 'CURRENT_TIMESTAMP', n varchar(9) DEFAULT 'NULL', nl varchar(9) DEFAULT 'a\nb', t1 tinytext, t2 text CHARACTER SET latin1, t3 mediumtext, t4 longtext,
 e enum('a','b''c','d,e','ü','','b\\s') NOT NULL DEFAULT 'b''c', s set('x','yz','w') CHARACTER SET latin1 DEFAULT 'x,w', PRIMARY KEY (v), UNIQUE KEY uc (c, v), UNIQUE KEY up (u(5)), KEY kt (t3(20)), FULLTEXT KEY ft (t4) COMMENT 'ft''c');
CREATE TABLE bytes (b binary(3) NOT NULL DEFAULT 'ab', vb varbinary(10) DEFAULT x'00ff41', b1 tinyblob, b2 blob, b3 mediumblob, b4 longblob, PRIMARY KEY (b), KEY kb (b2(10)));
CREATE TABLE shapes (id int PRIMARY KEY, g geometry, p point NOT NULL, l linestring, pg polygon, mp multipoint, ml multilinestring, mpg multipolygon, gc geometrycollection, SPATIAL KEY sp (p));
CREATE TABLE made (id int PRIMARY KEY, a int, s varchar(20), v int GENERATED ALWAYS AS (a + 1) VIRTUAL COMMENT 'v', st varchar(40) AS (concat(s, '''x')) STORED, inv int DEFAULT 3 INVISIBLE, UNIQUE KEY uv (v), KEY kst (st),
 CONSTRAINT made_positive CHECK (a > 0), CHECK (s <> 'x''y'));
CREATE TABLE keyless (a int, b varchar(10));
CREATE TABLE auto_secondary (id int NOT NULL AUTO_INCREMENT, k varchar(9) NOT NULL, PRIMARY KEY (k), KEY (id));
CREATE TABLE parent (id int, code varchar(10) NOT NULL, PRIMARY KEY (id), UNIQUE KEY uc (code));
CREATE TABLE child (id int PRIMARY KEY, p int, code varchar(10), self int, CONSTRAINT child_p FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE SET NULL,
 CONSTRAINT child_code FOREIGN KEY (code) REFERENCES parent (code) ON DELETE RESTRICT, CONSTRAINT child_self FOREIGN KEY (self) REFERENCES child (id) ON DELETE SET NULL);
ALTER TABLE parent ADD COLUMN favourite int, ADD CONSTRAINT parent_favourite FOREIGN KEY (favourite) REFERENCES child (id);
CREATE TABLE by_range (id int NOT NULL, d date NOT NULL, PRIMARY KEY (id, d)) PARTITION BY RANGE (to_days(d)) SUBPARTITION BY HASH (id) SUBPARTITIONS 2 (PARTITION p0 VALUES LESS THAN (737425) COMMENT 'it''s', PARTITION p1 VALUES LESS THAN MAXVALUE);
CREATE TABLE by_list (a varchar(10), b int) PARTITION BY LIST COLUMNS (a) (PARTITION p0 VALUES IN ('a''b','c'), PARTITION p1 VALUES IN (NULL));
CREATE TABLE by_columns (d date NOT NULL, PRIMARY KEY (d)) PARTITION BY RANGE COLUMNS (d) (PARTITION p0 VALUES LESS THAN ('2020-01-01'), PARTITION p1 VALUES LESS THAN (MAXVALUE));
CREATE TABLE by_key (id int PRIMARY KEY) PARTITION BY LINEAR KEY ALGORITHM=1 (id) PARTITIONS 3;
CREATE TABLE by_hash (id int PRIMARY KEY) PARTITION BY LINEAR HASH (id) PARTITIONS 2;
"#;

/// MySQL 9 only.
const MYSQL: &str = r#"
CREATE TABLE expressions (id int PRIMARY KEY, s4 varchar(50) NOT NULL DEFAULT (concat('a','''b',_latin1'c')), t text DEFAULT ('abc'), j json DEFAULT (json_array()), u char(36) DEFAULT (uuid()), d date DEFAULT (curdate()),
 g int GENERATED ALWAYS AS (length(concat(s4, _latin1'é'))) VIRTUAL NOT NULL, CONSTRAINT latin CHECK (s4 <> _latin1'x'), CONSTRAINT off_ CHECK (id <> 5) NOT ENFORCED);
CREATE TABLE indexed (id int PRIMARY KEY, i int, s varchar(50), j json, KEY kf ((i * 2), (concat(s, '''\\'))), KEY mv ((CAST(j AS UNSIGNED ARRAY))), KEY kd (s DESC, i), KEY ki (i) INVISIBLE COMMENT 'c''c', UNIQUE KEY uf ((i + 1)));
CREATE TABLE descending (id int, PRIMARY KEY (id DESC));
CREATE TABLE vectors (id int PRIMARY KEY, v vector(4));
CREATE TABLE located (id int PRIMARY KEY, g point NOT NULL SRID 0, h geometry SRID 4326, SPATIAL KEY sp (g));
CREATE TABLE collated (a varchar(10) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, b varchar(10) COLLATE utf8mb4_ja_0900_as_cs, c varchar(10) COLLATE utf8mb4_unicode_ci);
CREATE TABLE prefixed (c varchar(50) NOT NULL, t text NOT NULL, PRIMARY KEY (c(5)));
CREATE TABLE prefixed_text (t text NOT NULL, PRIMARY KEY (t(5)));
CREATE TABLE searched (id int PRIMARY KEY, t text, u text, FULLTEXT KEY ft (t) WITH PARSER ngram COMMENT 'f', FULLTEXT KEY fu (u));
CREATE TABLE packed (id int PRIMARY KEY, d decimal(10,2) ZEROFILL) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8;
"#;

/// MariaDB 10.11 only.
const MARIADB: &str = r#"
CREATE TABLE own (id int PRIMARY KEY, u uuid DEFAULT uuid(), i6 inet6 NOT NULL, i4 inet4 DEFAULT '1.2.3.4', j json DEFAULT '{}', t text DEFAULT 'abc', bl blob DEFAULT 'x', UNIQUE KEY uu (u), KEY ki (i6));
CREATE TABLE checked_one (a int CHECK (a > 0), b int, CHECK (b > 0));
CREATE TABLE checked_two (a int CHECK (a > 0), b int, CHECK (b > 0));
CREATE TABLE hashed (id int PRIMARY KEY, t longtext, UNIQUE KEY huge (t));
CREATE TABLE expressions (id int PRIMARY KEY, s varchar(50) NOT NULL DEFAULT (concat('a','''b')), sq int DEFAULT (1 + 2));
CREATE TABLE engines (id int PRIMARY KEY) ENGINE=Aria;
CREATE TABLE versioned (id int PRIMARY KEY, x int) WITH SYSTEM VERSIONING;
CREATE TABLE collated (a varchar(10) COLLATE utf8mb4_uca1400_ai_ci PRIMARY KEY, b varchar(10) COLLATE latin1_swedish_nopad_ci);
"#;

/// One column without what a server words in its own way.
fn plain(column: &Column) -> Column {
    let mut column = column.clone();
    if let Some(ColumnDefault::Expression(text)) = &column.default
        && !text.starts_with("CURRENT_TIMESTAMP")
    {
        let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("x'")?.strip_suffix('\''));
        let string =
            text.trim_start_matches("_utf8mb4").strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        column.default = Some(match (hex, string) {
            // The same bytes; OceanBase doesn't show the zeros that BINARY(n) is filled with.
            (Some(digits), _) => {
                ColumnDefault::Expression(digits.to_lowercase().trim_end_matches("00").to_owned())
            }
            (None, Some(text)) => ColumnDefault::Literal(text.to_owned()),
            (None, None) => ColumnDefault::Expression("an expression".to_owned()),
        });
    }
    if let Some(ColumnDefault::Literal(text)) = &mut column.default {
        let number =
            matches!(column.data_type, DataType::Int { .. }).then(|| text.parse::<i64>().ok()).flatten();
        if let Some(number) = number {
            *text = number.to_string();
        }
    }
    if let Some(generated) = &mut column.generated {
        generated.expression.clear();
    }
    column
}

fn plain_keys(keys: &[Key]) -> Vec<Key> {
    let mut keys: Vec<Key> = keys.to_vec();
    for part in keys.iter_mut().flat_map(|key| &mut key.parts) {
        if part.column().is_none() {
            part.on = whimbrel_model::schema::KeyPartOn::Expression("an expression".to_owned());
        }
    }
    keys.sort_by(|a, b| a.name.cmp(&b.name));
    keys
}

/// Differences between a table as it was converted and as the target has it.
fn differences(wanted: &TableSchema, found: &TableSchema, target: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut differ = |what: &str, wanted: String, found: String| {
        if wanted != found {
            out.push(format!("{} {what}: wanted {wanted}, found {found}", found_name(&wanted)));
        }
    };
    differ("columns", wanted.columns.len().to_string(), found.columns.len().to_string());
    for (wanted, found) in wanted.columns.iter().zip(&found.columns) {
        differ("column", format!("{:?}", plain(wanted)), format!("{:?}", plain(found)));
    }
    let primary = |table: &TableSchema| plain_keys(table.primary_key.as_slice());
    differ("primary key", format!("{:?}", primary(wanted)), format!("{:?}", primary(found)));
    let keys = |keys: &[Key]| {
        let part = |part: &whimbrel_model::KeyPart| {
            let direction = if part.descending { " desc" } else { "" };
            format!("{}{:?}{direction}", part.column().unwrap_or("<expression>"), part.prefix)
        };
        let key = |key: Key| {
            let parts: Vec<_> = key.parts.iter().map(part).collect();
            format!(
                "{} {:?} {:?} {parts:?} {} {:?}",
                key.name, key.kind, key.parser, key.invisible, key.comment
            )
        };
        plain_keys(keys).into_iter().map(key).collect::<Vec<_>>().join("; ")
    };
    differ("unique keys", keys(&wanted.unique_keys), keys(&found.unique_keys));
    // MySQL and MariaDB make an index for each foreign key that has none; OceanBase doesn't.
    let declared = |table: &TableSchema| -> Vec<Key> {
        let own = |key: &&Key| !table.foreign_keys.iter().any(|fk| fk.name == key.name);
        table.indexes.iter().filter(own).cloned().collect()
    };
    differ("indexes", keys(&declared(wanted)), keys(&declared(found)));
    let foreign = |table: &TableSchema| {
        let mut keys = table.foreign_keys.clone();
        for key in &mut keys {
            for action in [&mut key.on_update, &mut key.on_delete] {
                if action == "NO ACTION" {
                    *action = "RESTRICT".to_owned();
                }
            }
        }
        keys.sort_by(|a, b| a.name.cmp(&b.name));
        format!("{keys:?}")
    };
    differ("foreign keys", foreign(wanted), foreign(found));
    let mut checks = wanted.checks.len();
    if target == "mariadb1011" && wanted.name.table == "own" {
        // MariaDB makes a check for JSON where it is written as JSON only.
        checks = found.checks.len();
    }
    differ("checks", checks.to_string(), found.checks.len().to_string());
    differ("partitions", wanted.partitioning.is_some().to_string(), found.partitioning.is_some().to_string());
    differ("comment", wanted.comment.clone(), found.comment.clone());
    differ("collation", format!("{:?}", wanted.collation), format!("{:?}", found.collation));
    if target != "seekdb" {
        let next = |table: &TableSchema| format!("{:?}", table.auto_increment.filter(|next| *next > 1));
        differ("auto_increment", next(wanted), next(found));
    }
    out
}

fn found_name(wanted: &str) -> &str {
    wanted.split(',').next().unwrap_or(wanted)
}

async fn make(connection: &mut Connection, converted: &[ConvertedTable]) {
    for table in converted {
        run(connection, &table.create).await;
    }
    for ddl in converted.iter().flat_map(|table| &table.indexes) {
        run(connection, &ddl.sql).await;
    }
    for ddl in converted.iter().flat_map(|table| &table.foreign_keys) {
        run(connection, &ddl.sql).await;
    }
}

/// Makes a schema at the source, converts it, makes it at the target, and compares. Returns what was converted.
async fn there_and_back(source: &str, script: &str, target: &str, schema: &str) -> Vec<ConvertedTable> {
    let mut at_source = session(source).await;
    empty_schema(&mut at_source, schema).await;
    run(&mut at_source, &format!("USE {schema}")).await;
    run(&mut at_source, script).await;
    let copy = format!("{schema}_at_{target}");
    let rename = |name: &TableName| TableName::new(copy.clone(), name.table.clone());
    let profile = profile(target).await;
    let converted: Vec<ConvertedTable> =
        tables(source, schema).await.iter().map(|table| convert_table(table, &profile, &rename)).collect();
    let mut at_target = session(target).await;
    empty_schema(&mut at_target, &copy).await;
    make(&mut at_target, &converted).await;
    let found = tables(target, &copy).await;
    assert_eq!(found.len(), converted.len());
    let mut wrong = Vec::new();
    for (wanted, found) in converted.iter().zip(&found) {
        assert_eq!(wanted.schema.name, found.name);
        wrong.extend(
            differences(&wanted.schema, found, target)
                .into_iter()
                .map(|text| format!("{}: {text}", found.name)),
        );
    }
    assert!(wrong.is_empty(), "{source} to {target}:\n{}", wrong.join("\n"));
    run(&mut at_target, &format!("DROP DATABASE {copy}")).await;
    run(&mut at_source, &format!("DROP DATABASE {schema}")).await;
    converted
}

fn notes<'a>(converted: &'a [ConvertedTable], object: &str) -> Vec<(Loss, &'a str)> {
    let all = converted.iter().flat_map(|table| &table.notes);
    all.filter(|note| note.object.split_once('.').is_some_and(|(_, rest)| rest == object))
        .map(|note| (note.loss, note.text.as_str()))
        .collect()
}

#[tokio::test]
async fn shared_tables_move_from_mysql_to_every_family() {
    for target in TARGETS {
        let converted = there_and_back("mysql97", SHARED, target, "dbcat_mysql_shared").await;
        if target == "mysql97" {
            let all: Vec<_> = converted.iter().flat_map(|table| &table.notes).collect();
            assert!(all.is_empty(), "nothing changes from MySQL to MySQL: {all:#?}");
        }
    }
}

#[tokio::test]
async fn shared_tables_move_from_mariadb_to_every_family() {
    for target in TARGETS {
        there_and_back("mariadb1011", SHARED, target, "dbcat_mariadb_shared").await;
    }
}

#[tokio::test]
async fn tables_of_mysql_move_to_every_family() {
    for target in TARGETS {
        let converted = there_and_back("mysql97", MYSQL, target, "dbcat_mysql_own").await;
        let has =
            |object: &str, part: &str| notes(&converted, object).iter().any(|(_, text)| text.contains(part));
        assert!(has("packed", "ZEROFILL of d") && has("packed", "row_format=COMPRESSED"));
        match target {
            "seekdb" => {
                assert!(has("expressions.t", "no default") && has("expressions.j", "no default"));
                assert!(has("located.h", "SRID") && !has("located.g", "SRID"));
                assert!(has("indexed, key kd", "DESC") && has("descending, key PRIMARY", "DESC"));
                assert!(has("collated.a", "utf8mb4_bin") && has("collated.a", "spaces at the end"));
                assert!(has("collated.b", "utf8mb4_bin") && has("collated.c", "utf8mb4_general_ci"));
                assert!(
                    has("prefixed, key PRIMARY", "whole column")
                        && has("prefixed_text, key PRIMARY", "unique key")
                );
                assert!(notes(&converted, "vectors.v").is_empty());
            }
            "mariadb1011" => {
                assert!(has("vectors.v", "VARBINARY") && has("indexed.j", "LONGTEXT"));
                assert!(has("indexed, key kf", "left out") && has("indexed, key uf", "left out"));
                assert!(has("located.h", "SRID") && has("collated.a", "utf8mb4_nopad_bin"));
                assert!(has("searched, key ft", "ngram") && !has("searched, key fu", "parser"));
            }
            _ => assert!(
                converted.iter().flat_map(|table| &table.notes).all(|note| note.object.ends_with(".packed")),
                "{:?}",
                converted.iter().flat_map(|table| &table.notes).collect::<Vec<_>>()
            ),
        }
    }
}

#[tokio::test]
async fn tables_of_mariadb_move_to_every_family() {
    for target in TARGETS {
        let converted = there_and_back("mariadb1011", MARIADB, target, "dbcat_mariadb_own").await;
        let has =
            |object: &str, part: &str| notes(&converted, object).iter().any(|(_, text)| text.contains(part));
        assert!(has("versioned", "SYSTEM VERSIONING"));
        if target == "mariadb1011" {
            continue;
        }
        assert!(has("own.u", "VARCHAR(36)") && has("own.i6", "VARCHAR(45)") && has("own.i4", "VARCHAR(15)"));
        assert!(has("hashed, key huge", "left out") && has("engines", "Aria"));
        assert_eq!(has("own.t", "no default"), target == "seekdb");
    }
}
