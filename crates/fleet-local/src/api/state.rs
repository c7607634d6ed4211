//! What every handler of the control plane may use.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio_util::task::TaskTracker;

use super::auth::Credentials;
use crate::archive::Archive;
use crate::instance::Host;
use crate::judge::Judge;
use crate::package::Package;
use crate::store::Store;
use crate::summary::Writers;
use crate::tasks::TaskCatalogue;
use crate::verify::VerifierService;

/// Verifications remembered for diagnostics; a long-lived server must not grow with them.
const VERIFICATIONS_KEPT: usize = 10_000;

/// A handle on the server, cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct App(pub(crate) Arc<AppState>);

#[derive(Debug)]
pub(crate) struct AppState {
    pub(crate) host: Arc<Host>,
    pub(crate) packages: BTreeMap<String, Arc<Package>>,
    pub(crate) store: Store,
    pub(crate) archive: Archive,
    pub(crate) tasks: TaskCatalogue,
    pub(crate) verifier: Arc<VerifierService>,
    pub(crate) judge: Option<Judge>,
    /// Summaries that are being written.
    pub(crate) writers: Writers,
    pub(crate) credentials: Credentials,
    pub(crate) regions: Vec<String>,
    pub(crate) maximum_lease: Duration,
    /// Supervisors of instances; the server waits for all of them before it ends.
    pub(crate) supervisors: TaskTracker,
    pub(crate) verifications: Verifications,
}

impl Deref for App {
    type Target = AppState;

    fn deref(&self) -> &AppState {
        &self.0
    }
}

/// One verification that the server did.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// The instance that was looked at, if the call named one.
    pub instance_id: Option<String>,
    /// The verifier's key as the caller gave it.
    pub key: Option<String>,
    /// Whether the verifier ran to its end.
    pub success: bool,
    /// What it returned.
    pub result: Option<Value>,
}

/// The latest verifications, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Verifications(Mutex<VecDeque<Verification>>);

impl Verifications {
    pub(crate) fn note(&self, verification: Verification) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == VERIFICATIONS_KEPT {
            kept.pop_front();
        }
        kept.push_back(verification);
    }

    pub(crate) fn all(&self) -> Vec<Verification> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }
}
