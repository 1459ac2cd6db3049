//! Rules of partitions, checks and options of tables.

use super::{ANY, Aspect, Effort, MARIADB, MYSQL, NOT_MARIADB, NOT_MYSQL, NOT_OCEANBASE, OCEANBASE, Rule};
use crate::Loss;

pub(super) static RULES: &[&Rule] = &[
    &PARTITIONS_UNREAD,
    &PARTITIONS_OF_OTHERS,
    &PARTITIONS_BY_SYSTEM_TIME,
    &PARTITION_DEFAULT,
    &PARTITION_LINEAR,
    &PARTITION_COMMENTS,
    &PARTITION_OPTIONS,
    &ENGINE,
    &TABLE_ATTRIBUTES,
    &CHECKS_LEFT_OUT,
    &CHECK_NAMES,
];

pub(crate) static PARTITIONS_UNREAD: Rule = Rule {
    id: "partitions-unread",
    aspect: Aspect::Partitioning,
    sources: ANY,
    targets: ANY,
    from: "a PARTITION BY clause that Whimbrel can't read",
    when: "always",
    to: "a table without partitions",
    loss: Loss::Behaviour,
    effort: Effort::Medium,
    why: "its partitions are described in a way that isn't understood: no partitions at the target",
    to_do: "create the table at the target by hand; one that is there is used as it is",
    holds: |_| true,
};

pub(crate) static PARTITIONS_OF_OTHERS: Rule = Rule {
    id: "partitions-of-others",
    aspect: Aspect::Partitioning,
    sources: ANY,
    targets: ANY,
    from: "a way of partitioning that only the source has",
    when: "always",
    to: "a table without partitions",
    loss: Loss::Behaviour,
    effort: Effort::Medium,
    why: "its partitioning is the source's own: no partitions at the target",
    to_do: "choose partitions that the target has, and create the table by hand",
    holds: |_| true,
};

pub(crate) static PARTITIONS_BY_SYSTEM_TIME: Rule = Rule {
    id: "partitions-by-system-time",
    aspect: Aspect::Partitioning,
    sources: MARIADB,
    targets: ANY,
    from: "PARTITION BY SYSTEM_TIME",
    when: "always",
    to: "a table without partitions, with the current rows",
    loss: Loss::Behaviour,
    effort: Effort::Medium,
    why: "partitions by system time hold old row versions, which aren't moved: no partitions at the target",
    to_do: "copy old versions into a table of their own at the source where they are needed",
    holds: |_| true,
};

pub(crate) static PARTITION_DEFAULT: Rule = Rule {
    id: "partition-default",
    aspect: Aspect::Partitioning,
    sources: NOT_MYSQL,
    targets: MYSQL,
    from: "PARTITION BY LIST with a DEFAULT partition",
    when: "the target is MySQL",
    to: "a table without partitions",
    loss: Loss::Behaviour,
    effort: Effort::Medium,
    why: "MySQL has no DEFAULT partition, and rows without a partition would be refused: no partitions at the target",
    to_do: "list all values at the source, or partition by RANGE",
    holds: |target| !target.has_default_partitions(),
};

pub(crate) static PARTITION_LINEAR: Rule = Rule {
    id: "partition-linear",
    aspect: Aspect::Partitioning,
    sources: NOT_OCEANBASE,
    targets: OCEANBASE,
    from: "PARTITION BY LINEAR HASH, LINEAR KEY",
    when: "the target is OceanBase",
    to: "PARTITION BY HASH, KEY",
    loss: Loss::Behaviour,
    effort: Effort::None,
    why: "OceanBase spreads rows in one way only; the same rows are in other partitions",
    to_do: "",
    holds: |target| !target.has_linear_partitions(),
};

pub(crate) static PARTITION_COMMENTS: Rule = Rule {
    id: "partition-comments",
    aspect: Aspect::Partitioning,
    sources: NOT_OCEANBASE,
    targets: OCEANBASE,
    from: "COMMENT of a partition",
    when: "the target is OceanBase",
    to: "nothing",
    loss: Loss::Behaviour,
    effort: Effort::None,
    why: "comments of partitions are left out, because OceanBase has none",
    to_do: "",
    holds: |target| !target.has_partition_comments(),
};

pub(crate) static PARTITION_OPTIONS: Rule = Rule {
    id: "partition-options",
    aspect: Aspect::Partitioning,
    sources: ANY,
    targets: ANY,
    from: "ENGINE, DATA DIRECTORY, TABLESPACE and other options of a partition; KEY ALGORITHM",
    when: "always",
    to: "nothing",
    loss: Loss::None,
    effort: Effort::None,
    why: "where and how the source stores a partition says nothing about its rows",
    to_do: "",
    holds: |_| true,
};

pub(crate) static ENGINE: Rule = Rule {
    id: "engine",
    aspect: Aspect::Table,
    sources: NOT_OCEANBASE,
    targets: ANY,
    from: "a table of an engine other than InnoDB (MyISAM, Aria, MEMORY, ...)",
    when: "always",
    to: "a table of the target's own engine",
    loss: Loss::Behaviour,
    effort: Effort::Low,
    why: "with transactions and row locks; what only the old engine had is gone",
    to_do: "look at tables whose rows are meant to be gone after a restart (MEMORY)",
    holds: |_| true,
};

pub(crate) static TABLE_ATTRIBUTES: Rule = Rule {
    id: "table-attributes",
    aspect: Aspect::Table,
    sources: ANY,
    targets: ANY,
    from: "ROW_FORMAT, COMPRESSION, ENCRYPTION, ZEROFILL of a decimal and other attributes of tables",
    when: "always",
    to: "nothing",
    loss: Loss::Behaviour,
    effort: Effort::Low,
    why: "how the source stores a table is no matter of its rows; each attribute that is left out is named",
    to_do: "set up encryption and compression at the target where they are wanted",
    holds: |_| true,
};

pub(crate) static CHECKS_LEFT_OUT: Rule = Rule {
    id: "checks-left-out",
    aspect: Aspect::Table,
    sources: ANY,
    targets: MYSQL,
    from: "CHECK constraints",
    when: "the target is MySQL before 8.0.16",
    to: "nothing",
    loss: Loss::Behaviour,
    effort: Effort::Medium,
    why: "check constraints are not enforced by this target and left out",
    to_do: "let the application check, or write triggers",
    holds: |target| !target.has_checks(),
};

pub(crate) static CHECK_NAMES: Rule = Rule {
    id: "check-names",
    aspect: Aspect::Table,
    sources: MARIADB,
    targets: NOT_MARIADB,
    from: "CHECK constraints that MariaDB named itself (CONSTRAINT_1)",
    when: "the target is not MariaDB",
    to: "checks that the target names",
    loss: Loss::None,
    effort: Effort::None,
    why: "MariaDB counts them anew in each table; elsewhere their names are unique in the schema",
    to_do: "",
    holds: |target| target.flavor != whimbrel_connector::Flavor::MariaDb,
};
