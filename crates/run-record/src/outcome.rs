//! What can come of a trial: the score, what the agent did, whether the instance was given back.
//!
//! These are separate results and never mixed: an instance that could not be closed does not change a score,
//! and an infrastructure fault is never a score of zero.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A closed set of words that is written as text and keeps words of a newer version.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every value, in the order in which reports list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word used in files and on the screen.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// Whether a trial has a score.
    TrialStatus {
        /// Not finished: planned, or under way.
        Pending = "pending",
        /// The verifier ran and gave a score.
        Scored = "scored",
        /// It ended without a score; see the failure for why.
        Unscored = "unscored",
        /// The run was stopped before it could have a score.
        Cancelled = "cancelled",
    }
}

words! {
    /// What the agent did, apart from its score.
    AgentOutcome {
        /// Exit code 0.
        Completed = "completed",
        /// Another exit code, or it said so in its result.
        Failed = "failed",
        /// Stopped at its time limit.
        TimedOut = "timed_out",
        /// Ended by a signal that we did not send.
        Crashed = "crashed",
        /// The program could not be started.
        CouldNotStart = "could_not_start",
        /// Its instance was gone before it finished.
        LostEnvironment = "lost_environment",
        /// It was never started.
        NotStarted = "not_started",
    }
}

words! {
    /// Whether the instance was given back.
    TeardownOutcome {
        /// We closed it and the service confirmed.
        Released = "released",
        /// It was gone already.
        AlreadyGone = "already_gone",
        /// The service did not confirm in time: it may still live.
        Unconfirmed = "unconfirmed",
    }
}

words! {
    /// The stage of a trial in which something went wrong.
    Phase {
        /// Getting a running instance.
        Provision = "provision",
        /// The agent's work.
        Agent = "agent",
        /// Scoring.
        Verify = "verify",
    }
}

words! {
    /// Why a trial has no score.
    ErrorKind {
        /// The service asked us to slow down until the budget was used up.
        RateLimited = "rate_limited",
        /// No room under the team's instance limit.
        Quota = "quota",
        /// The service or the network did not answer properly.
        Unavailable = "unavailable",
        /// Time ran out at the service or in waiting for it.
        Timeout = "timeout",
        /// The service refused the request: it will not work by trying again.
        Rejected = "rejected",
        /// The service refused the credential.
        Unauthorized = "unauthorized",
        /// The instance failed or vanished.
        EnvironmentLost = "environment_lost",
        /// The agent's program could not be started.
        CouldNotStart = "could_not_start",
        /// The agent said that the infrastructure failed it (exit 75, or its result).
        AgentInfrastructure = "agent_infrastructure",
        /// The verifier raised, or answered something that is no score.
        VerifierError = "verifier_error",
        /// A process of the agent could not be killed, so its work could not be verified.
        Survivors = "survivors",
        /// The run was stopped.
        Cancelled = "cancelled",
        /// A file of the run could not be written.
        Storage = "storage",
        /// A bug in the harness.
        Internal = "internal",
    }
}

/// Where and why an attempt has no score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The stage.
    pub phase: Phase,
    /// The class of the cause.
    pub kind: ErrorKind,
    /// For people: what happened, one line if possible.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}: {}", self.phase, self.kind, self.message)
    }
}
