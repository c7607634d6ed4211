//! Rows S1–S8 of the fault table: everything that can go wrong when an instance is made.

use std::time::Duration;

use faulty_fleet::{Call, Expectation, Fault, Rule};
use serde_json::{Value, json};

use crate::scene::{Case, Scene, check_all, told};

const INFRASTRUCTURE: &[&str] = &["unavailable", "rate_limited", "timeout"];

/// Ends before it takes effect, or after.
fn cuts() -> [Fault; 4] {
    [
        Fault::CutBefore,
        Fault::ResetBefore,
        Fault::CutAfter,
        Fault::ResetAfter,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn s1_a_create_that_fails_and_then_works_costs_one_attempt_and_makes_one_instance() {
    let case = |status: u16, times: u32| async move {
        let name = format!("create answers {status} {times} times");
        let fault = Fault::Status(status);
        let ledger = Case::scored(&name, [Rule::first(times, Call::Create, fault)])
            .check()
            .await;
        let ids: std::collections::BTreeSet<_> = ledger
            .calls(Call::Create)
            .map(|entry| &entry.request_id)
            .collect();
        assert_eq!(ids.len(), 1, "{name}: {}", told(&ledger));
        assert_eq!(ledger.created().len(), 1, "{name}");
    };
    futures::join!(
        case(500, 1),
        case(502, 1),
        case(503, 1),
        case(504, 1),
        case(500, 3),
        case(503, 3),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn s1_a_create_that_always_fails_is_no_zero_and_stops_nobody_else() {
    // Two attempts of four requests each; what comes after them is another trial's.
    let scene = Scene::new([Rule::first(8, Call::Create, Fault::Status(503))]).await;
    scene.spec(&["unlucky", "lucky"], json!({}));
    let ended = scene.run().await;
    let expected = Expectation::of(2, &[3]);
    let ledger = scene.judge("s1", &ended, expected).await;
    let rows = scene.rows();
    let [unlucky, lucky] = rows.as_slice() else {
        panic!("{rows:?}")
    };
    assert_eq!(unlucky["status"], "unscored");
    assert_eq!(unlucky["error_kind"], "unavailable");
    assert_eq!(unlucky["phase"], "provision");
    assert_eq!(unlucky["attempts"], "2");
    assert_eq!(
        (lucky["status"].as_str(), lucky["score"].as_str()),
        ("scored", "1")
    );
    let distinct: std::collections::BTreeSet<_> = ledger
        .calls(Call::Create)
        .map(|entry| &entry.request_id)
        .collect();
    // An attempt is one request id, however often it is sent.
    assert_eq!(distinct.len(), 3, "{}", told(&ledger));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s2_every_form_of_retry_after_is_waited_for_and_costs_no_attempt() {
    let date = jiff::Timestamp::now() + Duration::from_secs(2);
    let date = jiff::fmt::rfc2822::to_string(&date.to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
    let forms = [
        Some("0"),
        Some("1"),
        Some("-5"),
        Some("soon"),
        Some(&date),
        None,
    ];
    let cases = forms.map(|form| {
        let fault = Fault::SlowDown(form.map(str::to_owned));
        let name = format!("create answers 429, Retry-After: {form:?}");
        Case::scored(name, [Rule::first(2, Call::Create, fault)])
    });
    check_all(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s2_one_retry_after_keeps_every_trial_quiet() {
    let scene = Scene::new([Rule::nth(1, Call::Create, Fault::slow_down("2"))]).await;
    let keys = ["a", "b", "c", "d", "e", "f"];
    scene.spec(&keys, json!({"concurrency": 6}));
    let ended = scene.run().await;
    let ledger = scene.judge("s2", &ended, Expectation::of(6, &[0])).await;
    let creates: Vec<_> = ledger.calls(Call::Create).collect();
    let told_at = creates[0].at;
    // What had left before the answer came is excused.
    let herd = creates.iter().filter(|create| {
        let after = create.at.duration_since(told_at);
        (Duration::from_millis(150)..Duration::from_millis(1900)).contains(&after)
    });
    assert_eq!(herd.count(), 0, "{}", told(&ledger));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_a_full_quota_is_waited_for_while_others_come_and_go() {
    const LIMIT: usize = 5;
    let scene = Scene::with(|setup| setup.instance_limit = LIMIT).await;
    let first = scene.fleet.make_foreign("helpdesk").await.unwrap();
    scene.fleet.make_foreign("helpdesk").await.unwrap();
    let keys: Vec<String> = (0..30).map(|n| format!("t{n:02}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let changes = json!({
        "concurrency": 12,
        "retry": {"attempts": 1},
        "fleet": {"rate_limit": {"creates_per_second": 100}},
    });
    scene.script(&keys, "sleep 0.4", changes);
    let running = scene.start_run();
    // Somebody else's instances come and go meanwhile.
    let others = async {
        scene.fleet.until(12, Call::Create).await;
        scene.fleet.end_instance(&first).await;
        for _ in 0..6 {
            let made = scene.fleet.make_foreign("helpdesk").await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            if let Some(made) = made {
                scene.fleet.end_instance(&made).await;
            }
        }
    };
    let (ended, ()) = futures::join!(running.end(), others);
    let ledger = scene.judge("s3", &ended, Expectation::of(30, &[0])).await;
    for row in scene.rows() {
        assert_eq!(row["attempts"], "1", "quota uses up no attempt: {row:?}");
    }
    assert_eq!(ledger.max_live, LIMIT as u64, "the whole quota is used");
    let refused = ledger
        .calls(Call::Create)
        .filter(|create| create.status == Some(403));
    assert!(refused.count() > 0, "the quota was never full");
    ended.says(&["waiting for", "the instance limit is reached"]);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_a_structured_refusal_is_waiting_and_any_other_403_is_not() {
    let forbidden = || {
        let text = r#"{"detail": "You have 5 running instances out of a maximum of 5 clowns"}"#;
        Fault::Refuse(403, Vec::new(), text.to_owned())
    };
    check_all([
        Case::scored("quota twice", [Rule::first(2, Call::Create, Fault::Quota)]),
        Case::unscored(
            "403 without structure",
            [Rule::every(Call::Create, forbidden())],
            "provision",
            &["rejected"],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s4_a_key_that_is_refused_at_the_start_is_told_before_anything_is_made() {
    let scene = Scene::new([Rule::every(Call::Account, Fault::Status(401))]).await;
    scene.spec(&["t"], json!({}));
    let ended = scene.run().await;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    ended.says(&["FLEET_API_KEY"]);
    assert_eq!(scene.fleet.count(Call::Create), 0);
    assert!(!scene.path("runs/latest").exists());
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s6_a_create_whose_answer_is_lost_makes_one_instance_and_costs_no_attempt() {
    let cases = cuts().map(|fault| async {
        let name = format!("create {fault:?}");
        let ledger = Case::scored(&name, [Rule::nth(1, Call::Create, fault)])
            .check()
            .await;
        assert_eq!(ledger.created().len(), 1, "{name}: {}", told(&ledger));
    });
    futures::future::join_all(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s6_creates_whose_answers_are_always_lost_leave_nothing() {
    let cases = [Fault::CutAfter, Fault::ResetAfter, Fault::LateStatus(500)].map(|fault| {
        let name = format!("every create {fault:?}");
        // A repeat with the same id is answered with the instance, so only the answer to that must be lost as well.
        Case::unscored(
            name,
            [Rule::every(Call::Create, fault)],
            "provision",
            INFRASTRUCTURE,
        )
        .attempts(1..=2)
    });
    check_all(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s6_an_answer_that_comes_too_late_leaves_nothing() {
    let slow = Fault::Slow(Duration::from_secs(5));
    let quick = json!({"environment": {"ready_timeout": "2s"}});
    check_all([
        Case::scored(
            "one slow create",
            [Rule::nth(1, Call::Create, slow.clone())],
        )
        .attempts(1..=2)
        .changes(quick.clone()),
        Case::unscored(
            "every create is slow",
            [Rule::every(Call::Create, slow)],
            "provision",
            &["timeout"],
        )
        .attempts(2..=2)
        .changes(quick),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s7_an_earlier_create_with_the_same_id_is_adopted_awaited_or_replaced() {
    let pending = Fault::change(|record| record["status"] = json!("pending"));
    check_all([
        Case::scored(
            "409 running",
            [Rule::nth(1, Call::Create, Fault::Duplicate)],
        ),
        Case::scored(
            "409 pending",
            [
                Rule::nth(1, Call::Create, Fault::Duplicate),
                Rule::nth(1, Call::Get, pending),
            ],
        ),
        Case::scored(
            "409 error",
            [Rule::nth(1, Call::Create, Fault::DuplicateOfEnded)],
        )
        .attempts(2..=2),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s8_two_instances_for_one_create_are_both_given_back() {
    let scene = Scene::new([Rule::nth(1, Call::Create, Fault::Twin)]).await;
    scene.spec(&["t"], json!({}));
    let ended = scene.run().await;
    let ledger = scene.judge("s8", &ended, Expectation::of(1, &[0])).await;
    assert_eq!(ledger.injected(), 1);
    let row = &scene.rows()[0];
    assert_eq!(
        (row["status"].as_str(), row["attempts"].as_str()),
        ("scored", "1")
    );
    let end = scene.folder().results()["run"]["end"].clone();
    assert_eq!(end["swept"].as_array().map(Vec::len), Some(1), "{end}");
    assert_eq!(end["proven_empty"], Value::Bool(true), "{end}");
    scene.stop().await;
}
