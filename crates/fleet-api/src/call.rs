//! What a call may use up, over all the requests that it makes.

use std::time::Duration;

use tokio::time::Instant;

/// Limits of single calls that differ from the client's own; see [`Client::limited`](crate::Client::limited).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallLimits {
    /// Attempts of each request, at least one.
    pub attempts: Option<u32>,
    /// A call with everything it does: queues, attempts, waits, polling.
    pub deadline: Option<Duration>,
}

impl CallLimits {
    /// At most this many attempts.
    pub fn attempts(attempts: u32) -> Self {
        Self {
            attempts: Some(attempts),
            deadline: None,
        }
    }

    /// At most this long.
    pub fn deadline(deadline: Duration) -> Self {
        Self {
            attempts: None,
            deadline: Some(deadline),
        }
    }

    /// These limits and at most this long.
    pub fn within(self, deadline: Duration) -> Self {
        Self {
            deadline: Some(deadline),
            ..self
        }
    }
}

/// A logical call: what it may use up, over all the requests it makes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) begun: Instant,
    pub(crate) deadline: Instant,
    pub(crate) attempt: Duration,
    pub(crate) attempts: u32,
}

impl Call {
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}
