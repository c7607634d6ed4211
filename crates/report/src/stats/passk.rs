//! What several trials per task say: pass@k (at least one of k) and pass^k (all of k).

/// The unbiased estimate of "at least one of k trials passes" from `passed` of `n` (Chen et al., arXiv 2107.03374).
///
/// 1 − C(n−c, k)/C(n, k), computed as 1 − ∏_{i=n−c+1}^{n} (1 − k/i), which neither overflows nor cancels.
/// `None` when fewer than `k` trials have a score or `k` is 0: it is not known then, and not 1.
pub fn pass_at_k(n: usize, passed: usize, k: usize) -> Option<f64> {
    if k == 0 || n < k || passed > n {
        return None;
    }
    if n - passed < k {
        return Some(1.0);
    }
    let all_fail: f64 = (n - passed + 1..=n)
        .map(|i| 1.0 - k as f64 / i as f64)
        .product();
    Some(1.0 - all_fail)
}

/// The unbiased estimate of "all of k trials pass", C(c, k)/C(n, k) (τ-bench, arXiv 2406.12045).
///
/// `None` when fewer than `k` trials have a score or `k` is 0.
pub fn pass_hat_k(n: usize, passed: usize, k: usize) -> Option<f64> {
    if k == 0 || n < k || passed > n {
        return None;
    }
    if passed < k {
        return Some(0.0);
    }
    Some(
        (0..k)
            .map(|i| (passed - i) as f64 / (n - i) as f64)
            .product(),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(got: Option<f64>, want: f64) {
        let got = got.unwrap();
        assert!((got - want).abs() < 1e-12, "{got} is not {want}");
    }

    #[test]
    fn pass_at_k_of_known_counts() {
        close(pass_at_k(10, 3, 5), 11.0 / 12.0);
        close(pass_at_k(8, 2, 4), 11.0 / 14.0);
        close(pass_at_k(5, 0, 3), 0.0);
        close(pass_at_k(4, 1, 4), 1.0);
    }

    #[test]
    fn pass_hat_k_of_known_counts() {
        close(pass_hat_k(10, 8, 4), 1.0 / 3.0);
        close(pass_hat_k(8, 6, 4), 3.0 / 14.0);
        close(pass_hat_k(4, 3, 4), 0.0);
    }

    #[test]
    fn too_few_trials_are_unknown() {
        assert_eq!(pass_at_k(2, 2, 3), None);
        assert_eq!(pass_hat_k(2, 2, 3), None);
        assert_eq!(pass_at_k(2, 2, 0), None);
        assert_eq!(pass_at_k(0, 0, 1), None);
    }

    proptest! {
        #[test]
        fn more_tries_help_one_and_hurt_all(n in 2_usize..200, passed in 0_usize..200, k in 1_usize..200) {
            let passed = passed.min(n);
            let k = k.min(n - 1);
            let (at, at_next) = (pass_at_k(n, passed, k).unwrap(), pass_at_k(n, passed, k + 1).unwrap());
            let (hat, hat_next) = (pass_hat_k(n, passed, k).unwrap(), pass_hat_k(n, passed, k + 1).unwrap());
            prop_assert!((0.0..=1.0).contains(&at) && (0.0..=1.0).contains(&hat));
            prop_assert!(at_next >= at - 1e-12 && hat_next <= hat + 1e-12);
            // All k pass exactly when none of k fails.
            prop_assert!((hat - (1.0 - pass_at_k(n, n - passed, k).unwrap())).abs() < 1e-9);
        }

        #[test]
        fn at_one_both_are_the_pass_rate(n in 1_usize..500, passed in 0_usize..500) {
            let passed = passed.min(n);
            let rate = passed as f64 / n as f64;
            prop_assert!((pass_at_k(n, passed, 1).unwrap() - rate).abs() < 1e-12);
            prop_assert!((pass_hat_k(n, passed, 1).unwrap() - rate).abs() < 1e-12);
        }
    }
}
