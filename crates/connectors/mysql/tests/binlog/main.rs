//! The binary log, read from recorded samples and from running servers.

mod damage;
mod events;
mod live;
mod render;
mod replay;
mod sample;
mod samples;
