//! The native `command` verifier: any program that reads a JSON request and prints a score.
//!
//! Responsible for the request, for copies of the databases (so that the program can neither change the instance nor see it change), for
//! starting it confined, and for reading the answer. A program that does not end with code 0 and a finite score has no result; it never counts as a zero.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fs_err as fs;
use process_tree::{LeaderStatus, OutputSink, StdinSource, TreeCommand, TreeExit};
use rusqlite::Connection;
use rusqlite::backup::Backup;
use sandbox::{Gate, Layers, find_program};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::arguments::CallArguments;
use super::confine::{self, Confinement, Refused, SandboxMode, Usage};
use super::outcome::Outcome;
use crate::error_chain;
use crate::instance::memory::{crowded, exceeded};
use crate::manager::{OpenError, open_current_read_only, open_seed};
use crate::programs::Programs;
use crate::seam::{CURRENT, InstanceFiles, InstanceView};

/// Bytes of stdout and of stderr that are kept.
const OUTPUT: u64 = 1024 * 1024;

/// Between the polite and the hard stop; a verifier has nothing to save.
const GRACE: Duration = Duration::from_secs(1);

/// Variables that programs need to start at all; nothing else of the server's environment is passed on.
const PASSED_ON: [&str; 4] = ["PATH", "LANG", "LC_ALL", "TZ"];

/// Those that lead to its scratch folder: there alone it may write.
const LEAD_HOME: [&str; 2] = ["HOME", "TMPDIR"];

/// The definition of a `command` verifier.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Definition {
    #[serde(rename = "kind")]
    _kind: String,
    command: Vec<String>,
}

/// What one run needs besides its definition.
pub(super) struct Run<'run> {
    pub(super) programs: &'run Programs,
    pub(super) key: Option<&'run str>,
    pub(super) call: &'run CallArguments,
    pub(super) instance: &'run Arc<dyn InstanceView>,
    pub(super) usage: Usage,
    pub(super) confinement: &'run Confinement,
    pub(super) data_dir: &'run Path,
    /// Where the server answers verifiers, and what this one is let in by.
    pub(super) door: Door<'run>,
}

/// The server's door for verifiers, with the judge behind it.
#[derive(Clone, Copy)]
pub(super) struct Door<'run> {
    /// Without a trailing slash.
    pub(super) address: &'run str,
    /// Good as long as the verification runs.
    pub(super) pass: &'run str,
}

/// Runs a `command` verifier.
pub(super) async fn run(definition: &Value, run: Run<'_>) -> Outcome {
    let definition: Definition = match serde_json::from_value(definition.clone()) {
        Ok(definition) => definition,
        Err(error) => {
            return Outcome::failed(
                "ValueError",
                format!("the command verifier's definition is wrong: {error}"),
            );
        }
    };
    let Some(name) = definition.command.first() else {
        return Outcome::failed(
            "ValueError",
            "the command verifier's definition is wrong: the command is empty",
        );
    };
    let Some(program) = find_program(name.as_ref(), std::env::var_os("PATH").as_deref()) else {
        return Outcome::failed(
            "OSError",
            format!("the verifier could not be started: there is no program {name}"),
        );
    };
    // Removed with everything in it when this function returns; the program's tree has ended by then.
    let folder = match Folder::new(run.data_dir) {
        Ok(folder) => folder,
        Err(error) => {
            return Outcome::failed("OSError", format!("no folder for the verifier: {error}"));
        }
    };
    if let Err(error) = prepare(&run, &folder).await {
        let reason = error_chain(&error);
        return Outcome::failed(
            "OSError",
            format!("the verifier's request could not be prepared: {reason}"),
        );
    }
    let mut words = vec![program.into_os_string()];
    words.extend(definition.command[1..].iter().map(OsString::from));
    if run.confinement.mode == SandboxMode::Off {
        let mut command = tree_command(words, &folder, run.door);
        command.limits = run.usage.of_each_process();
        let sandbox = run.confinement.record(None);
        return execute(&run, command, None).await.with_sandbox(sandbox);
    }
    let gate = match Gate::new() {
        Ok(gate) => gate,
        Err(error) => {
            return Outcome::failed("OSError", format!("no gate for the verifier: {error}"));
        }
    };
    let mut policy = run
        .confinement
        .policy(&folder.scratch, run.instance, run.usage);
    // The program itself, wherever it is; what it needs beside it is a matter of the configuration.
    policy.read.push(words[0].clone().into());
    // Standard input may be opened again by its name (`/dev/stdin`), which is a new look at the file.
    policy.read.push(folder.request());
    let (launcher, words) = run.confinement.launcher.wrap(&policy, gate.path(), &words);
    let command = tree_command(
        std::iter::once(launcher).chain(words).collect(),
        &folder,
        run.door,
    );
    execute(&run, command, Some(&gate)).await
}

/// The folder of one verification.
struct Folder {
    folder: TempDir,
    /// What the program may write in, with the copies.
    scratch: PathBuf,
}

impl Folder {
    fn new(within: &Path) -> std::io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("verify-")
            .tempdir_in(within)?;
        let scratch = folder.path().join("scratch");
        fs::create_dir(&scratch)?;
        Ok(Self { folder, scratch })
    }

    fn request(&self) -> PathBuf {
        self.folder.path().join("request.json")
    }
}

fn tree_command(mut words: Vec<OsString>, folder: &Folder, door: Door<'_>) -> TreeCommand {
    let mut command = TreeCommand::new(words.remove(0), &folder.scratch);
    command.args = words;
    command.env = PASSED_ON
        .iter()
        .filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)))
        .collect();
    let home = LEAD_HOME.map(|name| (OsString::from(name), folder.scratch.clone().into()));
    command.env.extend(home);
    // As a Python verifier finds them, so that a program may use the official SDK.
    let door = [
        ("FLEET_BASE_URL", door.address),
        ("FLEET_API_KEY", door.pass),
    ];
    let door = door.map(|(name, value)| (name.into(), value.into()));
    command.env.extend(door);
    command.stdin = StdinSource::File(folder.request());
    command.stdout = OutputSink::Memory { limit: OUTPUT };
    command.stderr = OutputSink::Memory { limit: OUTPUT };
    command.watch_last_json_line = true;
    command.grace = GRACE;
    command
}

/// Starts the command, lets it through its gate, and waits for its end.
async fn execute(run: &Run<'_>, command: TreeCommand, gate: Option<&Gate>) -> Outcome {
    let started = run.programs.start("a verifier", command).await;
    let mut tree = match started {
        Ok(tree) => tree,
        Err(error) => {
            return Outcome::failed(
                "OSError",
                format!("the verifier could not be started: {}", error_chain(&error)),
            );
        }
    };
    let (mut admitted, mut excess) = (None, None);
    let in_time = tokio::time::timeout(run.usage.time_limit, async {
        if let Some(gate) = gate {
            let (ports, inherited) = (run.confinement.ports(run.instance), Layers::none());
            // Dropping `wait` loses nothing, it may be called again; whoever is dropped at the gate never runs.
            admitted = tokio::select! {
                biased;
                admitted = run.confinement.admit(gate, &ports, &inherited) => Some(admitted),
                _ = tree.wait() => None,
            };
            if !matches!(admitted, Some(Ok(_))) {
                return None;
            }
        }
        let pid = tree.pid();
        let memory = exceeded(vec![pid], Some(run.usage.memory_limit));
        // The last two only look, and `wait` may be called again.
        tokio::select! {
            exit = tree.wait() => return Some(exit),
            () = crowded(pid, confine::PROCESSES) => {
                excess = Some(format!("more than {} processes", confine::PROCESSES));
            }
            held = memory => {
                excess = Some(format!("{held} bytes of memory, all its processes together"));
            }
        }
        None
    })
    .await;
    let outcome = match in_time {
        Ok(Some(exit)) => read(&exit, Ok(())),
        ended => {
            tree.kill();
            let exit = tree.wait().await;
            match (ended, &admitted) {
                (Ok(_), _) if excess.is_some() => {
                    let excess = excess.unwrap_or_default();
                    Outcome::failed("VerifierExit", format!("the verifier had {excess}"))
                }
                (Err(_), _) => read(&exit, Err(run.usage.time_limit)),
                (Ok(_), Some(Err(refused))) => refused.clone().into(),
                (Ok(_), _) => Refused::new("the verifier's sandbox ended before it was one").into(),
            }
        }
    };
    let layers = admitted
        .as_ref()
        .and_then(|admitted| admitted.as_ref().ok());
    match gate {
        Some(_) => outcome.with_sandbox(
            run.confinement
                .record(layers.map(|admitted| &admitted.layers)),
        ),
        None => outcome,
    }
}

/// Writes the copies and the request.
async fn prepare(run: &Run<'_>, folder: &Folder) -> Result<(), PrepareError> {
    let instance = run.instance;
    let mut request = json!({
        "task_key": run.key,
        "instance_id": instance.instance_id(),
        "env_key": instance.env_key(),
        "root_url": instance.root_url(),
        "app_urls": instance.app_urls(),
        "manager_url": instance.manager_url(),
        "databases": {},
        "final_answer": run.call.final_answer(),
        "args": run.call.args,
        "kwargs": run.call.kwargs,
    });
    let (files, scratch) = (instance.files().clone(), folder.scratch.clone());
    let copies = tokio::task::spawn_blocking(move || copy_databases(&files, &scratch)).await;
    request["databases"] = copies.map_err(|_| PrepareError::Interrupted)??;
    fs::write(folder.request(), request.to_string()).map_err(PrepareError::Write)
}

#[derive(Debug, thiserror::Error)]
enum PrepareError {
    #[error(transparent)]
    Open(OpenError),
    #[error("the database {} could not be copied", path.display())]
    Copy {
        path: PathBuf,
        source: rusqlite::Error,
    },
    #[error("the request could not be written")]
    Write(#[source] std::io::Error),
    #[error("the copying was interrupted")]
    Interrupted,
}

/// Copies through `SQLite`, so that a copy is whole even while an app writes.
fn copy_databases(files: &InstanceFiles, folder: &Path) -> Result<Value, PrepareError> {
    let mut copies = serde_json::Map::new();
    for (name, database) in &files.databases {
        let seed_name = if name == CURRENT {
            "seed".to_owned()
        } else {
            format!("{name}_seed")
        };
        for (name, from) in [
            (seed_name, open_seed(&database.seed)),
            (name.clone(), open_current_read_only(&database.current)),
        ] {
            let path = folder.join(format!("{name}.db"));
            copy(&from.map_err(PrepareError::Open)?, &path).map_err(|source| {
                PrepareError::Copy {
                    path: path.clone(),
                    source,
                }
            })?;
            copies.insert(name, Value::from(path.to_string_lossy()));
        }
    }
    Ok(Value::Object(copies))
}

fn copy(from: &Connection, to: &Path) -> rusqlite::Result<()> {
    /// A step holds the app's database locked; a thousand pages take some milliseconds.
    const PAGES: i32 = 1000;
    const PAUSE: Duration = Duration::from_millis(2);
    let mut target = Connection::open(to)?;
    Backup::new(from, &mut target)?.run_to_completion(PAGES, PAUSE, None)
}

fn read(exit: &TreeExit, in_time: Result<(), Duration>) -> Outcome {
    let text = |bytes: &Option<Vec<u8>>| {
        String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
    };
    let (stdout, stderr) = (text(&exit.stdout.memory), text(&exit.stderr.memory));
    let failed = |kind: &str, message: String| {
        let mut outcome = Outcome::failed(kind, message).with_stdout(&stdout);
        if let Err(error) = &mut outcome.result {
            error.traceback = Some(stderr.clone());
        }
        outcome
    };
    if let Err(limit) = in_time {
        return failed(
            "TimeoutError",
            format!("the verifier did not end within {} s", limit.as_secs_f64()),
        );
    }
    match exit.status {
        LeaderStatus::Exited(0) => {}
        LeaderStatus::Exited(code) => {
            return failed(
                "VerifierExit",
                format!("the verifier exited with code {code}{}", last_line(&stderr)),
            );
        }
        LeaderStatus::Signaled(signal) => {
            return failed(
                "VerifierExit",
                format!(
                    "the verifier was ended by signal {signal}{}",
                    last_line(&stderr)
                ),
            );
        }
        LeaderStatus::Unknown => {
            return failed("VerifierExit", "the verifier's end is not known".to_owned());
        }
    }
    match score(exit.last_json_line.as_deref(), &stdout) {
        Some(score) => Outcome::returned(score, stdout),
        None => failed(
            "ValueError",
            "the verifier printed no score: neither a last JSON line like {\"score\": 1} nor a bare number, finite".to_owned(),
        ),
    }
}

fn score(last_json_line: Option<&[u8]>, stdout: &str) -> Option<f64> {
    let from_json = last_json_line
        .and_then(|line| serde_json::from_slice::<Value>(line).ok())
        .and_then(|answer| answer.get("score")?.as_f64());
    let bare = || {
        stdout
            .lines()
            .rev()
            .map(str::trim)
            .find(|line| !line.is_empty())?
            .parse::<f64>()
            .ok()
    };
    from_json.or_else(bare).filter(|score| score.is_finite())
}

fn last_line(stderr: &str) -> String {
    stderr
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .map_or_else(String::new, |line| {
            format!(": {}", line.chars().take(300).collect::<String>())
        })
}

#[cfg(test)]
mod tests {
    use super::score;

    #[test]
    fn the_score_is_the_last_json_line_or_a_bare_number() {
        assert_eq!(
            score(Some(br#"{"score": 0.5, "message": "half"}"#), ""),
            Some(0.5)
        );
        assert_eq!(score(None, "checking\n0.25\n\n"), Some(0.25));
        assert_eq!(
            score(Some(br#"{"debug": 1}"#), "{\"debug\": 1}\n1\n"),
            Some(1.0)
        );
        assert_eq!(
            score(Some(br#"{"score": "1"}"#), "{\"score\": \"1\"}\n"),
            None
        );
        assert_eq!(score(None, "NaN"), None);
        assert_eq!(score(None, "done"), None);
        assert_eq!(score(None, ""), None);
    }
}
