//! Makes the command's process: fork, preparation, exec. Runs in the single-threaded supervisor,
//! where the new process may do what any process may.

#![expect(unsafe_code, reason = "fork and close_range have no safe form")]

use std::convert::Infallible;
use std::ffi::CString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::unistd::{self, ForkResult, Pid};

use super::cgroup::Group;
use super::limits::hold;
use super::wait::reap_one;
use crate::exit::HeldLimits;
use crate::protocol::{Raw, Request, Step, WireLimits};

/// Added to what the kernel thinks of when memory runs out, so that it takes commands before the
/// harness that has to clean up after them.
const OOM_SCORE_ADJ: i32 = 500;

/// Another thread of the owner may hold a just-written program open across its own fork; it is
/// executable some milliseconds later.
const BUSY_RETRIES: u32 = 50;
const BUSY_DELAY: Duration = Duration::from_millis(10);

/// Where programs are looked for if the command's environment has no `PATH`.
const DEFAULT_PATH: &[u8] = b"/usr/local/bin:/usr/bin:/bin";

/// How long a process that could not become the command takes to end, at most.
const FAILED_LIMIT: Duration = Duration::from_secs(1);

/// Said instead of the number of a failed step, by a process that is ready to become the command.
const READY: u8 = u8::MAX;

/// The highest signal number of Linux.
const LAST_SIGNAL: libc::c_int = 64;

/// A start that failed: where and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct LaunchError {
    pub(super) step: Step,
    pub(super) errno: Errno,
}

impl LaunchError {
    pub(super) fn at(step: Step) -> impl Fn(Errno) -> Self {
        move |errno| Self { step, errno }
    }
}

/// A command that runs.
pub(super) struct Launched {
    pub(super) leader: Pid,
    /// Whether it is in its control group.
    pub(super) in_group: bool,
    pub(super) held: HeldLimits,
}

/// Starts a command, in its control group if it has one. Below level 3 it does not run outside of
/// it; at level 3 the namespace holds it, so it does. `announce` is called before it can do anything.
pub(super) fn launch(
    request: Request,
    group: Option<&Group>,
    own_users: bool,
    announce: impl Fn(&Launched),
) -> Result<Launched, LaunchError> {
    let wanted = request.limits.clone();
    let may_do_without = request.level == 3;
    let launch = Launch::prepare(request)?;
    let start = |group: Option<&Group>| {
        let (limits, held) = hold(&wanted, group, own_users);
        let launched = |leader| Launched {
            leader,
            in_group: group.is_some(),
            held,
        };
        let leader = launch.start(&limits, group, |leader| announce(&launched(leader)));
        leader.map(launched)
    };
    match start(group) {
        Err(error) if error.step == Step::Group && may_do_without => start(None),
        other => other,
    }
}

/// Everything exec needs, made ready before the fork so that a mistake is found in one place.
struct Launch {
    candidates: Vec<CString>,
    args: Vec<CString>,
    env: Vec<CString>,
    cwd: std::path::PathBuf,
    stdin: OwnedFd,
}

impl Launch {
    fn prepare(request: Request) -> Result<Self, LaunchError> {
        let stdin = request.stdin.map(Raw::into_path);
        let stdin = fs::File::open(stdin.as_deref().unwrap_or(Path::new("/dev/null")))
            .map_err(|error| LaunchError::at(Step::Stdin)(errno(&error)))?;
        let program = request.program.into_bytes();
        let env: Vec<(Vec<u8>, Vec<u8>)> = request
            .env
            .into_iter()
            .map(|(name, value)| (name.into_bytes(), value.into_bytes()))
            .collect();
        let search = env.iter().rev().find(|(name, _)| name == b"PATH");
        let candidates = candidates(&program, search.map_or(DEFAULT_PATH, |(_, path)| path));
        let args = std::iter::once(program).chain(request.args.into_iter().map(Raw::into_bytes));
        Ok(Self {
            candidates: c_strings(candidates)?,
            args: c_strings(args)?,
            env: c_strings(env.into_iter().map(|(mut pair, value)| {
                pair.push(b'=');
                pair.extend(value);
                pair
            }))?,
            cwd: request.cwd.into_path(),
            stdin: stdin.into(),
        })
    }

    /// Starts the process and returns when it runs the program.
    fn start(
        &self,
        limits: &WireLimits,
        group: Option<&Group>,
        announce: impl Fn(Pid),
    ) -> Result<Pid, LaunchError> {
        let pipe = || unistd::pipe2(OFlag::O_CLOEXEC).map_err(LaunchError::at(Step::Fork));
        let (failed, report) = pipe()?;
        let (may_go, go) = pipe()?;
        let supervisor = Pid::this();
        // SAFETY: the supervisor has one thread, so no lock can be held by another one.
        match unsafe { unistd::fork() }.map_err(LaunchError::at(Step::Fork))? {
            ForkResult::Child => {
                drop((failed, go));
                let mut report = fs::File::from(report);
                let ready = || wait_to_go(&report, may_go.into());
                let Err(error) = self.become_command(supervisor, limits, group, ready);
                let step = Step::ALL.iter().position(|&step| step == error.step);
                let mut message = vec![u8::try_from(step.unwrap_or(0)).unwrap_or(0)];
                message.extend((error.errno as i32).to_le_bytes());
                // Nobody is left to tell if the pipe is gone too.
                let _ = report.write_all(&message);
                // SAFETY: ends the process without running what the supervisor set up for its own
                // exit.
                unsafe { libc::_exit(127) }
            }
            ForkResult::Parent { child } => {
                drop((report, may_go));
                // Set on both sides, so that the group exists for whoever needs it first.
                let _ = unistd::setpgid(child, child);
                let mut failed = fs::File::from(failed);
                let mut message = vec![0];
                if failed.read_exact(&mut message).is_err() || message == [READY] {
                    announce(child);
                    message.clear();
                    let _ = fs::File::from(go).write_all(&[READY]);
                }
                // A pipe closed by exec reads as empty: the command runs.
                let _ = failed.read_to_end(&mut message);
                if !message.is_empty() {
                    // It is ending; nobody else would reap it before the next try.
                    let _ = reap_one(child, FAILED_LIMIT);
                }
                match message.split_first() {
                    Some((&step, number)) if number.len() == 4 => {
                        let number = number.try_into().expect("the length was looked at");
                        Err(LaunchError {
                            step: Step::ALL[usize::from(step) % Step::ALL.len()],
                            errno: Errno::from_raw(i32::from_le_bytes(number)),
                        })
                    }
                    _ => Ok(child),
                }
            }
        }
    }

    /// Runs in the new process; returns only if it cannot become the command.
    fn become_command(
        &self,
        supervisor: Pid,
        limits: &WireLimits,
        group: Option<&Group>,
        ready: impl FnOnce() -> Result<(), LaunchError>,
    ) -> Result<Infallible, LaunchError> {
        let session = LaunchError::at(Step::Session);
        unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(&session)?;
        prctl::set_no_new_privs().map_err(&session)?;
        prctl::set_pdeathsig(Signal::SIGKILL).map_err(&session)?;
        if unistd::getppid() != supervisor {
            // It died before the line above; nobody would stop us.
            return Err(session(Errno::ESRCH));
        }

        // Every one, also what the owner's own parent ignored (as `nohup` does): a command must not
        // behave differently for how the harness was started.
        for number in 1..=LAST_SIGNAL {
            // SAFETY: the default action runs no code of ours. The system refuses it for the few
            // signals that cannot be set, which are as they should be.
            unsafe { libc::signal(number, libc::SIG_DFL) };
        }
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
            .map_err(LaunchError::at(Step::Signals))?;

        prefer_for_oom();
        if let Some(group) = group {
            group.join().map_err(LaunchError::at(Step::Group))?;
        }
        limit(limits).map_err(LaunchError::at(Step::Limits))?;
        unistd::chdir(&self.cwd).map_err(LaunchError::at(Step::WorkingDir))?;
        unistd::dup2_stdin(&self.stdin).map_err(LaunchError::at(Step::Stdin))?;
        // Whatever else is open belongs to the supervisor. A kernel older than 5.11 cannot do
        // this; everything we open ourselves closes on exec anyway.
        // SAFETY: no descriptor is closed here, they are only marked.
        let _ = unsafe {
            libc::syscall(
                libc::SYS_close_range,
                3,
                libc::c_uint::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            )
        };
        ready()?;
        Err(LaunchError::at(Step::Exec)(self.exec()))
    }

    /// Tries every candidate like a shell's `PATH` search: a missing one is passed over, a
    /// forbidden one is remembered.
    fn exec(&self) -> Errno {
        let mut verdict = Errno::ENOENT;
        for candidate in &self.candidates {
            let mut error = execve(candidate, &self.args, &self.env);
            for _ in 0..BUSY_RETRIES {
                if error != Errno::ETXTBSY {
                    break;
                }
                std::thread::sleep(BUSY_DELAY);
                error = execve(candidate, &self.args, &self.env);
            }
            match error {
                Errno::ENOENT | Errno::ENOTDIR => {
                    if candidate
                        .to_str()
                        .is_ok_and(|path| Path::new(path).exists())
                    {
                        // The file is there, so what is missing is the interpreter it names.
                        return Errno::ELIBACC;
                    }
                }
                Errno::EACCES => verdict = Errno::EACCES,
                other => return other,
            }
        }
        verdict
    }
}

/// Tells the supervisor that nothing is left but to execute the program, and waits for its word.
fn wait_to_go(mut report: &fs::File, mut may_go: fs::File) -> Result<(), LaunchError> {
    let agreed = report
        .write_all(&[READY])
        .and_then(|()| may_go.read_exact(&mut [0]));
    // It died; nobody would stop us.
    agreed.map_err(|_| LaunchError::at(Step::Session)(Errno::ESRCH))
}

fn execve(program: &CString, args: &[CString], env: &[CString]) -> Errno {
    match unistd::execve(program, args, env) {
        Err(error) => error,
        Ok(never) => match never {},
    }
}

fn candidates(program: &[u8], search: &[u8]) -> Vec<Vec<u8>> {
    if program.contains(&b'/') {
        return vec![program.to_vec()];
    }
    search
        .split(|&byte| byte == b':')
        .map(|folder| {
            let mut path = folder.to_vec();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(program);
            path
        })
        .collect()
}

fn c_strings(values: impl IntoIterator<Item = Vec<u8>>) -> Result<Vec<CString>, LaunchError> {
    values
        .into_iter()
        .map(|value| CString::new(value).map_err(|_| LaunchError::at(Step::Prepare)(Errno::EINVAL)))
        .collect()
}

/// Best effort: a command that cannot be marked is still worth running.
fn prefer_for_oom() {
    const FILE: &str = "/proc/self/oom_score_adj";
    let current = fs::read_to_string(FILE).ok();
    let current = current.and_then(|text| text.trim().parse::<i32>().ok());
    if current.is_some_and(|current| current < OOM_SCORE_ADJ) {
        let _ = fs::write(FILE, OOM_SCORE_ADJ.to_string());
    }
}

fn limit(limits: &WireLimits) -> Result<(), Errno> {
    for (resource, wanted) in [
        (Resource::RLIMIT_NOFILE, limits.open_files),
        (Resource::RLIMIT_CORE, limits.core_bytes),
        (Resource::RLIMIT_FSIZE, limits.file_bytes),
        (Resource::RLIMIT_AS, limits.address_space_bytes),
        (Resource::RLIMIT_DATA, limits.data_bytes),
        (Resource::RLIMIT_CPU, limits.cpu_seconds),
        (Resource::RLIMIT_NPROC, limits.user_processes),
    ] {
        if let Some(wanted) = wanted {
            let (_, hard) = getrlimit(resource)?;
            let value = wanted.min(hard);
            setrlimit(resource, value, value)?;
        }
    }
    Ok(())
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
