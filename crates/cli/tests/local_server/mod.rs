//! A `harness local` of a test's own, and programs that are given a time.

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

/// Far more than a start or an end needs on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

pub(crate) const KEY: &str = "the-key-of-this-test";

/// A server with the demo's environment and tasks, which records what it is asked.
pub(crate) struct Server {
    process: Child,
    pub(crate) base_url: String,
    folder: TempDir,
}

impl Server {
    /// With these variables.
    pub(crate) fn start_with(variables: &[(&str, OsString)]) -> Self {
        let folder = TempDir::with_prefix("local-").unwrap();
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command
            .args(["local", "--port", "0", "--json", "--api-key", KEY])
            .arg("--environments")
            .arg(examples.join("environments"));
        for file in ["helpdesk.json", "helpdesk-python.json"] {
            command
                .arg("--tasks")
                .arg(examples.join("tasks").join(file));
        }
        let mut process = command
            .arg("--record")
            .arg(folder.path().join("requests.jsonl"))
            .env("TMPDIR", folder.path())
            .envs(variables.iter().map(|(name, value)| (name, value)))
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

    /// Ends it, proves that it ended well, and returns the requests that it recorded.
    pub(crate) fn stop(mut self) -> Vec<Value> {
        let asked = Command::new("kill")
            .args(["-TERM", &self.process.id().to_string()])
            .status()
            .unwrap();
        assert!(asked.success());
        let status = wait(&mut self.process, DEADLINE, "the server");
        assert!(status.success(), "{status}: {}", self.log());
        self.requests()
    }

    /// What it has recorded by now; complete only after its end.
    pub(crate) fn requests(&self) -> Vec<Value> {
        fs::read_to_string(self.folder.path().join("requests.jsonl"))
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("server.log")).unwrap_or_default()
    }
}

impl Drop for Server {
    /// After a failure; its apps end with it.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a program to its end; returns whether it was content, and what it said.
pub(crate) fn run(command: &mut Command, log: &Path, limit: Duration) -> (ExitStatus, String) {
    let file = File::create(log).unwrap();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap();
    let status = wait(&mut child, limit, "the program");
    let text = String::from_utf8_lossy(&fs::read(log).unwrap()).into_owned();
    (status, text)
}

fn wait(child: &mut Child, limit: Duration, what: &str) -> ExitStatus {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{what} did not end within {} s", limit.as_secs());
        }
        thread::sleep(Duration::from_millis(10));
    }
}
