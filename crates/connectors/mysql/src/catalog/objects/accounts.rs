//! Accounts and their privileges, for a report: never a password or its hash.

use whimbrel_connector::{AccountCatalogue, Flavor, Result};
use whimbrel_model::object::{Account, AccountName};

use super::super::session::{Answer, Session, literal};

/// Accounts that come with a server.
const OWN_USERS: [&str; 5] = ["mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys", "PUBLIC"];

pub(in super::super) async fn accounts(session: &mut Session) -> Result<AccountCatalogue> {
    let identity = session.identity().await?;
    let locked = if identity.is_mysql((5, 7, 6)) { "account_locked" } else { "'N'" };
    let role = match identity.flavor {
        Flavor::MariaDb => "is_role",
        _ => "'N'",
    };
    let sql = format!("SELECT User, Host, plugin, {locked}, {role} FROM mysql.user ORDER BY User, Host");
    let rows = match session.ask(&sql, "reading accounts").await? {
        Answer::Rows(rows) => rows,
        Answer::Refused { code, message } => {
            let unread = Some(format!(
                "{code} {message}; GRANT SELECT ON mysql.user to this user to have them listed"
            ));
            return Ok(AccountCatalogue { accounts: Vec::new(), unread });
        }
    };
    let mut found = AccountCatalogue::default();
    for row in rows {
        let (Some(user), Some(host)) = (row.text(0), row.text(1)) else { continue };
        if OWN_USERS.contains(&user) {
            continue;
        }
        let name = AccountName { user: user.to_owned(), host: host.to_owned() };
        let account =
            if host.is_empty() { literal(user) } else { format!("{}@{}", literal(user), literal(host)) };
        let grants = match session.ask(&format!("SHOW GRANTS FOR {account}"), "reading privileges").await? {
            Answer::Rows(rows) => rows.iter().filter_map(|row| row.text(0)).map(without_secrets).collect(),
            Answer::Refused { code, message } => {
                found.unread.get_or_insert_with(|| format!("privileges of {name}: {code} {message}"));
                Vec::new()
            }
        };
        found.accounts.push(Account {
            name,
            role: row.text(4) == Some("Y"),
            plugin: row.text(2).unwrap_or_default().to_owned(),
            locked: row.text(3) == Some("Y"),
            grants,
        });
    }
    Ok(found)
}

/// Servers before MySQL 5.7 and all MariaDBs show how an account proves who it is in the grant on `*.*`.
fn without_secrets(grant: &str) -> String {
    const BEGINS: [&str; 2] = [" IDENTIFIED BY ", " IDENTIFIED VIA "];
    let Some(at) = BEGINS.iter().filter_map(|words| grant.find(words)).min() else { return grant.to_owned() };
    let (head, tail) = grant.split_at(at);
    let rest = [" REQUIRE ", " WITH "].iter().filter_map(|words| tail.rfind(words)).min();
    // A WITH or REQUIRE within the secret's own quotes is no option.
    let rest = rest.and_then(|at| tail.get(at..)).filter(|rest| !rest.contains('\''));
    format!("{head}{}", rest.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_lose_every_secret() {
        for (grant, expected) in [
            (
                "GRANT SELECT ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*F508' WITH GRANT OPTION",
                "GRANT SELECT ON *.* TO `u`@`%` WITH GRANT OPTION",
            ),
            (
                "GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED VIA ed25519 USING 'secret' REQUIRE SSL WITH MAX_USER_CONNECTIONS 3",
                "GRANT USAGE ON *.* TO `u`@`%` REQUIRE SSL WITH MAX_USER_CONNECTIONS 3",
            ),
            (
                "GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED VIA x USING 'a WITH b'",
                "GRANT USAGE ON *.* TO `u`@`%`",
            ),
            ("GRANT ALL PRIVILEGES ON `a`.* TO `u`@`%`", "GRANT ALL PRIVILEGES ON `a`.* TO `u`@`%`"),
        ] {
            assert_eq!(without_secrets(grant), expected);
        }
    }
}
