//! What a server can do, found out by asking or trying and not by its version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Something that servers of one family differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ability {
    /// `KEY (a DESC)` is kept, not read past.
    DescendingKeys,
    /// `KEY ((a + 1))`.
    FunctionalKeys,
    /// `PRIMARY KEY (a(5))`.
    PrefixPrimaryKeys,
    /// A unique key over a whole TEXT (MariaDB keeps a hash).
    HashKeys,
    /// `DEFAULT ('x')` of TEXT.
    DefaultsOfLargeTypes,
    InvisibleColumns,
    /// NOT NULL of a generated column.
    GeneratedNotNull,
    /// A check constraint is enforced.
    Checks,
    /// Geometry values with an SRID other than 0.
    SpatialReferenceSystems,
    /// `POINT SRID 4326`.
    SridColumns,
    /// A JSON type of its own, not text.
    Json,
    Vectors,
    Uuid,
    Inet4,
    Inet6,
    /// `PARTITION BY LINEAR HASH`.
    LinearPartitions,
    /// A full-text index with the ngram parser.
    NgramParser,
}

/// What was found out about a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// What was asked or tried; what isn't here is judged by the version.
    pub known: BTreeMap<Ability, bool>,
    /// Bytes of the longest key, where it was tried.
    #[serde(default)]
    pub key_bytes: Option<u32>,
}

impl Abilities {
    pub fn get(&self, ability: Ability) -> Option<bool> {
        self.known.get(&ability).copied()
    }

    /// Takes over what `other` found out.
    pub fn learn(&mut self, other: Self) {
        self.known.extend(other.known);
        self.key_bytes = other.key_bytes.or(self.key_bytes);
    }
}
