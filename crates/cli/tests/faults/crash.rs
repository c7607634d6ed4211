//! Row K6: SIGKILL at every point at which the journal is written or made durable, at random moments, and a resume after each.
//! The resumed run must be the uninterrupted one: the same rows, no score counted twice, nothing left.
//!
//! strace ends the harness: when its recorder enters a system call on the journal for the n-th time. It counts for each thread
//! by itself, and the first lines of a journal are written by another thread than the rest; so a run is first ended at its
//! very first sync, and the points are counted in the sitting that resumes it, where one thread writes everything.

use std::collections::BTreeSet;
use std::time::Duration;

use faulty_fleet::{Call, Expectation, Fault, Odds, Row, Rule, Script};
use serde_json::json;

use crate::scene::{Ended, Scene, skip};

/// Two trials at once, so that their events share syncs.
const KEYS: [&str; 2] = ["a", "b"];

/// Far more than the journal of two trials is written or synced.
const MOST_POINTS: u32 = 60;

/// How many points are tried at once.
const AT_ONCE: u32 = 3;

/// The calls by which the journal reaches the disk.
#[derive(Clone, Copy, Debug)]
enum Point {
    Write,
    Sync,
}

impl Point {
    fn syscall(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Sync => "fdatasync",
        }
    }
}

pub(crate) fn strace() -> Option<std::path::PathBuf> {
    let named = std::env::var_os("HARNESS_TEST_STRACE").map(Into::into);
    let path = named.unwrap_or_else(|| std::path::PathBuf::from("strace"));
    // It may be there and not be allowed to trace, as in many containers.
    let works = std::process::Command::new(&path)
        .args(["-f", "-qq", "-e", "trace=none", "true"])
        .output();
    works.is_ok_and(|ran| ran.status.success()).then_some(path)
}

/// The harness under strace, which does `inject` to it. Only calls on the journal count.
pub(crate) fn under_strace(
    scene: &Scene,
    strace: &std::path::Path,
    syscall: &str,
    inject: &str,
    args: &[&str],
) -> tokio::process::Command {
    let mut command = scene.program(strace);
    command.args(["-f", "-qq", "-o"]).arg(scene.path("strace"));
    let latest = scene.path("runs/latest");
    if let Ok(run) = latest.canonicalize() {
        command.arg("-P").arg(run.join("journal.jsonl"));
    }
    command
        .arg(format!("--inject={syscall}:{inject}"))
        .arg(format!("--trace={syscall}"))
        .arg(env!("CARGO_BIN_EXE_harness"))
        .args(args);
    command
}

/// What a row says that a resume must not change.
fn essence(rows: &[Row]) -> BTreeSet<[String; 5]> {
    let columns = ["task_key", "trial", "status", "score", "passed"];
    rows.iter()
        .map(|row| columns.map(|column| row[column].clone()))
        .collect()
}

async fn begun_and_killed(strace: &std::path::Path) -> Scene {
    let scene = Scene::new([]).await;
    scene.script(&KEYS, "exit 0", json!({"concurrency": 2}));
    let inject = "signal=KILL:when=1";
    let command = under_strace(&scene, strace, "fdatasync", inject, &["run", "spec.yaml"]);
    let ended = scene.start(command).end().await;
    assert_eq!(
        ended.code, None,
        "killed at its first sync\n{}",
        ended.stderr
    );
    scene
}

/// Kills a sitting at its n-th point and resumes it. False if it ended before that point.
async fn killed_at(strace: &std::path::Path, point: Point, number: u32) -> bool {
    let name = format!("killed at {point:?} {number}");
    let scene = begun_and_killed(strace).await;
    let inject = format!("signal=KILL:when={number}");
    let resume = ["resume", "latest"];
    let command = under_strace(&scene, strace, point.syscall(), &inject, &resume);
    let sitting = scene.start(command).end().await;
    let was_killed = sitting.code.is_none();
    let ended = if was_killed {
        scene.call(&resume).await
    } else {
        sitting
    };
    let expected = Expectation::of(KEYS.len(), &[0]);
    scene.judge(&name, &ended, expected).await;
    assert_eq!(essence(&scene.rows()), uninterrupted(), "{name}");
    scene.stop().await;
    was_killed
}

fn uninterrupted() -> BTreeSet<[String; 5]> {
    let row = |key: &str| [key, "1", "scored", "1", "true"].map(str::to_owned);
    KEYS.map(row).into()
}

#[expect(
    clippy::print_stdout,
    reason = "how much was tried is part of the proof"
)]
async fn killed_at_every(point: Point, least: u32) {
    let Some(strace) = strace() else {
        return skip("k6_killed_at_every_point", "no strace that may trace");
    };
    let mut tried = 0;
    let mut next = 1;
    loop {
        assert!(next < MOST_POINTS, "it never ends by itself");
        let numbers = next..next + AT_ONCE;
        let killed = numbers.map(|number| killed_at(&strace, point, number));
        let killed = futures::future::join_all(killed).await;
        tried += u32::try_from(killed.iter().filter(|killed| **killed).count()).unwrap();
        if killed.contains(&false) {
            break;
        }
        next += AT_ONCE;
    }
    println!("killed at {tried} points ({point:?})");
    assert!(tried >= least, "{tried} points prove too little");
}

#[tokio::test(flavor = "multi_thread")]
async fn k6_killed_before_every_write_of_the_journal_a_run_is_resumed_to_the_same_end() {
    killed_at_every(Point::Write, 9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k6_v8_killed_before_every_sync_of_the_journal_a_run_is_resumed_to_the_same_end() {
    killed_at_every(Point::Sync, 9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k6_killed_at_every_write_of_its_recovery_a_run_is_still_recovered() {
    let Some(strace) = strace() else {
        return skip("k6_killed_in_recovery", "no strace that may trace");
    };
    // Two agents at work, so that there is something to take up.
    let scene = Scene::new([]).await;
    let script = "touch \"$MARKS/$FLEET_TASK_KEY\"; [ -e \"$MARKS/go\" ] || sleep 60";
    scene.script(&KEYS, script, json!({"concurrency": 2}));
    let mut running = scene.start_run();
    let marks = KEYS.map(|key| scene.path("marks").join(key));
    let at_work = || marks.iter().all(|mark| mark.exists());
    running.until("both agents at work", at_work).await;
    running.kill().await;
    std::fs::write(scene.path("marks/go"), "").unwrap();
    let resume = ["resume", "latest"];
    let mut last = None;
    for number in 1..MOST_POINTS {
        let inject = format!("signal=KILL:when={number}");
        let command = under_strace(&scene, &strace, "write", &inject, &resume);
        let ended = scene.start(command).end().await;
        if ended.code.is_some() {
            last = Some((number - 1, ended));
            break;
        }
    }
    let (killed, ended) = last.expect("it ends by itself");
    assert!(killed >= 3, "killed {killed} times: that proves too little");
    let expected = Expectation::of(KEYS.len(), &[0]);
    scene.judge("recovery", &ended, expected).await;
    assert_eq!(essence(&scene.rows()), uninterrupted());
    scene.stop().await;
}

/// Runs and resumes until it ends by itself, killed a little later each time.
pub(crate) async fn killed_again_and_again(
    scene: &Scene,
    kills: u32,
    step: Duration,
) -> (u32, Ended) {
    let mut killed = 0;
    loop {
        let began = scene.path("runs/latest/journal.jsonl").is_file();
        let mut command = scene.harness();
        command.args(if began {
            ["resume", "latest"]
        } else {
            ["run", "spec.yaml"]
        });
        let mut running = scene.start(command);
        if killed == kills {
            return (killed, running.end().await);
        }
        // The moment of the kill is the point of this test, not a wait for something.
        tokio::time::sleep(step * (killed + 1)).await;
        if running.is_over() {
            return (killed, running.end().await);
        }
        running.kill().await;
        killed += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn k6_killed_at_any_moment_a_run_is_resumed_to_the_same_end() {
    let scene = Scene::new([]).await;
    scene.script(&["a", "b", "c"], "sleep 0.1", json!({"trials": 3}));
    let (killed, ended) = killed_again_and_again(&scene, 12, Duration::from_millis(120)).await;
    scene.judge("k6", &ended, Expectation::of(9, &[0])).await;
    assert!(killed >= 3, "killed {killed} times: that proves too little");
    for row in scene.rows() {
        assert_eq!(
            (row["status"].as_str(), row["score"].as_str()),
            ("scored", "1"),
            "{row:?}"
        );
    }
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k6_killed_at_any_moment_while_the_service_fails_by_a_seed_nothing_is_left() {
    const SEED: u64 = 20_261_126;
    let script = Script::seeded(Odds {
        seed: SEED,
        faults: 0.1,
    });
    let scene = Scene::with(|setup| setup.script = script).await;
    let changes = json!({"trials": 3, "concurrency": 3, "retry": {"attempts": 5}});
    scene.script(&["a", "b"], "sleep 0.1", changes);
    let (_, mut ended) = killed_again_and_again(&scene, 5, Duration::from_millis(500)).await;
    // What the seed took a score from, or did not let us list, is taken up again once more, without faults.
    if ended.code != Some(0) {
        scene.fleet.play(Script::none());
        ended = scene.call(&["resume", "latest"]).await;
    }
    let name = format!("SEED={SEED}");
    scene.judge(&name, &ended, Expectation::of(6, &[0])).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn k6_what_a_killed_harness_left_is_found_although_its_create_was_never_answered() {
    // The harness dies while its create is answered slowly; the instance runs, and its name was never heard.
    let slow = Rule::nth(1, Call::Create, Fault::Slow(Duration::from_secs(30)));
    let scene = Scene::new([slow]).await;
    scene.spec(&["t"], json!({}));
    let running = scene.start_run();
    scene.fleet.until(1, Call::Create).await;
    let run = scene.folder().id().to_owned();
    while scene.fleet.ledger().await.live_of(&run).is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.kill().await;
    let ended = scene.call(&["resume", "latest"]).await;
    let ledger = scene.judge("k6", &ended, Expectation::of(1, &[0])).await;
    assert!(ledger.injected() > 0);
    scene.stop().await;
}
