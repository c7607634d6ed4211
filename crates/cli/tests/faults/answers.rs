//! Rows S9–S11: answers that are slow, endless, huge or no answers at all.

use std::time::{Duration, Instant};

use faulty_fleet::{Call, Expectation, Fault, Rule};
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value, json};

use crate::scene::{Case, Scene, check_all, told};

/// What a run may hold in memory whatever it is answered, in KiB.
const MEMORY: i64 = 200_000;

/// 200 and something that is not what was asked for.
const NONSENSE: [&str; 9] = [
    "<html>captive portal</html>",
    "",
    "null",
    "[]",
    "{}",
    "3",
    "\"text\"",
    "[null]",
    "{\"instance_id\": 7, \"status\": [], \"success\": \"perhaps\"}",
];

/// What the create, the verification, the close and the listing may answer, and the score is there all the same.
fn bad_answers() -> impl Iterator<Item = Fault> {
    let bodies = NONSENSE.map(Fault::Body).into_iter();
    bodies.chain([Fault::HalfJson, Fault::BrokenOff])
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_a_create_that_is_answered_with_nonsense_leaves_no_instance() {
    // The instance exists, but nobody learned its name.
    check_all(bad_answers().map(|fault| {
        let name = format!("create answered with {fault:?}");
        Case::scored(name, [Rule::nth(1, Call::Create, fault)]).attempts(1..=2)
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_nonsense_for_every_create_is_infrastructure() {
    check_all([Fault::Body("<html>"), Fault::HalfJson].map(|fault| {
        let name = format!("every create answered with {fault:?}");
        Case::unscored(
            name,
            [
                Rule::every(Call::Create, fault.clone()),
                // Adopting by a look is an answer too.
                Rule::first(40, Call::Get, fault),
            ],
            "provision",
            &["unavailable", "environment_lost"],
        )
        .attempts(1..=2)
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_a_verification_that_is_answered_with_nonsense_is_asked_again() {
    // An object without any field is an answer: the verifier did not say that it ran. So is one whose fields say no.
    let faults = bad_answers().filter(|fault| !matches!(fault, Fault::Body("{}")));
    check_all(faults.map(|fault| {
        let name = format!("verification answered with {fault:?}");
        Case::scored(name, [Rule::nth(1, Call::Execute, fault)])
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_a_close_that_is_answered_with_nonsense_is_made_sure_of() {
    check_all(bad_answers().map(|fault| {
        let name = format!("close answered with {fault:?}");
        Case::scored(name, [Rule::nth(1, Call::Close, fault)])
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_a_listing_that_is_answered_with_nonsense_proves_nothing() {
    // An empty list is what a listing answers when nothing lives; it is no nonsense here.
    let faults = bad_answers().filter(|fault| !matches!(fault, Fault::Body("[]")));
    check_all(faults.map(|fault| {
        let name = format!("listing answered with {fault:?}");
        Case::scored(name, [Rule::nth(1, Call::List, fault)])
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_nonsense_before_the_run_is_told_and_nothing_is_made() {
    let faults = [Fault::Body("<html>captive portal</html>"), Fault::HalfJson];
    let checks = faults.map(|fault| async move {
        let name = format!("account answered with {fault:?}");
        let scene = Scene::new([Rule::every(Call::Account, fault)]).await;
        scene.spec(&["t"], json!({}));
        let ended = scene.run().await;
        assert_eq!(ended.code, Some(2), "{name}\n{}", ended.stderr);
        assert_eq!(scene.fleet.count(Call::Create), 0, "{name}");
        scene.stop().await;
    });
    futures::future::join_all(checks).await;
    // The catalogue only makes an early error of an environment that does not exist.
    let catalogue = Rule::every(Call::Environments, Fault::HalfJson);
    Case::scored("no catalogue", [catalogue]).check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_unknown_fields_and_nulls_change_nothing() {
    let strange = || {
        Fault::change(|answer| {
            let add = |value: &mut Value| {
                if let Some(fields) = value.as_object_mut() {
                    fields.insert("of_the_future".into(), json!({"a": [1, null]}));
                    fields.insert("profile_id".into(), Value::Null);
                    fields.insert("region".into(), Value::Null);
                }
            };
            match answer {
                Value::Array(items) => items.iter_mut().for_each(add),
                other => add(other),
            }
        })
    };
    Case::scored("fields of the future", [Rule::every(Call::Any, strange())])
        .check()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s9_an_answer_that_drips_does_not_hold_a_trial_beyond_its_time() {
    let begun = Instant::now();
    let quick = json!({"environment": {"ready_timeout": "3s"}});
    Case::scored(
        "one dripping create",
        [Rule::nth(1, Call::Create, Fault::Drip)],
    )
    .attempts(1..=2)
    .changes(quick)
    .check()
    .await;
    assert!(
        begun.elapsed() < Duration::from_secs(60),
        "{:?}",
        begun.elapsed()
    );
}

/// Every answer of a run that may be read is bounded, before and after decompression. Returns how it ended.
async fn flooded(name: &str, call: Call, fault: Fault) {
    let scene = Scene::new([Rule::nth(1, call, fault)]).await;
    scene.spec(&["t"], json!({}));
    let ended = scene.run().await;
    let ledger = scene.fleet.ledger().await;
    assert_eq!(ledger.injected_into(call), 1, "{name}: {}", told(&ledger));
    if scene.path("runs/latest").exists() {
        scene.judge(name, &ended, Expectation::of(1, &[0, 3])).await;
    } else {
        assert_eq!(ended.code, Some(2), "{name}\n{}", ended.stderr);
    }
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s9_s11_endless_answers_and_gzip_bombs_are_cut_at_a_limit() {
    let calls = [
        Call::Account,
        Call::Create,
        Call::Execute,
        Call::Close,
        Call::List,
    ];
    for call in calls {
        let endless = format!("{call:?} is answered without end");
        let bomb = format!("{call:?} is answered with a gzip bomb");
        futures::join!(
            flooded(&endless, call, Fault::Endless),
            flooded(&bomb, call, Fault::GzipBomb)
        );
    }
    // The largest of all processes that this test waited for, the harness among them.
    let most = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    assert!(most < MEMORY, "{most} KiB");
}
