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
    // utf8mb3 in utf8mb4 is the same text; all else deserves a word.
    let loss =
        if name.ends_with("_bin") == collation.ends_with("_bin") { Loss::None } else { Loss::Behaviour };
    let why = if unique { " (part of a key: no two keys may become equal)" } else { "" };
    notes.push(Note {
        loss,
        object: object.to_owned(),
        text: format!("the target has no collation {collation}: {name} instead{why}"),
    });
    Mapped { charset: to, collation: name }
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
