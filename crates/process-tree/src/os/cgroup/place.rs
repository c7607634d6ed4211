//! Where this process may make control groups: found in `/proc`, found out by trying, and prepared
//! once: groups of dead harnesses are cleared, controllers are switched on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::Pid;

use super::group::{Cleared, Group, clear_abandoned, is_ours, members, set};

/// A folder in which groups can be made, and which limits they can hold.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    /// Whether a group can bound memory; else why not.
    pub(crate) memory: Result<(), String>,
    /// Whether a group can bound the number of processes; else why not.
    pub(crate) processes: Result<(), String>,
    /// The group that this process moved to so that controllers could be switched on.
    aside: Option<Group>,
}

/// Between asking for the end of what a dead harness left and giving up on it.
const CLEAR_LIMIT: Duration = Duration::from_millis(500);

/// The place of this process; in words why there is none. Looked for once.
///
/// It takes milliseconds, and is not given to a pool of threads: a machine that has no room for
/// another thread would let it wait there.
pub(crate) fn place() -> Result<&'static Place, &'static str> {
    static PLACE: OnceLock<Result<Place, String>> = OnceLock::new();
    let found = PLACE.get_or_init(|| Place::prepare(own_folder()?));
    found.as_ref().map_err(String::as_str)
}

impl Place {
    fn prepare(folder: PathBuf) -> Result<Self, String> {
        let shown = folder.display();
        let trial = Group::make(&folder)
            .map_err(|error| format!("{} in {shown}: {}", error.step, error.source))?;
        trial.remove();
        clear_stale(&folder);
        let mut place = Self {
            folder,
            memory: Ok(()),
            processes: Ok(()),
            aside: None,
        };
        place.memory = place.switch_on("memory");
        place.processes = place.switch_on("pids");
        Ok(place)
    }

    /// Lets groups in this place use a controller.
    fn switch_on(&mut self, controller: &str) -> Result<(), String> {
        let has = |file: &str| {
            let list = fs::read_to_string(self.folder.join(file)).unwrap_or_default();
            list.split_ascii_whitespace().any(|name| name == controller)
        };
        if has("cgroup.subtree_control") {
            return Ok(());
        }
        let shown = self.folder.display();
        if !has("cgroup.controllers") {
            return Err(format!(
                "the {controller} controller of cgroup v2 is not delegated to {shown}"
            ));
        }
        let file = self.folder.join("cgroup.subtree_control");
        let value = format!("+{controller}");
        let is_busy = |error: &io::Error| error.raw_os_error() == Some(Errno::EBUSY as i32);
        match set(&file, &value) {
            Ok(()) => Ok(()),
            Err(error) if is_busy(&error) && self.aside.is_none() => {
                self.step_aside(controller)?;
                set(&file, &value).map_err(|error| refused(controller, &self.folder, &error))
            }
            Err(error) => Err(refused(controller, &self.folder, &error)),
        }
    }

    /// A group that has processes of its own cannot hand controllers on. If this process is the
    /// only one there, it can move; other people's processes stay where they are.
    fn step_aside(&mut self, controller: &str) -> Result<(), String> {
        let shown = self.folder.display();
        if members(&self.folder) != [Pid::this()] {
            return Err(format!(
                "other processes share {shown}, so its {controller} controller cannot be used; \
                 start the harness in a group of its own: \
                 systemd-run --user --scope -p Delegate=yes harness …"
            ));
        }
        let aside = Group::make(&self.folder)
            .map_err(|error| format!("{} in {shown}: {}", error.step, error.source))?;
        if let Err(errno) = aside.join() {
            aside.remove();
            return Err(format!("this process could not leave {shown}: {errno}"));
        }
        self.aside = Some(aside);
        Ok(())
    }
}

fn refused(controller: &str, folder: &Path, error: &io::Error) -> String {
    format!(
        "the {controller} controller could not be switched on in {}: {error}",
        folder.display()
    )
}

/// Ends what dead harnesses left in their groups, here and beside us: a harness that was started
/// in the same way had its own folder next to ours.
fn clear_stale(folder: &Path) {
    let beside = folder.parent().map(subfolders).unwrap_or_default();
    for place in beside.iter().map(PathBuf::as_path).chain([folder]) {
        for group in subfolders(place) {
            let name = group.file_name().unwrap_or_default();
            if name.to_str().is_some_and(is_ours) {
                clear(&group);
            }
        }
    }
}

/// Gives up after a moment: the kill has been asked for, and the next harness looks again.
fn clear(group: &Path) {
    let until = Instant::now() + CLEAR_LIMIT;
    while clear_abandoned(group) == Cleared::Killed && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn own_folder() -> Result<PathBuf, String> {
    let read = |file| fs::read_to_string(file).map_err(|error| format!("reading {file}: {error}"));
    folder_of(&read("/proc/self/mountinfo")?, &read("/proc/self/cgroup")?)
}

/// The mount points of cgroup v2 in this mount namespace.
pub(crate) fn mounts() -> Vec<PathBuf> {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    cgroup_mounts(&mountinfo).map(|(_, point)| point).collect()
}

/// The folder of a process's own group, from the two files that say where it is.
fn folder_of(mountinfo: &str, cgroup: &str) -> Result<PathBuf, String> {
    // The line of cgroup v2 has the number 0 and names no controllers; those of v1 stand beside it
    // on hybrid systems.
    let own = cgroup.lines().find_map(|line| line.strip_prefix("0::"));
    let own = own.ok_or("this system has no cgroup v2")?;
    let mut mounted = false;
    for (root, point) in cgroup_mounts(mountinfo) {
        mounted = true;
        if let Ok(below) = Path::new(own).strip_prefix(&root) {
            // Joining an empty path would leave a slash at the end.
            let is_root = below.as_os_str().is_empty();
            return Ok(if is_root { point } else { point.join(below) });
        }
    }
    Err(if mounted {
        format!("the own control group {own} lies outside of what is mounted here")
    } else {
        "cgroup v2 is not mounted".to_owned()
    })
}

/// Which part of the hierarchy is mounted where.
fn cgroup_mounts(mountinfo: &str) -> impl Iterator<Item = (PathBuf, PathBuf)> {
    mountinfo.lines().filter_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        if kind.split(' ').next() != Some("cgroup2") {
            return None;
        }
        let mut fields = mount.split(' ').skip(3);
        Some((unescape(fields.next()?), unescape(fields.next()?)))
    })
}

/// Blanks and backslashes stand in `/proc` as their octal number.
fn unescape(field: &str) -> PathBuf {
    let mut text = field.to_owned();
    for (escaped, plain) in [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ] {
        text = text.replace(escaped, plain);
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIFIED: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

    #[test]
    fn the_own_group_is_found_where_it_is_mounted() {
        let user = "0::/user.slice/user-1000.slice/run.scope\n";
        let both = "4:memory:/jobs/1\n0::/jobs/1\n";
        let part = "50 23 0:26 /jobs /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        let odd = "50 23 0:26 / /mnt/my\\040groups rw - cgroup2 cgroup rw\n";
        for (mountinfo, cgroup, expected) in [
            (UNIFIED, "0::/\n", "/sys/fs/cgroup"),
            (
                UNIFIED,
                user,
                "/sys/fs/cgroup/user.slice/user-1000.slice/run.scope",
            ),
            (HYBRID, both, "/sys/fs/cgroup/unified/jobs/1"),
            (part, both, "/sys/fs/cgroup/1"),
            (odd, both, "/mnt/my groups/jobs/1"),
        ] {
            assert_eq!(
                folder_of(mountinfo, cgroup).unwrap().to_str().unwrap(),
                expected
            );
        }
    }

    #[test]
    fn where_there_is_no_group_the_reason_is_told() {
        let v1 = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        let elsewhere = "50 23 0:26 /other /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        for (mountinfo, cgroup, expected) in [
            (v1, "4:memory:/jobs/1\n", "has no cgroup v2"),
            (v1, "4:memory:/\n0::/\n", "not mounted"),
            (elsewhere, "0::/jobs/1\n", "outside of what is mounted"),
        ] {
            let reason = folder_of(mountinfo, cgroup).unwrap_err();
            assert!(reason.contains(expected), "{reason}");
        }
    }

    /// A place in a folder that only looks like a group.
    fn fake(controllers: &str, enabled: &str) -> (tempfile::TempDir, Place) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("cgroup.controllers"), controllers).unwrap();
        fs::write(dir.path().join("cgroup.subtree_control"), enabled).unwrap();
        let place = Place {
            folder: dir.path().to_owned(),
            memory: Ok(()),
            processes: Ok(()),
            aside: None,
        };
        (dir, place)
    }

    #[test]
    fn a_controller_is_switched_on_only_where_it_is_delegated_and_off() {
        let written = |dir: &tempfile::TempDir| {
            fs::read_to_string(dir.path().join("cgroup.subtree_control")).unwrap()
        };
        let (dir, mut place) = fake("cpu memory pids\n", "cpu\n");
        assert_eq!(place.switch_on("memory"), Ok(()));
        assert!(written(&dir).starts_with("+memory"));

        let (dir, mut place) = fake("cpu memory pids\n", "pids memory\n");
        assert_eq!(place.switch_on("memory"), Ok(()));
        assert_eq!(written(&dir), "pids memory\n");

        let (dir, mut place) = fake("cpu hugetlb\n", "");
        let reason = place.switch_on("memory").unwrap_err();
        assert!(reason.contains("the memory controller"), "{reason}");
        assert!(reason.contains("not delegated"), "{reason}");
        assert_eq!(written(&dir), "");
    }

    #[test]
    fn a_controller_that_is_refused_is_told() {
        let (dir, mut place) = fake("pids\n", "");
        fs::remove_file(dir.path().join("cgroup.subtree_control")).unwrap();
        let reason = place.switch_on("pids").unwrap_err();
        assert!(reason.contains("could not be switched on"), "{reason}");
    }

    #[test]
    fn other_peoples_processes_are_not_moved() {
        let (dir, mut place) = fake("memory\n", "");
        let crowd = format!("1\n{}\n", Pid::this());
        fs::write(dir.path().join("cgroup.procs"), crowd).unwrap();
        let reason = place.step_aside("memory").unwrap_err();
        assert!(reason.contains("systemd-run --user --scope"), "{reason}");
        assert!(place.aside.is_none());
    }

    #[test]
    fn a_place_without_control_groups_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let reason = Place::prepare(dir.path().to_owned()).unwrap_err();
        assert!(reason.contains("cgroup.procs"), "{reason}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
