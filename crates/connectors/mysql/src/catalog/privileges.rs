//! Which privileges the user has, and the GRANT that is missing.
//!
//! Where a statement can be tried without doing anything, it is tried: servers check privileges before they
//! look whether a table exists, so a statement about a table that isn't there is refused with 1044, 1142 or
//! 1227 for want of a privilege and with 1146, 1049 or 1051 otherwise. Roles, wildcards and proxies count as
//! the server counts them. Two things can't be tried: OceanBase looks for the table first, and some global
//! privileges guard only statements that do something; there `SHOW GRANTS` is read.

use whimbrel_connector::{ErrorKind, Finding, Flavor, Result, Severity};

use super::session::{Answer, Identity, Session, identifier};

/// The user's account as GRANT wants it, and its grants.
pub(super) struct Privileges {
    account: String,
    grants: Vec<Grant>,
    /// MySQL's partial revokes take something back that a grant gives.
    revokes: bool,
}

/// One line of `SHOW GRANTS`.
#[derive(Debug, PartialEq, Eq)]
struct Grant {
    /// In upper case, column lists taken off.
    privileges: Vec<String>,
    /// A pattern with `%`, `_` and backslashes; `None` for `*.*`.
    schema: Option<String>,
    whole_schema: bool,
}

impl Privileges {
    pub(super) async fn read(session: &mut Session) -> Result<Self> {
        let doing = "reading the user's privileges";
        let row = session.first("SELECT CURRENT_USER()", doing).await?;
        let account = account(row.as_ref().and_then(|row| row.text(0)).unwrap_or_default());
        // MySQL shows the privileges of roles only where the roles are named.
        let roles = session.ask("SELECT CURRENT_ROLE()", doing).await?.rows();
        let roles = roles.first().and_then(|row| row.text(0)).unwrap_or("NONE");
        let sql = match session.identity().await?.flavor {
            Flavor::Mysql if roles != "NONE" => format!("SHOW GRANTS FOR CURRENT_USER() USING {roles}"),
            _ => "SHOW GRANTS".to_owned(),
        };
        let rows = session.ask(&sql, doing).await?.rows();
        let grants = rows.iter().filter_map(|row| row.text(0)).filter_map(Grant::read).collect();
        let revokes = rows.iter().filter_map(|row| row.text(0)).any(|line| line.starts_with("REVOKE "));
        Ok(Self { account, grants, revokes })
    }

    /// True where the grants leave no doubt that every table of the schema can be read.
    pub(super) fn may_certainly_read(&self, schema: &str) -> bool {
        !self.revokes && self.has_on_schema("SELECT", schema)
    }

    /// True where a line of `SHOW GRANTS` gives this privilege on `*.*`.
    pub(super) fn has_global(&self, privilege: &str) -> bool {
        self.grants.iter().any(|grant| grant.schema.is_none() && grant.gives(privilege))
    }

    /// True where a line gives this privilege on all tables of the schema.
    pub(super) fn has_on_schema(&self, privilege: &str, schema: &str) -> bool {
        self.grants.iter().any(|grant| {
            grant.gives(privilege)
                && grant.schema.as_ref().is_none_or(|pattern| grant.whole_schema && like(schema, pattern))
        })
    }

    /// The finding of a missing privilege. `on` is `*.*`, or a schema or table in backticks.
    pub(super) fn missing(&self, privilege: &str, on: &str, why: &str) -> Finding {
        Finding {
            severity: Severity::Error,
            code: ErrorKind::PrivilegeMissing.code().to_owned(),
            object: on.replace('`', ""),
            cause: format!("the user lacks {privilege}, needed {why}"),
            hint: format!("GRANT {privilege} ON {on} TO {};", self.account),
        }
    }
}

impl Grant {
    fn read(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("GRANT ")?;
        let (list, rest) = rest.split_once(" ON ")?;
        let (object, _) = rest.split_once(" TO ")?;
        let mut privileges = Vec::new();
        let mut depth = 0usize;
        let mut word = String::new();
        for c in list.chars().chain([',']) {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                ',' if depth == 0 => privileges.push(std::mem::take(&mut word).trim().to_uppercase()),
                _ if depth == 0 => word.push(c),
                _ => {}
            }
        }
        let object = object.trim();
        let (schema, whole_schema) = match object.rsplit_once('.') {
            Some(("*", "*")) => (None, true),
            Some((schema, table)) => (Some(schema.trim_matches(['`', '\'', '"']).to_owned()), table == "*"),
            None => return None,
        };
        Some(Self { privileges, schema, whole_schema })
    }

    fn gives(&self, privilege: &str) -> bool {
        let known_as = match privilege {
            // MariaDB 10.5.2 split and renamed it.
            "REPLICATION CLIENT" => "BINLOG MONITOR",
            other => other,
        };
        self.privileges
            .iter()
            .any(|p| p == privilege || p == known_as || p.starts_with("ALL PRIVILEGES") || p == "ALL")
    }
}

/// SQL's LIKE with a backslash as escape, as schemas in grants are matched.
fn like(text: &str, pattern: &str) -> bool {
    fn matches(text: &[char], pattern: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('%', rest)) => {
                (0..=text.len()).any(|skip| matches(text.get(skip..).unwrap_or_default(), rest))
            }
            Some(('_', rest)) => text.split_first().is_some_and(|(_, text)| matches(text, rest)),
            Some(('\\', rest)) if !rest.is_empty() => same_then(text, rest),
            Some(_) => same_then(text, pattern),
        }
    }
    fn same_then(text: &[char], pattern: &[char]) -> bool {
        match (text.split_first(), pattern.split_first()) {
            (Some((a, text)), Some((b, pattern))) => a == b && matches(text, pattern),
            _ => false,
        }
    }
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    matches(&text, &pattern)
}

/// `user@host` of `CURRENT_USER()` as `'user'@'host'`.
fn account(text: &str) -> String {
    let (user, host) = text.rsplit_once('@').unwrap_or((text, "%"));
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    format!("{}@{}", quoted(user), quoted(host))
}

/// True where a server refused for want of a privilege.
pub(super) fn denied(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused { code: 1044 | 1045 | 1142 | 1143 | 1227 | 1370, .. })
}

/// A name that no table has.
pub(super) fn no_table() -> String {
    let mut bytes = [0u8; 8];
    // Without randomness the name is still one that nobody gives to a table.
    let _ = getrandom::fill(&mut bytes);
    format!("whimbrel_no_such_table_{:016x}", u64::from_le_bytes(bytes))
}

/// The privileges among these that the user lacks on all tables of a schema.
pub(super) async fn missing_on_schema(
    session: &mut Session,
    identity: &Identity,
    privileges: &Privileges,
    schema: &str,
    wanted: &[&'static str],
) -> Result<Vec<&'static str>> {
    let mut missing = Vec::new();
    let table = format!("{}.{}", identifier(schema), identifier(&no_table()));
    for privilege in wanted {
        let has = if identity.flavor == Flavor::OceanBase {
            privileges.has_on_schema(privilege, schema)
        } else {
            let statement = match *privilege {
                "SELECT" => format!("SELECT 1 FROM {table}"),
                "INSERT" => format!("INSERT INTO {table} VALUES (1)"),
                "UPDATE" => format!("UPDATE {table} SET a = 1"),
                "DELETE" => format!("DELETE FROM {table}"),
                "CREATE" => {
                    format!("CREATE TABLE {table} LIKE {}.{}", identifier(schema), identifier(&no_table()))
                }
                "ALTER" => format!("ALTER TABLE {table} ADD a INT"),
                "INDEX" => format!("CREATE INDEX a ON {table} (a)"),
                "DROP" => format!("DROP TABLE {table}"),
                "LOCK TABLES" => format!("LOCK TABLES {table} READ"),
                _ => continue,
            };
            let answer = session.ask(&statement, "trying what the user may do").await?;
            !is_denied_for(&answer, privilege)
        };
        if !has {
            missing.push(*privilege);
        }
    }
    Ok(missing)
}

/// Some statements want SELECT, too; the server's message says which privilege it misses.
fn is_denied_for(answer: &Answer, privilege: &str) -> bool {
    match answer {
        Answer::Refused { message, .. } if message.starts_with("SELECT ") => {
            denied(answer) && privilege == "SELECT"
        }
        _ => denied(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn privileges(lines: &[&str]) -> Privileges {
        Privileges {
            account: account("o'neil@%"),
            grants: lines.iter().filter_map(|line| Grant::read(line)).collect(),
            revokes: false,
        }
    }

    #[test]
    fn grants_are_read_with_wildcards_and_column_lists() {
        let user = privileges(&[
            "GRANT SELECT, RELOAD, BINLOG MONITOR ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*F5'",
            r"GRANT INSERT (a, b), UPDATE ON `sh\_op%`.* TO `u`@`%`",
            "GRANT DELETE ON `shop`.`t` TO `u`@`%`",
            "GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION",
            "GRANT `role`@`%` TO `u`@`%`",
        ]);
        assert!(user.has_global("RELOAD") && user.has_global("REPLICATION CLIENT"));
        assert!(!user.has_global("UPDATE") && !user.has_global("REPLICATION SLAVE"));
        assert!(user.has_on_schema("UPDATE", "sh_op2") && !user.has_on_schema("UPDATE", "shXop2"));
        assert!(user.has_on_schema("SELECT", "any") && !user.has_on_schema("DELETE", "shop"));
        assert!(privileges(&["GRANT ALL PRIVILEGES ON `a`.* TO 'u'"]).has_on_schema("DROP", "a"));
    }

    #[test]
    fn the_hint_is_a_statement_that_can_be_run() {
        let finding = privileges(&[]).missing("SELECT", "`shop`.`t`", "to read the table");
        assert_eq!(finding.hint, "GRANT SELECT ON `shop`.`t` TO 'o''neil'@'%';");
        assert_eq!((finding.code.as_str(), finding.object.as_str()), ("WB-1005", "shop.t"));
    }

    #[test]
    fn a_refusal_for_another_privilege_is_none_for_this_one() {
        let refused = |code, message: &str| Answer::Refused { code, message: message.into() };
        assert!(is_denied_for(&refused(1142, "CREATE command denied to user"), "CREATE"));
        assert!(!is_denied_for(&refused(1142, "SELECT command denied to user"), "CREATE"));
        assert!(!is_denied_for(&refused(1146, "Table doesn't exist"), "INSERT"));
        assert!(is_denied_for(&refused(1044, "Access denied for user to database"), "LOCK TABLES"));
    }
}
