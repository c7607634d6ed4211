//! What an attempt may do next: one pure function, used by the live run and by replay.

use serde::{Deserialize, Serialize};

use crate::Event;

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// In the plan; nothing was asked of the service.
    Planned,
    /// A create may have left.
    Intent,
    /// An instance is ours.
    Leased,
    /// The agent runs.
    Running,
    /// The agent's tree is dead.
    AgentDead,
    /// A verification may have left.
    VerifyIntent,
    /// There is a score.
    Scored,
    /// There will be no score of this attempt.
    Unscored,
    /// A close may have left.
    ReleaseIntent,
    /// Done.
    Released,
}

/// What an attempt may hold at the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// Nothing.
    Nothing,
    /// A create was sent and not answered: there may be an instance.
    Maybe,
    /// An instance.
    Instance,
}

/// Where an attempt stands and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AttemptState {
    /// Where it stands.
    pub step: Step,
    /// What it holds at the service.
    pub holds: Holds,
    /// True once it has a score.
    pub scored: bool,
}

/// An event that must not happen in a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} is not legal after {from:?}")]
pub struct IllegalTransition {
    /// The step it came in.
    pub from: Step,
    /// The event's name.
    pub event: &'static str,
}

impl Default for AttemptState {
    fn default() -> Self {
        Self::PLANNED
    }
}

impl AttemptState {
    /// The state before anything happened.
    pub const PLANNED: Self = Self {
        step: Step::Planned,
        holds: Holds::Nothing,
        scored: false,
    };

    /// The state after `event`, or why the event cannot come here.
    ///
    /// The agent's tree is dead before a verification is asked for, a score is recorded before the release
    /// begins, and nothing follows a release: those orders are this function and nothing else.
    pub fn after(self, event: &Event) -> Result<Self, IllegalTransition> {
        use Step::{
            AgentDead, Intent, Leased, Planned, ReleaseIntent, Released, Running, Scored, Unscored,
            VerifyIntent,
        };
        let to = |step: Step, holds: Holds| {
            Ok(Self {
                step,
                holds,
                scored: self.scored || step == Scored,
            })
        };
        match (self.step, event) {
            (Planned, Event::ProvisionIntended { .. }) => to(Intent, Holds::Maybe),
            (Intent, Event::Provisioned { .. }) => to(Leased, Holds::Instance),
            (Leased, Event::AgentStarted { .. }) => to(Running, Holds::Instance),
            // An agent that could not be started goes from the lease straight to dead.
            (Leased | Running, Event::AgentFinished { .. }) => to(AgentDead, Holds::Instance),
            // A verification that a dead harness asked for may be asked for again: the agent's work stands still.
            (AgentDead | VerifyIntent, Event::VerifyIntended { .. }) => {
                to(VerifyIntent, Holds::Instance)
            }
            (VerifyIntent, Event::Scored { .. }) => to(Scored, Holds::Instance),
            // A failed agent that the spec asks not to verify has its zero without a verification.
            (AgentDead, Event::Scored { verifier, .. }) if verifier.tries == 0 => {
                to(Scored, Holds::Instance)
            }
            (Planned, Event::Unscored { .. }) => to(Unscored, Holds::Nothing),
            (Intent, Event::Unscored { ambiguous, .. }) => {
                let holds = if *ambiguous {
                    Holds::Maybe
                } else {
                    Holds::Nothing
                };
                to(Unscored, holds)
            }
            (Leased | Running | AgentDead | VerifyIntent, Event::Unscored { .. }) => {
                to(Unscored, Holds::Instance)
            }
            (Scored | Unscored, Event::ReleaseIntended { .. }) if self.holds != Holds::Nothing => {
                to(ReleaseIntent, self.holds)
            }
            // A release that could not be confirmed may be tried again by a later sitting.
            (ReleaseIntent, Event::ReleaseIntended { .. }) => to(ReleaseIntent, self.holds),
            (ReleaseIntent, Event::Released { teardown, .. }) => match teardown {
                crate::TeardownOutcome::Unconfirmed => to(ReleaseIntent, self.holds),
                crate::TeardownOutcome::Released | crate::TeardownOutcome::AlreadyGone => {
                    to(Released, Holds::Nothing)
                }
            },
            (from, event) => Err(IllegalTransition {
                from,
                event: name_of(event),
            }),
        }
    }

    /// True when the attempt holds nothing and will do nothing more.
    pub fn is_closed(self) -> bool {
        self.step == Step::Released || (self.step == Step::Unscored && self.holds == Holds::Nothing)
    }
}

fn name_of(event: &Event) -> &'static str {
    match event {
        Event::RunStarted { .. } => "run_started",
        Event::TrialPlanned { .. } => "trial_planned",
        Event::ProvisionIntended { .. } => "provision_intended",
        Event::Provisioned { .. } => "provisioned",
        Event::AgentStarted { .. } => "agent_started",
        Event::AgentFinished { .. } => "agent_finished",
        Event::VerifyIntended { .. } => "verify_intended",
        Event::Scored { .. } => "scored",
        Event::Unscored { .. } => "unscored",
        Event::ReleaseIntended { .. } => "release_intended",
        Event::Released { .. } => "released",
        Event::JobIntended { .. } => "job_intended",
        Event::JobCreated { .. } => "job_created",
        Event::SessionIntended { .. } => "session_intended",
        Event::SessionIngested { .. } => "session_ingested",
        Event::SessionFailed { .. } => "session_failed",
        Event::RunFinished { .. } => "run_finished",
    }
}
