//! What is to be delivered of an attempt: a pure function of the record.

use fleet_api::types::{
    self, ExecutionId, IngestBody, SessionId, SessionMessage, SessionStatus, TraceLogBody,
};
use run_record::{
    AgentOutcome, Attempt, AttemptRecord, Event, RunId, RunRecord, SessionEnd, SessionRecord,
    TrialId, TrialRecord,
};
use serde_json::{Map, Value, json};

/// The session of one attempt, as far as it is missing at the service.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(super) run: RunId,
    pub(super) trial: TrialId,
    pub(super) attempt: Attempt,
    pub(super) instance: Option<types::InstanceId>,
    /// The matrix key `model`.
    model: Option<String>,
    started_at: Option<String>,
    ended_at: Option<String>,
    pub(super) end: SessionEnd,
    score: Option<f64>,
    passed: Option<bool>,
    agent: AgentOutcome,
    error: Option<String>,
    execution: Option<String>,
    /// The session that the agent made itself: only its end is ours to tell.
    pub(super) of_the_agent: Option<String>,
    pub(super) so_far: SessionRecord,
}

/// Everything that an earlier sitting left to deliver.
pub(crate) fn all_due(record: &RunRecord) -> Vec<Parcel> {
    let attempts = record
        .trials
        .iter()
        .flat_map(|trial| trial.attempts.iter().map(move |attempt| (trial, attempt)));
    attempts
        .filter(|(_, attempt)| attempt.state.is_closed())
        .filter_map(|(trial, attempt)| Parcel::of(record, trial, attempt))
        .collect()
}

/// What `event` makes due: the session of an attempt whose instance is given back, or cannot be.
pub(crate) fn due_after(record: &RunRecord, event: &Event) -> Option<Parcel> {
    let Event::Released { trial, attempt, .. } = event else {
        return None;
    };
    let trial = record.trial(trial)?;
    let attempt = trial
        .attempts
        .iter()
        .find(|known| known.attempt == *attempt)?;
    Parcel::of(record, trial, attempt)
}

impl Parcel {
    fn of(record: &RunRecord, trial: &TrialRecord, attempt: &AttemptRecord) -> Option<Self> {
        let agent = attempt
            .agent
            .as_ref()
            .filter(|_| attempt.has_open_session())?;
        let scored = attempt.state.scored;
        let end = if scored && agent.outcome == AgentOutcome::Completed {
            SessionEnd::Completed
        } else {
            SessionEnd::Failed
        };
        let failure = attempt.failure.as_ref();
        let verifier = trial.verifier.as_ref().filter(|_| scored);
        Some(Self {
            run: record.info.run_id.clone(),
            trial: trial.id.clone(),
            attempt: attempt.attempt,
            instance: attempt
                .instance
                .as_ref()
                .map(|id| types::InstanceId::new(id.as_str())),
            model: model(record, &trial.id),
            started_at: attempt.agent_started_at.map(|at| at.to_string()),
            ended_at: attempt.agent_finished_at.map(|at| at.to_string()),
            end,
            score: trial.score.filter(|_| scored),
            passed: trial.passed.filter(|_| scored),
            agent: agent.outcome,
            error: failure
                .map(ToString::to_string)
                .or_else(|| agent.error.clone()),
            execution: verifier.and_then(|verifier| verifier.execution_id.clone()),
            of_the_agent: agent.session_id.clone(),
            so_far: attempt.session.clone().unwrap_or_default(),
        })
    }

    /// A request with these messages.
    pub(super) fn body(
        &self,
        job: &types::JobId,
        session: Option<&str>,
        messages: Vec<SessionMessage>,
        is_last: bool,
    ) -> IngestBody {
        let is_first = session.is_none();
        let model = self.model.clone().or_else(|| model_of(&messages));
        let body = IngestBody {
            messages,
            session_id: session.map(SessionId::new),
            job_id: Some(job.clone()),
            status: Some(SessionStatus::Running),
            ..IngestBody::default()
        };
        let body = if is_first {
            IngestBody {
                model,
                task_key: Some(types::TaskKey::new(self.trial.task.as_str())),
                instance_id: self.instance.clone(),
                started_at: self.started_at.clone(),
                metadata: Some(self.origin()),
                ..body
            }
        } else {
            body
        };
        if is_last {
            IngestBody {
                status: Some(self.status()),
                ended_at: self.ended_at.clone(),
                verifier_execution_id: self.execution(),
                metadata: Some(self.result()),
                ..body
            }
        } else {
            body
        }
    }

    /// The end of a session that the agent made.
    pub(super) fn end_of(&self, session: &str) -> TraceLogBody {
        TraceLogBody {
            session_id: Some(SessionId::new(session)),
            status: Some(self.status()),
            ended_at: self.ended_at.clone(),
            verifier_execution_id: self.execution(),
            ..TraceLogBody::default()
        }
    }

    fn status(&self) -> SessionStatus {
        match self.end {
            SessionEnd::Completed => SessionStatus::Completed,
            SessionEnd::Failed => SessionStatus::Failed,
        }
    }

    fn execution(&self) -> Option<ExecutionId> {
        self.execution.as_deref().map(ExecutionId::new)
    }

    /// Where the session comes from.
    fn origin(&self) -> Map<String, Value> {
        let values = [
            ("run_id", json!(self.run)),
            ("variant", json!(self.trial.variant)),
            ("trial", json!(self.trial.trial)),
            ("attempt", json!(self.attempt)),
        ];
        let named = values.map(|(key, value)| (key.to_owned(), value));
        named.into_iter().collect()
    }

    /// That and what came of the attempt.
    fn result(&self) -> Map<String, Value> {
        let mut metadata = self.origin();
        metadata.insert("agent".to_owned(), self.agent.as_str().into());
        let known = [
            ("score", self.score.map(Value::from)),
            ("passed", self.passed.map(Value::from)),
            ("error", self.error.as_deref().map(Value::from)),
        ];
        for (key, value) in known {
            if let Some(value) = value {
                metadata.insert(key.to_owned(), value);
            }
        }
        metadata
    }
}

fn model(record: &RunRecord, trial: &TrialId) -> Option<String> {
    let mut variants = record.info.variants.iter();
    let variant = variants.find(|variant| variant.name == trial.variant)?;
    let mut values = variant.values.iter();
    values
        .find(|(key, _)| key == "model")
        .map(|(_, value)| value.clone())
}

/// As the transcript itself says, which those of one format do.
fn model_of(messages: &[SessionMessage]) -> Option<String> {
    let model = |message: &SessionMessage| {
        let model = message.metadata.as_ref()?.get("model")?.as_str()?;
        Some(model.to_owned())
    };
    messages.iter().find_map(model)
}
