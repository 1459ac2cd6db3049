//! Charsets and collations of text columns.
//!
//! A collation that the target has is kept. Otherwise the text goes into the same charset, or utf8mb4 where the
//! target lacks it, under the closest collation; but a column of a primary or unique key gets the binary one, so
//! that two keys that the source tells apart never become one. (Two keys that the source takes for equal can't
//! both be there, so nothing is lost in that direction.)

use whimbrel_model::Charset;

use crate::profile::TargetProfile;
use crate::{Loss, Note};

/// A text column's charset and collation at the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub charset: Charset,
    pub collation: String,
}

/// Maps a column's collation. `unique`: the column is part of a primary or unique key.
pub(crate) fn map(
    target: &TargetProfile,
    (charset, collation): (Charset, &str),
    unique: bool,
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
    let name = if unique { binary(target, to) } else { closest(target, to, collation) };
    // The same rules in a larger charset (utf8mb3_bin as utf8mb4_bin) change nothing.
    let rules = |name: &str| name.split_once('_').map(|(_, rules)| rules.to_owned());
    let loss = if rules(&name) == rules(collation) { Loss::None } else { Loss::Behaviour };
    let mut text = format!("the target has no collation {collation}: {name} instead");
    if unique {
        text.push_str(" (part of a key: no two keys may become equal)");
        if minds_trailing_spaces(collation) && !minds_trailing_spaces(&name) {
            text.push_str("; it ignores spaces at the end, so keys that differ only in these will collide");
        }
    }
    notes.push(Note { loss, object: object.to_owned(), text });
    Mapped { charset: to, collation: name }
}

/// NO PAD: MySQL's 0900 collations, MariaDB's `nopad` ones.
fn minds_trailing_spaces(collation: &str) -> bool {
    collation.contains("_0900_") || collation.contains("nopad")
}

/// The collation's name at the target, if it has it: `utf8_bin` and `utf8mb3_bin` are one.
fn own_name(target: &TargetProfile, charset: Charset, collation: &str) -> Option<String> {
    let mut names = vec![collation.to_owned()];
    if charset == Charset::Utf8mb3 {
        let rest = collation.trim_start_matches("utf8mb3").trim_start_matches("utf8");
        names.push(format!("utf8mb3{rest}"));
        names.push(format!("utf8{rest}"));
    }
    names.into_iter().find(|name| target.has_collation(name))
}

fn binary(target: &TargetProfile, charset: Charset) -> String {
    first(target, [format!("{charset}_bin")]).unwrap_or_else(|| "utf8mb4_bin".to_owned())
}

fn closest(target: &TargetProfile, charset: Charset, collation: &str) -> String {
    let exact = collation.ends_with("_bin") || collation.ends_with("_cs") || collation.contains("_as_cs");
    if exact {
        return binary(target, charset);
    }
    let candidates =
        ["0900_ai_ci", "uca1400_ai_ci", "unicode_520_ci", "unicode_ci", "general_ci", "swedish_ci"];
    first(target, candidates.map(|rest| format!("{charset}_{rest}")))
        .or_else(|| first(target, [format!("{charset}_general_ci")]))
        .unwrap_or_else(|| binary(target, charset))
}

fn first(target: &TargetProfile, names: impl IntoIterator<Item = String>) -> Option<String> {
    names.into_iter().find(|name| target.has_collation(name))
}
