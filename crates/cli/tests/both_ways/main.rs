//! The same calls by the official SDK and by `fleet-api`, each at a server that records what it is asked: the requests are compared
//! field by field, headers included.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod differences;
#[path = "../local_server/mod.rs"]
mod local_server;
mod meant;
mod page;
mod request;
mod retries;
mod rust;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use differences::{Difference, Meant, between};
use fleet_api::Client;
use local_server::{KEY, Server, run};
use meant::{MEANT, MEANT_OF_HALVES};
use request::{Names, Request};
use rust::CASES;
use serde_json::Value;

/// A Python that has the SDK; `cargo xtask test` makes one.
const PYTHON: &str = "HARNESS_TEST_PYTHON";

/// Beyond what a busy machine needs.
const LIMIT: Duration = Duration::from_secs(180);

/// In a server's folder: the requests, a line each.
const RECORD: &str = "requests.jsonl";

/// So that instances have no browser, whatever the machine has.
const NO_BROWSER: &str = "/no/such/browser";

/// Asked for by the SDK once for each environment, by `fleet-api` once for each client, where it is first needed.
const RUNNER_TOKEN: &str = "/v1/runner-auth/token";

/// The case in which the server, too, uses the SDK.
const FUNCTION: &str = "execute-a-function";
const FUNCTION_PATH: &str = "/execute_verifier_function";

/// The asynchronous half of the SDK has no such calls.
const NOT_ASYNC: &[&str] = &[
    "jobs",
    "job",
    "create-a-job",
    "create-a-job-with-everything",
];

/// One case: the requests of both sides.
struct Compared {
    case: &'static str,
    sdk: Vec<Request>,
    rust: Vec<Request>,
}

#[test]
fn the_official_sdk_and_fleet_api_send_the_same_requests() {
    let Some(python) = env::var_os(PYTHON) else {
        return skipped();
    };
    let server = || {
        let verifier_python = env::var_os(PYTHON).unwrap();
        Server::start(|command, folder| {
            command
                .arg("--environments")
                .arg(script("../conformance/environments"))
                .arg("--record")
                .arg(folder.join(RECORD))
                .env("HARNESS_BROWSER", NO_BROWSER)
                .env("HARNESS_VERIFIER_PYTHON", verifier_python);
        })
    };
    let of_half = |half: &str| {
        let server = server();
        fs::create_dir(server.path("home")).unwrap();
        let mut command = Command::new(&python);
        command.arg("-B").arg(script("sdk.py")).arg(half);
        sdk(&mut command, &server.base_url, &server.path("home"));
        let (status, text) = run(&mut command, &server.path("sdk.log"), LIMIT);
        assert!(status.success() && text.ends_with("done\n"), "{text}");
        (recorded(server), text)
    };
    let (of_sdk, text) = of_half("sync");
    let (of_async, _) = of_half("async");
    let of_rust = server();
    let fleet = Client::builder(KEY.to_owned().into())
        .base_url(&of_rust.base_url)
        .build()
        .unwrap();
    runtime().block_on(async {
        tokio::time::timeout(LIMIT, rust::make_all(fleet))
            .await
            .unwrap();
    });
    let of_rust = recorded(of_rust);
    let compared = cases(&of_sdk, &of_rust);
    assert_meant(&compared, MEANT, &text);
    let mut halves = cases(&of_sdk, &of_async);
    halves.retain(|case| !NOT_ASYNC.contains(&case.case));
    assert_meant(&halves, MEANT_OF_HALVES, &text);
    page::check(&compared);
}

/// Every difference is meant, and everything that is meant is seen.
fn assert_meant(compared: &[Compared], meant: &[Meant], text: &str) {
    let mut faults = Vec::new();
    let mut used = vec![false; meant.len()];
    for case in compared {
        for difference in case.differences() {
            match case.meant(meant, &difference) {
                Some(index) => used[index] = true,
                None => faults.push(format!("{}: {difference:?}", case.case)),
            }
        }
    }
    assert!(faults.is_empty(), "{}\n{text}", faults.join("\n"));
    for (meant, used) in meant.iter().zip(used) {
        assert!(used, "no request shows: {}", meant.place);
    }
}

/// Ends the server and reads what it was asked.
fn recorded(server: Server) -> Vec<Value> {
    let folder = server.stop();
    let requests = fs::read_to_string(folder.path().join(RECORD)).unwrap();
    let request = |line| serde_json::from_str(line).unwrap();
    requests.lines().map(request).collect()
}

impl Compared {
    /// Of the requests one by one, and of how many there are.
    fn differences(&self) -> Vec<Difference> {
        let pairs = self.sdk.iter().zip(&self.rust);
        let mut all: Vec<Difference> = pairs.flat_map(|(sdk, rust)| between(sdk, rust)).collect();
        if self.sdk.len() != self.rust.len() {
            let lines = |requests: &[Request]| {
                let lines: Vec<&str> = requests.iter().map(|request| &*request.line).collect();
                Some(lines.join(", "))
            };
            all.push(Difference {
                place: "number of requests".to_owned(),
                sdk: lines(&self.sdk),
                rust: lines(&self.rust),
            });
        }
        all
    }

    fn meant(&self, meant: &[Meant], difference: &Difference) -> Option<usize> {
        meant
            .iter()
            .position(|meant| meant.covers(self.case, difference))
    }
}

/// Both records, cut at the requests that mark the cases.
fn cases(sdk: &[Value], rust: &[Value]) -> Vec<Compared> {
    let (mut sdk, mut rust) = (cut(sdk), cut(rust));
    assert_eq!(sdk.len(), CASES.len(), "cases of the SDK");
    assert_eq!(rust.len(), CASES.len(), "cases of fleet-api");
    CASES
        .iter()
        .zip(sdk.drain(..).zip(rust.drain(..)))
        .map(|(case, (sdk, rust))| {
            assert_eq!((sdk.0.as_str(), rust.0.as_str()), (*case, *case));
            Compared {
                case,
                sdk: sdk.1,
                rust: rust.1,
            }
        })
        .collect()
}

fn cut(recorded: &[Value]) -> Vec<(String, Vec<Request>)> {
    let mut names = Names::default();
    let mut cases: Vec<(String, Vec<Request>)> = Vec::new();
    for line in recorded {
        let path = line["path"].as_str().unwrap();
        if let Some(case) = path.strip_prefix("/v1/env/case-") {
            cases.push((case.to_owned(), Vec::new()));
            continue;
        }
        let (case, requests) = cases.last_mut().unwrap();
        // The function asks its instance for this and that; it is the server that runs it.
        let is_of_function = case == FUNCTION && !path.ends_with(FUNCTION_PATH);
        if path != RUNNER_TOKEN && !is_of_function {
            requests.push(names.request(line));
        }
    }
    cases
}

/// The SDK reads credentials from the home folder and settings from variables: only these.
fn sdk(command: &mut Command, base_url: &str, home: &Path) {
    command
        .env_clear()
        .envs(env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", home)
        .env("FLEET_API_KEY", KEY)
        .env("FLEET_BASE_URL", base_url)
        // The uploader has a variable of its own.
        .env("FLEET_API_URL", base_url);
}

fn script(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/both_ways");
    folder.join(name)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[expect(
    clippy::print_stderr,
    reason = "says why nothing was tested; `cargo xtask test` sums it up"
)]
fn skipped() {
    eprintln!("skipped: {PYTHON} names no Python with the SDK");
}
