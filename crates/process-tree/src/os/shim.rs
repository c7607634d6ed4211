//! The supervisor's process from its start to its exit, at levels 1 and 2 and as the outer half of
//! level 3.

#![expect(unsafe_code, reason = "signal and close_range have no safe form")]

use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use nix::libc;
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{self, Pid};

use super::cgroup::Group;
use super::launch::{LaunchError, Launched, launch};
use super::seal;
use super::supervise::{Charge, Reporter, Supervisor};
use crate::protocol::{MAX_REQUEST_BYTES, Raw, Request, Status, Step};

/// As the last argument, asks the shim's program to exit with 0: the smallest command there is
/// to try a level of containment with.
pub(crate) const NOOP: &str = "noop";

/// What a terminal or a service manager sends to everyone: the supervisor must outlive it.
const SHRUGGED: [Signal; 4] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
];

/// The supervisor. A binary calls this before anything else when its first argument is `__shim`:
/// the process must still have one thread and no open files of its own.
///
/// Reads what to run from standard input, which is a socket to the owner, and returns when
/// nothing of it is left.
pub fn shim_main() -> ExitCode {
    if std::env::args_os()
        .next_back()
        .is_some_and(|last| last == NOOP)
    {
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // The owner sees a socket that closed without a word; there is nobody else to tell.
        Err(_) => ExitCode::FAILURE,
    }
}

fn run() -> io::Result<()> {
    // Descriptors that the owner's libraries forgot to close must not live as long as we do.
    // SAFETY: nothing in this process has opened anything yet.
    let _ = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };

    // A duplicate, so that standard input can be made harmless at once. It closes on exec.
    let control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    unistd::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    // Only after the request came: until then the owner has not yet put our id on its list and
    // would take a child in another session for a stray.
    let request = read_request(&control)?;
    let _ = unistd::setsid();
    let _ = prctl::set_name(c"harness-shim");

    let mut reporter = Reporter(&control);
    let child_ended = match prepare() {
        Ok(child_ended) => child_ended,
        Err(errno) => {
            return reporter.send(&could_not_start(LaunchError::at(Step::Prepare)(errno)));
        }
    };
    let group = match make_group(&request) {
        Ok(group) => group,
        Err(error) => return reporter.send(&error),
    };
    let last_word = if request.level == 3 {
        seal::run(&control, &child_ended, request, group.as_ref())
    } else {
        run_here(&control, &child_ended, request, group.as_ref())
    };
    // Before the last word, so that whoever has heard it finds nothing of ours.
    if let Some(group) = group {
        group.remove();
    }
    reporter.send(&last_word?)
}

/// The control group of the request, if there is to be one. Level 3 holds without it.
fn make_group(request: &Request) -> Result<Option<Group>, Status> {
    let Some(parent) = &request.groups else {
        return Ok(None);
    };
    match Group::make(&parent.clone().into_path()) {
        Ok(group) => Ok(Some(group)),
        Err(_) if request.level == 3 => Ok(None),
        Err(error) => Err(Status::CannotContain {
            step: error.step.to_owned(),
            errno: error.source.raw_os_error().unwrap_or(libc::EIO),
        }),
    }
}

/// Levels 1 and 2. Answers with the last word to the owner.
fn run_here(
    control: &UnixStream,
    child_ended: &SignalFd,
    request: Request,
    group: Option<&Group>,
) -> io::Result<Status> {
    let grace = Duration::from_millis(request.grace_ms);
    let announce = |launched: &Launched| {
        let _ = Reporter(control).send(&started(launched, launched.leader, group));
    };
    let launched = match launch(request, group, false, announce) {
        Ok(launched) => launched,
        Err(error) => return Ok(could_not_start(error)),
    };
    let mut reporter = Reporter(control);
    // If the owner is gone, its closed socket ends the loop at once.
    let _ = reporter.send(&Status::Running);
    let_go_of_output()?;
    let charge = Charge {
        leader: launched.leader,
        group,
        grace,
        sealed: false,
    };
    Ok(Supervisor::new(control, child_ended, reporter, charge).run())
}

/// The word that there is a process for the command.
pub(super) fn started(launched: &Launched, leader: Pid, group: Option<&Group>) -> Status {
    let group = group.filter(|_| launched.in_group);
    Status::Started {
        pid: leader.as_raw(),
        group: group.map(|group| Raw::new(group.folder().as_os_str())),
        held: launched.held,
    }
}

/// Becomes the subreaper, shrugs off what a terminal sends, and gets a descriptor that tells of
/// ended children.
fn prepare() -> nix::Result<SignalFd> {
    prctl::set_child_subreaper(true)?;
    for shrugged in SHRUGGED {
        // SAFETY: no handler of ours is installed.
        unsafe { signal(shrugged, SigHandler::SigIgn) }?;
    }
    // If the owner's own parent ignored it, ended children would vanish before we could count.
    // SAFETY: as above.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }?;
    let mut child_ended = SigSet::empty();
    child_ended.add(Signal::SIGCHLD);
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&child_ended), None)?;
    SignalFd::with_flags(&child_ended, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

fn read_request(mut control: &UnixStream) -> io::Result<Request> {
    let mut length = [0; 4];
    control.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_REQUEST_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut request = vec![0; length];
    control.read_exact(&mut request)?;
    Ok(serde_json::from_slice(&request)?)
}

pub(super) fn could_not_start(error: LaunchError) -> Status {
    let errno = error.errno as i32;
    match error.step {
        Step::Group => Status::CannotContain {
            step: error.step.describe().to_owned(),
            errno,
        },
        step => Status::CouldNotStart { step, errno },
    }
}

/// Gives up the command's output pipes: their end must mean that the command's processes are gone.
pub(super) fn let_go_of_output() -> io::Result<()> {
    let null: OwnedFd = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/null")?
        .into();
    unistd::dup2_stdout(&null)?;
    unistd::dup2_stderr(&null)?;
    Ok(())
}
