//! A trial as one flat row: the columns of `results.csv` and the fields of a trial in `results.json`.

use jiff::Timestamp;
use run_record::{RunRecord, TrialRecord};
use serde::Serialize;

/// One trial. The fields are the columns, in their order; new ones are only ever added at the end.
///
/// An absent value is unknown. Times are milliseconds, `started_at` is UTC.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row<'a> {
    /// The run.
    pub run_id: &'a str,
    /// The task.
    pub task_key: &'a str,
    /// The combination of the matrix; `default` without one.
    pub variant: &'a str,
    /// Which repetition, from 1.
    pub trial: u32,
    /// `scored`, `unscored`, `cancelled`, or `pending` while it is not finished.
    pub status: &'static str,
    /// Score ≥ threshold.
    pub passed: Option<bool>,
    /// 0.0–1.0.
    pub score: Option<f64>,
    /// What the agent did.
    pub agent: &'static str,
    /// The agent's exit code.
    pub exit_code: Option<i32>,
    /// The stage in which the score was lost.
    pub phase: Option<&'static str>,
    /// The class of what went wrong there.
    pub error_kind: Option<&'static str>,
    /// What went wrong there.
    pub error: Option<&'a str>,
    /// Attempts begun.
    pub attempts: usize,
    /// Whether the instance was given back.
    pub teardown: Option<&'static str>,
    /// Environment as asked for.
    pub env_key: &'a str,
    /// Data set as asked for.
    pub data_key: Option<&'a str>,
    /// The last instance.
    pub instance_id: Option<&'a str>,
    /// Steps the agent took.
    pub steps: Option<u64>,
    /// Tokens read.
    pub input_tokens: Option<u64>,
    /// Tokens written.
    pub output_tokens: Option<u64>,
    /// US dollars.
    pub cost_usd: Option<f64>,
    /// When the first attempt began.
    pub started_at: Option<Timestamp>,
    /// Waiting for admission.
    pub queue_ms: Option<u64>,
    /// Getting a running instance.
    pub provision_ms: Option<u64>,
    /// The agent's work.
    pub agent_ms: Option<u64>,
    /// Scoring.
    pub verify_ms: Option<u64>,
    /// Giving back.
    pub teardown_ms: Option<u64>,
    /// All phases but waiting.
    pub total_ms: Option<u64>,
    /// The service's id of the verification.
    pub verifier_execution_id: Option<&'a str>,
    /// Folder of the trial, relative to the run's.
    pub trial_dir: &'a str,
    /// The session of the last attempt at the service.
    pub session_id: Option<&'a str>,
    /// `completed`, `failed`, `pending` while something of it is missing there, `undelivered`.
    pub session: Option<&'static str>,
}

impl<'a> Row<'a> {
    /// The row of a trial of `record`.
    pub fn of(record: &'a RunRecord, trial: &'a TrialRecord) -> Self {
        let times = trial.times();
        let usage = trial.usage();
        let agent = trial.agent();
        let failure = trial.failure.as_ref();
        Self {
            run_id: record.info.run_id.as_str(),
            task_key: trial.id.task.as_str(),
            variant: trial.id.variant.as_str(),
            trial: trial.id.trial,
            status: record.status_of(trial).as_str(),
            passed: trial.passed,
            score: trial.score,
            agent: trial.agent_outcome().as_str(),
            exit_code: agent.and_then(|agent| agent.exit_code),
            phase: failure.map(|failure| failure.phase.as_str()),
            error_kind: failure.map(|failure| failure.kind.as_str()),
            error: failure.map(|failure| failure.message.as_str()),
            attempts: trial.attempts.len(),
            teardown: trial.teardown().map(run_record::TeardownOutcome::as_str),
            env_key: &trial.env_key,
            data_key: trial.data_key.as_deref(),
            instance_id: trial.instance().map(run_record::InstanceId::as_str),
            steps: agent.and_then(|agent| agent.steps),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cost_usd: usage.cost_usd,
            started_at: trial.started_at,
            queue_ms: times.queue_ms,
            provision_ms: times.provision_ms,
            agent_ms: times.agent_ms,
            verify_ms: times.verify_ms,
            teardown_ms: times.teardown_ms,
            total_ms: times.total_ms(),
            verifier_execution_id: trial
                .verifier
                .as_ref()
                .and_then(|verifier| verifier.execution_id.as_deref()),
            trial_dir: &trial.trial_dir,
            session_id: trial.session_id(),
            session: trial
                .last_attempt()
                .and_then(|attempt| attempt.session.as_ref())
                .map(run_record::SessionRecord::as_str),
        }
    }
}
