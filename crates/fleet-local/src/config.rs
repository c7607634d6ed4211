//! What a server is made of, and why one did not start.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use process_tree::Shim;
use sandbox::Launcher;
use secrecy::SecretString;
use tokio::sync::Semaphore;

use crate::archive::StateError;
use crate::instance::find_browser;
use crate::judge::JudgeConfig;
use crate::package::DiscoverError;
use crate::tasks::TaskError;
use crate::verify::{PythonConfig, SandboxMode, SetupError};

/// A lease that nobody bounded ends after a day: longer than any run, shorter than forgetting.
const MAXIMUM_LEASE: Duration = Duration::from_hours(24);

/// Apps of environments are test servers; two seconds let them close their database.
const APP_GRACE: Duration = Duration::from_secs(2);

/// Instances are processes; a laptop has room for a few hundred small ones.
const INSTANCE_LIMIT: usize = 256;

/// The official client gives up on a verification after five minutes; an answer a little before
/// tells it why.
const VERIFIER_TIME: Duration = Duration::from_mins(4);

/// What a server is made of. [`ServerConfig::new`] has a sensible value for everything but the
/// folders.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where to listen; loopback only. Port 0 takes a free one.
    pub bind: SocketAddr,
    /// Folders that are environment packages or hold some.
    pub environments: Vec<PathBuf>,
    /// Task files, beside those that packages name. Each is a project named after the file.
    pub tasks: Vec<PathBuf>,
    /// What callers of the control plane must send as bearer token. None: everybody on this machine
    /// may call.
    pub api_key: Option<SecretString>,
    /// How many instances may be pending or running at once.
    pub instance_limit: usize,
    /// Accepted region names; the first is the default. They only label records.
    pub regions: Vec<String>,
    /// How supervisors of process trees are started.
    pub shim: Shim,
    /// The program behind `{harness}` in packages.
    pub harness: PathBuf,
    /// Where instances, built seeds and bundles live. None: a temporary directory that is removed
    /// at the end.
    pub data_dir: Option<PathBuf>,
    /// Where tasks, sessions, jobs, verifiers and the history of instances outlive the server; one server at a time may
    /// have it. None: they go with the server.
    pub state_dir: Option<PathBuf>,
    /// How Python verifiers are run.
    pub python: PythonConfig,
    /// The longest that one verifier may run, whatever its call asks for.
    pub verifier_time_limit: Duration,
    /// Address space of one verifier's process, in bytes; none takes the verifier service's
    /// default.
    pub verifier_memory_limit: Option<u64>,
    /// Who grades for `POST /v1/judge/grade`. None: that is answered with an error.
    pub judge: Option<JudgeConfig>,
    /// How strictly verifiers that are programs are confined.
    pub verifier_sandbox: SandboxMode,
    /// What such verifiers may read beside programs, libraries and the folders of packages and task files.
    pub verifier_read: Vec<PathBuf>,
    /// How the confining process is started.
    pub sandbox: Launcher,
    /// The program of instances' browsers; none: they have no `cdp` resource.
    pub browser: Option<PathBuf>,
    /// How many instances may start at the same time.
    pub concurrent_starts: usize,
    /// The end of a lease with neither TTL nor heartbeats.
    pub maximum_lease: Duration,
    /// Between TERM and KILL for apps.
    pub app_grace: Duration,
    /// Write every request of the API into this file, one JSON line each, with what is secret masked;
    /// what is there already stays. Bounded: 1 MiB of a body, 256 MiB in all.
    pub record: Option<PathBuf>,
    /// Leave the directories of ended instances, for looking into them.
    pub keep_instance_dirs: bool,
    /// How many times faster than real time leases run; 1 outside of tests.
    pub clock_scale: f64,
}

impl ServerConfig {
    /// A server on a free loopback port with these environment packages.
    pub fn new(environments: impl IntoIterator<Item = PathBuf>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            environments: environments.into_iter().collect(),
            tasks: Vec::new(),
            api_key: None,
            instance_limit: INSTANCE_LIMIT,
            regions: ["us-west-1", "us-east-1", "eu-west-2"]
                .map(str::to_owned)
                .into(),
            shim: Shim::current_exe(),
            harness: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe")),
            data_dir: None,
            state_dir: None,
            python: PythonConfig::default(),
            verifier_time_limit: VERIFIER_TIME,
            verifier_memory_limit: None,
            judge: None,
            verifier_sandbox: SandboxMode::default(),
            verifier_read: Vec::new(),
            sandbox: Launcher::current_exe(),
            browser: find_browser(),
            concurrent_starts: cores * 2,
            maximum_lease: MAXIMUM_LEASE,
            app_grace: APP_GRACE,
            record: None,
            keep_instance_dirs: false,
            clock_scale: 1.0,
        }
    }
}

/// Why a server did not start. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Environments run with the rights of their user; only this machine may reach them.
    #[error("refusing to listen on {address}: the embedded server serves loopback addresses only")]
    NotLoopback {
        /// What was asked for.
        address: SocketAddr,
    },
    /// A setting that cannot be.
    #[error("{setting} {problem}")]
    Setting {
        /// Which one.
        setting: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The address could not be had.
    #[error("could not listen on {address}")]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The packages cannot be served.
    #[error("could not load the environments")]
    Environments(#[source] DiscoverError),
    /// The data of a package cannot be built.
    #[error("could not prepare the environments' data: {reason}")]
    Data {
        /// Which file, and why.
        reason: String,
    },
    /// The tasks cannot be served.
    #[error("could not load the tasks")]
    Tasks(#[source] TaskError),
    /// The data directory cannot be used.
    #[error("could not use the data directory")]
    DataDir(#[source] std::io::Error),
    /// The file for recorded requests cannot be written.
    #[error("could not open {} for recording requests", path.display())]
    Record {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// What outlives servers cannot be used.
    #[error("could not open the server's state")]
    State(#[source] StateError),
    /// The verifier service cannot be set up.
    #[error("could not set up the verifier service")]
    Verifiers(#[source] SetupError),
    /// The HTTP client for health checks and proxying cannot be made.
    #[error("could not set up the HTTP client")]
    Http(#[source] reqwest::Error),
}

/// Settings that cannot be, before anything is opened.
pub(crate) fn check(config: &ServerConfig) -> Result<(), StartError> {
    if !is_loopback(config.bind.ip()) {
        return Err(StartError::NotLoopback {
            address: config.bind,
        });
    }
    let setting = |setting, problem| Err(StartError::Setting { setting, problem });
    if config.concurrent_starts == 0 || config.concurrent_starts > Semaphore::MAX_PERMITS {
        return setting("concurrent_starts", "must be at least 1");
    }
    if !config.clock_scale.is_finite() || config.clock_scale <= 0.0 {
        return setting("clock_scale", "must be a positive number");
    }
    if config.regions.is_empty() {
        return setting("regions", "must name at least one region");
    }
    Ok(())
}

fn is_loopback(address: IpAddr) -> bool {
    // `to_canonical`: ::ffff:127.0.0.1 is loopback as well.
    address.to_canonical().is_loopback()
}
