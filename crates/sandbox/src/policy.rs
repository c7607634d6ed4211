//! What a confined program may have. Pure data.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a program may have. Nothing else of files, network and other processes is left to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Files and folders (with all below) that may be read and executed. What does not exist is passed over.
    pub read: Vec<PathBuf>,
    /// Files and folders (with all below) that may be written as well.
    pub write: Vec<PathBuf>,
    /// The loopback ports that may be connected to.
    pub ports: Vec<u16>,
    /// What kind of program it is.
    pub role: Role,
    /// How much it may use.
    pub limits: Limits,
}

/// What kind of program is confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Untrusted code, for good.
    Program,
    /// Our own code, which takes more away from its children before they run untrusted code: it keeps Unix sockets, process
    /// groups and the making of namespaces.
    Worker,
}

/// Resource limits of each process (`setrlimit`); `None` leaves what is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of address space.
    pub memory_bytes: Option<u64>,
    /// Seconds of processor time.
    pub cpu_seconds: Option<u64>,
    /// Bytes of any one file.
    pub file_bytes: Option<u64>,
    /// Open files.
    pub open_files: Option<u64>,
    /// Processes and threads of the sandbox together.
    pub processes: Option<u64>,
}
