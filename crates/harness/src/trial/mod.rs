//! One trial, from its create to its release: one file a step.
//!
//! `attempt` is the line through them; whatever happens between provision and teardown, teardown comes.

mod agent;
mod agent_env;
mod agent_result;
mod attempt;
mod context;
mod provision;
mod teardown;
mod verify;
mod written;

pub(crate) use agent_result::read_agent_result;
pub(crate) use attempt::{millis, run_trial};
pub(crate) use context::{TrialContext, redactor};
pub(crate) use provision::keep_finished;
pub(crate) use teardown::close;
pub(crate) use written::cut;
