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

use run_record::{ErrorKind, ExitCode};
use scenario::{Told, play, play_with_a_bug};

/// Seeds that each of the two halves plays in every run of the test suite. `HARNESS_SIM_SEEDS` says otherwise.
const SEEDS: u64 = 1000;

fn by_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Plays the worlds of `count` seeds. `HARNESS_SIM_FIRST` names another first one, for example to play one that failed.
fn play_all(first: u64) {
    let first = by_environment("HARNESS_SIM_FIRST", first);
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
    if count >= SEEDS {
        told.assert_varied();
    }
}

// Two halves, so that two cores play them.

#[test]
fn k6_v10_x1_every_promise_holds_in_every_world() {
    play_all(1);
}

#[test]
fn k6_v10_x1_every_promise_holds_in_the_other_worlds() {
    play_all(1_000_000);
}

#[test]
fn k19_a_panic_in_a_trial_is_contained_and_the_run_says_so() {
    let (record, exit, live) = play_with_a_bug(7);
    assert_eq!(exit, ExitCode::Internal);
    assert!(live.is_empty(), "{live:?}");
    assert!(record.open_leases().is_empty());
    for trial in &record.trials {
        let failure = trial.failure.as_ref().expect("no trial has a score");
        assert_eq!(failure.kind, ErrorKind::Internal);
        assert!(failure.message.contains("a bug on purpose"), "{failure}");
        assert!(trial.score.is_none());
    }
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    for seed in 5000..5040 {
        assert_eq!(play(seed), play(seed), "seed {seed}");
    }
}
