//! Numbers of collations, as servers write them into the log.
//!
//! Both families number alike up to 255 with five exceptions (MariaDB kept the numbers of MySQL's old
//! Croatian collations for its own), so there is a table for each. Asked from MySQL 5.6 and 9.7, MariaDB
//! 10.2 and 11.8 (`information_schema.collations`, `collation_character_set_applicability`).

use std::collections::HashMap;
use std::sync::LazyLock;

use whimbrel_model::Charset;

static MYSQL: LazyLock<HashMap<u32, &'static str>> =
    LazyLock::new(|| table(include_str!("collations_mysql.txt")));
static MARIADB: LazyLock<HashMap<u32, &'static str>> =
    LazyLock::new(|| table(include_str!("collations_mariadb.txt")));

fn table(text: &'static str) -> HashMap<u32, &'static str> {
    let entry = |line: &'static str| {
        let (number, name) = line.split_once(' ')?;
        Some((number.parse().ok()?, name))
    };
    text.lines().filter_map(entry).collect()
}

/// The name of a collation by its number, with `utf8mb3_` for what old servers call `utf8_`.
pub fn collation_name(number: u32, mariadb: bool) -> Option<&'static str> {
    if mariadb { MARIADB.get(&number).copied() } else { MYSQL.get(&number).copied() }
}

/// The charset of a collation by its number; `None` where the number is unknown.
pub fn collation_charset(number: u32, mariadb: bool) -> Option<Charset> {
    collation_name(number, mariadb).and_then(Charset::of_collation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_names_of_their_family() {
        for (number, mysql, mariadb) in [
            (8, "latin1_swedish_ci", "latin1_swedish_ci"),
            (33, "utf8mb3_general_ci", "utf8mb3_general_ci"),
            (63, "binary", "binary"),
            (245, "utf8mb4_croatian_ci", "utf8mb4_croatian_mysql561_ci"),
        ] {
            assert_eq!(collation_name(number, false), Some(mysql));
            assert_eq!(collation_name(number, true), Some(mariadb));
        }
        assert_eq!(collation_name(255, false), Some("utf8mb4_0900_ai_ci"));
        assert_eq!(collation_name(2304, true), Some("utf8mb4_uca1400_ai_ci"));
        assert_eq!(collation_charset(28, false), Some(Charset::Gbk));
        assert_eq!(collation_name(9999, false), None);
    }
}
