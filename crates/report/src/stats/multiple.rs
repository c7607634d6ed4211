//! Many comparisons at once: adjusted p-values.

/// Holm's step-down adjustment (Holm 1979): controls the chance of any false finding. Same order as given.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let count = p_values.len();
    let mut adjusted = vec![0.0; count];
    let mut floor = 0.0_f64;
    for (rank, &at) in order.iter().enumerate() {
        floor = floor.max(((count - rank) as f64 * p_values[at]).min(1.0));
        adjusted[at] = floor;
    }
    adjusted
}

/// Benjamini and Hochberg's adjustment (1995): controls the share of false findings. Same order as given.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let count = p_values.len();
    let mut adjusted = vec![0.0; count];
    let mut ceiling = 1.0_f64;
    for (rank, &at) in order.iter().enumerate().rev() {
        ceiling = ceiling.min(p_values[at] * count as f64 / (rank + 1) as f64);
        adjusted[at] = ceiling;
    }
    adjusted
}

fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(got: &[f64], want: &[f64]) {
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() < 1e-12, "{got} is not {want}");
        }
    }

    #[test]
    fn adjusted_by_hand() {
        let p = [0.01, 0.04, 0.03, 0.005];
        close(&holm(&p), &[0.03, 0.06, 0.06, 0.02]);
        close(&benjamini_hochberg(&p), &[0.02, 0.04, 0.04, 0.02]);
        assert!(holm(&[]).is_empty() && benjamini_hochberg(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn adjusting_never_helps(p in prop::collection::vec(0.0_f64..=1.0, 1..50)) {
            for ((raw, holm), bh) in p.iter().zip(holm(&p)).zip(benjamini_hochberg(&p)) {
                prop_assert!(holm >= *raw - 1e-12 && bh >= *raw - 1e-12);
                prop_assert!(holm <= 1.0 && bh <= holm + 1e-12);
            }
        }
    }
}
