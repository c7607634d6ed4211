//! Rows K8–K11: a disk that is full or broken, a folder that cannot be written, too few file descriptors.

use std::path::Path;

use faulty_fleet::{Call, Expectation};
use serde_json::json;

use crate::crash::{strace, under_strace};
use crate::scene::{Ended, Scene, skip};

const KEYS: [&str; 2] = ["a", "b"];

/// Far more than the journal of two trials is written or synced.
const MOST_POINTS: u32 = 60;

const AT_ONCE: u32 = 3;

/// A disk that fails at its n-th use: the run ends honestly or goes on without harm, leaves nothing, and a resume ends it
/// well. False if there was no such use.
async fn fails_at(strace: &Path, syscall: &str, error: &str, number: u32) -> bool {
    let name = format!("{syscall} {number} fails with {error}");
    let scene = Scene::new([]).await;
    scene.script(&KEYS, "exit 0", json!({"concurrency": 2}));
    // Begun and killed, so that one thread does everything that is counted.
    let begin = under_strace(
        &scene,
        strace,
        "fdatasync",
        "signal=KILL:when=1",
        &["run", "spec.yaml"],
    );
    scene.start(begin).end().await;
    let inject = format!("error={error}:when={number}");
    let command = under_strace(&scene, strace, syscall, &inject, &["resume", "latest"]);
    let ended = scene.start(command).end().await;
    let log = std::fs::read_to_string(scene.path("strace")).unwrap();
    let failed = log.contains("(INJECTED)");
    // A run that cannot be recorded is no success, and what it held is given back all the same.
    let says = |words: &str| ended.stderr.contains(words);
    let broken = says("cannot go on") || says("the disk is full");
    // Space that was put aside may take the run's very last line, and then all is recorded.
    let exit: &[i32] = match (broken, error) {
        (false, _) => &[0],
        (true, "ENOSPC") => &[0, 5],
        (true, _) => &[5],
    };
    scene.judge(&name, &ended, Expectation::of(2, exit)).await;
    // After a failed sync nobody knows what is on the disk; a full one may get room.
    let may_go_on = !failed || error == "ENOSPC";
    assert!(broken || may_go_on, "{name}\n{}", ended.stderr);
    if broken {
        let resumed = scene.call(&["resume", "latest"]).await;
        scene.judge(&name, &resumed, Expectation::of(2, &[0])).await;
    }
    scene.stop().await;
    failed
}

#[expect(
    clippy::print_stdout,
    reason = "how much was tried is part of the proof"
)]
async fn fails_at_every(syscall: &str, error: &str) {
    let Some(strace) = strace() else {
        return skip(
            "k8_k9_the_disk_fails_at_every_point",
            "no strace that may trace",
        );
    };
    let mut tried = 0;
    let mut next = 1;
    loop {
        assert!(next < MOST_POINTS, "it never ends by itself");
        let numbers = next..next + AT_ONCE;
        let failed = numbers.map(|number| fails_at(&strace, syscall, error, number));
        let failed = futures::future::join_all(failed).await;
        tried += failed.iter().filter(|failed| **failed).count();
        if failed.contains(&false) {
            break;
        }
        next += AT_ONCE;
    }
    println!("{syscall} failed with {error} at {tried} points");
    assert!(tried >= 9, "{tried} points prove too little");
}

#[tokio::test(flavor = "multi_thread")]
async fn k8_a_disk_that_is_full_at_any_write_of_the_journal_stops_the_run_and_leaves_nothing() {
    fails_at_every("write", "ENOSPC").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k9_a_sync_that_fails_at_any_point_stops_the_run_and_leaves_nothing() {
    fails_at_every("fdatasync", "EIO").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k9_a_slow_disk_makes_a_run_slow_and_nothing_worse() {
    let Some(strace) = strace() else {
        return skip("k9_a_slow_disk", "no strace that may trace");
    };
    let scene = Scene::new([]).await;
    scene.script(&KEYS, "exit 0", json!({"concurrency": 2}));
    let slow = "delay_enter=200000";
    let command = under_strace(&scene, &strace, "fdatasync", slow, &["run", "spec.yaml"]);
    let ended = scene.start(command).end().await;
    scene.judge("k9", &ended, Expectation::of(2, &[0])).await;
    scene.stop().await;
}

/// Runs `harness run` where `disk` is a file system of its own of so many bytes, in a mount namespace. `None` without one.
async fn on_a_small_disk(scene: &Scene, size: &str, args: &[&str]) -> Option<Ended> {
    let disk = scene.path("disk");
    std::fs::create_dir_all(&disk).unwrap();
    let mount = format!("mount -t tmpfs -o size={size} none '{}'", disk.display());
    let mut probe = scene.program("unshare");
    probe.args(["-Urm", "sh", "-c", &mount]);
    if scene.start(probe).end().await.code != Some(0) {
        return None;
    }
    // What is on that disk is gone with its namespace, so it is copied out for the judge.
    let kept = scene.path("runs");
    let script = format!(
        "{mount} || exit 99; \"$@\"; code=$?; rm -f '{disk}'/fill; cp -a '{disk}'/runs '{kept}'; exit $code",
        disk = disk.display(),
        kept = kept.display(),
    );
    let mut command = scene.program("unshare");
    command
        .args(["-Urm", "sh", "-c", &script, "sh"])
        .arg(env!("CARGO_BIN_EXE_harness"))
        .args(args);
    Some(scene.start(command).end().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn k8_a_disk_that_is_full_before_the_start_is_told_before_anything_is_made() {
    let scene = Scene::new([]).await;
    scene.spec(&KEYS, json!({"report": {"dir": "disk/runs"}}));
    let Some(ended) = on_a_small_disk(&scene, "1m", &["run", "spec.yaml"]).await else {
        return skip("k8_full_before_the_start", "no user and mount namespaces");
    };
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    ended.says(&["--out", "free"]);
    assert_eq!(scene.fleet.count(Call::Create), 0);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k8_a_disk_that_fills_up_under_the_run_takes_no_score_that_was_told() {
    let scene = Scene::new([]).await;
    // The second agent fills the disk that holds the run; the first has its score by then.
    let script = "\
        [ \"$FLEET_TASK_KEY\" = a ] && exit 0\n\
        head -c 100000000 /dev/zero > \"$MARKS/../disk/fill\" 2>/dev/null; exit 0\n";
    let keys = ["a", "b", "c"];
    scene.script(&keys, script, json!({"report": {"dir": "disk/runs"}}));
    let Some(ended) = on_a_small_disk(&scene, "24m", &["run", "spec.yaml"]).await else {
        return skip("k8_fills_up", "no user and mount namespaces");
    };
    // With space put aside the journal may outlive the disk; the trial that found no room is then without a score.
    assert!([Some(3), Some(5)].contains(&ended.code), "{}", ended.stderr);
    let run = scene.folder().id().to_owned();
    let ledger = scene.fleet.ledger().await;
    assert!(ledger.live_of(&run).is_empty(), "{:?}", ledger.live);
    let folder = scene.folder();
    let intended = folder.events("provision_intended").len();
    assert_eq!(
        ledger.created().len(),
        intended,
        "nothing is made that is not recorded"
    );
    let told = ended.stderr.matches("PASS").count();
    let scored = folder.events("scored").len();
    assert!(
        told >= 1 && told <= scored,
        "{told} told, {scored} recorded"
    );
    // The reports of that moment are written later from what the journal has.
    let report = scene.call(&["report", "latest"]).await;
    assert_eq!(report.code, Some(0), "{}", report.stderr);
    let rows = scene.rows();
    assert_eq!(rows.len(), 3);
    assert_eq!(
        (rows[0]["task_key"].as_str(), rows[0]["score"].as_str()),
        ("a", "1")
    );
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k10_a_folder_that_cannot_be_used_is_told_before_anything_is_made() {
    let scene = Scene::new([]).await;
    std::fs::write(scene.path("file"), "").unwrap();
    // A file in the way, a name that is too long, and a place where nobody may make folders, root included.
    let long = "x".repeat(300);
    for dir in ["file/runs", &long, "/proc/runs"] {
        scene.spec(&["t"], json!({"report": {"dir": dir}}));
        let ended = scene.run().await;
        assert_eq!(ended.code, Some(2), "{dir}\n{}", ended.stderr);
        ended.says(&["--out"]);
    }
    assert_eq!(scene.fleet.count(Call::Create), 0);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k11_too_few_descriptors_cost_honest_errors_and_no_instance() {
    let scene = Scene::new([]).await;
    let keys: Vec<String> = (0..30).map(|n| format!("t{n:02}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let changes = json!({
        "concurrency": 30,
        "retry": {"attempts": 4},
        "fleet": {"rate_limit": {"creates_per_second": 100, "requests_per_second": 500}},
    });
    scene.script(&keys, "sleep 0.5", changes);
    let mut command = scene.program("prlimit");
    command
        .arg("--nofile=64:64")
        .arg(env!("CARGO_BIN_EXE_harness"))
        .args(["run", "spec.yaml"]);
    let ended = scene.start(command).end().await;
    // Whether all trials fit or not: every one has a row, none a false score, and nothing is left.
    scene
        .judge("k11", &ended, Expectation::of(30, &[0, 3]))
        .await;
    for row in scene.rows() {
        let zero = row["status"] == "scored" && row["score"] != "1";
        assert!(!zero, "{row:?}");
    }
    scene.stop().await;
}
