//! What a run tells whoever watches it. The watcher draws; it decides nothing.

use std::collections::HashMap;
use std::time::Duration;

use run_record::{Attempt, Failure, RunRecord, TrialId, TrialRecord, Verdict};
use tokio::time::Instant;

/// What a trial is doing right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LivePhase {
    /// A create is under way.
    Provisioning,
    /// The service refused an instance for quota; it will be asked again.
    WaitingForQuota,
    /// The instance is ready and waits for room for an agent.
    Ready,
    /// The agent works.
    AgentRunning,
    /// The work is being scored, or waits for it.
    Verifying,
    /// The instance is being given back.
    TearingDown,
    /// An infrastructure fault is waited out.
    WaitingToRetry,
}

impl LivePhase {
    /// The words for it on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "creating",
            Self::WaitingForQuota => "waiting for quota",
            Self::Ready => "waiting for an agent slot",
            Self::AgentRunning => "running",
            Self::Verifying => "verifying",
            Self::TearingDown => "releasing",
            Self::WaitingToRetry => "waiting to retry",
        }
    }
}

/// A trial under way.
#[derive(Clone, Copy, Debug)]
pub struct LiveTrial {
    /// What it is doing.
    pub phase: LivePhase,
    /// Since when.
    pub phase_since: Instant,
    /// When it was admitted.
    pub since: Instant,
}

/// The run as it stands when an event is told.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The fold of everything durable so far.
    pub record: &'a RunRecord,
    /// The trials under way.
    pub live: &'a HashMap<TrialId, LiveTrial>,
    /// Time since this sitting began.
    pub elapsed: Duration,
}

/// Something worth telling.
#[derive(Clone, Debug)]
pub enum RunEvent<'a> {
    /// The plan is durable; trials begin.
    Started,
    /// A trial moved on.
    Phase {
        /// The trial.
        trial: &'a TrialId,
        /// Where to.
        phase: LivePhase,
    },
    /// An attempt failed for infrastructure reasons and the trial goes on with another.
    Retrying {
        /// The trial.
        trial: &'a TrialId,
        /// The attempt that failed.
        attempt: Attempt,
        /// Why.
        failure: &'a Failure,
    },
    /// A trial is done, its teardown included.
    TrialFinished {
        /// Its record.
        trial: &'a TrialRecord,
    },
    /// Something is not as it should be, but the run goes on.
    Warning {
        /// What, in one line.
        message: &'a str,
    },
    /// The run is stopping.
    Stopping {
        /// What happens now, and what the next signal would do.
        message: &'a str,
    },
    /// Nothing happened; the clock moved.
    Tick,
    /// The run is over, everything is closed or accounted for.
    Finished {
        /// The judgement.
        verdict: &'a Verdict,
    },
}
