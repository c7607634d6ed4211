//! A verifier that breaks gives no score. It never gives a zero.

use serde_json::json;

use crate::support::{Bench, assert_row, task_with};

/// Runs one task whose verifier is this script.
fn verified_by(script: &str) -> Bench {
    let bench = Bench::new();
    bench.write("verify.sh", script);
    let command = json!({"verifier": {"kind": "command", "command": ["sh", "{task_dir}/verify.sh"], "expect": null, "ignore": null}});
    bench.tasks_file(&[task_with("t", command)]);
    bench
}

#[test]
fn v2_v3_v4_v5_a_broken_verifier_leaves_the_trial_unscored() {
    let cases = [
        ("exit 1", "1"),
        ("echo '{\"score\": 1}'; exit 3", "3"),
        ("kill -9 $$", "9"),
        ("echo all fine", "score"),
        ("echo NaN", "score"),
        ("echo 1e999", "score"),
        ("echo '{\"score\": \"1\"}'", "score"),
        ("echo '{\"score\": null}'", "score"),
        ("echo '{\"score\": 1.7}'", "1.7"),
        ("echo -0.2", "-0.2"),
        ("true", "score"),
    ];
    for (script, says) in cases {
        let bench = verified_by(script);
        let spec = bench.spec(json!({}));
        let ran = bench.call([std::path::Path::new("run"), &spec]);
        assert_eq!(ran.code(), 3, "{script}\n{}", ran.stderr);
        let row = bench.run().row();
        assert_row(
            &row,
            &[("status", "unscored"), ("score", ""), ("passed", "")],
        );
        assert_row(
            &row,
            &[("phase", "verify"), ("error_kind", "verifier_error")],
        );
        // The agent did its part, and the instance is given back all the same.
        assert_row(
            &row,
            &[
                ("agent", "completed"),
                ("teardown", "released"),
                ("attempts", "1"),
            ],
        );
        assert!(row["error"].contains(says), "{script}: {}", row["error"]);
        assert!(bench.run().evidence("verifier.json").is_file(), "{script}");
        ran.says(&["UNSCORED", "harness show"]);
    }
}

#[test]
fn a_command_verifier_reads_the_request_and_scores() {
    let bench = verified_by(
        "request=$(cat)\n\
         echo \"$request\"\n\
         echo checking\n\
         echo here > \"$(dirname \"$0\")/written\"\n\
         echo '{\"score\": 0.25, \"message\": \"a quarter\"}'\n",
    );
    bench.write("agent.sh", "echo '{\"final_answer\": \"forty-two\"}'");
    let spec = bench.spec(json!({"agent": {"command": ["sh", "{spec_dir}/agent.sh"]}}));
    bench.call([std::path::Path::new("run"), &spec]).expect(0);
    let row = bench.run().row();
    assert_row(
        &row,
        &[("status", "scored"), ("score", "0.25"), ("passed", "false")],
    );
    let evidence = std::fs::read(bench.run().evidence("verifier.json")).unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&evidence).unwrap();
    let request = answer["stdout"].as_str().unwrap().lines().next().unwrap();
    let request: serde_json::Value = serde_json::from_str(request).unwrap();
    assert_eq!(request["final_answer"], "forty-two");
    assert_eq!(request["task_key"], "t");
    // Which layers held is part of the record, and one of them kept it from writing beside itself.
    assert_eq!(answer["sandbox"]["mode"], "require");
    let held = answer["sandbox"]["held"].as_array().unwrap();
    assert!(held.contains(&json!("files")), "{held:?}");
    assert!(!bench.path("written").exists());
}

#[test]
fn without_the_sandbox_a_verifier_has_the_rights_of_the_user() {
    let bench = verified_by("echo here > \"$(dirname \"$0\")/written\" && echo 1");
    let local = json!({"fleet": {"local": {"verifier_sandbox": "off"}}});
    let spec = bench.spec(local);
    bench.call([std::path::Path::new("run"), &spec]).expect(0);
    assert!(bench.path("written").exists());
    let evidence = std::fs::read(bench.run().evidence("verifier.json")).unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&evidence).unwrap();
    assert_eq!(answer["sandbox"], json!({"mode": "off"}));
}

#[test]
fn what_only_the_service_can_refuse_is_told_with_the_trial_and_not_tried_again() {
    let wrong_definition = json!({"verifier": {"kind": "state", "expcet": []}});
    let unknown_data = json!({"data_id": "no-such-data"});
    let cases = [
        (wrong_definition, "verify", "expcet"),
        (unknown_data, "provision", "no-such-data"),
    ];
    for (change, phase, says) in cases {
        let bench = Bench::new();
        bench.tasks_file(&[task_with("t", change)]);
        let spec = bench.spec(json!({}));
        bench
            .call([std::path::Path::new("run"), &spec])
            .expect(3)
            .says(&[says]);
        let row = bench.run().row();
        assert_row(
            &row,
            &[
                ("status", "unscored"),
                ("score", ""),
                ("phase", phase),
                ("attempts", "1"),
            ],
        );
    }
}

#[test]
fn v2_a_broken_verifier_that_the_gate_allows_is_still_no_zero() {
    let bench = Bench::new();
    bench.write("verify.sh", "exit 1");
    let broken = json!({"verifier": {"kind": "command", "command": ["sh", "{task_dir}/verify.sh"], "expect": null, "ignore": null}});
    bench.tasks_file(&[crate::support::task("fine"), task_with("broken", broken)]);
    let spec = bench.spec(json!({"gate": {"max_unscored": 0.5, "min_mean_score": 0.9}}));
    bench.call([std::path::Path::new("run"), &spec]).expect(0);
    let summary = &bench.run().results()["summary"];
    let text = summary.to_string();
    assert!(text.contains("\"unscored\":1"), "{text}");
}
