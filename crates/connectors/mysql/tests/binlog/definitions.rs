//! Definitions followed through DDL, compared with what the server's catalogue says after each statement.

use whimbrel_connector::LogReader;
use whimbrel_model::{LogRecord, TableSchema};

use crate::live::Place;

/// Statements on a table `t`, in order. What a server refuses is left out for it.
const STATEMENTS: &[&str] = &[
    "CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT, a VARCHAR(20) NOT NULL DEFAULT 'x', b TEXT, c DECIMAL(10,2) UNSIGNED DEFAULT 1.5, \
     PRIMARY KEY (id), UNIQUE KEY (a), KEY k (b(10), c)) DEFAULT CHARSET=latin1 COMMENT='first'",
    "ALTER TABLE t ADD d INT, ADD e CHAR(3) FIRST, ADD f DATETIME DEFAULT '2020-01-01 00:00:00' AFTER id",
    "ALTER TABLE t ADD (g BIGINT UNSIGNED, h FLOAT(7,3)), ADD INDEX (g), ADD UNIQUE (g, h)",
    "ALTER TABLE t MODIFY b MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL AFTER e",
    "ALTER TABLE t CHANGE d dd TINYINT(1) DEFAULT 1, CHANGE e ee CHAR(5) AFTER dd",
    "ALTER TABLE t DROP COLUMN g, DROP INDEX k, ADD KEY k (dd)",
    "ALTER TABLE t DEFAULT CHARSET=utf8mb4, ADD i VARCHAR(9)",
    "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4",
    "ALTER TABLE t ALTER a SET DEFAULT 'y', ALTER c DROP DEFAULT",
    "ALTER TABLE t DROP PRIMARY KEY, CHANGE id id INT, ADD PRIMARY KEY (a, id)",
    "ALTER TABLE t ADD j ENUM('a','b ','c') CHARACTER SET latin1 COLLATE latin1_bin, ADD k2 SET('x','y') NOT NULL",
    "ALTER TABLE t ADD l TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, ADD m YEAR, ADD n BIT(5) DEFAULT b'101'",
    "ALTER TABLE t ADD o BINARY(4), ADD p VARBINARY(10) , ADD q BLOB, ADD r GEOMETRY, ADD s TINYTEXT, ADD u LONGBLOB",
    "CREATE INDEX ix ON t (m, n)",
    "CREATE UNIQUE INDEX iy ON t (o)",
    "DROP INDEX ix ON t",
    "ALTER TABLE t ADD v SERIAL",
    "ALTER TABLE t COMMENT='second', ENGINE=InnoDB, AUTO_INCREMENT=100",
    "ALTER TABLE t MODIFY v BIGINT UNSIGNED NOT NULL FIRST, DROP INDEX v",
    "ALTER TABLE t ADD w NCHAR(4), ADD x VARCHAR(4) BINARY, ADD y TEXT(100), ADD z TEXT(70000)",
    "ALTER TABLE t ADD aa VARCHAR(5) CHARACTER SET binary, ADD ab TEXT COLLATE utf8mb4_bin, ADD ac CHAR BYTE",
    "CREATE TABLE parent (id INT PRIMARY KEY, k INT, UNIQUE (k))",
    "ALTER TABLE t ADD CONSTRAINT fk FOREIGN KEY (dd2) REFERENCES parent (id)",
    "ALTER TABLE t ADD dd2 INT, ADD CONSTRAINT fk FOREIGN KEY (dd2) REFERENCES parent (id) ON DELETE SET NULL",
    "ALTER TABLE t ADD FOREIGN KEY (dd2) REFERENCES parent (k) ON UPDATE CASCADE",
    "ALTER TABLE t DROP FOREIGN KEY fk",
    "ALTER TABLE t RENAME COLUMN w TO ww, RENAME COLUMN x TO w",
    "ALTER TABLE t RENAME INDEX k TO kk",
    "ALTER TABLE t ADD ba DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), ADD bb TIME(6), ADD bc TIMESTAMP(2) NULL",
    "ALTER TABLE t ADD bd INT AS (dd + 1) STORED, ADD be INT GENERATED ALWAYS AS (dd * 2) VIRTUAL",
    "ALTER TABLE t ADD CHECK (dd < 100), ADD CONSTRAINT named CHECK (dd > -100)",
    "ALTER TABLE t ADD bf JSON",
    "ALTER TABLE t ADD bg INT INVISIBLE DEFAULT 7, ADD bh VARCHAR(9) DEFAULT (CONCAT('a','b'))",
    "CREATE INDEX fun ON t ((dd + 1))",
    "CREATE INDEX down ON t (m DESC)",
    "ALTER TABLE t DROP COLUMN ee, DROP COLUMN f, ADD ee INT AFTER a",
    "ALTER TABLE t MODIFY dd INT FIRST, MODIFY m YEAR AFTER dd, ADD n2 INT AFTER m",
    "ALTER TABLE t ORDER BY dd",
    "RENAME TABLE t TO t2, parent TO p2",
    "CREATE TABLE t LIKE t2",
    "ALTER TABLE t RENAME TO t3, ADD last INT",
    "RENAME TABLE t2 TO t, t3 TO t2",
    "TRUNCATE TABLE t2",
    "CREATE TABLE IF NOT EXISTS t (x INT)",
    "DROP TABLE IF EXISTS nothing, t2",
    "ALTER TABLE t CONVERT TO CHARACTER SET utf8 COLLATE utf8_bin",
    "ALTER TABLE t PARTITION BY KEY (a) PARTITIONS 2",
    "CREATE TABLE ts (a TIMESTAMP, b TIMESTAMP, c TIMESTAMP NULL, d TIMESTAMP NOT NULL, e TIMESTAMP DEFAULT '2000-01-01 00:00:00')",
    "CREATE TABLE sel AS SELECT 1 AS a, 'x' AS b, 1.5 AS c, NOW() AS d",
    "CREATE OR REPLACE TABLE sel (z INT PRIMARY KEY)",
    "ALTER TABLE sel ADD COLUMN IF NOT EXISTS z INT, ADD COLUMN IF NOT EXISTS y INT",
    "CREATE TABLE types (a BOOL, b INT(5) ZEROFILL, c DOUBLE PRECISION, d REAL, e FLOAT(30), f NUMERIC(7), g DEC, h INTEGER UNSIGNED, \
     i LONG VARCHAR, j LONG VARBINARY, k POINT NOT NULL, l MULTIPOLYGON, m CHARACTER VARYING(7), n FIXED(5,2), o BIT)",
];

async fn run(server: &'static str) {
    let mut place = Place::new(server, "definitions").await;
    let start = place.position().await;
    let mut reader = place.reader(start).await;
    let mut differences = Vec::new();
    let mut accepted = 0;
    for sql in STATEMENTS {
        if place.connection.query_drop(sql).await.is_err() {
            continue;
        }
        accepted += 1;
        // CREATE TABLE IF NOT EXISTS of a table that is there may be in no log.
        place.run("DROP TABLE IF EXISTS mark").await;
        place.run("CREATE TABLE mark (a INT)").await;
        for schema in effects_until_mark(&mut reader, sql).await {
            if schema.name.table == "mark" {
                continue;
            }
            let known = place.schema_of(&schema.name.table).await;
            differences.extend(difference(&schema, &known).map(|what| format!("{sql}\n    {what}")));
        }
    }
    assert!(accepted > 30, "{server} refuses all but {accepted} statements");
    differences.truncate(3);
    assert!(differences.is_empty(), "{server}:\n{}", differences.join("\n"));
}

/// Definitions after the effects of what came up to the creation of `mark`.
async fn effects_until_mark(reader: &mut impl LogReader, sql: &str) -> Vec<TableSchema> {
    let mut made: Vec<TableSchema> = Vec::new();
    loop {
        let wait = std::time::Duration::from_secs(240);
        let record = tokio::time::timeout(wait, reader.next()).await.expect("a record within the deadline");
        let record = record.unwrap_or_else(|error| panic!("{sql}: {}", error.chain()));
        let LogRecord::Ddl(ddl) = record else { continue };
        for effect in ddl.effects {
            made.retain(|schema| Some(&schema.name) != effect.before.as_ref());
            if let Some(schema) = effect.after {
                made.retain(|known| known.name != schema.name);
                let last = schema.name.table == "mark";
                made.push(schema);
                if last {
                    return made;
                }
            }
        }
    }
}

/// The first difference that matters; expressions and partitions are printed differently by the server.
fn difference(ours: &TableSchema, theirs: &TableSchema) -> Option<String> {
    for (a, b) in ours.columns.iter().zip(&theirs.columns) {
        let mut a = a.clone();
        if let (Some(made), Some(known)) = (&mut a.generated, &b.generated) {
            made.expression.clone_from(&known.expression);
        }
        let both_expressions = matches!(
            (&a.default, &b.default),
            (
                Some(whimbrel_model::ColumnDefault::Expression(_)),
                Some(whimbrel_model::ColumnDefault::Expression(_))
            )
        );
        if both_expressions {
            a.default.clone_from(&b.default);
        }
        if a != *b {
            return Some(format!("column is {a:?}\n    server says {b:?}"));
        }
    }
    if ours.columns.len() != theirs.columns.len() {
        return Some(format!("{} columns, the server has {}", ours.columns.len(), theirs.columns.len()));
    }
    let keys = |table: &TableSchema| {
        let all = table.primary_key.iter().chain(&table.unique_keys).chain(&table.indexes);
        let mut keys: Vec<String> = all
            .map(|key| {
                let parts: Vec<_> = key
                    .parts
                    .iter()
                    .map(|p| (p.column().map(str::to_lowercase), p.prefix, p.descending))
                    .collect();
                format!("{} {parts:?} {:?} {}", key.name.to_lowercase(), key.kind, key.invisible)
            })
            .collect();
        keys.sort();
        keys
    };
    if keys(ours) != keys(theirs) || ours.unique_keys.len() != theirs.unique_keys.len() {
        return Some(format!("keys are {:?}\n    server says {:?}", keys(ours), keys(theirs)));
    }
    let foreign = |table: &TableSchema| {
        let mut keys: Vec<String> = table.foreign_keys.iter().map(|key| format!("{key:?}")).collect();
        keys.sort();
        keys
    };
    if foreign(ours) != foreign(theirs) {
        return Some(format!("foreign keys are {:?}\n    server says {:?}", foreign(ours), foreign(theirs)));
    }
    let checks = |table: &TableSchema| {
        let mut names: Vec<_> =
            table.checks.iter().map(|check| (check.name.clone(), check.enforced)).collect();
        names.sort();
        names
    };
    if checks(ours) != checks(theirs) {
        return Some(format!("checks are {:?}\n    server says {:?}", checks(ours), checks(theirs)));
    }
    if (&ours.collation, &ours.comment) != (&theirs.collation, &theirs.comment) {
        return Some(format!(
            "options {:?} {:?}",
            (&ours.collation, &ours.comment),
            (&theirs.collation, &theirs.comment)
        ));
    }
    None
}

macro_rules! servers {
    ($($test:ident $server:literal)*) => {$(
        #[tokio::test]
        async fn $test() {
            run($server).await;
        }
    )*};
}
servers! {
    definitions_at_mysql97_are_those_of_the_catalogue "mysql97"
    definitions_at_mariadb1011_are_those_of_the_catalogue "mariadb1011"
    definitions_at_mysql55_are_those_of_the_catalogue "mysql55"
    definitions_at_mysql56_are_those_of_the_catalogue "mysql56"
    definitions_at_mariadb102_are_those_of_the_catalogue "mariadb102"
    definitions_at_mariadb118_are_those_of_the_catalogue "mariadb118"
}
