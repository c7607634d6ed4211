//! An agent with a real browser does one task through the pages, as a person would, in a run of the real binary.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

/// A Chromium or Chrome, and a folder with `node_modules/playwright-core`; `cargo xtask test` finds or installs both.
const CHROMIUM: &str = "HARNESS_TEST_CHROMIUM";
const NODE_PATH: &str = "HARNESS_TEST_NODE_PATH";

const TASK: &str = "helpdesk-parcel-arrival";

#[test]
fn an_agent_with_a_browser_solves_a_task_through_the_pages() {
    let (Some(chromium), Some(node_path)) = (env::var_os(CHROMIUM), env::var_os(NODE_PATH)) else {
        eprintln!(
            "skipped: browser: {CHROMIUM} or {NODE_PATH} is not set; `cargo xtask test` sets them"
        );
        return;
    };
    let examples = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .canonicalize()
        .unwrap();
    let folder = TempDir::with_prefix("browser-test-").unwrap();
    let path = |name: &str| folder.path().join(name);

    // A module is looked for from where its importer really lies, so the agent is copied beside its modules.
    fs::copy(examples.join("agents/browser/agent.mjs"), path("agent.mjs")).unwrap();
    symlink(
        Path::new(&node_path).join("node_modules"),
        path("node_modules"),
    )
    .unwrap();
    fs::create_dir(path("home")).unwrap();
    fs::create_dir(path("temporary")).unwrap();

    // JSON is YAML too, and quotes whatever the paths contain.
    let spec = json!({
        "version": 1,
        "name": "browser",
        "fleet": {"endpoint": "local", "local": {"environments": [examples.join("environments")]}},
        "tasks": {"file": examples.join("tasks/helpdesk.json"), "include": [TASK]},
        "agent": {
            "command": ["node", path("agent.mjs")],
            "inherit_env": ["PATH", "HOME", "TMPDIR", "CHROMIUM_PATH"],
            "timeout": "120s",
        },
    });
    fs::write(
        path("browser.yaml"),
        serde_json::to_string_pretty(&spec).unwrap(),
    )
    .unwrap();

    let output = Command::new(env!("CARGO_BIN_EXE_harness"))
        .arg("run")
        .arg(path("browser.yaml"))
        .arg("--out")
        .arg(path("runs"))
        .env("CHROMIUM_PATH", chromium)
        .env("HOME", path("home"))
        .env("TMPDIR", path("temporary"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let trial = path("runs").join("latest/trials").join(TASK).join("1");
    let agent = || {
        fs::read_to_string(trial.join("stdout.log")).unwrap_or_default()
            + &fs::read_to_string(trial.join("stderr.log")).unwrap_or_default()
    };
    assert!(
        output.status.success(),
        "{}\n{said}\n{}",
        output.status,
        agent()
    );

    let rows = rows(&fs::read_to_string(path("runs").join("latest/results.csv")).unwrap());
    assert_eq!(rows.len(), 1, "{rows:?}");
    let cell = |name: &str| rows[0][name].as_str();
    assert_eq!(
        (cell("task_key"), cell("status"), cell("agent")),
        (TASK, "scored", "completed"),
        "{}",
        agent()
    );
    assert_eq!(
        (cell("score").parse(), cell("passed")),
        (Ok(1.0), "true"),
        "{}",
        agent()
    );
    assert_eq!(cell("teardown"), "released");
    // It went through the pages, and a picture of the last one is there to look at.
    assert!(
        cell("steps").parse::<u32>().is_ok_and(|steps| steps >= 5),
        "{}",
        agent()
    );
    assert!(fs::metadata(trial.join("last-page.png")).is_ok_and(|picture| picture.len() > 1000));
}

/// The rows of a results file, by column. No cell of this run needs quotes; if that changes, the count of cells says so.
fn rows(text: &str) -> Vec<HashMap<String, String>> {
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), columns.len(), "{line}");
        columns
            .iter()
            .zip(cells)
            .map(|(column, cell)| ((*column).to_owned(), cell.to_owned()))
            .collect()
    };
    lines.map(row).collect()
}
