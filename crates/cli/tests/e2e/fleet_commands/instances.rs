//! Instances from the shell: made with everything that can be said of them, kept alive, and given back.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{Bench, Local, PATIENCE, Running, example};

#[test]
fn an_instance_is_made_with_what_is_said_looked_at_and_closed() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let made = local.fleet(
        &bench,
        &[
            "instances",
            "make",
            "helpdesk:v1.0.0",
            "--data",
            "default",
            "--ttl",
            "10m",
            "--heartbeat",
            "1m",
            "--run",
            "r-1",
            "--region",
            "us-west-1",
            "--var",
            "A=1",
            "--var",
            "B:=[2]",
        ],
    );
    let made = made.expect(0).json();
    for (field, value) in [
        ("status", json!("running")),
        ("run_id", json!("r-1")),
        ("data_key", json!("default")),
        ("heartbeat_interval", json!(60)),
        ("env_variables", json!({"A": "1", "B": [2]})),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    let id = made["instance_id"].as_str().unwrap();
    let got = local
        .fleet(&bench, &["instances", "get", id])
        .expect(0)
        .json();
    assert_eq!(got["urls"], made["urls"]);
    let told = local.told(&bench, &["instances", "get", id]);
    let root = made["urls"]["root"].as_str().unwrap();
    assert!(
        told.expect(0)
            .stdout
            .contains(&format!("mcp          {root}mcp")),
        "{}",
        told.stdout
    );
    let beat = local
        .fleet(&bench, &["instances", "heartbeat", id])
        .expect(0)
        .json();
    assert_eq!(
        (&beat["success"], &beat["interval_seconds"]),
        (&json!(true), &json!(60))
    );
    for (args, number) in [
        (&["--run", "r-1"][..], 1),
        (&["--run-id", "other"], 0),
        (&["--env", "helpdesk"], 1),
        (&["--env", "other"], 0),
        (&["--profile", "self"], 1),
        (&["--status", "running"], 1),
    ] {
        let listed = local
            .fleet(&bench, &[&["instances", "list"], args].concat())
            .json();
        assert_eq!(listed.as_array().unwrap().len(), number, "{args:?}");
    }
    let closed = local
        .fleet(&bench, &["instances", "close", id])
        .expect(0)
        .json();
    assert_eq!(closed[0]["instance_id"], id);
    let again = local.told(&bench, &["instances", "close", id, "no-such"]);
    again.expect(0);
    local
        .fleet(&bench, &["instances", "heartbeat", id])
        .expect(2);
    local.stop().expect(0);
    bench.assert_nothing_alive(Duration::ZERO);
}

#[test]
fn the_same_request_id_finds_the_same_instance() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let id = "6f0ecf0b-5a0f-4a3e-9c55-0e7ad7a5f1c2";
    let first = local.instance(&bench, &["--request-id", id]);
    let second = local.instance(&bench, &["--request-id", id]);
    assert_eq!(first, second);
    local
        .fleet(&bench, &["instances", "close", &first])
        .expect(0);
    let ended = local.told(
        &bench,
        &["instances", "make", "helpdesk", "--request-id", id],
    );
    // Nothing lives that should not.
    ended.expect(2).says(&["has ended", "another --request-id"]);
    local.stop().expect(0);
}

#[test]
fn the_life_of_an_instance_is_changed_and_its_create_found_and_cancelled() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let request = "0b9f2d54-7f0e-4a7e-8a34-5f2c1d3e4f60";
    let make = [
        "instances",
        "make",
        "helpdesk",
        "--ttl",
        "1h",
        "--request-id",
        request,
    ];
    let made = local.fleet(&bench, &make).expect(0).json();
    let id = made["instance_id"].as_str().unwrap();
    let end = |args: &[&str]| {
        let args = [&["instances", "ttl", id], args].concat();
        let changed = local.fleet(&bench, &args).expect(0).json();
        let end: jiff::Timestamp = changed["expires_at"].as_str().unwrap().parse().unwrap();
        (end.duration_since(jiff::Timestamp::now()).as_secs() + 30) / 60
    };
    assert_eq!(end(&["3h"]), 180);
    assert_eq!(end(&["4h", "--at-least"]), 240);
    assert_eq!(end(&["30m"]), 30);
    let end_of_shorter = end(&["10m", "--at-least"]);
    assert_eq!(end_of_shorter, 30, "it lives longer already");
    let told = local.told(&bench, &["instances", "get", id]);
    assert!(
        told.expect(0).stdout.contains("ends         2"),
        "{}",
        told.stdout
    );

    let found = local
        .fleet(&bench, &["instances", "request", request])
        .expect(0)
        .json();
    assert_eq!(
        (&found["state"], &found["instance_id"]),
        (&json!("materialized"), &json!(id))
    );
    local
        .fleet(&bench, &["instances", "request", request, "--cancel"])
        .expect(0);
    let got = local
        .fleet(&bench, &["instances", "get", id])
        .expect(0)
        .json();
    assert_eq!(got["status"], "stopped");
    let unknown = "0b9f2d54-7f0e-4a7e-8a34-5f2c1d3e4f61";
    local
        .fleet(&bench, &["instances", "request", unknown])
        .expect(2);
    local
        .fleet(&bench, &["instances", "request", "no-uuid"])
        .expect(2);
    local.stop().expect(0);
}

#[test]
fn an_instance_of_a_task_has_the_tasks_data_and_variables() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let made = local.fleet(
        &bench,
        &[
            "instances",
            "make",
            "--task",
            "helpdesk-count-urgent",
            "--var",
            "X=y",
        ],
    );
    let made = made.expect(0).json();
    assert_eq!(made["data_key"], "default");
    assert_eq!(made["env_variables"]["X"], "y");
    assert!(made["env_variables"]["CURRENT_DATE"].is_string(), "{made}");
    local.stop().expect(0);
}

/// `harness fleet instances …`, until it says that it keeps the instance alive.
fn kept_alive(bench: &Bench, local: &Local, args: &[&str]) -> Running {
    let mut running = begun(bench, local, args);
    until_said(&mut running, "keeping ");
    running
}

fn begun(bench: &Bench, local: &Local, args: &[&str]) -> Running {
    let mut command = bench.harness();
    command.args(["fleet", "instances"]).args(args);
    command.args(["--endpoint", &local.url]);
    bench.start(command)
}

fn until_said(running: &mut Running, what: &str) {
    let begun = Instant::now();
    while !running.stderr().contains(what) {
        let said = running.stderr();
        assert!(begun.elapsed() < PATIENCE && !running.is_over(), "{said}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn living(bench: &Bench, local: &Local) -> Vec<String> {
    let listed = local.fleet(bench, &["instances"]).json();
    let id = |one: &Value| one["instance_id"].as_str().unwrap().to_owned();
    listed.as_array().unwrap().iter().map(id).collect()
}

#[test]
fn k6_an_instance_that_is_kept_alive_is_closed_at_ctrl_c_or_left_if_that_was_said() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    for (args, left) in [
        (&["make", "helpdesk", "--keep-alive"][..], 0),
        (&["make", "helpdesk", "--keep-alive", "--leave"], 1),
    ] {
        let running = kept_alive(&bench, &local, args);
        let told = running.stdout();
        assert!(told.contains("heartbeat    every 60 s"), "{told}");
        running.signal(Signal::SIGINT);
        running.end().expect(0);
        assert_eq!(living(&bench, &local).len(), left, "{args:?}");
    }
    let id = living(&bench, &local).remove(0);
    let running = kept_alive(&bench, &local, &["heartbeat", &id, "--keep-alive"]);
    running.signal(Signal::SIGINT);
    let ended = running.end();
    ended
        .expect(0)
        .says(&["lives on", "harness fleet instances close"]);
    assert_eq!(living(&bench, &local), [id]);
    local.stop().expect(0);
    bench.assert_nothing_alive(Duration::ZERO);
}

#[test]
fn an_instance_that_ends_while_it_is_kept_alive_ends_the_command() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let make = ["make", "helpdesk", "--heartbeat", "30s", "--keep-alive"];
    let running = kept_alive(&bench, &local, &make);
    let id = living(&bench, &local).remove(0);
    local.fleet(&bench, &["instances", "close", &id]).expect(0);
    running.end().expect(5).says(&[&id, "stopped"]);
    local.stop().expect(0);
}

#[test]
fn k6_an_instance_whose_answer_comes_after_ctrl_c_is_closed_again() {
    let bench = Bench::new();
    let gate = bench.path("gate");
    let wait = format!("while [ ! -e '{}' ]; do sleep 0.05; done", gate.display());
    let package = json!({
        "key": "slow",
        "name": "Slow",
        "versions": {"v1": "2026-11-01"},
        "data": {"default": {"current": "seed.sql"}},
        "setup": [["sh", "-c", wait]],
        "apps": {"web": {
            "command": ["{harness}", "demo", "helpdesk", "--db", "{db:current}", "--port", "{port}"],
            "health": "/health",
        }},
    });
    let seed = example("environments/helpdesk/seeds/default.sql");
    bench.write("slow/seed.sql", std::fs::read(seed).unwrap());
    bench.write("slow/environment.yaml", package.to_string());
    let folder = bench.path("slow");
    let local = Local::start(&bench, &["--environments", folder.to_str().unwrap()]);
    let mut running = begun(&bench, &local, &["make", "slow"]);
    running.until("an instance on its way", || {
        !living(&bench, &local).is_empty()
    });
    running.signal(Signal::SIGINT);
    until_said(&mut running, "waiting for the answer");
    std::fs::write(&gate, "").unwrap();
    running.end().expect(130).says(&["is closed again"]);
    assert!(living(&bench, &local).is_empty());
    local.stop().expect(0);
    bench.assert_nothing_alive(Duration::ZERO);
}

#[test]
fn all_of_a_run_are_closed_only_if_somebody_says_yes() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let mut mine: Vec<String> = (0..2)
        .map(|_| local.instance(&bench, &["--run", "mine"]))
        .collect();
    let other = local.instance(&bench, &["--run", "other"]);
    let all = ["instances", "close-all", "--run", "mine"];
    let planned = local.fleet(&bench, &[&all[..], &["--dry-run"]].concat());
    assert_eq!(planned.expect(0).json().as_array().unwrap().len(), 2);
    local
        .told(&bench, &[&all[..], &["--dry-run"]].concat())
        .expect(0)
        .says(&["dry run: 2 would be closed"]);
    // Nobody can be asked.
    local
        .told(&bench, &all)
        .expect(2)
        .says(&["close 2 instances?", "--yes"]);
    assert_eq!(living(&bench, &local).len(), 3);
    let closed = local
        .fleet(&bench, &[&all[..], &["--yes"]].concat())
        .expect(0)
        .json();
    let mut ids: Vec<String> = closed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["instance_id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    mine.sort();
    assert_eq!(ids, mine);
    assert_eq!(living(&bench, &local), [other]);
    let none = local.fleet(&bench, &[&all[..], &["--yes"]].concat());
    assert_eq!(none.expect(0).json(), json!([]));
    local
        .fleet(
            &bench,
            &["instances", "close-all", "--profile", "self", "-y"],
        )
        .expect(0);
    assert!(living(&bench, &local).is_empty());
    local.stop().expect(0);
    bench.assert_nothing_alive(Duration::ZERO);
}
