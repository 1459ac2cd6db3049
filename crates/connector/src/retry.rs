//! Trying again after errors that pass.

use std::time::{Duration, Instant};

use crate::{ConnectorError, Policy};

/// Delays between attempts: 100 ms, doubling up to 5 s, until the patience ends. Sleeping is the caller's, who
/// can be cancelled.
#[derive(Debug)]
pub struct Backoff {
    patience: Duration,
    begun: Option<Instant>,
    delay: Duration,
}

impl Backoff {
    /// `patience` counts from the first error.
    pub fn new(patience: Duration) -> Self {
        Self { patience, begun: None, delay: Duration::from_millis(100) }
    }

    /// How long to wait before the next attempt.
    ///
    /// # Errors
    /// The error itself where trying again is no use, or has been tried for long enough.
    pub fn after(&mut self, error: ConnectorError) -> Result<Duration, ConnectorError> {
        let begun = *self.begun.get_or_insert_with(Instant::now);
        if error.policy() != Policy::Retry || begun.elapsed() > self.patience {
            return Err(error);
        }
        let delay = self.delay;
        self.delay = (delay * 2).min(Duration::from_secs(5));
        Ok(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn only_what_passes_is_tried_again_and_not_for_ever() {
        let error = |kind| ConnectorError::new(kind, "server", "failed");
        let mut backoff = Backoff::new(Duration::from_secs(60));
        assert_eq!(backoff.after(error(ErrorKind::ConnectionLost)).unwrap(), Duration::from_millis(100));
        assert_eq!(backoff.after(error(ErrorKind::Overloaded)).unwrap(), Duration::from_millis(200));
        assert!(backoff.after(error(ErrorKind::ReadOnly)).is_err());
        assert!(Backoff::new(Duration::ZERO).after(error(ErrorKind::Timeout)).is_err());
    }
}
