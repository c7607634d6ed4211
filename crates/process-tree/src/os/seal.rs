//! Level 3: the supervisor as the first process of its own PID namespace.
//!
//! When the first process of a PID namespace ends, the kernel kills every other one in it and
//! only then lets it be reaped. The outer half (this process) stays where it was, translates the
//! one process id that the owner wants to know, and is the proof: it has reaped the inner half.
//!
//! An unprivileged user gets a user namespace as well, in which only the own user and group
//! exist. The network, the files and the home folder stay as they are; `/proc` is a new one.

#![expect(unsafe_code, reason = "fork has no safe form")]

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::unistd::{self, ForkResult, Pid, Uid};

use super::launch::Launch;
use super::procfs;
use super::shim::{could_not_start, let_go_of_output, reap_one};
use super::supervise::{KILL_LIMIT, Reporter, Supervisor};
use crate::protocol::{Request, Status};

/// Why the namespaces could not be made.
struct SealError {
    step: String,
    errno: i32,
}

impl SealError {
    fn at(step: &str) -> impl Fn(Errno) -> Self {
        move |errno| Self {
            step: step.to_owned(),
            errno: errno as i32,
        }
    }
}

impl From<SealError> for Status {
    fn from(error: SealError) -> Self {
        Self::CannotSeal {
            step: error.step,
            errno: error.errno,
        }
    }
}

/// Runs the request at level 3. Tells the owner so and ends if that is not possible here: this
/// process is then half changed and no good for a lower level.
pub(super) fn run(
    control: &UnixStream,
    child_ended: &SignalFd,
    request: Request,
) -> io::Result<()> {
    let mut to_owner = Reporter(control);
    if let Err(error) = enter_namespaces() {
        return to_owner.send(&error.into());
    }
    let (status_read, status_write) = unistd::pipe2(OFlag::O_CLOEXEC)?;
    let (ack_read, ack_write) = unistd::pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: the supervisor has one thread, so no lock can be held by another one.
    match unsafe { unistd::fork() } {
        Err(errno) => to_owner.send(&SealError::at("starting the first process")(errno).into()),
        Ok(ForkResult::Child) => {
            drop((status_read, ack_write));
            let status = fs::File::from(status_write);
            run_inner(control, child_ended, status, ack_read.into(), request);
            // SAFETY: ends the process without running what the outer half set up for its exit.
            unsafe { libc::_exit(0) }
        }
        Ok(ForkResult::Parent { child }) => {
            drop((status_write, ack_read));
            let_go_of_output()?;
            relay(control, child, status_read.into(), ack_write.into())
        }
    }
}

/// The next process we fork will be the first of a new PID namespace.
fn enter_namespaces() -> Result<(), SealError> {
    if Uid::effective().is_root() && unshare(CloneFlags::CLONE_NEWPID).is_ok() {
        // A privileged user needs no user namespace and keeps access to files of other users.
        return Ok(());
    }
    let (uid, gid) = (Uid::effective(), unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID)
        .map_err(SealError::at("making a user and a PID namespace"))?;
    // The kernel wants this before an unprivileged user may map a group.
    write_map("setgroups", "deny")?;
    write_map("uid_map", &format!("{uid} {uid} 1"))?;
    write_map("gid_map", &format!("{gid} {gid} 1"))
}

fn write_map(name: &str, content: &str) -> Result<(), SealError> {
    fs::write(format!("/proc/self/{name}"), content).map_err(|error| SealError {
        step: format!("writing {name} of the user namespace"),
        errno: error.raw_os_error().unwrap_or(libc::EIO),
    })
}

/// The inner half: everything in the namespace is its descendant.
fn run_inner(
    control: &UnixStream,
    child_ended: &SignalFd,
    status: fs::File,
    mut ack: fs::File,
    request: Request,
) {
    let mut reporter = Reporter(status);
    if let Err(error) = prepare_inner() {
        let _ = reporter.send(&error.into());
        return;
    }
    let grace = Duration::from_millis(request.grace_ms);
    let leader = match Launch::prepare(request).and_then(Launch::start) {
        Ok(leader) => leader,
        Err(error) => {
            let _ = reporter.send(&could_not_start(error));
            return;
        }
    };
    let started = Status::Started {
        pid: leader.as_raw(),
    };
    let told = reporter.send(&started).is_ok() && let_go_of_output().is_ok();
    // The outer half looks up the leader's id as the owner sees it. Until it has, the leader must
    // not be reaped; if the outer half is gone, so is the reason to go on.
    if told && ack.read_exact(&mut [0]).is_ok() {
        Supervisor::new(control, child_ended, reporter, leader, grace).run();
    }
}

fn prepare_inner() -> Result<(), SealError> {
    let errno = SealError::at("tying the namespace to the supervisor");
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(errno)?;
    if Pid::this().as_raw() != 1 {
        return Err(SealError::at("becoming the first process")(Errno::EPERM));
    }
    let _ = unistd::setsid();
    unshare(CloneFlags::CLONE_NEWNS).map_err(SealError::at("making a mount namespace"))?;
    let none = None::<&str>;
    // Otherwise our mount of /proc would show in the owner's world.
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(SealError::at("making mounts private"))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, none).map_err(SealError::at("mounting /proc"))
}

/// Passes on what the inner half says, and says itself what only the outer half can know.
fn relay(control: &UnixStream, inner: Pid, status: fs::File, mut ack: fs::File) -> io::Result<()> {
    let mut to_owner = Reporter(control);
    let mut started = false;
    let mut done = None;
    for line in BufReader::new(status).lines() {
        match serde_json::from_str(&line?)? {
            Status::Started { pid } => {
                started = true;
                let outer = procfs::child_by_inner_pid(inner, pid).unwrap_or(inner);
                // A closed socket is noticed by the inner half, which also listens to it.
                let _ = to_owner.send(&Status::Started {
                    pid: outer.as_raw(),
                });
                ack.write_all(&[1])?;
            }
            // Kept back until the inner half is reaped: only then is it the kernel's word.
            Status::Done { leaked, survivors } => done = Some((leaked, survivors)),
            other => {
                let _ = to_owner.send(&other);
            }
        }
    }
    let reaped = reap_one(inner, KILL_LIMIT);
    if !started {
        return Ok(());
    }
    let (leaked, mut survivors) = done.unwrap_or_default();
    if reaped {
        survivors.clear();
    } else if survivors.is_empty() {
        survivors.extend(procfs::survivor(inner));
    }
    to_owner.send(&Status::Done { leaked, survivors })
}
