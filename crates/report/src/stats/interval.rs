//! Intervals, the quantiles they are made of, and Wilson's interval for a share.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// A closed interval, `low <= high`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// The interval of `half` on both sides of `centre`.
    pub fn around(centre: f64, half: f64) -> Self {
        Self {
            low: centre - half,
            high: centre + half,
        }
    }

    /// The part of the interval that lies in 0–1, for quantities that cannot leave it.
    pub fn in_unit(self) -> Self {
        Self {
            low: self.low.clamp(0.0, 1.0),
            high: self.high.clamp(0.0, 1.0),
        }
    }

    /// True if `value` lies in the interval, ends included.
    pub fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// `high - low`.
    pub fn width(self) -> f64 {
        self.high - self.low
    }
}

/// The two-sided quantile of the standard normal distribution: 1.96 for a confidence of 0.95.
pub fn normal_quantile(confidence: f64) -> f64 {
    Normal::standard().inverse_cdf(upper_tail(confidence))
}

/// The two-sided quantile of Student's t with `freedom` degrees of freedom; `None` below one degree.
pub fn t_quantile(confidence: f64, freedom: usize) -> Option<f64> {
    Some(student(freedom)?.inverse_cdf(upper_tail(confidence)))
}

/// The two-sided p-value of `t` with `freedom` degrees of freedom; `None` below one degree.
pub(crate) fn t_p_value(t: f64, freedom: usize) -> Option<f64> {
    Some((2.0 * student(freedom)?.cdf(-t.abs())).clamp(0.0, 1.0))
}

fn student(freedom: usize) -> Option<StudentsT> {
    (freedom >= 1).then(|| {
        StudentsT::new(0.0, 1.0, freedom as f64).expect("the degrees of freedom are positive")
    })
}

fn upper_tail(confidence: f64) -> f64 {
    f64::midpoint(1.0, confidence)
}

/// Wilson's score interval for `successes` of `n` (Wilson 1927; Newcombe 1998, method 3); `None` when `n` is 0.
///
/// With p = successes / n, the centre is (p + z²/2n) / (1 + z²/n) and the half width is
/// z √(p(1−p)/n + z²/4n²) / (1 + z²/n). It stays inside 0–1 and keeps its coverage at small n and at shares near
/// 0 and 1, where the usual ± 1.96 SE covers far less than it says.
pub fn wilson(successes: usize, n: usize, confidence: f64) -> Option<Interval> {
    (n > 0).then(|| wilson_of_share(successes as f64 / n as f64, n, confidence))
}

/// Wilson's interval for a share that is not a whole number of `n`, for example a mean of shares of `n` clusters.
pub(crate) fn wilson_of_share(share: f64, n: usize, confidence: f64) -> Interval {
    let n = n as f64;
    let z = normal_quantile(confidence);
    let z2 = z * z;
    let scale = 1.0 + z2 / n;
    let centre = (share + z2 / (2.0 * n)) / scale;
    let half = z * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt() / scale;
    let interval = Interval::around(centre, half).in_unit();
    // At 0 and 1 an end is exact in theory; rounding must not push the share out of its own interval.
    Interval {
        low: interval.low.min(share),
        high: interval.high.max(share),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(got: f64, want: f64, tolerance: f64) {
        assert!((got - want).abs() < tolerance, "{got} is not {want}");
    }

    #[test]
    fn wilson_of_known_counts() {
        for (successes, n, low, high) in [
            (0, 10, 0.0, 0.277_533),
            (7, 10, 0.396_778, 0.892_209),
            (10, 10, 0.722_467, 1.0),
            (90, 100, 0.825_634, 0.944_771),
            (500, 1000, 0.469_070, 0.530_930),
        ] {
            let interval = wilson(successes, n, 0.95).unwrap();
            close(interval.low, low, 1e-6);
            close(interval.high, high, 1e-6);
        }
        assert_eq!(wilson(0, 0, 0.95), None);
    }

    #[test]
    fn quantiles_of_tables() {
        close(normal_quantile(0.95), 1.959_964, 1e-6);
        for (freedom, want) in [
            (1, 12.706_205),
            (2, 4.302_653),
            (10, 2.228_139),
            (30, 2.042_272),
            (1000, 1.962_339),
        ] {
            close(t_quantile(0.95, freedom).unwrap(), want, 1e-5);
        }
        assert_eq!(t_quantile(0.95, 0), None);
        close(t_p_value(2.228_139, 10).unwrap(), 0.05, 1e-6);
        close(t_p_value(-2.228_139, 10).unwrap(), 0.05, 1e-6);
    }

    proptest! {
        #[test]
        fn wilson_holds_its_share(n in 1_usize..5000, part in 0.0_f64..=1.0) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of n")]
            let successes = (part * n as f64) as usize;
            let interval = wilson(successes, n, 0.95).unwrap();
            prop_assert!(interval.low >= 0.0 && interval.high <= 1.0);
            prop_assert!(interval.contains(successes as f64 / n as f64));
            let mirrored = wilson(n - successes, n, 0.95).unwrap();
            prop_assert!((mirrored.low - (1.0 - interval.high)).abs() < 1e-9);
        }
    }
}
