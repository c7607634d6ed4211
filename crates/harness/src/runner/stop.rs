//! How a run is asked to stop: an ordered level that only ever rises.
//!
//! Whoever waits for something selects over it and the level at which it gives up.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use run_record::StopReason;
use tokio::sync::Notify;

/// How urgently the run is to end. A weaker level never overrides a stronger one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StopLevel {
    /// Go on.
    Run,
    /// Start no new trial; what runs may finish.
    StartNothing,
    /// Agents get TERM, their grace period, then KILL; what they had finished before is still scored.
    EndAgents,
    /// As before, and nothing more is scored that is not being scored.
    Graceful,
    /// Agents get KILL; waiting of every kind ends. Instances are still given back.
    Forceful,
}

impl StopLevel {
    const ALL: [Self; 5] = [
        Self::Run,
        Self::StartNothing,
        Self::EndAgents,
        Self::Graceful,
        Self::Forceful,
    ];
}

/// The side that decides: owned by the dispatcher.
#[derive(Debug)]
pub(crate) struct StopControl {
    shared: Arc<Shared>,
    reason: Option<StopReason>,
}

/// The side that listens.
#[derive(Clone, Debug)]
pub(crate) struct StopSignal(Arc<Shared>);

/// The level, and who waits for it to rise: they wake in the order in which they came, so that a simulated run tells one
/// story. (A `watch` channel wakes them in a random one.)
#[derive(Debug)]
struct Shared {
    level: AtomicU8,
    risen: Notify,
}

impl StopControl {
    pub(crate) fn new() -> (Self, StopSignal) {
        let shared = Arc::new(Shared {
            level: AtomicU8::new(StopLevel::Run as u8),
            risen: Notify::new(),
        });
        let control = Self {
            shared: Arc::clone(&shared),
            reason: None,
        };
        (control, StopSignal(shared))
    }

    /// Raises the level. The first reason is kept unless a stronger level brings another.
    /// Returns false if the level was as high already.
    pub(crate) fn raise(&mut self, level: StopLevel, reason: StopReason) -> bool {
        let risen = level > self.level();
        if risen {
            self.shared.level.store(level as u8, Ordering::SeqCst);
            self.shared.risen.notify_waiters();
            self.reason = Some(reason);
        }
        risen
    }

    pub(crate) fn level(&self) -> StopLevel {
        self.shared.level()
    }

    /// Why the run stops before its end; `None` while it does not.
    pub(crate) fn reason(&self) -> Option<&StopReason> {
        self.reason.as_ref()
    }
}

impl Shared {
    fn level(&self) -> StopLevel {
        let number = self.level.load(Ordering::SeqCst);
        let found = StopLevel::ALL.iter().find(|level| **level as u8 == number);
        *found.expect("only levels are stored")
    }
}

impl StopSignal {
    /// Returns when the level is at least `level`. Dropping it loses nothing.
    pub(crate) async fn reached(&self, level: StopLevel) {
        let mut risen = pin!(self.0.risen.notified());
        loop {
            // Listening before looking, so that a rise in between is not missed.
            risen.as_mut().enable();
            if self.is(level) {
                return;
            }
            risen.as_mut().await;
            risen.set(self.0.risen.notified());
        }
    }

    /// Whether the level is at least `level` now.
    pub(crate) fn is(&self, level: StopLevel) -> bool {
        self.0.level() >= level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_level_never_falls_and_wakes_those_who_wait_for_less() {
        let (mut control, signal) = StopControl::new();
        assert!(!signal.is(StopLevel::StartNothing));
        assert!(control.raise(StopLevel::Graceful, StopReason::Interrupted));
        assert!(!control.raise(StopLevel::StartNothing, StopReason::Deadline));
        assert!(!control.raise(StopLevel::Graceful, StopReason::Terminated));
        assert_eq!(control.reason(), Some(&StopReason::Interrupted));
        signal.reached(StopLevel::StartNothing).await;
        signal.reached(StopLevel::Graceful).await;
        assert!(!signal.is(StopLevel::Forceful));
        assert!(control.raise(StopLevel::Forceful, StopReason::Terminated));
        signal.reached(StopLevel::Forceful).await;
    }
}
