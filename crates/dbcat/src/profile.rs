//! What the target can do, as probed.

use std::collections::{BTreeMap, BTreeSet};

use whimbrel_connector::{Flavor, ServerInfo};

/// A target's abilities, as far as conversion depends on them.
#[derive(Clone, Debug)]
pub struct TargetProfile {
    pub flavor: Flavor,
    pub version: (u16, u16, u16),
    /// Collations by name, with their charset.
    collations: BTreeMap<String, String>,
    charsets: BTreeSet<String>,
}

impl TargetProfile {
    pub fn new(server: &ServerInfo) -> Self {
        let collations: BTreeMap<String, String> = server
            .collations
            .iter()
            .map(|(name, charset)| (name.to_lowercase(), modern(&charset.to_lowercase()).to_owned()))
            .collect();
        let charsets = collations.values().cloned().collect();
        Self { flavor: server.flavor, version: server.version, collations, charsets }
    }

    pub fn is_oceanbase(&self) -> bool {
        self.flavor == Flavor::OceanBase
    }

    pub fn has_collation(&self, name: &str) -> bool {
        self.collations.contains_key(name)
    }

    /// By MySQL's name, `utf8mb3` for the old `utf8`.
    pub fn has_charset(&self, name: &str) -> bool {
        self.charsets.contains(modern(name))
    }

    /// VECTOR(n): MySQL 9.0, MariaDB 11.7, OceanBase 4.3.3.
    pub fn has_vectors(&self) -> bool {
        match self.flavor {
            Flavor::Mysql => self.version >= (9, 0, 0),
            Flavor::MariaDb => self.version >= (11, 7, 0),
            Flavor::OceanBase => self.version >= (4, 3, 3),
        }
    }

    /// MariaDB's UUID (10.7), INET6 (10.5) and INET4 (10.10).
    pub fn has_type_since(&self, mariadb: (u16, u16, u16)) -> bool {
        self.flavor == Flavor::MariaDb && self.version >= mariadb
    }

    /// `DEFAULT (expression)` on TEXT, BLOB, JSON and geometry: MySQL 8.0.13; MariaDB since 10.2. OceanBase refuses
    /// it (1101, 1067).
    pub fn has_defaults_for_large_types(&self) -> bool {
        match self.flavor {
            Flavor::Mysql => self.version >= (8, 0, 13),
            Flavor::MariaDb => true,
            Flavor::OceanBase => false,
        }
    }

    /// `INVISIBLE` columns: MySQL 8.0.23, MariaDB 10.3, OceanBase 4.
    pub fn has_invisible_columns(&self) -> bool {
        self.flavor != Flavor::Mysql || self.version >= (8, 0, 23)
    }

    /// Keys over expressions: MySQL 8.0.13 and OceanBase 4; MariaDB has none.
    pub fn has_functional_keys(&self) -> bool {
        match self.flavor {
            Flavor::Mysql => self.version >= (8, 0, 13),
            Flavor::MariaDb => false,
            Flavor::OceanBase => true,
        }
    }

    /// Descending keys are kept by MySQL 8 and MariaDB 10.8; OceanBase drops the word.
    pub fn has_descending_keys(&self) -> bool {
        match self.flavor {
            Flavor::Mysql => self.version >= (8, 0, 0),
            Flavor::MariaDb => self.version >= (10, 8, 0),
            Flavor::OceanBase => false,
        }
    }

    /// Parsers of full-text keys that come with the server.
    pub fn has_full_text_parser(&self, name: &str) -> bool {
        match self.flavor {
            Flavor::Mysql => name == "ngram" && self.version >= (5, 7, 6),
            Flavor::MariaDb => false,
            Flavor::OceanBase => ["ngram", "space", "beng"].contains(&name),
        }
    }

    /// Enforced checks: MySQL 8.0.16.
    pub fn has_checks(&self) -> bool {
        self.flavor != Flavor::Mysql || self.version >= (8, 0, 16)
    }
}

fn modern(charset: &str) -> &str {
    if charset == "utf8" { "utf8mb3" } else { charset }
}
