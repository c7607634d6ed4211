//! What is read after a run: reports written again, lists, single trials; and keys that try to get out.

use std::path::Path;

use serde_json::json;

use crate::support::{Bench, task};

#[test]
fn reports_are_written_again_byte_for_byte() {
    let bench = Bench::new();
    let script = "[ $FLEET_TASK_KEY = a ] && exit 75; echo '{\"final_answer\": \"x\"}'";
    let formats = ["csv", "json", "junit", "html", "md"];
    bench
        .run_script(&["a", "b"], script, json!({"report": {"formats": formats}}))
        .expect(3);
    let run = bench.run();
    let files = [
        ("csv", "results.csv"),
        ("json", "results.json"),
        ("junit", "junit.xml"),
        ("html", "report.html"),
        ("md", "summary.md"),
    ];
    let before: Vec<Vec<u8>> = files.iter().map(|(_, file)| run.bytes(file)).collect();
    for ((format, file), before) in files.iter().zip(&before) {
        let printed = bench.call(["report", "latest", "--format", format]);
        printed.expect(0);
        assert!(
            printed.stdout.as_bytes() == before,
            "{format} differs when printed"
        );
        bench
            .call(["report", &run.id(), "--format", format, "-o", "again"])
            .expect(0);
        assert!(
            &std::fs::read(bench.path("again")).unwrap() == before,
            "{format} differs when written"
        );
        std::fs::remove_file(run.root.join(file)).unwrap();
    }
    bench.call(["report", "latest"]).expect(0);
    for ((format, file), before) in files.iter().zip(&before) {
        assert!(
            &run.bytes(file) == before,
            "{format} differs when written into the folder"
        );
    }
    bench
        .call(["report", "latest", "--format", "parquet"])
        .expect(2)
        .says(&["not supported yet"]);
}

#[test]
fn runs_are_listed_and_shown() {
    let bench = Bench::new();
    bench.call(["list"]).expect(0).says(&["no runs"]);
    bench.call(["show", "latest"]).expect(2).says(&["no run"]);
    let script = "echo out-$FLEET_TASK_KEY; [ $FLEET_TASK_KEY = bad ] && exit 4; exit 0";
    bench
        .run_script(&["good", "bad"], script, json!({}))
        .expect(0);
    let first = bench.run().id();
    bench
        .run_script(&["good"], script, json!({"name": "second"}))
        .expect(0);

    let listed = bench.call(["list", "--json"]).json();
    let names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["run_id"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [bench.run().id().as_str(), first.as_str()],
        "newest first"
    );
    assert_eq!(
        (&listed[1]["trials"], &listed[1]["scored"]),
        (&json!(2), &json!(2))
    );
    let table = bench.call(["list"]);
    assert!(table.stdout.contains(&first), "{}", table.stdout);

    let shown = bench.call(["show", &first[..], "bad"]);
    shown.expect(0);
    for part in ["bad#1", "exit 4", "out-bad"] {
        assert!(
            shown.stdout.contains(part),
            "no {part} in\n{}",
            shown.stdout
        );
    }
    assert!(!shown.stdout.contains("out-good"));
    let trial = bench.call(["show", &first[..], "bad", "--json"]).json();
    assert_eq!(trial[0]["exit_code"], 4);
    bench.call(["show", "e2e-"]).expect(0);
    bench
        .call(["show", &first[..], "ugly"])
        .expect(2)
        .says(&["ugly"]);
    // A pipe that closes early is no error.
    let piped = std::process::Command::new("sh")
        .args([
            "-c",
            &format!(
                "'{}' show {first} | head -n 1",
                env!("CARGO_BIN_EXE_harness")
            ),
        ])
        .current_dir(bench.path(""))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&piped.stderr).into_owned();
    assert!(!stderr.contains("panic"), "{stderr}");
}

#[test]
fn p5_hostile_keys_stay_inside_the_run_and_run_in_no_spreadsheet() {
    let bench = Bench::new();
    let long = "k".repeat(200);
    let keys = [
        "../../x",
        "/etc/passwd",
        "=cmd|' /C calc'!A1",
        "@SUM(1)",
        "🦀 crab",
        "a,\"b\"\nc",
        "..",
        "CON",
        "con",
        "-rf",
        "<script>alert(1)</script>",
        "\u{202e}gnp.exe",
        &long,
    ];
    bench.tasks_file(&keys.map(task));
    let spec = bench.script_spec(
        "printf %s \"$FLEET_TASK_KEY\"",
        json!({"report": {"formats": ["csv", "json", "html", "junit", "md"]}}),
    );
    let before = outside(&bench);
    bench.call([Path::new("run"), &spec]).expect(0);
    assert_eq!(
        outside(&bench),
        before,
        "something was written outside of the run's folder"
    );
    let run = bench.run();
    let rows = run.rows();
    assert_eq!(rows.len(), keys.len());
    let mut folders = std::collections::BTreeSet::new();
    for (row, key) in rows.iter().zip(keys) {
        let cell = &row["task_key"];
        assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), key);
        assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
        let folder = &row["trial_dir"];
        let real = run.root.join(folder).canonicalize().unwrap();
        assert!(real.starts_with(run.root.join("trials")), "{folder}");
        assert!(
            folders.insert(folder.to_lowercase()),
            "{folder} is used twice"
        );
        assert_eq!(
            std::fs::read_to_string(real.join("stdout.log")).unwrap(),
            key
        );
    }
    let json = run.results();
    let written: Vec<&str> = json["trials"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trial| trial["task_key"].as_str().unwrap())
        .collect();
    assert_eq!(written, keys);
    assert!(!run.text("report.html").contains("<script>alert(1)"));
    bench.call(["show", "latest", "../../x"]).expect(0);
}

/// Names beside the folder of runs.
fn outside(bench: &Bench) -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["", "home", "tmp"] {
        for entry in std::fs::read_dir(bench.path(folder)).unwrap().flatten() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.retain(|name| name != "runs" && !name.starts_with("output-"));
    names.sort();
    names
}

#[test]
fn a_spec_schema_and_completions_are_printed() {
    let bench = Bench::new();
    let schema = bench.call(["schema"]).json();
    assert_eq!(schema["additionalProperties"], false);
    for shell in ["bash", "zsh", "fish"] {
        let printed = bench.call(["completions", shell]);
        assert!(printed.expect(0).stdout.contains("harness"));
    }
}

#[test]
fn the_gate_decides_between_0_and_1() {
    let bench = Bench::new();
    bench.tasks(&["t"]);
    let answer = json!({"verifier": {"answer": [{"equals": "42"}]}});
    bench.tasks_file(&[crate::support::task_with("t", answer)]);
    let script = "echo '{\"final_answer\": \"41\"}'";
    let none = bench.script_spec(script, json!({}));
    bench
        .call([Path::new("run"), &none])
        .expect(0)
        .says(&["FAIL"]);
    let gate = bench.script_spec(script, json!({"gate": {"min_pass_rate": 0.5}}));
    bench
        .call([Path::new("run"), &gate])
        .expect(1)
        .says(&["gate.min_pass_rate"]);
    assert_eq!(bench.run().row()["status"], "scored");
}
