//! What the target can do, as probed, and which columns the project converts by its own choice.
//!
//! A server that was asked or tried ([`Abilities`]) is believed; what nobody asked is judged by the version.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use whimbrel_connector::{Abilities, Ability, Flavor, ServerInfo};

use crate::overrides::{NoOverrides, Overrides};

/// A target's abilities, as far as conversion depends on them.
#[derive(Clone, Debug)]
pub struct TargetProfile {
    pub flavor: Flavor,
    pub version: (u16, u16, u16),
    /// Collations by name, with their charset.
    collations: BTreeMap<String, String>,
    charsets: BTreeSet<String>,
    abilities: Abilities,
    /// `max_allowed_packet`: bytes of the longest statement, so of the largest row.
    packet_bytes: Option<u64>,
    overrides: Arc<dyn Overrides>,
}

impl TargetProfile {
    pub fn new(server: &ServerInfo) -> Self {
        let collations: BTreeMap<String, String> = server
            .collations
            .iter()
            .map(|(name, charset)| (name.to_lowercase(), modern(&charset.to_lowercase()).to_owned()))
            .collect();
        let charsets = collations.values().cloned().collect();
        Self {
            flavor: server.flavor,
            version: server.version,
            collations,
            charsets,
            abilities: server.abilities.clone(),
            packet_bytes: server.variables.get("max_allowed_packet").and_then(|text| text.parse().ok()),
            overrides: Arc::new(NoOverrides),
        }
    }

    /// The same target for a project with conversions of its own (`--convert`).
    pub fn with_overrides(mut self, overrides: Arc<dyn Overrides>) -> Self {
        self.overrides = overrides;
        self
    }

    pub fn overrides(&self) -> &dyn Overrides {
        self.overrides.as_ref()
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

    /// Bytes of the longest statement, where the server told it.
    pub fn packet_bytes(&self) -> Option<u64> {
        self.packet_bytes
    }

    /// Bytes of the longest key: as tried, else 16384 for OceanBase and 3072 for InnoDB.
    pub fn key_bytes(&self) -> u32 {
        let known = if self.is_oceanbase() { 16_384 } else { 3_072 };
        self.abilities.key_bytes.unwrap_or(known)
    }

    /// False for a version that nobody has measured, so that what [`Ability`] lists has to be tried there. OceanBase was
    /// measured as seekdb 1.4 only.
    pub fn is_measured(&self) -> bool {
        let (major, minor, _) = self.version;
        match self.flavor {
            Flavor::Mysql => (major, minor) <= (9, 7),
            Flavor::MariaDb => (major, minor) <= (11, 8),
            Flavor::OceanBase => self.version == (4, 3, 5),
        }
    }

    fn can(&self, ability: Ability, by_version: bool) -> bool {
        self.abilities.get(ability).unwrap_or(by_version)
    }

    /// By the first version of each family that has it; `None` where no version has.
    fn since(&self, mysql: Version, mariadb: Version, oceanbase: Version) -> bool {
        let first = match self.flavor {
            Flavor::Mysql => mysql,
            Flavor::MariaDb => mariadb,
            Flavor::OceanBase => oceanbase,
        };
        first.is_some_and(|first| self.version >= first)
    }

    /// VECTOR(n): MySQL 9.0, MariaDB 11.7, OceanBase 4.3.3.
    pub fn has_vectors(&self) -> bool {
        self.can(Ability::Vectors, self.since(Some((9, 0, 0)), Some((11, 7, 0)), Some((4, 3, 3))))
    }

    /// MariaDB's UUID (10.7), INET6 (10.5) and INET4 (10.10).
    pub fn has_type_since(&self, mariadb: (u16, u16, u16)) -> bool {
        self.since(None, Some(mariadb), None)
    }

    /// A JSON type of its own: MySQL 5.7.8 and OceanBase; MariaDB's is a name for LONGTEXT.
    pub fn has_json(&self) -> bool {
        self.can(Ability::Json, self.since(Some((5, 7, 8)), None, ALWAYS))
    }

    /// Geometry values with an SRID other than 0. OceanBase can have them, seekdb has no table of them (3548).
    pub fn has_spatial_reference_systems(&self) -> bool {
        self.can(Ability::SpatialReferenceSystems, self.since(ALWAYS, ALWAYS, None))
    }

    /// `POINT SRID 4326`: MySQL 8; OceanBase where it has spatial reference systems, which seekdb hasn't.
    pub fn has_srid_columns(&self) -> bool {
        self.can(Ability::SridColumns, self.since(Some((8, 0, 3)), None, None))
    }

    /// `DEFAULT (expression)` on TEXT, BLOB, JSON and geometry: MySQL 8.0.13; MariaDB since 10.2. OceanBase refuses
    /// it (1101, 1067).
    pub fn has_defaults_for_large_types(&self) -> bool {
        self.can(Ability::DefaultsOfLargeTypes, self.since(Some((8, 0, 13)), ALWAYS, None))
    }

    /// `INVISIBLE` columns: MySQL 8.0.23, MariaDB 10.3, OceanBase 4.
    pub fn has_invisible_columns(&self) -> bool {
        self.can(Ability::InvisibleColumns, self.since(Some((8, 0, 23)), Some((10, 3, 0)), ALWAYS))
    }

    /// NOT NULL of a generated column: not MariaDB.
    pub fn has_generated_not_null(&self) -> bool {
        self.can(Ability::GeneratedNotNull, self.flavor != Flavor::MariaDb)
    }

    /// Keys over expressions: MySQL 8.0.13 and OceanBase 4; MariaDB has none.
    pub fn has_functional_keys(&self) -> bool {
        self.can(Ability::FunctionalKeys, self.since(Some((8, 0, 13)), None, ALWAYS))
    }

    /// Descending keys are kept by MySQL 8 and MariaDB 10.8; OceanBase drops the word.
    pub fn has_descending_keys(&self) -> bool {
        self.can(Ability::DescendingKeys, self.since(Some((8, 0, 0)), Some((10, 8, 0)), None))
    }

    /// `PRIMARY KEY (a(5))`: OceanBase has none (1064).
    pub fn has_prefix_primary_keys(&self) -> bool {
        self.can(Ability::PrefixPrimaryKeys, !self.is_oceanbase())
    }

    /// Unique keys over whole TEXT and BLOB: MariaDB keeps a hash; nobody else has such keys (1170, OceanBase 1167).
    pub fn has_hash_keys(&self) -> bool {
        self.can(Ability::HashKeys, self.since(None, Some((10, 4, 3)), None))
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
        self.can(Ability::Checks, self.since(Some((8, 0, 16)), ALWAYS, ALWAYS))
    }

    /// `LINEAR HASH` and `LINEAR KEY`: OceanBase spreads rows in one way only.
    pub fn has_linear_partitions(&self) -> bool {
        self.can(Ability::LinearPartitions, !self.is_oceanbase())
    }

    /// A partition for what no other holds, in LIST partitioning: not MySQL.
    pub fn has_default_partitions(&self) -> bool {
        self.flavor != Flavor::Mysql
    }

    pub fn has_partition_comments(&self) -> bool {
        !self.is_oceanbase()
    }

    /// `_charset'text'` can't be written in expressions that the server stores.
    pub fn stumbles_over_introducers(&self) -> bool {
        self.flavor != Flavor::Mysql
    }
}

type Version = Option<(u16, u16, u16)>;
const ALWAYS: Version = Some((0, 0, 0));

fn modern(charset: &str) -> &str {
    if charset == "utf8" { "utf8mb3" } else { charset }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_tried_counts_more_than_the_version() {
        let mut server = server(Flavor::OceanBase, (4, 3, 5));
        assert!(!TargetProfile::new(&server).has_descending_keys());
        server.abilities.known.insert(Ability::DescendingKeys, true);
        server.abilities.key_bytes = Some(4000);
        let profile = TargetProfile::new(&server);
        assert!(profile.has_descending_keys() && profile.has_functional_keys());
        assert_eq!(profile.key_bytes(), 4000);
    }

    #[test]
    fn versions_decide_what_nobody_tried() {
        let of = |flavor, version| TargetProfile::new(&server(flavor, version));
        assert!(!of(Flavor::Mysql, (8, 0, 12)).has_functional_keys());
        assert!(of(Flavor::Mysql, (8, 0, 13)).has_functional_keys());
        assert!(!of(Flavor::MariaDb, (11, 8, 0)).has_functional_keys());
        assert!(of(Flavor::MariaDb, (10, 11, 0)).has_hash_keys());
        assert!(!of(Flavor::OceanBase, (4, 3, 5)).has_spatial_reference_systems());
    }

    fn server(flavor: Flavor, version: (u16, u16, u16)) -> ServerInfo {
        ServerInfo {
            flavor,
            version,
            version_text: String::new(),
            server: String::new(),
            variables: BTreeMap::new(),
            collations: BTreeMap::new(),
            abilities: Abilities::default(),
        }
    }
}
