//! The supervisor's loop: waits for the command, stops the tree, proves it dead.
//!
//! Everything the command starts becomes our own child when its parent dies, because we are the
//! subreaper (or the first process of its namespace). Killing only direct children is free of
//! races: the id of a child that we have not reaped cannot be used again. So the loop kills all
//! direct children, reaps all that ended, and is done when the kernel says that there are none.

use std::collections::HashSet;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;

use super::cgroup::Group;
use super::descendants;
use super::procfs::{self, Stat};
use super::wait::{self, Children};
use crate::exit::Survivor;
use crate::protocol::{End, KILL, Status, TERMINATE};

/// How long the loop tries to kill before it reports survivors.
pub(crate) const KILL_LIMIT: Duration = Duration::from_secs(10);

/// What a process that the command left behind has between TERM and KILL: nobody waits for it to
/// finish anything, but a server may remove its socket.
const LEFTOVER_GRACE: Duration = Duration::from_millis(100);

/// A process that moves to us because a deeper one died raises no signal here, so we look again.
const LOOK_AGAIN_STOPPING: Duration = Duration::from_millis(50);
const LOOK_AGAIN_KILLING: Duration = Duration::from_millis(2);

/// Enough to see what is wrong.
const MAX_SURVIVORS: usize = 64;

/// Where [`Status`] lines go.
#[derive(Debug)]
pub(super) struct Reporter<W: io::Write>(pub(super) W);

impl<W: io::Write> Reporter<W> {
    /// Fails if nobody listens any more.
    pub(super) fn send(&mut self, status: &Status) -> io::Result<()> {
        let mut line = serde_json::to_vec(status).expect("a status is plain data");
        line.push(b'\n');
        self.0.write_all(&line)
    }
}

/// What a supervisor is there for.
#[derive(Clone, Copy)]
pub(super) struct Charge<'a> {
    pub(super) leader: Pid,
    pub(super) group: Option<&'a Group>,
    pub(super) grace: Duration,
    /// Whether we are the first process of a PID namespace.
    pub(super) sealed: bool,
}

/// A started command and what is needed to end it.
pub(super) struct Supervisor<'a, W: io::Write> {
    control: &'a UnixStream,
    child_ended: &'a SignalFd,
    reporter: Reporter<W>,
    leader: Pid,
    group: Option<&'a Group>,
    grace: Duration,
    sealed: bool,
    leader_ended: bool,
    phase: Phase,
    /// Children that were asked to stop in this phase, so that each is asked once.
    asked: HashSet<Pid>,
    /// Processes counted as leaked.
    leaked: HashSet<Pid>,
    /// Leaked processes with those below others, when the leader or the grace ended.
    leaked_below: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    Stopping { until: Instant, cause: Cause },
    Killing { until: Instant, cause: Cause },
}

/// Why the tree is being stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The leader ended on its own: what is left has leaked.
    LeaderEnded,
    /// The owner asked for it with grace: what outlives the grace has leaked.
    Asked,
    /// The owner asked for an end at once, or is gone: nothing has leaked.
    AtOnce,
}

impl<'a, W: io::Write> Supervisor<'a, W> {
    pub(super) fn new(
        control: &'a UnixStream,
        child_ended: &'a SignalFd,
        reporter: Reporter<W>,
        charge: Charge<'a>,
    ) -> Self {
        let Charge {
            leader,
            group,
            grace,
            sealed,
        } = charge;
        Self {
            control,
            child_ended,
            reporter,
            leader,
            group,
            grace,
            sealed,
            leader_ended: false,
            phase: Phase::Running,
            asked: HashSet::new(),
            leaked: HashSet::new(),
            leaked_below: 0,
        }
    }

    /// Returns when no process is left or the limit has passed, with the last word to the owner.
    pub(super) fn run(mut self) -> Status {
        let survivors = loop {
            if self.reap() && self.group.is_none_or(Group::is_empty) {
                break Vec::new();
            }
            let look_again = match self.phase {
                Phase::Running => None,
                Phase::Stopping { until, cause } => {
                    self.ask_to_stop(cause);
                    let now = Instant::now();
                    if now >= until {
                        self.start_killing(cause);
                        continue;
                    }
                    Some((until - now).min(LOOK_AGAIN_STOPPING))
                }
                Phase::Killing { until, cause } => {
                    self.kill_children(cause);
                    if Instant::now() >= until {
                        break survivors(self.group);
                    }
                    Some(LOOK_AGAIN_KILLING)
                }
            };
            self.sleep(look_again);
        };
        let leaked = self.leaked.len().max(self.leaked_below);
        Status::Done {
            leaked: u32::try_from(leaked).unwrap_or(u32::MAX),
            survivors,
            oom_kills: self.group.map_or(0, Group::oom_kills),
        }
    }

    /// Reaps every ended child; true if there are no children at all.
    fn reap(&mut self) -> bool {
        loop {
            match wait::look_for_ended() {
                Children::Running => return false,
                Children::None => return true,
                Children::Ended(pid) if pid == self.leader && !self.leader_ended => {
                    self.on_leader_ended();
                }
                Children::Ended(pid) => {
                    let _ = wait::reap(pid);
                }
            }
        }
    }

    fn on_leader_ended(&mut self) {
        self.leader_ended = true;
        let stopped_by_us = self.phase != Phase::Running;
        if !stopped_by_us {
            // The leader is a zombie until it is reaped below, so its id, which is also the id of
            // its group, cannot be anyone else's yet.
            self.leaked_below = procfs::living_descendants(Pid::this());
            self.start_stopping(LEFTOVER_GRACE, Cause::LeaderEnded);
        }
        if let Ok(Some(end)) = wait::reap(self.leader) {
            self.report_end(end, stopped_by_us);
        }
    }

    fn report_end(&mut self, end: End, stopped_by_us: bool) {
        let status = Status::LeaderEnded { end, stopped_by_us };
        if self.reporter.send(&status).is_err() {
            self.start_killing(Cause::AtOnce);
        }
    }

    fn start_stopping(&mut self, grace: Duration, cause: Cause) {
        let now = Instant::now();
        // A grace beyond what a clock can hold is no end at all; a day is as good.
        let until = now
            .checked_add(grace)
            .unwrap_or(now + Duration::from_hours(24));
        self.phase = Phase::Stopping { until, cause };
        self.ask_to_stop(cause);
        // What is deeper in the leader's group than a direct child. Stopped processes act on TERM
        // only when they go on.
        let _ = killpg(self.leader, Signal::SIGTERM);
        let _ = killpg(self.leader, Signal::SIGCONT);
    }

    fn ask_to_stop(&mut self, cause: Cause) {
        for child in procfs::children(Pid::this()) {
            if self.asked.insert(child) {
                self.count(child, cause == Cause::LeaderEnded);
                let _ = kill(child, Signal::SIGTERM);
                let _ = kill(child, Signal::SIGCONT);
            }
        }
    }

    fn start_killing(&mut self, cause: Cause) {
        if matches!(self.phase, Phase::Killing { .. }) {
            return;
        }
        self.phase = Phase::Killing {
            until: Instant::now() + KILL_LIMIT,
            cause,
        };
        if cause != Cause::AtOnce {
            // A group is killed at once, so what is below others never becomes our child.
            let below = procfs::living_descendants(Pid::this());
            let leader = usize::from(!self.leader_ended);
            self.leaked_below = self.leaked_below.max(below.saturating_sub(leader));
        }
        if !self.leader_ended {
            let _ = killpg(self.leader, Signal::SIGKILL);
        }
    }

    /// All of it at once, also what is being forked, by its namespace or its group. What has left the
    /// group, and everything where there is none, is looked for, and ends as our child at the latest.
    fn kill_children(&mut self, cause: Cause) {
        let children = procfs::children(Pid::this());
        for &child in &children {
            self.count(child, cause != Cause::AtOnce);
        }
        if self.sealed {
            // As the first process of the namespace we are the one that this spares.
            let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
            return;
        }
        if let Some(group) = self.group {
            group.kill();
        }
        for child in children {
            let _ = kill(child, Signal::SIGKILL);
        }
        descendants::kill_all();
    }

    fn count(&mut self, child: Pid, leaks: bool) {
        if leaks
            && child != self.leader
            && !self.leaked.contains(&child)
            && Stat::read(child).is_some_and(|stat| stat.is_alive())
        {
            self.leaked.insert(child);
        }
    }

    /// Waits for a word of the owner, the end of a child, or the time to look again.
    fn sleep(&mut self, look_again: Option<Duration>) {
        let timeout = look_again.map_or(PollTimeout::NONE, |wait| {
            // Rounded up, so that the last millisecond is not spent spinning.
            let millis = wait.as_millis().saturating_add(1);
            u16::try_from(millis).map_or(PollTimeout::MAX, PollTimeout::from)
        });
        let mut ready = [
            PollFd::new(self.control.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.child_ended.as_fd(), PollFlags::POLLIN),
        ];
        // In the killing phase the owner has nothing more to say, and a closed socket would make
        // every poll return at once.
        let skip = usize::from(matches!(self.phase, Phase::Killing { .. }));
        if poll(&mut ready[skip..], timeout).is_err() {
            return;
        }
        let spoken = skip == 0 && ready[0].any().unwrap_or(true);
        while let Ok(Some(_)) = self.child_ended.read_signal() {}
        if spoken {
            self.hear();
        }
    }

    fn hear(&mut self) {
        let mut words = [0; 16];
        let words = match (&mut &*self.control).read(&mut words) {
            Ok(length) => &words[..length],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
            Err(_) => &[],
        };
        // A closed socket means that the owner is gone: no grace, nobody would enforce its end.
        if words.is_empty() || words.contains(&KILL) {
            self.start_killing(Cause::AtOnce);
        } else if words.contains(&TERMINATE) && self.phase == Phase::Running {
            self.start_stopping(self.grace, Cause::Asked);
        }
    }
}

/// What is still there: children, and members of the group that are none (somebody else moved them
/// there).
pub(super) fn survivors(group: Option<&Group>) -> Vec<Survivor> {
    let mut left = procfs::children(Pid::this());
    left.extend(group.map(Group::members).unwrap_or_default());
    left.sort_unstable();
    left.dedup();
    left.into_iter()
        .filter_map(procfs::survivor)
        .take(MAX_SURVIVORS)
        .collect()
}
