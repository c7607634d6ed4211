//! Confines a program that nobody vouches for, before it is executed.
//!
//! The calling binary is executed once more ([`Launcher`]): a single thread that takes away from itself what the
//! program must not have ([`Policy`]), tells its owner over a socket which [`Layer`]s hold, and becomes the program
//! when the owner says so ([`Gate`]). The owner decides: without its word nothing is executed, so a machine that lacks
//! a layer fails closed.
//!
//! | layer | by | what it holds |
//! |---|---|---|
//! | `limits` | `setrlimit` | memory, processor time, file size, open files of each process |
//! | `processes` | `RLIMIT_NPROC` in an own user namespace | how many processes there are; not for root, whom the kernel does not count |
//! | `network` | network and IPC namespaces | no network but a loopback with the policy's ports, which the owner serves |
//! | `mounts` | mount namespace | everything but the writable folders is read-only, modes and owners included |
//! | `capabilities` | `capset`, no new privileges | no privilege, for root either |
//! | `files` | Landlock | nothing is read or written but what the policy names |
//! | `ports` | Landlock | no TCP connection but to the policy's ports; none is listened on |
//! | `signals` | Landlock | no signal and no abstract socket leaves the sandbox |
//! | `system_calls` | seccomp | none that reaches another process, the kernel's set-up, or any socket but TCP |
//!
//! A binary that uses this crate calls [`sandbox_main`] before anything else in `main` when its first argument is
//! `__sandbox`.
//!
//! Not the responsibility of this crate: which layers are enough, how the process is started, watched and ended (a
//! process tree does that), and what the program is for.

mod entry;
mod gate;
mod launcher;
mod layers;
mod paths;
mod policy;

#[cfg(target_os = "linux")]
mod os;

pub use entry::sandbox_main;
pub use gate::{Gate, GateError, Visitor};
pub use launcher::Launcher;
pub use layers::{Layer, Layers};
pub use paths::{find_program, holds_home, installations, system_paths};
pub use policy::{Limits, Policy, Role};

#[cfg(target_os = "linux")]
pub use os::child_filters;

/// No filter can be made where there is no seccomp.
#[cfg(not(target_os = "linux"))]
pub fn child_filters(_layers: &Layers) -> Vec<Vec<u8>> {
    Vec::new()
}
