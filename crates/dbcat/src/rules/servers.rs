//! What no conversion can change: how the target's server behaves. Measured on seekdb 1.4 (the kernel of OceanBase
//! 4.3.5) and on the servers of the tests.

use super::{ANY, Aspect, Effort, MARIADB, NOT_OCEANBASE, OCEANBASE, Rule};
use crate::Loss;

pub(super) static RULES: &[&Rule] = &[
    &TIME_ZONE,
    &TIMESTAMP_RANGE,
    &COUNTER_JUMPS,
    &NAMES_FOLDED,
    &FOUR_BYTE_CHARACTERS,
    &ISOLATION,
    &STATEMENT_TIMEOUT,
    &SYSTEM_VERSIONS,
];

/// A row of the server's own ways.
const fn way(
    id: &'static str,
    from: &'static str,
    to: &'static str,
    effort: Effort,
    why: &'static str,
    to_do: &'static str,
) -> Rule {
    Rule {
        id,
        aspect: Aspect::Server,
        sources: NOT_OCEANBASE,
        targets: OCEANBASE,
        from,
        when: "always",
        to,
        loss: Loss::Behaviour,
        effort,
        why,
        to_do,
        holds: |target| target.is_oceanbase(),
    }
}

static TIME_ZONE: Rule = way(
    "server-time-zone",
    "sessions in the machine's time zone",
    "sessions in +08:00, unless the tenant was set otherwise",
    Effort::Medium,
    "TIMESTAMP values are the same moments, but are shown in the session's zone; names such as UTC need the time zone \
     tables",
    "SET GLOBAL time_zone at the target as the source has it",
);
static TIMESTAMP_RANGE: Rule = way(
    "server-timestamp-range",
    "TIMESTAMP from 1970 to 2038, checked",
    "TIMESTAMP of any year, not checked",
    Effort::None,
    "OceanBase accepts moments that MySQL refuses",
    "",
);
static COUNTER_JUMPS: Rule = way(
    "server-auto-increment",
    "AUTO_INCREMENT without large gaps",
    "AUTO_INCREMENT that may jump by a million after a restart",
    Effort::Low,
    "each server takes ranges of numbers in advance; numbers stay unique, not dense",
    "use BIGINT for columns that could run out",
);
static NAMES_FOLDED: Rule = way(
    "server-names-folded",
    "names of schemas and tables with case (lower_case_table_names=0)",
    "names in lower case, unless the tenant was made otherwise",
    Effort::Low,
    "two tables whose names differ only in case are one at the target",
    "give one of the two another name with --map",
);
static FOUR_BYTE_CHARACTERS: Rule = way(
    "server-four-byte-characters",
    "emoji and other 4-byte characters told apart by unicode_ci and 0900 collations",
    "all of them equal under utf8mb4_general_ci",
    Effort::Low,
    "utf8mb4_general_ci gives them one weight; keys get utf8mb4_bin, where that isn't so",
    "look at comparisons of such text outside of keys",
);
static ISOLATION: Rule = way(
    "server-isolation",
    "REPEATABLE READ by default",
    "READ COMMITTED by default",
    Effort::Medium,
    "a transaction sees what others commit meanwhile; there are no gap locks",
    "look at transactions that read the same rows twice, or set tx_isolation",
);
static STATEMENT_TIMEOUT: Rule = way(
    "server-query-timeout",
    "statements without a time limit",
    "statements ended after 10 s (ob_query_timeout)",
    Effort::Medium,
    "error 4012; the limit holds for reports and DDL too",
    "SET ob_query_timeout (microseconds) in sessions with long statements",
);
static SYSTEM_VERSIONS: Rule = Rule {
    id: "system-versions",
    aspect: Aspect::Table,
    sources: MARIADB,
    targets: ANY,
    from: "WITH SYSTEM VERSIONING",
    when: "always",
    to: "a table with the current rows",
    loss: Loss::Data,
    effort: Effort::Medium,
    why: "old versions of rows are not moved",
    to_do: "copy old versions into a table of their own at the source where they are needed",
    holds: |_| true,
};
