//! Starts a supervisor and hands it its command, up to the answer whether the command runs.

use std::ffi::OsStr;
use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::command::{OutputSink, Shim, StdinSource, TreeCommand};
use crate::error::{SpawnError, is_shortage};
use crate::exit::HeldLimits;
use crate::protocol::{Raw, Request, Status, Step};
use crate::sweep::Registration;

/// A shim answers within milliseconds; only a machine that swaps or has no processes left needs
/// longer.
const START_LIMIT: Duration = Duration::from_mins(1);

/// After this long without an answer the shim may have been stopped: the command can run, and send
/// its parent a signal, before the shim has said that it started.
const NUDGE: Duration = Duration::from_millis(500);

/// A running command and the owner's ends of everything that leads to it.
pub(crate) struct Started {
    pub(crate) pid: i32,
    /// The tree's own control group, if it has one.
    pub(crate) group: Option<PathBuf>,
    pub(crate) held: HeldLimits,
    pub(crate) shim: Child,
    pub(crate) registration: Registration,
    pub(crate) statuses: Statuses,
    pub(crate) control: OwnedWriteHalf,
    pub(crate) stdout: Option<pipe::Receiver>,
    pub(crate) stderr: Option<pipe::Receiver>,
}

/// Why there is no [`Started`].
pub(crate) enum StartError {
    /// This machine does not allow the level; nothing has run.
    CannotContain(String),
    Spawn(SpawnError),
}

impl From<SpawnError> for StartError {
    fn from(error: SpawnError) -> Self {
        Self::Spawn(error)
    }
}

/// The shim's status lines.
pub(crate) struct Statuses(Lines<BufReader<OwnedReadHalf>>);

impl Statuses {
    /// The next status; `None` once the shim is gone or makes no sense. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Status> {
        let line = self.0.next_line().await.ok()??;
        serde_json::from_str(&line).ok()
    }
}

pub(crate) async fn start(
    shim: &Shim,
    command: &TreeCommand,
    level: u8,
    groups: Option<&Path>,
) -> Result<Started, StartError> {
    let (control, theirs) = StdUnixStream::pair().map_err(failed("making its socket"))?;
    let (stdout, stdout_end) = output(&command.stdout)?;
    let (stderr, stderr_end) = output(&command.stderr)?;
    let mut starter = Command::new(&shim.program);
    starter
        .args(&shim.args)
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(stdout_end)
        .stderr(stderr_end);
    let mut child = starter.spawn().map_err(failed("executing it"))?;
    // The command holds our copies of the ends that the shim was given.
    drop(starter);
    let id = child.id().expect("a child that was not awaited has its id");
    let registration = Registration::new(id.cast_signed());

    control
        .set_nonblocking(true)
        .map_err(failed("preparing its socket"))?;
    let control = UnixStream::from_std(control).map_err(failed("preparing its socket"))?;
    let (read, mut control) = control.into_split();
    let mut statuses = Statuses(BufReader::new(read).lines());

    let mut started = None;
    let answer = timeout(START_LIMIT, async {
        send(&mut control, &Request::new(command, level, groups)).await?;
        loop {
            match timeout(NUDGE, statuses.next()).await {
                Ok(Some(Status::Started { pid, group, held })) => {
                    started = Some((pid, group, held));
                }
                Ok(answer) => return Ok(answer),
                Err(_) => wake(&child),
            }
        }
    });
    let answer = answer
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(failed("handing it the command"));
    let error = match (answer, started) {
        // A shim that is gone after `Started` was killed, perhaps by the command: it has run.
        (Ok(Some(Status::Running) | None), Some((pid, group, held))) => {
            return Ok(Started {
                pid,
                group: group.map(Raw::into_path),
                held,
                shim: child,
                registration,
                statuses,
                control,
                stdout,
                stderr,
            });
        }
        (Ok(Some(Status::CannotContain { step, errno })), _) => cannot_contain(&step, errno),
        (Ok(Some(Status::CouldNotStart { step, errno })), _) => {
            could_not_start(command, step, errno).into()
        }
        (Ok(Some(_) | None), _) => failed("waiting for its first word")(unexpected_end()).into(),
        (Err(error), _) => error.into(),
    };
    // It has nothing left to do, and with its socket closed nothing to stay for. Reaped here, or
    // by the runtime if it hangs.
    drop((control, statuses));
    let _ = child.start_kill();
    let _ = timeout(START_LIMIT, child.wait()).await;
    Err(error)
}

/// Refuses what no system call could pass on, before anything is started.
pub(crate) fn check(command: &TreeCommand) -> Result<(), SpawnError> {
    let refuse = |what: String| Err(SpawnError::Unpassable { what });
    let odd = |value: &OsStr| value.as_bytes().contains(&0);
    if command.program.is_empty() || odd(&command.program) {
        return refuse(format!(
            "the program name {:?}",
            command.program.to_string_lossy()
        ));
    }
    if odd(command.cwd.as_os_str()) {
        return refuse(format!(
            "the working directory {:?}",
            command.cwd.to_string_lossy()
        ));
    }
    if let Some(position) = command.args.iter().position(|arg| odd(arg)) {
        return refuse(format!("argument {}", position + 1));
    }
    for (name, value) in &command.env {
        // The value is left out: it may be a secret.
        if name.is_empty() || odd(name) || name.as_bytes().contains(&b'=') || odd(value) {
            let name = name.to_string_lossy();
            return refuse(format!("environment variable {name:?}"));
        }
    }
    Ok(())
}

/// Lets a shim go on that its own command has stopped.
pub(crate) fn wake(shim: &Child) {
    // An id is only known as long as the process has not been reaped.
    if let Some(id) = shim.id() {
        let _ = kill(Pid::from_raw(id.cast_signed()), Signal::SIGCONT);
    }
}

async fn send(control: &mut OwnedWriteHalf, request: &Request) -> io::Result<()> {
    let request = serde_json::to_vec(request)?;
    let length = u32::try_from(request.len()).map_err(io::Error::other)?;
    control.write_all(&length.to_le_bytes()).await?;
    control.write_all(&request).await
}

fn output(sink: &OutputSink) -> Result<(Option<pipe::Receiver>, Stdio), SpawnError> {
    if *sink == OutputSink::Null {
        return Ok((None, Stdio::null()));
    }
    let pipe = || -> io::Result<_> {
        let (read, write): (PipeReader, _) = io::pipe()?;
        let read = pipe::Receiver::from_owned_fd(read.into())?;
        Ok((Some(read), Stdio::from(write)))
    };
    pipe().map_err(failed("making an output pipe"))
}

/// A shortage is not a property of the machine: no reason to be content with less.
fn cannot_contain(step: &str, errno: i32) -> StartError {
    let source = io::Error::from_raw_os_error(errno);
    if is_shortage(&source) {
        let what = "containing the command";
        return SpawnError::Shim { what, source }.into();
    }
    StartError::CannotContain(format!("{step}: {source}"))
}

fn could_not_start(command: &TreeCommand, step: Step, errno: i32) -> SpawnError {
    let source = io::Error::from_raw_os_error(errno);
    let program = command.program.to_string_lossy().into_owned();
    let not_executable = |hint, source| SpawnError::NotExecutable {
        program: command.program.to_string_lossy().into_owned(),
        hint,
        source,
    };
    match (step, Errno::from_raw(errno)) {
        (Step::Exec, Errno::ENOENT | Errno::ENOTDIR) => SpawnError::NotFound { program },
        (Step::Exec, Errno::ELIBACC) => not_executable(
            "the interpreter that its first line or its header names is missing",
            io::Error::from_raw_os_error(Errno::ENOENT as i32),
        ),
        (Step::Exec, Errno::EACCES) => {
            not_executable("a directory, or no permission to execute it", source)
        }
        (Step::Exec, Errno::ENOEXEC) => not_executable(
            "neither a program of this machine nor a script with a #! line",
            source,
        ),
        (Step::Exec, Errno::E2BIG) => SpawnError::ArgumentsTooLong {
            bytes: length(command),
        },
        (Step::Exec, _) => not_executable("refused by the system", source),
        (Step::WorkingDir, _) => SpawnError::WorkingDir {
            path: command.cwd.clone(),
            source,
        },
        (Step::Stdin, _) => SpawnError::Stdin {
            path: match &command.stdin {
                StdinSource::Null => "/dev/null".into(),
                StdinSource::File(path) => path.clone(),
            },
            source,
        },
        (Step::Fork, _) => SpawnError::Fork { source },
        (step, _) => SpawnError::Setup {
            step: step.describe(),
            source,
        },
    }
}

/// As the kernel counts it: every string with its end.
fn length(command: &TreeCommand) -> usize {
    let args: usize = command.args.iter().map(|arg| arg.len() + 1).sum();
    let env = command.env.iter();
    let env: usize = env.map(|(name, value)| name.len() + value.len() + 2).sum();
    command.program.len() + 1 + args + env
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> SpawnError {
    move |source| SpawnError::Shim { what, source }
}

fn unexpected_end() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "it ended without an answer; does the program call shim_main?",
    )
}
