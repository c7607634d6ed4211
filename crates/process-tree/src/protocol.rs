//! The words between the owner of a tree and its supervisor.
//!
//! Owner to shim: one [`Request`] as JSON behind its length (four bytes, little endian), then
//! single bytes. Shim to owner: [`Status`] values, one JSON line each. Both ends are always the
//! same build, so there is no version and nothing is tolerated.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::command::{Limits, StdinSource, TreeCommand};
use crate::exit::{HeldLimits, Survivor};

/// The longest request a shim reads. Linux refuses arguments beyond a quarter of the stack limit,
/// so this only keeps a broken length from being believed.
pub(crate) const MAX_REQUEST_BYTES: usize = 256 << 20;

/// The byte that asks for TERM, grace, KILL.
pub(crate) const TERMINATE: u8 = b'T';
/// The byte that asks for KILL at once.
pub(crate) const KILL: u8 = b'K';

/// What the shim is to run. It travels over the socket so that no secret of the environment is
/// ever on a command line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) program: Raw,
    pub(crate) args: Vec<Raw>,
    pub(crate) env: Vec<(Raw, Raw)>,
    pub(crate) cwd: Raw,
    pub(crate) stdin: Option<Raw>,
    pub(crate) grace_ms: u64,
    pub(crate) limits: WireLimits,
    pub(crate) level: u8,
    /// The folder in which a control group can be made for the tree; it must be at level 2.
    pub(crate) groups: Option<Raw>,
}

impl Request {
    pub(crate) fn new(command: &TreeCommand, level: u8, groups: Option<&Path>) -> Self {
        Self {
            program: Raw::new(&command.program),
            args: command.args.iter().map(|arg| Raw::new(arg)).collect(),
            env: command
                .env
                .iter()
                .map(|(name, value)| (Raw::new(name), Raw::new(value)))
                .collect(),
            cwd: Raw::new(command.cwd.as_os_str()),
            stdin: match &command.stdin {
                StdinSource::Null => None,
                StdinSource::File(path) => Some(Raw::new(path.as_os_str())),
            },
            grace_ms: u64::try_from(command.grace.as_millis()).unwrap_or(u64::MAX),
            limits: WireLimits::from(&command.limits),
            level,
            groups: groups.map(|folder| Raw::new(folder.as_os_str())),
        }
    }
}

/// [`Limits`] on the wire.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WireLimits {
    pub(crate) open_files: Option<u64>,
    pub(crate) core_bytes: Option<u64>,
    pub(crate) file_bytes: Option<u64>,
    pub(crate) address_space_bytes: Option<u64>,
    pub(crate) data_bytes: Option<u64>,
    pub(crate) cpu_seconds: Option<u64>,
    /// As the kernel counts it for `RLIMIT_NPROC`: of the whole user.
    pub(crate) user_processes: Option<u64>,
    pub(crate) tree_memory_bytes: Option<u64>,
    pub(crate) tree_processes: Option<u64>,
}

impl From<&Limits> for WireLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            open_files: limits.open_files,
            core_bytes: limits.core_bytes,
            file_bytes: limits.file_bytes,
            address_space_bytes: limits.address_space_bytes,
            data_bytes: limits.data_bytes,
            cpu_seconds: limits.cpu_seconds,
            user_processes: None,
            tree_memory_bytes: limits.tree_memory_bytes,
            tree_processes: limits.tree_processes,
        }
    }
}

/// What the shim tells, in this order: `Started` and `Running`, then `LeaderEnded` at most once, then
/// `Done`; or why there is no command, also after `Started`. A socket that closes without `Done` means the shim was killed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(crate) enum Status {
    /// There is a process for the command, which has not done anything yet. Said before it can, because
    /// the first thing it does may be to kill the shim.
    Started {
        pid: i32,
        /// The tree's own control group, if it has one.
        group: Option<Raw>,
        held: HeldLimits,
    },
    /// It runs the command.
    Running,
    CouldNotStart {
        step: Step,
        errno: i32,
    },
    /// The level that was asked for cannot be had; nothing has run.
    CannotContain {
        step: String,
        errno: i32,
    },
    LeaderEnded {
        end: End,
        stopped_by_us: bool,
    },
    Done {
        leaked: u32,
        survivors: Vec<Survivor>,
        oom_kills: u64,
    },
}

/// How the leader ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    Exited(i32),
    Signaled(i32),
}

/// The step in which a start failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    Prepare,
    Stdin,
    Fork,
    Session,
    Signals,
    Group,
    Limits,
    WorkingDir,
    Exec,
}

impl Step {
    /// Every step, in an order that gives each one a byte between fork and exec.
    pub(crate) const ALL: [Self; 9] = [
        Self::Prepare,
        Self::Stdin,
        Self::Fork,
        Self::Session,
        Self::Signals,
        Self::Group,
        Self::Limits,
        Self::WorkingDir,
        Self::Exec,
    ];

    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Prepare => "preparing the supervisor",
            Self::Stdin => "opening standard input",
            Self::Fork => "making the process",
            Self::Session => "setting its process group and privileges",
            Self::Signals => "resetting its signals",
            Self::Group => "moving it to its control group",
            Self::Limits => "setting its resource limits",
            Self::WorkingDir => "entering its working directory",
            Self::Exec => "executing the program",
        }
    }
}

/// A string of the operating system: text where it is text, else its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Raw {
    Text(String),
    Bytes(Vec<u8>),
}

impl Raw {
    pub(crate) fn new(value: &OsStr) -> Self {
        match value.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Bytes(value.as_bytes().to_vec()),
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    pub(crate) fn into_path(self) -> PathBuf {
        OsString::from_vec(self.into_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_that_is_not_text_keeps_its_bytes() {
        let odd = OsStr::from_bytes(b"a\xff\x00b");
        let json = serde_json::to_string(&Raw::new(odd)).unwrap();
        let back: Raw = serde_json::from_str(&json).unwrap();
        assert_eq!(back.into_path().as_os_str(), odd);
    }

    #[test]
    fn text_travels_as_text() {
        let json = serde_json::to_string(&Raw::new(OsStr::new("naïve"))).unwrap();
        assert_eq!(json, "\"naïve\"");
    }
}
