//! Kills everything below this process, not only its own children.
//!
//! Killing children alone ends every tree in the end, because each death hands us the next ones.
//! But a fork bomb that has met its limit starts a new process for each that dies. So all of it is
//! killed in one go: at the limit nothing is born before something dies.

use std::collections::HashSet;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::pidfd::PidFd;
use super::procfs::{self, Stat};

/// A process that was seen below us and is held.
struct Held {
    pid: Pid,
    fd: PidFd,
}

/// Kills what is found below this process. What is born meanwhile, and what cannot be held for
/// lack of descriptors or on kernels before 5.3, is left to the next round and to the loop over
/// children.
pub(super) fn kill_all() {
    for process in find().into_iter().rev() {
        let _ = process.fd.kill(Signal::SIGKILL);
    }
}

/// Parents before their children.
fn find() -> Vec<Held> {
    let mut found: Vec<Held> = Vec::new();
    let mut seen = HashSet::new();
    // Our own children keep their ids until we reap them.
    hold_children(Pid::this(), &mut found, &mut seen);
    let mut next = 0;
    while let Some(parent) = found.get(next) {
        let before = found.len();
        let pid = parent.pid;
        hold_children(pid, &mut found, &mut seen);
        // As long as the parent has its id, what named that id as its parent was its child.
        if !found[next].fd.has_its_id() {
            found.truncate(before);
        }
        next += 1;
    }
    found
}

fn hold_children(parent: Pid, found: &mut Vec<Held>, seen: &mut HashSet<Pid>) {
    for pid in procfs::children(parent) {
        if !seen.insert(pid) {
            continue;
        }
        let Ok(fd) = PidFd::open(pid) else { continue };
        // Looked at when it is held: the id may have changed hands since it was listed.
        if Stat::read(pid).is_some_and(|stat| stat.parent == parent.as_raw()) {
            found.push(Held { pid, fd });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn grandchildren_are_found_below_their_parents_and_nothing_else_is() {
        // A subshell in the background makes a grandchild; both end with their standard input.
        let mut shell = Command::new("sh")
            .args(["-c", "(echo ready; cat >/dev/null) & cat; wait"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        shell
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut [0; 6])
            .unwrap();
        let found: Vec<Pid> = find().into_iter().map(|process| process.pid).collect();
        let shell_pid = Pid::from_raw(shell.id().cast_signed());
        let below = procfs::children(shell_pid);
        drop(shell.stdin.take());
        shell.kill().unwrap();
        shell.wait().unwrap();
        let place = found.iter().position(|&pid| pid == shell_pid).unwrap();
        assert!(!below.is_empty());
        for pid in below {
            assert!(found[place..].contains(&pid), "{pid} is not in {found:?}");
        }
        assert!(!found.contains(&Pid::parent()) && !found.contains(&Pid::this()));
    }
}
