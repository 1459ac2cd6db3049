//! Ages and sizes as flags give them: `7d`, `12h`, `50G`.

use std::time::Duration;

/// An age: a whole number of seconds, minutes, hours or days (`90s`, `30m`, `12h`, `7d`).
///
/// # Errors
/// A text for the user.
pub fn age(text: &str) -> Result<Duration, String> {
    let seconds = match scaled(text, &[("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]) {
        Some(seconds) => seconds,
        None => return Err(format!("{text:?} is no age such as 90s, 30m, 12h or 7d")),
    };
    Ok(Duration::from_secs(seconds))
}

/// A size in bytes, or in binary units (`4096`, `512M`, `50G`, `2T`).
///
/// # Errors
/// A text for the user.
pub fn bytes(text: &str) -> Result<u64, String> {
    let units = [("", 1), ("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40)];
    scaled(text, &units).ok_or_else(|| format!("{text:?} is no size such as 512M, 50G or 2T"))
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..)?;
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    digits.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_read() {
        assert_eq!(age("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(age("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!((bytes("4096"), bytes("50g"), bytes("0")), (Ok(4096), Ok(50 << 30), Ok(0)));
        for wrong in ["", "7", "d", "-1d", "1.5h", "7w", "99999999999999999999d"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "G", "-1", "1X", "18446744073709551615K"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
