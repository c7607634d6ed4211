//! What a measurement runs on: the release binary, a folder, an embedded server in a process of its own with an
//! environment and tasks that cost next to nothing.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::command;
use crate::workspace::Workspace;

/// The argument by which this program knows that it is the app of an environment.
pub(crate) const APP: &str = "__app";

/// A folder with everything that a run needs.
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) harness: PathBuf,
}

impl Place {
    /// Builds the binary and makes the folder anew.
    pub(super) fn new(name: &str) -> Result<Self> {
        let workspace = Workspace::load()?;
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build
            .args(["build", "--release", "--locked", "--package", "cli"])
            .current_dir(&workspace.root);
        command::run(&mut build)?;
        let folder = workspace.target.join("measure").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).context("could not remove what was measured before")?;
        }
        fs::create_dir_all(folder.join("environments/empty"))?;
        let place = Self {
            harness: workspace.target.join("release/harness"),
            folder,
        };
        let own = std::env::current_exe()?;
        // JSON is YAML, and quotes what is in a path.
        let package = serde_json::json!({
            "key": "empty",
            "name": "Empty",
            "versions": {"v1": "2026-01-01"},
            "data": {"default": {"current": "empty.sql"}},
            "apps": {"web": {"command": [own, APP, "{port}"], "health": "/", "url": "/"}},
        });
        place.write("environments/empty/environment.yaml", &package.to_string())?;
        place.write(
            "environments/empty/empty.sql",
            "CREATE TABLE notes (id INTEGER);\n",
        )?;
        Ok(place)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.folder.join(name), text).with_context(|| format!("could not write {name}"))
    }

    /// Tasks that are passed by doing nothing.
    pub(super) fn write_tasks(&self, count: usize) -> Result<()> {
        let mut text = String::from("[\n");
        for number in 0..count {
            let end = if number + 1 == count { "\n]\n" } else { ",\n" };
            write!(
                text,
                r#"{{"key": "task-{number:06}", "prompt": "Change nothing.", "env_id": "empty", "version": "v1", "data_id": "default", "verifier": {{"kind": "state", "expect": []}}}}{end}"#
            )?;
        }
        self.write("tasks.json", &text)
    }

    /// A spec for these tasks at the server, with the agent `true`.
    pub(super) fn write_spec(&self, url: &str, at_once: usize) -> Result<()> {
        let spec = serde_json::json!({
            "version": 1,
            "name": "measure",
            "fleet": {
                "endpoint": url,
                "rate_limit": {"requests_per_second": 10_000, "creates_per_second": 10_000},
            },
            "tasks": {"file": "tasks.json"},
            "agent": {"command": ["true"], "timeout": "60s", "grace_period": "1s"},
            "environment": {"ready_timeout": "60s"},
            "concurrency": at_once,
            "report": {"dir": "runs", "formats": ["csv", "json"]},
        });
        self.write("spec.yaml", &spec.to_string())
    }

    /// The binary, in the folder.
    pub(super) fn harness(&self) -> Command {
        let mut command = Command::new(&self.harness);
        command
            .current_dir(&self.folder)
            .env("FLEET_API_KEY", "any")
            .stdin(Stdio::null());
        command
    }

    /// Starts the embedded server, which forgets everything with its end.
    pub(super) fn server(&self) -> Result<Server> {
        self.server_with(&[])
    }

    /// As [`Place::server`], with more options.
    pub(super) fn server_with(&self, options: &[&str]) -> Result<Server> {
        let mut child = self
            .harness()
            .args([
                "local",
                "--port",
                "0",
                "--json",
                "--instance-limit",
                "100000",
            ])
            .args(["--environments", "environments"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(File::create(self.folder.join("server.log"))?)
            .spawn()
            .context("could not start the embedded server")?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("its output is a pipe")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let started: serde_json::Value = serde_json::from_str(&line)
            .with_context(|| format!("the server says {line:?}; see server.log"))?;
        let url = started["base_url"].as_str().context("it says where")?;
        Ok(Server {
            child,
            url: url.to_owned(),
        })
    }
}

/// The embedded server. Killed if it is not stopped.
pub(super) struct Server {
    child: Child,
    pub(super) url: String,
}

impl Server {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its status and body for a request.
    pub(super) fn call(&self, method: &str, path: &str, body: &str) -> Result<(u16, String)> {
        let address = self.url.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer any\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("it is no answer")?;
        let status = head.split(' ').nth(1).context("it has no status")?;
        Ok((status.parse()?, body.to_owned()))
    }

    /// Ends it as Ctrl-C would, and fails unless it ends well.
    pub(super) fn stop(mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        command::run(Command::new("kill").args(["-INT", &pid]))?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the embedded server ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The app of the environment: answers 200 to everything until it is ended.
pub(crate) fn app(port: &str) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port.parse::<u16>()?))?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        let _ = stream.read(&mut [0; 4096]);
        let _ =
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    Ok(())
}

/// The only run below a folder of runs.
pub(super) fn run_folder(runs: &Path) -> Result<PathBuf> {
    let latest = runs.join("latest").canonicalize();
    latest.context("the run left no folder; see harness.log")
}
