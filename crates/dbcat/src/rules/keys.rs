//! Rules of keys and indexes.

use super::{ANY, Aspect, Effort, MARIADB, NOT_MARIADB, NOT_OCEANBASE, OCEANBASE, Rule};
use crate::Loss;

pub(super) static RULES: &[&Rule] = &[
    &PRIMARY_WITHOUT_PREFIX,
    &PRIMARY_AS_UNIQUE,
    &FUNCTIONAL_KEY,
    &WHOLE_TEXT_KEY,
    &VECTOR_KEY,
    &KEY_ASCENDING,
    &KEY_TOO_LONG,
    &INDEX_IGNORED,
    &FULLTEXT_PARSER,
];

pub(crate) static PRIMARY_WITHOUT_PREFIX: Rule = Rule {
    id: "primary-without-prefix",
    aspect: Aspect::Key,
    sources: NOT_OCEANBASE,
    targets: OCEANBASE,
    from: "PRIMARY KEY (a(n)) over CHAR, VARCHAR or VARBINARY",
    when: "the target has no primary keys over a prefix",
    to: "PRIMARY KEY (a)",
    loss: Loss::Behaviour,
    effort: Effort::Low,
    why: "the whole column tells more rows apart than its prefix, so no two rows become one",
    to_do: "let the application see to it that prefixes stay unique, where that matters",
    holds: |target| !target.has_prefix_primary_keys(),
};

pub(crate) static PRIMARY_AS_UNIQUE: Rule = Rule {
    id: "primary-as-unique",
    aspect: Aspect::Key,
    sources: NOT_OCEANBASE,
    targets: OCEANBASE,
    from: "PRIMARY KEY (a(n)) over TEXT or BLOB",
    when: "the target has no primary keys over a prefix",
    to: "UNIQUE KEY primary_prefix (a(n))",
    loss: Loss::Behaviour,
    effort: Effort::Medium,
    why: "TEXT and BLOB can be indexed by a prefix only; the table has no primary key then",
    to_do: "give the table a primary key of its own at the source",
    holds: |target| !target.has_prefix_primary_keys(),
};

pub(crate) static FUNCTIONAL_KEY: Rule = Rule {
    id: "functional-key",
    aspect: Aspect::Key,
    sources: NOT_MARIADB,
    targets: NOT_OCEANBASE,
    from: "a key over an expression",
    when: "the target is MariaDB, or MySQL before 8.0.13",
    to: "nothing: the key is left out",
    loss: Loss::Behaviour,
    effort: Effort::Medium,
    why: "the target has no keys over expressions; left out",
    to_do: "add a generated column with an index over it at the source",
    holds: |target| !target.has_functional_keys(),
};

pub(crate) static WHOLE_TEXT_KEY: Rule = Rule {
    id: "whole-text-key",
    aspect: Aspect::Key,
    sources: MARIADB,
    targets: ANY,
    from: "UNIQUE KEY over a whole TEXT or BLOB",
    when: "the target is not MariaDB 10.4 or later, which keeps a hash of the value",
    to: "nothing: the key is left out",
    loss: Loss::Behaviour,
    effort: Effort::Medium,
    why: "the target can't index whole TEXT and BLOB columns; left out",
    to_do: "add a generated column with a hash of the value and a unique key over it, or convert the column to VARCHAR",
    holds: |target| !target.has_hash_keys(),
};

pub(crate) static VECTOR_KEY: Rule = Rule {
    id: "vector-key",
    aspect: Aspect::Key,
    sources: ANY,
    targets: ANY,
    from: "VECTOR KEY",
    when: "always",
    to: "nothing: the index is left out",
    loss: Loss::Behaviour,
    effort: Effort::Medium,
    why: "vector indexes are not converted; left out",
    to_do: "create the index at the target by hand, with the parameters that its kind needs",
    holds: |_| true,
};

pub(crate) static KEY_ASCENDING: Rule = Rule {
    id: "key-ascending",
    aspect: Aspect::Key,
    sources: ANY,
    targets: ANY,
    from: "KEY (a DESC)",
    when: "the target is OceanBase, MySQL before 8.0, or MariaDB before 10.8",
    to: "KEY (a)",
    loss: Loss::Behaviour,
    effort: Effort::Low,
    why: "the target drops DESC: the key is ascending",
    to_do: "look at queries with ORDER BY a DESC, b: they may sort instead of reading the index",
    holds: |target| !target.has_descending_keys(),
};

pub(crate) static KEY_TOO_LONG: Rule = Rule {
    id: "key-too-long",
    aspect: Aspect::Key,
    sources: ANY,
    targets: ANY,
    from: "a key whose columns may take more bytes than the target indexes",
    when: "the longest key is over the target's limit (MySQL, MariaDB: 3072 bytes; OceanBase: 16384)",
    to: "nothing: creating the table fails (error 1071)",
    loss: Loss::Data,
    effort: Effort::High,
    why: "the target counts the bytes that the key's columns may take at most",
    to_do: "convert the column to a shorter type or a charset of fewer bytes with --convert, or index a prefix",
    holds: |_| true,
};

pub(crate) static INDEX_IGNORED: Rule = Rule {
    id: "index-ignored",
    aspect: Aspect::Key,
    sources: NOT_MARIADB,
    targets: MARIADB,
    from: "an INVISIBLE index",
    when: "the target is MariaDB",
    to: "an IGNORED index",
    loss: Loss::None,
    effort: Effort::None,
    why: "MariaDB's word for an index that the optimizer doesn't use",
    to_do: "",
    holds: |target| target.flavor == whimbrel_connector::Flavor::MariaDb,
};

pub(crate) static FULLTEXT_PARSER: Rule = Rule {
    id: "fulltext-parser",
    aspect: Aspect::Key,
    sources: ANY,
    targets: ANY,
    from: "FULLTEXT KEY ... WITH PARSER",
    when: "the target has no such parser",
    to: "FULLTEXT KEY with the target's standard parser",
    loss: Loss::Behaviour,
    effort: Effort::Low,
    why: "it tells words apart in its own way, so MATCH finds other rows",
    to_do: "look at searches in Chinese, Japanese and Korean text",
    holds: |_| true,
};
