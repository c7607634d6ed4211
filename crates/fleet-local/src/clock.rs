//! The time of leases and records. A scale makes it run faster than the wall for tests of long
//! leases.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A clock that started at the wall's time and runs `scale` times as fast.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    epoch: Timestamp,
    scale: f64,
}

impl Clock {
    /// `scale` 1.0 is real time; it is finite and positive.
    pub(crate) fn new(scale: f64) -> Self {
        debug_assert!(scale.is_finite() && scale > 0.0);
        Self {
            started: Instant::now(),
            epoch: Timestamp::now(),
            scale,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        // Monotonic after the start: a lease must not end because someone set the wall clock.
        after(self.epoch, self.started.elapsed().mul_f64(self.scale))
    }

    /// How long to sleep, in real time, until this clock shows `at`.
    pub(crate) fn real_time_until(&self, at: Timestamp) -> Duration {
        let left = at.duration_since(self.now());
        Duration::try_from(left).map_or(Duration::ZERO, |left| left.div_f64(self.scale))
    }
}

/// `at` plus `duration`, or the last representable moment.
pub(crate) fn after(at: Timestamp, duration: Duration) -> Timestamp {
    jiff::SignedDuration::try_from(duration)
        .ok()
        .and_then(|duration| at.checked_add(duration).ok())
        .unwrap_or(Timestamp::MAX)
}

/// The form of times in answers: UTC with microseconds, as the hosted service writes them.
pub(crate) fn text(at: Timestamp) -> String {
    format!("{at:.6}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scaled_clock_runs_faster_and_sleeps_shorter() {
        let clock = Clock::new(1000.0);
        let deadline = after(clock.now(), Duration::from_secs(1000));
        assert!(clock.real_time_until(deadline) <= Duration::from_secs(1));
        assert_eq!(clock.real_time_until(Timestamp::UNIX_EPOCH), Duration::ZERO);
    }

    #[test]
    fn times_have_microseconds_and_a_zone() {
        let at = Timestamp::new(1_749_546_000, 123_456_789).unwrap();
        assert_eq!(text(at), "2025-06-10T09:00:00.123456Z");
        assert_eq!(
            text(Timestamp::new(0, 0).unwrap()),
            "1970-01-01T00:00:00.000000Z"
        );
    }
}
