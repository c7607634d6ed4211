//! The server as a whole: what it is configured with, how it starts, and how it ends with nothing
//! left.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::api::{self, App, AppState, Credentials, Verification};
use crate::archive::{Archive, ArchiveError, Past, Place, StateError, sql};
use crate::clock::{Clock, text};
use crate::config::{self, ServerConfig, StartError};
use crate::connections::Connections;
use crate::dirs::Dirs;
use crate::instance::{EndCause, Host};
use crate::judge::Judge;
use crate::manager::documents::DocumentReader;
use crate::package::{Package, TemplateError, Templates, discover};
use crate::recorder::{self, Recorder};
use crate::store::{Ledger, REQUEST_IDS_KEPT, Store};
use crate::summary::Writers;
use crate::tasks::TaskCatalogue;
use crate::verify::{SandboxConfig, VerifierService, VerifyConfig};

/// Requests in flight at a shutdown get this long after every instance has ended.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// The ends of instances are bounded by their grace and the proof of their death; this is far
/// beyond both.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_mins(2);

/// Idle connections to apps' health checks and to browsers are given up early: after it the port may belong to
/// another instance's.
const IDLE_CONNECTION: Duration = Duration::from_secs(5);

/// What a shutdown could not end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// One line per process or instance that may still be there. Empty: nothing is left.
    pub leftovers: Vec<String>,
}

/// What a server did so far, for tests and diagnostics.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerSnapshot {
    /// Instances that are pending or running now.
    pub live: usize,
    /// Instances ever made.
    pub created: u64,
    /// Ended because a client gave them back.
    pub closed_by_delete: u64,
    /// Ended by TTL, missed heartbeats or the server's maximum.
    pub expired: u64,
    /// Never became usable.
    pub start_failed: u64,
    /// Were usable and broke.
    pub crashed: u64,
    /// The most that lived at once.
    pub max_live: u64,
    /// The latest verifications, oldest first.
    pub verifications: Vec<Verification>,
}

/// A running server. [`Server::shutdown`] ends it; one that is only dropped ends its instances as
/// well, but nobody waits for that or learns of it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    app: App,
    connections: Connections,
    recorder: Option<Recorder>,
    /// Held for its removal, which comes last.
    _dirs: Dirs,
}

impl Server {
    /// Loads packages and tasks, builds what data is missing, and serves.
    pub async fn start(config: ServerConfig) -> Result<Self, StartError> {
        config::check(&config)?;
        let (listener, address) = bind(config.bind).await?;
        // Sandboxes lead to this address, whatever the server's own is.
        let (door, door_address) = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let (config, loaded) = tokio::task::spawn_blocking(move || {
            Loaded::load(&config).map(|loaded| (config, loaded))
        })
        .await
        .map_err(|panic| StartError::Data {
            reason: panic.to_string(),
        })??;

        let recorder = open_recorder(&config)?;
        let verifier = Arc::new(
            VerifierService::new(VerifyConfig {
                data_dir: loaded.dirs.verifiers(),
                python: config.python,
                time_limit: config.verifier_time_limit,
                memory_limit: config.verifier_memory_limit,
                shim: config.shim.clone(),
                base_url: format!("http://{door_address}"),
                sandbox: SandboxConfig {
                    mode: config.verifier_sandbox,
                    launcher: config.sandbox,
                    read: loaded.readable(config.verifier_read),
                },
            })
            .map_err(StartError::Verifiers)?,
        );
        // First: it sets the provider that the judge's client needs as well.
        let http = http_client().map_err(StartError::Http)?;
        let judge = config
            .judge
            .map(|judge| Judge::new(judge, loaded.dirs.verifiers(), verifier.programs().clone()))
            .transpose()
            .map_err(StartError::Http)?;
        let host = Host {
            clock: Clock::new(config.clock_scale),
            verifier: Arc::clone(&verifier),
            documents: DocumentReader::new(config.harness.clone(), verifier.programs().clone()),
            browser: config.browser,
            shim: config.shim,
            harness: config.harness,
            instances_dir: loaded.dirs.instances().to_owned(),
            keep_instance_dirs: config.keep_instance_dirs,
            templates: loaded.templates,
            http,
            start_permits: Semaphore::new(config.concurrent_starts),
            app_grace: config.app_grace,
            recorder: recorder.clone(),
            ledger: Ledger::default(),
        };
        let (tasks, archive, past) =
            open_archive(loaded.place, loaded.tasks, host.clock.now()).await?;
        let app = App(Arc::new(AppState {
            host: Arc::new(host),
            packages: loaded.packages,
            store: Store::new(config.instance_limit, past),
            archive,
            tasks,
            verifier,
            judge,
            writers: Writers::new(),
            credentials: Credentials::new(config.api_key.as_ref()),
            regions: config.regions,
            maximum_lease: config.maximum_lease,
            supervisors: TaskTracker::new(),
            verifications: api::Verifications::default(),
        }));

        // Clients are ours to trust with how many they are: a run has one for each of its trials.
        let connections = Connections::unlimited();
        connections.serve(door, api::door(app.clone()));
        connections.serve(listener, api::service(app.clone()));
        tracing::debug!(%address, environments = app.packages.len(), "the embedded server is up");
        Ok(Self {
            address,
            app,
            connections,
            recorder,
            _dirs: loaded.dirs,
        })
    }

    /// The address, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients take as `FLEET_BASE_URL`; no trailing slash.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Counts and the latest verifications.
    pub fn snapshot(&self) -> LedgerSnapshot {
        let ledger = &self.app.host.ledger;
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        LedgerSnapshot {
            live: self.app.store.live(),
            created: self.app.store.created(),
            closed_by_delete: count(&ledger.closed),
            expired: count(&ledger.expired),
            start_failed: count(&ledger.start_failed),
            crashed: count(&ledger.crashed),
            max_live: self.app.store.max_live(),
            verifications: self.app.verifications.all(),
        }
    }

    /// Makes nothing new, ends every instance, and stops serving. The server answers until the last
    /// instance has ended, so that clients see their ends.
    pub async fn shutdown(self) -> ShutdownReport {
        self.end_instances();
        let app = &self.app;
        let ended = tokio::time::timeout(SHUTDOWN_TIMEOUT, app.supervisors.wait())
            .await
            .is_ok();
        // Who waits for a verification has its end while there is an answer to be had; a worker that is only being
        // made ready is let go with those who wait for it.
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, app.verifier.shutdown()).await;
        self.connections.clone().close(DRAIN_TIMEOUT).await;
        app.verifier.shutdown().await;
        if let Some(recorder) = &self.recorder {
            recorder.flush().await;
        }
        app.writers.ended().await;
        let mut leftovers = app.verifier.programs().ended().await;
        app.archive.close().await;
        for instance in app.store.all() {
            let state = instance.state();
            if !ended && !state.finished {
                leftovers.push(format!("instance {}: it has not ended", instance.id));
            }
            leftovers.extend(
                state
                    .leftovers
                    .iter()
                    .map(|line| format!("instance {}: {line}", instance.id)),
            );
        }
        ShutdownReport { leftovers }
    }

    fn end_instances(&self) {
        // In this order: what is added before the store is closed is seen by `all`.
        self.app.store.close();
        for instance in self.app.store.all() {
            instance.request_end(EndCause::Shutdown);
        }
        self.app.supervisors.close();
        self.app.writers.stop();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Repeating it after a shutdown changes nothing.
        self.end_instances();
        self.connections.stop();
    }
}

/// Everything that is read from disk before the server serves.
struct Loaded {
    packages: std::collections::BTreeMap<String, Arc<Package>>,
    tasks: TaskCatalogue,
    task_folders: Vec<PathBuf>,
    templates: Templates,
    place: Place,
    dirs: Dirs,
}

impl Loaded {
    fn load(config: &ServerConfig) -> Result<Self, StartError> {
        let packages = discover(&config.environments).map_err(StartError::Environments)?;
        let files: Vec<PathBuf> = packages
            .values()
            .flat_map(|package| package.tasks.iter().cloned())
            .chain(config.tasks.iter().cloned())
            .collect();
        let tasks = TaskCatalogue::load(&files).map_err(StartError::Tasks)?;
        let task_folders = files
            .iter()
            .filter_map(|file| std::path::absolute(file).ok()?.parent().map(Path::to_owned))
            .collect();
        // First: it says that no other server works for this state.
        let lasting = config.state_dir.as_deref().map(Place::lasting);
        let lasting = lasting.transpose().map_err(StartError::State)?;
        let dirs = Dirs::make(config).map_err(StartError::DataDir)?;
        let place = match lasting {
            Some(place) => place,
            None => Place::temporary(dirs.data()).map_err(StartError::State)?,
        };
        let templates = build_templates(&packages, &dirs.templates())?;
        Ok(Self {
            packages,
            tasks,
            task_folders,
            templates,
            place,
            dirs,
        })
    }
}

impl Loaded {
    /// What verifiers may read of the user's files: what was named, and the folders of packages and task files, in which verifiers lie.
    fn readable(&self, named: Vec<PathBuf>) -> Vec<PathBuf> {
        let packages = self.packages.values().map(|package| package.dir.clone());
        named
            .into_iter()
            .chain(packages)
            .chain(self.task_folders.iter().cloned())
            .collect()
    }
}

async fn bind(wanted: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Bind {
        address: wanted,
        source,
    };
    let listener = TcpListener::bind(wanted).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn open_recorder(config: &ServerConfig) -> Result<Option<Recorder>, StartError> {
    let Some(path) = &config.record else {
        return Ok(None);
    };
    let lines = recorder::open(path).map_err(|source| StartError::Record {
        path: path.clone(),
        source,
    })?;
    Ok(Some(Recorder::new(lines, config.api_key.as_ref())))
}

fn build_templates(
    packages: &std::collections::BTreeMap<String, Arc<Package>>,
    cache: &Path,
) -> Result<Templates, StartError> {
    Templates::build(packages.values().map(AsRef::as_ref), cache).map_err(|error: TemplateError| {
        StartError::Data {
            reason: crate::error_chain(&error),
        }
    })
}

/// Opens what outlives servers, ends what the last one left alive, and puts its tasks over those of the files.
async fn open_archive(
    place: Place,
    tasks: TaskCatalogue,
    now: jiff::Timestamp,
) -> Result<(TaskCatalogue, Archive, Past), StartError> {
    let file = place.database().to_owned();
    let archive = tokio::task::spawn_blocking(move || Archive::open(place))
        .await
        .map_err(|panic| StartError::Data {
            reason: panic.to_string(),
        })?
        .map_err(StartError::State)?;
    let not_before = now.as_second() - i64::try_from(REQUEST_IDS_KEPT.as_secs()).unwrap_or(0);
    let (past, stored, projects) = archive
        .write(move |connection| {
            sql::summaries::take_over(connection, &text(now))?;
            Ok::<_, ArchiveError>((
                sql::instances::take_over(connection, &text(now), not_before)?,
                sql::tasks::all(connection)?,
                sql::tasks::projects(connection)?,
            ))
        })
        .await
        .map_err(|error| StartError::State(StateError::read(file, error)))?;
    for task in stored {
        tasks.put(task);
    }
    for (project, created_at) in projects {
        tasks.add_project(project, created_at);
    }
    Ok((tasks, archive, past))
}

fn http_client() -> Result<reqwest::Client, reqwest::Error> {
    // The client insists on a provider even where only plain HTTP to loopback is spoken. A second
    // installation is refused, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .no_gzip()
        .redirect(reqwest::redirect::Policy::none())
        .pool_idle_timeout(IDLE_CONNECTION)
        .build()
}
