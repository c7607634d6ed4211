//! Decides whether and when a failed attempt is repeated. Pure: no clock, no socket.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

/// The longest wait that a service may impose. A larger value is a mistake or an attack.
pub const MAX_RETRY_AFTER: Duration = Duration::from_mins(2);

/// How often and how patiently a call is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in total, at least one.
    pub max_attempts: u32,
    /// Upper bound of the wait before the second attempt; it doubles with every further one.
    pub base_delay: Duration,
    /// Where the doubling ends.
    pub max_delay: Duration,
}

impl Default for RetryPolicy {
    /// Four attempts and waits of up to 1, 2 and 4 seconds, as the official client has them.
    fn default() -> Self {
        Self {
            max_attempts: 4,
            base_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// No second attempt.
    pub fn none() -> Self {
        Self {
            max_attempts: 1,
            ..Self::default()
        }
    }

    /// The wait after the failed attempt number `attempt` (from 1): what the service asked for, else
    /// a random time below `base_delay · 2^(attempt − 1)`. The whole range is random ("full
    /// jitter"), which spreads callers that failed together best.
    ///
    /// `chance` is uniform in 0.0–1.0.
    pub(crate) fn delay(
        &self,
        attempt: u32,
        retry_after: Option<Duration>,
        chance: f64,
    ) -> Duration {
        if let Some(asked) = retry_after {
            // A little later than asked, so that those who were told the same do not return together.
            return asked + self.base_delay.mul_f64(chance);
        }
        let doubled = self
            .base_delay
            .saturating_mul(1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX));
        doubled.min(self.max_delay).mul_f64(chance)
    }
}

/// Reads a `Retry-After` header: seconds or an HTTP date.
///
/// Nothing for values that say nothing: zero, negative, past or unreadable. Never above
/// [`MAX_RETRY_AFTER`].
pub(crate) fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let seconds = if let Ok(seconds) = value.parse::<f64>() {
        seconds
    } else {
        let until = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
        until.duration_since(now).as_secs_f64()
    };
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(MAX_RETRY_AFTER.as_secs_f64())))
}

/// A source of chance that is good enough to spread retries, and can be fixed.
#[derive(Debug)]
pub(crate) struct Chance(AtomicU64);

impl Chance {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(Uuid::new_v4().as_u64_pair().0))
    }

    /// The next number, uniform in 0.0–1.0. The generator is `SplitMix64` (Steele, Lea and Flood,
    /// "Fast splittable pseudorandom number generators", 2014).
    pub(crate) fn next(&self) -> f64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // The upper 53 bits fill a double exactly.
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_limit() {
        let policy = RetryPolicy {
            max_delay: Duration::from_secs(5),
            ..RetryPolicy::default()
        };
        let bounds: Vec<_> = [1, 2, 3, 4, 40, 400]
            .map(|attempt| policy.delay(attempt, None, 1.0).as_secs())
            .to_vec();
        assert_eq!(bounds, [1, 2, 4, 5, 5, 5]);
        assert_eq!(policy.delay(3, None, 0.0), Duration::ZERO);
        assert_eq!(policy.delay(3, None, 0.5), Duration::from_secs(2));
    }

    #[test]
    fn a_wait_that_was_asked_for_is_never_cut_short() {
        let policy = RetryPolicy::default();
        let asked = Duration::from_secs(90);
        assert_eq!(policy.delay(1, Some(asked), 0.0), asked);
        assert_eq!(
            policy.delay(1, Some(asked), 0.5),
            asked + Duration::from_millis(500)
        );
    }

    #[test]
    fn s2_every_form_of_retry_after() {
        let now: Timestamp = "2026-11-01T12:00:00Z".parse().unwrap();
        for (value, expected) in [
            ("7", Some(7.0)),
            (" 1.5 ", Some(1.5)),
            ("0", None),
            ("-5", None),
            ("1000000000", Some(120.0)),
            ("99999999999999999999999999", Some(120.0)),
            ("inf", Some(120.0)),
            ("nan", None),
            ("", None),
            ("soon", None),
            ("Sun, 01 Nov 2026 12:00:30 GMT", Some(30.0)),
            ("Sun, 01 Nov 2026 13:00:00 GMT", Some(120.0)),
            ("Sun, 01 Nov 2026 11:59:59 GMT", None),
            ("Sun, 99 Nov 2026 11:59:59 GMT", None),
        ] {
            let found = parse_retry_after(value, now).map(|wait| wait.as_secs_f64());
            assert_eq!(found, expected, "{value:?}");
        }
    }

    #[test]
    fn chance_covers_its_range() {
        let chance = Chance::new();
        let numbers: Vec<_> = (0..1_000).map(|_| chance.next()).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        assert!(
            numbers.iter().any(|number| *number < 0.05)
                && numbers.iter().any(|number| *number > 0.95)
        );
    }
}
