//! The official Python SDK, unmodified, against the real binary's `harness local`. What is done and asserted is in the scripts beside this
//! file; here is only what starts and ends them.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Far more than any wait here needs on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

const KEY: &str = "the-key-of-this-test";

/// A Python that has the SDK; `cargo xtask test` makes one.
const PYTHON: &str = "HARNESS_TEST_PYTHON";

#[test]
fn the_synchronous_sdk_lives_a_whole_life() {
    run("life_sync.py", &[]);
}

#[test]
fn the_asynchronous_sdk_lives_a_whole_life() {
    run("life_async.py", &[]);
}

#[test]
fn refusals_become_the_sdk_s_own_errors() {
    run("refusals.py", &["--instance-limit", "2"]);
}

/// Runs one script against a server of its own, then ends the server and looks for what it left.
#[track_caller]
fn run(script: &str, options: &[&str]) {
    let Some(python) = env::var_os(PYTHON) else {
        skipped(script);
        return;
    };
    let mut server = Server::start(&python, options);
    let output = server.folder.path().join("script.log");
    let log = File::create(&output).unwrap();
    let home = TempDir::new().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/sdk")
        .join(script);
    let mut child = Command::new(&python)
        .arg("-B")
        .arg(&script)
        // The SDK reads credentials from the home folder and settings from variables: only these.
        .env_clear()
        .envs(env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", home.path())
        .env("PYTHONUNBUFFERED", "1")
        .env("FLEET_API_KEY", KEY)
        .env("FLEET_BASE_URL", &server.base_url)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let status = wait(&mut child, "the script");
    let text = fs::read_to_string(output).unwrap();
    assert!(status.success(), "{status}\n{text}");
    assert!(
        text.ends_with(&format!(
            "done: {}\n",
            script.file_name().unwrap().display()
        )),
        "the script did not reach its end\n{text}"
    );
    server.stop();
}

#[expect(
    clippy::print_stderr,
    reason = "whoever runs the tests must see what did not run"
)]
fn skipped(script: &str) {
    eprintln!(
        "skipped: {script}: {PYTHON} names no Python with the official SDK; `cargo xtask test` makes one"
    );
}

struct Server {
    process: Child,
    base_url: String,
    /// Its TMPDIR, which every process that it starts is given: the name tells them from all others.
    folder: TempDir,
}

impl Server {
    fn start(python: &OsString, options: &[&str]) -> Self {
        let folder = TempDir::with_prefix("sdk-test-").unwrap();
        let temporary = folder.path().join("temporary");
        fs::create_dir(&temporary).unwrap();
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
        let mut process = Command::new(env!("CARGO_BIN_EXE_harness"))
            .args([
                "local",
                "--port",
                "0",
                "--json",
                "--api-key",
                KEY,
                "--environments",
            ])
            .arg(examples.join("environments"))
            .arg("--tasks")
            .arg(examples.join("tasks/helpdesk.json"))
            .arg("--tasks")
            .arg(examples.join("tasks/helpdesk-python.json"))
            .args(options)
            .env("TMPDIR", &temporary)
            .env("HARNESS_VERIFIER_PYTHON", python)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("server.log")).unwrap())
            .spawn()
            .unwrap();
        let stdout = process.stdout.take().unwrap();
        let (line, first_line) = mpsc::channel();
        thread::spawn(move || {
            let mut text = String::new();
            let read = BufReader::new(stdout).read_line(&mut text);
            // A receiver that gave up has failed the test already.
            let _ = line.send(read.map(|_| text));
        });
        let mut server = Self {
            process,
            base_url: String::new(),
            folder,
        };
        let line = first_line
            .recv_timeout(DEADLINE)
            .unwrap_or_else(|_| panic!("no address: {}", server.log()))
            .unwrap();
        let printed: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error}: {line:?} {}", server.log()));
        printed["base_url"]
            .as_str()
            .unwrap()
            .clone_into(&mut server.base_url);
        server
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }

    /// Asks it to end, and proves that nothing of it is left.
    fn stop(&mut self) {
        let asked = Command::new("kill")
            .args(["-TERM", &self.process.id().to_string()])
            .status()
            .unwrap();
        assert!(asked.success());
        let status = wait(&mut self.process, "the server");
        assert!(status.success(), "{status}: {}", self.log());
        let temporary = self.folder.path().join("temporary");
        let files: Vec<PathBuf> = fs::read_dir(&temporary)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(files.is_empty(), "left behind: {files:?}");
        let processes = marked(temporary.to_str().unwrap());
        assert!(processes.is_empty(), "left behind: {processes:?}");
    }
}

impl Drop for Server {
    /// After a failure; its apps end with it.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Command lines of processes that have the text in their arguments or variables.
fn marked(text: &str) -> Vec<String> {
    let has = |bytes: &[u8]| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let folder = entry.unwrap().path();
        // What cannot be read ended meanwhile, or is somebody else's.
        let read = |name: &str| fs::read(folder.join(name)).unwrap_or_default();
        let arguments = read("cmdline");
        if has(&arguments) || has(&read("environ")) {
            found.push(format!(
                "{} {}",
                folder.display(),
                String::from_utf8_lossy(&arguments).replace('\0', " ")
            ));
        }
    }
    found
}

fn wait(child: &mut Child, what: &str) -> ExitStatus {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("{what} did not end within {} s", DEADLINE.as_secs());
        }
        thread::sleep(Duration::from_millis(10));
    }
}
