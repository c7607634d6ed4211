//! One warm Python process that forks a child per verification.
//!
//! Responsible for starting the process, for the frames on its socket and for noticing its end. Its script is `worker.py`, which documents
//! the protocol. The process lives in a tree of its own and ends with this server, however the server ends.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;
use process_tree::{OutputSink, TreeCommand, TreeExit};
use sandbox::{Gate, Layers, Policy, find_program};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::error_chain;
use crate::programs::{Program, Programs};
use crate::verify::confine::{Confinement, SandboxMode};

/// File names and contents; the first one is executed.
const SCRIPTS: [(&str, &str); 2] = [
    ("worker.py", include_str!("worker.py")),
    ("confine.py", include_str!("confine.py")),
];

/// Importing the SDK takes half a second, and many times that from a cold disk on a busy machine.
const START_TIME: Duration = Duration::from_mins(1);

/// Children get none: by then the server has no use for an answer.
const GRACE: Duration = Duration::from_millis(200);

/// What the process prints itself, which is only ever the reason why it could not start.
const OUTPUT: u64 = 16 * 1024;

/// An answer's largest result and output, escaped as JSON in the worst way, and room to spare.
const ANSWER_BYTES: u32 = 128 * 1024 * 1024;

/// The worker did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum WorkerError {
    #[error("there is no program {}", python.display())]
    NoPython { python: PathBuf },
    #[error("the Python worker could not be prepared")]
    Prepare(#[source] io::Error),
    #[error("the Python worker could not be started")]
    Spawn(#[source] process_tree::SpawnError),
    #[error("the Python worker ended while starting: {output}")]
    EndedEarly { output: String },
    #[error("the Python worker was not ready within {} s", START_TIME.as_secs())]
    Slow,
    #[error("the Python worker takes no work")]
    Unreachable(#[source] io::Error),
    #[error("the Python worker broke off")]
    Connection(#[source] io::Error),
    #[error("the Python worker's answer cannot be read")]
    Answer(#[source] serde_json::Error),
}

#[derive(Debug, Deserialize)]
struct Ready {
    fleet: String,
    python: String,
}

/// A running worker. Dropping it ends the process and every verification in it.
#[derive(Debug)]
pub(super) struct Worker {
    socket: PathBuf,
    /// What the process itself may have and which layers hold for it; its children have less. None without a sandbox.
    confined: Option<(Policy, Layers)>,
    ended: CancellationToken,
    stop: CancellationToken,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Worker {
    /// Starts the process and waits until it takes work. `env` is its complete environment but for the places of its own files.
    pub(super) async fn start(
        python: &Path,
        env: &[(String, String)],
        programs: &Programs,
        confinement: &Confinement,
    ) -> Result<Self, WorkerError> {
        let search = std::env::var_os("PATH");
        let python = find_program(python.as_os_str(), search.as_deref()).ok_or_else(|| {
            WorkerError::NoPython {
                python: python.to_owned(),
            }
        })?;
        // In the system's temporary folder whatever the data folder is: a socket's path has room for about a hundred bytes.
        let folder = tempfile::Builder::new()
            .prefix("fleet-local-")
            .tempdir()
            .map_err(WorkerError::Prepare)?;
        let control = folder.path().join("control");
        let (socket, scratch) = (folder.path().join("work"), folder.path().join("scratch"));
        fs::create_dir(&scratch)
            .and_then(|()| {
                SCRIPTS
                    .iter()
                    .try_for_each(|(name, text)| fs::write(folder.path().join(name), text))
            })
            .map_err(WorkerError::Prepare)?;
        let listener = UnixListener::bind(&control).map_err(WorkerError::Prepare)?;

        // Isolated: neither the user's site folder nor PYTHON… variables nor the working directory change what is imported.
        let words: [OsString; 5] = [
            python.clone().into(),
            "-I".into(),
            folder.path().join(SCRIPTS[0].0).into(),
            control.into(),
            socket.clone().into(),
        ];
        let gate = match confinement.mode {
            SandboxMode::Off => None,
            SandboxMode::Require | SandboxMode::Best => {
                let policy = confinement.worker_policy(folder.path(), &python);
                Some((Gate::new().map_err(WorkerError::Prepare)?, policy))
            }
        };
        let mut command = match &gate {
            None => {
                let [program, arguments @ ..] = words;
                let mut command = TreeCommand::new(program, folder.path());
                command.args = arguments.into();
                command
            }
            Some((gate, policy)) => {
                let (program, arguments) = confinement.launcher.wrap(policy, gate.path(), &words);
                let mut command = TreeCommand::new(program, folder.path());
                command.args = arguments;
                command
            }
        };
        command.env = env
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        for name in ["HOME", "TMPDIR"] {
            command.env.push((name.into(), scratch.clone().into()));
        }
        command.stdout = OutputSink::Memory { limit: OUTPUT };
        command.stderr = OutputSink::Memory { limit: OUTPUT };
        command.grace = GRACE;
        let mut tree = programs
            .start("the Python worker", command)
            .await
            .map_err(WorkerError::Spawn)?;

        // Dropping the losing arm loses nothing: a connection not accepted belongs to a process that has ended, and `wait` may be called again.
        let arrival = async {
            let layers = match &gate {
                Some((gate, _)) => Some(let_in(gate).await?),
                None => None,
            };
            Ok::<_, io::Error>((greet(&listener).await?, layers))
        };
        let ((control, ready), layers) = tokio::select! {
            exit = tree.wait() => return Err(WorkerError::EndedEarly { output: last_words(&exit) }),
            arrived = tokio::time::timeout(START_TIME, arrival) => match arrived {
                Ok(Ok(arrived)) => arrived,
                // The process ends by itself once the listener is gone; its last words say more than the broken connection.
                Ok(Err(_)) => return Err(ended_early(tree).await),
                Err(_) => return Err(WorkerError::Slow),
            },
        };
        tracing::debug!(
            pid = tree.pid(),
            python = ready.python,
            fleet = ready.fleet,
            "the Python worker is ready"
        );
        let confined = gate.map(|(_, policy)| policy).zip(layers);
        let (ended, stop) = (CancellationToken::new(), CancellationToken::new());
        tokio::spawn(watch(tree, control, folder, ended.clone(), stop.clone()));
        Ok(Self {
            socket,
            confined,
            ended,
            stop,
        })
    }

    /// What the process may have, if it is confined.
    pub(super) fn policy(&self) -> Option<&Policy> {
        self.confined.as_ref().map(|(policy, _)| policy)
    }

    /// Which layers hold for the process.
    pub(super) fn layers(&self) -> &Layers {
        static NONE: Layers = Layers::none();
        self.confined.as_ref().map_or(&NONE, |(_, layers)| layers)
    }

    /// Whether the process has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// After a broken connection: waits for the end of the process that most likely broke it, so that nobody else is sent to it.
    pub(super) async fn settle(&self) {
        /// From the death of the process to the proof that nothing of its tree is left.
        const DYING: Duration = Duration::from_secs(5);
        // A process that lives on broke off this connection only, and serves the others.
        drop(tokio::time::timeout(DYING, self.ended.cancelled()).await);
    }

    /// Ends the process and waits until its tree is gone.
    pub(super) async fn shut_down(&self) {
        self.stop.cancel();
        self.ended.cancelled().await;
    }

    /// Runs one verification. Dropping the future ends the child.
    pub(super) async fn run(&self, request: &Value) -> Result<Value, WorkerError> {
        let mut stream = UnixStream::connect(&self.socket)
            .await
            .map_err(WorkerError::Unreachable)?;
        let exchange = async {
            let body = serde_json::to_vec(request)?;
            let length = u32::try_from(body.len())
                .map_err(|_| io::Error::other("the request is too large"))?;
            stream.write_all(&length.to_be_bytes()).await?;
            stream.write_all(&body).await?;
            let length = stream.read_u32().await?;
            if length > ANSWER_BYTES {
                return Err(io::Error::other("the answer is too large"));
            }
            let mut answer = vec![0; length as usize];
            stream.read_exact(&mut answer).await?;
            Ok(answer)
        };
        let answer = exchange.await.map_err(WorkerError::Connection)?;
        serde_json::from_slice(&answer).map_err(WorkerError::Answer)
    }
}

/// Every machine may start the worker: untrusted code comes into its children only, each of which has a gate of its own.
async fn let_in(gate: &Gate) -> io::Result<Layers> {
    let visitor = gate.meet().await.map_err(io::Error::other)?;
    let layers = visitor.layers.clone();
    visitor.admit().await.map_err(io::Error::other)?;
    Ok(layers)
}

async fn greet(listener: &UnixListener) -> io::Result<(BufReader<UnixStream>, Ready)> {
    let (stream, _) = listener.accept().await?;
    let mut control = BufReader::new(stream);
    let mut line = String::new();
    control.read_line(&mut line).await?;
    Ok((control, serde_json::from_str(&line)?))
}

async fn ended_early(mut tree: Program) -> WorkerError {
    /// It has closed its end, so it is on its way out.
    const LEAVING: Duration = Duration::from_secs(5);
    let exit = if let Ok(exit) = tokio::time::timeout(LEAVING, tree.wait()).await {
        exit
    } else {
        tree.kill();
        tree.wait().await
    };
    WorkerError::EndedEarly {
        output: last_words(&exit),
    }
}

/// Holds the process, its control connection and its folder until either end wants an end.
async fn watch(
    mut tree: Program,
    control: BufReader<UnixStream>,
    folder: TempDir,
    ended: CancellationToken,
    stop: CancellationToken,
) {
    // Dropping `wait` loses nothing: it may be called again. A cancelled token stays cancelled.
    let exit = tokio::select! {
        exit = tree.wait() => Some(exit),
        () = stop.cancelled() => None,
    };
    if let Some(exit) = exit {
        tracing::warn!(status = ?exit.status, output = last_words(&exit), "the Python worker ended; the next Python verifier starts another");
    } else {
        drop(control);
        tree.terminate();
        tree.wait().await;
    }
    if let Err(error) = folder.close() {
        tracing::warn!(
            error = error_chain(&error),
            "the Python worker's folder could not be removed"
        );
    }
    ended.cancel();
}

fn last_words(exit: &TreeExit) -> String {
    let text =
        String::from_utf8_lossy(exit.stderr.memory.as_deref().unwrap_or_default()).into_owned();
    let mut lines: Vec<&str> = text
        .lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .take(4)
        .collect();
    lines.reverse();
    if lines.is_empty() {
        format!("{:?}", exit.status)
    } else {
        lines.join(" | ")
    }
}
