//! From tasks to trials: which tasks, in which variants, how often, in which order. Pure but for `load`.

mod load;
mod select;
mod trials;
mod twins;

pub use load::{LoadError, load_tasks};
pub use select::select;
pub use trials::{FinishedWork, Plan, TrialPlan};
pub use twins::twins;
