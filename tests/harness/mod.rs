//! What the tests are written with: servers, SQL, the binary under test, live writers, and an oracle of their own.

pub mod compare;
pub mod http;
pub mod proxy;
pub mod random;
pub mod scene;
pub mod servers;
pub mod sql;
pub mod whimbrel;
pub mod workload;

pub use random::Random;
pub use scene::Scene;
pub use servers::Server;
pub use sql::Sql;
pub use whimbrel::{Outcome, Running, Task};
