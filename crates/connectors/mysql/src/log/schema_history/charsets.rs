//! Which charset and collation a database, table or column gets.

use std::collections::HashMap;

use whimbrel_model::Charset;

use super::SchemaError;
use crate::binlog::{SessionState, collation_name};

/// What a server gives when nothing is said.
#[derive(Clone, Debug)]
pub struct ServerDefaults {
    pub mariadb: bool,
    /// Major, minor, patch.
    pub version: (u16, u16, u16),
    /// `collation_server`; used where neither statement nor log say more.
    pub collation: String,
    /// Default collations of databases, as known at the start.
    pub databases: HashMap<String, String>,
    /// `explicit_defaults_for_timestamp`, where the log doesn't have it.
    pub explicit_timestamp_defaults: bool,
    /// `lower_case_table_names` is not 0: names of tables and databases compare without case.
    pub lower_case_names: bool,
}

impl ServerDefaults {
    /// The defaults of a freshly installed server of this version.
    pub fn of_version(mariadb: bool, version: (u16, u16, u16)) -> Self {
        let explicit = if mariadb { version >= (10, 10, 0) } else { version >= (8, 0, 2) };
        let collation = match (mariadb, version) {
            (true, v) if v >= (11, 6, 0) => "utf8mb4_uca1400_ai_ci",
            (false, v) if v >= (8, 0, 1) => "utf8mb4_0900_ai_ci",
            _ => "latin1_swedish_ci",
        };
        Self {
            mariadb,
            version,
            collation: collation.to_owned(),
            databases: HashMap::new(),
            explicit_timestamp_defaults: explicit,
            lower_case_names: false,
        }
    }

    /// The server's own spelling: `utf8mb3_` is `utf8_` in older servers.
    pub(super) fn spelled(&self, collation: &str) -> String {
        let old = if self.mariadb { self.version < (10, 6, 0) } else { self.version < (8, 0, 29) };
        match (collation.strip_prefix("utf8mb3_"), collation.strip_prefix("utf8_")) {
            (Some(rest), _) if old => format!("utf8_{rest}"),
            (_, Some(rest)) if !old => format!("utf8mb3_{rest}"),
            _ => collation.to_owned(),
        }
    }
}

/// The default collation of a charset, for a session.
pub(super) fn default_collation(charset: &str, server: &ServerDefaults, session: &SessionState) -> String {
    let charset = if charset == "utf8" { "utf8mb3" } else { charset };
    let of_charset = |number: u16| {
        collation_name(u32::from(number), server.mariadb)
            .filter(|name| name.strip_prefix(charset).is_some_and(|rest| rest.starts_with('_')))
    };
    let chosen = if server.mariadb {
        session
            .charset_collations
            .iter()
            .find(|(default, _)| of_charset(*default).is_some())
            .and_then(|(_, chosen)| of_charset(*chosen))
    } else {
        session.utf8mb4_collation.and_then(of_charset)
    };
    let suffix = match charset {
        "binary" => return "binary".to_owned(),
        "utf8mb4" if !server.mariadb && server.version >= (8, 0, 1) => "0900_ai_ci",
        "utf8mb3" | "utf8mb4" | "ucs2" | "utf16" | "utf32"
            if server.mariadb && server.version >= (11, 6, 0) =>
        {
            "uca1400_ai_ci"
        }
        "latin1" | "dec8" | "swe7" => "swedish_ci",
        "hp8" => "english_ci",
        "latin5" => "turkish_ci",
        "big5" | "gb2312" | "gbk" | "gb18030" => "chinese_ci",
        "ujis" | "sjis" | "cp932" | "eucjpms" => "japanese_ci",
        "tis620" => "thai_ci",
        "euckr" => "korean_ci",
        _ => "general_ci",
    };
    server.spelled(chosen.map_or_else(|| format!("{charset}_{suffix}"), str::to_owned).as_str())
}

/// The name of a collation's charset, `utf8mb3` for `utf8`.
pub(super) fn charset_name(collation: &str) -> &str {
    match collation.split('_').next() {
        Some("utf8") => "utf8mb3",
        Some(name) => name,
        None => collation,
    }
}

pub(super) fn charset_of(collation: &str) -> Result<Charset, SchemaError> {
    Charset::of_collation(collation).ok_or_else(|| SchemaError::Charset(charset_name(collation).to_owned()))
}

/// The collation that `CHARACTER SET charset COLLATE collation` mean together, either of which may be missing;
/// `inherited` where both are.
pub(super) fn resolve(
    charset: Option<&str>,
    collation: Option<&str>,
    inherited: &str,
    server: &ServerDefaults,
    session: &SessionState,
) -> String {
    match (charset.filter(|name| *name != "default"), collation.filter(|name| *name != "default")) {
        (charset, Some(collation)) if collation.starts_with("uca1400_") => {
            // MariaDB: a collation of every Unicode charset, named without it.
            let charset = charset.unwrap_or_else(|| charset_name(inherited));
            format!("{}_{collation}", if charset == "utf8" { "utf8mb3" } else { charset })
        }
        (_, Some(collation)) => server.spelled(collation),
        (Some(charset), None) => default_collation(charset, server, session),
        (None, None) => inherited.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_follow_version_and_session() {
        let session = SessionState::default();
        let mysql = ServerDefaults::of_version(false, (9, 7, 4));
        let old = ServerDefaults::of_version(false, (5, 6, 24));
        let mariadb = ServerDefaults::of_version(true, (11, 8, 6));
        for (charset, server, expected) in [
            ("utf8mb4", &mysql, "utf8mb4_0900_ai_ci"),
            ("utf8mb4", &old, "utf8mb4_general_ci"),
            ("utf8", &old, "utf8_general_ci"),
            ("utf8", &mysql, "utf8mb3_general_ci"),
            ("utf8mb3", &mariadb, "utf8mb3_uca1400_ai_ci"),
            ("gbk", &mysql, "gbk_chinese_ci"),
            ("binary", &mysql, "binary"),
        ] {
            assert_eq!(default_collation(charset, server, &session), expected);
        }
        let chosen = SessionState { utf8mb4_collation: Some(45), ..SessionState::default() };
        assert_eq!(default_collation("utf8mb4", &mysql, &chosen), "utf8mb4_general_ci");
        let chosen = SessionState { charset_collations: vec![(45, 46)], ..SessionState::default() };
        assert_eq!(default_collation("utf8mb4", &mariadb, &chosen), "utf8mb4_bin");
        assert_eq!(default_collation("latin1", &mariadb, &chosen), "latin1_swedish_ci");
    }

    #[test]
    fn a_collation_without_charset_takes_the_inherited_one() {
        let session = SessionState::default();
        let mariadb = ServerDefaults::of_version(true, (11, 8, 6));
        let of = |charset, collation| resolve(charset, collation, "utf8mb4_bin", &mariadb, &session);
        assert_eq!(of(None, Some("uca1400_as_cs")), "utf8mb4_uca1400_as_cs");
        assert_eq!(of(Some("ucs2"), Some("uca1400_as_cs")), "ucs2_uca1400_as_cs");
        assert_eq!(of(None, None), "utf8mb4_bin");
        assert_eq!(of(Some("default"), None), "utf8mb4_bin");
        assert_eq!(of(None, Some("utf8_bin")), "utf8mb3_bin");
    }
}
