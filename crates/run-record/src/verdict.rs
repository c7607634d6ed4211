//! What a run's end means for whoever started it: the exit code, as a pure function of the record.

use crate::{ErrorKind, Failure, GateSpec, RunRecord, RunStats, StopReason};

/// The documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitCode {
    /// Every trial has a score, or few enough have none, and the gate passed.
    Success,
    /// The gate failed.
    GateFailed,
    /// Usage or spec error; nothing was provisioned.
    Usage,
    /// Finished, but too many trials are unscored.
    Unscored,
    /// Some instance could not be confirmed closed.
    Leaked,
    /// The run could not go on.
    Fatal,
    /// A bug in the harness.
    Internal,
    /// The demo's agent asks for another attempt (`EX_TEMPFAIL`); never the code of a run.
    TryAgain,
    /// Stopped by SIGINT after a clean teardown.
    Interrupted,
    /// Stopped by SIGTERM after a clean teardown.
    Terminated,
}

impl ExitCode {
    /// The number given to the operating system.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::GateFailed => 1,
            Self::Usage => 2,
            Self::Unscored => 3,
            Self::Leaked => 4,
            Self::Fatal => 5,
            Self::Internal => 70,
            Self::TryAgain => 75,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

/// One bound of the gate that does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct GateFailure {
    /// The spec's key, for example `gate.min_pass_rate`.
    pub key: &'static str,
    /// The bound.
    pub bound: f64,
    /// What the run reached; absent if it has no scored trial.
    pub reached: Option<f64>,
}

/// A run judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Counts over the trials.
    pub stats: RunStats,
    /// Bounds of the gate that do not hold.
    pub gate_failures: Vec<GateFailure>,
    /// True if more trials lack a score than the spec allows.
    pub too_many_unscored: bool,
    /// True if an instance may still live.
    pub leaked: bool,
    /// What the process exits with.
    pub exit: ExitCode,
}

impl Verdict {
    /// Judges a record. A leak outranks a bug of ours, that a stop, a stop outranks unscored trials, those outrank the gate.
    pub fn of(record: &RunRecord) -> Self {
        let stats = record.stats();
        let gate_failures = gate_failures(&record.info.gate, &stats, record);
        let too_many_unscored = too_many_unscored(&record.info.gate, &stats);
        let leaked = !record.open_leases().is_empty()
            || record
                .end
                .as_ref()
                .is_some_and(|end| !end.unconfirmed.is_empty() || !end.proven_empty);
        let stop = record.end.as_ref().map(|end| &end.reason);
        let exit = match stop {
            _ if leaked => ExitCode::Leaked,
            _ if has_bug(record) => ExitCode::Internal,
            Some(StopReason::Interrupted) => ExitCode::Interrupted,
            Some(StopReason::Terminated) => ExitCode::Terminated,
            Some(StopReason::Fatal { .. }) => ExitCode::Fatal,
            Some(StopReason::Deadline | StopReason::Budget { .. })
                if stats.scored + stats.unscored == 0 =>
            {
                ExitCode::Fatal
            }
            _ if too_many_unscored => ExitCode::Unscored,
            _ if !gate_failures.is_empty() => ExitCode::GateFailed,
            _ => ExitCode::Success,
        };
        Self {
            stats,
            gate_failures,
            too_many_unscored,
            leaked,
            exit,
        }
    }
}

/// Whether a trial met a bug of ours: its panic was contained, but nobody should take the run for a good one.
fn has_bug(record: &RunRecord) -> bool {
    let is_bug = |failure: &Failure| failure.kind == ErrorKind::Internal;
    let mut attempts = record.trials.iter().flat_map(|trial| &trial.attempts);
    attempts.any(|attempt| attempt.failure.as_ref().is_some_and(is_bug))
}

fn too_many_unscored(gate: &GateSpec, stats: &RunStats) -> bool {
    // A trial that was cut off has no score either.
    let without = stats.total - stats.scored;
    let allowed = gate.max_unscored.unwrap_or(0.0);
    // A run in which nothing was scored says nothing about the agent, whatever the spec allows.
    (without > 0 && stats.scored == 0) || without as f64 > allowed * stats.total as f64
}

fn gate_failures(gate: &GateSpec, stats: &RunStats, record: &RunRecord) -> Vec<GateFailure> {
    let scored = stats.scored as f64;
    let pass_rate = (stats.scored > 0).then(|| stats.passed as f64 / scored);
    let mean = (stats.scored > 0).then(|| {
        let sum: f64 = record.trials.iter().filter_map(|trial| trial.score).sum();
        sum / scored
    });
    [
        ("gate.min_pass_rate", gate.min_pass_rate, pass_rate),
        ("gate.min_mean_score", gate.min_mean_score, mean),
    ]
    .into_iter()
    .filter_map(|(key, bound, reached)| {
        let bound = bound?;
        let holds = reached.is_some_and(|reached| reached >= bound);
        (!holds).then_some(GateFailure {
            key,
            bound,
            reached,
        })
    })
    .collect()
}
