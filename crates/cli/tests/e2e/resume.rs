//! Runs that were cut off, and how they go on: what is verified instead of run again, what is salvaged, what the same
//! command continues.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{Bench, Local, RunFolder, assert_row, task_with};

/// An agent that leaves a line each time it runs.
const COUNTED: &str = "echo ran >> \"$1\"\n";

/// A run against a server of its own, so that instances outlive the harness.
struct Remote {
    bench: Bench,
    server: Local,
}

impl Remote {
    fn new() -> Self {
        let bench = Bench::new();
        let server = Local::start(&bench, &[]);
        Self { bench, server }
    }

    /// The spec of a run whose agent is counted and whose verifiers take a while.
    fn spec(&self, tasks: &[Value], script: &str, changes: Value) {
        self.bench.tasks_file(tasks);
        let mut all = json!({
            "fleet": {"endpoint": self.server.url, "local": null},
            "agent": {"command": ["sh", "{spec_dir}/agent.sh", self.bench.path("count")]},
        });
        crate::support::merge(&mut all, changes);
        self.bench.script_spec(script, all);
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.bench.harness();
        command.args(args).env("FLEET_API_KEY", "any");
        command
    }

    /// A run, killed once this is so.
    fn kill_once(&self, what: &str, so: impl Fn() -> bool) {
        let mut running = self.bench.start(self.command(&["run", "spec.yaml"]));
        running.until(what, so);
        running.signal(Signal::SIGKILL);
        running.end_within(Duration::from_secs(10));
    }

    /// A run, killed in its first verification.
    fn kill_while_verifying(&self) {
        let journal = self.bench.path("runs/latest/journal.jsonl");
        self.kill_once("a verification under way", || {
            fs::read_to_string(&journal).is_ok_and(|text| text.contains("verify_intended"))
        });
    }

    /// A run, killed while its agent works, which is this many times that one ran.
    fn kill_while_working(&self, times: usize) {
        self.kill_once("an agent at work", || self.times_run() == times);
    }

    fn times_run(&self) -> usize {
        let count = fs::read_to_string(self.bench.path("count"));
        count.unwrap_or_default().lines().count()
    }

    fn live(&self) -> usize {
        let listed = self.server.fleet(&self.bench, &["instances"]);
        let listed = listed.json();
        let all = listed.as_array().unwrap().iter();
        all.filter(|instance| instance["status"] == "running")
            .count()
    }
}

/// Scored by a program that takes its time: long enough to be killed in.
fn slow_task(key: &str) -> Value {
    task_with(
        key,
        json!({"verifier": {"kind": "command", "command": ["sh", "-c", "sleep 1; echo 1"], "expect": null, "ignore": null}}),
    )
}

fn events(run: &RunFolder) -> Vec<String> {
    let journal = run.journal();
    let names = journal
        .iter()
        .map(|entry| entry["event"].as_str().unwrap().to_owned());
    names.collect()
}

#[test]
fn k6_the_work_of_an_agent_that_had_finished_is_verified_and_not_done_again() {
    let remote = Remote::new();
    remote.spec(&[slow_task("a")], COUNTED, json!({}));
    remote.kill_while_verifying();
    assert_eq!(remote.live(), 1, "nobody has closed it");

    let resumed = remote
        .bench
        .start(remote.command(&["resume", "latest"]))
        .end();
    resumed.expect(0).says(&["had finished"]);
    let run = remote.bench.run();
    let wanted = [
        ("status", "scored"),
        ("score", "1"),
        ("attempts", "1"),
        ("teardown", "released"),
    ];
    assert_row(&run.row(), &wanted);
    assert_eq!(remote.times_run(), 1, "the agent ran once");
    assert_eq!(remote.live(), 0);
    let scored = events(&run)
        .into_iter()
        .filter(|event| event == "scored")
        .count();
    assert_eq!(scored, 1);
    remote.server.stop().expect(0);
}

#[test]
fn k6_finished_work_whose_instance_is_gone_is_done_again() {
    let remote = Remote::new();
    remote.spec(&[slow_task("a")], COUNTED, json!({}));
    remote.kill_while_verifying();
    let id = remote.bench.run().id();
    remote
        .server
        .fleet(&remote.bench, &["close", "--run-id", &id, "--yes"])
        .expect(0);

    remote
        .bench
        .start(remote.command(&["resume", "latest"]))
        .end()
        .expect(0);
    let row = remote.bench.run().row();
    assert_row(
        &row,
        &[("status", "scored"), ("score", "1"), ("attempts", "2")],
    );
    assert_eq!(remote.times_run(), 2);
    remote.server.stop().expect(0);
}

#[test]
fn k17_a_damaged_journal_is_refused_and_salvaged_on_request() {
    let remote = Remote::new();
    let tasks: Vec<Value> = ["a", "b", "c"].map(crate::support::task).into();
    remote.spec(&tasks, COUNTED, json!({}));
    remote
        .bench
        .start(remote.command(&["run", "spec.yaml"]))
        .end()
        .expect(0);
    let run = remote.bench.run();
    let path = run.root.join("journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let scored = text
        .lines()
        .position(|line| line.contains("\"scored\""))
        .unwrap();
    let damaged: String = (0..)
        .zip(text.lines())
        .map(|(at, line)| {
            if at == scored {
                line.replace("score", "sc0re")
            } else {
                line.to_owned()
            }
        })
        .map(|line| line + "\n")
        .collect();
    fs::write(&path, &damaged).unwrap();

    let refused = remote
        .bench
        .start(remote.command(&["resume", "latest"]))
        .end();
    let line = format!("line {}", scored + 1);
    refused.expect(2).says(&[&line, "damaged", "--salvage"]);
    let salvaged = remote
        .bench
        .start(remote.command(&["resume", "latest", "--salvage"]))
        .end();
    salvaged.expect(0).says(&[
        "salvaged: 1 damaged",
        "may have lost a score",
        "journal.damaged-1.jsonl",
    ]);
    let rows = remote.bench.run().rows();
    assert_eq!(rows.len(), 3);
    for row in &rows {
        assert_row(row, &[("status", "scored"), ("score", "1")]);
    }
    assert_eq!(
        remote.times_run(),
        4,
        "one trial lost its score and ran again"
    );
    assert_eq!(
        fs::read_to_string(run.root.join("journal.damaged-1.jsonl")).unwrap(),
        damaged
    );
    assert_eq!(remote.live(), 0);
    remote.server.stop().expect(0);
}

#[test]
fn k6_the_same_command_continues_an_unfinished_run() {
    let remote = Remote::new();
    let tasks: Vec<Value> = ["a", "b", "c"].map(crate::support::task).into();
    // Works on as long as a file is there.
    let script = format!("{COUNTED}while [ -e \"$1.hold\" ]; do sleep 0.05; done");
    remote.spec(&tasks, &script, json!({"concurrency": 1}));
    let hold = remote.bench.write("count.hold", "");
    let mut running = remote.bench.start(remote.command(&["run", "spec.yaml"]));
    running.until("an agent at work", || remote.times_run() == 1);
    let second = remote
        .bench
        .start(remote.command(&["run", "spec.yaml", "--resume", "auto", "--dry-run"]))
        .end();
    second.expect(0);
    running.signal(Signal::SIGKILL);
    running.end_within(Duration::from_secs(10));
    fs::remove_file(hold).unwrap();
    let first = remote.bench.run().id();

    // Other trials are another run.
    let other = remote.command(&["run", "spec.yaml", "--resume", "auto", "--task", "a"]);
    remote.bench.start(other).end().expect(0);
    assert_eq!(remote.bench.runs().len(), 2);
    let continued = remote
        .bench
        .start(remote.command(&["run", "spec.yaml", "--resume", "auto"]))
        .end();
    continued.expect(0).says(&[&first, "continuing it"]);
    assert_eq!(remote.bench.runs().len(), 2, "no third run");
    let finished = RunFolder {
        root: remote.bench.path("runs").join(&first),
    };
    assert_eq!(finished.rows().len(), 3);
    for row in finished.rows() {
        assert_row(&row, &[("status", "scored"), ("score", "1")]);
    }
    // What is finished is not continued: a nightly job begins a new run.
    remote
        .bench
        .start(remote.command(&["run", "spec.yaml", "--resume", "auto"]))
        .end()
        .expect(0);
    assert_eq!(remote.bench.runs().len(), 3);
    remote.server.stop().expect(0);
}

#[test]
fn without_a_word_a_program_gets_a_new_run_and_is_told_of_the_old() {
    let bench = Bench::new();
    bench.tasks(&["a", "b"]);
    let spec = bench.script_spec(
        "exit 0",
        json!({"limits": {"run_deadline": "1s"}, "agent": {"timeout": "30s"}}),
    );
    let slow = bench.write("agent.sh", "sleep 30");
    let stopped = bench.call([Path::new("run"), &spec]);
    assert!(matches!(stopped.code(), 3 | 5), "{}", stopped.stderr);
    let first = bench.run().id();
    fs::write(slow, "exit 0").unwrap();
    let again = bench.call([Path::new("run"), &spec]);
    again.says(&[
        "not finished",
        &format!("harness resume {first}"),
        "--resume auto",
    ]);
    let never = bench.call(["run", "spec.yaml", "--resume", "never"]);
    assert!(!never.stderr.contains("not finished"), "{}", never.stderr);
    assert_eq!(bench.runs().len(), 3);
}

#[test]
fn a_sweep_leaves_a_run_alone_that_somebody_works_on() {
    let remote = Remote::new();
    let script = format!("{COUNTED}while [ -e \"$1.hold\" ]; do sleep 0.05; done");
    remote.spec(&[crate::support::task("a")], &script, json!({}));
    let hold = remote.bench.write("count.hold", "");
    let mut running = remote.bench.start(remote.command(&["run", "spec.yaml"]));
    running.until("an agent at work", || remote.times_run() == 1);
    let sweep = || {
        let mut command = remote.command(&["sweep"]);
        command.env("FLEET_BASE_URL", &remote.server.url);
        remote.bench.start(command).end()
    };
    sweep()
        .expect(0)
        .says(&["being worked on", "nothing is left behind"]);
    assert_eq!(remote.live(), 1);
    fs::remove_file(&hold).unwrap();
    running.end().expect(0);

    // The same run, killed, is what a sweep is for.
    fs::write(&hold, "").unwrap();
    remote.kill_while_working(2);
    sweep().expect(0).says(&["closed 1 of 1"]);
    assert_eq!(remote.live(), 0);
    remote.server.stop().expect(0);
}

#[test]
fn k17_a_sweep_says_nothing_is_left_only_of_what_it_could_look_at() {
    let remote = Remote::new();
    let script = format!("{COUNTED}while [ -e \"$1.hold\" ]; do sleep 0.05; done");
    remote.spec(&[crate::support::task("a")], &script, json!({}));
    let hold = remote.bench.write("count.hold", "");
    remote.kill_while_working(1);
    fs::remove_file(hold).unwrap();
    let sweep = |url: &str| {
        let mut command = remote.command(&["sweep"]);
        command.env("FLEET_BASE_URL", url);
        remote.bench.start(command).end()
    };
    // Another service knows nothing of the run, which is no reason to call it clean.
    let elsewhere = sweep("http://127.0.0.1:9");
    elsewhere
        .expect(4)
        .says(&["ran at", &remote.server.url, "could not be looked at"]);
    assert!(!elsewhere.stderr.contains("nothing is left"));
    // A journal that cannot be read does not hide what its run left.
    let path = remote.bench.run().root.join("journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("event", "evemt", 1)).unwrap();
    sweep(&remote.server.url).expect(0).says(&["closed 1 of 1"]);
    assert_eq!(remote.live(), 0);
    remote.server.stop().expect(0);
}

#[test]
fn a_sweep_of_runs_of_this_machine_alone_needs_no_service() {
    let bench = Bench::new();
    bench.tasks(&["a"]);
    let spec = bench.script_spec("sleep 30", json!({"limits": {"run_deadline": "1s"}}));
    bench.call([Path::new("run"), &spec]);
    bench
        .call(["sweep"])
        .expect(0)
        .says(&["nothing is left behind"]);
}
