//! What is to be run, and how: the description handed to [`spawn`](crate::spawn).
//!
//! Pure data; nothing here touches the system.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use redact::Redactor;

/// How the supervisor is started: a program whose `main` calls [`shim_main`](crate::shim_main).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shim {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
}

impl Shim {
    /// The running binary itself with the argument `__shim`.
    ///
    /// The path goes through `/proc`, so it stays the same program when the file is replaced
    /// by an upgrade during a run.
    pub fn current_exe() -> Self {
        Self::new("/proc/self/exe", ["__shim"])
    }

    /// Another program, by absolute path. Tests use a helper that only calls `shim_main`.
    pub fn new<A>(program: impl Into<PathBuf>, args: impl IntoIterator<Item = A>) -> Self
    where
        A: Into<OsString>,
    {
        Self {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
        }
    }
}

/// A command and everything it is given. Nothing is inherited from the caller except the user,
/// the umask and the scheduling priority.
#[derive(Debug, Clone)]
pub struct TreeCommand {
    /// With a `/` in it a path, relative to `cwd`; without one it is looked for in the `PATH` of `env`.
    pub program: OsString,
    /// Arguments after the program's own name.
    pub args: Vec<OsString>,
    /// The complete environment.
    pub env: Vec<(OsString, OsString)>,
    /// The working directory; must exist.
    pub cwd: PathBuf,
    /// Where standard input comes from.
    pub stdin: StdinSource,
    /// Where standard output goes.
    pub stdout: OutputSink,
    /// Where standard error goes.
    pub stderr: OutputSink,
    /// Remember the last line of standard output that starts with `{`, whatever is dropped from
    /// the sink, in [`TreeExit::last_json_line`](crate::TreeExit::last_json_line).
    pub watch_last_json_line: bool,
    /// Secrets: replaced in both streams before anything is kept, across chunk borders too.
    pub mask: Redactor,
    /// The time between TERM and KILL when the tree is asked to stop.
    pub grace: Duration,
    /// Limits of the command and of everything it starts.
    pub limits: Limits,
    /// How strictly the tree is contained.
    pub containment: Containment,
}

impl TreeCommand {
    /// A command without arguments and environment, with empty standard input, output thrown
    /// away, ten seconds of grace, no core dumps and the best containment there is.
    pub fn new(program: impl Into<OsString>, cwd: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: cwd.into(),
            stdin: StdinSource::Null,
            stdout: OutputSink::Null,
            stderr: OutputSink::Null,
            watch_last_json_line: false,
            mask: Redactor::default(),
            grace: Duration::from_secs(10),
            limits: Limits::default(),
            containment: Containment::default(),
        }
    }
}

/// Where the command's standard input comes from. It is never the caller's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StdinSource {
    /// `/dev/null`: every read gets the end of the file at once.
    #[default]
    Null,
    /// The content of a file, opened read-only before the command starts.
    File(PathBuf),
}

/// Where one output stream goes.
///
/// Every sink but `Null` keeps at most `limit` bytes: the head of the stream, then a line that
/// says how many bytes were dropped, then the tail (half the limit, at most 1 MiB). The stream is
/// always drained, so a command never blocks on a full sink.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum OutputSink {
    /// `/dev/null`.
    #[default]
    Null,
    /// A file, created or truncated before the command starts.
    File {
        /// The file; its folder must exist.
        path: PathBuf,
        /// The most bytes kept, without the marker line.
        limit: u64,
    },
    /// Memory: the bytes are in [`StreamStats::memory`](crate::StreamStats::memory).
    Memory {
        /// The most bytes kept, without the marker line.
        limit: u64,
    },
}

/// What a command may use; `None` leaves what the caller has.
///
/// Those "per process" are `setrlimit`; one above the caller's hard limit is lowered to it. How far
/// those of the whole tree can be held depends on the machine:
/// [`TreeExit::limits`](crate::TreeExit::limits) tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open files per process.
    pub open_files: Option<u64>,
    /// Bytes of a core dump.
    pub core_bytes: Option<u64>,
    /// Bytes of any one file written.
    pub file_bytes: Option<u64>,
    /// Bytes of address space per process.
    pub address_space_bytes: Option<u64>,
    /// Bytes of writable private memory per process. Unlike a limit of the address space it leaves alone what
    /// runtimes only reserve.
    pub data_bytes: Option<u64>,
    /// Seconds of processor time per process.
    pub cpu_seconds: Option<u64>,
    /// Bytes of memory of the whole tree, where it has a control group that can bound them. Elsewhere
    /// it becomes a bound of `data_bytes`, that is of each process on its own.
    pub tree_memory_bytes: Option<u64>,
    /// Processes and threads of the whole tree at once, where it has a control group that can bound
    /// them or a user namespace of its own. Elsewhere it is not held: the kernel's other count is of
    /// all processes of the user.
    pub tree_processes: Option<u64>,
}

impl Default for Limits {
    /// No core dumps, everything else as the caller has it.
    fn default() -> Self {
        Self {
            open_files: None,
            core_bytes: Some(0),
            file_bytes: None,
            address_space_bytes: None,
            data_bytes: None,
            cpu_seconds: None,
            tree_memory_bytes: None,
            tree_processes: None,
        }
    }
}

/// Which level of containment is asked for (see the table in the crate's documentation).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Containment {
    /// The highest level this machine allows.
    #[default]
    Best,
    /// At least this level, or the command is not started.
    Require(u8),
    /// The highest level this machine allows, but none above this one.
    AtMost(u8),
}

impl Containment {
    /// The highest and the lowest level that satisfy the request.
    pub(crate) fn bounds(self) -> (u8, u8) {
        match self {
            Self::Best => (3, 1),
            Self::Require(level) => (3, level.max(1)),
            Self::AtMost(level) => (level.clamp(1, 3), 1),
        }
    }
}
