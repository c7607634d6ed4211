//! The first run of a new user, and the switches of `harness run`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::support::{Bench, PATIENCE, assert_row, project};

const COLUMNS: &str = "run_id,task_key,variant,trial,status,passed,score,agent,exit_code,phase,error_kind,error,\
    attempts,teardown,env_key,data_key,instance_id,steps,input_tokens,output_tokens,cost_usd,started_at,queue_ms,\
    provision_ms,agent_ms,verify_ms,teardown_ms,total_ms,verifier_execution_id,trial_dir,session_id,session";

/// What a new user is promised, the build aside.
const QUICKSTART: Duration = Duration::from_secs(60);

#[test]
fn the_quickstart_scores_every_trial_and_leaves_nothing() {
    let bench = Bench::new();
    let spec = project("configs/quickstart.yaml");
    let runs = bench.path("runs");
    let ran = bench.call([Path::new("run"), &spec, Path::new("--out"), &runs]);
    ran.expect(0);
    assert!(ran.took < QUICKSTART, "it took {:?}", ran.took);
    bench.assert_nothing_alive(Duration::ZERO);

    let run = bench.run();
    let rows = run.rows();
    assert!(rows.len() >= 15, "{}", rows.len());
    for row in &rows {
        assert_row(
            row,
            &[
                ("status", "scored"),
                ("teardown", "released"),
                ("attempts", "1"),
            ],
        );
    }
    let scores: BTreeSet<&str> = rows.iter().map(|row| row["score"].as_str()).collect();
    assert!(scores.len() > 1, "every task has the score {scores:?}");

    let results = run.results();
    assert_eq!(results["run"]["end"]["proven_empty"], true);
    assert_eq!(results["run"]["end"]["unconfirmed"], json!([]));

    // What lived in the temporary folder is gone with the server.
    let left: Vec<_> = fs::read_dir(bench.path("tmp")).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_files_of_a_run_are_those_of_the_contract() {
    let bench = Bench::new();
    let secret = "a-secret-that-nobody-may-read-5521";
    bench.tasks(&["quiet"]);
    let spec = bench.script_spec(
        "echo hello; echo trouble >&2; echo '{\"final_answer\": \"done\"}'",
        json!({
            "fleet": {"api_key": "${MY_KEY}"},
            "agent": {"env": {"TOKEN": "${MY_KEY}"}},
            "report": {"formats": ["csv", "json", "junit", "html", "md"]},
        }),
    );
    let mut command = bench.harness();
    command.arg("run").arg(spec).env("MY_KEY", secret);
    bench.start(command).end().expect(0);

    let run = bench.run();
    let latest = fs::read_link(bench.path("runs/latest")).unwrap();
    assert_eq!(
        latest,
        Path::new(&run.id()),
        "a moved folder of runs keeps its link"
    );
    let name = run.id();
    assert!(
        name.starts_with("e2e-2") && name.len() == "e2e-YYYYMMDD-HHMMSS-xxxx".len(),
        "{name}"
    );
    let files = run.files();
    let wanted = [
        "journal.jsonl",
        "junit.xml",
        "report.html",
        "results.csv",
        "results.json",
        "spec.yaml",
        "summary.md",
        "trials/quiet/1/stderr.log",
        "trials/quiet/1/stdout.log",
        "trials/quiet/1/task.json",
        "trials/quiet/1/verifier.json",
    ];
    for file in wanted {
        assert!(
            files.iter().any(|known| known == file),
            "no {file} in {files:?}"
        );
    }
    for file in &files {
        let bytes = run.bytes(file);
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(secret), "{file} has the secret");
    }
    assert!(run.text("spec.yaml").contains("${MY_KEY}"));
    assert_eq!(run.text("trials/quiet/1/stderr.log"), "trouble\n");

    let csv = run.text("results.csv");
    assert_eq!(csv.lines().next(), Some(COLUMNS));
    assert!(!csv.contains('\r') && csv.ends_with('\n'), "{csv:?}");
    let row = run.row();
    assert_row(
        &row,
        &[
            ("task_key", "quiet"),
            ("variant", "default"),
            ("trial", "1"),
        ],
    );
    assert_row(
        &row,
        &[
            ("trial_dir", "trials/quiet/1"),
            ("exit_code", "0"),
            ("error", ""),
        ],
    );
    assert!(row["started_at"].ends_with('Z'), "{}", row["started_at"]);
    for column in [
        "provision_ms",
        "agent_ms",
        "verify_ms",
        "teardown_ms",
        "total_ms",
    ] {
        assert!(
            row[column].parse::<u64>().is_ok(),
            "{column}: {}",
            row[column]
        );
    }
}

#[test]
fn a_better_agent_has_a_better_mean() {
    let bench = Bench::new();
    let spec = project("configs/matrix.yaml");
    let runs = bench.path("runs");
    bench
        .call([Path::new("run"), &spec, Path::new("--out"), &runs])
        .expect(0);
    let mut by_skill: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for row in bench.run().rows() {
        let (sum, n) = by_skill.entry(row["variant"].clone()).or_default();
        *sum += row["score"].parse::<f64>().unwrap();
        *n += 1.0;
    }
    let mean = |skill: &str| {
        let (sum, n) = by_skill[&format!("skill={skill}")];
        sum / n
    };
    let means = [mean("novice"), mean("regular"), mean("expert")];
    assert!(means[0] < means[1] && means[1] < means[2], "{means:?}");
    assert!(means[0] > 0.0, "{means:?}");
    bench.assert_nothing_alive(Duration::ZERO);
}

#[test]
fn a_dry_run_prints_the_trials_and_starts_nothing() {
    let bench = Bench::new();
    bench.tasks(&["b", "a"]);
    let spec = bench.spec(json!({
        "agent": {"command": ["touch", bench.path("started")]},
        "matrix": {"model": ["x", "y"]},
        "trials": 2,
    }));
    let ran = bench.call([Path::new("run"), &spec, Path::new("--dry-run")]);
    ran.expect(0)
        .says(&["dry run", "8 = 2 tasks × 2 variants × 2 trials"]);
    let printed: BTreeSet<&str> = ran.stdout.lines().collect();
    assert_eq!(printed.len(), 8, "{}", ran.stdout);
    assert!(printed.contains("a[model=y]#2"), "{}", ran.stdout);
    assert_eq!(bench.runs(), Vec::<std::path::PathBuf>::new());
    assert!(!bench.path("started").exists());
}

#[test]
fn the_command_line_narrows_and_changes_a_spec() {
    let bench = Bench::new();
    bench.tasks(&["one", "two", "three"]);
    let spec = bench.spec(json!({}));
    let spec = spec.to_str().unwrap();
    let keys = |args: &[&str]| {
        let mut all = vec!["run", spec];
        all.extend(args);
        bench.call(all).expect(0);
        let rows = bench.run().rows();
        let key = |row: &BTreeMap<String, String>| format!("{}#{}", row["task_key"], row["trial"]);
        rows.iter().map(key).collect::<Vec<String>>()
    };
    assert_eq!(
        keys(&["--task", "three", "--task", "one"]),
        ["one#1", "three#1"]
    );
    assert_eq!(keys(&["--limit", "2"]), ["one#1", "two#1"]);
    assert_eq!(
        keys(&["--task", "two", "--trials", "2"]),
        ["two#1", "two#2"]
    );
    let renamed = keys(&[
        "--limit=1",
        "--name=other",
        "--set",
        "pass_threshold=0.5",
        "--set=agent.name=me",
    ]);
    assert_eq!(renamed, ["one#1"]);
    let run = bench.run();
    assert!(run.id().starts_with("other-"), "{}", run.id());
    let info = &run.results()["run"];
    assert_eq!(
        (&info["pass_threshold"], &info["agent"]),
        (&json!(0.5), &json!("me"))
    );
    assert_eq!(bench.runs().len(), 4);
    bench
        .call(["run", spec, "--out", "elsewhere", "--limit", "1"])
        .expect(0);
    assert!(bench.path("elsewhere/latest/results.csv").is_file());
}

#[test]
fn a_fresh_folder_is_filled_and_runs() {
    let bench = Bench::new();
    bench.call(["init", "bench"]).expect(0);
    bench
        .call([
            "run",
            "bench/configs/quickstart.yaml",
            "--limit",
            "2",
            "--out",
            "runs",
        ])
        .expect(0);
    assert_eq!(bench.run().rows().len(), 2);
}

#[test]
fn results_are_readable_while_the_run_goes_on() {
    let bench = Bench::new();
    bench.tasks(&["first", "second"]);
    let gate = bench.path("go");
    let spec = bench.script_spec(
        "[ $FLEET_TASK_KEY = first ] && exit 0\n\
         i=0; while [ ! -e \"$1\" ] && [ $i -lt 600 ]; do sleep 0.05; i=$((i+1)); done",
        json!({"agent": {"command": ["sh", "{spec_dir}/agent.sh", gate]}, "concurrency": 1}),
    );
    let mut command = bench.harness();
    command.arg("run").arg(spec);
    let mut running = bench.start(command);
    running.until("a row of the first trial", || {
        bench.path("runs/latest/results.csv").is_file()
            && bench
                .run()
                .rows()
                .iter()
                .any(|row| row["status"] == "scored")
    });
    assert!(!running.is_over());
    // Another process may look at the run meanwhile.
    let shown = bench.call(["show", "latest", "--json"]);
    shown.expect(0);
    bench.call(["list"]).expect(0);
    fs::write(&gate, "").unwrap();
    running.end_within(PATIENCE).expect(0);
    assert_eq!(bench.run().rows().len(), 2);
}
