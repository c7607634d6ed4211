//! What the managers of one instance share, and what they reach the rest of the server through.

use std::sync::Arc;

use tokio::sync::{RwLock, Semaphore};

use super::documents::DocumentReader;
use super::files::{Baseline, Tree};
use crate::seam::{Browser, DatabaseFiles, FunctionRunner};

/// Statements of one instance that run at a time; the official client sends at most ten in parallel.
const PARALLEL_STATEMENTS: usize = 8;

/// What a manager can do beyond its databases and files. [`Services::default`] is nothing beyond.
#[derive(Debug, Clone, Default)]
pub struct Services {
    /// Runs functions of clients.
    pub functions: Option<Arc<dyn FunctionRunner>>,
    /// The instance's browser.
    pub browser: Option<Arc<dyn Browser>>,
    /// Reads documents that are no plain text.
    pub documents: Option<DocumentReader>,
    /// The instance's files; none: those of the manager's own directory and databases.
    pub tree: Option<Tree>,
    /// The files that the instance began with.
    pub baseline: Arc<Baseline>,
    /// Databases that a reset renews beside those that the manager offers.
    pub also_reset: Vec<DatabaseFiles>,
    /// Shared by the managers of one instance.
    pub access: Arc<Access>,
}

/// Who may touch an instance's files when.
#[derive(Debug)]
pub struct Access {
    /// Held shared by everything that has a database open, exclusively by a reset, which replaces the files.
    pub(super) replacing: RwLock<()>,
    pub(super) statements: Semaphore,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            replacing: RwLock::new(()),
            statements: Semaphore::new(PARALLEL_STATEMENTS),
        }
    }
}
