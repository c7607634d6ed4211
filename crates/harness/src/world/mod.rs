//! What a run needs of the outside, behind traits: the service, the processes of agents, a clock that never sleeps.
//!
//! The runner proper knows only these, so that a simulation can stand in for all of them under a virtual clock and drive
//! the very code that runs at night.

mod agents;
mod clock;
mod service;

pub(crate) use agents::{AgentTree, Agents, RUN_MARKER, Supervised};
pub(crate) use clock::BootClock;
#[cfg(test)]
pub(crate) use service::Answer;
pub(crate) use service::Service;
