//! Serving a Store over a socket, and reading it from there.
//!
//! The protocol (`docs/dev/store-protocol.md`) is length-prefixed binary frames over TCP or a unix socket.
//! Records travel as the blocks of the segment files, compressed as they are on disk: the server copies,
//! the client checks the checksum and decodes. Nothing is encrypted; across machines it belongs into a
//! private network or a tunnel.
//!
//! Both sides treat the other as hostile: lengths are checked before anything is allocated for them, and
//! what doesn't parse is a typed error that ends the connection.

mod client;
mod frame;
mod server;

pub use client::{RemoteStore, RemoteStoreReader, connect_tcp, connect_unix};
pub(crate) use frame::Frame;
pub use frame::{ErrorCode, ProtocolError};
pub use server::{Listener, ServeOptions, serve, serve_connection};

/// The newest protocol version, which a server speaks. Its frames are those of version 1, its blocks may be of
/// format 2 ([`crate::FORMAT_VERSION`]), which a client of version 1 can't read.
pub const PROTOCOL_VERSION: u16 = 2;
/// The oldest protocol version that a client speaks: it reads the blocks of older servers.
const OLDEST_VERSION: u16 = 1;
