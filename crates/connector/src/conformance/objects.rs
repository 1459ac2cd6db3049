//! Cases for what a schema holds besides tables.

use whimbrel_model::object::{Definition, ObjectKind};

use super::{Playground, create_table, must};

/// Views come with their columns in order and a text that names their tables; nothing of other schemas comes along.
pub async fn views_come_back_with_their_columns(playground: &dyn Playground) {
    let table =
        create_table(playground, "base", "id INT NOT NULL PRIMARY KEY, amount INT, note VARCHAR(20)").await;
    let schema = playground.schema();
    playground
        .run(&format!("CREATE VIEW {schema}.shown (number, twice) AS SELECT id, amount * 2 FROM {table}"))
        .await;
    playground
        .run(&format!("CREATE VIEW {schema}.again AS SELECT number FROM {schema}.shown WHERE twice > 4"))
        .await;
    let mut catalog = must(playground.source().catalog().await);
    let found = must(catalog.objects(&[schema.to_owned()]).await);
    let views: Vec<_> = found
        .objects
        .iter()
        .filter_map(|object| match &object.definition {
            Definition::View(view) => Some((object.name.table.as_str(), view)),
            _ => None,
        })
        .collect();
    let [("again", again), ("shown", shown)] = views.as_slice() else { panic!("other views: {views:#?}") };
    assert_eq!(again.columns, ["number"]);
    assert_eq!(shown.columns, ["number", "twice"]);
    assert!(again.query.contains("shown") && shown.query.contains("base"), "{views:#?}");
    assert!(found.objects.iter().all(|object| object.name.schema == schema));
    let unread = |kind| found.unread.iter().any(|unread| unread.kind == kind && !unread.unknown_to_server);
    assert!(!unread(ObjectKind::View), "{:?}", found.unread);
}

/// No schemas, no objects; and a schema that isn't there has none.
pub async fn nothing_is_read_of_schemas_that_were_not_asked_for(playground: &dyn Playground) {
    let table = create_table(playground, "base", "id INT NOT NULL PRIMARY KEY").await;
    playground.run(&format!("CREATE VIEW {}.v AS SELECT id FROM {table}", playground.schema())).await;
    let mut catalog = must(playground.source().catalog().await);
    assert!(must(catalog.objects(&[]).await).objects.is_empty());
    let elsewhere = format!("{}_of_nobody", playground.schema());
    assert!(must(catalog.objects(&[elsewhere]).await).objects.is_empty());
}
