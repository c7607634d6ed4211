//! Statistics of scores: pure functions over numbers, no record and no formatting.
//!
//! A trial without a score never enters here; the caller decides what a missing score counts as and says so.
//! Where a statistic is not defined (one cluster, fewer trials than k) the answer is `None`, never a zero.

mod bootstrap;
mod estimate;
mod interval;
mod multiple;
mod paired;
mod passk;
mod quantile;

pub use bootstrap::{Bootstrap, cluster_bootstrap};
pub use estimate::{
    ClusteredMean, Estimate, Method, clustered_mean, estimate, mean, standard_error,
};
pub use interval::{Interval, normal_quantile, t_quantile, wilson};
pub use multiple::{benjamini_hochberg, holm};
pub use paired::{PairedDifference, mcnemar_exact, paired_difference};
pub use passk::{pass_at_k, pass_hat_k};
pub use quantile::{Spread, median, percentile, spread};

/// The confidence level of every interval in a report.
pub const CONFIDENCE: f64 = 0.95;
