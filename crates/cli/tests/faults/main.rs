//! Every call of a run × every way it can fail: nothing is left behind, no result is lost or counted twice, and an
//! infrastructure fault is never a zero.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faulty;

use std::process::Stdio;
use std::time::Duration;

use faulty::{Call, Fault, FaultyFleet, Script};

/// What must be true after a run.
#[derive(Clone, Copy, Debug)]
struct Expected {
    exit: i32,
    status: &'static str,
    error_kind: &'static str,
    attempts: u32,
}

const SCORED: Expected = Expected {
    exit: 0,
    status: "scored",
    error_kind: "",
    attempts: 1,
};

fn unscored(error_kind: &'static str, attempts: u32) -> Expected {
    Expected {
        exit: 3,
        status: "unscored",
        error_kind,
        attempts,
    }
}

/// A run of one task against a Fleet with this fault. The ledger is asked first, then the files.
async fn check(call: Call, fault: Fault, times: Option<u32>, expected: Expected) {
    let name = format!("{call:?} × {fault:?} × {times:?}");
    let fleet = FaultyFleet::start(Script::from([(call, (fault, times))])).await;
    let folder = tempfile::tempdir().unwrap();
    let spec = spec(fleet.url());
    let spec_path = folder.path().join("spec.yaml");
    std::fs::write(&spec_path, spec).unwrap();
    let run = tokio::process::Command::new(env!("CARGO_BIN_EXE_harness"))
        .args(["run", "spec.yaml"])
        .current_dir(folder.path())
        .env("FLEET_API_KEY", "key")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(120), run)
        .await
        .unwrap_or_else(|_| panic!("{name}: it hangs"))
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let ledger = fleet.ledger();
    assert!(fleet.injected() > 0, "{name}: the fault never came\n{said}");
    assert_eq!(ledger.live, 0, "{name}: an instance is left\n{said}");
    assert_eq!(
        output.status.code(),
        Some(expected.exit),
        "{name}: exit code\n{said}"
    );
    let rows = rows(folder.path());
    assert_eq!(rows.len(), 1, "{name}: one row per trial");
    let row = &rows[0];
    let cell = |column: &str| row[column].as_str();
    assert_eq!(cell("status"), expected.status, "{name}\n{said}");
    assert_eq!(cell("error_kind"), expected.error_kind, "{name}\n{said}");
    assert_eq!(
        cell("attempts"),
        expected.attempts.to_string(),
        "{name}\n{said}"
    );
    if expected.status == "scored" {
        assert_eq!(cell("score"), "1", "{name}");
        let ran: Vec<_> = ledger.verifications.iter().filter(|v| v.success).collect();
        assert!(!ran.is_empty(), "{name}: the score has a verification");
    } else {
        assert_eq!(cell("score"), "", "{name}: a fault is never a zero");
    }
    assert_ne!(cell("teardown"), "unconfirmed", "{name}");
    fleet.stop().await;
}

fn spec(url: &str) -> String {
    let tasks = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/tasks/helpdesk.json"
    );
    format!(
        r#"
version: 1
name: faults
fleet: {{endpoint: "{url}"}}
tasks: {{file: "{tasks}", include: [helpdesk-ticket-owner]}}
agent: {{command: ["{{harness}}", demo, agent, --skill, expert], timeout: 60s, grace_period: 1s}}
environment: {{ready_timeout: 60s}}
retry: {{attempts: 2, initial_delay: 50ms, max_delay: 100ms}}
"#
    )
}

/// Kills the harness with SIGKILL again and again, a little later each time, and resumes what it left.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_a_run_is_resumed_to_the_same_end() {
    const KILLS: u32 = 12;
    const STEP: Duration = Duration::from_millis(120);
    let fleet = FaultyFleet::start(Script::new()).await;
    let folder = tempfile::tempdir().unwrap();
    let tasks = "[helpdesk-ticket-owner, helpdesk-count-urgent, helpdesk-close-solved]";
    let several = spec(fleet.url()).replace("[helpdesk-ticket-owner]", tasks) + "trials: 3\n";
    std::fs::write(folder.path().join("spec.yaml"), several).unwrap();
    let mut killed = 0;
    let mut finished = None;
    for sitting in 1..=KILLS + 1 {
        let began = folder.path().join("runs/latest/journal.jsonl").is_file();
        let args = if began {
            ["resume", "latest"]
        } else {
            ["run", "spec.yaml"]
        };
        let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_harness"))
            .args(args)
            .current_dir(folder.path())
            .env("FLEET_API_KEY", "key")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // The moment of the kill is the point of this test, not a wait for something.
        let patience = if sitting <= KILLS {
            STEP * sitting
        } else {
            Duration::from_secs(120)
        };
        if let Ok(status) = tokio::time::timeout(patience, child.wait()).await {
            finished = Some(status.unwrap().code());
            break;
        }
        child.kill().await.unwrap();
        killed += 1;
    }
    assert_eq!(finished, Some(Some(0)), "it ends well in the end");
    assert!(
        killed >= 3,
        "it was killed {killed} times: that proves too little"
    );
    assert_eq!(fleet.ledger().live, 0, "nothing is left");
    let rows = rows(folder.path());
    assert_eq!(rows.len(), 9, "one row per trial");
    let mut names: Vec<(String, String)> = rows
        .iter()
        .map(|row| (row["task_key"].clone(), row["trial"].clone()))
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 9, "no trial twice");
    for row in &rows {
        assert_eq!(
            (row["status"].as_str(), row["score"].as_str()),
            ("scored", "1"),
            "{row:?}"
        );
    }
    println!("killed {killed} times");
    fleet.stop().await;
}

type Row = std::collections::HashMap<String, String>;

fn rows(folder: &std::path::Path) -> Vec<Row> {
    let path = folder.join("runs/latest/results.csv");
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_fails_and_then_works_costs_nothing() {
    for fault in [
        Fault::Refuse(503),
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::SlowDown,
    ] {
        check(Call::Create, fault, Some(1), SCORED).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_whose_answer_is_unreadable_leaves_no_instance() {
    // The instance exists, but nobody learned its name: the listing at the end finds it.
    for fault in [Fault::Garbage, Fault::Truncated] {
        let second = Expected {
            attempts: 2,
            ..SCORED
        };
        check(Call::Create, fault, Some(1), second).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_always_fails_is_infrastructure_and_not_a_zero() {
    check(
        Call::Create,
        Fault::Refuse(503),
        None,
        unscored("unavailable", 2),
    )
    .await;
    check(
        Call::Create,
        Fault::CutAfter,
        Some(40),
        unscored("unavailable", 2),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_is_refused_is_not_tried_again() {
    check(
        Call::Create,
        Fault::Refuse(400),
        None,
        unscored("rejected", 1),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quota_is_waiting_and_uses_up_no_attempt() {
    check(Call::Create, Fault::Quota, Some(2), SCORED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_that_fails_and_then_works_is_a_score() {
    for fault in [
        Fault::Refuse(503),
        Fault::CutAfter,
        Fault::Garbage,
        Fault::Truncated,
    ] {
        check(Call::Execute, fault, Some(1), SCORED).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_that_always_fails_is_unknown_and_not_a_zero() {
    check(
        Call::Execute,
        Fault::Refuse(500),
        None,
        unscored("unavailable", 1),
    )
    .await;
    check(
        Call::Execute,
        Fault::Garbage,
        None,
        unscored("unavailable", 1),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_fails_is_tried_until_it_works() {
    for fault in [
        Fault::Refuse(503),
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::Garbage,
    ] {
        check(Call::Close, fault, Some(2), SCORED).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_fails_is_asked_again_before_the_run_says_that_nothing_is_left() {
    for fault in [Fault::Refuse(503), Fault::CutBefore, Fault::Garbage] {
        check(Call::List, fault, Some(1), SCORED).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_refused_in_the_middle_stops_the_run() {
    let stopped = Expected {
        exit: 5,
        ..unscored("unauthorized", 1)
    };
    check(Call::Create, Fault::Refuse(401), None, stopped).await;
}
