//! The runner in a simulated world: a service that fails, agents that misbehave, a disk that tears, a harness that is
//! killed, and a clock that does not wait for anybody.
//!
//! What runs is the code that runs at night: dispatcher, executor, trials, heartbeats, recorder, recovery. Everything
//! around it is drawn from a seed, and after every sitting a judge who knows what really happened looks at the record.
//! A seed that fails is named, and fails again.

mod agents;
mod dice;
mod disk;
mod fleet;
mod judge;
mod scenario;

use std::panic::AssertUnwindSafe;

use scenario::{Told, play};

/// Seeds that every run of the test suite plays. `HARNESS_SIM_SEEDS` says otherwise.
const SEEDS: u64 = 2000;

/// The first seed. `HARNESS_SIM_FIRST` says otherwise, for example to play one that failed again.
const FIRST: u64 = 1;

fn by_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn k6_v10_every_promise_holds_in_every_world() {
    let first = by_environment("HARNESS_SIM_FIRST", FIRST);
    let count = by_environment("HARNESS_SIM_SEEDS", SEEDS);
    let mut told = Told::default();
    for seed in first..first + count {
        let played = std::panic::catch_unwind(AssertUnwindSafe(|| play(seed)));
        match played {
            Ok(one) => told.add(&one),
            Err(panic) => {
                println!(
                    "SEED={seed}: play it again with HARNESS_SIM_FIRST={seed} HARNESS_SIM_SEEDS=1"
                );
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{count} worlds from seed {first}: {told}");
    if count >= 500 {
        told.assert_varied();
    }
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    for seed in [3, 77, 4711] {
        assert_eq!(play(seed), play(seed), "seed {seed}");
    }
}
