//! Many trials of an agent that does nothing: what the harness itself costs.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::support::{Bench, Finished, assert_row, eventually};

const TRIALS: usize = 200;
const AT_ONCE: usize = 50;

/// The promise: peak memory of the harness with its embedded server, in KiB.
const MEMORY: u64 = 100_000;

/// Peak resident memory of a process so far, in KiB.
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// Runs a command to its end and looks at its peak memory meanwhile, in KiB.
fn watched(bench: &Bench, command: Command) -> (Finished, u64) {
    let mut running = bench.start(command);
    let pid = running.pid();
    let mut most = 0;
    assert!(eventually(Duration::from_secs(180), || {
        // The last look may find a zombie, which has no such line.
        most = most.max(peak(pid).unwrap_or_default());
        running.is_over()
    }));
    (running.end(), most)
}

#[test]
fn p7_tens_of_thousands_of_tasks_are_loaded_in_bounded_memory() {
    const TASKS: usize = 20_000;
    /// The program itself, and for each task a small multiple of its six hundred bytes in the file.
    const MOST: u64 = 60_000 + TASKS as u64 * 4;
    let bench = Bench::new();
    let keys: Vec<String> = (0..TASKS).map(|n| format!("task-{n:05}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    bench.tasks(&keys);
    let spec = bench.spec(json!({}));
    let mut command = bench.harness();
    command.arg("run").arg(&spec).arg("--dry-run");
    let (ran, most) = watched(&bench, command);
    ran.expect(0);
    assert_eq!(ran.stdout.lines().count(), TASKS);
    eprintln!(
        "{TASKS} tasks: {:.1} s, peak {most} KiB",
        ran.took.as_secs_f64()
    );
    assert!(most > 0 && most < MOST, "peak memory {most} KiB");
}

#[test]
fn k21_a19_two_hundred_trials_at_fifty_environments() {
    let bench = Bench::new();
    let keys: Vec<String> = (0..TRIALS).map(|n| format!("task-{n:03}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    bench.tasks(&keys);
    let spec = bench.spec(json!({
        "concurrency": AT_ONCE,
        "fleet": {"rate_limit": {"requests_per_second": 5000, "creates_per_second": 500}},
        "retry": {"attempts": 1},
        "report": {"formats": ["csv", "json"]},
    }));
    let mut command = bench.harness();
    command.arg("run").arg(Path::new(&spec));
    let (ran, most) = watched(&bench, command);
    ran.expect(0);
    eprintln!(
        "{TRIALS} trials, {AT_ONCE} at once: {:.1} s, peak {} KiB",
        ran.took.as_secs_f64(),
        most
    );
    let run = bench.run();
    let rows = run.rows();
    assert_eq!(rows.len(), TRIALS);
    let distinct: BTreeSet<&str> = rows.iter().map(|row| row["task_key"].as_str()).collect();
    assert_eq!(distinct.len(), TRIALS);
    for row in &rows {
        assert_row(
            row,
            &[
                ("status", "scored"),
                ("score", "1"),
                ("teardown", "released"),
                ("attempts", "1"),
            ],
        );
    }
    let instances: BTreeSet<&str> = rows.iter().map(|row| row["instance_id"].as_str()).collect();
    assert_eq!(instances.len(), TRIALS, "an instance was used twice");
    assert_eq!(run.results()["run"]["end"]["proven_empty"], true);
    bench.assert_nothing_alive(Duration::ZERO);
    let left: Vec<_> = std::fs::read_dir(bench.path("tmp"))
        .unwrap()
        .flatten()
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(most > 0 && most < MEMORY, "peak memory {most} KiB");
}
