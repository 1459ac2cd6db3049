//! Listing, checking and printing a Store for people, also while another process writes it.

use whimbrel_model::DateTime;

/// A time as `YYYY-MM-DD hh:mm:ss.ffffff` in UTC.
pub fn time_text(time_us: u64) -> String {
    match DateTime::from_unix(time_us / 1_000_000, (time_us % 1_000_000) as u32) {
        Some(time) => format!("{time} UTC"),
        None => format!("{time_us} us"),
    }
}
