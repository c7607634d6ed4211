//! A run as it stands: the fold of its events.
//!
//! [`RunRecord::apply`] is the only way a record changes, live and on replay, so that a report made from the
//! journal equals the one made by the run itself.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::{
    AgentOutcome, AgentReport, Attempt, AttemptState, Entry, Event, Failure, Holds,
    IllegalTransition, InstanceId, PlannedTrial, RequestId, RunEnd, RunInfo, SessionRecord,
    TeardownOutcome, TrialId, TrialStatus, Usage, VerifierReport,
};

/// A run: what it is, its trials in the order of the plan, how it ended.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// What the run is.
    pub info: RunInfo,
    /// The trials in the order of the plan.
    pub trials: Vec<TrialRecord>,
    /// The job for the run's sessions at the service, once one was asked for.
    pub job: Option<JobRecord>,
    /// How the latest sitting ended; absent while one is under way or was killed.
    pub end: Option<RunEnd>,
    /// Time of the latest event.
    pub updated_at: Timestamp,
    index: HashMap<TrialId, usize>,
}

/// The job for a run's sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRecord {
    /// The idempotency key of the request that makes it.
    pub request_id: RequestId,
    /// Its name.
    pub name: String,
    /// The service's id of it, once it was told.
    pub id: Option<String>,
}

/// A trial as it stands.
#[derive(Clone, Debug)]
pub struct TrialRecord {
    /// Its name.
    pub id: TrialId,
    /// Environment as asked for.
    pub env_key: String,
    /// Data set as asked for.
    pub data_key: Option<String>,
    /// Folder relative to the run's.
    pub trial_dir: String,
    /// Whether it has a score.
    pub status: TrialStatus,
    /// 0.0–1.0; absent unless scored.
    pub score: Option<f64>,
    /// Score ≥ threshold; absent unless scored.
    pub passed: Option<bool>,
    /// Where and why it has no score; absent when scored.
    pub failure: Option<Failure>,
    /// Where the score comes from; absent unless scored.
    pub verifier: Option<VerifierReport>,
    /// When the first attempt began, UTC.
    pub started_at: Option<Timestamp>,
    /// When the last attempt was closed, UTC.
    pub finished_at: Option<Timestamp>,
    /// Every attempt, oldest first. No attempt's evidence is ever dropped.
    pub attempts: Vec<AttemptRecord>,
}

/// One attempt of a trial.
#[derive(Clone, Debug)]
pub struct AttemptRecord {
    /// Its number.
    pub attempt: Attempt,
    /// Where it stands and what it holds.
    pub state: AttemptState,
    /// The idempotency key of its create.
    pub request_id: RequestId,
    /// Its instance, once known.
    pub instance: Option<InstanceId>,
    /// What the agent did, once it is dead.
    pub agent: Option<AgentReport>,
    /// Why it has no score.
    pub failure: Option<Failure>,
    /// Whether its instance was given back; absent while it holds one or never held any.
    pub teardown: Option<TeardownOutcome>,
    /// How long its phases took.
    pub times: PhaseTimes,
    /// When its agent was started, UTC.
    pub agent_started_at: Option<Timestamp>,
    /// When the last process of its agent was dead, UTC.
    pub agent_finished_at: Option<Timestamp>,
    /// Its session at the service, once one was begun.
    pub session: Option<SessionRecord>,
}

/// Milliseconds per phase, measured on a clock that does not jump. Absent: the phase was not finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseTimes {
    /// Waiting for admission.
    pub queue_ms: Option<u64>,
    /// From the create request to a running instance.
    pub provision_ms: Option<u64>,
    /// From the agent's start to the death of its last process.
    pub agent_ms: Option<u64>,
    /// Scoring, tries that failed included.
    pub verify_ms: Option<u64>,
    /// Giving back.
    pub teardown_ms: Option<u64>,
}

impl PhaseTimes {
    /// The sum of the phases that ran, waiting for admission left out; absent if none ran.
    pub fn total_ms(&self) -> Option<u64> {
        [
            self.provision_ms,
            self.agent_ms,
            self.verify_ms,
            self.teardown_ms,
        ]
        .into_iter()
        .flatten()
        .reduce(u64::saturating_add)
    }
}

/// An obligation at the service: an attempt that holds an instance, or may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenLease {
    /// The trial.
    pub trial: TrialId,
    /// Its attempt.
    pub attempt: Attempt,
    /// The idempotency key by which an unanswered create can be found.
    pub request_id: RequestId,
    /// The instance, if the create was answered.
    pub instance: Option<InstanceId>,
}

/// Counts over the trials of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunStats {
    /// Trials of the plan.
    pub total: usize,
    /// Trials with a score.
    pub scored: usize,
    /// Scored trials at or above the threshold.
    pub passed: usize,
    /// Trials that ended without a score.
    pub unscored: usize,
    /// Trials that the end of the run cut off.
    pub cancelled: usize,
    /// Trials not finished.
    pub pending: usize,
}

impl RunStats {
    /// Scored trials below the threshold.
    pub fn failed(&self) -> usize {
        self.scored - self.passed
    }

    /// Trials that will not change any more.
    pub fn finished(&self) -> usize {
        self.total - self.pending
    }
}

/// Why an event does not fit the record.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The first event is not the start of a run.
    #[error("the first event does not start a run")]
    NotStarted,
    /// A second start.
    #[error("the run is started twice")]
    StartedTwice,
    /// A second job for the run's sessions, or one that was never asked for.
    #[error("the run has another job for its sessions, or asked for none")]
    SecondJob,
    /// A trial is planned twice.
    #[error("trial {trial} is planned twice")]
    PlannedTwice {
        /// The trial.
        trial: TrialId,
    },
    /// An event of a trial that is not in the plan.
    #[error("trial {trial} is not in the plan")]
    UnknownTrial {
        /// The trial.
        trial: TrialId,
    },
    /// An event of an attempt that is not the latest, or that skips one.
    #[error("attempt {attempt} of trial {trial} is not the current one")]
    StaleAttempt {
        /// The trial.
        trial: TrialId,
        /// The attempt named.
        attempt: Attempt,
    },
    /// An event that must not come in the attempt's state.
    #[error("event of attempt {attempt} of trial {trial} is out of order")]
    Illegal {
        /// The trial.
        trial: TrialId,
        /// The attempt.
        attempt: Attempt,
        /// What was wrong.
        #[source]
        source: IllegalTransition,
    },
}

impl RunRecord {
    /// The record after the first event, which must start the run.
    pub fn start(first: &Entry) -> Result<Self, FoldError> {
        let Event::RunStarted { run } = &first.event else {
            return Err(FoldError::NotStarted);
        };
        Ok(Self {
            info: (**run).clone(),
            trials: Vec::new(),
            job: None,
            end: None,
            updated_at: first.at,
            index: HashMap::new(),
        })
    }

    /// The fold of a whole journal; `None` when it is empty.
    pub fn fold<'a>(
        entries: impl IntoIterator<Item = &'a Entry>,
    ) -> Result<Option<Self>, FoldError> {
        let mut entries = entries.into_iter();
        let Some(first) = entries.next() else {
            return Ok(None);
        };
        let mut record = Self::start(first)?;
        for entry in entries {
            record.apply(entry)?;
        }
        Ok(Some(record))
    }

    /// Takes one more event. On an error the record is as it was.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), FoldError> {
        match &entry.event {
            Event::RunStarted { .. } => return Err(FoldError::StartedTwice),
            Event::TrialPlanned { planned } => self.plan(planned)?,
            Event::RunFinished { end } => self.finish(end),
            Event::JobIntended { request_id, name } => self.intend_job(*request_id, name)?,
            Event::JobCreated { job_id } => self.name_job(job_id)?,
            event => {
                let (id, attempt) = event
                    .attempt()
                    .expect("every event but start, plan and finish is about an attempt");
                let at = *self
                    .index
                    .get(id)
                    .ok_or_else(|| FoldError::UnknownTrial { trial: id.clone() })?;
                // An event after the end begins another sitting.
                self.end = None;
                let threshold = self.info.pass_threshold;
                self.trials[at].apply(entry, attempt, threshold)?;
            }
        }
        self.updated_at = entry.at;
        Ok(())
    }

    fn plan(&mut self, planned: &PlannedTrial) -> Result<(), FoldError> {
        if self.index.contains_key(&planned.id) {
            return Err(FoldError::PlannedTwice {
                trial: planned.id.clone(),
            });
        }
        self.index.insert(planned.id.clone(), self.trials.len());
        self.trials.push(TrialRecord::new(planned));
        Ok(())
    }

    /// A job that is asked for again is asked for under the same key, so that there is one.
    fn intend_job(&mut self, request_id: RequestId, name: &str) -> Result<(), FoldError> {
        let asked = JobRecord {
            request_id,
            name: name.to_owned(),
            id: None,
        };
        if self.job.as_ref().is_some_and(|known| *known != asked) {
            return Err(FoldError::SecondJob);
        }
        self.job = Some(asked);
        self.end = None;
        Ok(())
    }

    fn name_job(&mut self, id: &str) -> Result<(), FoldError> {
        let open = self.job.as_mut().filter(|job| job.id.is_none());
        let job = open.ok_or(FoldError::SecondJob)?;
        job.id = Some(id.to_owned());
        self.end = None;
        Ok(())
    }

    fn finish(&mut self, end: &RunEnd) {
        self.end = Some(end.clone());
    }

    /// A trial by its name.
    pub fn trial(&self, id: &TrialId) -> Option<&TrialRecord> {
        self.index.get(id).map(|&at| &self.trials[at])
    }

    /// What the run still holds at the service, or may hold.
    pub fn open_leases(&self) -> Vec<OpenLease> {
        let held = |trial: &TrialRecord, attempt: &AttemptRecord| OpenLease {
            trial: trial.id.clone(),
            attempt: attempt.attempt,
            request_id: attempt.request_id,
            instance: attempt.instance.clone(),
        };
        self.trials
            .iter()
            .flat_map(|trial| trial.attempts.iter().map(move |attempt| (trial, attempt)))
            .filter(|(_, attempt)| attempt.state.holds != Holds::Nothing)
            .map(|(trial, attempt)| held(trial, attempt))
            .collect()
    }

    /// The service's id of the job for the run's sessions, once it was told.
    pub fn job_id(&self) -> Option<&str> {
        self.job.as_ref()?.id.as_deref()
    }

    /// Sessions that are missing at the service, as a whole or in part, and may still be delivered. Without a job the run
    /// has none.
    pub fn open_sessions(&self) -> usize {
        let attempts = self.trials.iter().flat_map(|trial| &trial.attempts);
        let open = attempts
            .filter(|attempt| attempt.has_open_session())
            .count();
        if self.job.is_some() { open } else { 0 }
    }

    /// Counts over the trials. When the run has ended, trials without an end count as cancelled.
    pub fn stats(&self) -> RunStats {
        let mut stats = RunStats {
            total: self.trials.len(),
            ..RunStats::default()
        };
        for trial in &self.trials {
            match self.status_of(trial) {
                TrialStatus::Scored => {
                    stats.scored += 1;
                    stats.passed += usize::from(trial.passed == Some(true));
                }
                TrialStatus::Unscored => stats.unscored += 1,
                TrialStatus::Cancelled => stats.cancelled += 1,
                TrialStatus::Pending => stats.pending += 1,
            }
        }
        stats
    }

    /// A trial's status as reports show it: one without an end is cancelled once the run has ended.
    pub fn status_of(&self, trial: &TrialRecord) -> TrialStatus {
        match trial.status {
            TrialStatus::Pending if self.end.is_some() => TrialStatus::Cancelled,
            status => status,
        }
    }
}

impl AttemptRecord {
    /// Whether its agent worked and its session is not settled.
    pub fn has_open_session(&self) -> bool {
        let settled = self.session.as_ref().is_some_and(SessionRecord::is_settled);
        self.agent.is_some() && !settled
    }
}

impl TrialRecord {
    fn new(planned: &PlannedTrial) -> Self {
        Self {
            id: planned.id.clone(),
            env_key: planned.env_key.clone(),
            data_key: planned.data_key.clone(),
            trial_dir: crate::RunLayout::trial_dir(&planned.id),
            status: TrialStatus::Pending,
            score: None,
            passed: None,
            failure: None,
            verifier: None,
            started_at: None,
            finished_at: None,
            attempts: Vec::new(),
        }
    }

    /// The latest attempt.
    pub fn last_attempt(&self) -> Option<&AttemptRecord> {
        self.attempts.last()
    }

    /// What the agent of the latest attempt did.
    pub fn agent_outcome(&self) -> AgentOutcome {
        self.agent()
            .map_or(AgentOutcome::NotStarted, |agent| agent.outcome)
    }

    /// The agent's report of the latest attempt.
    pub fn agent(&self) -> Option<&AgentReport> {
        self.last_attempt()
            .and_then(|attempt| attempt.agent.as_ref())
    }

    /// What the agent of the latest attempt used.
    pub fn usage(&self) -> Usage {
        self.agent().map(|agent| agent.usage).unwrap_or_default()
    }

    /// The session of the latest attempt: ours, or the one that the agent made.
    pub fn session_id(&self) -> Option<&str> {
        let latest = self.last_attempt()?;
        let ours = latest.session.as_ref();
        ours.and_then(|session| session.session_id.as_deref())
            .or_else(|| latest.agent.as_ref()?.session_id.as_deref())
    }

    /// The instance of the latest attempt.
    pub fn instance(&self) -> Option<&InstanceId> {
        self.last_attempt()
            .and_then(|attempt| attempt.instance.as_ref())
    }

    /// Whether every instance was given back: the worst over the attempts.
    pub fn teardown(&self) -> Option<TeardownOutcome> {
        let outcome = |attempt: &AttemptRecord| match attempt.state.holds {
            // What is still held at the end was not confirmed, whether or not a close was tried.
            Holds::Maybe | Holds::Instance if self.status != TrialStatus::Pending => {
                Some(TeardownOutcome::Unconfirmed)
            }
            Holds::Nothing | Holds::Maybe | Holds::Instance => attempt.teardown,
        };
        let latest = self.last_attempt().and_then(outcome);
        let worst = self.attempts.iter().filter_map(outcome).max();
        if worst == Some(TeardownOutcome::Unconfirmed) {
            worst
        } else {
            latest
        }
    }

    /// How long the phases of the latest attempt took.
    pub fn times(&self) -> PhaseTimes {
        self.last_attempt()
            .map(|attempt| attempt.times)
            .unwrap_or_default()
    }

    fn apply(&mut self, entry: &Entry, attempt: Attempt, threshold: f64) -> Result<(), FoldError> {
        let current = self.attempts.last().map(|last| last.attempt);
        if let Event::ProvisionIntended {
            request_id,
            queue_ms,
            ..
        } = &entry.event
        {
            let expected = current.map_or(Attempt::FIRST, Attempt::next);
            if attempt != expected || self.status == TrialStatus::Scored {
                return Err(self.stale(attempt));
            }
            let state = self.next_state(AttemptState::PLANNED, entry, attempt)?;
            self.attempts.push(AttemptRecord {
                attempt,
                state,
                request_id: *request_id,
                instance: None,
                agent: None,
                failure: None,
                teardown: None,
                times: PhaseTimes {
                    queue_ms: Some(*queue_ms),
                    ..PhaseTimes::default()
                },
                agent_started_at: None,
                agent_finished_at: None,
                session: None,
            });
            self.started_at.get_or_insert(entry.at);
            self.status = TrialStatus::Pending;
            return Ok(());
        }
        if current.is_none() {
            return self.apply_before_first_attempt(entry, attempt);
        }
        if entry.event.is_of_a_session() {
            return self.apply_to_session(entry, attempt);
        }
        let is_release = matches!(
            entry.event,
            Event::ReleaseIntended { .. } | Event::Released { .. }
        );
        // An older attempt may still get the end that a damaged journal lost, and give back what it held; it may not
        // speak about the result.
        let is_older = current.is_some_and(|current| attempt < current);
        let is_end = matches!(entry.event, Event::Unscored { .. });
        if Some(attempt) != current && !is_release && !(is_older && is_end) {
            return Err(self.stale(attempt));
        }
        let at = self
            .attempts
            .iter()
            .position(|known| known.attempt == attempt)
            .ok_or_else(|| self.stale(attempt))?;
        let state = self.next_state(self.attempts[at].state, entry, attempt)?;
        self.attempts[at].state = state;
        self.take(at, entry, threshold);
        Ok(())
    }

    /// An attempt's session begins when its agent is dead, and may be delivered whatever comes of the trial meanwhile.
    fn apply_to_session(&mut self, entry: &Entry, attempt: Attempt) -> Result<(), FoldError> {
        let known = |of: &&mut AttemptRecord| of.attempt == attempt && of.agent.is_some();
        let Some(of) = self.attempts.iter_mut().find(known) else {
            return Err(self.stale(attempt));
        };
        let mut session = of.session.clone().unwrap_or_default();
        match session.apply(&entry.event) {
            Ok(()) => {
                of.session = Some(session);
                Ok(())
            }
            Err(source) => Err(FoldError::Illegal {
                trial: self.id.clone(),
                attempt,
                source,
            }),
        }
    }

    /// A trial may end before its first create: the run was stopped, or its task cannot be run.
    fn apply_before_first_attempt(
        &mut self,
        entry: &Entry,
        attempt: Attempt,
    ) -> Result<(), FoldError> {
        self.next_state(AttemptState::PLANNED, entry, attempt)?;
        if let Event::Unscored { failure, retry, .. } = &entry.event {
            self.end_without_score(failure, *retry);
            self.finished_at = Some(entry.at);
        }
        Ok(())
    }

    fn take(&mut self, at: usize, entry: &Entry, threshold: f64) {
        let attempt = &mut self.attempts[at];
        match &entry.event {
            Event::Provisioned {
                instance,
                elapsed_ms,
                ..
            } => {
                attempt.instance = Some(instance.clone());
                attempt.times.provision_ms = Some(*elapsed_ms);
            }
            Event::AgentFinished { report, .. } => {
                attempt.times.agent_ms = Some(report.elapsed_ms);
                attempt.agent_finished_at = Some(entry.at);
                attempt.agent = Some((**report).clone());
            }
            Event::Scored {
                score, verifier, ..
            } => {
                attempt.times.verify_ms = Some(verifier.elapsed_ms);
                self.status = TrialStatus::Scored;
                self.score = Some(*score);
                self.passed = Some(*score >= threshold);
                self.failure = None;
                self.verifier = Some((**verifier).clone());
            }
            Event::Unscored { failure, retry, .. } => {
                attempt.failure = Some(failure.clone());
                if at + 1 == self.attempts.len() {
                    self.end_without_score(failure, *retry);
                    self.finished_at = Some(entry.at);
                }
            }
            Event::Released {
                teardown,
                elapsed_ms,
                ..
            } => {
                attempt.teardown = Some(*teardown);
                attempt.times.teardown_ms = Some(*elapsed_ms);
                self.finished_at = Some(entry.at);
            }
            Event::AgentStarted { .. } => attempt.agent_started_at = Some(entry.at),
            Event::VerifyIntended { .. } | Event::ReleaseIntended { .. } => {}
            Event::RunStarted { .. }
            | Event::TrialPlanned { .. }
            | Event::JobIntended { .. }
            | Event::JobCreated { .. }
            | Event::SessionIntended { .. }
            | Event::SessionIngested { .. }
            | Event::SessionFailed { .. }
            | Event::ProvisionIntended { .. }
            | Event::RunFinished { .. } => unreachable!("handled before an attempt is looked up"),
        }
    }

    fn end_without_score(&mut self, failure: &Failure, retry: bool) {
        self.failure = Some(failure.clone());
        self.status = match (retry, failure.kind) {
            (true, _) => TrialStatus::Pending,
            (false, crate::ErrorKind::Cancelled) => TrialStatus::Cancelled,
            (false, _) => TrialStatus::Unscored,
        };
    }

    fn next_state(
        &self,
        from: AttemptState,
        entry: &Entry,
        attempt: Attempt,
    ) -> Result<AttemptState, FoldError> {
        from.after(&entry.event)
            .map_err(|source| FoldError::Illegal {
                trial: self.id.clone(),
                attempt,
                source,
            })
    }

    fn stale(&self, attempt: Attempt) -> FoldError {
        FoldError::StaleAttempt {
            trial: self.id.clone(),
            attempt,
        }
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
