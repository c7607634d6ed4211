//! Rows K1–K5, K15 and K18: signals at every phase of a trial, a suspended run, and outputs that close.

use std::process::Stdio;
use std::time::Duration;

use faulty_fleet::{Call, Expectation, Fault, Left, Rule, Script};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::scene::{Ended, Running, Scene, told};

/// Works for longer than any test waits, in small pieces.
const BUSY: &str =
    "touch \"$MARKS/$FLEET_TASK_KEY\"; i=0; while [ $i -lt 1200 ]; do sleep 0.1; i=$((i+1)); done";

/// Where a trial is when the signal comes.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Creating,
    Running,
    Verifying,
    Releasing,
}

const PHASES: [Phase; 4] = [
    Phase::Creating,
    Phase::Running,
    Phase::Verifying,
    Phase::Releasing,
];

/// A run whose first trial is in this phase, for a few seconds at least.
async fn in_phase(phase: Phase) -> (Scene, Running) {
    let slow = Fault::Slow(Duration::from_secs(4));
    let (call, script) = match phase {
        Phase::Creating => (Call::Create, "exit 0"),
        Phase::Running => (Call::Create, BUSY),
        Phase::Verifying => (Call::Execute, "exit 0"),
        Phase::Releasing => (Call::Close, "exit 0"),
    };
    let rules = match phase {
        Phase::Running => Vec::new(),
        _ => vec![Rule::every(call, slow)],
    };
    let scene = Scene::new(rules).await;
    scene.script(&["a", "b"], script, json!({"agent": {"timeout": "5m"}}));
    let mut running = scene.start_run();
    scene.fleet.until(1, call).await;
    if matches!(phase, Phase::Running) {
        let mark = scene.path("marks/a");
        running.until("the agent at work", || mark.exists()).await;
    }
    (scene, running)
}

/// After a signal of the stopping kind: the exit code, nothing left, and no second trial.
async fn stopped(name: &str, scene: &Scene, ended: &Ended, exit: &'static [i32]) {
    let ledger = scene.judge(name, ended, Expectation::of(2, exit)).await;
    assert_eq!(ledger.created().len(), 1, "{name}: {}", told(&ledger));
    let rows = scene.rows();
    assert_eq!(rows[1]["status"], "cancelled", "{name}: {rows:?}");
    for row in &rows {
        let honest = row["score"].is_empty() || row["score"] == "1";
        assert!(honest, "{name}: no zero for who was stopped: {row:?}");
    }
}

async fn signalled_in_every_phase(signal: Signal, exit: &'static [i32]) {
    let checks = PHASES.map(|phase| async move {
        let name = format!("{signal} while {phase:?}");
        let (scene, mut running) = in_phase(phase).await;
        let begun = std::time::Instant::now();
        running.signal(signal);
        running.until_it_says("stopping").await;
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "{name}: it is told at once"
        );
        let ended = running.end_within(Duration::from_secs(25)).await;
        stopped(&name, &scene, &ended, exit).await;
        scene.stop().await;
    });
    futures::future::join_all(checks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k1_one_interrupt_ends_every_phase_cleanly() {
    signalled_in_every_phase(Signal::SIGINT, &[130]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k4_sigterm_ends_every_phase_cleanly() {
    signalled_in_every_phase(Signal::SIGTERM, &[143]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k5_a_hang_up_ends_every_phase_cleanly() {
    signalled_in_every_phase(Signal::SIGHUP, &[129, 143]).await;
}

/// Sends a signal again until it is answered: two within a moment are one.
async fn insist(running: &mut Running, says: &str) {
    for _ in 0..50 {
        if running.stderr().contains(says) || running.is_over() {
            return;
        }
        running.signal(Signal::SIGINT);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn k2_a_second_interrupt_hurries_every_phase_and_still_leaves_nothing() {
    let checks = PHASES.map(|phase| async move {
        let name = format!("two interrupts while {phase:?}");
        let (scene, mut running) = in_phase(phase).await;
        insist(&mut running, "stopping").await;
        insist(&mut running, "killing agents").await;
        let ended = running.end_within(Duration::from_secs(25)).await;
        stopped(&name, &scene, &ended, &[130]).await;
        scene.stop().await;
    });
    futures::future::join_all(checks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k2_a_third_interrupt_leaves_at_once_and_says_how_to_clean_up() {
    let scene = Scene::new([Rule::every(Call::Close, Fault::Status(500))]).await;
    scene.script(&["a", "b"], BUSY, json!({"agent": {"timeout": "5m"}}));
    let mut running = scene.start_run();
    let mark = scene.path("marks/a");
    running.until("the agent at work", || mark.exists()).await;
    insist(&mut running, "stopping").await;
    insist(&mut running, "killing agents").await;
    let begun = std::time::Instant::now();
    insist(&mut running, "leaving now").await;
    let ended = running.end_within(Duration::from_secs(10)).await;
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    let expected = Expectation {
        left: Left::ToItsLease,
        ..Expectation::of(2, &[4])
    };
    let ledger = scene.judge("three interrupts", &ended, expected).await;
    let run = scene.folder().id().to_owned();
    let live = ledger.live_of(&run);
    assert_eq!(live.len(), 1, "{}", told(&ledger));
    ended.says(&[live[0], "harness"]);
    // The journal is intact: what is left is closed by a later sitting.
    scene.fleet.play(Script::none());
    std::fs::write(scene.path("agent.sh"), "exit 0").unwrap();
    let resumed = scene.call(&["resume", "latest"]).await;
    scene
        .judge("resumed", &resumed, Expectation::of(2, &[0]))
        .await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k3_a_doubled_interrupt_is_one() {
    let (scene, mut running) = in_phase(Phase::Running).await;
    running.signal(Signal::SIGINT);
    running.signal(Signal::SIGINT);
    running.until_it_says("stopping").await;
    let ended = running.end().await;
    assert!(!ended.stderr.contains("killing agents"), "{}", ended.stderr);
    stopped("doubled", &scene, &ended, &[130]).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k15_a_run_that_is_suspended_for_a_moment_goes_on() {
    let (scene, running) = in_phase(Phase::Running).await;
    running.signal(Signal::SIGTSTP);
    // Long enough to be stopped, far from long enough to lose a lease.
    tokio::time::sleep(Duration::from_millis(800)).await;
    running.signal(Signal::SIGCONT);
    tokio::time::sleep(Duration::from_millis(200)).await;
    running.signal(Signal::SIGINT);
    let ended = running.end_within(Duration::from_secs(25)).await;
    stopped("suspended", &scene, &ended, &[130]).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k18_a_run_whose_output_nobody_reads_goes_on() {
    let keys = ["a", "b", "c"];
    // `head` ends after one line, so every later line meets a closed pipe; `<&-` closes the streams altogether.
    let shells = [
        "\"$@\" 2>&1 | head -n 1; exit \"${PIPESTATUS[0]}\"",
        "\"$@\" >&- 2>&-",
        "\"$@\" > /dev/full 2> /dev/full",
    ];
    for shell in shells {
        let scene = Scene::new([]).await;
        scene.spec(&keys, json!({}));
        let mut command = scene.program("bash");
        command
            .args(["-c", shell, "bash"])
            .arg(env!("CARGO_BIN_EXE_harness"))
            .args(["run", "spec.yaml"])
            .stdin(Stdio::null());
        let ended = scene.start(command).end().await;
        assert!(
            !ended.stderr.contains("panicked"),
            "{shell}\n{}",
            ended.stderr
        );
        scene.judge(shell, &ended, Expectation::of(3, &[0])).await;
        scene.stop().await;
    }
}
