//! Charsets and collations of text columns.
//!
//! A collation that the target has is kept. Otherwise the text goes into the same charset, or utf8mb4 where the
//! target lacks it, under the collation that comes closest: case and accents first, then spaces at the end, then the
//! order. Two exceptions keep rows apart:
//!
//! - a column of a primary or unique key gets a binary collation, so that two keys that the source tells apart never
//!   become one. (Two keys that the source takes for equal can't both be there, so nothing is lost in that direction.)
//!   Where the source minds spaces at the end (NO PAD) and the target has no collation that does, keys that differ only
//!   in these will meet; the note says so.
//! - an ENUM or SET whose members would become equal gets the binary one too, else the target refuses the type.
//!
//! Whether texts are equal under a target's collation is told exactly by [`whimbrel_model::Equality`].

use whimbrel_model::{Charset, Equality};

use crate::profile::TargetProfile;
use crate::{Loss, Note, rules};

/// A text column's charset and collation at the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub charset: Charset,
    pub collation: String,
}

/// What a column needs of its collation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Use<'a> {
    /// Part of a primary or unique key, or of a foreign key.
    pub unique: bool,
    /// Members of an ENUM or SET.
    pub members: &'a [String],
}

/// Maps a column's collation.
pub(crate) fn map(
    target: &TargetProfile,
    (charset, collation): (Charset, &str),
    column: Use<'_>,
    object: &str,
    notes: &mut Vec<Note>,
) -> Mapped {
    if charset == Charset::Binary {
        return Mapped { charset, collation: "binary".to_owned() };
    }
    if let Some(name) = own_name(target, charset, collation) {
        return Mapped { charset, collation: name };
    }
    let kept = target.has_charset(charset.name());
    let to = if kept { charset } else { Charset::Utf8mb4 };
    let from = Traits::of(collation);
    let name = if column.unique { binary(target, to, from) } else { closest(target, to, collation, from) };
    let name = if some_become_equal(column.members, &name) { binary(target, to, from) } else { name };
    // The same rules in a larger charset (utf8mb3_bin as utf8mb4_bin) change nothing.
    let rule = match rules(&name) == rules(collation) {
        true => &rules::COLLATION_RESPELLED,
        false if column.unique => &rules::COLLATION_OF_KEY,
        false => &rules::COLLATION_CLOSEST,
    };
    let mut text = format!("the target has no collation {collation}: {name} instead");
    let into = Traits::of(&name);
    if column.unique {
        text.push_str(" (part of a key: no two keys may become equal)");
    }
    if rule.loss != Loss::None {
        for difference in from.differences(into, &name) {
            text.push_str("; ");
            text.push_str(difference);
        }
    }
    notes.push(rule.note(object, text));
    if column.unique && !from.pads && into.pads {
        notes.push(rules::COLLATION_PADS.note(
            object,
            format!(
                "{name} ignores spaces at the end, so keys that differ only in these will collide; the rows will be parked"
            ),
        ));
    }
    Mapped { charset: to, collation: name }
}

/// What a collation's name says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Traits {
    binary: bool,
    /// Letters of either case differ.
    case: bool,
    /// Letters with and without accent differ. Old collations differ in this from letter to letter; they count as not.
    accents: bool,
    /// Spaces at the end count for nothing (PAD SPACE); MySQL's 0900 collations and MariaDB's `nopad` ones mind them.
    pads: bool,
}

impl Traits {
    fn of(collation: &str) -> Self {
        let rules = rules(collation);
        let binary = rules == "bin" || rules.ends_with("_bin");
        let case = binary || rules.ends_with("_cs") || rules == "cs";
        let accents = case || rules.ends_with("as_ci");
        let pads = !(rules.contains("0900") || rules.contains("nopad"));
        Self { binary, case, accents, pads }
    }

    /// What a person should know who changes from `self` to `to`.
    fn differences(self, to: Self, name: &str) -> impl Iterator<Item = &'static str> {
        let all = [
            (!self.case && to.case, "letters of either case become different"),
            (self.case && !to.case, "letters of either case become equal"),
            (!self.accents && to.accents, "accented letters become different from plain ones"),
            (self.accents && !to.accents, "accented letters become equal to plain ones"),
            (!self.pads && to.pads, "spaces at the end count for nothing"),
            (self.pads && !to.pads, "spaces at the end count"),
            (name.ends_with("_general_ci"), "all characters beyond U+FFFF, emoji among them, are equal"),
            (to.binary && !self.binary, "text sorts by code points"),
            (!to.binary, "text sorts in another order"),
        ];
        all.into_iter().filter(|(holds, _)| *holds).map(|(_, text)| text)
    }
}

/// A collation's name without its charset.
fn rules(collation: &str) -> &str {
    collation.split_once('_').map_or(collation, |(_, rules)| rules)
}

/// The collation's name at the target, if it has it: `utf8_bin` and `utf8mb3_bin` are one.
fn own_name(target: &TargetProfile, charset: Charset, collation: &str) -> Option<String> {
    let mut names = vec![collation.to_owned()];
    if charset == Charset::Utf8mb3 {
        names.push(format!("utf8mb3_{}", rules(collation)));
        names.push(format!("utf8_{}", rules(collation)));
    }
    first(target, names)
}

/// The collation of text that comes into a charset in which it wasn't before.
pub(crate) fn of_charset(
    target: &TargetProfile,
    charset: Charset,
    source_collation: &str,
    unique: bool,
) -> String {
    let from = Traits::of(source_collation);
    // A type that was no text at the source compares exactly.
    if unique || source_collation.is_empty() {
        binary(target, charset, from)
    } else {
        closest(target, charset, source_collation, from)
    }
}

/// Tells all characters apart, and spaces at the end where the source does and the target can.
fn binary(target: &TargetProfile, charset: Charset, from: Traits) -> String {
    let unpadded = ["0900_bin", "nopad_bin"].into_iter().filter(|_| !from.pads);
    let names = unpadded.chain(["bin"]).map(|rules| format!("{charset}_{rules}"));
    first(target, names).unwrap_or_else(|| "utf8mb4_bin".to_owned())
}

/// Rules of collations that tell neither case nor accents apart, best first, by whether spaces at the end count.
const UNPADDED: [&str; 3] = ["0900_ai_ci", "uca1400_nopad_ai_ci", "unicode_520_nopad_ci"];
const PADDED: [&str; 5] = ["uca1400_ai_ci", "unicode_520_ci", "unicode_ci", "general_ci", "swedish_ci"];
const ACCENTS_UNPADDED: [&str; 2] = ["0900_as_ci", "uca1400_nopad_as_ci"];
const ACCENTS_PADDED: [&str; 1] = ["uca1400_as_ci"];
const CASE_UNPADDED: [&str; 2] = ["0900_as_cs", "uca1400_nopad_as_cs"];
const CASE_PADDED: [&str; 1] = ["uca1400_as_cs"];

fn closest(target: &TargetProfile, charset: Charset, collation: &str, from: Traits) -> String {
    if from.binary {
        return binary(target, charset, from);
    }
    let (unpadded, padded): (&[&str], &[&str]) = match (from.case, from.accents) {
        (true, _) => (&CASE_UNPADDED, &CASE_PADDED),
        (false, true) => (&ACCENTS_UNPADDED, &ACCENTS_PADDED),
        (false, false) => (&UNPADDED, &PADDED),
    };
    let same = by_padding(from.pads, unpadded, padded);
    let coarser = by_padding(from.pads, &UNPADDED, &PADDED).filter(|_| !from.case);
    let names = same.chain(coarser).map(|rules| format!("{charset}_{rules}"));
    first(target, other_familys_name(charset, collation).into_iter().chain(names))
        .unwrap_or_else(|| binary(target, charset, from))
}

/// Those that treat spaces at the end alike first.
fn by_padding<'a>(
    pads: bool,
    unpadded: &'a [&'a str],
    padded: &'a [&'a str],
) -> impl Iterator<Item = &'a &'a str> {
    let (first, second) = if pads { (padded, unpadded) } else { (unpadded, padded) };
    first.iter().chain(second)
}

/// Languages as MySQL's 0900 collations and MariaDB's uca1400 ones call them.
const LANGUAGES: [(&str, &str); 21] = [
    ("cs", "czech"),
    ("da", "danish"),
    ("de_pb", "german2"),
    ("eo", "esperanto"),
    ("es", "spanish"),
    ("es_trad", "spanish2"),
    ("et", "estonian"),
    ("hr", "croatian"),
    ("hu", "hungarian"),
    ("is", "icelandic"),
    ("la", "roman"),
    ("lt", "lithuanian"),
    ("lv", "latvian"),
    ("pl", "polish"),
    ("ro", "romanian"),
    ("sk", "slovak"),
    ("sl", "slovenian"),
    ("sv", "swedish"),
    ("tr", "turkish"),
    ("vi", "vietnamese"),
    ("", ""),
];

/// What the other of MySQL and MariaDB calls the collation of the same language and strengths.
fn other_familys_name(charset: Charset, collation: &str) -> Option<String> {
    let rules = rules(collation);
    if let Some((language, strengths)) =
        rules.split_once("_0900_").or_else(|| Some(("", rules.strip_prefix("0900_")?)))
    {
        let (_, name) = LANGUAGES.iter().find(|(code, _)| *code == language)?;
        let name = if name.is_empty() { String::new() } else { format!("{name}_") };
        return Some(format!("{charset}_uca1400_{name}nopad_{strengths}"));
    }
    let rest = rules.strip_prefix("uca1400_")?;
    let (language, strengths) =
        rest.split_once("_nopad_").or_else(|| Some(("", rest.strip_prefix("nopad_")?)))?;
    let (code, _) = LANGUAGES.iter().find(|(_, name)| *name == language)?;
    Some(if code.is_empty() {
        format!("{charset}_0900_{strengths}")
    } else {
        format!("{charset}_{code}_0900_{strengths}")
    })
}

/// True where a target would refuse these members as doubled.
fn some_become_equal(members: &[String], collation: &str) -> bool {
    let Some(equality) = Equality::of(collation) else { return false };
    let mut folded: Vec<Vec<u8>> = members
        .iter()
        .map(|member| {
            let mut out = Vec::new();
            equality.fold(member, &mut out);
            out
        })
        .collect();
    folded.sort();
    folded.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
}

fn first(target: &TargetProfile, names: impl IntoIterator<Item = String>) -> Option<String> {
    names.into_iter().find(|name| target.has_collation(name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use whimbrel_connector::{Flavor, ServerInfo};

    use super::*;

    fn target(flavor: Flavor, collations: &[&str]) -> TargetProfile {
        let charset = |name: &&str| name.split('_').next().unwrap_or(name).to_string();
        TargetProfile::new(&ServerInfo {
            flavor,
            version: (9, 7, 0),
            version_text: String::new(),
            server: String::new(),
            variables: BTreeMap::new(),
            collations: collations.iter().map(|name| ((*name).to_owned(), charset(name))).collect(),
            abilities: whimbrel_connector::Abilities::default(),
        })
    }

    fn seekdb() -> TargetProfile {
        target(Flavor::OceanBase, &["utf8mb4_general_ci", "utf8mb4_bin", "binary"])
    }

    fn mapped(target: &TargetProfile, collation: &str, column: Use<'_>) -> (String, String) {
        let mut notes = Vec::new();
        let charset = Charset::of_collation(collation).unwrap();
        let mapped = map(target, (charset, collation), column, "o", &mut notes);
        let texts: Vec<String> = notes.into_iter().map(|note| note.text).collect();
        (mapped.collation, texts.join("; "))
    }

    #[test]
    fn keys_stay_apart_at_a_target_with_two_collations() {
        let key = Use { unique: true, members: &[] };
        for collation in ["utf8mb4_0900_ai_ci", "latin1_swedish_ci", "utf8mb4_unicode_ci", "latin1_bin"] {
            assert_eq!(mapped(&seekdb(), collation, key).0, "utf8mb4_bin", "{collation}");
        }
        assert_eq!(
            mapped(&seekdb(), "utf8mb4_general_ci", key),
            ("utf8mb4_general_ci".into(), String::new())
        );
        assert!(mapped(&seekdb(), "utf8mb4_0900_bin", key).1.contains("will collide"));
        assert!(!mapped(&seekdb(), "latin1_bin", key).1.contains("will collide"));
    }

    #[test]
    fn the_note_says_what_compares_differently() {
        let (name, note) = mapped(&seekdb(), "utf8mb4_0900_as_ci", Use::default());
        assert_eq!(name, "utf8mb4_general_ci");
        for words in
            ["become equal to plain", "spaces at the end count for nothing", "emoji", "another order"]
        {
            assert!(note.contains(words), "{note}");
        }
        let (name, note) = mapped(&seekdb(), "gbk_bin", Use::default());
        assert_eq!(
            (name.as_str(), note.as_str()),
            ("utf8mb4_bin", "the target has no collation gbk_bin: utf8mb4_bin instead")
        );
    }

    #[test]
    fn mysql_and_mariadb_have_each_others_rules_under_other_names() {
        let mariadb = target(
            Flavor::MariaDb,
            &[
                "utf8mb4_uca1400_nopad_ai_ci",
                "utf8mb4_uca1400_swedish_nopad_as_cs",
                "utf8mb4_unicode_ci",
                "utf8mb4_nopad_bin",
                "utf8mb4_bin",
            ],
        );
        let mysql = target(
            Flavor::Mysql,
            &[
                "utf8mb4_0900_ai_ci",
                "utf8mb4_0900_as_cs",
                "utf8mb4_sv_0900_as_cs",
                "utf8mb4_unicode_520_ci",
                "utf8mb4_bin",
                "utf8mb4_0900_bin",
            ],
        );
        let other = Use::default();
        assert_eq!(mapped(&mariadb, "utf8mb4_0900_ai_ci", other).0, "utf8mb4_uca1400_nopad_ai_ci");
        assert_eq!(mapped(&mariadb, "utf8mb4_sv_0900_as_cs", other).0, "utf8mb4_uca1400_swedish_nopad_as_cs");
        assert_eq!(mapped(&mariadb, "utf8mb4_0900_bin", other).0, "utf8mb4_nopad_bin");
        assert_eq!(mapped(&mysql, "utf8mb4_uca1400_swedish_nopad_as_cs", other).0, "utf8mb4_sv_0900_as_cs");
        assert_eq!(mapped(&mysql, "utf8mb4_uca1400_ai_ci", other).0, "utf8mb4_unicode_520_ci");
        assert_eq!(mapped(&mysql, "utf8mb4_uca1400_as_cs", other).0, "utf8mb4_0900_as_cs");
        assert_eq!(mapped(&mysql, "utf8mb4_nopad_bin", other).0, "utf8mb4_0900_bin");
    }

    #[test]
    fn members_that_would_become_equal_get_the_binary_collation() {
        let members = ["e", "é"].map(str::to_owned);
        let accents = Use { unique: false, members: &members };
        assert_eq!(mapped(&seekdb(), "utf8mb4_0900_as_ci", accents).0, "utf8mb4_bin");
        let plain = Use { unique: false, members: &members[..1] };
        assert_eq!(mapped(&seekdb(), "utf8mb4_0900_as_ci", plain).0, "utf8mb4_general_ci");
    }
}
