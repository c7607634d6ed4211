//! The executed binary from its start to the moment it becomes the program.

use std::ffi::{CString, OsString};
use std::io::{IoSlice, Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::execvp;

use crate::layers::Layers;
use crate::policy::Policy;

/// The first argument of a binary that is to confine itself.
pub(crate) const ARGUMENT: &str = "__sandbox";

/// Turned away, or there was nobody to ask.
const TURNED_AWAY: u8 = 126;
/// Let through, but no program that can run; what a shell says then.
const NOT_EXECUTED: u8 = 127;

/// Confines this process, and becomes the program that its arguments name. A binary calls this before anything else when its first
/// argument is `__sandbox`: the process must still have one thread.
///
/// Returns only if there will be no program.
pub fn sandbox_main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(2);
    let (Some(gate), Some(policy)) = (arguments.next(), arguments.next()) else {
        return ExitCode::from(TURNED_AWAY);
    };
    let Ok(policy) = serde_json::from_slice::<Policy>(&policy.into_vec()) else {
        return ExitCode::from(TURNED_AWAY);
    };
    // Before anything is taken away: no new Unix socket can be made afterwards.
    let Ok(gate) = UnixStream::connect(gate) else {
        return ExitCode::from(TURNED_AWAY);
    };
    let (layers, listeners) = confine(&policy);
    if ask(&gate, &layers, &listeners).is_none() {
        return ExitCode::from(TURNED_AWAY);
    }
    let reason = become_program(arguments.collect());
    // Nobody is left to tell if the owner is gone.
    let _ = (&gate).write_all(reason.as_bytes());
    ExitCode::from(NOT_EXECUTED)
}

/// Tells what holds and waits for the word; the listening sockets go to the owner.
fn ask(mut gate: &UnixStream, layers: &Layers, listeners: &[TcpListener]) -> Option<()> {
    let mut report = serde_json::to_vec(layers).ok()?;
    report.push(b'\n');
    let descriptors: Vec<_> = listeners
        .iter()
        .map(std::os::fd::AsRawFd::as_raw_fd)
        .collect();
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let rights = if descriptors.is_empty() {
        &rights[..0]
    } else {
        &rights[..]
    };
    let sent = sendmsg::<()>(
        gate.as_raw_fd(),
        &[IoSlice::new(&report)],
        rights,
        MsgFlags::empty(),
        None,
    )
    .ok()?;
    gate.write_all(&report[sent..]).ok()?;
    gate.read_exact(&mut [0]).ok()
}

/// Returns why it did not work.
fn become_program(command: Vec<OsString>) -> String {
    let words: Result<Vec<CString>, _> = command
        .into_iter()
        .map(|word| CString::new(word.into_vec()))
        .collect();
    let Ok(words) = words else {
        return "a word of the command has a NUL byte in it".to_owned();
    };
    let Some(program) = words.first() else {
        return "the command is empty".to_owned();
    };
    match execvp(program, &words) {
        Err(errno) => format!("{}: {}", program.to_string_lossy(), errno.desc()),
        Ok(never) => match never {},
    }
}

#[cfg(target_os = "linux")]
use crate::os::confine;

#[cfg(not(target_os = "linux"))]
fn confine(_policy: &Policy) -> (Layers, Vec<TcpListener>) {
    let mut layers = Layers::default();
    for layer in [
        crate::Layer::Limits,
        crate::Layer::Files,
        crate::Layer::Network,
        crate::Layer::SystemCalls,
    ] {
        layers.note::<()>(layer, Err("there is no sandbox on this system".to_owned()));
    }
    (layers, Vec::new())
}
