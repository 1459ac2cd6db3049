//! What the integration tests share: a faulty file system and logs to write.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod faulty;
pub mod logs;
