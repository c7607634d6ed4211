//! Runs a plan: one dispatcher owns the state, an executor starts trials as room allows.

mod admission;
mod deadline;
mod dispatcher;
mod events;
mod executor;
mod pacing;
mod run;
pub(crate) mod sitting;
mod stop;
mod sweep;

pub use events::{LivePhase, LiveTrial, RunEvent, View};
pub use run::{Beginning, Connect, RunError, RunRequest, RunSignal, run};

pub(crate) use admission::{Admission, EnvironmentPermit};
pub(crate) use dispatcher::Notice;
pub(crate) use pacing::Place;
pub(crate) use stop::{StopLevel, StopSignal};
pub(crate) use sweep::{LISTING, SWEEP_BUDGET, Strays, sweep_in_time};
