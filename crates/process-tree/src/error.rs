//! Why a command could not be started. A command that started and failed is no error: see
//! [`LeaderStatus`](crate::LeaderStatus).

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// The command did not run at all. Only [`SpawnError::is_transient`] ones are worth a repeat.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// No such program, neither as a path nor in the command's `PATH`.
    #[error("program {program:?} was not found")]
    NotFound {
        /// The program as it was given.
        program: String,
    },
    /// The file is there but the system refuses to execute it.
    #[error("program {program:?} cannot be executed ({hint})")]
    NotExecutable {
        /// The program as it was given.
        program: String,
        /// What is most likely wrong with it.
        hint: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The working directory is missing or may not be entered.
    #[error("working directory {path:?} cannot be entered")]
    WorkingDir {
        /// The directory as it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file for standard input cannot be read.
    #[error("standard input {path:?} cannot be opened")]
    Stdin {
        /// The file as it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file for an output stream cannot be written.
    #[error("output file {path:?} cannot be created")]
    Output {
        /// The file as it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Arguments and environment together are longer than the system allows.
    #[error("arguments and environment are too long for the system ({bytes} bytes)")]
    ArgumentsTooLong {
        /// Their length, in bytes.
        bytes: usize,
    },
    /// The program's name, an argument or a variable holds a NUL byte, or a variable's name is
    /// empty or holds `=`.
    #[error("{what} cannot be passed to a program")]
    Unpassable {
        /// Which of them.
        what: String,
    },
    /// The level of containment that was required cannot be had here.
    #[error("containment level {required} is not available: {reason}")]
    Containment {
        /// The level that was asked for.
        required: u8,
        /// Why not.
        reason: String,
    },
    /// The supervisor could not be started or did not answer.
    #[error("the process supervisor failed to start: {what}")]
    Shim {
        /// In which step.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no room for another process.
    #[error("no new process could be made")]
    Fork {
        /// What the system said.
        source: io::Error,
    },
    /// A step between fork and exec failed in the new process.
    #[error("the new process could not be prepared: {step}")]
    Setup {
        /// Which step.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// This operating system is not supported.
    #[error("running commands is only supported on Linux")]
    Unsupported,
}

impl SpawnError {
    /// Whether the cause is a shortage of the machine (processes, memory, descriptors) that may
    /// pass, and not the command itself.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Fork { .. } => true,
            Self::Shim { source, .. }
            | Self::Setup { source, .. }
            | Self::NotExecutable { source, .. }
            | Self::Output { source, .. }
            | Self::Stdin { source, .. } => is_shortage(source),
            _ => false,
        }
    }
}

pub(crate) fn is_shortage(error: &io::Error) -> bool {
    use nix::libc::{EAGAIN, EMFILE, ENFILE, ENOMEM, ETXTBSY};
    error.kind() == io::ErrorKind::TimedOut
        || matches!(
            error.raw_os_error(),
            Some(EAGAIN | EMFILE | ENFILE | ENOMEM | ETXTBSY)
        )
}
