//! What a server is: flavour, version, identity, variables, collations.

use std::collections::BTreeMap;

use whimbrel_connector::{Abilities, Ability, Result, ServerInfo};

use super::session::{Answer, Session};

/// Variables that checks, positions and conversion look at. Those that a server lacks are left out.
const VARIABLES: [&str; 36] = [
    "binlog_checksum",
    "binlog_expire_logs_seconds",
    "binlog_format",
    "binlog_row_image",
    "binlog_row_metadata",
    "binlog_row_value_options",
    "binlog_transaction_compression",
    "character_set_server",
    "collation_server",
    "default_storage_engine",
    "enforce_gtid_consistency",
    "expire_logs_days",
    "explicit_defaults_for_timestamp",
    "gtid_domain_id",
    "gtid_mode",
    "gtid_strict_mode",
    "innodb_page_size",
    "innodb_strict_mode",
    "log_bin",
    "log_bin_compress",
    "log_replica_updates",
    "log_slave_updates",
    "lower_case_table_names",
    "max_allowed_packet",
    "max_connections",
    "ob_compatibility_mode",
    "offline_mode",
    "read_only",
    "server_id",
    "server_uuid",
    "sql_mode",
    "super_read_only",
    "system_time_zone",
    "time_zone",
    "version_comment",
    "wait_timeout",
];

pub(super) async fn server(session: &mut Session) -> Result<ServerInfo> {
    let identity = session.identity().await?;
    let variables = variables(session).await?;
    let mut collations = BTreeMap::new();
    let sql = "SELECT COLLATION_NAME, CHARACTER_SET_NAME FROM information_schema.COLLATIONS";
    for row in session.rows(sql, "reading collations").await? {
        if let Some(name) = row.text(0) {
            collations.insert(name.to_owned(), row.text(1).unwrap_or_default().to_owned());
        }
    }
    // MariaDB 10.10 and later list uca1400 collations without charset; the full names stand here.
    let sql = "SELECT FULL_COLLATION_NAME, CHARACTER_SET_NAME \
               FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY";
    for row in session.ask(sql, "reading collations").await?.rows() {
        if let (Some(name), Some(charset)) = (row.text(0), row.text(1)) {
            collations.insert(name.to_owned(), charset.to_owned());
        }
    }
    collations.retain(|_, charset| !charset.is_empty());
    Ok(ServerInfo {
        flavor: identity.flavor,
        version: identity.version,
        version_text: identity.version_text,
        server: server_name(&variables),
        variables,
        collations,
        abilities: asked(session).await?,
    })
}

/// Abilities that show in the answer to a query.
async fn asked(session: &mut Session) -> Result<Abilities> {
    let mut abilities = Abilities::default();
    // seekdb has no spatial reference systems (3548); MariaDB has them without knowing any.
    let sql = "SELECT ST_SRID(ST_GeomFromText('POINT(0 0)', 4326))";
    let answer = session.ask(sql, "asking for spatial reference systems").await?;
    let able =
        matches!(&answer, Answer::Rows(rows) if rows.first().is_some_and(|row| row.text(0) == Some("4326")));
    abilities.known.insert(Ability::SpatialReferenceSystems, able);
    Ok(abilities)
}

/// `server_uuid`, else `server_id`: what positions carry.
pub(super) fn server_name(variables: &BTreeMap<String, String>) -> String {
    let get = |name: &str| variables.get(name).filter(|value| !value.is_empty());
    get("server_uuid").or_else(|| get("server_id")).cloned().unwrap_or_default()
}

/// The global variables of [`VARIABLES`] that this server has, by lower-case name.
pub(super) async fn variables(session: &mut Session) -> Result<BTreeMap<String, String>> {
    let names: Vec<String> = VARIABLES.iter().map(|name| format!("'{name}'")).collect();
    let sql = format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})", names.join(","));
    let rows = session.rows(&sql, "reading variables").await?;
    let pair = |row: &crate::wire::Row| Some((row.text(0)?.to_ascii_lowercase(), row.text(1)?.to_owned()));
    Ok(rows.iter().filter_map(pair).collect())
}
