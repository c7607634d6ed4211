//! What is on disk stays true: reports under a crash, sittings of one run, a spec that was changed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Bench, Row, assert_row, skip};

/// Files that `harness report` writes.
const REPORTS: [&str; 5] = [
    "results.csv",
    "results.json",
    "junit.xml",
    "report.html",
    "summary.md",
];

/// The calls by which a file is written and put in its place.
const CALLS: [&str; 4] = ["openat", "write", "fsync", "rename,renameat,renameat2"];

/// Runs `harness report latest` and kills it in its `nth` call of a kind. True if it lived long enough for that.
fn killed_in(bench: &Bench, call: &str, nth: u32) -> bool {
    let harness = bench.harness();
    let environment = harness.get_envs();
    let status = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null"])
        .args(["-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:signal=SIGKILL:when={nth}")])
        .arg(harness.get_program())
        .args(["report", "latest"])
        .env_clear()
        .envs(environment.filter_map(|(name, value)| Some((name, value?))))
        .current_dir(harness.get_current_dir().unwrap())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    match (status.code(), status.signal()) {
        (Some(0), _) => false,
        // strace dies by the signal of its child.
        (_, Some(signal)) if signal == Signal::SIGKILL as i32 => true,
        _ => panic!("{call} {nth}: {status}"),
    }
}

#[test]
fn c5_a_crash_leaves_the_old_report_or_the_new_one() {
    const TEST: &str = "c5_a_crash_leaves_the_old_report_or_the_new_one";
    let traced = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "true"])
        .output();
    if !traced.is_ok_and(|traced| traced.status.success()) {
        return skip(TEST, "no strace that may trace here");
    }
    let bench = Bench::new();
    bench.tasks(&["a"]);
    let spec = bench.spec(json!({}));
    bench.call(["run".as_ref(), spec.as_os_str()]).expect(0);
    bench.call(["report", "latest"]).expect(0);
    let run = bench.run();
    let good: Vec<Vec<u8>> = REPORTS.iter().map(|name| run.bytes(name)).collect();
    let mut kills = 0;
    let (mut old, mut new) = (0, 0);
    for call in CALLS {
        let mut nth = 1;
        loop {
            for name in REPORTS {
                fs::write(run.root.join(name), "old").unwrap();
            }
            let killed = killed_in(&bench, call, nth);
            for (name, good) in REPORTS.iter().zip(&good) {
                match run.bytes(name) {
                    bytes if bytes == b"old" => old += 1,
                    bytes if bytes == *good => new += 1,
                    bytes => panic!("{name} has {} bytes after {call} {nth}", bytes.len()),
                }
            }
            if !killed {
                assert_eq!(REPORTS.map(|name| run.bytes(name)).as_slice(), good);
                break;
            }
            kills += 1;
            nth += 1;
        }
        assert!(nth > 5, "{call}: killed {} times", nth - 1);
    }
    assert!(old > 0 && new > 0, "every kill came too early or too late");
    eprintln!("killed in {kills} calls: {old} times the old file, {new} times the new one");
}

fn by_trial(rows: &[Row]) -> BTreeSet<(&str, &str, &str)> {
    let name = |row: &'static str| row;
    let (task, variant, trial) = (name("task_key"), name("variant"), name("trial"));
    rows.iter()
        .map(|row| (&*row[task], &*row[variant], &*row[trial]))
        .collect()
}

#[test]
fn c9_sittings_of_one_run_count_every_trial_once() {
    let bench = Bench::new();
    let go = bench.path("go");
    bench.tasks(&["a", "b", "c"]);
    let spec = bench.script_spec(
        "case $FLEET_TASK_KEY in [ab]) exit 0;; esac\nuntil [ -e \"$1\" ]; do sleep 0.05; done",
        json!({"agent": {"command": ["sh", bench.path("agent.sh"), go]}, "trials": 2, "concurrency": 3}),
    );
    let mut command = bench.harness();
    command.arg("run").arg(spec);
    let mut running = bench.start(command);
    let csv = bench.path("runs/latest/results.csv");
    running.until("four rows", || {
        fs::read_to_string(&csv).is_ok_and(|text| text.lines().count() == 5)
    });
    running.signal(Signal::SIGINT);
    running.end().expect(130);
    let scored = |rows: Vec<Row>| -> Vec<Row> {
        let mut rows = rows;
        rows.retain(|row| row["status"] == "scored");
        rows
    };
    let first = scored(bench.run().rows());
    assert_eq!(first.len(), 4);

    fs::write(&go, "").unwrap();
    bench.call(["resume", "latest"]).expect(0);
    let second = bench.run().rows();
    assert_eq!((second.len(), by_trial(&second).len()), (6, 6));
    for row in &second {
        let wanted = [("status", "scored"), ("score", "1"), ("agent", "completed")];
        assert_row(row, &wanted);
    }
    for row in &first {
        assert!(second.contains(row), "a score changed: {row:#?}");
    }
    // A third sitting has nothing to add.
    let journal = bench.run().bytes("journal.jsonl");
    bench.call(["resume", "latest"]).expect(0);
    assert_eq!(bench.run().bytes("journal.jsonl"), journal);
    assert_eq!(bench.run().rows(), second);
}

#[test]
fn p14_a_spec_that_was_changed_is_refused_with_what_differs() {
    let bench = Bench::new();
    bench.tasks(&["a"]);
    let agent = json!({"command": ["sh", bench.path("agent.sh")]});
    let changes = json!({"agent": agent, "retry": {"attempts": 1}});
    let spec = bench.script_spec("exit 75", changes);
    bench.call(["run".as_ref(), spec.as_os_str()]).expect(3);
    let stored = bench.run().root.join("spec.yaml");
    let before = fs::read_to_string(&stored).unwrap();
    let journal = bench.run().bytes("journal.jsonl");
    let changed = before.replace("timeout: 30s", "timeout: 31s");
    assert_ne!(changed, before);
    fs::write(&stored, &changed).unwrap();
    let resumed = bench.call(["resume", "latest"]);
    resumed.expect(2).says(&[
        "is not the spec that the run was begun with",
        "-  timeout: 30s",
        "+  timeout: 31s",
    ]);
    assert!(!resumed.stderr.contains("trials:"), "{}", resumed.stderr);
    assert_eq!(bench.run().bytes("journal.jsonl"), journal);
    // Layout and comments make no other run.
    fs::write(&stored, format!("# a note\n{before}")).unwrap();
    bench.call(["resume", "latest"]).expect(3);
    assert_ne!(bench.run().bytes("journal.jsonl"), journal);
}
