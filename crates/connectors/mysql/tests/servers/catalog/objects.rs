//! Views, triggers, routines, events, sequences and accounts come back as they were made.

use whimbrel_connector::{Catalog, ObjectCatalogue};
use whimbrel_connector_mysql::catalog::MysqlCatalog;
use whimbrel_connector_mysql::wire::Secret;
use whimbrel_model::object::{Definition, ObjectKind, Schedule, SchemaObject, Security};

use super::{admin, catalog, run};
use crate::server;

/// In the words that every server takes; `{db}` is the schema.
const SHARED: &[&str] = &[
    "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, a INT, s VARCHAR(20))",
    "CREATE TABLE u (id INT PRIMARY KEY, t_id INT)",
    "CREATE FUNCTION f1(x INT, y VARCHAR(10)) RETURNS VARCHAR(30) DETERMINISTIC NO SQL COMMENT 'one''s own' RETURN CONCAT(x, ')', y)",
    "CREATE PROCEDURE p1(IN x INT, OUT y INT) MODIFIES SQL DATA SQL SECURITY INVOKER BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION SET y = -1; INSERT INTO t (a) VALUES (x); SELECT COUNT(*) INTO y FROM {db}.t; END",
    "CREATE VIEW v1 AS SELECT id, a + 1 AS b, 'it''s' AS lit FROM t WHERE s <> 'abc' WITH LOCAL CHECK OPTION",
    "CREATE VIEW v2 (k, `m n`) AS SELECT u.t_id, x.b FROM u JOIN v1 x ON x.id = u.t_id",
    "CREATE TRIGGER tr1 BEFORE INSERT ON t FOR EACH ROW SET NEW.a = NEW.a + 1",
    "CREATE TRIGGER tr3 AFTER DELETE ON t FOR EACH ROW BEGIN DELETE FROM u WHERE t_id = OLD.id; END",
];

const EVENTS: &[&str] = &[
    "CREATE EVENT e1 ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' ENDS '2037-06-01 00:00:00' ON COMPLETION PRESERVE DISABLE COMMENT 'ev''s' DO DELETE FROM t WHERE id < 0",
    "CREATE EVENT e2 ON SCHEDULE EVERY '1:30' HOUR_MINUTE STARTS '2037-01-01 00:00:00' DO BEGIN DELETE FROM t WHERE id < 0; END",
    "CREATE EVENT e3 ON SCHEDULE AT '2037-02-03 04:05:06' DO SET @x = 1",
];

async fn make(name: &str, db: &str, more: &[&str]) {
    let mut connection = admin(name).await;
    run(&mut connection, &format!("DROP DATABASE IF EXISTS {db}; CREATE DATABASE {db}")).await;
    run(&mut connection, &format!("USE {db}")).await;
    for statement in SHARED.iter().chain(more) {
        run(&mut connection, &statement.replace("{db}", db)).await;
    }
}

async fn drop_schema(name: &str, db: &str) {
    run(&mut admin(name).await, &format!("DROP DATABASE {db}")).await;
}

async fn read(name: &str, db: &str) -> ObjectCatalogue {
    catalog(name).objects(&[db.to_owned()]).await.unwrap()
}

#[track_caller]
fn object<'a>(found: &'a ObjectCatalogue, kind: ObjectKind, name: &str) -> &'a SchemaObject {
    let object = found.objects.iter().find(|object| object.kind() == kind && object.name.table == name);
    object.unwrap_or_else(|| panic!("no {kind} {name} in {found:#?}"))
}

fn assert_views(found: &ObjectCatalogue, db: &str) {
    let v1 = object(found, ObjectKind::View, "v1");
    let Definition::View(view) = &v1.definition else { unreachable!() };
    assert_eq!(view.columns, ["id", "b", "lit"]);
    assert_eq!(view.check_option.as_deref(), Some("LOCAL"));
    assert!(
        view.query.starts_with("select") && view.query.contains(&format!("`{db}`.`t`")),
        "{}",
        view.query
    );
    assert!(view.query.contains("'it\\'s'") || view.query.contains("'it''s'"), "{}", view.query);
    assert_eq!(v1.definer.as_ref().map(|definer| definer.user.as_str()), Some("root"));
    let Definition::View(view) = &object(found, ObjectKind::View, "v2").definition else { unreachable!() };
    assert_eq!(
        (view.columns.as_slice(), view.check_option.as_deref()),
        (["k".into(), "m n".into()].as_slice(), None)
    );
}

fn assert_programs(found: &ObjectCatalogue, db: &str) {
    let f1 = object(found, ObjectKind::Function, "f1");
    let Definition::Routine(f) = &f1.definition else { unreachable!() };
    assert_eq!(f.parameters, "x INT, y VARCHAR(10)");
    assert!(f.returns.as_deref().is_some_and(|text| text.to_lowercase().starts_with("varchar(30)")), "{f:?}");
    assert_eq!((f.deterministic, f.data_access.as_str(), f.security), (true, "NO SQL", Security::Definer));
    assert_eq!((f1.comment.as_str(), f.body.as_str()), ("one's own", "RETURN CONCAT(x, ')', y)"));
    let Definition::Routine(p) = &object(found, ObjectKind::Procedure, "p1").definition else {
        unreachable!()
    };
    assert_eq!((p.parameters.as_str(), p.returns.as_ref()), ("IN x INT, OUT y INT", None));
    assert_eq!(
        (p.deterministic, p.data_access.as_str(), p.security),
        (false, "MODIFIES SQL DATA", Security::Invoker)
    );
    assert!(
        p.body.starts_with("BEGIN DECLARE") && p.body.ends_with(&format!("FROM {db}.t; END")),
        "{}",
        p.body
    );
    let tr1 = object(found, ObjectKind::Trigger, "tr1");
    let Definition::Trigger(trigger) = &tr1.definition else { unreachable!() };
    assert_eq!((trigger.timing.as_str(), trigger.event.as_str()), ("BEFORE", "INSERT"));
    assert_eq!((trigger.table.table.as_str(), trigger.body.as_str()), ("t", "SET NEW.a = NEW.a + 1"));
    assert!(tr1.session.sql_mode.is_some() && tr1.session.collation_connection.is_some());
    let Definition::Trigger(trigger) = &object(found, ObjectKind::Trigger, "tr3").definition else {
        unreachable!()
    };
    assert_eq!(trigger.body, "BEGIN DELETE FROM u WHERE t_id = OLD.id; END");
}

fn assert_events(found: &ObjectCatalogue) {
    let at = |text: &str| Some(format!("2037-{text}"));
    let e1 = object(found, ObjectKind::Event, "e1");
    let Definition::Event(event) = &e1.definition else { unreachable!() };
    let every = Schedule::Every {
        value: "1".into(),
        unit: "DAY".into(),
        starts: at("01-01 00:00:00"),
        ends: at("06-01 00:00:00"),
    };
    assert_eq!((&event.schedule, event.enabled, event.preserve), (&every, false, true));
    assert_eq!((e1.comment.as_str(), event.body.as_str()), ("ev's", "DELETE FROM t WHERE id < 0"));
    assert!(e1.session.time_zone.is_some());
    let Definition::Event(event) = &object(found, ObjectKind::Event, "e2").definition else { unreachable!() };
    let Schedule::Every { value, unit, ends, .. } = &event.schedule else { unreachable!() };
    assert_eq!((value.as_str(), unit.as_str(), ends.as_ref()), ("'1:30'", "HOUR_MINUTE", None));
    assert!(event.enabled && !event.preserve);
    let Definition::Event(event) = &object(found, ObjectKind::Event, "e3").definition else { unreachable!() };
    assert_eq!(event.schedule, Schedule::At("2037-02-03 04:05:06".into()));
}

fn unread(found: &ObjectCatalogue, kind: ObjectKind) -> Vec<(bool, &str)> {
    let of_kind = found.unread.iter().filter(|unread| unread.kind == kind);
    of_kind.map(|unread| (unread.unknown_to_server, unread.reason.as_str())).collect()
}

#[tokio::test]
async fn objects_come_back_from_every_family_and_version() {
    for name in ["mysql97", "mysql56", "mysql55", "mariadb1011", "mariadb102", "mariadb118"] {
        let db = "catalog_objects";
        make(name, db, EVENTS).await;
        let found = read(name, db).await;
        assert_views(&found, db);
        assert_programs(&found, db);
        assert_events(&found);
        let maria = name.starts_with("mariadb1");
        let sequences = unread(&found, ObjectKind::Sequence);
        assert_eq!(sequences.iter().any(|(unknown, _)| *unknown), !maria || name == "mariadb102", "{name}");
        let others: Vec<_> =
            found.unread.iter().filter(|unread| unread.kind != ObjectKind::Sequence).collect();
        assert!(others.is_empty(), "{name}: {others:?}");
        drop_schema(name, db).await;
    }
}

#[tokio::test]
async fn objects_of_oceanbase_come_back_and_what_it_lacks_is_named() {
    let db = "catalog_objects_ob";
    make("seekdb", db, &["CREATE TRIGGER tr2 BEFORE INSERT ON t FOR EACH ROW FOLLOWS tr1 SET NEW.s = 'z'"])
        .await;
    let found = read("seekdb", db).await;
    assert_views(&found, db);
    assert_programs(&found, db);
    let Definition::Trigger(trigger) = &object(&found, ObjectKind::Trigger, "tr2").definition else {
        unreachable!()
    };
    assert_eq!((trigger.order, trigger.body.as_str()), (2, "SET NEW.s = 'z'"));
    let events = unread(&found, ObjectKind::Event);
    assert!(matches!(events.as_slice(), [(true, reason)] if reason.starts_with("1109 ")), "{events:?}");
    drop_schema("seekdb", db).await;
}

#[tokio::test]
async fn views_keep_algorithm_and_security_and_broken_ones_are_read() {
    for name in ["mysql97", "mariadb1011"] {
        let db = "catalog_objects_views";
        let more = [
            "CREATE ALGORITHM=TEMPTABLE SQL SECURITY INVOKER VIEW v3 AS SELECT MAX(id) AS top FROM t",
            "CREATE TABLE gone (x INT)",
            "CREATE VIEW v4 AS SELECT x FROM gone",
            "DROP TABLE gone",
        ];
        make(name, db, &more).await;
        let found = read(name, db).await;
        let Definition::View(view) = &object(&found, ObjectKind::View, "v3").definition else {
            unreachable!()
        };
        assert_eq!((view.algorithm.as_deref(), view.security), (Some("TEMPTABLE"), Security::Invoker));
        let Definition::View(view) = &object(&found, ObjectKind::View, "v4").definition else {
            unreachable!()
        };
        assert!(view.query.contains("gone"), "{}", view.query);
        drop_schema(name, db).await;
    }
}

#[tokio::test]
async fn sequences_tell_a_value_beyond_all_that_were_handed_out() {
    for name in ["mariadb1011", "mariadb118"] {
        let db = "catalog_objects_sequences";
        let more =
            ["CREATE SEQUENCE s1 START WITH 5 INCREMENT BY 2 MAXVALUE 1000 CACHE 10 CYCLE", "DO NEXTVAL(s1)"];
        make(name, db, &more).await;
        let found = read(name, db).await;
        let Definition::Sequence(sequence) = &object(&found, ObjectKind::Sequence, "s1").definition else {
            unreachable!()
        };
        assert_eq!((sequence.start, sequence.increment, sequence.minimum, sequence.maximum), (5, 2, 1, 1000));
        assert_eq!((sequence.cache, sequence.cycle, sequence.next), (10, true, 25));
        drop_schema(name, db).await;
    }
}

#[tokio::test]
async fn what_the_user_may_not_see_is_said() {
    for name in ["mysql97", "mariadb1011"] {
        let db = "catalog_objects_hidden";
        make(name, db, EVENTS).await;
        let mut root = admin(name).await;
        run(
            &mut root,
            "DROP USER IF EXISTS objects_blind@'%'; CREATE USER objects_blind@'%' IDENTIFIED BY 'Blind-1'",
        )
        .await;
        run(
            &mut root,
            &format!(
                "GRANT SELECT ON {db}.t TO objects_blind@'%'; GRANT SELECT ON {db}.v1 TO objects_blind@'%'"
            ),
        )
        .await;
        let mut options = server::root(name);
        (options.user, options.password) = ("objects_blind".into(), Secret::new("Blind-1"));
        let found = MysqlCatalog::new(&options).objects(&[db.to_owned()]).await.unwrap();
        assert!(found.objects.is_empty(), "{:?}", found.objects);
        for (kind, word) in [
            (ObjectKind::View, "SHOW VIEW"),
            (ObjectKind::Trigger, "GRANT TRIGGER ON"),
            (ObjectKind::Event, "GRANT EVENT ON"),
            (ObjectKind::Procedure, "SHOW_ROUTINE"),
            (ObjectKind::Function, "mysql.proc"),
        ] {
            let reasons = unread(&found, kind);
            assert!(
                reasons.iter().any(|(unknown, reason)| !unknown && reason.contains(word)),
                "{name} {kind}: {reasons:?}"
            );
        }
        let accounts = MysqlCatalog::new(&options).accounts().await.unwrap();
        assert!(
            accounts.accounts.is_empty()
                && accounts.unread.is_some_and(|reason| reason.contains("mysql.user"))
        );
        run(&mut root, "DROP USER objects_blind@'%'").await;
        drop_schema(name, db).await;
    }
}

#[tokio::test]
async fn accounts_are_listed_without_secrets() {
    for name in ["mysql97", "mysql56", "mysql55", "mariadb1011", "mariadb102", "mariadb118", "seekdb"] {
        let found = catalog(name).accounts().await.unwrap();
        let whimbrel = found.accounts.iter().find(|account| account.name.user == "whimbrel");
        let whimbrel = whimbrel.unwrap_or_else(|| panic!("{name}: {found:#?}"));
        assert!(whimbrel.grants.iter().any(|grant| grant.starts_with("GRANT ")), "{name}: {whimbrel:?}");
        assert!(!whimbrel.role && !whimbrel.locked);
        let text = format!("{found:?}");
        assert!(!text.contains("IDENTIFIED") && !text.contains("'*"), "{name}: {text}");
    }
}
