//! When an instance's lease ends. Pure: times in, a deadline out.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::{after, text};

/// Seconds that a client may ask for between two heartbeats.
pub(crate) const HEARTBEAT_RANGE: RangeInclusive<i64> = 30..=3600;

/// As many intervals without a beat end the instance.
const MISSES: u32 = 3;

/// What the client asked for, and what the server allows to those who asked for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeaseTerms {
    pub(crate) ttl: Option<Duration>,
    /// A moment that a client chose later. It takes the place of the TTL and of the maximum.
    pub(crate) until: Option<Timestamp>,
    pub(crate) heartbeat_interval: Option<Duration>,
    /// Applies only where neither of the others does: an instance that nobody bounded must still
    /// end.
    pub(crate) maximum: Duration,
}

/// Which of the clocks decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseEnd {
    Heartbeats,
    Ttl,
    Maximum,
}

impl LeaseTerms {
    /// The moment at which the lease ends if nothing more is heard, and why.
    ///
    /// Heartbeats take precedence over the TTL: an instance that keeps beating outlives its TTL,
    /// one that stops does not reach it. Time runs from the moment at which the instance became
    /// usable, so a slow start costs no part of the lease.
    pub(crate) fn deadline(
        &self,
        running_at: Timestamp,
        last_beat: Option<Timestamp>,
    ) -> (Timestamp, LeaseEnd) {
        if let Some(interval) = self.heartbeat_interval {
            let heard = last_beat.map_or(running_at, |beat| beat.max(running_at));
            (
                after(heard, interval.saturating_mul(MISSES)),
                LeaseEnd::Heartbeats,
            )
        } else if let Some(until) = self.until {
            (until, LeaseEnd::Ttl)
        } else if let Some(ttl) = self.ttl {
            (after(running_at, ttl), LeaseEnd::Ttl)
        } else {
            (after(running_at, self.maximum), LeaseEnd::Maximum)
        }
    }

    /// The terms after a change at `now`. `running_at` is none while the instance starts.
    pub(crate) fn changed(
        self,
        change: LeaseChange,
        running_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Self, NotChanged> {
        if self.heartbeat_interval.is_some() {
            return Err(NotChanged::Heartbeats);
        }
        match (change, running_at) {
            // Its time has not begun; the new TTL runs from the same moment as the old one would.
            (LeaseChange::Ttl(ttl), None) => Ok(Self {
                ttl: Some(ttl),
                ..self
            }),
            (LeaseChange::Ttl(ttl), Some(_)) => Ok(Self {
                until: Some(after(now, ttl)),
                ..self
            }),
            (LeaseChange::ExtendTo(_), None) => Err(NotChanged::Pending),
            (LeaseChange::ExtendTo(until), Some(running_at)) => {
                let (end, _) = self.deadline(running_at, None);
                if until < end {
                    return Err(NotChanged::Earlier { end: text(end) });
                }
                Ok(Self {
                    until: Some(until),
                    ..self
                })
            }
        }
    }
}

/// How a client wants to move the end of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseChange {
    /// So long from now on.
    Ttl(Duration),
    /// Until then, which is not before the present end.
    ExtendTo(Timestamp),
}

/// Why the end of a lease was not moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotChanged {
    #[error("The instance lives by its heartbeats, which take precedence over a TTL")]
    Heartbeats,
    #[error("The instance ends at {end}; a TTL can only be extended to a later moment")]
    Earlier { end: String },
    #[error("The instance is starting, so that its TTL has not begun")]
    Pending,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAXIMUM: Duration = Duration::from_hours(24);

    fn at(second: i64) -> Timestamp {
        Timestamp::new(second, 0).unwrap()
    }

    fn terms(ttl: Option<u64>, interval: Option<u64>) -> LeaseTerms {
        LeaseTerms {
            ttl: ttl.map(Duration::from_secs),
            until: None,
            heartbeat_interval: interval.map(Duration::from_secs),
            maximum: MAXIMUM,
        }
    }

    #[test]
    fn three_misses_count_from_the_last_beat_or_from_running() {
        let terms = terms(None, Some(30));
        assert_eq!(
            terms.deadline(at(100), None),
            (at(190), LeaseEnd::Heartbeats)
        );
        assert_eq!(
            terms.deadline(at(100), Some(at(150))),
            (at(240), LeaseEnd::Heartbeats)
        );
        // A beat while the instance was still pending does not shorten what it gets.
        assert_eq!(
            terms.deadline(at(100), Some(at(10))),
            (at(190), LeaseEnd::Heartbeats)
        );
    }

    #[test]
    fn heartbeats_take_precedence_over_the_ttl_both_ways() {
        assert_eq!(
            terms(Some(60), Some(30)).deadline(at(0), Some(at(1000))),
            (at(1090), LeaseEnd::Heartbeats)
        );
        assert_eq!(
            terms(Some(7200), Some(30)).deadline(at(0), None),
            (at(90), LeaseEnd::Heartbeats)
        );
    }

    #[test]
    fn without_an_interval_the_ttl_alone_decides() {
        assert_eq!(
            terms(Some(60), None).deadline(at(10), Some(at(60))),
            (at(70), LeaseEnd::Ttl)
        );
    }

    #[test]
    fn without_both_the_maximum_holds() {
        assert_eq!(
            terms(None, None).deadline(at(10), None),
            (at(86_410), LeaseEnd::Maximum)
        );
    }

    #[test]
    fn a_new_ttl_counts_from_now_and_may_shorten() {
        let change = LeaseChange::Ttl(Duration::from_secs(5));
        for before in [terms(Some(3600), None), terms(None, None)] {
            let after = before.changed(change, Some(at(10)), at(100)).unwrap();
            assert_eq!(after.deadline(at(10), None), (at(105), LeaseEnd::Ttl));
            let pending = before.changed(change, None, at(100)).unwrap();
            assert_eq!(pending.deadline(at(200), None), (at(205), LeaseEnd::Ttl));
        }
    }

    #[test]
    fn an_extension_never_shortens_and_may_be_repeated() {
        let before = terms(Some(60), None);
        let extend = |terms: LeaseTerms, to| {
            terms.changed(LeaseChange::ExtendTo(at(to)), Some(at(10)), at(20))
        };
        assert!(matches!(
            extend(before, 69),
            Err(NotChanged::Earlier { .. })
        ));
        let after = extend(before, 500).unwrap();
        assert_eq!(after.deadline(at(10), None), (at(500), LeaseEnd::Ttl));
        assert_eq!(extend(after, 500), Ok(after));
        assert!(extend(after, 499).is_err());
        let pending = before.changed(LeaseChange::ExtendTo(at(500)), None, at(20));
        assert_eq!(pending, Err(NotChanged::Pending));
    }

    #[test]
    fn a_lease_of_heartbeats_has_no_ttl_to_move() {
        let change = LeaseChange::Ttl(Duration::from_secs(5));
        let changed = terms(Some(60), Some(30)).changed(change, Some(at(0)), at(1));
        assert_eq!(changed, Err(NotChanged::Heartbeats));
    }

    #[test]
    fn absurd_terms_do_not_overflow() {
        let (deadline, _) = terms(Some(u64::MAX), None).deadline(at(0), None);
        assert_eq!(deadline, Timestamp::MAX);
    }
}
