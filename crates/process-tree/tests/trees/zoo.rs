//! The escape zoo: no process survives, whatever it does to get away, at every level that this
//! machine has, stopped in every way, again and again; on a busy machine, and as an ordinary user.
//!
//! Survivors are counted here, in `/proc` by a token on their command lines, and by the kernel: a
//! control group with a process in it cannot be removed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use process_tree::{LeaderStatus, ProcessTree, TreeExit, probe};
use tempfile::TempDir;

use crate::support::{
    Case, Delegated, NOBODY, as_user, eventually, levels, shim, within, zombies, zoo_program,
};

/// Runs of each animal at each level.
const RUNS: usize = 5;

/// A child of a test run as another user finds here a program that would make it root.
const SETUID_PROGRAM: &str = "ZOO_SETUID_PROGRAM";

/// One way of getting away.
struct Animal {
    kind: &'static str,
    /// Processes that must be seen alive before they are stopped; 0 if the command ends by itself
    /// and leaves one behind.
    processes: usize,
    /// What the kind needs besides its name.
    needs: Needs,
}

#[derive(Clone, Copy, PartialEq)]
enum Needs {
    Nothing,
    /// How many hoppers there are. They leave a byte at every hop in a file, which must stop growing: what
    /// moves can be missed in `/proc`.
    Hops(&'static str),
    /// A program with the set-user-id bit.
    Setuid,
    /// Another control group to go to.
    Group,
}

const fn animal(kind: &'static str, processes: usize) -> Animal {
    Animal {
        kind,
        processes,
        needs: Needs::Nothing,
    }
}

const fn hoppers(kind: &'static str, count: &'static str) -> Animal {
    Animal {
        needs: Needs::Hops(count),
        ..animal(kind, 1)
    }
}

const fn needing(kind: &'static str, needs: Needs) -> Animal {
    Animal {
        needs,
        ..animal(kind, 2)
    }
}

macro_rules! animals {
    ($($name:ident: $animal:expr;)*) => {
        const ANIMALS: &[Animal] = &[$($animal),*];

        /// Run by name as another user, too.
        mod each {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let animal: Animal = $animal;
                    animal.survives_nothing(&levels().await, RUNS).await;
                }
            )*
        }
    };
}

animals! {
    a3_a_plain_command: animal("plain", 1);
    a4_one_that_ignores_what_asks_politely: animal("stubborn", 1);
    a5_one_that_stops_itself: animal("stops-itself", 1);
    a5_a_stopped_child: animal("stopped", 3);
    a6_a_child_in_its_own_group: animal("own-group", 2);
    a6_a_child_in_its_own_session: animal("own-session", 2);
    a6_a_child_under_nohup: animal("nohup", 2);
    a7_a_daemon: animal("daemon", 2);
    a7_a_daemon_that_outlives_its_leader: animal("daemon-then-exit", 0);
    a7_a_daemon_without_environment_and_descriptors: animal("bare-daemon", 2);
    a7_a_daemon_below_another_subreaper: animal("subreaper", 3);
    a7_a_sibling_of_its_parent: animal("sibling", 2);
    a7_one_in_namespaces_of_its_own: animal("own-namespace", 3);
    a7_one_that_would_become_another_user: needing("becomes-root", Needs::Setuid);
    a7_one_that_leaves_its_control_group: needing("leaves-group", Needs::Group);
    a8_a_background_process_that_holds_stdout: animal("background-keeps-stdout", 0);
    a9_a_tree_of_331_in_sessions_of_their_own: animal("wide", 331);
    a9_a_fork_hopper: hoppers("hopper", "1");
    a9_two_session_hoppers: hoppers("session-hoppers", "2");
    a9_sixteen_session_hoppers: hoppers("session-hoppers", "16");
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stop {
    Terminate,
    Kill,
    Drop,
}

const STOPS: [Stop; 3] = [Stop::Terminate, Stop::Kill, Stop::Drop];

impl Animal {
    /// Runs it again and again, and says how often and what was seen.
    async fn survives_nothing(&self, levels: &[u8], runs: usize) {
        let Some(equipment) = Equipment::of(self.needs).await else {
            return;
        };
        for &level in levels {
            let begun = Instant::now();
            let mut leaked = 0;
            for run in 0..runs {
                let cage = Cage::new(self, &equipment, level);
                leaked = leaked.max(cage.run(STOPS[run % STOPS.len()]).await);
            }
            eprintln!(
                "zoo: {} {:?} as user {}, level {level}: {runs} runs, 0 survivors, \
                 at most {leaked} ended as leaked, {} ms",
                self.kind,
                equipment.arg.as_deref().unwrap_or_default(),
                nix::unistd::getuid(),
                begun.elapsed().as_millis() / runs as u128,
            );
        }
    }
}

/// What an animal needs besides its name, for all of its runs.
struct Equipment {
    arg: Option<String>,
    _dir: Option<TempDir>,
}

impl Equipment {
    /// `None` if this machine does not have it.
    async fn of(needs: Needs) -> Option<Self> {
        match needs {
            Needs::Nothing => Some(Self {
                arg: None,
                _dir: None,
            }),
            Needs::Hops(count) => Some(Self {
                arg: Some(count.to_owned()),
                _dir: None,
            }),
            Needs::Setuid => setuid_program(),
            Needs::Group => {
                let groups = probe(&shim()).await.groups;
                if groups.is_none() {
                    eprintln!("not tested: there is no other control group to go to");
                }
                Some(Self {
                    arg: Some(groups?.to_str()?.to_owned()),
                    _dir: None,
                })
            }
        }
    }
}

/// A copy of the zoo that runs as another user, and really does where privileges may be gained.
fn setuid_program() -> Option<Equipment> {
    if let Ok(given) = std::env::var(SETUID_PROGRAM) {
        return Some(Equipment {
            arg: Some(given),
            _dir: None,
        });
    }
    if !nix::unistd::getuid().is_root() {
        eprintln!("not tested: only root can make a program that makes others root");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let program = copy_with_setuid(dir.path(), NOBODY);
    let told = Command::new(&program).args(["euid", "-"]).output().unwrap();
    if told.stdout != format!("{NOBODY}\n").as_bytes() {
        eprintln!(
            "not tested: the set-user-id bit means nothing in {}",
            program.display()
        );
        return None;
    }
    Some(Equipment {
        arg: Some(program.to_str().unwrap().to_owned()),
        _dir: Some(dir),
    })
}

fn copy_with_setuid(dir: &Path, owner: u32) -> PathBuf {
    let program = dir.join("becomes-another");
    fs::copy(zoo_program(), &program).unwrap();
    chown(&program, Some(owner), None).unwrap();
    let setuid = fs::Permissions::from_mode(0o4755);
    fs::set_permissions(&program, setuid).unwrap();
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

/// One run of an animal.
struct Cage<'a> {
    animal: &'a Animal,
    case: Case,
    level: u8,
    /// Where the animal may go, if it goes anywhere.
    outside: Option<PathBuf>,
}

impl<'a> Cage<'a> {
    fn new(animal: &'a Animal, equipment: &Equipment, level: u8) -> Self {
        let mut outside = None;
        let arg = match (animal.needs, &equipment.arg) {
            (Needs::Group, Some(groups)) => {
                let group = Path::new(groups).join(format!("zoo-outside-{}", unique()));
                fs::create_dir(&group).unwrap();
                let arg = group.to_str().unwrap().to_owned();
                outside = Some(group);
                Some(arg)
            }
            (_, arg) => arg.clone(),
        };
        let mut case = Case::new(animal.kind, &[], level);
        case.command.grace = Duration::from_millis(50);
        case.command.args.extend(arg.map(Into::into));
        if let Needs::Hops(_) = animal.needs {
            let hops = case.path("hops");
            case.command.args.push(hops.into());
        }
        Self {
            animal,
            case,
            level,
            outside,
        }
    }

    /// Answers how many processes were ended as leaked.
    async fn run(&self, stop: Stop) -> u32 {
        let leaked = if self.animal.processes == 0 {
            self.ends_by_itself().await
        } else {
            self.is_stopped(stop).await
        };
        if let Some(outside) = &self.outside {
            fs::remove_dir(outside).expect("the kernel knows of no process outside");
        }
        eventually("no zombie is left", || zombies().is_empty()).await;
        leaked
    }

    async fn ends_by_itself(&self) -> u32 {
        let exit = self.case.run().await;
        self.check(&exit);
        assert_eq!(exit.status, LeaderStatus::Exited(0));
        assert!(!exit.stopped_by_us, "{exit:?}");
        assert_eq!(exit.leaked, 1, "{}: {exit:?}", self.describe());
        exit.leaked
    }

    async fn is_stopped(&self, stop: Stop) -> u32 {
        let mut tree = self.case.spawn_ready().await;
        eventually("every process of the animal lives", || {
            self.case.alive() >= self.animal.processes && self.hops() != Some(0)
        })
        .await;
        let group = self.group(&tree);
        self.look_at_the_animal().await;
        match stop {
            Stop::Terminate => tree.terminate(),
            Stop::Kill => tree.kill(),
            Stop::Drop => {
                drop(tree);
                eventually("the dropped tree is gone", || self.case.alive() == 0).await;
                if let Some(group) = group {
                    eventually("its group is gone", || !group.exists()).await;
                }
                self.nothing_hops().await;
                return 0;
            }
        }
        let exit = within(tree.wait()).await;
        self.check(&exit);
        assert!(exit.stopped_by_us, "{}: {exit:?}", self.describe());
        assert!(
            group.is_none_or(|group| !group.exists()),
            "{}",
            self.describe()
        );
        self.nothing_hops().await;
        exit.leaked
    }

    fn check(&self, exit: &TreeExit) {
        assert_eq!(self.case.alive(), 0, "{}: {exit:?}", self.describe());
        assert!(exit.proven_dead, "{}: {exit:?}", self.describe());
        assert_eq!(exit.level, self.level, "{}", self.describe());
        assert!(
            exit.stdout.reached_end && exit.stderr.reached_end,
            "{}: {exit:?}",
            self.describe()
        );
    }

    /// The tree's own control group, which must be there at level 2.
    fn group(&self, tree: &ProcessTree) -> Option<PathBuf> {
        let text = fs::read_to_string(format!("/proc/{}/cgroup", tree.pid())).unwrap();
        let own = text.lines().find_map(|line| line.strip_prefix("0::"));
        let name = own.and_then(|own| own.rsplit('/').next());
        let name = name.filter(|name| name.starts_with("harness-tree-"));
        assert!(self.level != 2 || name.is_some(), "{text}");
        assert!(self.level != 1 || name.is_none(), "{text}");
        let mounted = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
        let own = own?.trim_start_matches('/');
        name?;
        mounted
            .map(|mount| Path::new(mount).join(own))
            .into_iter()
            .find(|folder| folder.exists())
    }

    /// Waits until it has really done what it is kept for.
    async fn look_at_the_animal(&self) {
        if self.animal.needs == Needs::Setuid {
            eventually("it runs the other program", || self.users().len() == 2).await;
            let own = nix::unistd::getuid().as_raw();
            for (program, users) in self.users() {
                let unchanged = users.iter().all(|&user| user == own);
                assert!(unchanged, "{} runs {program} as {users:?}", self.describe());
            }
        }
        // At level 3 an ordinary user finds control groups read-only.
        let free = self.level < 3 || nix::unistd::getuid().is_root();
        if let Some(outside) = self.outside.as_ref().filter(|_| free) {
            let members = outside.join("cgroup.procs");
            eventually("it has left its group", || {
                !fs::read_to_string(&members).unwrap().is_empty()
            })
            .await;
        }
    }

    /// The real, effective, saved and file system user of its processes, by program.
    fn users(&self) -> BTreeMap<String, Vec<u32>> {
        let users = |pid| {
            let program = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let program = String::from_utf8(program)
                .ok()?
                .split('\0')
                .next()?
                .to_owned();
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
            let users = users
                .split_ascii_whitespace()
                .map(|user| user.parse().unwrap());
            Some((program, users.collect()))
        };
        self.case.pids().into_iter().filter_map(users).collect()
    }

    /// How often they have hopped, if they do.
    fn hops(&self) -> Option<u64> {
        let hops = matches!(self.animal.needs, Needs::Hops(_)).then(|| self.case.path("hops"))?;
        Some(fs::metadata(hops).map_or(0, |file| file.len()))
    }

    async fn nothing_hops(&self) {
        let Some(before) = self.hops() else { return };
        // Not a wait for something to happen: the time in which nothing may.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(self.hops(), Some(before), "{} still hops", self.describe());
    }

    fn describe(&self) -> String {
        format!("{} at level {}", self.animal.kind, self.level)
    }
}

fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{number}", std::process::id())
}

/// Keeps every core busy for as long as it lives.
struct Hogs(Vec<Child>);

impl Hogs {
    fn start() -> Self {
        let count = std::thread::available_parallelism().unwrap().get();
        let hog = |_| {
            let mut hog = Command::new(zoo_program());
            hog.args(["hog", "-"]).spawn().unwrap()
        };
        Self((0..count).map(hog).collect())
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a9_nothing_survives_on_a_busy_machine() {
    let levels = levels().await;
    let mut hogs = Hogs::start();
    for animal in ANIMALS {
        animal.survives_nothing(&levels, 1).await;
    }
    let busy = hogs
        .0
        .iter_mut()
        .all(|hog| hog.try_wait().unwrap().is_none());
    assert!(busy, "the machine was busy to the end");
}

/// Root may do what others may not, and is counted otherwise: all of it again as an ordinary user.
#[tokio::test]
async fn a6_a7_nothing_survives_as_an_ordinary_user() {
    if !nix::unistd::getuid().is_root() {
        eprintln!("not tested: this is an ordinary user already");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let setuid = copy_with_setuid(dir.path(), 0);
    let told = as_user(NOBODY, &setuid)
        .args(["euid", "-"])
        .output()
        .unwrap();
    assert_eq!(told.stdout, b"0\n", "the program would really make it root");

    let place = Delegated::make(NOBODY).await;
    let mut run = place.command(&std::env::current_exe().unwrap());
    run.args(["zoo::each::", "--nocapture", "--test-threads=2"])
        .env(SETUID_PROGRAM, &setuid)
        .env_remove("TMPDIR");
    let output = run.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    eprintln!("{told}");
    let summary = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{summary}\n{told}");
    let passed = format!("test result: ok. {} passed", ANIMALS.len());
    assert!(summary.contains(&passed), "{summary}");
    assert!(told.contains("level 1: 5 runs"), "{told}");
    assert!(
        place.folder().is_none() || told.contains("level 2: 5 runs"),
        "{told}"
    );
}
