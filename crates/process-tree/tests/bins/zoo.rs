//! Commands that misbehave, one per kind. Arguments: the kind, a token by which a test finds
//! every process in `/proc`, and what the kind needs.
//!
//! Every process ends by itself after [`LIFETIME_SECONDS`], so that a fault of the supervisor
//! cannot take the machine with it.

#![cfg(target_os = "linux")]
#![expect(
    unsafe_code,
    reason = "misbehaving takes fork, signal handlers and raw descriptors"
)]
#![expect(clippy::print_stdout, reason = "the output is what a test looks at")]
#![expect(clippy::unwrap_used, reason = "a helper of tests")]

use std::io::{Read as _, Write as _, stdin, stdout};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::libc;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, Signal, raise, signal};
use nix::unistd::{ForkResult, Pid, alarm, fork, pause, setpgid, setsid};

mod hostile;

const LIFETIME_SECONDS: u32 = 20;

fn main() {
    alarm::set(LIFETIME_SECONDS);
    let args: Vec<String> = std::env::args().collect();
    family(&args);
}

/// Those that start others.
fn family(args: &[String]) {
    match args[1].as_str() {
        "own-group" => stay_with(|| setpgid(Pid::from_raw(0), Pid::from_raw(0)).unwrap()),
        "own-session" => stay_with(|| {
            setsid().unwrap();
        }),
        "nohup" => stay_with(|| {
            shrug();
            setsid().unwrap();
        }),
        "stopped" => {
            stay_with(|| {
                setsid().unwrap();
                child(|| raise(Signal::SIGSTOP).unwrap());
            });
        }
        "subreaper" => stay_with(|| {
            shrug();
            prctl::set_child_subreaper(true).unwrap();
            daemon(shrug);
        }),
        "own-namespace" => {
            // Where this is not allowed, what remains is a tree that ignores TERM.
            let _ = unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID);
            stay_with(|| {
                shrug();
                child(shrug);
            });
        }
        "wide" => {
            for _ in 0..30 {
                child(|| {
                    setsid().unwrap();
                    for _ in 0..10 {
                        child(|| {
                            shrug();
                            setsid().unwrap();
                        });
                    }
                });
            }
            stay();
        }
        "daemon" => {
            daemon(|| ());
            stay();
        }
        "daemon-then-exit" => {
            daemon(shrug);
            ready();
        }
        "bare-daemon" => {
            let token = args[2].clone();
            daemon(move || {
                shrug();
                for fd in 0..1024 {
                    // SAFETY: nothing in this process uses a descriptor any more.
                    unsafe { libc::close(fd) };
                }
                let program = std::fs::read_link("/proc/self/exe").unwrap();
                let _ = Command::new(program)
                    .args(["sleeper", &token])
                    .env_clear()
                    .exec();
            });
            stay();
        }
        "sibling" => {
            clone_sibling();
            stay();
        }
        "background-keeps-stdout" => {
            child(linger);
            ready();
        }
        _ => hostile::attack(args),
    }
}

/// Those that do one ordinary thing.
fn simple(args: &[String]) {
    let extra = args.get(3).map_or("", String::as_str);
    match args[1].as_str() {
        "sleeper" | "plain" => stay(),
        "hog" => {
            alarm::set(6 * LIFETIME_SECONDS);
            loop {
                std::hint::spin_loop();
            }
        }
        "euid" => println!("{}", nix::unistd::geteuid()),
        "flood" => flood(number(extra), b"0123456789abcde\n"),
        "long-line" => {
            flood(number(extra), b"0123456789abcdef");
            println!("\n{{\"completed\":true}}");
        }
        "bytes" => {
            let every: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
            stdout().write_all(&every).unwrap();
            stdout().flush().unwrap();
        }
        "stdin" => {
            let mut input = String::new();
            stdin().read_to_string(&mut input).unwrap();
            println!("{}:{input}", input.len());
        }
        "exit" => quit(extra.parse().unwrap()),
        "signal" => {
            let number: i32 = extra.parse().unwrap();
            // SAFETY: the default action runs no code of ours.
            unsafe {
                libc::signal(number, libc::SIG_DFL);
                libc::raise(number);
            }
        }
        "finishes-on-term" => finish_on_term(),
        "describe" => describe(),
        other => panic!("no such animal: {other}"),
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap()
}

fn ready() {
    println!("ready");
    stdout().flush().unwrap();
}

fn stay() {
    ready();
    linger();
}

fn linger() {
    loop {
        pause();
    }
}

fn quit(code: i32) -> ! {
    // SAFETY: ends the process; nothing is left to run.
    unsafe { libc::_exit(code) }
}

/// Ignores what asks politely.
fn shrug() {
    for polite in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        // SAFETY: ignoring runs no code.
        unsafe { signal(polite, SigHandler::SigIgn) }.unwrap();
    }
}

/// Stays, with one child that has prepared itself and stays too.
fn stay_with(prepare: impl FnOnce()) {
    child(prepare);
    stay();
}

/// Forks a process that prepares itself and then lingers; returns when it is prepared, stopped
/// or gone.
fn child(prepare: impl FnOnce()) {
    let (mut prepared, done) = std::io::pipe().unwrap();
    // SAFETY: this program has one thread.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            alarm::set(LIFETIME_SECONDS);
            drop(prepared);
            // A child that stops itself or runs another program could not say so afterwards.
            drop(done);
            prepare();
            linger();
        }
        ForkResult::Parent { .. } => {
            drop(done);
            let _ = prepared.read(&mut [0]);
        }
    }
}

/// A process whose parent has ended, in its own session.
fn daemon(prepare: impl FnOnce()) {
    // SAFETY: this program has one thread.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            setsid().unwrap();
            child(prepare);
            quit(0)
        }
        ForkResult::Parent { child } => {
            let _ = nix::sys::wait::waitpid(child, None);
        }
    }
}

/// A process that is not our child but our parent's.
fn clone_sibling() {
    let flags = libc::CLONE_PARENT | libc::SIGCHLD;
    // SAFETY: without CLONE_VM this is a fork with another parent; this program has one thread.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    if pid == 0 {
        alarm::set(LIFETIME_SECONDS);
        shrug();
        setsid().unwrap();
        linger();
    }
}

/// Slow on a busy machine, and harmless since it starts nothing: may live longer.
fn flood(bytes: usize, pattern: &[u8]) {
    alarm::set(6 * LIFETIME_SECONDS);
    let block = pattern.repeat(4096);
    let mut left = bytes;
    let mut out = stdout().lock();
    while left > 0 {
        let length = left.min(block.len());
        out.write_all(&block[..length]).unwrap();
        left -= length;
    }
    out.flush().unwrap();
}

/// Takes TERM as the wish to end well, and does some last work.
fn finish_on_term() {
    use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
    let mut term = SigSet::empty();
    term.add(Signal::SIGTERM);
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&term), None).unwrap();
    ready();
    term.wait().unwrap();
    println!("finished");
    quit_flushed(9)
}

fn quit_flushed(code: i32) -> ! {
    stdout().flush().unwrap();
    quit(code)
}

/// What the process was given, one fact a line.
fn describe() {
    for (name, value) in std::env::vars() {
        println!("env {name}={value}");
    }
    println!("cwd {}", std::env::current_dir().unwrap().display());
    println!("pid {}", std::process::id());
    println!("group {}", nix::unistd::getpgrp());
    println!("no_new_privs {}", prctl::get_no_new_privs().unwrap());
    println!(
        "children {}",
        std::fs::read_dir("/proc").unwrap().count() > 1
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    for line in status.lines() {
        if line.starts_with("Sig") || line.starts_with("CapEff") {
            println!("{line}");
        }
    }
    let adjustment = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    println!("oom_score_adj {}", adjustment.trim());
    // The folder being read is one of them.
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count() - 1;
    println!("open {open}");
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    println!("{limits}");
}
