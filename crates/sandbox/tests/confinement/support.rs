//! Starts the probe in a sandbox and reads what it says.

use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sandbox::{Gate, Launcher, Layers, Limits, Policy, Role};
use tempfile::TempDir;
use tokio::process::{Child, Command};

pub(crate) const PROBE: &str = env!("CARGO_BIN_EXE_sandbox-test-probe");
const LAUNCHER: &str = env!("CARGO_BIN_EXE_sandbox-test-launcher");

/// A folder to work in, and what a program in it may have.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) policy: Policy,
    /// Whose program it is; none is this user's.
    pub(crate) user: Option<u32>,
}

/// What came of one program.
pub(crate) struct Ran {
    pub(crate) layers: Layers,
    pub(crate) stdout: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut read = sandbox::system_paths();
        read.push(PathBuf::from(PROBE));
        let policy = Policy {
            read,
            write: vec![folder.path().to_owned()],
            ports: Vec::new(),
            role: Role::Program,
            limits: Limits {
                memory_bytes: Some(1 << 30),
                cpu_seconds: Some(10),
                file_bytes: Some(1 << 20),
                open_files: Some(64),
                processes: Some(32),
            },
        };
        Self {
            folder,
            policy,
            user: None,
        }
    }

    /// Starts the launcher; the program waits behind the gate.
    pub(crate) fn start(&self, gate: &Gate, command: &[&str]) -> Child {
        let command: Vec<OsString> = command.iter().map(OsString::from).collect();
        let (program, arguments) =
            Launcher::new(LAUNCHER).wrap(&self.policy, gate.path(), &command);
        let mut starter = Command::new(program);
        if let Some(user) = self.user {
            starter.uid(user).gid(user);
            let gate = gate.path();
            for (path, mode) in [
                (self.folder.path(), 0o777),
                (gate.parent().unwrap(), 0o711),
                (gate, 0o666),
            ] {
                std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
            }
        }
        starter
            .args(arguments)
            .env_clear()
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// Runs the probe with these words.
    pub(crate) async fn probe(&self, words: &[&str]) -> Ran {
        let command: Vec<&str> = [PROBE].iter().chain(words).copied().collect();
        self.run(&command).await
    }

    pub(crate) async fn run(&self, command: &[&str]) -> Ran {
        let gate = Gate::new().unwrap();
        let child = self.start(&gate, command);
        let visitor = gate.meet().await.unwrap();
        let layers = visitor.layers.clone();
        visitor.admit().await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        Ran {
            layers,
            stdout: String::from_utf8(output.stdout).unwrap(),
        }
    }

    /// What the probe says first.
    pub(crate) async fn says(&self, words: &[&str]) -> String {
        self.probe(words).await.stdout.trim().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> String {
        text(&self.folder.path().join(name))
    }
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
