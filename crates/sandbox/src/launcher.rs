//! The command line of the executed binary: how a program is started confined.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::policy::Policy;

/// How the confining process is started: a program whose `main` calls [`sandbox_main`](crate::sandbox_main).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher {
    program: PathBuf,
}

impl Launcher {
    /// The running binary itself. The path goes through `/proc`, so it stays the same program when the file is replaced.
    ///
    /// For commands whose supervisor is the same binary: `/proc/self` is looked up by it.
    pub fn current_exe() -> Self {
        Self::new("/proc/self/exe")
    }

    /// Another program, by absolute path.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
        }
    }

    /// The program to start instead of `command`, and its arguments.
    ///
    /// Paths of the policy that are not UTF-8 are not granted: the policy travels as JSON.
    pub fn wrap(
        &self,
        policy: &Policy,
        gate: &Path,
        command: &[OsString],
    ) -> (OsString, Vec<OsString>) {
        let mut policy = policy.clone();
        for paths in [&mut policy.read, &mut policy.write] {
            paths.retain(|path| path.to_str().is_some());
        }
        let policy = serde_json::to_string(&policy).expect("its paths are text now");
        let head: [&OsStr; 3] = [
            OsStr::new(crate::entry::ARGUMENT),
            gate.as_os_str(),
            OsStr::new(&policy),
        ];
        let arguments = head.into_iter().map(OsStr::to_owned);
        (
            self.program.clone().into_os_string(),
            arguments.chain(command.iter().cloned()).collect(),
        )
    }
}
