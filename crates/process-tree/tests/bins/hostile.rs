//! Animals that resist or attack.

use std::fs::{OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{Signal, kill, raise};
use nix::unistd::{ForkResult, Pid, alarm, fork, getppid, setsid};

use super::{
    LIFETIME_SECONDS, child, daemon, linger, number, quit, quit_flushed, ready, shrug, simple, stay,
};

/// Runs one of them, or what is none.
pub(super) fn attack(args: &[String]) {
    let extra = args.get(3).map_or("", String::as_str);
    match args[1].as_str() {
        "stubborn" => {
            shrug();
            stay();
        }
        "stops-itself" => {
            ready();
            raise(Signal::SIGSTOP).unwrap();
            linger();
        }
        "hopper" => {
            hopper(&args[4], false);
            stay();
        }
        "session-hoppers" => {
            for _ in 0..number(extra) {
                hopper(&args[4], true);
            }
            stay();
        }
        "kills-parent" => {
            daemon(shrug);
            ready();
            let _ = kill(getppid(), Signal::SIGKILL);
            linger();
        }
        "stops-parent" => {
            ready();
            let _ = kill(getppid(), Signal::SIGSTOP);
            linger();
        }
        "kills-everything" => {
            // Only in a namespace of its own; anywhere else this would take the machine down.
            let own = std::fs::read_link("/proc/self/ns/pid").unwrap();
            assert_ne!(
                own.to_str().unwrap(),
                extra,
                "not in a namespace of its own"
            );
            assert_eq!(getppid().as_raw(), 1);
            let _ = kill(getppid(), Signal::SIGKILL);
            let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
            println!("still here");
        }
        "becomes-root" => {
            let (program, token) = (extra.to_owned(), args[2].clone());
            daemon(move || {
                shrug();
                let _ = Command::new(program).args(["sleeper", &token]).exec();
            });
            stay();
        }
        "leaves-group" => {
            let members = Path::new(extra).join("cgroup.procs");
            daemon(move || {
                shrug();
                // Refused where control groups are read-only; what remains is a daemon.
                let _ = OpenOptions::new()
                    .write(true)
                    .open(members)
                    .and_then(|mut members| members.write_all(b"0"));
            });
            stay();
        }
        "kills-group" => {
            let kill = OpenOptions::new()
                .write(true)
                .open(Path::new(extra).join("cgroup.kill"))
                .and_then(|mut kill| kill.write_all(b"1"));
            quit(i32::from(kill.is_ok()))
        }
        "fork-bomb" => fork_bomb(&args[4], number(extra)),
        "wrecks-home" => wreck_home(),
        "closes-stdio" => {
            for fd in 0..3 {
                // SAFETY: nothing below uses these descriptors.
                unsafe { libc::close(fd) };
            }
            std::thread::sleep(Duration::from_millis(300));
            quit(5)
        }
        _ => simple(args),
    }
}

/// A process that is never the same for long: each forks the next and ends. Every hop leaves a
/// byte in a file, so that a test can see that it has stopped.
fn hopper(hops: &str, new_session: bool) {
    let mut hops = OpenOptions::new()
        .append(true)
        .create(true)
        .open(hops)
        .unwrap();
    let until = Instant::now() + Duration::from_secs(u64::from(LIFETIME_SECONDS));
    child(move || {
        shrug();
        while Instant::now() < until {
            // SAFETY: this program has one thread.
            match unsafe { fork() } {
                Ok(ForkResult::Child) => {
                    if new_session {
                        let _ = setsid();
                    }
                    let _ = hops.write_all(b".");
                }
                Ok(ForkResult::Parent { .. }) => quit(0),
                Err(_) => {}
            }
        }
        quit(0)
    });
}

/// Longer than a supervisor tries to kill.
const BOMB_SECONDS: u64 = 15;

/// Every process forks for as long as it lives. Refuses to begin where nothing stops it: the test
/// must have asked for a limit. Every birth leaves a byte in a file.
fn fork_bomb(births: &str, limit: usize) {
    let (soft, _) = getrlimit(Resource::RLIMIT_NPROC).unwrap();
    let bounded = nix::unistd::getuid().as_raw() != 0 && soft <= 2 * limit as u64;
    assert!(bounded, "nothing would stop this: the limit is {soft}");
    let mut births = OpenOptions::new()
        .append(true)
        .create(true)
        .open(births)
        .unwrap();
    shrug();
    // An end for all of them: every birth would give an alarm of its own a new start.
    let until = Instant::now() + Duration::from_secs(BOMB_SECONDS);
    let mut announced = false;
    while Instant::now() < until {
        // SAFETY: this program has one thread.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => {
                announced = true;
                alarm::set(LIFETIME_SECONDS);
                let _ = setsid();
                let _ = births.write_all(b".");
            }
            Ok(ForkResult::Parent { .. }) => {}
            Err(errno) => {
                assert_eq!(errno, Errno::EAGAIN);
                if !announced {
                    announced = true;
                    ready();
                }
            }
        }
    }
    quit(0)
}

/// Leaves nothing of its working directory, and what is left unusable.
fn wreck_home() {
    let home = std::env::current_dir().unwrap();
    std::os::unix::fs::symlink("/", home.join("everything")).unwrap();
    std::fs::create_dir(home.join("locked")).unwrap();
    std::fs::write(home.join("locked/file"), "x").unwrap();
    std::fs::set_permissions(home.join("locked"), Permissions::from_mode(0o000)).unwrap();
    std::fs::set_permissions(&home, Permissions::from_mode(0o000)).unwrap();
    println!("wrecked");
    quit_flushed(3)
}
