//! Rules of charsets, collations, defaults and other attributes of columns.

use super::{ANY, Aspect, Effort, MARIADB, MYSQL, NOT_MARIADB, NOT_MYSQL, NOT_OCEANBASE, Rule};
use crate::Loss;

pub(super) static RULES: &[&Rule] = &[
    &COLLATION_RESPELLED,
    &COLLATION_CLOSEST,
    &COLLATION_OF_KEY,
    &COLLATION_PADS,
    &TEXT_WIDER,
    &OVERRIDE,
    &DEFAULT_OF_OWN_TYPE,
    &DEFAULT_OF_LARGE_TYPE,
    &DEFAULT_IN_PARENTHESES,
    &GENERATED_NULLABLE,
    &INVISIBLE_COLUMN,
    &INTRODUCERS,
];

pub(crate) static COLLATION_RESPELLED: Rule = Rule {
    id: "collation-respelled",
    aspect: Aspect::Charset,
    sources: ANY,
    targets: ANY,
    from: "a charset that the target lacks, under a collation whose rules it has",
    when: "the target has no collation of this name, but one of the same rules in utf8mb4",
    to: "utf8mb4 with the collation of the same rules",
    loss: Loss::None,
    effort: Effort::None,
    why: "the same characters, compared in the same way",
    to_do: "",
    holds: |_| true,
};

pub(crate) static COLLATION_CLOSEST: Rule = Rule {
    id: "collation-closest",
    aspect: Aspect::Charset,
    sources: ANY,
    targets: ANY,
    from: "text of a column in no primary or unique key",
    when: "the target lacks the column's collation",
    to: "the closest collation of the same charset, or of utf8mb4 where the target lacks the charset",
    loss: Loss::Behaviour,
    effort: Effort::Low,
    why: "every character is kept; comparisons and the order of ORDER BY may differ",
    to_do: "look for =, LIKE, GROUP BY, DISTINCT and ORDER BY over the column",
    holds: |_| true,
};

pub(crate) static COLLATION_OF_KEY: Rule = Rule {
    id: "collation-of-key",
    aspect: Aspect::Charset,
    sources: ANY,
    targets: ANY,
    from: "text of a column in a primary, unique or foreign key",
    when: "the target lacks the column's collation",
    to: "the binary collation",
    loss: Loss::Behaviour,
    effort: Effort::Medium,
    why: "part of a key: no two keys may become equal. What the source takes for equal (a and A) is different at the \
          target",
    to_do: "look for searches by the column that rely on the source's collation; --convert sets another one",
    holds: |_| true,
};

pub(crate) static COLLATION_PADS: Rule = Rule {
    id: "collation-pads",
    aspect: Aspect::Charset,
    sources: NOT_OCEANBASE,
    targets: ANY,
    from: "text of a key under a collation that minds spaces at the end (MySQL's 0900, MariaDB's nopad)",
    when: "the target's collation ignores spaces at the end",
    to: "a key in which 'a' and 'a ' are the same",
    loss: Loss::Data,
    effort: Effort::Medium,
    why: "it ignores spaces at the end, so keys that differ only in these will collide, and the rows are parked",
    to_do: "let whimbrel assess --data-checks full look for such rows, and correct them at the source",
    holds: |_| true,
};

pub(crate) static TEXT_WIDER: Rule = Rule {
    id: "text-wider",
    aspect: Aspect::Charset,
    sources: ANY,
    targets: ANY,
    from: "TINYTEXT, TEXT, MEDIUMTEXT in a charset that the target lacks",
    when: "the text goes into utf8mb4",
    to: "the next larger size of TEXT",
    loss: Loss::None,
    effort: Effort::None,
    why: "sizes of TEXT count bytes, and the same text may take more of them in UTF-8",
    to_do: "",
    holds: |_| true,
};

pub(crate) static OVERRIDE: Rule = Rule {
    id: "override",
    aspect: Aspect::Type,
    sources: ANY,
    targets: ANY,
    from: "any type",
    when: "--convert names the column",
    to: "the type that --convert gives",
    loss: Loss::None,
    effort: Effort::None,
    why: "the project decided so; one that can lose values needs --accept-loss as well",
    to_do: "",
    holds: |_| true,
};

pub(crate) static DEFAULT_OF_OWN_TYPE: Rule = Rule {
    id: "default-of-own-type",
    aspect: Aspect::Column,
    sources: MARIADB,
    targets: NOT_MARIADB,
    from: "DEFAULT with a function of UUID, INET4 or INET6",
    when: "the column becomes text (uuid() is kept: it gives the same text everywhere)",
    to: "no default",
    loss: Loss::Behaviour,
    effort: Effort::Medium,
    why: "its default expression is left out, because it says nothing of text",
    to_do: "let the application give the value",
    holds: |target| !target.has_type_since((10, 5, 0)),
};

pub(crate) static DEFAULT_OF_LARGE_TYPE: Rule = Rule {
    id: "default-of-large-type",
    aspect: Aspect::Column,
    sources: NOT_OCEANBASE,
    targets: NOT_MARIADB,
    from: "DEFAULT of TEXT, BLOB, JSON and geometry",
    when: "the target is OceanBase, or MySQL before 8.0.13",
    to: "no default",
    loss: Loss::Behaviour,
    effort: Effort::Medium,
    why: "the target allows no default for this type; it is left out",
    to_do: "let the application give the value",
    holds: |target| !target.has_defaults_for_large_types(),
};

pub(crate) static DEFAULT_IN_PARENTHESES: Rule = Rule {
    id: "default-in-parentheses",
    aspect: Aspect::Column,
    sources: MARIADB,
    targets: MYSQL,
    from: "a constant DEFAULT of TEXT and BLOB",
    when: "the target is MySQL 8.0.13 or later",
    to: "DEFAULT ('...')",
    loss: Loss::None,
    effort: Effort::None,
    why: "MySQL takes it only as an expression",
    to_do: "",
    holds: |target| target.has_defaults_for_large_types(),
};

pub(crate) static GENERATED_NULLABLE: Rule = Rule {
    id: "generated-nullable",
    aspect: Aspect::Column,
    sources: NOT_MARIADB,
    targets: MARIADB,
    from: "GENERATED ALWAYS AS (...) NOT NULL",
    when: "the target is MariaDB",
    to: "the same without NOT NULL",
    loss: Loss::Behaviour,
    effort: Effort::Low,
    why: "MariaDB can't say NOT NULL of a generated column",
    to_do: "add a check constraint where NULL has to be kept out",
    holds: |target| !target.has_generated_not_null(),
};

pub(crate) static INVISIBLE_COLUMN: Rule = Rule {
    id: "invisible-column",
    aspect: Aspect::Column,
    sources: ANY,
    targets: NOT_OCEANBASE,
    from: "an INVISIBLE column",
    when: "the target is MySQL before 8.0.23, or MariaDB before 10.3",
    to: "a visible column",
    loss: Loss::Behaviour,
    effort: Effort::Medium,
    why: "the target has no invisible columns; it becomes visible",
    to_do: "name the columns where the application says SELECT * or INSERT without a list",
    holds: |target| !target.has_invisible_columns(),
};

pub(crate) static INTRODUCERS: Rule = Rule {
    id: "introducers-dropped",
    aspect: Aspect::Column,
    sources: ANY,
    targets: NOT_MYSQL,
    from: "_charset'text' in defaults, generated columns, checks and functional keys",
    when: "the target reads the introducer wrongly",
    to: "'text'",
    loss: Loss::None,
    effort: Effort::None,
    why: "sessions speak utf8mb4, so the text is the same; OceanBase takes most introducers for column names, MariaDB \
          can't read back what it stores of _utf8mb4'it\\'s'",
    to_do: "",
    holds: |target| target.stumbles_over_introducers(),
};
