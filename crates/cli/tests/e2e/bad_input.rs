//! Everything that can be known before the first instance is told before it: exit code 2, what is wrong and where,
//! and nothing provisioned.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Bench, Finished, Local, set_mode, skip, task, task_with};

/// Runs a spec that must be refused, and looks for what must not have happened.
#[track_caller]
fn refused(bench: &Bench, spec: &Path, says: &[&str]) -> Finished {
    let mut command = bench.harness();
    command.arg("run").arg(spec);
    refused_command(bench, command, says)
}

#[track_caller]
fn refused_command(bench: &Bench, command: Command, says: &[&str]) -> Finished {
    let ran = bench.start(command).end();
    ran.expect(2).says(says);
    let runs = bench.runs();
    assert!(runs.is_empty(), "a run was begun: {runs:?}");
    ran
}

#[test]
fn p3_an_unknown_key_is_shown_with_its_place_and_the_key_that_was_meant() {
    let bench = Bench::new();
    bench.tasks(&["t"]);
    let spec = bench.write(
        "spec.yaml",
        "version: 1\ntasks: {file: tasks.json}\nagent:\n  command: [\"true\"]\n  timout: 30s\nfleet: {endpoint: local}\n",
    );
    refused(&bench, &spec, &["spec.yaml:5:3", "timout: 30s", "timeout"]);
}

#[test]
fn all_problems_are_told_at_once() {
    let bench = Bench::new();
    bench.tasks(&["t"]);
    let spec = bench.spec(json!({
        "agent": {"timeout": 30, "command": "true", "verfy": "always"},
        "trials": "many",
        "concurrency": {"agents": 0},
        "matrix": {"model": []},
        "pass_threshold": 1.5,
    }));
    let says = [
        "timeout",
        "command",
        "verfy",
        "trials",
        "agents",
        "model",
        "pass_threshold",
    ];
    let ran = refused(&bench, &spec, &says);
    // `check` tells the same.
    let checked = bench.call([Path::new("check"), &spec]);
    checked.expect(2);
    assert_eq!(ran.stderr, checked.stderr);
}

#[test]
fn p4_p15_a_file_that_is_no_spec_is_refused() {
    let bench = Bench::new();
    let cases: [(&str, &[u8]); 5] = [
        ("yaml", b"version: 1\nagent: [unclosed\n"),
        ("twice", b"version: 1\nversion: 1\n"),
        ("empty", b""),
        ("utf-16", b"\xff\xfev\0e\0r\0s\0i\0o\0n\0"),
        ("list", b"- version: 1\n"),
    ];
    for (name, content) in cases {
        let spec = bench.write(&format!("{name}.yaml"), content);
        refused(&bench, &spec, &["error"]);
    }
    refused(&bench, &bench.path("nowhere.yaml"), &["nowhere.yaml"]);
    refused(&bench, &bench.path("home"), &["home"]);
}

#[test]
fn a17_a_missing_agent_program_is_found_before_anything_starts() {
    let bench = Bench::new();
    bench.tasks(&["t"]);
    let spec = bench.spec(json!({"agent": {"command": ["no-such-program-here"]}}));
    refused(
        &bench,
        &spec,
        &[
            "spec.yaml:4:7",
            "there is no program `no-such-program-here`",
            "PATH",
        ],
    );
    // Found, but not executable.
    let plain = bench.write("plain", "#!/bin/sh\n");
    set_mode(&plain, 0o644);
    let spec = bench.spec(json!({"agent": {"command": [plain]}}));
    refused(&bench, &spec, &["plain"]);
}

#[test]
fn p10_placeholders_and_variables_that_do_not_exist_are_refused() {
    let bench = Bench::new();
    bench.tasks(&["t"]);
    let spec =
        bench.spec(json!({"agent": {"command": ["echo", "{modle}"]}, "matrix": {"model": ["x"]}}));
    refused(&bench, &spec, &["{modle}", "model"]);
    let spec = bench.spec(json!({"agent": {"env": {"A": "${NOT_SET_ANYWHERE}"}}}));
    refused(&bench, &spec, &["NOT_SET_ANYWHERE"]);
}

#[test]
fn p6_p13_tasks_that_cannot_be_run_are_refused() {
    let bench = Bench::new();
    let spec = bench.spec(json!({}));
    let with = |tasks: &[Value], says: &[&str]| {
        bench.tasks_file(tasks);
        refused(&bench, &spec, says);
    };
    with(
        &[task("a"), task_with("b", json!({"verifier": null}))],
        &["verifier", "b"],
    );
    with(
        &[task_with("a", json!({"env_id": "nowhere"}))],
        &["nowhere"],
    );
    with(
        &[task_with("a", json!({"version": "v9"}))],
        &["v9", "v1.0.0"],
    );
    // A task is sixteen lines of this file.
    let twins = ["task 1 (a) in line 18", "the same key as task 0 in line 2"];
    with(&[task("a"), task("a")], &twins);
    with(&[task_with("a", json!({"prompt": 3}))], &["prompt"]);
    with(&[], &["no tasks"]);
    bench.write("tasks.json", "[{\"key\": ");
    refused(&bench, &spec, &["tasks.json", "JSON"]);
    bench.write("tasks.json", "{\"not\": \"tasks\"}");
    refused(&bench, &spec, &["tasks.json"]);
    std::fs::remove_file(bench.path("tasks.json")).unwrap();
    refused(&bench, &spec, &["tasks.json"]);
}

#[test]
fn an_unreadable_tasks_file_is_refused() {
    if nix::unistd::geteuid().is_root() {
        return skip(
            "an_unreadable_tasks_file_is_refused",
            "root reads every file",
        );
    }
    let bench = Bench::new();
    set_mode(&bench.tasks(&["t"]), 0o000);
    let spec = bench.spec(json!({}));
    refused(&bench, &spec, &["tasks.json"]);
}

#[test]
fn p13_filters_that_leave_nothing_are_refused() {
    let bench = Bench::new();
    bench.tasks(&["crm-1", "crm-2"]);
    let spec = bench.spec(json!({"tasks": {"include": ["mail-*"]}}));
    refused(&bench, &spec, &["no tasks are left of 2"]);
    let spec = bench.spec(json!({}));
    let mut command = bench.harness();
    command.arg("run").arg(&spec).args(["--task", "crm-9"]);
    refused_command(&bench, command, &["crm-9", "crm-1"]);
    let mut command = bench.harness();
    command.arg("run").arg(&spec).args(["--limit", "0"]);
    refused_command(&bench, command, &["limit"]);
    let mut command = bench.harness();
    command
        .arg("run")
        .arg(&spec)
        .args(["--set", "agent.tiemout=3s"]);
    refused_command(&bench, command, &["tiemout"]);
}

#[test]
fn k10_a_folder_for_runs_that_cannot_be_written_is_refused() {
    let bench = Bench::new();
    bench.tasks(&["t"]);
    let occupied = bench.write("occupied", "a file");
    let spec = bench.spec(json!({"report": {"dir": occupied}}));
    refused(&bench, &spec, &["occupied", "--out"]);
    let spec = bench.spec(json!({"report": {"dir": "/proc/none/runs"}}));
    refused(&bench, &spec, &["/proc/none/runs"]);
}

#[test]
fn k8_a_full_disk_is_found_before_anything_starts() {
    let bench = Bench::new();
    bench.tasks(&["t"]);
    let disk = bench.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let spec = bench.spec(json!({"report": {"dir": disk.join("runs")}}));
    let mount = format!(
        "mount -t tmpfs -o size=1m none {0} && {{ head -c 2000000 /dev/zero > {0}/fill 2>/dev/null; true; }}",
        disk.display()
    );
    let test = "k8_a_full_disk_is_found_before_anything_starts";
    let Some(mut command) = bench.harness_with_mounts(test, &mount) else {
        return;
    };
    command.arg("run").arg(&spec);
    refused_command(&bench, command, &["cannot be written", "--out"]);
}

#[test]
fn s4_s20_a_service_that_cannot_be_used_is_refused() {
    let bench = Bench::new();
    bench.tasks(&["t"]);
    let at = |url: &str, tasks: Value| {
        let key = json!({"endpoint": url, "api_key": "${KEY:-the-wrong-key}", "local": null});
        bench.spec(json!({"fleet": key, "tasks": tasks}))
    };
    let file = json!({"file": "tasks.json"});
    // Nothing listens on port 1.
    let ran = refused(
        &bench,
        &at("http://127.0.0.1:1", file.clone()),
        &["127.0.0.1:1", "fleet.endpoint"],
    );
    assert!(ran.took.as_secs() < 60, "{:?}", ran.took);

    let local = Local::start(&bench, &["--api-key", "the-right-key"]);
    let ran = refused(
        &bench,
        &at(&local.url, file),
        &["FLEET_API_KEY", &local.url],
    );
    assert!(!ran.stderr.contains("the-wrong-key"), "{}", ran.stderr);

    let mut command = bench.harness();
    let project = json!({"project": "no-such-project", "file": null});
    command
        .arg("run")
        .arg(at(&local.url, project))
        .env("KEY", "the-right-key");
    refused_command(&bench, command, &["no-such-project"]);
    let mut command = bench.harness();
    let keys = json!({"keys": ["helpdesk-new-ticket", "no-such-task"], "file": null});
    command
        .arg("run")
        .arg(at(&local.url, keys))
        .env("KEY", "the-right-key");
    refused_command(&bench, command, &["no-such-task"]);

    // The server's own account of it: no instance was ever made.
    let mut command = bench.harness();
    command
        .args([
            "fleet",
            "runs",
            "--status",
            "all",
            "--json",
            "--endpoint",
            &local.url,
        ])
        .env("FLEET_API_KEY", "the-right-key");
    let runs = bench.start(command).end();
    assert_eq!(runs.expect(0).json(), json!([]));
    local.stop().expect(0);
}

#[test]
fn p11_a_prompt_that_is_too_long_for_a_command_line_is_found_before_anything_starts() {
    let bench = Bench::new();
    let long = "x".repeat(128 * 1024);
    bench.tasks_file(&[task("short"), task_with("long", json!({"prompt": long}))]);
    let spec = bench.spec(json!({"agent": {"command": ["echo", "do: {prompt}"]}}));
    refused(&bench, &spec, &["`long`", "128 KiB", "{prompt_file}"]);
    let spec = bench.spec(json!({"agent": {"command": ["echo", "{prompt_file}"]}}));
    bench.call([Path::new("check"), &spec]).expect(0);
}

#[test]
fn p12_nothing_is_fetched() {
    let bench = Bench::new();
    bench.tasks(&["t"]);
    let url = "https://127.0.0.1:1/x";
    for changes in [
        json!({"tasks": {"file": url}}),
        json!({"fleet": {"local": {"environments": [url]}}}),
        json!({"report": {"dir": url}}),
    ] {
        let spec = bench.spec(changes);
        refused(&bench, &spec, &["must be a path, not a URL"]);
    }
    let spec = bench.write("spec.yaml", "version: 1\ntasks: !include tasks.yaml\n");
    refused(&bench, &spec, &["without the `!…`"]);
}

#[test]
fn p8_names_that_look_alike_are_different_tasks_and_told() {
    let bench = Bench::new();
    let keys = ["café", "cafe\u{301}", "caf\u{200b}é", "plain"];
    bench.tasks(&keys);
    let spec = bench.spec(json!({}));
    let ran = bench.call([Path::new("run"), &spec]);
    ran.expect(0)
        .says(&["2 pairs of tasks", r"`caf\u{e9}`", r"`cafe\u{301}`"]);
    // What cannot be seen is shown in the lines of the trials too.
    ran.says(&[r"caf\u{200b}é#1"]);
    let run = bench.run();
    let written: Vec<String> = run
        .rows()
        .iter()
        .map(|row| row["task_key"].clone())
        .collect();
    assert_eq!(written, keys);
}

#[test]
fn an_environment_package_that_is_wrong_is_refused() {
    let bench = Bench::new();
    bench.tasks(&["t"]);
    let spec = bench.spec(json!({"fleet": {"local": {"environments": ["environments"]}}}));
    refused(&bench, &spec, &["environments"]);
    bench.write(
        "environments/x/environment.yaml",
        "key: x\nname: X\nversions: {v1: today}\napps: {}\n",
    );
    refused(&bench, &spec, &["environment.yaml", "apps"]);
}

#[test]
fn what_is_not_supported_yet_is_said() {
    let bench = Bench::new();
    bench.tasks(&["t"]);
    let spec = bench.spec(json!({"report": {"formats": ["parquet"]}}));
    refused(&bench, &spec, &["parquet"]);
}

/// Without its capabilities even root cannot make the namespaces of level 3, so this is a machine that has not got it.
#[test]
fn a_level_of_containment_that_this_machine_does_not_reach_is_refused() {
    const TEST: &str = "a level that this machine does not reach";
    if !nix::unistd::getuid().is_root() {
        return skip(TEST, "only root can give its capabilities up");
    }
    let bench = Bench::new();
    bench.tasks(&["t"]);
    let with = |containment: &str| {
        bench.spec(json!({"agent": {"command": ["true"], "containment": containment}}))
    };
    let bare = |words: &[&str], spec: &Path| {
        let whole = bench.harness();
        let mut command = Command::new("setpriv");
        command
            .args([
                "--bounding-set=-all",
                "--inh-caps=-all",
                "--ambient-caps=-all",
            ])
            .arg(whole.get_program())
            .args(words)
            .arg(spec)
            .current_dir(bench.path(""))
            .env_clear()
            .envs(
                whole
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
        command
    };
    let says = [
        "agents must be held at level 3",
        "this machine reaches level",
        "spec.yaml:",
    ];
    let spec = with("require:3");
    refused_command(&bench, bare(&["run"], &spec), &says);
    bench
        .start(bare(&["check"], &spec))
        .end()
        .expect(2)
        .says(&says);
    bench
        .start(bare(&["check"], &with("require:1")))
        .end()
        .expect(0);
}
