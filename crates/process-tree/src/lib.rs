//! Runs a command under a small supervisor so that no process of the command is left behind.
//!
//! The supervisor ("shim") is the calling binary executed once more: a single thread that is the
//! subreaper of everything the command starts, told what to do over a socket, and gone with its
//! whole tree as soon as that socket closes. [`spawn`] starts a command under it, [`ProcessTree`]
//! stops and awaits it, [`TreeExit`] says how it ended and whether its death is proven.
//!
//! A binary that uses this crate calls [`shim_main`] before anything else in `main` when its first
//! argument is `__shim`, and [`become_subreaper`] once at its start.
//!
//! What a crash of owner and shims together leaves behind is found by a marker in its environment
//! and ended with [`end_strays`].
//!
//! # Levels of containment
//!
//! | level | how | guarantee |
//! |---|---|---|
//! | 3 | own PID and mount namespaces | nothing survives, even if owner and shim are killed together; the command cannot signal either |
//! | 2 | shim as subreaper, own control group | nothing survives while owner or shim live; what is left when both are killed with SIGKILL is ended when the next owner starts a command in the same place |
//! | 1 | shim as subreaper | nothing survives unless owner and shim are killed together with SIGKILL |
//! | 0 | no supervisor: not Linux, or it could not be started | nothing is run |
//!
//! A tree at level 3 gets a control group too where one can be had, for its limits. A command of the
//! same user can leave its group or lift the group's limits at level 2, not at level 3; leaving does
//! not save it from being killed.
//!
//! No level covers work that the command hands to another daemon (a container engine, `at`, a
//! service manager).
//!
//! Not the responsibility of this crate: what the command is for, deadlines, and what its result
//! means.

mod command;
mod error;
mod exit;
mod output;
mod protocol;

#[cfg(target_os = "linux")]
mod os;
#[cfg(target_os = "linux")]
mod probe;
#[cfg(target_os = "linux")]
mod start;
#[cfg(target_os = "linux")]
mod strays;
#[cfg(target_os = "linux")]
mod sweep;
#[cfg(target_os = "linux")]
mod tree;

#[cfg(not(target_os = "linux"))]
mod unsupported;

pub use command::{Containment, Limits, OutputSink, Shim, StdinSource, TreeCommand};
pub use error::SpawnError;
pub use exit::{
    ContainmentReport, Held, HeldLimits, LeaderStatus, Stray, StraysEnd, StreamStats, Survivor,
    TreeExit,
};

#[cfg(target_os = "linux")]
pub use {
    os::shim_main,
    probe::probe,
    strays::{end_strays, strays},
    sweep::become_subreaper,
    tree::{ProcessTree, spawn},
};

#[cfg(not(target_os = "linux"))]
pub use unsupported::{ProcessTree, become_subreaper, end_strays, probe, shim_main, spawn, strays};
