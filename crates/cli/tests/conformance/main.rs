//! The official Python SDK, unmodified, against the real binary's `harness local`. What is done and asserted is in the Python package
//! `suite` beside this file, and what of the SDK it covers in docs/sdk-conformance.md; here is what starts and ends them.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

#[path = "../local_server/mod.rs"]
mod local_server;

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::local_server::{KEY, Server};

/// A Python that has the SDK; `cargo xtask test` makes one.
const PYTHON: &str = "HARNESS_TEST_PYTHON";

/// A Chromium or Chrome, which `cargo xtask test` finds.
const CHROMIUM: &str = "HARNESS_TEST_CHROMIUM";

/// The variable of the server with what callers of its judge must send; the same as the key.
const JUDGE_TOKEN: &str = "CONFORMANCE_JUDGE_TOKEN";

/// Far more than a topic needs on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// Options of a server with a judge.
const JUDGE: &[&str] = &["--judge-command", "python3 grade.py"];

/// One test for each topic, so that they run beside each other and each is named when it fails.
macro_rules! topics {
    ($($test:ident: $topic:literal, $options:expr;)*) => {
        $(
            #[test]
            fn $test() {
                run_topic($topic, $options);
            }
        )*

        /// The browser's topic has a test of its own, below.
        const TOPICS: &[&str] = &[BROWSER, $($topic),*];
    };
}

topics! {
    apps_of_one_instance_are_managed_apart: "apps", &[];
    the_catalogue_and_the_account_are_read: "catalogue", &[];
    an_agent_is_evaluated_on_this_machine: "evaluation", JUDGE;
    every_refusal_becomes_the_sdk_s_own_error: "errors", &["--instance-limit", "2"];
    files_and_documents_are_read: "files", &[];
    the_command_line_of_the_sdk_works: "flt", JUDGE;
    instances_live_a_whole_life: "instances", &[];
    jobs_are_listed: "jobs", &[];
    a_judge_grades: "judge", &["--judge-command", "python3 grade.py", "--judge-token-env", JUDGE_TOKEN];
    databases_without_a_server_are_compared_alike: "local", &[];
    the_manager_answers: "manager", &[];
    the_tools_of_an_instance_are_found: "mcp", &[];
    sessions_are_logged_and_read: "sessions", &[];
    differences_are_judged: "snapshots", &[];
    databases_are_queried: "sqlite", &[];
    tasks_are_read_written_and_verified: "tasks", &[];
    traffic_is_uploaded: "uploader", &[];
    verifiers_are_executed: "verifiers", &[];
}

/// The topic that needs a browser on this machine.
const BROWSER: &str = "browser";

#[test]
fn a_browser_is_started_and_reached() {
    if env::var_os(CHROMIUM).is_some() {
        run_topic(BROWSER, &[]);
    } else {
        skipped(BROWSER, CHROMIUM, "no Chromium");
    }
}

#[test]
fn the_page_names_every_public_member_of_the_sdk() {
    let Some(python) = python("the page") else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let (succeeded, text) = suite(&python, folder.path(), &["topics".into()], None);
    assert!(succeeded, "{text}");
    let tested: BTreeSet<&str> = TOPICS.iter().copied().collect();
    assert_eq!(
        text.lines().collect::<BTreeSet<_>>(),
        tested,
        "a topic has no test here, or a test no topic"
    );
    let (succeeded, text) = suite(
        &python,
        folder.path(),
        &["page".into(), page().into()],
        None,
    );
    assert!(succeeded, "{text}");
}

/// They come with the SDK; none of them asks a server for anything that a default of theirs does not fake.
#[test]
fn the_sdk_s_own_tests_pass() {
    let Some(python) = python("the SDK's own tests") else {
        return;
    };
    let server = server(&python, &[]);
    let tests = python_value(
        &python,
        "import pathlib, fleet; print(pathlib.Path(fleet.__file__).parents[1] / 'tests')",
    );
    let mut command = Command::new(&python);
    command
        .args(["-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"])
        // What the SDK's own project file says; the wheel does not have it.
        .args(["-o", "asyncio_mode=auto", "-W", "ignore", "--rootdir"])
        .arg(&tests)
        // Those of `flt track`, which sends a person's coding sessions to the hosted service.
        .arg(format!("--ignore={tests}/track"))
        .arg(&tests);
    let (succeeded, text) = run(command, &server.path("."), Some(&server.base_url));
    assert!(succeeded, "{text}");
    let summary = text.lines().last().unwrap();
    let counts = summary.split(" in ").next().unwrap();
    let page = fs::read_to_string(page()).unwrap();
    assert!(
        page.contains(counts),
        "docs/sdk-conformance.md does not say {counts:?}"
    );
    server.stop();
}

/// Does one topic against a server of its own, then ends the server and looks for what it left.
#[track_caller]
fn run_topic(topic: &str, options: &[&str]) {
    let Some(python) = python(topic) else {
        return;
    };
    let server = server(&python, options);
    let arguments = ["run".into(), topic.into()];
    let (succeeded, text) = suite(
        &python,
        &server.path("."),
        &arguments,
        Some(&server.base_url),
    );
    assert!(succeeded, "{text}\n{}", server.log());
    assert!(
        text.ends_with(&format!("done: {topic}\n")),
        "the topic did not reach its end\n{text}"
    );
    server.stop();
}

/// Runs the package `suite`; whether it succeeded, and what it said.
fn suite(
    python: &OsString,
    folder: &Path,
    arguments: &[OsString],
    base_url: Option<&str>,
) -> (bool, String) {
    let mut command = Command::new(python);
    command.args(["-B", "-m", "suite"]).args(arguments);
    run(command, folder, base_url)
}

/// Whether a program succeeded, and what it said.
fn run(mut command: Command, folder: &Path, base_url: Option<&str>) -> (bool, String) {
    let home = TempDir::new().unwrap();
    command
        .current_dir(folder_of_the_suite())
        // The SDK reads credentials from the home folder and settings from variables: only these.
        .env_clear()
        .envs(env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", home.path())
        .env("PYTHONUNBUFFERED", "1")
        .env("FLEET_API_KEY", KEY);
    if let Some(url) = base_url {
        // The uploader has a variable of its own.
        command.env("FLEET_BASE_URL", url).env("FLEET_API_URL", url);
    }
    let log = folder.join("program.log");
    let (status, text) = local_server::run(&mut command, &log, LIMIT);
    (status.success(), text)
}

/// A server with the demo and an environment of two apps.
fn server(python: &OsString, options: &[&str]) -> Server {
    Server::start(|command, _| {
        command
            .arg("--environments")
            .arg(folder_of_the_suite().join("environments"))
            .args(options)
            // What the judge's command is relative to.
            .current_dir(folder_of_the_suite())
            .env(JUDGE_TOKEN, KEY)
            .env("HARNESS_VERIFIER_PYTHON", python)
            .envs(env::var_os(CHROMIUM).map(|path| ("HARNESS_BROWSER", path)));
    })
}

fn python_value(python: &OsString, source: &str) -> String {
    let output = Command::new(python).args(["-c", source]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn python(what: &str) -> Option<OsString> {
    let found = env::var_os(PYTHON);
    if found.is_none() {
        skipped(what, PYTHON, "no Python with the official SDK");
    }
    found
}

#[expect(
    clippy::print_stderr,
    reason = "whoever runs the tests must see what did not run"
)]
fn skipped(what: &str, variable: &str, names: &str) {
    eprintln!("skipped: {what}: {variable} names {names}; `cargo xtask test` sets it");
}

fn folder_of_the_suite() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sdk-conformance.md")
}
