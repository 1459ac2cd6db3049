//! Conversion without a server: what is renamed, what is left out and why, and in which order objects come.

use std::collections::BTreeMap;

use whimbrel_connector::{Flavor, ServerInfo};
use whimbrel_model::object::{Event, Routine, Schedule, Security, Sequence, Trigger, View};
use whimbrel_mysql_ddl::Dialect;

use super::*;

fn profile(flavor: Flavor) -> TargetProfile {
    let collations: &[(&str, &str)] = match flavor {
        Flavor::OceanBase => {
            &[("utf8mb4_general_ci", "utf8mb4"), ("utf8mb4_bin", "utf8mb4"), ("binary", "binary")]
        }
        _ => &[
            ("utf8mb4_general_ci", "utf8mb4"),
            ("utf8mb4_bin", "utf8mb4"),
            ("utf8mb4_unicode_ci", "utf8mb4"),
            ("latin1_swedish_ci", "latin1"),
        ],
    };
    TargetProfile::new(&ServerInfo {
        flavor,
        version: (9, 7, 0),
        version_text: String::new(),
        server: String::new(),
        variables: BTreeMap::new(),
        collations: collations.iter().map(|(name, charset)| ((*name).into(), (*charset).into())).collect(),
        abilities: whimbrel_connector::Abilities::default(),
    })
}

fn object(name: &str, definition: Definition) -> SchemaObject {
    let definer = Some(AccountName { user: "app".into(), host: "%".into() });
    SchemaObject {
        name: TableName::new("shop", name),
        definer,
        session: ObjectSession::default(),
        comment: String::new(),
        definition,
    }
}

fn view(name: &str, query: &str) -> SchemaObject {
    let view = View {
        columns: vec!["a".into()],
        query: query.into(),
        algorithm: None,
        check_option: None,
        security: Security::Definer,
    };
    object(name, Definition::View(view))
}

fn procedure(name: &str, body: &str) -> SchemaObject {
    let routine = Routine {
        kind: ObjectKind::Procedure,
        parameters: "IN x INT".into(),
        returns: None,
        deterministic: false,
        data_access: "CONTAINS SQL".into(),
        security: Security::Definer,
        aggregate: false,
        language: None,
        body: body.into(),
    };
    object(name, Definition::Routine(routine))
}

/// `shop.log_*=archive.old_*`, `shop.*=store.*`, as a task may have them.
fn moved(name: &TableName) -> TableName {
    match (name.schema.as_str(), name.table.strip_prefix("log_")) {
        ("shop", Some(rest)) => TableName::new("archive", format!("old_{rest}")),
        ("shop", None) => TableName::new("store", name.table.clone()),
        _ => name.clone(),
    }
}

fn convert(
    flavor: Flavor,
    rename: &dyn Fn(&TableName) -> TableName,
    objects: &[SchemaObject],
) -> Vec<ConvertedObject> {
    let tables: Vec<TableName> =
        ["orders", "items", "log_x"].map(|table| TableName::new("shop", table)).into();
    let profile = profile(flavor);
    let options = ParseOptions::new(Dialect::mysql(90_700));
    let context = ObjectContext::new(&profile, options, rename, &tables, objects);
    convert_objects(objects, &context)
}

fn outcome(rename: &dyn Fn(&TableName) -> TableName, object: SchemaObject) -> Result<String, String> {
    let converted = convert(Flavor::Mysql, rename, &[object]).remove(0);
    converted.outcome.map(|ddl| ddl.sql())
}

#[test]
fn views_follow_their_tables_to_other_names() {
    let head = "CREATE SQL SECURITY DEFINER VIEW `store`.`v` (`a`) AS ";
    for (query, expected) in [
        (
            "select `shop`.`orders`.`id` AS `a` from `shop`.`orders`",
            "select `store`.`orders`.`id` AS `a` from `store`.`orders`",
        ),
        (
            "select `shop`.`log_x`.`id` AS `a` from `shop`.`log_x`",
            "select `archive`.`old_x`.`id` AS `a` from `archive`.`old_x`",
        ),
        // MySQL prints the schema in front of an alias too.
        (
            "select `shop`.`l`.`id` AS `a` from `shop`.`log_x` `l`",
            "select `l`.`id` AS `a` from `archive`.`old_x` `l`",
        ),
        (
            "select `o`.`id` AS `shop`,'shop.orders' AS `b` from `shop`.`orders` `o` /* shop.orders */",
            "select `o`.`id` AS `shop`,'shop.orders' AS `b` from `store`.`orders` `o` /* shop.orders */",
        ),
        (
            "select `mysql`.`user`.`User` AS `a` from `mysql`.`user`",
            "select `mysql`.`user`.`User` AS `a` from `mysql`.`user`",
        ),
    ] {
        assert_eq!(outcome(&moved, view("v", query)), Ok(format!("{head}{expected}")));
    }
}

#[test]
fn a_name_that_may_mean_two_things_leaves_the_object_out() {
    for query in [
        // An alias that is called as the schema.
        "select `shop`.`orders` AS `a` from `shop`.`orders` `shop`",
        // A table that is called otherwise at the target, named without its schema.
        "select `log_x`.`id` AS `a` from `shop`.`log_x`",
        // A table's name that is an alias too.
        "select `shop`.`log_x`.`id` AS `a` from `shop`.`log_x` join `shop`.`items` `log_x`",
    ] {
        let refused = outcome(&moved, view("v", query));
        assert!(refused.is_err(), "{refused:?}");
        let same = outcome(&|name| name.clone(), view("v", query));
        assert!(same.is_ok_and(|sql| sql.ends_with(query)), "names that stay need no certainty");
    }
}

#[test]
fn bodies_are_renamed_only_where_that_is_certain() {
    let ok = |body: &str| {
        outcome(&moved, procedure("p", body)).map(|sql| sql.split_once('\n').unwrap().1.to_owned())
    };
    assert_eq!(
        ok("BEGIN INSERT INTO shop.log_x SELECT id FROM shop.orders; UPDATE orders SET n = x; END").unwrap(),
        "BEGIN INSERT INTO `archive`.`old_x` SELECT id FROM `store`.`orders`; UPDATE orders SET n = x; END"
    );
    assert!(ok("DELETE FROM log_x").unwrap_err().contains("archive.old_x"));
    assert!(
        ok("BEGIN DECLARE shop INT; SELECT orders FROM t; SET shop = (SELECT shop.orders FROM t); END")
            .is_err()
    );
    assert_eq!(ok("SELECT @shop.orders, 'shop.orders'").unwrap(), "SELECT @shop.orders, 'shop.orders'");
    assert!(
        ok("BEGIN PREPARE s FROM 'DELETE FROM shop.orders'; EXECUTE s; END")
            .unwrap_err()
            .contains("run time")
    );
    let dynamic =
        convert(Flavor::Mysql, &moved, &[procedure("p", "BEGIN PREPARE s FROM @text; EXECUTE s; END")]);
    assert!(dynamic[0].outcome.is_ok() && !dynamic[0].is_unchanged());
}

#[test]
fn the_mode_of_the_session_decides_what_a_string_is() {
    let mut object = procedure("p", r#"SELECT "shop"."orders"."id" FROM "shop"."orders""#);
    let plain = outcome(&moved, object.clone()).unwrap();
    assert!(plain.ends_with(r#""shop"."orders"."id" FROM "shop"."orders""#), "{plain}");
    object.session.sql_mode = Some("PIPES_AS_CONCAT,ANSI_QUOTES,ORACLE,NO_AUTO_CREATE_USER".into());
    let converted = convert(Flavor::Mysql, &moved, &[object]).remove(0);
    let ddl = converted.outcome.unwrap();
    assert!(ddl.sql().ends_with("SELECT `store`.`orders`.\"id\" FROM `store`.`orders`"), "{}", ddl.sql());
    assert_eq!(ddl.settings, ["SET sql_mode = 'PIPES_AS_CONCAT,ANSI_QUOTES'"]);
}

#[test]
fn a_definer_stays_where_the_target_knows_the_account() {
    let objects = [view("v", "select 1 AS `a`")];
    let profile = profile(Flavor::Mysql);
    let same = |name: &TableName| name.clone();
    let options = ParseOptions::new(Dialect::mysql(90_700));
    let account = |user: &str| Account {
        name: AccountName { user: user.into(), host: "%".into() },
        role: false,
        plugin: String::new(),
        locked: false,
        grants: Vec::new(),
    };
    for (there, definer) in [("app", " DEFINER=`app`@`%`"), ("other", "")] {
        let accounts = [account(there)];
        let context = ObjectContext::new(&profile, options, &same, [], &objects).with_accounts(&accounts);
        let converted = convert_object(&objects[0], &context);
        let sql = converted.outcome.as_ref().unwrap().sql();
        assert_eq!(
            sql,
            format!("CREATE{definer} SQL SECURITY DEFINER VIEW `shop`.`v` (`a`) AS select 1 AS `a`")
        );
        assert_eq!(converted.is_unchanged(), there == "app");
    }
}

#[test]
fn oceanbase_gets_what_it_knows_and_the_rest_is_noted() {
    let mut invoker = view(
        "v",
        "select cast(`shop`.`orders`.`s` as char charset latin1) collate utf8mb4_unicode_ci AS `a`,_latin1'x' AS `b` from `shop`.`orders`",
    );
    let Definition::View(definition) = &mut invoker.definition else { unreachable!() };
    (definition.security, definition.check_option) = (Security::Invoker, Some("LOCAL".into()));
    definition.algorithm = Some("MERGE".into());
    let converted = convert(Flavor::OceanBase, &|name| name.clone(), &[invoker]).remove(0);
    assert_eq!(
        converted.outcome.unwrap().sql(),
        "CREATE VIEW `shop`.`v` (`a`) AS select cast(`shop`.`orders`.`s` as char charset utf8mb4) collate \
         utf8mb4_general_ci AS `a`,'x' AS `b` from `shop`.`orders` WITH LOCAL CHECK OPTION"
    );
    let texts: Vec<&str> = converted.notes.iter().map(|note| note.text.as_str()).collect();
    for word in ["INVOKER", "ALGORITHM", "latin1", "utf8mb4_unicode_ci"] {
        assert!(texts.iter().any(|text| text.contains(word)), "{word}: {texts:?}");
    }
    assert!(converted.notes.iter().any(|note| note.loss == Loss::Behaviour));
}

#[test]
fn objects_come_behind_what_they_stand_on() {
    let trigger = Trigger {
        table: TableName::new("shop", "log_x"),
        timing: "BEFORE".into(),
        event: "INSERT".into(),
        order: 1,
        body: "SET NEW.a = 1".into(),
    };
    let objects = [
        object("t", Definition::Trigger(trigger)),
        view("a", "select `shop`.`b`.`x` AS `a` from `shop`.`b`"),
        view("b", "select `f`(`shop`.`c`.`x`) AS `a` from `shop`.`c`"),
        view("c", "select 1 AS `a` from `shop`.`orders`"),
        procedure("p", "CALL q()"),
        procedure("q", "CALL p()"),
        object(
            "f",
            Definition::Routine(Routine {
                kind: ObjectKind::Function,
                parameters: String::new(),
                returns: Some("INT".into()),
                deterministic: true,
                data_access: "NO SQL".into(),
                security: Security::Definer,
                aggregate: false,
                language: None,
                body: "RETURN 1".into(),
            }),
        ),
    ];
    let converted = convert(Flavor::MariaDb, &moved, &objects);
    let names: Vec<&str> = converted.iter().map(|object| object.source.table.as_str()).collect();
    assert_eq!(names, ["f", "q", "p", "c", "b", "a", "t"]);
    let b = converted[4].outcome.as_ref().unwrap().sql();
    assert!(b.ends_with("select `store`.`f`(`store`.`c`.`x`) AS `a` from `store`.`c`"), "{b}");
    let trigger = &converted[6];
    assert_eq!(trigger.target, TableName::new("archive", "t"));
    let ddl = trigger.outcome.as_ref().unwrap();
    assert_eq!(
        ddl.sql(),
        "CREATE TRIGGER `archive`.`t` BEFORE INSERT ON `archive`.`old_x` FOR EACH ROW SET NEW.a = 1"
    );
    assert_eq!(
        ddl.in_schema("scratch").sql(),
        "CREATE TRIGGER `scratch`.`t` BEFORE INSERT ON `scratch`.`old_x` FOR EACH ROW SET NEW.a = 1"
    );
    assert_eq!(ddl.drop_sql(), "DROP TRIGGER IF EXISTS `archive`.`t`");
}

#[test]
fn events_keep_their_schedule_and_are_tried_switched_off() {
    let event = Event {
        schedule: Schedule::Every {
            value: "'1:30'".into(),
            unit: "HOUR_MINUTE".into(),
            starts: Some("2037-01-01 00:00:00".into()),
            ends: None,
        },
        enabled: true,
        preserve: false,
        body: "DELETE FROM orders".into(),
    };
    let mut object = object("e", Definition::Event(event));
    object.session.time_zone = Some("+02:00".into());
    object.comment = "it's".into();
    let ddl = convert(Flavor::MariaDb, &moved, &[object]).remove(0).outcome.unwrap();
    assert_eq!(
        ddl.sql(),
        "CREATE EVENT `store`.`e` ON SCHEDULE EVERY '1:30' HOUR_MINUTE STARTS '2037-01-01 00:00:00' ON COMPLETION NOT \
         PRESERVE ENABLE COMMENT 'it''s' DO DELETE FROM orders"
    );
    assert!(ddl.settings.contains(&"SET time_zone = '+02:00'".to_owned()));
    assert!(ddl.in_schema("scratch").sql().contains(" DISABLE "));
}

#[test]
fn sequences_go_on_behind_what_was_handed_out() {
    let mut sequence =
        Sequence { start: 5, minimum: 1, maximum: 1000, increment: 2, cache: 0, cycle: true, next: 25 };
    let ddl = |flavor, sequence: &Sequence| {
        let object = object("s", Definition::Sequence(sequence.clone()));
        convert(flavor, &moved, &[object]).remove(0).outcome.unwrap()
    };
    let maria = ddl(Flavor::MariaDb, &sequence);
    assert_eq!(
        maria.sql(),
        "CREATE SEQUENCE `store`.`s` START WITH 5 INCREMENT BY 2 MINVALUE 1 MAXVALUE 1000 NOCACHE CYCLE"
    );
    assert_eq!(maria.advance.as_deref(), Some("ALTER SEQUENCE `store`.`s` RESTART WITH 25"));
    assert!(ddl(Flavor::OceanBase, &sequence).sql().contains("START WITH 25 "));
    sequence.next = 1001;
    assert_eq!(ddl(Flavor::MariaDb, &sequence).advance.as_deref(), Some("DO SETVAL(`store`.`s`, 1000, 1)"));
}

#[test]
fn defaults_ask_the_sequence_by_its_new_name() {
    let convert = |flavor, text| super::default_of_sequence(text, &profile(flavor), &moved);
    assert_eq!(
        convert(Flavor::MariaDb, "nextval(`shop`.`log_s`)"),
        Some(Some("nextval(`archive`.`old_s`)".into()))
    );
    assert_eq!(convert(Flavor::OceanBase, "nextval(`shop`.`s`) + 1"), Some(None));
    assert_eq!(convert(Flavor::OceanBase, "concat('nextval(',`a`.`b`)"), None);
}

#[test]
fn schemas_keep_their_default_collation_as_far_as_the_target_has_it() {
    let sql = |flavor, collation| crate::create_schema("s", collation, &profile(flavor));
    let create = "CREATE DATABASE IF NOT EXISTS `s`";
    let latin = Some("latin1_swedish_ci");
    assert_eq!(
        sql(Flavor::Mysql, latin),
        format!("{create} DEFAULT CHARACTER SET latin1 COLLATE latin1_swedish_ci")
    );
    assert_eq!(
        sql(Flavor::OceanBase, latin),
        format!("{create} DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    );
    assert_eq!(
        (sql(Flavor::Mysql, None), sql(Flavor::Mysql, Some("binary"))),
        (create.into(), create.into())
    );
}

#[test]
fn what_is_not_sql_is_left_out_with_its_reason() {
    let mut script = procedure("p", "x + 1");
    let Definition::Routine(routine) = &mut script.definition else { unreachable!() };
    routine.language = Some("JAVASCRIPT".into());
    assert!(outcome(&moved, script).unwrap_err().contains("JAVASCRIPT"));
    assert!(outcome(&moved, procedure("p", "SELECT 'open")).unwrap_err().contains("can't be read"));
}
