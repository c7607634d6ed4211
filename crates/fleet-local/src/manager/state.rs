//! What one instance's manager knows: its resources, its files, and the way to its apps.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fleet_api::types::manager::ResourceMode;
use jiff::Timestamp;
use rusqlite::Connection;

use super::files::Tree;
use super::open::{OpenError, open_current, open_current_read_only, open_seed};
use super::query::Limits;
use super::services::Services;
use crate::seam::{Beginning, CURRENT, HookError, InstanceFiles, ManagerHooks};

/// Whether a resource may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Read only.
    ReadOnly,
    /// Read and write.
    ReadWrite,
}

impl Mode {
    /// The wire form.
    pub const fn on_the_wire(self) -> ResourceMode {
        match self {
            Self::ReadOnly => ResourceMode::ReadOnly,
            Self::ReadWrite => ResourceMode::ReadWrite,
        }
    }
}

/// A database that clients reach by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteResource {
    /// Its name: `seed` and `current` for the main database, `NAME_seed` and `NAME` for others.
    pub name: String,
    /// Whether it may be written.
    pub mode: Mode,
    /// The file.
    pub path: PathBuf,
}

impl SqliteResource {
    /// Opens the database with no more rights than asked for and granted.
    ///
    /// # Errors
    /// The file is missing, unreadable or not a database.
    pub fn open(&self, wanted: Mode) -> Result<Connection, OpenError> {
        match (self.mode, wanted) {
            (Mode::ReadOnly, _) => open_seed(&self.path),
            (Mode::ReadWrite, Mode::ReadOnly) => open_current_read_only(&self.path),
            (Mode::ReadWrite, Mode::ReadWrite) => open_current(&self.path),
        }
    }
}

/// The manager of one instance. Cheap to clone.
#[derive(Debug, Clone)]
pub struct InstanceManager {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    files: InstanceFiles,
    resources: Vec<SqliteResource>,
    hooks: Arc<dyn ManagerHooks>,
    limits: Limits,
    services: Services,
}

impl InstanceManager {
    /// A manager over an instance's files with the default limits.
    pub fn new(files: InstanceFiles, hooks: Arc<dyn ManagerHooks>) -> Self {
        Self::with_limits(files, hooks, Limits::default())
    }

    /// A manager over an instance's files.
    pub fn with_limits(files: InstanceFiles, hooks: Arc<dyn ManagerHooks>, limits: Limits) -> Self {
        Self::with_services(files, hooks, limits, Services::default())
    }

    /// A manager over an instance's files that can do more than databases and plain files.
    pub fn with_services(
        files: InstanceFiles,
        hooks: Arc<dyn ManagerHooks>,
        limits: Limits,
        services: Services,
    ) -> Self {
        let resources = resources(&files);
        Self {
            inner: Arc::new(Inner {
                files,
                resources,
                hooks,
                limits,
                services,
            }),
        }
    }

    /// The databases that `GET /resources` lists.
    pub fn resources(&self) -> &[SqliteResource] {
        &self.inner.resources
    }

    /// The resource of a name.
    pub fn resource(&self, name: &str) -> Option<&SqliteResource> {
        self.inner
            .resources
            .iter()
            .find(|resource| resource.name == name)
    }

    /// What one statement may cost.
    pub fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// Where the instance's files are.
    pub fn files(&self) -> &InstanceFiles {
        &self.inner.files
    }

    /// What it can do beyond its databases and files.
    pub(super) fn services(&self) -> &Services {
        &self.inner.services
    }

    /// The instance's files that are no databases.
    pub(super) fn tree(&self) -> Tree {
        let services = &self.inner.services;
        services
            .tree
            .clone()
            .unwrap_or_else(|| Tree::of(&self.inner.files))
    }

    /// The instance's clock.
    pub(super) fn now(&self) -> Timestamp {
        self.inner.hooks.now()
    }

    /// Makes every current database a fresh copy of its seed; the apps are stopped meanwhile and started again, with another
    /// beginning where one is asked for.
    ///
    /// # Errors
    /// The instance is not running, a file could not be replaced, or the apps did not come back.
    pub async fn reset(&self, beginning: Beginning) -> Result<(), HookError> {
        let own = self.inner.files.databases.values();
        let databases: Vec<_> = own
            .chain(&self.inner.services.also_reset)
            .cloned()
            .collect();
        let _alone = self.inner.services.access.replacing.write().await;
        if beginning != Beginning::default() {
            self.inner.hooks.begin(beginning);
        }
        let work = move || {
            databases
                .iter()
                .try_for_each(|database| replace(&database.seed, &database.current))
        };
        self.inner.hooks.with_apps_stopped(Box::new(work)).await
    }

    /// Runs work on the databases off the async threads, a bounded number at a time and never during a reset.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let access = &self.inner.services.access;
        let _present = access.replacing.read().await;
        let _permit = access
            .statements
            .acquire()
            .await
            .expect("the semaphore is never closed");
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => std::future::pending().await, // the runtime is shutting down and drops this future
            },
        }
    }
}

fn resources(files: &InstanceFiles) -> Vec<SqliteResource> {
    let mut resources = Vec::new();
    // The main database first: clients show resources in this order.
    let main = files.databases.get_key_value(CURRENT);
    let others = files.databases.iter().filter(|(name, _)| *name != CURRENT);
    for (name, database) in main.into_iter().chain(others) {
        let seed = if name == CURRENT {
            "seed".to_owned()
        } else {
            format!("{name}_seed")
        };
        resources.push(SqliteResource {
            name: seed,
            mode: Mode::ReadOnly,
            path: database.seed.clone(),
        });
        resources.push(SqliteResource {
            name: name.clone(),
            mode: Mode::ReadWrite,
            path: database.current.clone(),
        });
    }
    resources
}

/// Puts a fresh, writable copy of `seed` in the place of `current`, with nothing of the old one left beside it.
fn replace(seed: &Path, current: &Path) -> io::Result<()> {
    let directory = current
        .parent()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the database has no folder"))?;
    let fresh = tempfile::NamedTempFile::new_in(directory)?;
    let mut source = fs_err::File::open(seed)?;
    io::copy(&mut source, &mut fresh.as_file())?;
    // Left from the old database, these would be played into the new one.
    for suffix in ["-journal", "-wal", "-shm"] {
        let mut side = current.as_os_str().to_owned();
        side.push(suffix);
        match fs_err::remove_file(&side) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fresh.persist(current).map_err(|error| error.error)?;
    Ok(())
}
