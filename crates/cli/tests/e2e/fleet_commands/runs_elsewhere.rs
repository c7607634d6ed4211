//! Runs of this harness seen at a server that somebody else runs, and servers that cannot be spoken to.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Bench, Local, assert_row, example};

#[test]
fn a_run_against_a_server_elsewhere_is_seen_there_and_leaves_nothing() {
    let bench = Bench::new();
    let local = Local::start(&bench, &["--api-key", "k-1"]);
    let gate = bench.path("go");
    let spec = bench.script_spec(
        "i=0; while [ ! -e \"$1\" ] && [ $i -lt 600 ]; do sleep 0.05; i=$((i+1)); done",
        json!({
            "fleet": {"endpoint": local.url, "api_key": "${FLEET_API_KEY}", "local": null},
            "tasks": {"project": "helpdesk", "file": null, "include": ["helpdesk-ticket-*"]},
            "agent": {"command": ["sh", "{spec_dir}/agent.sh", gate]},
        }),
    );
    let with_key = |args: &[&str]| {
        let mut command = bench.harness();
        command
            .args(args)
            .env("FLEET_API_KEY", "k-1")
            .env("FLEET_BASE_URL", &local.url);
        command
    };
    let fleet = |args: &[&str]| -> Value { bench.start(with_key(args)).end().expect(0).json() };
    let mut running = bench.start(with_key(&["run", spec.to_str().unwrap()]));
    let mut live = json!([]);
    running.until("an instance of the run", || {
        live = fleet(&["fleet", "instances", "--json"]);
        live.as_array()
            .is_some_and(|live| live.iter().any(|one| one["status"] == "running"))
    });
    let run = bench.run();
    assert_eq!(live[0]["run_id"], run.id(), "{live}");
    let runs = fleet(&["fleet", "runs", "--json"]);
    assert_eq!(
        (&runs[0]["run_id"], &runs[0]["running_count"]),
        (&json!(run.id()), &json!(1))
    );
    std::fs::write(&gate, "").unwrap();
    running.end().expect(0);
    assert_row(
        &run.row(),
        &[("status", "scored"), ("teardown", "released")],
    );
    assert_eq!(fleet(&["fleet", "instances", "--json"]), json!([]));
    let runs = fleet(&["fleet", "runs", "--status", "all", "--json"]);
    assert_eq!(
        (&runs[0]["running_count"], &runs[0]["total_count"]),
        (&json!(0), &json!(1))
    );
    local.stop().expect(0);
    bench.assert_nothing_alive(Duration::ZERO);
}

#[test]
fn k6_what_a_killed_harness_left_elsewhere_is_closed_by_its_run_id() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let mark = bench.path("mark");
    bench.tasks(&["a"]);
    let spec = bench.script_spec(
        "touch \"$1\"; sleep 300",
        json!({
            "fleet": {"endpoint": local.url, "api_key": "any", "local": null},
            "agent": {"command": ["sh", "{spec_dir}/agent.sh", mark]},
        }),
    );
    let mut command = bench.harness();
    command.arg("run").arg(spec);
    let mut running = bench.start(command);
    running.until("the agent at work", || mark.exists());
    running.signal(nix::sys::signal::Signal::SIGKILL);
    drop(running);
    let id = bench.run().id();
    assert_eq!(
        local
            .fleet(&bench, &["instances", "--run-id", &id])
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // Nobody can be asked here, so it must be said in advance.
    let asked = local.fleet(&bench, &["close", "--run-id", &id]);
    asked.expect(2).says(&["close 1 instance?", "--yes"]);
    let closed = local.fleet(&bench, &["close", "--run-id", &id, "--yes"]);
    assert_eq!(closed.expect(0).json().as_array().unwrap().len(), 1);
    assert_eq!(local.fleet(&bench, &["instances"]).json(), json!([]));
    local.stop().expect(0);
    bench.assert_nothing_alive(Duration::from_secs(5));
}

#[test]
fn the_login_of_a_person_is_refreshed_at_the_hosted_service_alone() {
    let bench = Bench::new();
    let folder = bench.path("home/.fleet");
    std::fs::create_dir_all(&folder).unwrap();
    let login = json!({"access_token": "ended", "refresh_token": "r", "team_id": "t"});
    std::fs::write(folder.join("credentials.json"), login.to_string()).unwrap();
    let mut command = bench.harness();
    // Nobody is asked: the client is refused as it is built.
    command
        .args(["fleet", "account"])
        .env("FLEET_AUTH_BASE_URL", "http://127.0.0.1:1");
    let refused = bench.start(command).end();
    refused
        .expect(2)
        .says(&["is not shown to http://127.0.0.1:1", "FLEET_API_KEY"]);
}

#[test]
fn s4_s20_a_server_that_is_not_there_or_refuses_is_said() {
    let bench = Bench::new();
    bench
        .call(["fleet", "account"])
        .expect(2)
        .says(&["FLEET_API_KEY is not set"]);
    bench
        .call(["fleet", "account", "--endpoint", "http://127.0.0.1:1"])
        .expect(2)
        .says(&["127.0.0.1:1"]);
    let local = Local::start(&bench, &["--api-key", "right"]);
    let mut command = bench.harness();
    command
        .args(["fleet", "envs", "--endpoint", &local.url])
        .env("FLEET_API_KEY", "wrong-one");
    let refused = bench.start(command).end();
    refused.expect(2).says(&["FLEET_API_KEY"]);
    assert!(!refused.stderr.contains("wrong-one"));
    // The port is taken.
    let port = local
        .url
        .rsplit(':')
        .next()
        .unwrap()
        .trim_end_matches('/')
        .to_owned();
    let taken = bench.call([
        "local",
        "--port",
        &port,
        "--environments",
        example("environments").to_str().unwrap(),
    ]);
    taken.expect(2).says(&["--port"]);
    local.stop().expect(0);
}
