//! Everything that happens by chance, from one seed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;

/// Chance. Clones throw from the same stream.
#[derive(Clone, Debug)]
pub(super) struct Dice(Arc<Mutex<ChaCha8Rng>>);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(ChaCha8Rng::seed_from_u64(seed))))
    }

    fn next(&self) -> u64 {
        self.0.lock().unwrap().next_u64()
    }

    /// A number from 0 up to `n`, which is left out.
    pub(super) fn below(&self, n: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(n);
        u64::try_from(wide >> 64).expect("less than n")
    }

    /// True in `percent` of a hundred throws.
    pub(super) fn chance(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Milliseconds from `least` to `most`.
    pub(super) fn millis(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least + 1))
    }

    /// One of these.
    pub(super) fn one_of<T: Copy>(&self, all: &[T]) -> T {
        let at = self.below(all.len() as u64);
        all[usize::try_from(at).expect("an index")]
    }

    /// A limit that is on in a quarter of all worlds: the rarer each fault, the clearer what it does.
    pub(super) fn sometimes(&self, percent: u64) -> u64 {
        if self.chance(25) { percent } else { 0 }
    }
}
