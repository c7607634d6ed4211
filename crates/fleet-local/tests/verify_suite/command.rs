//! Command verifiers: real programs in real process trees.

use std::time::{Duration, Instant};

use fleet_local::verify::SandboxMode;
use serde_json::{Value, json};

use crate::support::{Instance, Service, failure, score};

fn shell(script: &str) -> Value {
    json!({"kind": "command", "command": ["sh", "-c", script]})
}

#[tokio::test]
async fn a_score_comes_as_json_or_as_a_bare_number() {
    let (service, instance) = (Service::new(), Instance::new(""));
    for (script, expected) in [
        (
            "echo checking; echo '{\"score\": 0.5, \"message\": \"half\"}'",
            0.5,
        ),
        ("echo '{\"score\": 1}'; echo trailing words", 1.0),
        ("echo 0.25", 0.25),
        ("echo -3", -3.0),
    ] {
        let verdict = service.native(&shell(script), Value::Null, &instance).await;
        assert_eq!(score(&verdict), expected, "{script}: {verdict:?}");
    }
    assert!(
        service
            .native(&shell("echo hello; echo 1"), Value::Null, &instance)
            .await
            .stdout
            .unwrap()
            .contains("hello")
    );
}

#[tokio::test]
async fn the_request_has_everything_and_the_copies_are_databases() {
    let (service, instance) = (
        Service::new(),
        Instance::served("UPDATE tickets SET status = 'closed' WHERE id = 1").await,
    );
    let verdict = service
        .native(
            &shell("cat; echo; echo 1"),
            json!({"final_answer": "done", "conversation": "[]"}),
            &instance,
        )
        .await;
    let stdout = verdict.stdout.clone().unwrap();
    let request: Value = serde_json::from_str(stdout.lines().next().unwrap()).unwrap();
    assert_eq!(
        (
            &request["task_key"],
            &request["instance_id"],
            &request["env_key"],
            &request["final_answer"],
            &request["kwargs"]["conversation"]
        ),
        (
            &json!("task-1"),
            &json!("a1b2c3d4"),
            &json!("helpdesk"),
            &json!("done"),
            &json!("[]")
        )
    );
    assert!(
        request["manager_url"]
            .as_str()
            .unwrap()
            .ends_with("/web/api/v1/env")
    );
    assert!(
        request["root_url"]
            .as_str()
            .unwrap()
            .starts_with("http://127.0.0.1:")
    );
    for name in ["seed", "current"] {
        let copy = request["databases"][name].as_str().unwrap();
        assert!(copy.ends_with(&format!("{name}.db")));
        assert!(
            !std::path::Path::new(copy).exists(),
            "the copies go with the verification"
        );
    }
}

#[tokio::test]
async fn the_program_works_on_copies() {
    let (service, instance) = (
        Service::new(),
        Instance::new("UPDATE tickets SET status = 'closed' WHERE id = 1"),
    );
    // Whatever it does to the files in its folder stays there; the copy is that of the changed database.
    let script = "grep -q current.db && grep -q closed current.db && ! grep -q activity_marker seed.db && rm current.db seed.db && echo 1";
    assert_eq!(
        score(&service.native(&shell(script), Value::Null, &instance).await),
        1.0
    );
    let open: i64 = instance
        .current()
        .query_row("SELECT count(*) FROM tickets", [], |row| row.get(0))
        .unwrap();
    assert_eq!(open, 4);
    assert_eq!(
        std::fs::read_dir(service.data.path()).unwrap().count(),
        0,
        "scratch folders are removed"
    );
}

#[tokio::test]
async fn v2_v3_v4_what_goes_wrong_is_an_error_and_never_a_zero() {
    let (service, instance) = (Service::new(), Instance::new(""));
    for (definition, text) in [
        (
            shell("echo 1; echo broken pipe >&2; exit 3"),
            "code 3: broken pipe",
        ),
        (shell("echo 1; kill -9 $$"), "signal 9"),
        (shell("echo done"), "no score"),
        (shell("echo '{\"score\": \"1\"}'"), "no score"),
        (shell("echo nan"), "no score"),
        (shell("true"), "no score"),
        (
            json!({"kind": "command", "command": ["/nonexistent/verifier"]}),
            "could not be started",
        ),
        (json!({"kind": "command", "command": []}), "empty"),
        (json!({"kind": "command"}), "command"),
        (
            json!({"kind": "command", "command": ["true"], "shell": true}),
            "shell",
        ),
    ] {
        let verdict = service.native(&definition, Value::Null, &instance).await;
        let (_, message) = failure(&verdict);
        assert!(message.contains(text), "{definition}: {message}");
    }
    let verdict = service
        .native(
            &shell("echo told you so >&2; exit 1"),
            Value::Null,
            &instance,
        )
        .await;
    assert!(
        verdict
            .error
            .unwrap()
            .traceback
            .unwrap()
            .contains("told you so")
    );
}

#[tokio::test]
async fn v1_a_program_that_hangs_is_killed_with_its_children() {
    let service = Service::with(|config| config.time_limit = Duration::from_millis(300));
    let started = Instant::now();
    let verdict = service
        .native(
            &shell("trap '' TERM; echo half; sleep 60 & sleep 60"),
            Value::Null,
            &Instance::new(""),
        )
        .await;
    assert_eq!(failure(&verdict).0, "TimeoutError");
    assert!(verdict.stdout.unwrap().contains("half"));
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn v7_a_flood_of_output_is_cut_and_its_last_line_still_counts() {
    let script = "head -c 20000000 /dev/zero | tr '\\0' 'x'; echo; echo '{\"score\": 0.75}'";
    let verdict = Service::new()
        .native(&shell(script), Value::Null, &Instance::new(""))
        .await;
    assert_eq!(score(&verdict), 0.75);
    assert!(verdict.stdout.unwrap().len() < 2_000_000);
}

#[tokio::test]
async fn nothing_of_the_servers_environment_is_passed_on() {
    let verdict = Service::new()
        .native(&shell("env; echo 1"), Value::Null, &Instance::new(""))
        .await;
    let stdout = verdict.stdout.unwrap();
    assert!(
        stdout.contains("PATH=") && !stdout.contains("CARGO"),
        "{stdout}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for whoever changes what a verification costs: `cargo nextest run -p fleet-local --run-ignored only throughput`"]
async fn throughput() {
    let (instance, definition) = (Instance::new(""), shell("echo 1"));
    for mode in [SandboxMode::Off, SandboxMode::Require] {
        let service = Service::with(|config| config.sandbox.mode = mode);
        let run = || service.native(&definition, Value::Null, &instance);
        assert_eq!(score(&run().await), 1.0);
        let started = Instant::now();
        for _ in 0..50 {
            assert_eq!(score(&run().await), 1.0);
        }
        let alone = 50.0 / started.elapsed().as_secs_f64();
        let started = Instant::now();
        for verdict in futures::future::join_all((0..100).map(|_| run())).await {
            assert_eq!(score(&verdict), 1.0);
        }
        let together = 100.0 / started.elapsed().as_secs_f64();
        println!(
            "command verifications, sandbox {mode:?}: {alone:.1}/s one after the other, {together:.1}/s at once"
        );
    }
}
