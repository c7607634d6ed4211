//! A mean with its uncertainty: independent or clustered by task.

use serde::{Deserialize, Serialize};

use super::{
    Interval,
    interval::{normal_quantile, wilson_of_share},
    t_quantile,
};

/// Below this a standard error is rounding noise of equal values.
const NO_VARIATION: f64 = 1e-12;

/// A mean of values in 0–1 and, where it is defined, its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean over all values.
    pub value: f64,
    /// The interval at [`super::CONFIDENCE`], inside 0–1; absent when the data cannot tell.
    pub interval: Option<Interval>,
    /// How the interval was made.
    pub method: Method,
    /// How many values.
    pub n: usize,
    /// How many clusters they come from.
    pub clusters: usize,
}

/// How an interval was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Wilson's score interval over independent yes-or-no values.
    Wilson,
    /// Wilson's score interval with one observation per cluster, used where the clusters do not differ at all.
    WilsonOverClusters,
    /// Student's t over independent values.
    T,
    /// Student's t with clustered standard errors.
    ClusteredT,
    /// There is no interval: one cluster only, or values that do not vary.
    Undefined,
}

/// A mean over clustered values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClusteredMean {
    /// Mean over all values, each with the same weight.
    pub mean: f64,
    /// Clustered standard error; absent with a single cluster.
    pub standard_error: Option<f64>,
    /// How many values.
    pub n: usize,
    /// How many clusters.
    pub clusters: usize,
}

/// The mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Standard error of the mean of independent values, √(Σ(sᵢ−s̄)² / (n(n−1))) (Miller, arXiv 2411.00640);
/// `None` below two values.
pub fn standard_error(values: &[f64]) -> Option<f64> {
    let n = values.len();
    if n < 2 {
        return None;
    }
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (n as f64 * (n as f64 - 1.0))).sqrt())
}

/// Mean and cluster-robust standard error; empty clusters are left out, `None` when nothing is left.
///
/// `SE² = C/(C−1) · Σ_c(Σ_{i∈c}(sᵢ−s̄))² / N²` (Miller, arXiv 2411.00640, appendix A, with the finite-cluster
/// correction). With one value per cluster it equals [`standard_error`].
pub fn clustered_mean<C: AsRef<[f64]>>(clusters: &[C]) -> Option<ClusteredMean> {
    let filled = || {
        clusters
            .iter()
            .map(AsRef::as_ref)
            .filter(|cluster| !cluster.is_empty())
    };
    let n: usize = filled().map(<[f64]>::len).sum();
    let count = filled().count();
    if n == 0 {
        return None;
    }
    let mean = filled().flatten().sum::<f64>() / n as f64;
    let standard_error = (count >= 2).then(|| {
        let squares: f64 = filled()
            .map(|cluster| {
                cluster
                    .iter()
                    .map(|value| value - mean)
                    .sum::<f64>()
                    .powi(2)
            })
            .sum();
        let correction = count as f64 / (count as f64 - 1.0);
        (correction * squares).sqrt() / n as f64
    });
    Some(ClusteredMean {
        mean,
        standard_error,
        n,
        clusters: count,
    })
}

/// The mean of values in 0–1 with the interval that fits them; `None` of nothing.
///
/// One yes-or-no value per cluster: Wilson. Anything else: t with C−1 degrees of freedom on the clustered standard
/// error. Where yes-or-no clusters do not differ at all the standard error is zero and says nothing, so Wilson is
/// taken with one observation per cluster, the most cautious reading. A single cluster has no interval.
pub fn estimate<C: AsRef<[f64]>>(clusters: &[C], confidence: f64) -> Option<Estimate> {
    let clustered = clustered_mean(clusters)?;
    let values = || {
        clusters
            .iter()
            .flat_map(|cluster| cluster.as_ref().iter().copied())
    };
    let is_binary = values().all(is_zero_or_one);
    let is_single = clustered.n == clustered.clusters;
    let (interval, method) = match clustered.standard_error {
        // Yes-or-no values of one trial per task are the textbook case, whatever their number.
        _ if is_binary && is_single => {
            let interval = wilson_of_share(clustered.mean, clustered.n, confidence);
            (Some(interval), Method::Wilson)
        }
        Some(error) if error > NO_VARIATION => {
            let quantile = t_quantile(confidence, clustered.clusters - 1)
                .unwrap_or_else(|| normal_quantile(confidence));
            let interval = Interval::around(clustered.mean, quantile * error).in_unit();
            let method = if is_single {
                Method::T
            } else {
                Method::ClusteredT
            };
            (Some(interval), method)
        }
        Some(_) if is_binary => {
            let interval = wilson_of_share(clustered.mean, clustered.clusters, confidence);
            (Some(interval), Method::WilsonOverClusters)
        }
        Some(_) | None => (None, Method::Undefined),
    };
    Some(Estimate {
        value: clustered.mean,
        interval,
        method,
        n: clustered.n,
        clusters: clustered.clusters,
    })
}

fn is_zero_or_one(value: f64) -> bool {
    value.to_bits() == 0.0_f64.to_bits() || value.to_bits() == 1.0_f64.to_bits()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(got: f64, want: f64) {
        assert!((got - want).abs() < 1e-9, "{got} is not {want}");
    }

    #[test]
    fn standard_error_by_hand() {
        // Deviations ±0.5 and 0: squares 0.5; 0.5 / (3·2) = 1/12.
        close(
            standard_error(&[0.0, 0.5, 1.0]).unwrap(),
            (1.0_f64 / 12.0).sqrt(),
        );
        assert_eq!(standard_error(&[1.0]), None);
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn clustered_standard_error_by_hand() {
        // Mean 0.5; cluster sums of deviations +1 and −1: 2/1 · 2 / 16 = 1/4.
        let clustered = clustered_mean(&[vec![1.0, 1.0], vec![0.0, 0.0]]).unwrap();
        close(clustered.mean, 0.5);
        close(clustered.standard_error.unwrap(), 0.5);
        // The same values as if independent would claim much less.
        close(
            standard_error(&[1.0, 1.0, 0.0, 0.0]).unwrap(),
            (1.0_f64 / 12.0).sqrt(),
        );
    }

    #[test]
    fn one_cluster_has_no_interval() {
        let estimate = estimate(&[vec![1.0, 0.0, 1.0]], 0.95).unwrap();
        assert_eq!(estimate.interval, None);
        assert_eq!(estimate.method, Method::Undefined);
        close(estimate.value, 2.0 / 3.0);
    }

    #[test]
    fn the_method_follows_the_data() {
        let method = |clusters: &[Vec<f64>]| estimate(clusters, 0.95).unwrap().method;
        assert_eq!(method(&[vec![1.0], vec![0.0], vec![1.0]]), Method::Wilson);
        assert_eq!(method(&[vec![1.0]]), Method::Wilson);
        assert_eq!(method(&[vec![1.0], vec![0.25], vec![0.5]]), Method::T);
        assert_eq!(
            method(&[vec![1.0, 0.0], vec![1.0, 1.0]]),
            Method::ClusteredT
        );
        assert_eq!(
            method(&[vec![1.0, 1.0], vec![1.0, 1.0]]),
            Method::WilsonOverClusters
        );
        assert_eq!(method(&[vec![0.5], vec![0.5]]), Method::Undefined);
        assert_eq!(estimate::<Vec<f64>>(&[vec![]], 0.95), None);
    }

    #[test]
    fn all_passed_is_not_certain() {
        let estimate = estimate(&[vec![1.0, 1.0], vec![1.0, 1.0], vec![1.0, 1.0]], 0.95).unwrap();
        let interval = estimate.interval.unwrap();
        assert!(interval.low < 0.5 && interval.high >= 1.0, "{interval:?}");
    }

    proptest! {
        #[test]
        fn one_value_per_cluster_is_the_plain_error(values in prop::collection::vec(0.0_f64..=1.0, 2..60)) {
            let clusters: Vec<[f64; 1]> = values.iter().map(|&value| [value]).collect();
            let clustered = clustered_mean(&clusters).unwrap();
            let plain = standard_error(&values).unwrap();
            prop_assert!((clustered.standard_error.unwrap() - plain).abs() < 1e-9);
        }

        #[test]
        fn an_interval_holds_its_value(
            clusters in prop::collection::vec(prop::collection::vec(0.0_f64..=1.0, 0..5), 1..30),
        ) {
            if let Some(estimate) = estimate(&clusters, 0.95) {
                prop_assert!((0.0..=1.0).contains(&estimate.value));
                if let Some(interval) = estimate.interval {
                    prop_assert!(interval.contains(estimate.value));
                    prop_assert!(interval.low >= 0.0 && interval.high <= 1.0);
                }
            }
        }

        #[test]
        fn order_does_not_matter(
            clusters in prop::collection::vec(prop::collection::vec(0.0_f64..=1.0, 1..4), 2..20),
        ) {
            let mut reversed = clusters.clone();
            reversed.reverse();
            let (a, b) = (clustered_mean(&clusters).unwrap(), clustered_mean(&reversed).unwrap());
            prop_assert!((a.mean - b.mean).abs() < 1e-9);
            prop_assert!((a.standard_error.unwrap() - b.standard_error.unwrap()).abs() < 1e-9);
        }
    }
}
