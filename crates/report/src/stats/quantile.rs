//! Order statistics of durations.

use serde::{Deserialize, Serialize};

/// Where a set of durations lies. Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// How many were measured.
    pub count: usize,
    /// The smallest value that at least half of them do not exceed.
    pub median: u64,
    /// The smallest value that at least 95 % of them do not exceed.
    pub p95: u64,
    /// The greatest.
    pub max: u64,
    /// Their sum.
    pub sum: u64,
}

/// The spread of values in any order; `None` of nothing.
pub fn spread(mut values: Vec<u64>) -> Option<Spread> {
    values.sort_unstable();
    Some(Spread {
        count: values.len(),
        median: percentile(&values, 50)?,
        p95: percentile(&values, 95)?,
        max: *values.last()?,
        sum: values
            .iter()
            .fold(0, |sum, &value| sum.saturating_add(value)),
    })
}

/// The nearest-rank percentile (the ⌈p·n/100⌉-th smallest) of ascending values: always a value that was measured.
/// `None` of nothing.
pub fn percentile(ascending: &[u64], percent: usize) -> Option<u64> {
    let rank = (percent.min(100) * ascending.len()).div_ceil(100).max(1);
    ascending.get(rank - 1).copied()
}

/// The median of values in any order, the mean of the middle two of an even number; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let values = [15, 20, 35, 40, 50];
        for (percent, want) in [(0, 15), (30, 20), (40, 20), (50, 35), (95, 50), (100, 50)] {
            assert_eq!(percentile(&values, percent), Some(want));
        }
        assert_eq!(percentile(&[], 50), None);
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 95), Some(95));
    }

    #[test]
    fn a_spread_does_not_need_order() {
        let spread = spread(vec![50, 15, 40, 20, 35]).unwrap();
        assert_eq!(
            (spread.median, spread.p95, spread.max, spread.sum),
            (35, 50, 50, 160)
        );
        assert_eq!(super::spread(vec![]), None);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median(&[1.0, 0.0]), Some(0.5));
        assert_eq!(median(&[1.0, 0.0, 0.25]), Some(0.25));
        assert_eq!(median(&[]), None);
    }
}
