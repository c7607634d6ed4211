//! A `harness local` of a test's own: how it is started and ended, and what it must not leave behind.

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

use crate::{CHROMIUM, folder_of_the_suite};

/// Far more than any wait here needs on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

pub(crate) const KEY: &str = "the-key-of-this-test";

/// The variable of the server with what callers of its judge must send; the same as the key.
pub(crate) const JUDGE_TOKEN: &str = "CONFORMANCE_JUDGE_TOKEN";

pub(crate) struct Server {
    process: Child,
    pub(crate) base_url: String,
    /// Its TMPDIR, which every process that it starts is given: the name tells them from all others.
    pub(crate) folder: TempDir,
}

impl Server {
    pub(crate) fn start(python: &OsString, options: &[&str]) -> Self {
        let folder = TempDir::with_prefix("conformance-").unwrap();
        let temporary = folder.path().join("temporary");
        fs::create_dir(&temporary).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_harness"))
            .args(["local", "--port", "0", "--json", "--api-key", KEY])
            .args(offered())
            .args(options)
            // What the judge's command is relative to.
            .current_dir(folder_of_the_suite())
            .env("TMPDIR", &temporary)
            .env(JUDGE_TOKEN, KEY)
            .env("HARNESS_VERIFIER_PYTHON", python)
            .envs(env::var_os(CHROMIUM).map(|path| ("HARNESS_BROWSER", path)))
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

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }

    /// Asks it to end, and proves that nothing of it is left.
    pub(crate) fn stop(mut self) {
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

/// The demo and an environment with two apps.
fn offered() -> Vec<OsString> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let examples = own.join("../../examples");
    let mut arguments = Vec::new();
    for folder in [
        examples.join("environments"),
        folder_of_the_suite().join("environments"),
    ] {
        arguments.extend(["--environments".into(), folder.into_os_string()]);
    }
    for file in ["helpdesk.json", "helpdesk-python.json"] {
        let path = examples.join("tasks").join(file);
        arguments.extend(["--tasks".into(), path.into_os_string()]);
    }
    arguments
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

pub(crate) fn wait(child: &mut Child, what: &str) -> ExitStatus {
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
