//! What a server can do, tried where it doesn't tell: statements in a scratch schema, which is dropped again.
//!
//! A statement that is refused means that the server can't; a statement that is accepted means that it can only if
//! what was asked for is there afterwards (seekdb takes `DESC` and drops it).

use whimbrel_connector::{Abilities, Ability, Result};

use super::session::{Answer, Session, literal};

/// One thing to try.
struct Trial {
    ability: Ability,
    /// Makes a table `t`, whose name stands for `{t}`.
    create: &'static str,
    /// Must be refused by a server that has the ability.
    refused: &'static str,
    /// Must give a row (`{schema}` and `{t}` are literals); empty asks nothing.
    shows: &'static str,
}

const fn accepted(ability: Ability, create: &'static str) -> Trial {
    Trial { ability, create, refused: "", shows: "" }
}

const TRIALS: [Trial; 13] = [
    Trial {
        shows: "SELECT 1 FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {schema} AND TABLE_NAME = 't' \
                AND INDEX_NAME = 'k' AND COLLATION = 'D'",
        ..accepted(Ability::DescendingKeys, "CREATE TABLE {t} (a INT, KEY k (a DESC))")
    },
    accepted(Ability::FunctionalKeys, "CREATE TABLE {t} (a INT, KEY k ((a + 1)))"),
    accepted(Ability::PrefixPrimaryKeys, "CREATE TABLE {t} (a VARCHAR(20) NOT NULL, PRIMARY KEY (a(5)))"),
    accepted(Ability::HashKeys, "CREATE TABLE {t} (a TEXT, UNIQUE KEY k (a))"),
    accepted(Ability::DefaultsOfLargeTypes, "CREATE TABLE {t} (a TEXT DEFAULT ('x'))"),
    accepted(Ability::InvisibleColumns, "CREATE TABLE {t} (a INT, b INT INVISIBLE)"),
    accepted(
        Ability::GeneratedNotNull,
        "CREATE TABLE {t} (a INT, b INT GENERATED ALWAYS AS (a + 1) VIRTUAL NOT NULL)",
    ),
    Trial {
        refused: "INSERT INTO {t} VALUES (2)",
        ..accepted(Ability::Checks, "CREATE TABLE {t} (a INT, CONSTRAINT c CHECK (a < 2))")
    },
    accepted(Ability::SridColumns, "CREATE TABLE {t} (a POINT NOT NULL SRID 4326)"),
    Trial {
        shows: "SELECT 1 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {schema} AND TABLE_NAME = 't' \
                AND DATA_TYPE = 'json'",
        ..accepted(Ability::Json, "CREATE TABLE {t} (a JSON)")
    },
    accepted(Ability::Vectors, "CREATE TABLE {t} (a VECTOR(3))"),
    accepted(Ability::LinearPartitions, "CREATE TABLE {t} (a INT) PARTITION BY LINEAR HASH (a) PARTITIONS 2"),
    accepted(Ability::NgramParser, "CREATE TABLE {t} (a VARCHAR(20), FULLTEXT KEY k (a) WITH PARSER ngram)"),
];

/// Longest keys of the engines that are known, in bytes.
const KEY_BYTES: [u32; 4] = [16_384, 3_072, 1_000, 767];

/// Tries everything. Empty where the user may not make the schema.
pub(super) async fn abilities(session: &mut Session) -> Result<Abilities> {
    let schema = scratch_name();
    let create = format!("CREATE DATABASE {schema}");
    if matches!(session.ask(&create, "making a scratch schema").await?, Answer::Refused { .. }) {
        return Ok(Abilities::default());
    }
    let found = try_all(session, &schema).await;
    session.ask(&format!("DROP DATABASE IF EXISTS {schema}"), "dropping the scratch schema").await?;
    found
}

/// No two processes may take the same name.
fn scratch_name() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("whimbrel_scratch_{:016x}", RandomState::new().hash_one(std::process::id()))
}

async fn try_all(session: &mut Session, schema: &str) -> Result<Abilities> {
    let table = format!("{schema}.t");
    let mut found = Abilities::default();
    for trial in &TRIALS {
        let filled = |sql: &str| sql.replace("{t}", &table).replace("{schema}", &literal(schema));
        let made = run(session, &filled(trial.create)).await?.is_some();
        let mut able = made;
        if made && !trial.refused.is_empty() {
            able = run(session, &filled(trial.refused)).await?.is_none();
        }
        if made && !trial.shows.is_empty() {
            able = run(session, &filled(trial.shows)).await?.is_some_and(|rows| rows > 0);
        }
        found.known.insert(trial.ability, able);
        if made {
            run(session, &format!("DROP TABLE {table}")).await?;
        }
    }
    for bytes in KEY_BYTES {
        let create = format!("CREATE TABLE {table} (a VARBINARY({bytes}) NOT NULL, PRIMARY KEY (a))");
        if run(session, &create).await?.is_some() {
            run(session, &format!("DROP TABLE {table}")).await?;
            found.key_bytes = Some(bytes);
            break;
        }
    }
    Ok(found)
}

/// How many rows a statement gave; `None` where it was refused.
async fn run(session: &mut Session, sql: &str) -> Result<Option<usize>> {
    Ok(match session.ask(sql, "trying what the server can do").await? {
        Answer::Rows(rows) => Some(rows.len()),
        Answer::Refused { .. } => None,
    })
}
