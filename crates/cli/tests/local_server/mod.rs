//! A `harness local` of a test's own: how it is started and ended, what it must not leave behind, and programs that are given a time.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::mem;
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

/// The server's TMPDIR, in its folder.
const TEMPORARY: &str = "temporary";

/// A server with the demo's environment and tasks.
pub(crate) struct Server {
    process: Child,
    pub(crate) base_url: String,
    folder: TempDir,
}

impl Server {
    /// With what `configure` adds to its command; it is given the folder of the server as well.
    pub(crate) fn start(configure: impl FnOnce(&mut Command, &Path)) -> Self {
        let folder = TempDir::with_prefix("local-server-").unwrap();
        // Every process that it starts is given this name, which tells them from all others.
        let temporary = folder.path().join(TEMPORARY);
        fs::create_dir(&temporary).unwrap();
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command
            .args(["local", "--port", "0", "--json", "--api-key", KEY])
            .arg("--environments")
            .arg(examples.join("environments"))
            .env("TMPDIR", &temporary);
        for file in ["helpdesk.json", "helpdesk-python.json"] {
            command
                .arg("--tasks")
                .arg(examples.join("tasks").join(file));
        }
        configure(&mut command, folder.path());
        let mut process = command
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

    /// Asks it to end, proves that it ended well and that nothing of it is left, and returns its folder.
    pub(crate) fn stop(mut self) -> TempDir {
        let asked = Command::new("kill")
            .args(["-TERM", &self.process.id().to_string()])
            .status()
            .unwrap();
        assert!(asked.success());
        let status = wait(&mut self.process, DEADLINE, "the server");
        assert!(status.success(), "{status}: {}", self.log());
        let temporary = self.path(TEMPORARY);
        let files: Vec<PathBuf> = fs::read_dir(&temporary)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(files.is_empty(), "left behind: {files:?}");
        let processes = marked(temporary.to_str().unwrap());
        assert!(processes.is_empty(), "left behind: {processes:?}");
        mem::replace(&mut self.folder, TempDir::new().unwrap())
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
