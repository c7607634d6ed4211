//! What the tests share: commands of the zoo, and a count of survivors that knows nothing of how
//! the supervisor works.

use std::future::Future;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use process_tree::{
    Containment, OutputSink, ProcessTree, Shim, TreeCommand, TreeExit, probe, spawn,
};
use tempfile::TempDir;

pub(crate) const MIB: u64 = 1 << 20;

/// Below the lifetime of the animals, so that none is taken for stopped that ended by itself.
const PATIENCE: Duration = Duration::from_secs(15);

/// Far beyond what any end takes on a busy machine; only a hang reaches it.
const HANG: Duration = Duration::from_mins(2);

pub(crate) fn shim() -> Shim {
    Shim::new(
        env!("CARGO_BIN_EXE_process-tree-shim"),
        Vec::<String>::new(),
    )
}

pub(crate) fn zoo_program() -> &'static str {
    env!("CARGO_BIN_EXE_process-tree-zoo")
}

/// The levels that this machine allows; the others are named on standard error.
pub(crate) async fn levels() -> Vec<u8> {
    let report = probe(&shim()).await;
    for reason in &report.reasons {
        eprintln!("not tested: {reason}");
    }
    let mut levels = Vec::new();
    for level in 1..=report.level {
        let mut case = Case::new("exit", &["0"], level);
        case.command.containment = Containment::AtMost(level);
        if case.run().await.level == level {
            levels.push(level);
        } else {
            eprintln!("not tested: level {level}, which this machine does not have below others");
        }
    }
    levels
}

pub(crate) fn containment(level: u8) -> Containment {
    match level {
        3 => Containment::Require(3),
        level => Containment::AtMost(level),
    }
}

/// One animal in a cage of its own.
pub(crate) struct Case {
    pub(crate) dir: TempDir,
    pub(crate) token: String,
    pub(crate) command: TreeCommand,
}

impl Case {
    pub(crate) fn new(kind: &str, extra: &[&str], level: u8) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let token = format!("zoo-token-{}-{number}-end", std::process::id());
        let dir = tempfile::tempdir().unwrap();
        let mut args = vec![kind.to_owned(), token.clone()];
        args.extend(extra.iter().map(|&arg| arg.to_owned()));
        let command = TreeCommand {
            args: args.into_iter().map(Into::into).collect(),
            stdout: OutputSink::File {
                path: dir.path().join("stdout"),
                limit: MIB,
            },
            stderr: OutputSink::File {
                path: dir.path().join("stderr"),
                limit: MIB,
            },
            watch_last_json_line: true,
            grace: Duration::from_millis(200),
            containment: containment(level),
            ..TreeCommand::new(zoo_program(), dir.path())
        };
        Self {
            dir,
            token,
            command,
        }
    }

    pub(crate) async fn spawn(&self) -> ProcessTree {
        spawn(&shim(), self.command.clone()).await.unwrap()
    }

    /// Starts the animal and waits until it says that it has done its worst.
    pub(crate) async fn spawn_ready(&self) -> ProcessTree {
        let tree = self.spawn().await;
        eventually("the animal is ready", || {
            self.stdout().starts_with(b"ready")
        })
        .await;
        tree
    }

    /// Runs the animal to its end.
    pub(crate) async fn run(&self) -> TreeExit {
        within(self.spawn().await.wait()).await
    }

    pub(crate) fn stdout(&self) -> Vec<u8> {
        std::fs::read(self.path("stdout")).unwrap_or_default()
    }

    pub(crate) fn stdout_text(&self) -> String {
        String::from_utf8(self.stdout()).unwrap()
    }

    pub(crate) fn stderr_text(&self) -> String {
        std::fs::read_to_string(self.path("stderr")).unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Lets other users write into its folder.
    pub(crate) fn open_to_all(&self) {
        let all = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(self.dir.path(), all).unwrap();
    }

    /// Living processes that carry the token on their command line. A zombie has none.
    pub(crate) fn pids(&self) -> Vec<u32> {
        processes(|folder| {
            std::fs::read(folder.join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&self.token))
        })
    }

    pub(crate) fn alive(&self) -> usize {
        self.pids().len()
    }
}

/// Direct children of a process that satisfy a check of their `/proc/PID/stat`.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    processes(|folder| stat(folder).is_some_and(|(_, found)| found == parent))
}

/// Zombies among the direct children of this process.
pub(crate) fn zombies() -> Vec<u32> {
    let own = std::process::id();
    processes(|folder| stat(folder) == Some(('Z', own)))
}

/// Whether every thread of a process is stopped. They stop one after the other.
pub(crate) fn is_stopped(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads
        .flatten()
        .all(|thread| stat(&thread.path()).is_some_and(|(state, _)| state == 'T'))
}

fn stat(folder: &Path) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

fn processes(check: impl Fn(&Path) -> bool) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        check(&entry.path()).then_some(pid)
    })
    .collect()
}

/// Waits for a condition; fails with its name when it does not come.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "it never happened: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The value of a future that must not hang.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    let value = tokio::time::timeout(HANG, future).await;
    value.expect("it ends in time")
}

/// A user without rights of its own.
pub(crate) const NOBODY: u32 = 65534;

/// A program that is started as another user; as the own one where that is not allowed.
pub(crate) fn as_user(user: u32, program: &Path) -> Command {
    if !nix::unistd::getuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args([format!("--reuid={user}"), format!("--regid={user}")])
        .arg("--clear-groups")
        .arg(program);
    command
}

/// A control group that was handed to a user, as a service manager does it. It keeps a test apart
/// from others, too. Where it cannot be made, programs run in the group of the test.
pub(crate) struct Delegated {
    user: u32,
    folder: Option<PathBuf>,
}

impl Delegated {
    pub(crate) async fn make(user: u32) -> Self {
        let groups = probe(&shim()).await.groups;
        let groups = groups.filter(|_| nix::unistd::getuid().is_root());
        let folder = groups.map(|groups| {
            let folder = groups.join(format!("zoo-delegated-{user}-{}", std::process::id()));
            std::fs::create_dir(&folder).unwrap();
            let files = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];
            let files = files.map(|name| folder.join(name));
            for path in files.iter().chain([&folder]) {
                chown(path, Some(user), Some(user)).unwrap();
            }
            folder
        });
        if folder.is_none() {
            eprintln!("not tested: a delegated control group, which cannot be made here");
        }
        Self { user, folder }
    }

    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// A program that runs in the group as its user.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let inner = as_user(self.user, program);
        let Some(folder) = &self.folder else {
            return inner;
        };
        let mut command = Command::new("sh");
        command
            .args(["-c", "echo 0 > \"$0/cgroup.procs\" && exec \"$@\""])
            .arg(folder)
            .arg(inner.get_program())
            .args(inner.get_args());
        command
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            // What the kernel goes on to refuse is a process that lives or a group that was left.
            let until = Instant::now() + PATIENCE;
            while let Err(error) = std::fs::remove_dir(folder) {
                if Instant::now() >= until || std::thread::panicking() {
                    eprintln!("{} is left: {error}", folder.display());
                    assert!(std::thread::panicking(), "{error}");
                    break;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}
