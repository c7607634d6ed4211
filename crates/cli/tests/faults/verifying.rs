//! Rows V1–V9: a verification that fails, lies, answers what is no score, or is asked for twice.

use std::collections::BTreeMap;
use std::time::Duration;

use faulty_fleet::{Call, Expectation, Fault, Row, Rule};
use serde_json::{Value, json};

use crate::scene::{Case, Scene, check_all, told};

#[tokio::test(flavor = "multi_thread")]
async fn v1_a_verification_that_fails_and_then_works_is_a_score() {
    let faults = [
        Fault::Status(500),
        Fault::Status(502),
        Fault::Status(503),
        Fault::Status(504),
        Fault::LateStatus(500),
        Fault::slow_down("0"),
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::ResetBefore,
        Fault::ResetAfter,
    ];
    check_all(faults.map(|fault| {
        let name = format!("two verifications {fault:?}");
        Case::scored(name, [Rule::first(2, Call::Execute, fault)])
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v1_a_verification_that_never_works_is_unknown_and_not_a_zero() {
    let cases = [
        (Fault::Status(500), &["unavailable"]),
        (Fault::CutAfter, &["unavailable"]),
        (Fault::HalfJson, &["unavailable"]),
        (Fault::Status(400), &["rejected"]),
    ];
    check_all(cases.map(|(fault, kinds)| {
        let name = format!("every verification {fault:?}");
        let rules = [Rule::every(Call::Execute, fault)];
        Case::unscored(name, rules, "verify", kinds)
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v1_an_instance_is_kept_alive_while_it_is_verified() {
    let slow = Fault::Slow(Duration::from_secs(12));
    let ledger = Case::scored("slow verification", [Rule::nth(1, Call::Execute, slow)])
        .check()
        .await;
    let asked = ledger.calls(Call::Execute).next().unwrap().at;
    let later = ledger.calls(Call::Heartbeat).filter(|beat| beat.at > asked);
    assert!(later.count() > 0, "no heartbeat: {}", told(&ledger));
}

/// One run whose verifications are answered with these fields changed, in this order. Its rows by task.
async fn answered(changes: &[Value]) -> BTreeMap<String, Row> {
    let rules = (1..).zip(changes).map(|(number, change)| {
        let change = change.clone();
        let change = Fault::change(move |answer| {
            for (field, value) in change.as_object().unwrap() {
                answer[field] = value.clone();
            }
        });
        Rule::nth(number, Call::Execute, change)
    });
    let scene = Scene::new(rules).await;
    let keys: Vec<String> = (1..=changes.len()).map(|n| format!("t{n:02}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    // One after the other, so that the order of verifications is the order of tasks.
    scene.spec(&keys, json!({"retry": {"attempts": 1}}));
    let ended = scene.run().await;
    let expected = Expectation::of(changes.len(), &[0, 3]);
    let ledger = scene.judge("verifications", &ended, expected).await;
    assert_eq!(ledger.injected(), changes.len(), "{}", told(&ledger));
    let rows = scene.rows().into_iter();
    let rows = rows.map(|row| (row["task_key"].clone(), row)).collect();
    scene.stop().await;
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn v2_v3_v4_v5_v6_what_is_no_score_is_unknown_and_not_a_zero() {
    let changes = [
        json!({"success": false, "result": null, "error": {"type": "AssertionError", "message": "no such ticket"}}),
        json!({"success": false, "result": 1}),
        json!({"result": null}),
        json!({"result": []}),
        json!({"result": [1]}),
        json!({"result": {}}),
        json!({"result": {"score": null}}),
        json!({"result": "fine"}),
        json!({"result": "NaN"}),
        json!({"result": "inf"}),
        json!({"result": 1.7}),
        json!({"result": -0.2}),
    ];
    let rows = answered(&changes).await;
    for (row, change) in rows.values().zip(&changes) {
        assert_eq!(row["status"], "unscored", "{change}: {row:#?}");
        assert_eq!(row["score"], "", "{change}");
        assert_eq!(row["phase"], "verify", "{change}");
        assert_eq!(row["error_kind"], "verifier_error", "{change}");
    }
    assert!(
        rows["t01"]["error"].contains("no such ticket"),
        "{:?}",
        rows["t01"]
    );
    assert!(rows["t11"]["error"].contains("1.7"), "{:?}", rows["t11"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn v3_numbers_truth_and_an_object_with_a_score_are_scores() {
    let changes = [
        (json!({"result": 1}), "1"),
        (json!({"result": 0}), "0"),
        (json!({"result": 0.25}), "0.25"),
        (json!({"result": true}), "1"),
        (json!({"result": false}), "0"),
        (json!({"result": {"score": 0.5}}), "0.5"),
    ];
    let rows = answered(&changes.clone().map(|(change, _)| change)).await;
    for (row, (change, score)) in rows.values().zip(&changes) {
        assert_eq!(row["status"], "scored", "{change}: {row:#?}");
        assert_eq!(row["score"], *score, "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn v4_a_number_that_json_does_not_have_is_no_score() {
    let bodies = [
        r#"{"success": true, "result": NaN, "execution_id": "x"}"#,
        r#"{"success": true, "result": 1e999, "execution_id": "x"}"#,
        r#"{"success": true, "result": Infinity, "execution_id": "x"}"#,
    ];
    check_all(bodies.map(|body| {
        let rules = [Rule::every(Call::Execute, Fault::Body(body))];
        Case::unscored(body, rules, "verify", &["unavailable", "verifier_error"])
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v7_a_verifier_that_prints_megabytes_costs_bounded_memory_and_its_score_stays() {
    let flood = Fault::change(|answer| answer["stdout"] = json!("x".repeat(12 << 20)));
    Case::scored("12 MiB of stdout", [Rule::nth(1, Call::Execute, flood)])
        .check()
        .await;
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN);
    let most = usage.unwrap().max_rss();
    assert!(most < 250_000, "{most} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn v8_a_verification_that_was_done_twice_is_one_score() {
    let rules = [Rule::first(2, Call::Execute, Fault::CutAfter)];
    let ledger = Case::scored("answers lost twice", rules).check().await;
    // The judge holds the one score against all of them.
    assert_eq!(ledger.verifications().len(), 3, "{}", told(&ledger));
}

#[tokio::test(flavor = "multi_thread")]
async fn v9_an_instance_that_is_gone_when_it_is_verified_is_replaced() {
    let rules = [Rule::nth(1, Call::Execute, Fault::DieFirst)];
    let ledger = Case::scored("dies before the verification", rules)
        .attempts(2..=2)
        .check()
        .await;
    assert_eq!(ledger.created().len(), 2);
    let rules = [Rule::every(Call::Execute, Fault::DieFirst)];
    Case::unscored("dies each time", rules, "verify", &["environment_lost"])
        .attempts(2..=2)
        .check()
        .await;
}
