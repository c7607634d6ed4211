//! What a harness has left that was killed together with its supervisors: found by a variable that
//! every process of a run inherits, and ended.
//!
//! Best effort. A process that has replaced its environment, runs as another user or hides what it
//! was given is not found; at levels 3 and 2 the kernel and the control groups do better.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, Uid};

use crate::exit::{Stray, StraysEnd};
use crate::os::pidfd::PidFd;
use crate::os::procfs::{self, Stat};

/// A killed process ends within milliseconds; one that waits for a disk may not.
const END_LIMIT: Duration = Duration::from_secs(5);

/// A process has no environment for a moment while it executes another program.
const ENOUGH_LOOKS: u32 = 2;

/// Between two looks for what was born meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The living processes of this user that have the variable with this value in the environment
/// they were started with. This process and those above it are left out.
pub fn strays(name: &str, value: &str) -> Vec<Stray> {
    let marker = format!("{name}={value}");
    let above = own_line();
    let found = procfs::all().into_iter().filter(|pid| !above.contains(pid));
    found.filter_map(|pid| Stray::look(pid, &marker)).collect()
}

/// Kills every such process, until there is none or five seconds have passed. Blocks meanwhile.
///
/// A process is held before it is looked at again, so an id that has gone to another process is
/// never signalled.
pub fn end_strays(name: &str, value: &str) -> StraysEnd {
    let marker = format!("{name}={value}");
    let until = Instant::now() + END_LIMIT;
    let mut ended = BTreeSet::new();
    let mut empty_looks = 0;
    loop {
        let found = strays(name, value);
        empty_looks = if found.is_empty() { empty_looks + 1 } else { 0 };
        if empty_looks >= ENOUGH_LOOKS || Instant::now() >= until {
            let left: BTreeSet<Stray> = found.into_iter().collect();
            let ended = ended.difference(&left).cloned().collect();
            return StraysEnd {
                ended,
                left: left.into_iter().collect(),
            };
        }
        let held: Vec<PidFd> = found
            .iter()
            .filter_map(|stray| stray.kill(&marker).ok())
            .collect();
        wait_for_all(&held, until);
        ended.extend(found);
        std::thread::sleep(LOOK_AGAIN);
    }
}

impl Stray {
    /// `None` if there is no such process, or it does not carry the marker.
    fn look(pid: Pid, marker: &str) -> Option<Self> {
        let folder = format!("/proc/{pid}");
        let user = fs::metadata(&folder).ok()?.uid();
        let environment = fs::read(format!("{folder}/environ")).ok()?;
        let mut variables = environment.split(|&byte| byte == 0);
        if user != Uid::effective().as_raw() || !variables.any(|pair| pair == marker.as_bytes()) {
            return None;
        }
        let stat = Stat::read(pid).filter(Stat::is_alive)?;
        Some(Self {
            pid: pid.as_raw().cast_unsigned(),
            start_time: stat.start_time,
            comm: stat.comm,
        })
    }

    /// Kills the process that was seen, and no other; the hold tells when it has ended.
    fn kill(&self, marker: &str) -> Result<PidFd, Errno> {
        let pid = Pid::from_raw(self.pid.cast_signed());
        let held = PidFd::open(pid)?;
        // What is held keeps its id, so what is read of that id now is about the process held.
        let now = Self::look(pid, marker);
        if now.is_none_or(|now| now.start_time != self.start_time) || !held.has_its_id() {
            return Err(Errno::ESRCH);
        }
        held.kill(Signal::SIGKILL)?;
        Ok(held)
    }
}

fn wait_for_all(held: &[PidFd], until: Instant) {
    for process in held {
        let left = until.saturating_duration_since(Instant::now()).as_millis();
        let left = u16::try_from(left).map_or(PollTimeout::MAX, PollTimeout::from);
        // Whatever comes of it, the next look at `/proc` decides.
        let _ = poll(&mut [PollFd::new(process.as_fd(), PollFlags::POLLIN)], left);
    }
}

/// This process and those above it.
fn own_line() -> BTreeSet<Pid> {
    let parent = |pid: &Pid| {
        let parent = Stat::read(*pid)?.parent;
        (parent > 0).then(|| Pid::from_raw(parent))
    };
    std::iter::successors(Some(Pid::this()), parent).collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn sleeper(value: &str) -> Child {
        let mut sleeper = Command::new("sleep");
        sleeper.arg("20").env("STRAY_MARKER", value);
        sleeper.spawn().unwrap()
    }

    /// Waits until it has the environment of its program.
    fn seen(child: &Child, value: &str) -> Stray {
        let until = Instant::now() + Duration::from_secs(15);
        loop {
            let found = strays("STRAY_MARKER", value);
            if let Some(stray) = found.into_iter().find(|stray| stray.pid == child.id()) {
                return stray;
            }
            assert!(Instant::now() < until, "it is never seen");
            std::thread::yield_now();
        }
    }

    #[test]
    fn only_the_process_that_was_seen_is_killed() {
        let mut child = sleeper("unit-1");
        let stray = seen(&child, "unit-1");
        assert_eq!(stray.comm, "sleep");
        let older = Stray {
            start_time: stray.start_time - 1,
            ..stray.clone()
        };
        let marker = "STRAY_MARKER=unit-1";
        assert_eq!(older.kill(marker).unwrap_err(), Errno::ESRCH);
        assert_eq!(stray.kill("STRAY_MARKER=unit").unwrap_err(), Errno::ESRCH);
        assert!(child.try_wait().unwrap().is_none());
        stray.kill(marker).unwrap();
        child.wait().unwrap();
        assert_eq!(stray.kill(marker).unwrap_err(), Errno::ESRCH);
    }

    #[test]
    fn a_value_must_be_the_whole_value() {
        let mut child = sleeper("unit-22");
        seen(&child, "unit-22");
        assert_eq!(strays("STRAY_MARKER", "unit-2"), []);
        assert_eq!(end_strays("STRAY_MARKER", "unit-2"), StraysEnd::default());
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn this_process_and_those_above_are_never_strays() {
        let line = own_line();
        assert!(line.contains(&Pid::this()) && line.contains(&Pid::parent()));
        // The path is inherited by all of them.
        let path = std::env::var("PATH").unwrap();
        let own = strays("PATH", &path);
        assert!(own.iter().all(|stray| stray.pid != std::process::id()));
    }
}
