//! What is known of one instance, by everybody who may ask. Only the supervisor moves it from one
//! status to the next.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fleet_api::types::InstanceId;
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::lease::{LeaseChange, LeaseEnd, LeaseTerms, NotChanged};
use crate::clock::after;
use crate::package::{DatabasePaths, Package};
use crate::seam::{Beginning, HookError, InstanceFiles, InstanceView, ManagerHooks, QuietWork};

/// What was asked for, with every default resolved.
#[derive(Debug)]
pub(crate) struct InstanceSpec {
    pub(crate) package: Arc<Package>,
    pub(crate) version: String,
    pub(crate) data_key: Option<String>,
    pub(crate) data_version: Option<String>,
    pub(crate) databases: DatabasePaths,
    pub(crate) region: String,
    pub(crate) env_variables: Map<String, Value>,
    pub(crate) image_type: Option<String>,
    pub(crate) beginning: Beginning,
    pub(crate) run_id: Option<String>,
    pub(crate) lease: LeaseTerms,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Pending,
    Running,
    Stopped,
    Error,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Error => "error",
        }
    }
}

/// Why an instance ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EndCause {
    /// A client gave it back.
    Closed,
    /// Nobody needed it long enough.
    Expired(LeaseEnd),
    /// The server shuts down.
    Shutdown,
    /// It never became usable.
    StartFailed(String),
    /// It was usable and broke.
    Crashed(String),
}

impl EndCause {
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self, Self::StartFailed(_) | Self::Crashed(_))
    }
}

impl fmt::Display for EndCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed by a client"),
            Self::Expired(LeaseEnd::Heartbeats) => {
                f.write_str("three heartbeats in a row were missed")
            }
            Self::Expired(LeaseEnd::Ttl) => f.write_str("its TTL ended"),
            Self::Expired(LeaseEnd::Maximum) => {
                f.write_str("it reached the server's maximum lifetime")
            }
            Self::Shutdown => f.write_str("the server was shut down"),
            Self::StartFailed(reason) | Self::Crashed(reason) => f.write_str(reason),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Urls {
    pub(crate) root: String,
    pub(crate) apps: Vec<String>,
    pub(crate) manager: String,
}

/// What the instance takes for the time and for chance, since when.
#[derive(Debug, Clone, Copy)]
struct InstanceClock {
    beginning: Beginning,
    since: Instant,
}

impl InstanceClock {
    fn starting(beginning: Beginning) -> Mutex<Self> {
        Mutex::new(Self {
            beginning,
            since: Instant::now(),
        })
    }
}

/// The part of an instance that changes.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) status: Status,
    pub(crate) updated_at: Timestamp,
    pub(crate) running_at: Option<Timestamp>,
    pub(crate) terminated_at: Option<Timestamp>,
    pub(crate) last_beat: Option<Timestamp>,
    /// As agreed on at the start, or as a client changed it since.
    pub(crate) lease: LeaseTerms,
    pub(crate) urls: Option<Urls>,
    /// Set once, by whoever asked first; from then on the instance is not usable.
    pub(crate) ending: Option<EndCause>,
    /// Its processes are gone and its directory is removed.
    pub(crate) finished: bool,
    /// Processes that could not be ended, one line each.
    pub(crate) leftovers: Vec<String>,
}

impl State {
    /// When the lease ends if nothing more is heard. `None` before the instance runs and after its end.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        let runs = self.ending.is_none() && !self.finished;
        let running_at = self.running_at.filter(|_| runs)?;
        Some(self.lease.deadline(running_at, self.last_beat).0)
    }
}

/// One instance. Shared by the control plane, its gateway and its supervisor.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    pub(crate) spec: InstanceSpec,
    pub(crate) files: InstanceFiles,
    pub(crate) created_at: Timestamp,
    state: watch::Sender<State>,
    clock: Mutex<InstanceClock>,
    stop: CancellationToken,
    quiet: mpsc::Sender<QuietRequest>,
}

/// Work on the files while no app runs, and where its result goes.
pub(crate) struct QuietRequest {
    pub(crate) work: QuietWork,
    pub(crate) reply: oneshot::Sender<Result<(), HookError>>,
}

/// Resets are rare and serialised; a second one waits in the sender.
const QUIET_QUEUE: usize = 1;

impl Instance {
    /// A pending instance, and the receiver that its supervisor needs.
    pub(crate) fn new(
        id: InstanceId,
        spec: InstanceSpec,
        files: InstanceFiles,
        now: Timestamp,
    ) -> (Arc<Self>, mpsc::Receiver<QuietRequest>) {
        let (quiet, requests) = mpsc::channel(QUIET_QUEUE);
        let state = State {
            status: Status::Pending,
            updated_at: now,
            running_at: None,
            terminated_at: None,
            last_beat: None,
            lease: spec.lease,
            urls: None,
            ending: None,
            finished: false,
            leftovers: Vec::new(),
        };
        let instance = Self {
            id,
            clock: InstanceClock::starting(spec.beginning),
            spec,
            files,
            created_at: now,
            state: watch::Sender::new(state),
            stop: CancellationToken::new(),
            quiet,
        };
        (Arc::new(instance), requests)
    }

    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Pending or running, whoever may have asked for its end already.
    pub(crate) fn is_live(&self) -> bool {
        !self.state.borrow().finished
    }

    /// Asks for the end of the instance. The first cause stays.
    pub(crate) fn request_end(&self, cause: EndCause) {
        self.state.send_if_modified(|state| {
            let first = state.ending.is_none() && !state.finished;
            if first {
                state.ending = Some(cause);
            }
            first
        });
        self.stop.cancel();
    }

    /// What its apps are told to begin with.
    pub(crate) fn beginning(&self) -> Beginning {
        self.clock().beginning
    }

    fn clock(&self) -> InstanceClock {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when somebody asked for the end.
    pub(crate) fn end_requested(&self) -> impl Future<Output = ()> + '_ {
        self.stop.cancelled()
    }

    pub(crate) fn is_end_requested(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Notes a sign of life. `None` if the instance is ending or has ended.
    pub(crate) fn beat(&self, now: Timestamp) -> Option<State> {
        let mut noted = None;
        self.state.send_if_modified(|state| {
            if state.ending.is_none() && !state.finished && state.status != Status::Error {
                state.last_beat = Some(now);
                noted = Some(state.clone());
            }
            noted.is_some()
        });
        noted
    }

    /// Moves the end of the lease. `None` if the instance is ending or has ended.
    pub(crate) fn change_lease(
        &self,
        change: LeaseChange,
        now: Timestamp,
    ) -> Option<Result<(), NotChanged>> {
        let mut outcome = None;
        self.state.send_if_modified(|state| {
            if state.ending.is_some() || state.finished {
                return false;
            }
            let changed = state.lease.changed(change, state.running_at, now);
            outcome = Some(changed.map(|terms| {
                state.lease = terms;
                state.updated_at = now;
            }));
            matches!(outcome, Some(Ok(())))
        });
        outcome
    }

    /// Completes when the lease is another than `known`.
    pub(crate) async fn lease_changed(&self, known: LeaseTerms) {
        let mut receiver = self.state.subscribe();
        // An error means that the sender is gone, which is this instance's own.
        let _ = receiver.wait_for(|state| state.lease != known).await;
    }

    /// Waits until the instance is usable or has ended; at most `limit`. The state then.
    pub(crate) async fn settled(&self, limit: Duration) -> State {
        self.wait(limit, |state| {
            state.status == Status::Running || state.finished
        })
        .await
    }

    /// Waits until nothing is left of the instance; at most `limit`. The state then.
    pub(crate) async fn finished(&self, limit: Duration) -> State {
        self.wait(limit, |state| state.finished).await
    }

    async fn wait(&self, limit: Duration, done: impl FnMut(&State) -> bool) -> State {
        let mut receiver = self.state.subscribe();
        let _ = tokio::time::timeout(limit, receiver.wait_for(done)).await;
        self.state()
    }

    pub(crate) fn set_running(&self, urls: Urls, now: Timestamp) {
        self.state.send_modify(|state| {
            state.status = Status::Running;
            state.urls = Some(urls);
            state.running_at = Some(now);
            state.updated_at = now;
        });
    }

    /// The end has begun: no longer usable. A failure shows at once; a regular end shows as
    /// `stopped` when it is true.
    pub(crate) fn set_ending(&self, cause: EndCause, now: Timestamp) {
        self.state.send_modify(|state| {
            let cause = state.ending.get_or_insert(cause);
            if cause.is_failure() {
                state.status = Status::Error;
            }
            state.updated_at = now;
        });
        self.stop.cancel();
    }

    pub(crate) fn set_finished(&self, leftovers: Vec<String>, now: Timestamp) {
        self.state.send_modify(|state| {
            // An instance whose processes live on has not stopped, whatever was asked for.
            if leftovers.is_empty() && !state.ending.as_ref().is_some_and(EndCause::is_failure) {
                state.status = Status::Stopped;
            } else {
                state.status = Status::Error;
            }
            state.updated_at = now;
            state.terminated_at = Some(now);
            state.finished = true;
            state.leftovers = leftovers;
        });
    }

    fn not_running(&self) -> HookError {
        HookError::NotRunning {
            instance_id: self.id.to_string(),
        }
    }
}

impl ManagerHooks for Instance {
    fn with_apps_stopped(&self, work: QuietWork) -> BoxFuture<'_, Result<(), HookError>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            self.quiet
                .send(QuietRequest { work, reply })
                .await
                .map_err(|_| self.not_running())?;
            answer.await.unwrap_or_else(|_| Err(self.not_running()))
        })
    }

    fn begin(&self, beginning: Beginning) {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = InstanceClock {
            beginning,
            since: Instant::now(),
        };
    }

    fn now(&self) -> Timestamp {
        let clock = self.clock();
        clock
            .beginning
            .timestamp
            .map_or_else(Timestamp::now, |begun| after(begun, clock.since.elapsed()))
    }
}

impl InstanceView for Instance {
    fn instance_id(&self) -> &str {
        self.id.as_str()
    }

    fn env_key(&self) -> &str {
        &self.spec.package.key
    }

    fn files(&self) -> &InstanceFiles {
        &self.files
    }

    fn root_url(&self) -> String {
        self.state
            .borrow()
            .urls
            .as_ref()
            .map(|urls| urls.root.clone())
            .unwrap_or_default()
    }

    fn app_urls(&self) -> Vec<String> {
        self.state
            .borrow()
            .urls
            .as_ref()
            .map(|urls| urls.apps.clone())
            .unwrap_or_default()
    }

    fn manager_url(&self) -> String {
        self.state
            .borrow()
            .urls
            .as_ref()
            .map(|urls| urls.manager.clone())
            .unwrap_or_default()
    }

    fn is_running(&self) -> bool {
        let state = self.state.borrow();
        state.status == Status::Running && state.ending.is_none()
    }
}
