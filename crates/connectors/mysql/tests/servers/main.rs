//! Tests against real servers. They need `dev/servers up mysql97 mariadb1011 seekdb`, and fail without it.

mod server;
mod wire;
