//! When two texts are equal under a collation, told exactly and without a server.
//!
//! Known are the collations whose equality is a matter of single characters: `general_ci` of the Unicode charsets,
//! which is the same in MySQL, MariaDB and OceanBase, and the binary ones. A test of the MySQL connector asks real
//! servers about every character. Collations by the Unicode algorithm (contractions, ignorable characters, several
//! levels) are not known, nor those of other charsets.
//!
//! Under `utf8mb4_general_ci` a character is what `collation/general_ci.txt` says (the format of the charsets' tables:
//! the first character's code point, then what each counts as): `a`, `A` and `á` are one, `ß` is `s`, and *all characters
//! beyond U+FFFF are one*, U+FFFD among them. Spaces at the end count for nothing (PAD SPACE), but under
//! `utf8mb4_0900_bin`, `binary` and MariaDB's `nopad` collations.

use std::sync::LazyLock;

use crate::charset::code_points;

/// What all characters beyond the first plane count as.
const BEYOND: u16 = 0xfffd;

/// The equality of one collation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Equality {
    weights: Weights,
    pads: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weights {
    Own,
    GeneralCi,
}

impl Equality {
    /// Of a collation by its name; `None` where it isn't known exactly.
    pub fn of(collation: &str) -> Option<Self> {
        if collation == "binary" {
            return Some(Self { weights: Weights::Own, pads: false });
        }
        let (charset, rules) = collation.split_once('_')?;
        if !matches!(charset, "utf8mb4" | "utf8mb3" | "utf8" | "ucs2" | "utf16" | "utf16le" | "utf32") {
            return None;
        }
        let (weights, pads) = match rules {
            "bin" => (Weights::Own, true),
            "0900_bin" | "nopad_bin" => (Weights::Own, false),
            "general_ci" => (Weights::GeneralCi, true),
            "general_nopad_ci" => (Weights::GeneralCi, false),
            _ => return None,
        };
        Some(Self { weights, pads })
    }

    /// True where both are one value of a unique key.
    pub fn are_equal(self, a: &str, b: &str) -> bool {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        self.fold(a, &mut left);
        self.fold(b, &mut right);
        left == right
    }

    /// Appends bytes that are the same for equal texts and different for others. They don't sort like the texts.
    pub fn fold(self, text: &str, out: &mut Vec<u8>) {
        let text = if self.pads { text.trim_end_matches(' ') } else { text };
        match self.weights {
            Weights::Own => out.extend_from_slice(text.as_bytes()),
            Weights::GeneralCi => {
                out.extend(text.chars().flat_map(|character| general_ci(character).to_be_bytes()));
            }
        }
    }
}

fn general_ci(character: char) -> u16 {
    static WEIGHTS: LazyLock<Vec<u16>> = LazyLock::new(|| read(include_str!("collation/general_ci.txt")));
    WEIGHTS.get(character as usize).copied().unwrap_or(BEYOND)
}

/// The weight of each character of the first plane.
fn read(text: &str) -> Vec<u16> {
    let mut weights: Vec<u16> = (0..=u16::MAX).collect();
    for line in text.lines() {
        let Some((first, characters)) = line.split_once(' ') else { continue };
        let Ok(mut at) = usize::from_str_radix(first, 16) else { continue };
        for (code, count) in code_points(characters) {
            let (Some(code), Some(count)) = (code, count) else { continue };
            for weight in code..code.saturating_add(count) {
                if let (Some(place), Ok(weight)) = (weights.get_mut(at), u16::try_from(weight)) {
                    *place = weight;
                }
                at += 1;
            }
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn general_ci_takes_characters_one_by_one() {
        let equality = Equality::of("utf8mb4_general_ci").unwrap();
        for (a, b) in [("a", "Á "), ("ß", "S"), ("😀", "😁"), ("😀", "\u{fffd}"), ("", "  "), ("Жук", "жУК")]
        {
            assert!(equality.are_equal(a, b), "{a:?} {b:?}");
        }
        for (a, b) in [("ß", "ss"), ("a", "a\t"), ("a", "a\u{301}"), ("😀", "a"), ("中", "文"), (" a", "a")]
        {
            assert!(!equality.are_equal(a, b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn binary_collations_differ_in_trailing_spaces() {
        let pads = |collation| Equality::of(collation).unwrap().are_equal("a", "a ");
        assert!(pads("utf8mb4_bin") && pads("utf8mb3_general_ci"));
        assert!(!pads("utf8mb4_0900_bin") && !pads("utf8mb4_nopad_bin") && !pads("binary"));
        assert!(!Equality::of("utf8mb4_bin").unwrap().are_equal("a", "A"));
    }

    #[test]
    fn what_is_not_exactly_known_is_not_claimed() {
        for name in
            ["utf8mb4_0900_ai_ci", "utf8mb4_unicode_ci", "latin1_bin", "utf8mb3_general_mysql500_ci", "", "x"]
        {
            assert_eq!(Equality::of(name), None, "{name}");
        }
    }
}
