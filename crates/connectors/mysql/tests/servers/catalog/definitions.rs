//! Definitions come back as they were declared, on every family.

use whimbrel_connector::{Catalog, ErrorKind, Flavor, TableKind};
use whimbrel_model::schema::{KeyKind, KeyPartOn};
use whimbrel_model::{Column, ColumnDefault, DataType, Key, TableName, TableSchema};

use super::{admin, catalog, run};

/// A column in one line.
fn line(column: &Column) -> String {
    let mut text = format!("{} {}", column.name, data_type(&column.data_type));
    if !column.nullable {
        text += " not null";
    }
    match &column.default {
        None => {}
        Some(ColumnDefault::Null) => text += " = null",
        Some(ColumnDefault::Literal(value)) => text += &format!(" = {value:?}"),
        Some(ColumnDefault::Expression(value)) => text += &format!(" = <{value}>"),
    }
    if let Some(expression) = &column.on_update {
        text += &format!(" on update <{expression}>");
    }
    if let Some(generated) = &column.generated {
        text +=
            &format!(" {} <{}>", if generated.stored { "stored" } else { "virtual" }, generated.expression);
    }
    for (flag, word) in [(column.auto_increment, " auto"), (column.invisible, " invisible")] {
        text += if flag { word } else { "" };
    }
    if !column.comment.is_empty() {
        text += &format!(" -- {:?}", column.comment);
    }
    text
}

fn data_type(data_type: &DataType) -> String {
    let json = serde_json::to_value(data_type).unwrap();
    let fields = json.as_object().unwrap();
    let values: Vec<String> = fields
        .iter()
        .filter(|(name, value)| *name != "type" && *name != "charset" && !value.is_null() && **value != false)
        .map(|(name, value)| match value {
            serde_json::Value::Bool(_) => name.clone(),
            other => other.to_string().replace('"', ""),
        })
        .collect();
    format!("{}({})", fields["type"].as_str().unwrap(), values.join(" "))
}

fn key(key: &Key) -> String {
    let part = |part: &whimbrel_model::KeyPart| {
        let on = match &part.on {
            KeyPartOn::Column(name) => name.clone(),
            KeyPartOn::Expression(text) => format!("<{text}>"),
        };
        let prefix = part.prefix.map(|n| format!("({n})")).unwrap_or_default();
        format!("{on}{prefix}{}", if part.descending { " desc" } else { "" })
    };
    let parts: Vec<_> = key.parts.iter().map(part).collect();
    let kind = match key.kind {
        KeyKind::Ordered => String::new(),
        other => format!(" {other:?}"),
    };
    let comment = if key.comment.is_empty() { String::new() } else { format!(" -- {:?}", key.comment) };
    format!(
        "{}[{}]{kind}{}{comment}",
        key.name,
        parts.join(", "),
        if key.invisible { " invisible" } else { "" }
    )
}

fn describe(table: &TableSchema) -> String {
    let mut lines: Vec<String> = table.columns.iter().map(line).collect();
    lines.extend(table.primary_key.iter().map(key));
    lines.extend(table.unique_keys.iter().map(|k| format!("unique {}", key(k))));
    lines.extend(table.indexes.iter().map(|k| format!("index {}", key(k))));
    for check in &table.checks {
        let enforced = if check.enforced { "" } else { " not enforced" };
        lines.push(format!("check {} <{}>{enforced}", check.name, check.expression));
    }
    for fk in &table.foreign_keys {
        lines.push(format!(
            "fk {} {:?} -> {} {:?} {} {}",
            fk.name, fk.columns, fk.parent, fk.parent_columns, fk.on_update, fk.on_delete
        ));
    }
    lines.extend(table.partitioning.iter().cloned());
    lines.join("\n")
}

#[track_caller]
fn assert_described(table: &TableSchema, expected: &str) {
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let found = describe(table);
    let found: Vec<&str> = found.lines().map(str::trim).collect();
    assert_eq!(found, expected, "{}", found.join("\n"));
}

async fn load(server: &str, schema: &str, tables: &[&str]) -> Vec<TableSchema> {
    let names: Vec<_> = tables.iter().map(|table| TableName::new(schema, *table)).collect();
    catalog(server).table_schemas(&names).await.unwrap()
}

const MYSQL: &str = r#"
DROP DATABASE IF EXISTS catalog_definitions;
CREATE DATABASE catalog_definitions DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
USE catalog_definitions;
CREATE TABLE a (
 id bigint unsigned NOT NULL AUTO_INCREMENT COMMENT 'the id''s "x" \n \\',
 i1 tinyint(1) DEFAULT 1, i2 smallint unsigned ZEROFILL DEFAULT '7', b8 bit(9) DEFAULT b'101',
 d1 decimal(65,30) DEFAULT '1.5', d2 float(7,3), d3 double unsigned,
 s1 char(10) CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'it''s \\ é', s2 varchar(20) DEFAULT '',
 s4 varchar(5) NOT NULL DEFAULT (concat('a','''b')), s5 varchar(20) DEFAULT 'CURRENT_TIMESTAMP', s6 varchar(9) DEFAULT 'NULL',
 t2 text DEFAULT ('abc'), t3 mediumtext COLLATE utf8mb4_bin,
 v1 binary(3) DEFAULT 'ab', v2 varbinary(10) DEFAULT x'00ff41', v5 longblob,
 e1 enum('a','b''c','d,e','ü','','b\\s','n\nl') DEFAULT 'b''c', e2 set('x','yz','w') CHARACTER SET latin1 DEFAULT 'x,w',
 j json DEFAULT (json_array()), g geometry SRID 4326, p point NOT NULL SRID 0, gc geometrycollection,
 dt date DEFAULT '2020-01-01', tm time(3) DEFAULT '01:02:03',
 dtm datetime(6) DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6), ts timestamp NULL,
 ts2 timestamp NOT NULL DEFAULT current_timestamp, y year DEFAULT 2020,
 gen1 int GENERATED ALWAYS AS (i1 + 1) VIRTUAL COMMENT 'v', gen2 varchar(40) AS (concat(s2,'''x"\\')) STORED NOT NULL,
 inv int DEFAULT -3 INVISIBLE, vec vector(4),
 PRIMARY KEY (id DESC), UNIQUE KEY uk (s2(5), s1), KEY k1 (s6 DESC, i1), KEY kf ((i1 * 2), (concat(s2,'''\\'))),
 KEY mv ((CAST(j AS UNSIGNED ARRAY))), FULLTEXT KEY ft (t2, s6) COMMENT 'ft''c', SPATIAL KEY sp (p), KEY inv_k (i1) INVISIBLE,
 CONSTRAINT chk1 CHECK (i1 > 0), CONSTRAINT chk2 CHECK (s2 <> 'x''y\\') NOT ENFORCED
) AUTO_INCREMENT=1001 COMMENT='tab''le';
CREATE TABLE c (id int PRIMARY KEY, a_id bigint unsigned, x int, y int, UNIQUE KEY (x,y),
 CONSTRAINT fk1 FOREIGN KEY (a_id) REFERENCES a(id) ON DELETE CASCADE ON UPDATE SET NULL);
CREATE TABLE d (id int, x int, y int, CONSTRAINT fk2 FOREIGN KEY (x,y) REFERENCES c(x,y) ON DELETE RESTRICT);
CREATE TABLE pr (id int NOT NULL, d date NOT NULL, PRIMARY KEY(id,d)) PARTITION BY RANGE (to_days(d))
 SUBPARTITION BY HASH(id) SUBPARTITIONS 2 (PARTITION p0 VALUES LESS THAN (737425) COMMENT 'it''s', PARTITION p1 VALUES LESS THAN MAXVALUE);
CREATE TABLE pk_ (id int PRIMARY KEY) PARTITION BY LINEAR KEY ALGORITHM=1 (id) PARTITIONS 3;
CREATE VIEW v AS SELECT * FROM c;
"#;

#[tokio::test]
async fn mysql_definitions_come_back_whole() {
    let mut connection = admin("mysql97").await;
    run(&mut connection, MYSQL).await;
    let tables = load("mysql97", "catalog_definitions", &["a", "d", "c", "pr", "pk_"]).await;
    assert_described(
        &tables[0],
        r#"
        id int(8 unsigned) not null auto -- "the id's \"x\" \n \\"
        i1 bool() = "1"
        i2 int(2 unsigned 5) = "00007"
        b8 bit(9) = <b'101'>
        d1 decimal(65 30) = "1.500000000000000000000000000000"
        d2 float([7,3])
        d3 double(unsigned)
        s1 char(10 latin1_bin) = "it's \\ é"
        s2 var_char(20 utf8mb4_unicode_ci) = ""
        s4 var_char(5 utf8mb4_unicode_ci) not null = <concat(_utf8mb4'a',_utf8mb4'\'b')>
        s5 var_char(20 utf8mb4_unicode_ci) = "CURRENT_TIMESTAMP"
        s6 var_char(9 utf8mb4_unicode_ci) = "NULL"
        t2 text(regular utf8mb4_unicode_ci) = <_utf8mb4'abc'>
        t3 text(medium utf8mb4_bin)
        v1 binary(3) = <x'616200'>
        v2 var_binary(10) = <x'00FF41'>
        v5 blob(long)
        e1 enum([a,b'c,d,e,ü,,b\\s,n\nl] utf8mb4_unicode_ci) = "b'c"
        e2 set([x,yz,w] latin1_swedish_ci) = "x,w"
        j json() = <json_array()>
        g geometry(geometry 4326)
        p geometry(point 0) not null
        gc geometry(geomcollection)
        dt date() = "2020-01-01"
        tm time(3) = "01:02:03.000"
        dtm date_time(6) = <CURRENT_TIMESTAMP(6)> on update <CURRENT_TIMESTAMP(6)>
        ts timestamp(0)
        ts2 timestamp(0) not null = <CURRENT_TIMESTAMP>
        y year() = "2020"
        gen1 int(4) virtual <(`i1` + 1)> -- "v"
        gen2 var_char(40 utf8mb4_unicode_ci) not null stored <concat(`s2`,_utf8mb4'\'x"\\')>
        inv int(4) = "-3" invisible
        vec vector(4)
        PRIMARY[id desc]
        unique uk[s2(5), s1]
        index ft[t2, s6] FullText -- "ft'c"
        index inv_k[i1] invisible
        index k1[s6 desc, i1]
        index kf[<(`i1` * 2)>, <concat(`s2`,_utf8mb4'\'\\')>]
        index mv[<cast(`j` as unsigned array)>]
        index sp[p] Spatial
        check chk1 <(`i1` > 0)>
        check chk2 <(`s2` <> _utf8mb4'x\'y\\')> not enforced
        "#,
    );
    assert_eq!((tables[0].comment.as_str(), tables[0].auto_increment), ("tab'le", Some(1001)));
    assert_eq!(tables[0].collation.as_deref(), Some("utf8mb4_unicode_ci"));
    assert_eq!(tables[0].engine.as_deref(), Some("InnoDB"));
    assert_described(
        &tables[1],
        r#"
        id int(4)
        x int(4)
        y int(4)
        index fk2[x, y]
        fk fk2 ["x", "y"] -> catalog_definitions.c ["x", "y"] NO ACTION RESTRICT
        "#,
    );
    assert_eq!(tables[2].foreign_keys[0].on_delete, "CASCADE");
    assert_eq!(tables[2].foreign_keys[0].on_update, "SET NULL");
    assert_eq!(tables[2].unique_keys[0].name, "x");
    assert_eq!(
        tables[3].partitioning.as_deref().unwrap(),
        "PARTITION BY RANGE (to_days(`d`))\nSUBPARTITION BY HASH (`id`)\nSUBPARTITIONS 2\n(PARTITION p0 VALUES LESS THAN (737425) COMMENT = 'it\\'s' ENGINE = InnoDB,\n PARTITION p1 VALUES LESS THAN MAXVALUE ENGINE = InnoDB)"
    );
    assert_eq!(
        tables[4].partitioning.as_deref().unwrap(),
        "PARTITION BY LINEAR KEY ALGORITHM = 1 (id)\nPARTITIONS 3"
    );
    let summaries = catalog("mysql97").tables("catalog_definitions").await.unwrap();
    let kinds: Vec<_> = summaries.iter().map(|t| (t.name.table.as_str(), t.kind)).collect();
    assert_eq!(kinds.last(), Some(&("v", TableKind::View)));
    assert_eq!(kinds.len(), 6);
    connection.query_drop("DROP DATABASE catalog_definitions").await.unwrap();
}

const MARIADB: &str = r#"
DROP DATABASE IF EXISTS catalog_definitions;
CREATE DATABASE catalog_definitions DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
USE catalog_definitions;
CREATE TABLE a (
 id bigint unsigned NOT NULL AUTO_INCREMENT,
 i1 tinyint(1) DEFAULT 1, i2 smallint unsigned ZEROFILL DEFAULT '7', b8 bit(9) DEFAULT b'101', neg decimal(5,2) DEFAULT -1.5,
 s1 char(10) CHARACTER SET latin1 COLLATE latin1_bin DEFAULT 'it''s \\ é', s4 varchar(5) NOT NULL DEFAULT (concat('a','''b')),
 s5 varchar(30) DEFAULT 'current_timestamp()', s6 varchar(9) DEFAULT 'NULL',
 t2 text DEFAULT 'abc', v1 binary(3) DEFAULT 'ab', v2 varbinary(10) DEFAULT x'00ff41', v4 blob DEFAULT 'blob',
 e1 enum('a','b''c','d,e','ü','','b\\s','n\nl') DEFAULT 'b''c', j json,
 g geometry, dt0 date DEFAULT '0000-00-00', dtm datetime(6) DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6),
 ts2 timestamp NOT NULL DEFAULT current_timestamp, y year DEFAULT 2020,
 gen1 int GENERATED ALWAYS AS (i1 + 1) VIRTUAL COMMENT 'v', gen2 varchar(40) AS (concat(s6,'''x"')) STORED,
 chk int CHECK (chk > 0), sq int DEFAULT (1+2),
 PRIMARY KEY (id), UNIQUE KEY uk (s6(5), s1), FULLTEXT KEY ft (t2) COMMENT 'ft''c', CONSTRAINT chk1 CHECK (i1 > 0)
) AUTO_INCREMENT=1001;
CREATE TABLE pl (a varchar(10), b int) PARTITION BY LIST COLUMNS (a) (PARTITION p0 VALUES IN ('a''b','c'), PARTITION p1 VALUES IN (NULL));
"#;

const MARIADB_DESCRIBED: &str = r#"
    id int(8 unsigned) not null auto
    i1 bool() = "1"
    i2 int(2 unsigned 5) = "00007"
    b8 bit(9) = <b'101'>
    neg decimal(5 2) = "-1.50"
    s1 char(10 latin1_bin) = "it's \\ é"
    s4 var_char(5 utf8mb4_unicode_ci) not null = <concat('a','\'b')>
    s5 var_char(30 utf8mb4_unicode_ci) = "current_timestamp()"
    s6 var_char(9 utf8mb4_unicode_ci) = "NULL"
    t2 text(regular utf8mb4_unicode_ci) = "abc"
    v1 binary(3) = <x'616200'>
    v2 var_binary(10) = <x'00FF41'>
    v4 blob(regular) = <x'626C6F62'>
    e1 enum([a,b'c,d,e,ü,,b\\s,n\nl] utf8mb4_unicode_ci) = "b'c"
    j text(long utf8mb4_bin)
    g geometry(geometry)
    dt0 date() = "0000-00-00"
    dtm date_time(6) = <CURRENT_TIMESTAMP(6)> on update <CURRENT_TIMESTAMP(6)>
    ts2 timestamp(0) not null = <CURRENT_TIMESTAMP>
    y year() = "2020"
    gen1 int(4) virtual <`i1` + 1> -- "v"
    gen2 var_char(40 utf8mb4_unicode_ci) stored <concat(`s6`,'\'x"')>
    chk int(4)
    sq int(4) = <(1 + 2)>
    PRIMARY[id]
    unique uk[s6(5), s1]
    index ft[t2] FullText -- "ft'c"
    "#;

#[tokio::test]
async fn mariadb_definitions_come_back_whole_from_every_version() {
    for server in ["mariadb1011", "mariadb102", "mariadb118"] {
        let mut connection = admin(server).await;
        run(&mut connection, MARIADB).await;
        let tables = load(server, "catalog_definitions", &["a", "pl"]).await;
        let mut checks = "check  <`chk` > 0>\ncheck chk1 <`i1` > 0>\n".to_owned();
        if server != "mariadb102" {
            // From 10.4.3 on JSON brings its check along.
            checks.insert_str(0, "check  <json_valid(`j`)>\n");
        }
        assert_described(&tables[0], &format!("{MARIADB_DESCRIBED}\n{checks}"));
        assert!(
            tables[1].partitioning.as_deref().unwrap().starts_with("PARTITION BY LIST COLUMNS("),
            "{server}"
        );
        connection.query_drop("DROP DATABASE catalog_definitions").await.unwrap();
    }
}

#[tokio::test]
async fn mariadb_has_types_of_its_own() {
    let mut connection = admin("mariadb1011").await;
    run(
        &mut connection,
        "DROP DATABASE IF EXISTS catalog_mariadb; CREATE DATABASE catalog_mariadb; USE catalog_mariadb;
         CREATE TABLE t (u uuid DEFAULT uuid(), i6 inet6, i4 inet4 DEFAULT '1.2.3.4', c longtext COMPRESSED,
            inv int DEFAULT 3 INVISIBLE, t4 longtext, UNIQUE KEY huge (t4) USING HASH, KEY ig (inv) IGNORED, KEY de (inv DESC));
         CREATE TABLE sv (id int PRIMARY KEY, x int) WITH SYSTEM VERSIONING; CREATE SEQUENCE sq;",
    )
    .await;
    let tables = load("mariadb1011", "catalog_mariadb", &["t", "sv"]).await;
    let collation = tables[0].collation.clone().unwrap();
    assert_described(
        &tables[0],
        &format!(
            r#"
            u uuid() = <uuid()>
            i6 inet6()
            i4 inet4() = "1.2.3.4"
            c text(long {collation})
            inv int(4) = "3" invisible
            t4 text(long {collation})
            unique huge[t4]
            index de[inv desc]
            index ig[inv] invisible
            "#
        ),
    );
    assert_eq!(tables[1].columns.len(), 2);
    let summaries = catalog("mariadb1011").tables("catalog_mariadb").await.unwrap();
    let names: Vec<_> = summaries.iter().map(|t| t.name.table.as_str()).collect();
    assert_eq!(names, ["sv", "t"]);
    connection.query_drop("DROP DATABASE catalog_mariadb").await.unwrap();
}

#[tokio::test]
async fn old_mysql_definitions_come_back() {
    for server in ["mysql55", "mysql56"] {
        let mut connection = admin(server).await;
        run(
            &mut connection,
            r"DROP DATABASE IF EXISTS catalog_old; CREATE DATABASE catalog_old DEFAULT CHARACTER SET utf8; USE catalog_old;
              CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, s varchar(9) DEFAULT 'CURRENT_TIMESTAMP', l char(9) CHARACTER SET latin1 DEFAULT 'é',
                b binary(3) DEFAULT 'ab', v varbinary(9) DEFAULT x'00ff41', ts timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
                d date DEFAULT '0000-00-00', e enum('a\\','b''c'), y year(4), KEY k (s(3))) AUTO_INCREMENT=7;
              CREATE TABLE p (id int) PARTITION BY HASH (id) PARTITIONS 2;"
                .replace("varchar(9) DEFAULT 'CURRENT_TIMESTAMP'", "varchar(20) DEFAULT 'CURRENT_TIMESTAMP'")
                .as_str(),
        )
        .await;
        let tables = load(server, "catalog_old", &["t", "p"]).await;
        assert_described(
            &tables[0],
            r#"
            id int(4) not null auto
            s var_char(20 utf8_general_ci) = "CURRENT_TIMESTAMP"
            l char(9 latin1_swedish_ci) = "é"
            b binary(3) = <x'616200'>
            v var_binary(9) = <x'00FF41'>
            ts timestamp(0) not null = <CURRENT_TIMESTAMP> on update <CURRENT_TIMESTAMP>
            d date() = "0000-00-00"
            e enum([a\\,b'c] utf8_general_ci)
            y year()
            PRIMARY[id]
            index k[s(3)]
            "#,
        );
        assert_eq!(tables[0].auto_increment, Some(7));
        assert_eq!(tables[1].partitioning.as_deref(), Some("PARTITION BY HASH (id)\nPARTITIONS 2"));
        connection.query_drop("DROP DATABASE catalog_old").await.unwrap();
    }
}

#[tokio::test]
async fn oceanbase_definitions_come_back_without_hidden_columns() {
    let mut connection = admin("seekdb").await;
    run(
        &mut connection,
        r"DROP DATABASE IF EXISTS catalog_definitions; CREATE DATABASE catalog_definitions; USE catalog_definitions;
          CREATE TABLE a (id bigint unsigned NOT NULL AUTO_INCREMENT, b8 bit(9) DEFAULT b'101', s2 varchar(20) COLLATE utf8mb4_bin DEFAULT '',
            s4 varchar(5) DEFAULT (concat('a','''b')), s5 varchar(20) DEFAULT 'uuid()', t2 text, v2 varbinary(10) DEFAULT x'0041',
            e1 enum('a','b''c','d,e','ü') DEFAULT 'a', j json, p point NOT NULL SRID 0,
            dtm datetime(6) DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6), n int, g int GENERATED ALWAYS AS (n + 1) VIRTUAL,
            inv int DEFAULT 3 INVISIBLE,
            PRIMARY KEY (id), UNIQUE KEY uk (s2(5), id), KEY kf ((n * 2)), FULLTEXT KEY ft (t2) COMMENT 'ft''c', SPATIAL KEY sp (p),
            KEY ik (b8) INVISIBLE, CONSTRAINT chk1 CHECK (n > 0), CHECK (s2 <> 'x'))
            COMMENT 'tab';
          CREATE TABLE n (a int, b int);
          CREATE TABLE pt (id int PRIMARY KEY) PARTITION BY KEY (id) PARTITIONS 2;",
    )
    .await;
    let tables = load("seekdb", "catalog_definitions", &["a", "n", "pt"]).await;
    let described = describe(&tables[0]);
    // The name that the server made up differs each time.
    let made_up = |line: &&str| line.starts_with("check a_OBCHECK_");
    let check = described.lines().find(made_up).unwrap();
    let table: Vec<&str> = described.lines().filter(|line| !made_up(line)).collect();
    let expected = r#"
        id int(8 unsigned) not null auto
        b8 bit(9) = <b'101'>
        s2 var_char(20 utf8mb4_bin) = ""
        s4 var_char(5 utf8mb4_general_ci) = <concat('a','\'b')>
        s5 var_char(20 utf8mb4_general_ci) = "uuid()"
        t2 text(regular utf8mb4_general_ci)
        v2 var_binary(10) = <x'0041'>
        e1 enum([a,b'c,d,e,ü] utf8mb4_general_ci) = "a"
        j json()
        p geometry(point 0) not null
        dtm date_time(6) = <CURRENT_TIMESTAMP(6)> on update <CURRENT_TIMESTAMP(6)>
        n int(4)
        g int(4) virtual <(`n` + 1)>
        inv int(4) = "3" invisible
        PRIMARY[id]
        unique uk[s2(5), id]
        index kf[<`n` * 2>]
        index ft[t2] FullText -- "ft'c"
        index sp[p] Spatial
        index ik[b8] invisible
        check chk1 <(`n` > 0)>"#;
    let expected: Vec<_> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(table, expected, "{described}");
    assert!(check.ends_with("<(`s2` <> 'x')>"), "{check}");
    assert_eq!(tables[1].primary_key, None);
    assert!(tables[2].partitioning.as_deref().unwrap().starts_with("partition by key(id)"));
    connection.query_drop("DROP DATABASE catalog_definitions").await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_carried_is_named() {
    let mut connection = admin("mysql55").await;
    run(
        &mut connection,
        "DROP DATABASE IF EXISTS catalog_refused; CREATE DATABASE catalog_refused; USE catalog_refused;
         CREATE TABLE good (id int); CREATE TABLE bad (id int, c year(2));",
    )
    .await;
    let mut catalog = catalog("mysql55");
    let good = TableName::new("catalog_refused", "good");
    let bad = TableName::new("catalog_refused", "bad");
    let error = catalog.table_schemas(&[good.clone(), bad]).await.unwrap_err();
    assert_eq!(
        (error.kind.clone(), error.object.as_str()),
        (ErrorKind::Unsupported, "catalog_refused.bad.c")
    );
    assert!(error.chain().contains("YEAR(2)"), "{}", error.chain());
    let missing = TableName::new("catalog_refused", "gone");
    let error = catalog.table_schemas(&[good.clone(), missing.clone()]).await.unwrap_err();
    assert_eq!((error.kind, error.object.as_str()), (ErrorKind::UnknownTable, "catalog_refused.gone"));
    let found = catalog.existing_tables(&[missing, good.clone()]).await.unwrap();
    assert_eq!(found.iter().map(|t| &t.name).collect::<Vec<_>>(), [&good]);
    assert!(!catalog.has_rows(&good).await.unwrap());
    connection.query_drop("INSERT INTO catalog_refused.good VALUES (1)").await.unwrap();
    assert!(catalog.has_rows(&good).await.unwrap());
    connection.query_drop("DROP DATABASE catalog_refused").await.unwrap();
}

#[tokio::test]
async fn servers_are_told_apart() {
    for (server, flavor, version, collation) in [
        ("mysql97", Flavor::Mysql, (9, 7), "utf8mb4_0900_ai_ci"),
        ("mariadb1011", Flavor::MariaDb, (10, 11), "utf8mb4_uca1400_ai_ci"),
        ("seekdb", Flavor::OceanBase, (4, 3), "utf8mb4_bin"),
    ] {
        let info = catalog(server).server().await.unwrap();
        assert_eq!((info.flavor, (info.version.0, info.version.1)), (flavor, version));
        assert_eq!(info.collations.get(collation).map(String::as_str), Some("utf8mb4"), "{server}");
        assert!(!info.server.is_empty() && info.variables.contains_key("max_allowed_packet"), "{server}");
        let schemas = catalog(server).schemas().await.unwrap();
        assert!(!schemas.iter().any(|name| name == "mysql" || name == "information_schema"), "{schemas:?}");
    }
}
