//! How a run is asked to stop: an ordered level that only ever rises.
//!
//! Whoever waits for something selects over it and the level at which it gives up.

use run_record::StopReason;
use tokio::sync::watch;

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

/// The side that decides: owned by the dispatcher.
#[derive(Debug)]
pub(crate) struct StopControl {
    level: watch::Sender<StopLevel>,
    reason: Option<StopReason>,
}

/// The side that listens.
#[derive(Clone, Debug)]
pub(crate) struct StopSignal(watch::Receiver<StopLevel>);

impl StopControl {
    pub(crate) fn new() -> (Self, StopSignal) {
        let (level, listener) = watch::channel(StopLevel::Run);
        let control = Self {
            level,
            reason: None,
        };
        (control, StopSignal(listener))
    }

    /// Raises the level. The first reason is kept unless a stronger level brings another.
    /// Returns false if the level was as high already.
    pub(crate) fn raise(&mut self, level: StopLevel, reason: StopReason) -> bool {
        let risen = level > self.level();
        if risen {
            self.level.send_replace(level);
            self.reason = Some(reason);
        }
        risen
    }

    pub(crate) fn level(&self) -> StopLevel {
        *self.level.borrow()
    }

    /// Why the run stops before its end; `None` while it does not.
    pub(crate) fn reason(&self) -> Option<&StopReason> {
        self.reason.as_ref()
    }
}

impl StopSignal {
    /// Returns when the level is at least `level`. Dropping it loses nothing.
    pub(crate) async fn reached(&self, level: StopLevel) {
        let mut listener = self.0.clone();
        // The dispatcher outlives every trial; should it be gone after all, stopping is right.
        let _ = listener.wait_for(|now| *now >= level).await;
    }

    /// Whether the level is at least `level` now.
    pub(crate) fn is(&self, level: StopLevel) -> bool {
        *self.0.borrow() >= level
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
