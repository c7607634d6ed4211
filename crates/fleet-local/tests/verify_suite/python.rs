//! Python verifiers with the official SDK from the package index.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet_local::verify::{PythonConfig, SandboxMode};
use serde_json::{Value, json};

use crate::support::{Instance, Service, failure, request_with, score};

/// A service whose Python environment is shared by all tests of this machine; none where it cannot be made.
#[expect(
    clippy::print_stdout,
    reason = "a skipped test says so, with its reason"
)]
pub(crate) async fn service(
    change: impl FnOnce(&mut fleet_local::verify::VerifyConfig),
) -> Option<Service> {
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("python");
    let service = Service::with(|config| {
        config.python = PythonConfig::managed(cache);
        change(config);
    });
    match service.service.prepare_python().await {
        Ok(()) => Some(service),
        Err(error) => {
            println!(
                "SKIPPED {}: {error}",
                std::thread::current().name().unwrap_or_default()
            );
            None
        }
    }
}

const CLOSE_2: &str = r#"
def validate_close(env: Environment, final_answer: str | None = None) -> float:
    env.instance.load()
    seed, current = env.db("seed"), env.db("current")
    errors = []
    before = seed.table("tickets").eq("id", 2).first()
    after = current.table("tickets").eq("id", 2).first()
    if after["status"] != "closed":
        errors.append("[X] ticket 2 should be closed")
    try:
        current.snapshot()
        seed.snapshot().diff(current.snapshot(), IgnoreConfig(tables={"activity"})).expect_only_v2([
            {"table": "tickets", "pk": 2, "type": "modify", "resulting_fields": [("status", "closed")], "no_other_changes": True},
        ])
    except AssertionError as error:
        errors.append("[X] " + str(error).splitlines()[0])
    if not normalized_contains("ticket two", final_answer or ""):
        errors.append("[X] answer")
    print(">>> ERROR_ACCUMULATOR >>>")
    print(errors)
    print("<<< ERROR_ACCUMULATOR <<<")
    return TASK_FAILED_SCORE if errors else TASK_SUCCESSFUL_SCORE
"#;

#[tokio::test]
async fn a_verifier_in_the_sdks_dialect_scores_what_it_sees() {
    let Some(service) = service(|_| ()).await else {
        return;
    };
    let close = "UPDATE tickets SET status = 'closed' WHERE id = 2;";
    let answer = json!({"final_answer": "Closed Ticket-Two."});
    for (changes, answer, expected) in [
        (close.to_owned(), answer.clone(), 1.0),
        (String::new(), answer.clone(), 0.0),
        (close.to_owned(), json!({}), 0.0),
        (
            format!("{close}UPDATE tickets SET priority = 7 WHERE id = 2;"),
            answer.clone(),
            0.0,
        ),
        (format!("{close}DELETE FROM comments;"), answer, 0.0),
    ] {
        let verdict = service
            .run(CLOSE_2, answer, &Instance::served(&changes).await)
            .await;
        assert_eq!(score(&verdict), expected, "{changes}: {verdict:?}");
        assert!(verdict.stdout.unwrap().contains("ERROR_ACCUMULATOR"));
    }
    service.service.shutdown().await;
}

#[tokio::test]
async fn every_dialect_is_called_as_it_expects() {
    let Some(service) = service(|_| ()).await else {
        return;
    };
    let instance = Instance::served("").await;
    let sources = [
        (
            "two snapshots",
            "def v(before: DatabaseSnapshot, after: DatabaseSnapshot, transcript: str | None = None) -> int:\n    assert transcript == 'yes'\n    return 1 if before.table('tickets').eq('id', 1).first() == after.table('tickets').eq('id', 1).first() else 0",
        ),
        (
            "env only",
            "def v(env):\n    env.instance.load()\n    return env.db('current').table('tickets').count() == 4",
        ),
        (
            "multi-app",
            "def verify_multi_app_1(env, final_answer=None, *args, **kwargs):\n    app = env.app('mail')\n    app.load()\n    return 1.0 if app.db('seed').query('SELECT 1').rows == [[1]] else 0.0",
        ),
        (
            "async over the sync env",
            "async def v(env, final_answer=None):\n    env.instance.load()\n    return float(final_answer == 'yes')",
        ),
        (
            "async over the async env",
            "async def v(env, final_answer=None):\n    await env.instance.load()\n    rows = await env.db('current').query('SELECT count(*) FROM tickets')\n    return 1 if rows.rows[0][0] == 4 else 0",
        ),
        (
            "decorated",
            "from fleet import verifier\n@verifier(key='k')\ndef v(env, final_answer=None):\n    return {'score': 1.0}",
        ),
        (
            "decorated without its import",
            "@verifier(key='k')\ndef v(env, final_answer=None):\n    return 1",
        ),
        (
            "helper first",
            "def helper(x):\n    return x + 1\n\ndef v(env, final_answer=None):\n    return helper(0)",
        ),
        (
            "a score object",
            "class R:\n    score = 1\n\ndef v(env, **kwargs):\n    return R()",
        ),
        (
            "names and imports",
            "import re, dataclasses\nfrom fleet.judge import Rubric\n@dataclasses.dataclass\nclass D:\n    a: int\n\ndef v(env, final_answer: Unknown = None):\n    return D(1).a if extract_numbers('1,2') == [12.0] and contains_number('a 5', 5) and json and re and string else 0",
        ),
    ];
    for (name, source) in sources {
        let mut body = crate::support::request(source, json!({"final_answer": "yes"}));
        body.function_name = Some(
            if source.contains("verify_multi_app") {
                "verify_multi_app_1"
            } else {
                "v"
            }
            .to_owned(),
        );
        let verdict = service
            .service
            .execute(body, Some(Arc::<Instance>::clone(&instance) as _))
            .await
            .unwrap();
        let result = verdict.result.clone().unwrap_or_default();
        let one = result.as_f64() == Some(1.0)
            || result == json!(true)
            || result["score"].as_f64() == Some(1.0);
        assert!(verdict.success && one, "{name}: {verdict:?}");
    }
    service.service.shutdown().await;
}

#[tokio::test]
async fn v1_v2_v3_v4_what_goes_wrong_is_an_error_and_never_a_zero() {
    let Some(service) = service(|config| {
        config.time_limit = Duration::from_secs(2);
        config.memory_limit = Some(1024 * 1024 * 1024);
    })
    .await
    else {
        return;
    };
    let instance = Instance::served("").await;
    let table = [
        (
            "def v(env):\n    print('so far')\n    return {}['tickets']",
            "KeyError",
            "'tickets'",
        ),
        ("def v(env:\n    return 1", "SyntaxError", ""),
        ("x = 1", "ValueError", "No function"),
        (
            "import nonexistent_package\ndef v(env): return 1",
            "ModuleNotFoundError",
            "nonexistent_package",
        ),
        ("def v(env): return float('nan')", "ValueError", "nan"),
        ("def v(env): return object()", "TypeError", "object"),
        ("def v(env): raise SystemExit(0)", "SystemExit", ""),
        (
            "import os\ndef v(env): os._exit(0)",
            "VerifierCrash",
            "without a result",
        ),
        (
            "import os, signal\ndef v(env): os.kill(os.getpid(), signal.SIGSEGV)",
            "VerifierCrash",
            "SIGSEGV",
        ),
        (
            "def v(env):\n    x = bytearray(2 << 30)\n    return 0",
            "MemoryError",
            "",
        ),
        (
            "import time\ndef v(env):\n    try:\n        time.sleep(60)\n    except Exception:\n        return 0.0",
            "TimeoutError",
            "2 s",
        ),
        (
            "import time\ndef v(env):\n    while True:\n        try:\n            time.sleep(60)\n        except BaseException:\n            pass",
            "TimeoutError",
            "killed",
        ),
    ];
    for (source, kind, text) in table {
        let verdict = service.run(source, json!({}), &instance).await;
        let failed = failure(&verdict);
        assert!(
            failed.0 == kind && failed.1.contains(text),
            "{source}: {failed:?}"
        );
    }
    let verdict = service.run(table[0].0, json!({}), &instance).await;
    let traceback = verdict.error.unwrap().traceback.unwrap();
    assert!(
        traceback.contains("return {}['tickets']") && !traceback.contains("worker.py"),
        "{traceback}"
    );
    assert_eq!(verdict.stdout.as_deref(), Some("so far\n"));
    service.service.shutdown().await;
}

#[tokio::test]
async fn v7_printing_never_disturbs_the_protocol_and_is_cut() {
    let Some(service) = service(|_| ()).await else {
        return;
    };
    let instance = Instance::served("").await;
    let source = "import os, sys, subprocess\ndef v(env):\n    os.write(1, b'\\xff raw\\n')\n    print('err', file=sys.stderr)\n    subprocess.run(['echo', 'from a child'])\n    print('x' * 5_000_000)\n    print('the end')\n    return 1";
    let verdict = service.run(source, json!({}), &instance).await;
    assert_eq!(score(&verdict), 1.0);
    let stdout = verdict.stdout.unwrap();
    assert!(
        stdout.starts_with("\u{fffd} raw\nerr\nfrom a child\n")
            && stdout.ends_with("the end\n")
            && stdout.len() < 1_000_000
            && stdout.contains("bytes dropped")
    );
    service.service.shutdown().await;
}

#[tokio::test]
async fn verifications_run_beside_each_other_and_a_crash_takes_no_other_with_it() {
    let Some(service) = service(|_| ()).await else {
        return;
    };
    let instance = Instance::served("").await;
    let slow = "import time\ndef v(env, n):\n    time.sleep(0.5)\n    return n";
    let crash = "import os\ndef v(env): os.abort()";
    let started = Instant::now();
    let slow_ones = (0..8).map(|n| {
        let body = request_with(
            &[("verifier.py", slow)],
            &json!([null, n, {"env": "a1b2c3d4"}]),
            Value::Null,
        );
        service
            .service
            .execute(body, Some(Arc::<Instance>::clone(&instance) as _))
    });
    let (slow_ones, crashed) = tokio::join!(
        futures::future::join_all(slow_ones),
        service.run(crash, json!({}), &instance)
    );
    for (n, verdict) in slow_ones.into_iter().enumerate() {
        assert_eq!(score(&verdict.unwrap()), n);
    }
    assert_eq!(failure(&crashed).0, "VerifierCrash");
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "eight sleeps of half a second ran one after the other: {:?}",
        started.elapsed()
    );
    service.service.shutdown().await;
}

#[tokio::test]
async fn a_killed_worker_is_replaced_and_its_verification_is_an_error() {
    let Some(service) = service(|_| ()).await else {
        return;
    };
    let instance = Instance::served("").await;
    // From outside: a verifier cannot, which `sandbox.rs` tries.
    let mark = format!("61.{:09}", std::process::id());
    let source = format!(
        "import subprocess\ndef v(env):\n    subprocess.run(['sleep', '{mark}'])\n    return 0"
    );
    let running = service.run(&source, json!({}), &instance);
    let kill = async {
        let sleeper = condition(|| process_with(&mark)).await;
        // sleep → the verifier's process → the worker
        let worker = parent(parent(sleeper));
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(worker),
            nix::sys::signal::SIGKILL,
        )
        .unwrap();
    };
    let (verdict, ()) = tokio::join!(running, kill);
    assert_eq!(failure(&verdict).0, "VerifierCrash");
    assert_eq!(
        score(
            &service
                .run("def v(env): return 1", json!({}), &instance)
                .await
        ),
        1.0
    );
    service.service.shutdown().await;
}

#[tokio::test]
async fn a_dropped_verification_and_its_children_end() {
    let Some(service) = service(|_| ()).await else {
        return;
    };
    let instance = Instance::served("").await;
    // A number that no other process sleeps for; process ids differ inside the verifier's containment.
    let mark = format!("61.{:09}", std::process::id());
    let source = format!(
        "import subprocess, time\ndef v(env):\n    subprocess.Popen(['sleep', '{mark}'])\n    time.sleep(60)"
    );
    let running = service.run(&source, json!({}), &instance);
    tokio::select! {
        _ = running => panic!("it sleeps for a minute"),
        () = condition(|| is_running(&mark).then_some(())) => {}
    }
    condition(|| (!is_running(&mark)).then_some(())).await;
    assert_eq!(
        score(
            &service
                .run("def v(env): return 1", json!({}), &instance)
                .await
        ),
        1.0
    );
    service.service.shutdown().await;
}

#[tokio::test]
async fn bundles_may_bring_packages_along() {
    let Some(service) = service(|_| ()).await else {
        return;
    };
    let files = [
        (
            "verifier.py",
            "from helpers.numbers import ONE\ndef v(env): return ONE",
        ),
        ("helpers/__init__.py", ""),
        ("helpers/numbers.py", "ONE = 1"),
    ];
    let body = request_with(&files, &json!([null, {"env": "a1b2c3d4"}]), Value::Null);
    let verdict = service
        .service
        .execute(body, Some(Instance::served("").await))
        .await
        .unwrap();
    assert_eq!(score(&verdict), 1.0);
    service.service.shutdown().await;
}

#[tokio::test]
async fn a_warm_verification_is_quick() {
    let Some(service) = service(|_| ()).await else {
        return;
    };
    let instance = Instance::served("UPDATE tickets SET status = 'closed' WHERE id = 2").await;
    let mut times = Vec::new();
    for _ in 0..5 {
        let started = Instant::now();
        assert_eq!(
            score(
                &service
                    .run(CLOSE_2, json!({"final_answer": "ticket two"}), &instance)
                    .await
            ),
            1.0
        );
        times.push(started.elapsed());
    }
    println!("warm verifications: {times:?}");
    // About a tenth of a second on an idle machine; on a busy one a start of the SDK per verification would still show.
    let best = times.iter().min().unwrap();
    assert!(*best < Duration::from_millis(1500), "{times:?}");
    service.service.shutdown().await;
}

/// Whether a process has this argument.
pub(crate) fn is_running(argument: &str) -> bool {
    process_with(argument).is_some()
}

/// The process with this argument.
fn process_with(argument: &str) -> Option<i32> {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .find_map(|process| {
            let id = process.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(process.path().join("cmdline")).ok()?;
            line.split(|byte| *byte == 0)
                .any(|part| part == argument.as_bytes())
                .then_some(id)
        })
}

fn parent(process: i32) -> i32 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    line.unwrap().trim().parse().unwrap()
}

/// Waits for a condition, with a deadline.
pub(crate) async fn condition<T>(mut holds: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(value) = holds() {
            return value;
        }
        assert!(Instant::now() < deadline, "the condition did not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for whoever changes what a verification costs: `cargo nextest run -p fleet-local --run-ignored only throughput`"]
async fn throughput() {
    let instance = Instance::served("UPDATE tickets SET status = 'closed' WHERE id = 2").await;
    for (what, source) in [
        ("empty", "def v(env): return 1"),
        ("of the SDK's dialect", CLOSE_2),
    ] {
        for mode in [SandboxMode::Off, SandboxMode::Require] {
            let Some(service) = service(|config| config.sandbox.mode = mode).await else {
                return;
            };
            let run = || service.run(source, json!({"final_answer": "ticket two"}), &instance);
            assert_eq!(score(&run().await), 1.0);
            let started = Instant::now();
            for _ in 0..20 {
                assert_eq!(score(&run().await), 1.0);
            }
            let alone = 20.0 / started.elapsed().as_secs_f64();
            let started = Instant::now();
            for verdict in futures::future::join_all((0..64).map(|_| run())).await {
                assert_eq!(score(&verdict), 1.0);
            }
            let together = 64.0 / started.elapsed().as_secs_f64();
            println!(
                "Python verifications ({what}), sandbox {mode:?}: {alone:.1}/s one after the other, {together:.1}/s at once"
            );
            service.service.shutdown().await;
        }
    }
}
