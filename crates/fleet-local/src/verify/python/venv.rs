//! A Python with the official SDK in it.
//!
//! Responsible for making a virtual environment once per machine, however many servers want it at the same moment, and for errors that say
//! what to do. Not responsible for running anything in it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;
use process_tree::{LeaderStatus, OutputSink, TreeCommand};
use sha2::{Digest as _, Sha256};

use crate::error_chain;
use crate::programs::Programs;

/// The SDK that verifiers run with. Pinned: a verifier's result must not depend on the day.
pub const SDK_VERSION: &str = "0.2.133";

/// Making the environment and installing takes half a minute on a slow machine; a stalled download must end some time.
const STEP_TIME: Duration = Duration::from_mins(10);

/// Output of a step that is kept for its error.
const OUTPUT: u64 = 64 * 1024;

/// The SDK's own requirement.
const OLDEST: (u32, u32) = (3, 9);

/// Written last; an environment without it is half made.
const STAMP: &str = "fleet-local-ready";

/// Where the Python for verifiers comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PythonConfig {
    /// A virtual environment below `cache_dir`, made on first use and shared by all servers of this user.
    Managed {
        /// Folder for environments; made if it is missing.
        cache_dir: PathBuf,
        /// The Python to make it with, usually `python3`.
        base: PathBuf,
        /// Packages beside the SDK, as pip names them.
        requirements: Vec<String>,
    },
    /// A Python that has `fleet-python` already.
    Existing(PathBuf),
}

impl PythonConfig {
    /// A managed environment made with `python3`.
    pub fn managed(cache_dir: impl Into<PathBuf>) -> Self {
        Self::Managed {
            cache_dir: cache_dir.into(),
            base: "python3".into(),
            requirements: Vec::new(),
        }
    }
}

impl Default for PythonConfig {
    /// A managed environment in the user's cache folder.
    fn default() -> Self {
        let home = || {
            std::env::var_os("HOME")
                .filter(|home| !home.is_empty())
                .map(|home| PathBuf::from(home).join(".cache"))
        };
        let cache = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|cache| cache.is_absolute());
        Self::managed(
            cache
                .or_else(home)
                .unwrap_or_else(std::env::temp_dir)
                .join("fleet-local")
                .join("python"),
        )
    }
}

/// There is no Python with the SDK, and none could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VenvError {
    /// No Python at all.
    #[error(
        "{} could not be started ({reason}); Python verifiers need Python {}.{} or newer: install it (Debian and Ubuntu: apt install python3 python3-venv), or configure the path of a Python that has fleet-python",
        python.display(), OLDEST.0, OLDEST.1
    )]
    NoPython {
        /// What was tried.
        python: PathBuf,
        /// Why it did not work.
        reason: String,
    },
    /// Python is too old for the SDK.
    #[error("{} is Python {found}; fleet-python needs {}.{} or newer", python.display(), OLDEST.0, OLDEST.1)]
    TooOld {
        /// Which one.
        python: PathBuf,
        /// Its version.
        found: String,
    },
    /// `python -m venv` failed.
    #[error(
        "a virtual environment could not be made; on Debian and Ubuntu the package python3-venv is needed: {output}"
    )]
    Venv {
        /// The last lines of its output.
        output: String,
    },
    /// pip failed.
    #[error(
        "fleet-python {SDK_VERSION} could not be installed from the package index; check the network and pip's settings, or configure the path of a Python that has it: {output}"
    )]
    Install {
        /// The last lines of its output.
        output: String,
    },
    /// The cache folder cannot be used.
    #[error("the folder for the virtual environment cannot be used")]
    Folder(#[source] io::Error),
}

/// The path of a Python that has the SDK; makes the environment if need be, which may take a minute.
pub(super) async fn python(
    config: &PythonConfig,
    programs: &Programs,
) -> Result<PathBuf, VenvError> {
    let (cache_dir, base, requirements) = match config {
        PythonConfig::Existing(python) => return Ok(python.clone()),
        PythonConfig::Managed {
            cache_dir,
            base,
            requirements,
        } => (cache_dir, base, requirements),
    };
    fs::create_dir_all(cache_dir).map_err(VenvError::Folder)?;
    let cache_dir = fs::canonicalize(cache_dir).map_err(VenvError::Folder)?;
    let (version, executable) = inspect(base, &cache_dir, programs).await?;
    let folder = cache_dir.join(name(&version, &executable, requirements));
    let python = folder.join("bin").join("python");
    if folder.join(STAMP).exists() && python.exists() {
        return Ok(python);
    }
    let _lock = lock(&folder).await.map_err(VenvError::Folder)?;
    // Another server may have made it while this one waited for the lock.
    if folder.join(STAMP).exists() && python.exists() {
        return Ok(python);
    }
    tracing::info!(folder = %folder.display(), "making a Python environment with fleet-python {SDK_VERSION} for Python verifiers; this happens once and takes up to a minute");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(VenvError::Folder)?;
    }
    step(
        base,
        &["-m".into(), "venv".into(), folder.clone().into()],
        &cache_dir,
        programs,
    )
    .await
    .map_err(|output| VenvError::Venv { output })?;
    let mut install: Vec<OsString> = [
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--quiet",
    ]
    .map(OsString::from)
    .to_vec();
    install.push(format!("fleet-python=={SDK_VERSION}").into());
    install.extend(requirements.iter().map(OsString::from));
    step(&python, &install, &cache_dir, programs)
        .await
        .map_err(|output| VenvError::Install { output })?;
    fs::write(folder.join(STAMP), SDK_VERSION).map_err(VenvError::Folder)?;
    tracing::info!("the Python environment is ready");
    Ok(python)
}

/// Version and real path of a Python.
async fn inspect(
    base: &Path,
    folder: &Path,
    programs: &Programs,
) -> Result<(String, String), VenvError> {
    const PROGRAM: &str = "import os,sys;print('%d.%d' % sys.version_info[:2]);print(os.path.realpath(sys.executable))";
    let no_python = |reason: String| VenvError::NoPython {
        python: base.to_owned(),
        reason,
    };
    let output = step(
        base,
        &["-I".into(), "-c".into(), PROGRAM.into()],
        folder,
        programs,
    )
    .await
    .map_err(no_python)?;
    let mut lines = output.lines();
    let (Some(version), Some(executable)) = (lines.next(), lines.next()) else {
        return Err(no_python("it answered nothing".to_owned()));
    };
    let parts = version
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    match parts {
        Some(found) if found >= OLDEST => Ok((version.to_owned(), executable.to_owned())),
        _ => Err(VenvError::TooOld {
            python: base.to_owned(),
            found: version.to_owned(),
        }),
    }
}

/// Another Python, SDK or list of packages gives another environment, so none is ever changed in use.
fn name(version: &str, executable: &str, requirements: &[String]) -> String {
    let mut hasher = Sha256::new();
    for part in std::iter::once(executable).chain(requirements.iter().map(String::as_str)) {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let hash = hex::encode(hasher.finalize());
    format!("fleet-python-{SDK_VERSION}-py{version}-{}", &hash[..8])
}

/// Waits for the only right to make this environment; given back when the file is closed, by a crash too.
async fn lock(folder: &Path) -> io::Result<std::fs::File> {
    let mut path = folder.as_os_str().to_owned();
    path.push(".lock");
    let locking = tokio::task::spawn_blocking(move || {
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(path)?;
        file.lock()?;
        Ok(file)
    });
    locking
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Runs one program to its end. The error is what a person needs to see of its output.
async fn step(
    program: &Path,
    arguments: &[OsString],
    folder: &Path,
    programs: &Programs,
) -> Result<String, String> {
    let mut command = TreeCommand::new(program, folder);
    command.args = arguments.to_vec();
    // pip must find proxies, certificates, its index and its cache as it does in the user's shell.
    // Installing runs code of packages, which has no use for anybody's keys.
    command.env = std::env::vars_os()
        .filter(|(name, _)| !redact::names_a_secret(&name.to_string_lossy()))
        .collect();
    command.stdout = OutputSink::Memory { limit: OUTPUT };
    command.stderr = OutputSink::Memory { limit: OUTPUT };
    let mut tree = programs
        .start("a program that makes a Python environment", command)
        .await
        .map_err(|error| error_chain(&error))?;
    let Ok(exit) = tokio::time::timeout(STEP_TIME, tree.wait()).await else {
        tree.kill();
        tree.wait().await;
        return Err(format!("it did not end within {} s", STEP_TIME.as_secs()));
    };
    let text = |bytes: &Option<Vec<u8>>| {
        String::from_utf8_lossy(bytes.as_deref().unwrap_or_default())
            .trim()
            .to_owned()
    };
    let (stdout, stderr) = (text(&exit.stdout.memory), text(&exit.stderr.memory));
    match exit.status {
        LeaderStatus::Exited(0) => Ok(stdout),
        status => {
            let output = if stderr.is_empty() { stdout } else { stderr };
            let mut last: Vec<&str> = output
                .lines()
                .rev()
                .filter(|line| !line.trim().is_empty())
                .take(6)
                .collect();
            last.reverse();
            Err(if last.is_empty() {
                format!("{status:?}")
            } else {
                last.join(" | ")
            })
        }
    }
}
