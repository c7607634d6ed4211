//! One control group for one tree: made, limited, killed, proven empty, removed.
//!
//! A group is locked (`flock` on its folder) by its supervisor for as long as that lives, and the
//! lock goes with the last process that holds it. So whoever gets the lock knows that the group
//! was abandoned, whatever has become of process ids meanwhile.
//!
//! Where groups can be made is the business of `place`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::Pid;

/// With what the name of every group of ours begins; two numbers follow.
const PREFIX: &str = "harness-tree-";

/// Whether a name is one that we give: what only looks a little like it is somebody else's.
pub(super) fn is_ours(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = name
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once('-'));
    numbers.is_some_and(|(pid, number)| is_number(pid) && is_number(number))
}

/// Names that are tried. One supervisor makes one group, so that a second name is needed only
/// beside the group of a dead one that had the same process id.
const MAX_NAMES: u32 = 100;

/// A killed process leaves its group a moment after it was reaped.
const REMOVE_LIMIT: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Commands may make groups in theirs. Nobody nests them deeper than this by accident, and what is
/// killed but not removed costs only a folder.
const MAX_DEPTH: u32 = 16;

/// Why there is no group.
#[derive(Debug)]
pub(crate) struct GroupError {
    pub(crate) step: &'static str,
    pub(crate) source: io::Error,
}

impl GroupError {
    fn at(step: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self { step, source }
    }
}

/// A locked group. Dropping it gives up the lock and leaves the group where it is.
#[derive(Debug)]
pub(crate) struct Group {
    folder: PathBuf,
    /// Opened before the supervisor changes its namespaces: the kernel checks the right to move a
    /// process with the credentials of whoever opened the file.
    members: File,
    kill: File,
    events: File,
    _lock: File,
}

impl Group {
    /// A new, empty group below `parent`.
    pub(crate) fn make(parent: &Path) -> Result<Self, GroupError> {
        for number in 0..MAX_NAMES {
            let folder = parent.join(format!("{PREFIX}{}-{number}", Pid::this()));
            match fs::create_dir(&folder) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(GroupError::at("making a control group")(error)),
            }
            // None if another harness, which cleans up, saw it before it was locked.
            match Self::open(&folder) {
                Ok(Some(group)) => return Ok(group),
                Ok(None) => {}
                Err(error) => {
                    let _ = fs::remove_dir(folder);
                    return Err(error);
                }
            }
        }
        let source = io::ErrorKind::AlreadyExists.into();
        Err(GroupError::at("making a control group")(source))
    }

    /// Locks a group. `None` if another process holds the lock, or has removed the group meanwhile.
    fn open(folder: &Path) -> Result<Option<Self>, GroupError> {
        // What may not be written is not locked either: it is the business of another user.
        let write = |name| OpenOptions::new().write(true).open(folder.join(name));
        let members = write("cgroup.procs").map_err(GroupError::at("opening its cgroup.procs"))?;
        let kill = write("cgroup.kill").map_err(GroupError::at(
            "opening its cgroup.kill, which Linux has since 5.14",
        ))?;
        let events = File::open(folder.join("cgroup.events"))
            .map_err(GroupError::at("opening its cgroup.events"))?;
        let lock = lock(folder).map_err(GroupError::at("locking a control group"))?;
        Ok(lock.map(|lock| Self {
            folder: folder.to_owned(),
            members,
            kill,
            events,
            _lock: lock,
        }))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Moves the calling process into the group.
    ///
    /// Never done by creating a process inside it (`CLONE_INTO_CGROUP`): Linux 6.18 kills such a
    /// newborn if its parent's group was ever killed.
    pub(crate) fn join(&self) -> Result<(), Errno> {
        (&self.members).write_all(b"0").map_err(|error| {
            let number = error.raw_os_error();
            number.map_or(Errno::EIO, Errno::from_raw)
        })
    }

    /// Kills every process of the group and of groups below it, also one that is being forked.
    /// What left the group before is not reached.
    pub(crate) fn kill(&self) {
        // It can only fail for a group that is gone.
        let _ = (&self.kill).write_all(b"1");
    }

    /// Whether the kernel knows of no living process in the group and below it.
    pub(crate) fn is_empty(&self) -> bool {
        let mut events = &self.events;
        let mut text = String::new();
        let read = events
            .seek(SeekFrom::Start(0))
            .and_then(|_| events.read_to_string(&mut text));
        match read {
            Ok(_) => value_of(&text, "populated") == Some(0),
            // A group can only be removed when it is empty.
            Err(error) => error.raw_os_error() == Some(Errno::ENODEV as i32),
        }
    }

    /// Its own processes, without those of groups below it.
    pub(crate) fn members(&self) -> Vec<Pid> {
        members(&self.folder)
    }

    /// Bounds the memory of the whole group. What exceeds it is killed as a whole, so that no half
    /// of a command goes on.
    pub(crate) fn limit_memory(&self, bytes: u64) -> io::Result<()> {
        limit_memory(&self.folder, bytes)
    }

    /// Bounds the number of processes and threads of the whole group.
    pub(crate) fn limit_processes(&self, count: u64) -> io::Result<()> {
        limit_processes(&self.folder, count)
    }

    /// How many processes were killed because the group had no memory left.
    pub(crate) fn oom_kills(&self) -> u64 {
        oom_kills(&self.folder)
    }

    /// Removes it if it is empty, or becomes so within a moment; true if it is gone.
    pub(crate) fn remove(&self) -> bool {
        remove(&self.folder, REMOVE_LIMIT)
    }
}

/// How far a group of a dead supervisor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cleared {
    /// It is gone.
    Gone,
    /// It was killed and is not yet empty, or not yet removed.
    Killed,
    /// Nothing was done: a supervisor holds the lock.
    Held,
    /// Nothing was done: it is no group, or another user's.
    NotOurs,
}

/// One step of ending what a dead supervisor left in its group. Call it until it is gone.
pub(crate) fn clear_abandoned(folder: &Path) -> Cleared {
    match Group::open(folder) {
        Ok(Some(group)) => {
            group.kill();
            if group.is_empty() && remove_tree(folder, MAX_DEPTH).is_ok() {
                Cleared::Gone
            } else {
                Cleared::Killed
            }
        }
        Ok(None) if folder.exists() => Cleared::Held,
        Err(_) if folder.exists() => Cleared::NotOurs,
        Ok(None) | Err(_) => Cleared::Gone,
    }
}

/// `None` if another process holds the lock, or has removed the folder meanwhile.
fn lock(folder: &Path) -> io::Result<Option<File>> {
    let handle = File::open(folder)?;
    match handle.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let same = fs::metadata(folder)
        .and_then(|now| Ok(now.ino() == handle.metadata()?.ino()))
        .unwrap_or(false);
    Ok(same.then_some(handle))
}

pub(super) fn members(folder: &Path) -> Vec<Pid> {
    let list = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let pids = list.split_ascii_whitespace();
    pids.filter_map(|pid| pid.parse().ok().map(Pid::from_raw))
        .collect()
}

fn limit_memory(folder: &Path, bytes: u64) -> io::Result<()> {
    set(&folder.join("memory.max"), &bytes.to_string())?;
    // Swap would only make it slow instead of ended; not every kernel counts it. Killing as a whole
    // came later than the limit (4.19).
    let _ = set(&folder.join("memory.swap.max"), "0");
    let _ = set(&folder.join("memory.oom.group"), "1");
    Ok(())
}

fn limit_processes(folder: &Path, count: u64) -> io::Result<()> {
    set(&folder.join("pids.max"), &count.to_string())
}

/// A file of a group is there or not; it is never made.
pub(super) fn set(file: &Path, value: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(file)?
        .write_all(value.as_bytes())
}

fn oom_kills(folder: &Path) -> u64 {
    let events = fs::read_to_string(folder.join("memory.events")).unwrap_or_default();
    value_of(&events, "oom_kill").unwrap_or(0)
}

/// The number behind a name in a file of `name number` lines.
fn value_of(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let (_, value) = lines.find(|(key, _)| *key == name)?;
    value.trim().parse().ok()
}

fn remove(folder: &Path, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    loop {
        match remove_tree(folder, MAX_DEPTH) {
            Ok(()) => return true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return true,
            Err(_) if Instant::now() < until => std::thread::sleep(LOOK_AGAIN),
            Err(_) => return false,
        }
    }
}

/// The files of a group are no obstacle to removing it, the groups in it are.
fn remove_tree(folder: &Path, depth: u32) -> io::Result<()> {
    if depth > 0 {
        for entry in fs::read_dir(folder)?.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                remove_tree(&entry.path(), depth - 1)?;
            }
        }
    }
    fs::remove_dir(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like a group with the given files.
    fn fake(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(dir.path().join(name), content).unwrap();
        }
        dir
    }

    fn content(dir: &tempfile::TempDir, name: &str) -> String {
        fs::read_to_string(dir.path().join(name)).unwrap()
    }

    #[test]
    fn a_memory_limit_is_hard_without_swap_and_kills_the_whole() {
        let dir = fake(&[
            ("memory.max", ""),
            ("memory.swap.max", ""),
            ("memory.oom.group", ""),
        ]);
        limit_memory(dir.path(), 4096).unwrap();
        assert_eq!(content(&dir, "memory.max"), "4096");
        assert_eq!(content(&dir, "memory.swap.max"), "0");
        assert_eq!(content(&dir, "memory.oom.group"), "1");
    }

    #[test]
    fn a_kernel_that_does_not_count_swap_still_limits_memory() {
        let dir = fake(&[("memory.max", "")]);
        limit_memory(dir.path(), 4096).unwrap();
        assert_eq!(content(&dir, "memory.max"), "4096");
        assert!(!dir.path().join("memory.swap.max").exists());
    }

    #[test]
    fn a_limit_without_its_controller_is_refused_and_makes_no_file() {
        let dir = fake(&[]);
        for refused in [limit_memory(dir.path(), 1), limit_processes(dir.path(), 1)] {
            assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::NotFound);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a9_the_limit_of_processes_is_written() {
        let dir = fake(&[("pids.max", "")]);
        limit_processes(dir.path(), 77).unwrap();
        assert_eq!(content(&dir, "pids.max"), "77");
    }

    #[test]
    fn a2_kills_for_lack_of_memory_are_counted() {
        let events = "low 0\nhigh 0\nmax 31\noom 2\noom_kill 3\noom_group_kill 1\n";
        assert_eq!(oom_kills(fake(&[("memory.events", events)]).path()), 3);
        assert_eq!(oom_kills(fake(&[]).path()), 0);
    }

    #[test]
    fn an_abandoned_group_is_one_that_nobody_has_locked() {
        let dir = fake(&[
            ("cgroup.procs", ""),
            ("cgroup.kill", ""),
            ("cgroup.events", "populated 0\nfrozen 0\n"),
        ]);
        let held = lock(dir.path()).unwrap().unwrap();
        assert!(lock(dir.path()).unwrap().is_none());
        assert_eq!(clear_abandoned(dir.path()), Cleared::Held);
        assert_eq!(content(&dir, "cgroup.kill"), "");
        drop(held);
        // An ordinary folder with files cannot be removed, so this is as far as it comes.
        assert_eq!(clear_abandoned(dir.path()), Cleared::Killed);
        assert_eq!(content(&dir, "cgroup.kill"), "1");
    }

    #[test]
    fn what_is_no_group_is_left_alone() {
        let dir = fake(&[("precious", "")]);
        assert_eq!(clear_abandoned(dir.path()), Cleared::NotOurs);
        assert!(lock(dir.path()).unwrap().is_some());
        assert_eq!(content(&dir, "precious"), "");
    }

    #[test]
    fn only_names_that_we_give_are_ours() {
        assert!(is_ours("harness-tree-4711-0"));
        for foreign in [
            "harness-nightly.service",
            "harness-tree-1.scope",
            "harness-tree-1-2.scope",
            "harness-tree--1",
            "my-harness-tree-1-2",
        ] {
            assert!(!is_ours(foreign), "{foreign}");
        }
    }

    #[test]
    fn what_is_already_gone_is_cleared() {
        let dir = fake(&[]);
        assert_eq!(clear_abandoned(&dir.path().join("gone")), Cleared::Gone);
    }

    #[test]
    fn groups_inside_a_group_are_removed_with_it() {
        let dir = fake(&[]);
        let group = dir.path().join("group");
        fs::create_dir_all(group.join("a/b")).unwrap();
        fs::create_dir_all(group.join("c")).unwrap();
        assert!(remove(&group, Duration::ZERO));
        assert!(!group.exists());
    }
}
