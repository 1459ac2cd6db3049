//! What a server can do is found out by trying, and agrees with what is known of the servers that run here.

use whimbrel_connector::{Abilities, Catalog};
use whimbrel_connector_mysql::catalog::MysqlCatalog;
use whimbrel_dbcat::TargetProfile;

use crate::server::root;

/// All that a profile decides, by name.
fn decisions(profile: &TargetProfile) -> Vec<(&'static str, bool)> {
    vec![
        ("vectors", profile.has_vectors()),
        ("json", profile.has_json()),
        ("spatial reference systems", profile.has_spatial_reference_systems()),
        ("SRID columns", profile.has_srid_columns()),
        ("defaults of large types", profile.has_defaults_for_large_types()),
        ("invisible columns", profile.has_invisible_columns()),
        ("generated NOT NULL", profile.has_generated_not_null()),
        ("functional keys", profile.has_functional_keys()),
        ("descending keys", profile.has_descending_keys()),
        ("prefix primary keys", profile.has_prefix_primary_keys()),
        ("hash keys", profile.has_hash_keys()),
        ("checks", profile.has_checks()),
        ("linear partitions", profile.has_linear_partitions()),
    ]
}

#[tokio::test]
async fn what_is_tried_agrees_with_what_the_version_says() {
    for (name, key_bytes) in [("mysql97", 3_072), ("mariadb1011", 3_072), ("seekdb", 16_384)] {
        let mut catalog = MysqlCatalog::new(&root(name));
        let mut server = catalog.server().await.unwrap();
        let before = catalog.schemas().await.unwrap();
        let tried = catalog.try_abilities().await.unwrap();
        let scratch =
            |schemas: &[String]| schemas.iter().filter(|s| s.starts_with("whimbrel_scratch_")).count();
        assert_eq!(
            scratch(&catalog.schemas().await.unwrap()),
            scratch(&before),
            "{name}: the scratch schema stays"
        );
        assert_eq!(tried.known.len(), 13, "{name}: {tried:?}");
        assert_eq!(tried.key_bytes, Some(key_bytes), "{name}");
        server.abilities = Abilities::default();
        let by_version = decisions(&TargetProfile::new(&server));
        server.abilities.learn(tried);
        assert_eq!(decisions(&TargetProfile::new(&server)), by_version, "{name}");
    }
}

#[tokio::test]
async fn a_user_who_may_make_no_schema_learns_nothing_and_is_told_nothing_wrong() {
    let mut options = root("mysql97");
    let mut session = crate::server::session("mysql97").await;
    crate::server::run(
        &mut session,
        "DROP USER IF EXISTS dbcat_no_schema; CREATE USER dbcat_no_schema IDENTIFIED BY 'pw'",
    )
    .await;
    options.user = "dbcat_no_schema".to_owned();
    options.password = whimbrel_connector_mysql::wire::Secret::new("pw");
    let tried = MysqlCatalog::new(&options).try_abilities().await.unwrap();
    assert_eq!(tried, Abilities::default());
    crate::server::run(&mut session, "DROP USER dbcat_no_schema").await;
}
