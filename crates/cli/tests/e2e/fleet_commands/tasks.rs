//! Tasks from the shell: listed, exported, imported and changed.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Bench, Local, task};

#[test]
fn tasks_are_selected_and_one_is_shown() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let all = local.fleet(&bench, &["tasks"]).expect(0).json();
    assert!(all.as_array().unwrap().len() >= 15);
    let some = local.fleet(
        &bench,
        &[
            "tasks",
            "list",
            "--project",
            "helpdesk",
            "--key",
            "helpdesk-new-ticket",
        ],
    );
    let some = some.expect(0).json();
    assert_eq!(some.as_array().unwrap().len(), 1);
    assert_eq!(some[0]["key"], "helpdesk-new-ticket");
    let one = local
        .fleet(&bench, &["tasks", "get", "helpdesk-new-ticket"])
        .expect(0)
        .json();
    assert_eq!(one, some[0]);
    let told = local.told(&bench, &["tasks", "get", "helpdesk-new-ticket"]);
    let prompt = one["prompt"].as_str().unwrap();
    assert!(told.expect(0).stdout.contains(prompt), "{}", told.stdout);
    let source = local.told(
        &bench,
        &["tasks", "get", "helpdesk-new-ticket", "--verifier"],
    );
    assert_eq!(
        source.expect(0).stdout.trim_end(),
        one["verifier_func"].as_str().unwrap().trim_end()
    );
    let id = one["verifier_id"].as_str().unwrap();
    let stored = local
        .fleet(&bench, &["verifiers", "get", id])
        .expect(0)
        .json();
    assert_eq!(stored["code"], one["verifier_func"]);
    local.stop().expect(0);
}

#[test]
fn exported_tasks_run_from_the_file() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let told = local.told(&bench, &["tasks", "export", "-o", "tasks.json"]);
    told.expect(0).says(&["wrote 19 tasks to tasks.json"]);
    assert_eq!(told.stdout, "");
    let file: Value =
        serde_json::from_slice(&std::fs::read(bench.path("tasks.json")).unwrap()).unwrap();
    let printed = local.told(&bench, &["tasks", "export"]).expect(0).json();
    assert_eq!(printed, file);
    local.stop().expect(0);
    let spec = bench.spec(json!({"agent": {"command": ["{harness}", "demo", "agent"]}}));
    bench
        .call([Path::new("run"), &spec, Path::new("--limit=3")])
        .expect(0);
    assert_eq!(bench.run().rows().len(), 3);
}

#[test]
fn imported_tasks_are_there_and_replace_others_only_if_somebody_says_so() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    bench.write("tasks.json", json!([task("a"), task("b")]).to_string());
    let planned = local.told(&bench, &["tasks", "import", "tasks.json", "--dry-run"]);
    planned.expect(0).says(&["nothing was stored"]);
    assert!(planned.stdout.contains("add"), "{}", planned.stdout);
    let stored = local.told(
        &bench,
        &["tasks", "import", "tasks.json", "--project", "new"],
    );
    stored.expect(0).says(&[
        "stored 2 of 2 tasks",
        "harness fleet tasks list --project new",
    ]);
    let listed = local.fleet(&bench, &["tasks", "--project", "new"]).json();
    let keys: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["a", "b"]);
    assert_eq!(listed[0]["prompt"], "Change nothing.");

    let mut changed = task("a");
    changed["prompt"] = json!("Really nothing.");
    bench.write("tasks.json", json!([changed, task("c")]).to_string());
    let prompt = || local.fleet(&bench, &["tasks", "get", "a"]).json()["prompt"].clone();
    let asked = local.told(
        &bench,
        &["tasks", "import", "tasks.json", "--project", "new"],
    );
    asked
        .expect(2)
        .says(&["1 of the 2 tasks exist already", "--yes"]);
    local.told(&bench, &["tasks", "get", "c"]).expect(2);
    let skipped = local.told(
        &bench,
        &[
            "tasks",
            "import",
            "tasks.json",
            "--project",
            "new",
            "--skip-existing",
        ],
    );
    skipped.expect(0).says(&["stored 1 of 1 task"]);
    assert_eq!(prompt(), "Change nothing.");
    let answers = local.fleet(
        &bench,
        &["tasks", "import", "tasks.json", "--project", "new", "--yes"],
    );
    assert_eq!(answers.expect(0).json().as_array().unwrap().len(), 2);
    assert_eq!(prompt(), "Really nothing.");
    local.stop().expect(0);
}

#[test]
fn a_change_is_shown_and_done_only_if_somebody_says_so() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    bench.write("tasks.json", json!([task("a")]).to_string());
    local
        .fleet(&bench, &["tasks", "import", "tasks.json", "--project", "p"])
        .expect(0);
    bench.write("prompt.txt", "Close ticket 2.");
    bench.write("verifier.py", "def verify(env):\n    return 1\n");
    let change = [
        "tasks",
        "update",
        "a",
        "--prompt-file",
        "prompt.txt",
        "--verifier",
        "verifier.py",
        "--metadata",
        "{\"level\": 3}",
    ];
    let asked = local.told(&bench, &change);
    asked.expect(2).says(&[
        "-Change nothing.",
        "+Close ticket 2.",
        "+    return 1",
        "\"level\": 3",
        "--yes",
    ]);
    let before = local.fleet(&bench, &["tasks", "get", "a"]).json();
    assert_eq!(before["prompt"], "Change nothing.");
    let after = local
        .fleet(&bench, &[&change[..], &["--yes"]].concat())
        .expect(0)
        .json();
    assert_eq!(after["prompt"], "Close ticket 2.");
    assert_eq!(after["metadata"]["level"], 3);
    assert_eq!(after["verifier_func"], "def verify(env):\n    return 1\n");
    // Nothing to change, nothing to ask.
    let again = local.told(
        &bench,
        &["tasks", "update", "a", "--prompt", "Close ticket 2."],
    );
    again.expect(0).says(&["like that already"]);
    local.stop().expect(0);
}
