//! Processes as `/proc` shows them. Every answer may be out of date when it arrives; only facts
//! about our own unreaped children are stable.

use std::fs;

use nix::unistd::Pid;

use crate::exit::Survivor;

/// The direct children of a process, of all its threads.
///
/// A kernel may be built without the list of children; then all processes are looked through.
pub(crate) fn children(parent: Pid) -> Vec<Pid> {
    listed_children(parent).unwrap_or_else(|| scanned_children(parent))
}

/// Every process that is seen from here.
pub(crate) fn all() -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw))
        .collect()
}

/// A process and what is below it, itself excluded, zombies left out.
pub(crate) fn living_descendants(root: Pid) -> usize {
    let mut seen = std::collections::HashSet::from([root]);
    let mut waiting = vec![root];
    let mut alive = 0;
    while let Some(parent) = waiting.pop() {
        for child in children(parent) {
            if seen.insert(child) {
                alive += usize::from(Stat::read(child).is_some_and(|stat| stat.is_alive()));
                waiting.push(child);
            }
        }
    }
    alive
}

/// The fields of `/proc/PID/stat` that are used here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) comm: String,
    pub(crate) state: char,
    pub(crate) parent: i32,
    pub(crate) session: i32,
    /// Ticks of the clock since the system started: with the id, one process and no other.
    pub(crate) start_time: u64,
}

impl Stat {
    /// `None` if there is no such process any more.
    pub(crate) fn read(pid: Pid) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// False for a process that has ended and only waits to be reaped.
    pub(crate) fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }

    fn parse(stat: &[u8]) -> Option<Self> {
        let stat = String::from_utf8_lossy(stat);
        // A program chooses its own short name, which may hold spaces and parentheses.
        let (head, tail) = stat.rsplit_once(')')?;
        let comm = head.split_once('(')?.1.to_owned();
        let mut fields = tail.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let _group = fields.next()?;
        let session = fields.next()?.parse().ok()?;
        // The 22nd field of the line, and the session was the sixth.
        let start_time = fields.nth(15)?.parse().ok()?;
        Some(Self {
            comm,
            state,
            parent,
            session,
            start_time,
        })
    }
}

/// A process that should be gone, described for a person; `None` if it is gone or a zombie.
pub(crate) fn survivor(pid: Pid) -> Option<Survivor> {
    let stat = Stat::read(pid).filter(Stat::is_alive)?;
    let status = fs::read(format!("/proc/{pid}/status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    let uid = status_field(&status, "Uid:")?.parse().ok()?;
    Some(Survivor {
        pid: pid.as_raw().cast_unsigned(),
        comm: stat.comm,
        state: stat.state,
        uid,
    })
}

/// The child of `parent` that has the id `inner` in its own, innermost PID namespace.
pub(crate) fn child_by_inner_pid(parent: Pid, inner: i32) -> Option<Pid> {
    let inner = inner.to_string();
    children(parent).into_iter().find(|child| {
        fs::read(format!("/proc/{child}/status")).is_ok_and(|status| {
            String::from_utf8_lossy(&status)
                .lines()
                .find_map(|line| line.strip_prefix("NSpid:"))
                .and_then(|ids| ids.split_ascii_whitespace().next_back())
                == Some(inner.as_str())
        })
    })
}

fn status_field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()
}

fn listed_children(parent: Pid) -> Option<Vec<Pid>> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{parent}/task")).ok()?.flatten() {
        let list = match fs::read_to_string(thread.path().join("children")) {
            Ok(list) => list,
            // A thread that has just ended has no children any more; a kernel without the list
            // has it for no thread.
            Err(_) if thread.path().exists() => return None,
            Err(_) => continue,
        };
        let pids = list.split_ascii_whitespace();
        found.extend(pids.filter_map(|pid| pid.parse().ok().map(Pid::from_raw)));
    }
    Some(found)
}

fn scanned_children(parent: Pid) -> Vec<Pid> {
    all()
        .into_iter()
        .filter(|&pid| Stat::read(pid).is_some_and(|stat| stat.parent == parent.as_raw()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_with_parentheses_is_read_whole() {
        let stat = Stat::parse(b"42 (a) Z (b) S 7 42 40 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 31337 99")
            .unwrap();
        assert_eq!(
            stat,
            Stat {
                comm: "a) Z (b".to_owned(),
                state: 'S',
                parent: 7,
                session: 40,
                start_time: 31337,
            }
        );
    }

    #[test]
    fn both_ways_of_finding_children_agree() {
        let mut child = std::process::Command::new("sleep")
            .arg("20")
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let own = Pid::this();
        let (listed, scanned) = (listed_children(own), scanned_children(own));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(listed.is_none_or(|listed| listed.contains(&pid)));
        assert!(scanned.contains(&pid));
    }
}
