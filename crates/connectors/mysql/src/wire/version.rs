//! What a server says about itself.

use std::fmt;

/// Which family a server belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// MySQL and everything that only claims to be MySQL.
    Mysql,
    MariaDb,
    /// OceanBase in MySQL mode; its greeting says MySQL 5.7.25, so only
    /// [`probe_flavor`](super::Connection::probe_flavor) can tell.
    OceanBase,
}

/// A server's version.
///
/// For OceanBase the numbers are those of the MySQL that it imitates (5.7.25 for all 4.x); its own version stands
/// in `text` after a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerVersion {
    pub flavor: Flavor,
    pub major: u16,
    pub minor: u16,
    pub patch: u16,
    /// As the server wrote it, as in `5.5.5-10.11.6-MariaDB-log` (greeting) or `5.7.25-OceanBase seekdb-v1.4.0`
    /// (after a probe).
    pub text: String,
}

impl ServerVersion {
    /// Reads a greeting's or `version()`'s text. Numbers that are missing are 0.
    pub fn parse(text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        let flavor = if lower.contains("oceanbase") {
            Flavor::OceanBase
        } else if lower.contains("mariadb") {
            Flavor::MariaDb
        } else {
            Flavor::Mysql
        };
        // MariaDB 10.x greets as 5.5.5-10.x, because replicas of MySQL 5.6 refused a two-digit major version.
        let numbers = match text.strip_prefix("5.5.5-") {
            Some(rest) if flavor == Flavor::MariaDb => rest,
            _ => text,
        };
        let mut parts = numbers.split('.').map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).map_or(part, |end| part.split_at(end).0);
            digits.parse().unwrap_or(0)
        });
        let mut next = || parts.next().unwrap_or(0);
        Self { flavor, major: next(), minor: next(), patch: next(), text: text.to_owned() }
    }

    /// True if the numbers are at least these. Compare only within one flavour.
    pub fn at_least(&self, major: u16, minor: u16, patch: u16) -> bool {
        (self.major, self.minor, self.patch) >= (major, minor, patch)
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.flavor {
            Flavor::Mysql => "MySQL",
            Flavor::MariaDb => "MariaDB",
            Flavor::OceanBase => return write!(f, "OceanBase ({})", self.text),
        };
        write!(f, "{name} {}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_versions_of_all_families() {
        let check = |text: &str, flavor, numbers| {
            let version = ServerVersion::parse(text);
            assert_eq!(
                (version.flavor, (version.major, version.minor, version.patch)),
                (flavor, numbers),
                "{text}"
            );
        };
        check("9.7.0", Flavor::Mysql, (9, 7, 0));
        check("5.5.9-log", Flavor::Mysql, (5, 5, 9));
        check("5.5.5-m3", Flavor::Mysql, (5, 5, 5));
        check("8.0.11-TiDB-v8.5.0", Flavor::Mysql, (8, 0, 11));
        check("5.5.5-10.11.6-MariaDB-0+deb12u1-log", Flavor::MariaDb, (10, 11, 6));
        check("11.8.2-MariaDB-log", Flavor::MariaDb, (11, 8, 2));
        check("5.7.25-OceanBase seekdb-v1.4.0.0", Flavor::OceanBase, (5, 7, 25));
        check("", Flavor::Mysql, (0, 0, 0));
        check("99999999.x.3", Flavor::Mysql, (0, 0, 3));
    }

    #[test]
    fn compares_by_number() {
        let version = ServerVersion::parse("8.0.36");
        assert!(version.at_least(8, 0, 4) && version.at_least(5, 7, 40) && !version.at_least(8, 0, 37));
    }
}
