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
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{self, ForkResult, Pid, Uid};

use super::cgroup::{self, Group};
use super::launch::launch;
use super::procfs;
use super::shim::{could_not_start, let_go_of_output, started};
use super::supervise::{Charge, KILL_LIMIT, Reporter, Supervisor, survivors};
use super::wait::reap_one;
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
        Self::CannotContain {
            step: error.step,
            errno: error.errno,
        }
    }
}

/// Runs the request at level 3. Answers with the last word to the owner; if that is that level 3
/// is not possible here, this process is half changed and no good for a lower level.
pub(super) fn run(
    control: &UnixStream,
    child_ended: &SignalFd,
    request: Request,
    group: Option<&Group>,
) -> io::Result<Status> {
    let own_users = match enter_namespaces() {
        Ok(own_users) => own_users,
        Err(error) => return Ok(error.into()),
    };
    let (status_read, status_write) = unistd::pipe2(OFlag::O_CLOEXEC)?;
    let (ack_read, ack_write) = unistd::pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: the supervisor has one thread, so no lock can be held by another one.
    match unsafe { unistd::fork() } {
        Err(errno) => Ok(SealError::at("starting the first process")(errno).into()),
        Ok(ForkResult::Child) => {
            drop((status_read, ack_write));
            let mut reporter = Reporter(fs::File::from(status_write));
            let inner = Inner {
                control,
                child_ended,
                group,
                own_users,
            };
            let last_word = inner.run(request, &mut reporter, ack_read.into());
            // Nobody is left to tell if it cannot be said.
            let _ = last_word.map(|last_word| reporter.send(&last_word));
            // SAFETY: ends the process without running what the outer half set up for its exit.
            unsafe { libc::_exit(0) }
        }
        Ok(ForkResult::Parent { child }) => {
            drop((status_write, ack_read));
            let_go_of_output()?;
            relay(control, child, status_read.into(), ack_write.into(), group)
        }
    }
}

/// The next process we fork will be the first of a new PID namespace. True if there is a new user
/// namespace too.
fn enter_namespaces() -> Result<bool, SealError> {
    if Uid::effective().is_root() && unshare(CloneFlags::CLONE_NEWPID).is_ok() {
        // A privileged user needs no user namespace and keeps access to files of other users.
        return Ok(false);
    }
    let (uid, gid) = (Uid::effective(), unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID)
        .map_err(SealError::at("making a user and a PID namespace"))?;
    // The kernel wants this before an unprivileged user may map a group.
    write_map("setgroups", "deny")?;
    write_map("uid_map", &format!("{uid} {uid} 1"))?;
    write_map("gid_map", &format!("{gid} {gid} 1"))?;
    Ok(true)
}

fn write_map(name: &str, content: &str) -> Result<(), SealError> {
    fs::write(format!("/proc/self/{name}"), content).map_err(|error| SealError {
        step: format!("writing {name} of the user namespace"),
        errno: error.raw_os_error().unwrap_or(libc::EIO),
    })
}

/// The inner half: everything in the namespace is its descendant.
struct Inner<'a> {
    control: &'a UnixStream,
    child_ended: &'a SignalFd,
    group: Option<&'a Group>,
    own_users: bool,
}

impl Inner<'_> {
    /// `None` if there is nobody to say a last word to.
    fn run(
        self,
        request: Request,
        reporter: &mut Reporter<fs::File>,
        mut ack: fs::File,
    ) -> Option<Status> {
        if let Err(error) = prepare_inner(self.own_users) {
            return Some(error.into());
        }
        let grace = Duration::from_millis(request.grace_ms);
        // Announced when it runs: it cannot do anything to us.
        let launched = match launch(request, self.group, self.own_users, |_| ()) {
            Ok(launched) => launched,
            Err(error) => return Some(could_not_start(error)),
        };
        let group = self.group.filter(|_| launched.in_group);
        reporter
            .send(&started(&launched, launched.leader, group))
            .ok()?;
        let_go_of_output().ok()?;
        // The outer half looks up the leader's id as the owner sees it. Until it has, the leader
        // must not be reaped; if the outer half is gone, so is the reason to go on.
        ack.read_exact(&mut [0]).ok()?;
        let reporter = Reporter(&mut reporter.0);
        let charge = Charge {
            leader: launched.leader,
            group,
            grace,
            sealed: true,
        };
        let supervisor = Supervisor::new(self.control, self.child_ended, reporter, charge);
        Some(supervisor.run())
    }
}

fn prepare_inner(own_users: bool) -> Result<(), SealError> {
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
    mount(Some("proc"), "/proc", Some("proc"), flags, none)
        .map_err(SealError::at("mounting /proc"))?;
    // A privileged command could undo it; any other could end the harness by its control group.
    if own_users {
        protect_groups().map_err(SealError::at("making control groups read-only"))?;
    }
    Ok(())
}

/// Control groups stay visible, because runtimes read their limits there, and cannot be written.
fn protect_groups() -> Result<(), Errno> {
    const LOCKED: [(FsFlags, MsFlags); 3] = [
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
    ];
    let none = None::<&str>;
    for point in cgroup::mounts() {
        // One that is mounted over, or below a folder that is not ours, is out of the command's
        // reach as well.
        let Ok(stat) = statvfs(&point) else { continue };
        mount(Some(&point), &point, none, MsFlags::MS_BIND, none)?;
        // What the mount was given from outside cannot be taken from it here.
        let kept = LOCKED.iter().filter(|(has, _)| stat.flags().contains(*has));
        let kept = kept.fold(MsFlags::empty(), |kept, (_, flag)| kept | *flag);
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | kept;
        mount(none, &point, none, flags, none)?;
    }
    Ok(())
}

/// Passes on what the inner half says. Answers with what only the outer half can say: the end.
fn relay(
    control: &UnixStream,
    inner: Pid,
    status: fs::File,
    mut ack: fs::File,
    group: Option<&Group>,
) -> io::Result<Status> {
    let mut to_owner = Reporter(control);
    let mut in_group = None;
    let mut last_word = None;
    for line in BufReader::new(status).lines() {
        match serde_json::from_str(&line?)? {
            Status::Started {
                pid,
                group: joined,
                held,
            } => {
                in_group = group.filter(|_| joined.is_some());
                let outer = procfs::child_by_inner_pid(inner, pid).unwrap_or(inner);
                let started = Status::Started {
                    pid: outer.as_raw(),
                    group: joined,
                    held,
                };
                // A closed socket is noticed by the inner half, which also listens to it.
                let _ = to_owner.send(&started);
                let _ = to_owner.send(&Status::Running);
                ack.write_all(&[1])?;
            }
            ended @ Status::LeaderEnded { .. } => {
                let _ = to_owner.send(&ended);
            }
            // Kept back until the inner half is reaped: only then is it the kernel's word.
            last => last_word = Some(last),
        }
    }
    let reaped = reap_one(inner, KILL_LIMIT);
    let (leaked, mut left, oom_kills) = match last_word {
        Some(Status::Done {
            leaked,
            survivors,
            oom_kills,
        }) => (leaked, survivors, oom_kills),
        Some(could_not_start) => return Ok(could_not_start),
        None => (0, Vec::new(), in_group.map_or(0, Group::oom_kills)),
    };
    if reaped {
        left.clear();
        // Nothing of the namespace is left, so this is what others have moved to the group.
        if in_group.is_some_and(|group| !ends(group)) {
            left.extend(survivors(in_group));
        }
    } else if left.is_empty() {
        left.extend(procfs::survivor(inner));
    }
    Ok(Status::Done {
        leaked,
        survivors: left,
        oom_kills,
    })
}

/// Kills what is in a group; false if that does not end it.
fn ends(group: &Group) -> bool {
    let until = Instant::now() + KILL_LIMIT;
    while !group.is_empty() {
        if Instant::now() >= until {
            return false;
        }
        group.kill();
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}
