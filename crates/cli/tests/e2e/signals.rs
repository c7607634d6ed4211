//! How a run ends when it is told to, and what is left when it is killed.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{Bench, PATIENCE, Running, assert_row, eventually};

/// Marks that it works, then works for longer than any test waits. `sleep` in small pieces, so that a shell that
/// ignores TERM lives on.
const BUSY: &str =
    "touch \"$1/$FLEET_TASK_KEY\"; i=0; while [ $i -lt 1200 ]; do sleep 0.1; i=$((i+1)); done";
const STUBBORN: &str = "trap '' TERM INT HUP\n";

/// From SIGKILL of the harness to the death of all it started.
const DEAD: Duration = Duration::from_secs(10);

/// A run whose agents are at work.
fn busy(bench: &Bench, script: &str, changes: Value) -> Running {
    let keys = ["a", "b", "c"];
    bench.tasks(&keys);
    let marks = bench.path("marks");
    fs::create_dir(&marks).unwrap();
    let mut all =
        json!({"agent": {"command": ["sh", "{spec_dir}/agent.sh", marks], "timeout": "5m"}});
    crate::support::merge(&mut all, json!({"concurrency": 2}));
    crate::support::merge(&mut all, changes);
    let spec = bench.script_spec(script, all);
    let mut command = bench.harness();
    command.arg("run").arg(spec);
    let mut running = bench.start(command);
    running.until("two agents at work", || {
        fs::read_dir(&marks).unwrap().count() >= 2
    });
    running
}

fn assert_all_cancelled(bench: &Bench) {
    let run = bench.run();
    let rows = run.rows();
    assert_eq!(rows.len(), 3);
    for row in &rows {
        assert_row(
            row,
            &[("status", "cancelled"), ("score", ""), ("passed", "")],
        );
        assert_ne!(row["teardown"], "unconfirmed");
    }
    let end = &run.results()["run"]["end"];
    assert_eq!(end["proven_empty"], true, "{end}");
    bench.assert_nothing_alive(Duration::ZERO);
}

#[test]
fn ctrl_c_in_a_terminal_is_not_written_into_the_live_area() {
    let bench = Bench::new();
    bench.tasks(&["a"]);
    let mark = bench.path("at-work");
    let script = format!("touch '{}'; sleep 60", mark.display());
    let spec = bench.script_spec(&script, json!({"agent": {"timeout": "5m"}}));
    let mut running = bench.start(in_a_terminal(&bench, &["run", spec.to_str().unwrap()]));
    running.until("the agent at work", || mark.exists());
    let has_area = || running.stdout().contains("0/1");
    assert!(eventually(PATIENCE, has_area), "{}", running.stdout());
    running.type_in(b"\x03");
    let ended = running.end();
    ended.expect(130);
    // Whoever removes the area counts its lines from where it left the cursor.
    let screen = &ended.stdout;
    assert!(!screen.contains("^C"), "{screen}");
    bench.assert_nothing_alive(Duration::ZERO);
}

/// The binary in a terminal of its own, where what comes to its input is typed.
fn in_a_terminal(bench: &Bench, args: &[&str]) -> Command {
    let harness = bench.harness();
    let words = [harness.get_program().to_str().unwrap(), &args.join("' '")].join("' '");
    let mut terminal = bench.program("script");
    terminal
        .args(["-qefc", &format!("exec '{words}'"), "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::piped());
    terminal
}

#[test]
fn k1_ctrl_c_stops_agents_closes_instances_and_exits_130() {
    let bench = Bench::new();
    let running = busy(&bench, BUSY, json!({}));
    running.signal(Signal::SIGINT);
    let ran = running.end_within(Duration::from_secs(20));
    ran.expect(130).says(&["stopping"]);
    assert_all_cancelled(&bench);
    let listed = bench.call(["list", "--json"]);
    assert_eq!(listed.json()[0]["exit_code"], 130);
}

#[test]
fn k4_sigterm_exits_143() {
    let bench = Bench::new();
    let running = busy(&bench, BUSY, json!({}));
    running.signal(Signal::SIGTERM);
    running.end_within(Duration::from_secs(20)).expect(143);
    assert_all_cancelled(&bench);
}

#[test]
fn k2_the_second_ctrl_c_does_not_wait_for_the_grace_period() {
    let bench = Bench::new();
    let script = format!("{STUBBORN}{BUSY}");
    let running = busy(&bench, &script, json!({"agent": {"grace_period": "5m"}}));
    running.signal(Signal::SIGINT);
    let says = |word: &str| running.stderr().contains(word);
    assert!(
        eventually(DEAD, || says("stopping")),
        "{}",
        running.stderr()
    );
    // Two signals within a moment are one, so a second that came too soon is given again, as a person would.
    let mut answered = false;
    for _ in 0..10 {
        running.signal(Signal::SIGINT);
        answered = eventually(Duration::from_secs(2), || says("killing agents"));
        if answered {
            break;
        }
    }
    assert!(answered, "{}", running.stderr());
    running
        .end_within(Duration::from_secs(20))
        .expect(130)
        .says(&["killing agents"]);
    assert_all_cancelled(&bench);
}

#[test]
fn k1_a_run_is_stopped_cleanly_while_environments_start() {
    let bench = Bench::new();
    bench.tasks(&["a", "b", "c"]);
    // An app that is never ready, so that every trial stays where it is.
    let manifest = json!({
        "key": "helpdesk",
        "name": "Never ready",
        "versions": {"v1.0.0": "2026-11-01"},
        "data": {"default": {"current": "empty.sql"}},
        "apps": {"web": {"command": ["sh", "-c", "touch \"$0\"; sleep 300", bench.path("starts")]}},
        "start_timeout": "5m",
    });
    bench.write(
        "environments/slow/empty.sql",
        "CREATE TABLE t (id INTEGER);",
    );
    bench.write("environments/slow/environment.yaml", manifest.to_string());
    let spec = bench.spec(json!({
        "fleet": {"local": {"environments": ["environments"]}},
        "environment": {"ready_timeout": "5m"},
    }));
    let mut command = bench.harness();
    command.arg("run").arg(spec);
    let mut running = bench.start(command);
    running.until("an app that starts", || bench.path("starts").exists());
    running.signal(Signal::SIGINT);
    running.end_within(Duration::from_secs(30)).expect(130);
    assert_all_cancelled(&bench);
}

#[test]
fn k5_a_terminal_that_hangs_up_stops_the_run_and_nohup_does_not() {
    let bench = Bench::new();
    let running = busy(&bench, BUSY, json!({}));
    running.signal(Signal::SIGHUP);
    let ran = running.end_within(Duration::from_secs(20));
    assert!([129, 143].contains(&ran.code()), "{}", ran.code());
    assert_all_cancelled(&bench);

    let bench = Bench::new();
    bench.tasks(&["t"]);
    let (at_work, go) = (bench.path("at-work"), bench.path("go"));
    let spec = bench.script_spec(
        "touch \"$1\"; i=0; while [ ! -e \"$2\" ] && [ $i -lt 600 ]; do sleep 0.05; i=$((i+1)); done",
        json!({"agent": {"command": ["sh", "{spec_dir}/agent.sh", at_work, go]}}),
    );
    let like = bench.harness();
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
        .arg(like.get_program())
        .arg("run")
        .arg(spec)
        .env_clear()
        .envs(
            like.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(like.get_current_dir().unwrap());
    let mut running = bench.start(command);
    running.until("the agent at work", || at_work.exists());
    running.signal(Signal::SIGHUP);
    fs::write(&go, "").unwrap();
    running.end().expect(0);
}

#[test]
fn k6_k7_a_killed_harness_takes_its_agents_and_instances_along() {
    let bench = Bench::new();
    let script = format!("setsid sh -c 'sleep 300' &\n{STUBBORN}{BUSY}");
    let running = busy(&bench, &script, json!({}));
    assert!(bench.alive().len() >= 5, "{:?}", bench.alive());
    running.signal(Signal::SIGKILL);
    // Waits for the harness itself and nothing else.
    drop(running);
    bench.assert_nothing_alive(DEAD);
    let shown = bench.call(["show", "latest"]);
    shown.expect(0);
    assert!(
        shown.stdout.contains('a') && shown.stdout.contains('c'),
        "{}",
        shown.stdout
    );
    let listed = bench.call(["list", "--json"]).json();
    assert_eq!(
        (&listed[0]["finished"], &listed[0]["trials"]),
        (&json!(false), &json!(3))
    );
    bench.call(["report", "latest"]).expect(0);
    assert_eq!(bench.run().rows().len(), 3);
}

#[test]
fn the_run_deadline_ends_a_run_cleanly() {
    let bench = Bench::new();
    let running = busy(&bench, BUSY, json!({"limits": {"run_deadline": "3s"}}));
    let ran = running.end_within(Duration::from_secs(25));
    // Nothing has a score, so it is not well; nothing is left, so it is no leak.
    assert!(
        ran.code() == 3 || ran.code() == 5,
        "{}\n{}",
        ran.code(),
        ran.stderr
    );
    ran.says(&["run_deadline"]);
    assert_all_cancelled(&bench);
}

#[test]
fn k8_a_journal_that_cannot_grow_stops_the_run_and_leaks_nothing() {
    let bench = Bench::new();
    let disk: PathBuf = bench.path("disk");
    fs::create_dir(&disk).unwrap();
    bench.tasks(&["a", "b", "c", "d"]);
    // The agent of the first trial fills the disk that holds the run.
    let script = format!(
        "head -c 100000000 /dev/zero > {}/fill 2>/dev/null; sync; exit 0",
        disk.display()
    );
    let spec = bench.script_spec(
        &script,
        json!({"report": {"dir": disk.join("runs")}, "concurrency": 1}),
    );
    let mount = format!("mount -t tmpfs -o size=24m none {}", disk.display());
    let test = "k8_a_journal_that_cannot_grow_stops_the_run_and_leaks_nothing";
    let Some(mut command) = bench.harness_with_mounts(test, &mount) else {
        return;
    };
    command.arg("run").arg(&spec);
    let ran = bench.start(command).end();
    ran.expect(5).says(&["the disk is full", "could not go on"]);
    bench.assert_nothing_alive(Duration::from_secs(2));
}
