//! The vocabulary of a run: ids, outcomes, events, the journal and its fold into a record.
//!
//! Everything a run does is an [`Event`], appended to a journal before or right after it has an effect.
//! A [`RunRecord`] is the fold of those events; every report, progress line and exit code is a function of it.
//! This crate knows no network, no async runtime and no command line.

mod event;
#[cfg(test)]
mod fixtures;
mod ids;
mod journal;
mod layout;
mod outcome;
mod record;
mod session;
mod state;
mod verdict;

pub use event::{
    AgentReport, Entry, Event, GateSpec, PlannedTrial, RunEnd, RunInfo, StopReason, Usage,
    VariantInfo, VerifierReport,
};
pub use ids::{Attempt, InstanceId, RequestId, RunId, TaskKey, TrialId, VariantName, path_slug};
pub use journal::{
    FORMAT_VERSION, Journal, JournalError, JournalHold, JournalReader, JournalStore, Replay,
    ReplayError, Room, SalvageError, Salvaged, replay, salvage,
};
pub use layout::{RunLayout, TrialLayout};
pub use outcome::{AgentOutcome, ErrorKind, Failure, Phase, TeardownOutcome, TrialStatus};
pub use record::{
    AttemptRecord, FoldError, JobRecord, OpenLease, PhaseTimes, RunRecord, RunStats, TrialRecord,
};
pub use session::{SessionEnd, SessionRecord, SessionRequest};
pub use state::{AttemptState, Holds, IllegalTransition, Step};
pub use verdict::{ExitCode, GateFailure, Verdict};
