//! What the integration tests share: a faulty file system and logs to write.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helper may panic")]

pub mod faulty;
pub mod logs;
