//! A run in numbers: scores with their uncertainty, what is missing and why, time and cost.

mod cause;
mod run;
mod scores;
mod verdict;

pub(crate) use cause::assign as assign_causes;
pub use cause::{Cause, CauseClass};
pub use run::{SUMMARY_VERSION, Summary, VariantSummary};
pub use scores::{Bounds, Durations, PassAtK, Scores, UnscoredCause, Used};
pub use verdict::{Tone, VerdictView};
