//! How a tree ended: the values [`ProcessTree::wait`](crate::ProcessTree::wait) answers with.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The end of a command and of everything it started.
#[derive(Debug, Clone)]
pub struct TreeExit {
    /// How the command itself ended.
    pub status: LeaderStatus,
    /// Whether it was asked to stop before it had ended.
    pub stopped_by_us: bool,
    /// Processes that outlived what they should not have: the command itself when it ended on its
    /// own, the grace period when it was asked to stop. All of them were killed.
    pub leaked: u32,
    /// Processes that could not be killed; empty in every case but a broken kernel or disk.
    pub survivors: Vec<Survivor>,
    /// Whether it is known that no process is left. False when there are survivors, or when the
    /// supervisor was killed and this process is not a subreaper.
    pub proven_dead: bool,
    /// The level of containment the tree ran at.
    pub level: u8,
    /// How far the limits of the whole tree were held.
    pub limits: HeldLimits,
    /// Processes of the tree that the kernel killed because its control group had no memory left;
    /// 0 also where nobody counts.
    pub oom_kills: u64,
    /// What came through standard output.
    pub stdout: StreamStats,
    /// What came through standard error.
    pub stderr: StreamStats,
    /// The last line of standard output that starts with `{`, without its line end, if
    /// [`TreeCommand::watch_last_json_line`](crate::TreeCommand::watch_last_json_line) is set.
    /// Not checked to be JSON. Lines above 16 MiB are passed over.
    pub last_json_line: Option<Vec<u8>>,
    /// From the moment the supervisor was asked for to the proven end of the tree.
    pub duration: Duration,
}

/// How the command itself ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaderStatus {
    /// It exited with this code.
    Exited(i32),
    /// It was ended by this signal.
    Signaled(i32),
    /// Not known: the supervisor was killed before it could tell, or the command could not be
    /// killed.
    Unknown,
}

impl LeaderStatus {
    /// Whether the command exited with code 0.
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }
}

/// How far the limits of a whole tree are held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLimits {
    /// [`Limits::tree_memory_bytes`](crate::Limits::tree_memory_bytes).
    pub memory: Held,
    /// [`Limits::tree_processes`](crate::Limits::tree_processes).
    pub processes: Held,
}

/// How far one limit is held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// None was asked for.
    #[default]
    NotAsked,
    /// For all processes together.
    Tree,
    /// For each process on its own.
    EachProcess,
    /// Not at all.
    No,
}

/// A process that did not go away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survivor {
    /// Its id; at level 3 as seen inside the tree's own namespace.
    pub pid: u32,
    /// Its short name.
    pub comm: String,
    /// Its state as in `/proc/PID/stat`, for instance `D` for uninterruptible sleep.
    pub state: char,
    /// Its real user id.
    pub uid: u32,
}

/// A process that carries the mark of a run whose harness is gone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stray {
    /// Its id.
    pub pid: u32,
    /// When it was started, in ticks of the clock since the system was: with the id, this process
    /// and no other.
    pub start_time: u64,
    /// Its short name.
    pub comm: String,
}

/// What became of the strays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StraysEnd {
    /// They are gone.
    pub ended: Vec<Stray>,
    /// They could not be killed, or came faster than they could be.
    pub left: Vec<Stray>,
}

/// What came through one output stream and what was kept of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Bytes the command wrote.
    pub bytes_seen: u64,
    /// Bytes of them in the sink.
    pub bytes_kept: u64,
    /// Whether bytes were dropped, by the limit or by a failed write.
    pub truncated: bool,
    /// Whether the end of the stream was seen; false if something outside the tree still held it.
    pub reached_end: bool,
    /// Why the sink could not be written, if it could not. The stream was drained all the same.
    pub write_error: Option<String>,
    /// The bytes of [`OutputSink::Memory`](crate::OutputSink::Memory).
    pub memory: Option<Vec<u8>>,
}

/// What [`probe`](crate::probe) found this machine to allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainmentReport {
    /// The highest level that was reached by doing it; 0 if not even the supervisor starts.
    pub level: u8,
    /// Why no higher level was reached, one line each.
    pub reasons: Vec<String>,
    /// How far limits of a whole tree are held at that level.
    pub limits: HeldLimits,
    /// Why they are not held for the tree as a whole, one line each.
    pub limit_reasons: Vec<String>,
    /// The folder in which control groups can be made.
    pub groups: Option<PathBuf>,
}
