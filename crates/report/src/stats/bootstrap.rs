//! The cluster bootstrap: an interval for any statistic, reproducible from a seed for ever.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde::{Deserialize, Serialize};

use super::Interval;

/// How a bootstrap is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// How many samples are drawn.
    pub draws: usize,
    /// The seed; printed with the result.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            draws: 10_000,
            seed: 20_241_101,
        }
    }
}

/// The percentile interval of `statistic` over samples of whole clusters (Efron and Tibshirani 1993, §13.3).
///
/// Each draw takes as many clusters as there are, with replacement, and keeps their values together. Draws for
/// which the statistic is not defined are left out. `None` below two non-empty clusters, with a confidence outside
/// 0–1, or when no draw gave a number.
pub fn cluster_bootstrap<C: AsRef<[f64]>>(
    clusters: &[C],
    confidence: f64,
    plan: Bootstrap,
    statistic: impl Fn(&[f64]) -> Option<f64>,
) -> Option<Interval> {
    let clusters: Vec<&[f64]> = clusters
        .iter()
        .map(AsRef::as_ref)
        .filter(|cluster| !cluster.is_empty())
        .collect();
    if clusters.len() < 2 || !(0.0..1.0).contains(&confidence) {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
    let mut sample = Vec::new();
    let mut results = Vec::with_capacity(plan.draws);
    for _ in 0..plan.draws {
        sample.clear();
        for _ in 0..clusters.len() {
            sample.extend_from_slice(clusters[draw_index(&mut rng, clusters.len())]);
        }
        results.extend(statistic(&sample).filter(|value| !value.is_nan()));
    }
    results.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    let last = results.len().checked_sub(1)?;
    let rank = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count is a count"
        )]
        let rank = (share * last as f64).round() as usize;
        results[rank.min(last)]
    };
    Some(Interval {
        low: rank(tail),
        high: rank(1.0 - tail),
    })
}

/// A uniform index below `bound` by multiply-shift of 64 random bits (Lemire, arXiv 1805.10941, without rejection).
///
/// The library's own range sampling may change between versions; this must not, because a printed seed has to give
/// the same interval years later. The bias is below `bound` / 2⁶⁴.
fn draw_index(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    let wide = u128::from(rng.next_u64()) * bound as u128;
    usize::try_from(wide >> 64).expect("the high half is below bound, which is a usize")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{estimate, mean, median};

    const FEW: Bootstrap = Bootstrap {
        draws: 4000,
        seed: 7,
    };

    fn halves(clusters: usize) -> Vec<Vec<f64>> {
        (0..clusters)
            .map(|at| vec![f64::from(u8::from(at % 2 == 0)), 0.5])
            .collect()
    }

    #[test]
    fn a_seed_gives_the_same_indices_for_ever() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let drawn: Vec<usize> = (0..8).map(|_| draw_index(&mut rng, 100)).collect();
        assert_eq!(drawn, [40, 8, 59, 21, 28, 71, 46, 15]);
    }

    #[test]
    fn it_agrees_with_the_clustered_interval() {
        let clusters = halves(60);
        let drawn = cluster_bootstrap(&clusters, 0.95, FEW, mean).unwrap();
        let exact = estimate(&clusters, 0.95).unwrap().interval.unwrap();
        assert!((drawn.low - exact.low).abs() < 0.02, "{drawn:?} {exact:?}");
        assert!(
            (drawn.high - exact.high).abs() < 0.02,
            "{drawn:?} {exact:?}"
        );
    }

    #[test]
    fn it_is_reproducible_and_needs_two_clusters() {
        let clusters = halves(10);
        let once = cluster_bootstrap(&clusters, 0.95, FEW, median);
        assert!(once.is_some());
        assert_eq!(once, cluster_bootstrap(&clusters, 0.95, FEW, median));
        assert_eq!(cluster_bootstrap(&halves(1), 0.95, FEW, mean), None);
        assert_eq!(cluster_bootstrap(&clusters, 0.95, FEW, |_| None), None);
    }
}
