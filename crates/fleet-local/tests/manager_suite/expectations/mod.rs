//! Native expectations against the official SDK's, on generated databases: the same verdict, or one of the named cases in which the SDK
//! is known to be wrong and the case is seen to apply.

mod cases;
mod faults;
mod sdk;
mod snapshots;
mod specs;
mod world;

use fleet_api::manager::{Change, Diff, IgnoreConfig, Mismatches, expect_exactly, expect_only};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::Value;
use tokio::runtime::Runtime;

use cases::{Disagreement, Helper};
use sdk::Sdk;
use world::World;

/// Cases when nobody says otherwise; `HARNESS_EXPECTATION_CASES` does.
const CASES: u32 = 40;

#[test]
fn expectations_agree_with_the_sdk_but_for_its_known_faults() {
    let Some(sdk) = Sdk::start() else {
        return;
    };
    let runtime = Runtime::new().unwrap();
    let asked = std::env::var("HARNESS_EXPECTATION_CASES").ok();
    // The same cases on every day, unless somebody looks for more.
    let is_usual = asked.is_none();
    let cases = asked.map_or(CASES, |cases| cases.parse().unwrap());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    // The same cases on every day, unless somebody looks for more.
    let mut runner = if is_usual {
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    } else {
        TestRunner::new(config)
    };
    let seen = std::cell::RefCell::new(cases::Seen::default());
    let sdk = std::cell::RefCell::new(sdk);
    let strategy = (world::happenings(), specs::edits());
    let outcome = runner.run(&strategy, |(happenings, edits)| {
        let world = runtime.block_on(World::after(&happenings));
        let diff = runtime.block_on(one_difference(&world))?;
        for helper in Helper::ALL {
            let mut changes = match helper {
                Helper::ExpectOnly => specs::older(&diff),
                _ => specs::typed(&diff),
            };
            for chosen in &edits {
                specs::edit(&mut changes, *chosen);
            }
            let native = judge(&diff, helper, &changes);
            let official = sdk.borrow_mut().ask(&world.url, helper, &changes);
            seen.borrow_mut().note(native.is_ok());
            if native.is_ok() != official.passes {
                let disagreement = Disagreement {
                    helper,
                    changes: &changes,
                    diff: &diff,
                    rewrote_json: world::rewrote_json(&happenings),
                    native: native.as_ref().err(),
                };
                let Some(case) = disagreement.known_case() else {
                    let native = native
                        .err()
                        .map_or("passes".to_owned(), |error| error.to_string());
                    let changes = Value::Array(changes);
                    return Err(TestCaseError::fail(format!(
                        "{helper:?} of {changes}\nnative: {native}\nSDK: {} {}",
                        official.passes, official.says
                    )));
                };
                seen.borrow_mut().note_case(case);
            }
        }
        Ok(())
    });
    outcome.unwrap();
    seen.into_inner().check();
}

/// The manager's difference and that of two snapshots, which must be one.
async fn one_difference(world: &World) -> Result<Diff, TestCaseError> {
    let nothing = IgnoreConfig::default();
    let served = world.manager.diff(&nothing).await.unwrap();
    let seed = world.manager.db("seed").snapshot().await.unwrap();
    let current = world.manager.db("current").snapshot().await.unwrap();
    let computed = seed.diff(&current, &nothing);
    prop_assert!(seed.is_of_one_moment() && current.is_of_one_moment());
    let comparable = |diff: &Diff| {
        let mut tables = diff.tables().clone();
        for table in tables.values_mut() {
            // The order of rows says nothing.
            table.added_rows.sort_by_key(|row| row.row_id.to_string());
            table.removed_rows.sort_by_key(|row| row.row_id.to_string());
            table
                .modified_rows
                .sort_by_key(|row| row.row_id.to_string());
        }
        serde_json::to_value(tables).unwrap()
    };
    prop_assert_eq!(comparable(&served), comparable(&computed));
    Ok(computed)
}

fn judge(diff: &Diff, helper: Helper, changes: &[Value]) -> Result<(), Mismatches> {
    let changes = Change::list_from_json(&Value::Array(changes.to_vec())).unwrap();
    match helper {
        Helper::ExpectExactly => expect_exactly(diff, &changes),
        _ => expect_only(diff, &changes),
    }
}
