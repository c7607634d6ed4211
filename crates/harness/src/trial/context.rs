//! What every trial of a run shares.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fleet_api::{SecretString, types};
use redact::Redactor;
use run_record::{Event, Failure, InstanceId, RunId, RunLayout, TrialId};
use secrecy::ExposeSecret as _;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::written;
use crate::lease::{Beats, Heartbeats, KeptAlive};
use crate::recorder::{JournalBroken, Recorder};
use crate::runner::{Admission, LISTING, LivePhase, Notice, StopLevel, StopSignal};
use crate::sessions::SessionJob;
use crate::spec::{RunSpec, TTL_MARGIN, VERIFY_TIMEOUT};
use crate::world::{Agents, Service};

/// What every trial of a run shares.
pub(crate) struct TrialContext {
    pub(crate) spec: Arc<RunSpec>,
    pub(crate) run_id: RunId,
    pub(crate) layout: RunLayout,
    pub(crate) service: Arc<dyn Service>,
    pub(crate) recorder: Recorder,
    pub(crate) admission: Admission,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) beats: Beats,
    pub(crate) stop: StopSignal,
    /// For agents with `fleet_access`.
    pub(crate) api_key: SecretString,
    /// Knows the credential and what the spec took from the environment.
    pub(crate) redactor: Redactor,
    pub(crate) agents: Arc<dyn Agents>,
    /// The running harness, for the placeholder `{harness}`.
    pub(crate) harness_program: PathBuf,
    pub(crate) notices: UnboundedSender<Notice>,
    /// The job that the run's sessions belong to.
    pub(crate) job: SessionJob,
    /// Instances of finished work that are kept alive until their trial takes them over.
    pub(crate) adopted: Mutex<HashMap<InstanceId, KeptAlive>>,
    /// What creates without an answer may have left.
    pub(crate) doubts: Mutex<Doubts>,
}

/// Creates of which it is not known what they made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Doubts {
    /// When everything is listed that they may have made.
    pub(crate) until: Option<Instant>,
    /// Those of them that an earlier sitting left, whose attempts have their end.
    pub(crate) inherited: usize,
}

/// How long a create may take to reach the service after nobody waits for its answer any more.
const UNDER_WAY: Duration = Duration::from_secs(15);

/// How long an event may take to be durable once the run is told to hurry: a disk that hangs must not keep instances.
const RECORD_IN_A_HURRY: Duration = Duration::from_secs(2);

impl TrialContext {
    /// Tells the dispatcher. After a third signal nobody listens, and nothing is lost by it.
    pub(crate) fn notify(&self, notice: Notice) {
        let _ = self.notices.send(written::notice(&self.redactor, notice));
    }

    pub(crate) fn phase(&self, trial: &TrialId, phase: LivePhase) {
        self.notify(Notice::Phase {
            trial: trial.clone(),
            phase,
        });
    }

    /// Returns once the event is durable. When the run is told to hurry, only so long: it may be durable later.
    pub(crate) async fn record(&self, event: Event) -> Result<(), JournalBroken> {
        self.record_all(vec![event]).await
    }

    /// The same for events that belong together.
    pub(crate) async fn record_all(&self, events: Vec<Event>) -> Result<(), JournalBroken> {
        let masked = |event| written::event(&self.redactor, event);
        let events = events.into_iter().map(masked).collect();
        let hurry = async {
            self.stop.reached(StopLevel::Forceful).await;
            tokio::time::sleep(RECORD_IN_A_HURRY).await;
        };
        // The job stays with the recorder when nobody waits for it any more.
        tokio::select! {
            biased;
            recorded = self.recorder.record(events) => recorded,
            () = hurry => Err(JournalBroken::silent(&self.layout.journal())),
        }
    }

    /// Instances of finished work that are kept alive.
    pub(crate) fn adopted(&self) -> MutexGuard<'_, HashMap<InstanceId, KeptAlive>> {
        // A map is whole whatever panicked while it was locked.
        self.adopted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody waits for the answer of a create any more, which may not have arrived yet.
    pub(crate) fn left_under_way(&self) {
        self.doubt(UNDER_WAY + LISTING);
    }

    /// A create has its effect or never will, and it is not known which.
    pub(crate) fn left_in_doubt(&self) {
        self.doubt(LISTING);
    }

    /// An earlier sitting died over creates without an answer, as many as are not found by now.
    pub(crate) fn inherit_doubts(&self, creates: usize) {
        if creates > 0 {
            self.left_under_way();
            self.doubts_mut().inherited += creates;
        }
    }

    /// What is in doubt now.
    pub(crate) fn doubts(&self) -> Doubts {
        *self.doubts_mut()
    }

    fn doubt(&self, time: Duration) {
        let mut doubts = self.doubts_mut();
        doubts.until = doubts.until.max(Some(Instant::now() + time));
    }

    fn doubts_mut(&self) -> MutexGuard<'_, Doubts> {
        // Two numbers are whole whatever panicked while they were locked.
        self.doubts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run's id in the service's words.
    pub(crate) fn service_run_id(&self) -> types::RunId {
        types::RunId::new(self.run_id.as_str())
    }

    /// A text to be written: an agent's error, a verifier's answer.
    pub(crate) fn masked(&self, text: String) -> String {
        self.redactor.text(&text).into_owned()
    }

    /// How long an instance may be held to verify work that was finished before: every try and every wait between.
    pub(crate) fn verify_time(&self) -> Duration {
        let retry = &self.spec.retry;
        (VERIFY_TIMEOUT + retry.max_delay) * retry.attempts + TTL_MARGIN
    }

    /// How long an attempt may hold its instance: the lease's own deadline.
    pub(crate) fn lease_time(&self) -> Duration {
        self.spec.environment.ttl(&self.spec.agent)
    }
}

/// Knows what must not be written anywhere.
pub(crate) fn redactor(spec: &RunSpec, api_key: &SecretString) -> Redactor {
    Redactor::new(spec.secrets().chain([api_key.expose_secret()]))
}

/// Why an attempt has no score, and what follows from it.
#[derive(Debug)]
pub(crate) struct AttemptFailure {
    pub(crate) failure: Failure,
    /// Infrastructure: another attempt may help and costs the agent nothing.
    pub(crate) retryable: bool,
    /// The create got no answer: the service may hold an instance.
    pub(crate) ambiguous: bool,
    /// No later trial could do better: the run stops.
    pub(crate) fatal: bool,
}

impl AttemptFailure {
    pub(crate) fn infrastructure(failure: Failure) -> Self {
        Self {
            failure,
            retryable: true,
            ambiguous: false,
            fatal: false,
        }
    }

    pub(crate) fn permanent(failure: Failure) -> Self {
        Self {
            retryable: false,
            ..Self::infrastructure(failure)
        }
    }
}
