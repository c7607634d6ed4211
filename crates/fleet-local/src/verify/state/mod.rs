//! The native `state` verifier: which rows should have changed since the seed, and that no other did.
//!
//! Responsible for the definition's form, for matching changed rows to expectations and for the report. Finding the changed rows is
//! [`crate::manager::diff`]'s work.

mod answer;
mod evaluate;
mod matcher;
mod report;
mod spec;

pub use evaluate::{EvaluateError, Evaluation, evaluate};
pub use spec::{SpecError, StateSpec};
