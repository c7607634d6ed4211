//! A clock that also counts the time in which the machine sleeps, and never jumps when somebody sets the wall clock.
//!
//! Leases end at the service whether or not our machine is awake, so their times are measured by this one. An agent's
//! own timeout is not: a laptop that was shut for the night has not let its agent work.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Time since a fixed moment, sleep included. Cheap to clone.
#[derive(Clone)]
pub(crate) struct BootClock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl BootClock {
    /// The system's.
    pub(crate) fn system() -> Self {
        Self(Arc::new(since_boot))
    }

    /// Another one, for a world that is simulated.
    #[cfg(test)]
    pub(crate) fn of(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Now. Only differences mean anything.
    pub(crate) fn now(&self) -> Duration {
        (self.0)()
    }
}

impl fmt::Debug for BootClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BootClock").field(&self.now()).finish()
    }
}

fn since_boot() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
    // Elsewhere this is the nearest there is.
    #[cfg(not(target_os = "linux"))]
    const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;
    clock_gettime(CLOCK).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on() {
        let clock = BootClock::system();
        let before = clock.now();
        assert!(before > Duration::ZERO);
        assert!(clock.now() >= before);
    }
}
