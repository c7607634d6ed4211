//! A team has fewer instances than the run would like.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Bench, assert_row};

#[test]
fn s3_a_run_waits_for_quota_without_using_up_attempts() {
    let bench = Bench::new();
    let keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
    bench.tasks(&keys);
    let spec = bench.script_spec(
        "sleep 0.2",
        json!({"fleet": {"local": {"instance_limit": 2}}, "concurrency": 6, "retry": {"attempts": 1}}),
    );
    let ran = bench.call([Path::new("run"), &spec]);
    ran.expect(0).says(&["2 instances"]);
    let run = bench.run();
    for row in run.rows() {
        assert_row(
            &row,
            &[
                ("status", "scored"),
                ("attempts", "1"),
                ("teardown", "released"),
            ],
        );
    }
    // Between these two events an instance certainly lives.
    let mut live = 0_i32;
    let mut most = 0;
    for entry in run.journal() {
        match entry["event"].as_str() {
            Some("provisioned") => live += 1,
            Some("release_intended") => live -= 1,
            _ => {}
        }
        most = most.max(live);
    }
    assert_eq!(most, 2, "the whole quota is used, and no more");
    bench.assert_nothing_alive(Duration::ZERO);
}

#[test]
fn the_limits_of_agents_and_environments_hold() {
    let bench = Bench::new();
    let keys: Vec<String> = (0..8).map(|n| format!("t{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let script = "echo + >> \"$1\"; sleep 0.2; echo - >> \"$1\"";
    let log = bench.path("log");
    let changes = json!({
        "agent": {"command": ["sh", "{spec_dir}/agent.sh", log]},
        "concurrency": {"environments": 4, "agents": 2, "verifiers": 1},
    });
    bench.run_script(&keys, script, changes).expect(0);
    let most = |signs: &mut dyn Iterator<Item = i32>| {
        let mut now = 0;
        signs
            .map(|sign| {
                now += sign;
                now
            })
            .max()
            .unwrap_or_default()
    };
    let log = std::fs::read_to_string(&log).unwrap();
    assert_eq!(
        most(&mut log.lines().map(|line| if line == "+" { 1 } else { -1 })),
        2
    );
    let journal = bench.run().journal();
    let sign = |entry: &Value| match entry["event"].as_str() {
        Some("provision_intended") => 1,
        Some("released") => -1,
        _ => 0,
    };
    assert_eq!(most(&mut journal.iter().map(sign)), 4);
}
