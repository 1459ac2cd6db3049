//! Whether a server can be the target: writable, privileges, limits.

use whimbrel_connector::{ErrorKind, Finding, Flavor, Result, Severity};

use super::privileges::{self, Privileges};
use super::probe;
use super::session::{Answer, Identity, Session, identifier};

/// Where a task's state lives at the target.
const STATE_SCHEMA: &str = "whimbrel";

/// What a task does to tables of a schema. SELECT is for verification and for reading conflicting rows.
const ON_TABLES: [&str; 8] = ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "INDEX", "DROP"];
const ON_STATE: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE"];

/// Smaller limits refuse rows that other servers take.
const COMFORTABLE_PACKET: u64 = 64 << 20;

/// Whether the user is one of the administrators who may write to a server that is `read_only`. Which privilege makes one
/// differs from version to version, so it is tried: MySQL and MariaDB refuse before they look for the table. OceanBase
/// looks for the table first; there it is SUPER.
async fn writes_though_read_only(
    session: &mut Session,
    identity: &Identity,
    user: &Privileges,
) -> Result<bool> {
    if identity.flavor == Flavor::OceanBase {
        return Ok(user.has_global("SUPER"));
    }
    let statement = format!("DELETE FROM {STATE_SCHEMA}.{}", identifier(&privileges::no_table()));
    let answer = session.ask(&statement, "trying whether the server takes writes").await?;
    Ok(!matches!(answer, Answer::Refused { code: 1290 | 1836, .. }))
}

pub(super) async fn check(session: &mut Session, schemas: &[String]) -> Result<Vec<Finding>> {
    let identity = session.identity().await?;
    let variables = probe::variables(session).await?;
    let value = |name: &str| variables.get(name).map_or("", String::as_str);
    // MariaDB 12 has more words than ON.
    let is_on = |name: &str| !matches!(value(name), "" | "OFF" | "0");
    let user = Privileges::read(session).await?;
    let may_write = !is_on("read_only") || writes_though_read_only(session, &identity, &user).await?;
    let mut findings = Vec::new();
    let mut add = |severity, kind: &ErrorKind, object: &str, cause: String, hint: &str| {
        let code = kind.code().to_owned();
        let (object, hint) = (object.to_owned(), hint.to_owned());
        findings.push(Finding { severity, code, object, cause, hint });
    };
    for name in ["super_read_only", "read_only", "offline_mode"] {
        if is_on(name) {
            let severity = if name == "read_only" && may_write { Severity::Warning } else { Severity::Error };
            let cause = format!("{name} is {}", value(name));
            let hint = format!("SET GLOBAL {name} = OFF;");
            add(severity, &ErrorKind::ReadOnly, name, cause, &hint);
        }
    }
    if let Ok(limit) = value("max_allowed_packet").parse::<u64>()
        && limit < COMFORTABLE_PACKET
    {
        let cause = format!("rows of more than {limit} bytes are refused");
        let hint = "SET GLOBAL max_allowed_packet = 1073741824; takes effect for new sessions";
        add(Severity::Warning, &ErrorKind::TooLarge, "max_allowed_packet", cause, hint);
    }
    if identity.flavor == Flavor::OceanBase {
        if value("ob_compatibility_mode").eq_ignore_ascii_case("ORACLE") {
            let cause = "the tenant is in Oracle mode".to_owned();
            add(
                Severity::Error,
                &ErrorKind::Unsupported,
                "ob_compatibility_mode",
                cause,
                "use a tenant in MySQL mode",
            );
        }
        if !matches!(value("lower_case_table_names"), "" | "0") {
            let cause = "names of schemas and tables that differ only in case are the same here".to_owned();
            let hint = "map one of two such tables to another name";
            add(Severity::Info, &ErrorKind::Configuration, "lower_case_table_names", cause, hint);
        }
    }
    let mut checked: Vec<(&str, &[&'static str])> = vec![(STATE_SCHEMA, &ON_STATE)];
    let given = schemas.iter().filter(|schema| *schema != STATE_SCHEMA);
    checked.extend(given.map(|schema| (schema.as_str(), &ON_TABLES[..])));
    for (schema, wanted) in checked {
        let missing = privileges::missing_on_schema(session, &identity, &user, schema, wanted).await?;
        if !missing.is_empty() {
            let on = format!("{}.*", identifier(schema));
            let why =
                if schema == STATE_SCHEMA { "to keep the task's state" } else { "to write to the schema" };
            findings.push(user.missing(&missing.join(", "), &on, why));
        }
    }
    Ok(findings)
}
