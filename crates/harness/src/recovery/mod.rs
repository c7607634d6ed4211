//! What to do about a run whose harness ended before it: a pure plan, and the steps that follow it.

mod plan;
mod recover;

pub use plan::{LiveInstance, RecoveryPlan};
pub(crate) use recover::recover;
