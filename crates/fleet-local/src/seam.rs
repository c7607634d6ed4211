//! The seam between the server half (packages, lifecycle, gateway, control plane) and the half that
//! looks *into* an instance (its manager endpoints and its verifiers). Only data and traits live
//! here; behaviour belongs to either side.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use fleet_api::types::manager::{BrowserAddresses, ExecuteFunctionBody, ExecuteFunctionResponse};
use futures::future::BoxFuture;
use jiff::Timestamp;

/// The name under which a package declares its main database, and under which clients find it.
pub const CURRENT: &str = "current";

/// One database of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFiles {
    /// What the instance started from. Read-only for its whole life.
    pub seed: PathBuf,
    /// What the apps work on.
    pub current: PathBuf,
}

/// Where the files of one instance are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceFiles {
    /// The instance's own directory; everything below is absolute.
    pub dir: PathBuf,
    /// Data name → its two files. The name [`CURRENT`] is offered to clients as the resources
    /// `seed` and `current`.
    pub databases: BTreeMap<String, DatabaseFiles>,
}

/// What a verifier may know of the instance it looks at.
pub trait InstanceView: Send + Sync {
    /// The instance's id.
    fn instance_id(&self) -> &str;
    /// The key of its environment, without a version.
    fn env_key(&self) -> &str;
    /// Its files. They exist as long as [`InstanceView::is_running`] holds.
    fn files(&self) -> &InstanceFiles;
    /// `urls.root`, with a trailing slash; empty before the instance has run.
    fn root_url(&self) -> String;
    /// `urls.app`, in the order of the package's apps; empty before the instance has run.
    fn app_urls(&self) -> Vec<String>;
    /// `urls.manager.api`; empty before the instance has run.
    fn manager_url(&self) -> String;
    /// Whether the instance is usable now.
    fn is_running(&self) -> bool;
}

/// Why an instance could not do what its manager asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HookError {
    /// The instance ended before or during the request.
    #[error("instance {instance_id} is not running")]
    NotRunning {
        /// The instance.
        instance_id: String,
    },
    /// The work given by the manager failed; the apps run again.
    #[error("the instance's data could not be changed")]
    Work(#[source] std::io::Error),
    /// The apps did not come back.
    #[error("the instance's apps did not start again: {reason}")]
    Restart {
        /// What the apps' start reported.
        reason: String,
    },
}

/// The time and the chance that an instance begins with, where somebody chose them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Beginning {
    /// What its clock shows when its apps start; none: the real time.
    pub timestamp: Option<Timestamp>,
    /// Seed of its apps' chance.
    pub seed: Option<i64>,
}

/// Runs functions against an instance, where it can be asked to.
pub trait FunctionRunner: Send + Sync + fmt::Debug {
    /// Runs a function of two snapshots to its end.
    fn run(&self, body: ExecuteFunctionBody) -> BoxFuture<'_, ExecuteFunctionResponse>;
}

/// The browser of an instance.
pub trait Browser: Send + Sync + fmt::Debug {
    /// Makes sure that it runs, with a window of so many pixels; a running one is left as it is.
    fn start(&self, width: u32, height: u32) -> BoxFuture<'_, Result<(), BrowserError>>;
    /// Where it is reached; `None` while it does not run.
    fn addresses(&self) -> BoxFuture<'_, Option<BrowserAddresses>>;
}

/// A browser did not start.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the browser did not start: {reason}")]
pub struct BrowserError {
    /// Why, for a person.
    pub reason: String,
}

/// Work on an instance's files that must not race with its apps.
pub type QuietWork = Box<dyn FnOnce() -> std::io::Result<()> + Send + 'static>;

/// What the manager may ask of the instance that it serves.
pub trait ManagerHooks: Send + Sync + fmt::Debug {
    /// Stops every app of the instance, runs `work` on a blocking thread, and starts the apps again
    /// on the same ports; returns when they are healthy. Calls are serialised per instance.
    fn with_apps_stopped(&self, work: QuietWork) -> BoxFuture<'_, Result<(), HookError>>;

    /// From the next start of its apps on, the instance takes this for the time and for chance.
    fn begin(&self, _beginning: Beginning) {}

    /// The instance's clock.
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
