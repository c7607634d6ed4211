//! Two runs on the same tasks: the paired difference of means, and the exact test of yes-or-no results.

use serde::{Deserialize, Serialize};

use super::{
    Interval, clustered_mean,
    interval::{t_p_value, t_quantile},
};

/// The mean difference over tasks that both sides have a score for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedDifference {
    /// Mean of (second − first).
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// The interval by Student's t with pairs − 1 degrees of freedom.
    pub interval: Interval,
    /// Two-sided p-value of "no difference".
    pub p_value: f64,
    /// How many tasks.
    pub pairs: usize,
}

/// The paired difference of (first, second), one pair per task; `None` below two pairs.
///
/// dᵢ = secondᵢ − firstᵢ, SE = √(Σ(dᵢ−d̄)² / (n(n−1))) (Miller, arXiv 2411.00640, §4.2). Several trials of a task
/// enter as the task's mean on each side.
pub fn paired_difference(pairs: &[(f64, f64)], confidence: f64) -> Option<PairedDifference> {
    let differences: Vec<[f64; 1]> = pairs
        .iter()
        .map(|(first, second)| [second - first])
        .collect();
    let clustered = clustered_mean(&differences)?;
    let standard_error = clustered.standard_error?;
    let freedom = pairs.len() - 1;
    let half = t_quantile(confidence, freedom)? * standard_error;
    let p_value = if standard_error > 0.0 {
        t_p_value(clustered.mean / standard_error, freedom)?
    } else if clustered.mean == 0.0 {
        1.0
    } else {
        // Every task moved by exactly the same amount: t is infinite.
        0.0
    };
    Some(PairedDifference {
        mean: clustered.mean,
        standard_error,
        interval: Interval::around(clustered.mean, half),
        p_value,
        pairs: pairs.len(),
    })
}

/// The exact two-sided p-value of the test of `McNemar` (1947).
///
/// `improved` and `regressed` are the discordant tasks: p = min(1, 2 · Σ_{i ≤ min(b,c)} C(b+c, i) / 2^{b+c}).
/// The terms are summed as logarithms, so that large counts do not underflow.
pub fn mcnemar_exact(improved: usize, regressed: usize) -> f64 {
    let n = improved + regressed;
    let least = improved.min(regressed);
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let mut sum = log_term.exp();
    for i in 0..least {
        log_term += ((n - i) as f64 / (i + 1) as f64).ln();
        sum += log_term.exp();
    }
    (2.0 * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mcnemar_of_known_counts() {
        for (b, c, want) in [
            (5, 1, 0.218_75),
            (10, 2, 0.038_574),
            (15, 5, 0.041_389),
            (1, 8, 0.039_062),
            (0, 0, 1.0),
        ] {
            let got = mcnemar_exact(b, c);
            assert!((got - want).abs() < 1e-6, "({b}, {c}): {got} is not {want}");
        }
    }

    #[test]
    fn mcnemar_of_many_tasks_does_not_underflow() {
        assert!((mcnemar_exact(5000, 5000) - 1.0).abs() < 1e-9);
        let tail = mcnemar_exact(5150, 4850);
        assert!(tail > 0.001 && tail < 0.01, "{tail}");
    }

    #[test]
    fn paired_difference_by_hand() {
        let difference = paired_difference(&[(0.0, 0.5), (0.5, 0.5), (0.5, 1.5)], 0.95).unwrap();
        assert!((difference.mean - 0.5).abs() < 1e-12);
        assert!((difference.standard_error - (1.0_f64 / 12.0).sqrt()).abs() < 1e-12);
        assert!(
            (difference.interval.width() / 2.0 - 4.302_653 * difference.standard_error).abs()
                < 1e-6
        );
        // t = √3 with two degrees of freedom: p = 1 − t/√(2+t²).
        let want = 1.0 - 3.0_f64.sqrt() / 5.0_f64.sqrt();
        assert!((difference.p_value - want).abs() < 1e-9);
        assert_eq!(paired_difference(&[(0.0, 1.0)], 0.95), None);
    }

    proptest! {
        #[test]
        fn mcnemar_is_symmetric_and_a_probability(b in 0_usize..300, c in 0_usize..300) {
            let p = mcnemar_exact(b, c);
            prop_assert!((0.0..=1.0).contains(&p));
            prop_assert!((p - mcnemar_exact(c, b)).abs() < 1e-12);
        }

        #[test]
        fn swapping_the_sides_turns_the_sign(
            pairs in prop::collection::vec((0.0_f64..=1.0, 0.0_f64..=1.0), 2..40),
        ) {
            let swapped: Vec<(f64, f64)> = pairs.iter().map(|&(a, b)| (b, a)).collect();
            let there = paired_difference(&pairs, 0.95).unwrap();
            let back = paired_difference(&swapped, 0.95).unwrap();
            prop_assert!((there.mean + back.mean).abs() < 1e-9);
            prop_assert!((there.p_value - back.p_value).abs() < 1e-6);
            prop_assert!(there.interval.contains(there.mean));
        }
    }
}
