//! The binary log, read from recorded samples and from running servers (`dev/servers up NAME`).

mod damage;
mod definitions;
mod events;
mod link;
mod live;
mod random;
mod render;
mod replay;
mod sample;
mod samples;
#[path = "../servers/server.rs"]
mod server;
