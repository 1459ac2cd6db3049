//! What happens to a call of a seam.

use std::time::Duration;

use whimbrel_connector::ErrorKind;

/// A call that is about to be made.
pub struct Call<'a> {
    /// The server's name.
    pub server: &'a str,
    /// The seam's method.
    pub name: &'static str,
    /// What it is about, the same whenever the call is the same.
    pub detail: &'a str,
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is done.
    Pass,
    /// The connection is lost before the work. An open transaction is rolled back.
    LostBefore,
    /// The connection is lost after the work: it is done, and nobody is told.
    LostAfter,
    /// The connection is lost, and the server notices after this time: a commit happens then, any other open
    /// transaction holds its locks until then.
    Late(Duration),
    /// The work is done after this time.
    SlowBefore(Duration),
    /// The work is done at once, the answer comes after this time.
    SlowAfter(Duration),
    /// An error before the work. One that ends transactions ends an open one.
    Refused(ErrorKind),
    /// Neither work nor answer, ever: for a process that is about to be killed.
    Hang,
    /// The work, but never an answer.
    HangAfter,
}

/// Decides about calls. Asked once for each call, in the order in which calls are made.
pub trait Hook: Send + Sync {
    fn decide(&self, call: &Call<'_>) -> Fate;
}

/// Everything works.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFaults;

impl Hook for NoFaults {
    fn decide(&self, _: &Call<'_>) -> Fate {
        Fate::Pass
    }
}
