//! What is written to the journal: one event per intent or outcome.
//!
//! These types are the file format of `journal.jsonl`. Adding an optional field is compatible; anything else
//! raises [`crate::FORMAT_VERSION`].

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    AgentOutcome, Attempt, Failure, InstanceId, RequestId, RunId, SessionEnd, TaskKey,
    TeardownOutcome, TrialId, VariantName,
};

/// One line of the journal: an event, its number and its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts from 1 without a gap.
    pub seq: u64,
    /// Wall-clock time, UTC. Durations are never computed from it.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Something a run did or is about to do. Intents come before their effect, outcomes right after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first event of a run.
    RunStarted {
        /// What the run is.
        run: Box<RunInfo>,
    },
    /// A trial belongs to the run. All of them are written before the first starts.
    TrialPlanned {
        /// The trial.
        planned: Box<PlannedTrial>,
    },
    /// A create request is about to leave. Durable before its first byte.
    ProvisionIntended {
        /// The trial.
        trial: TrialId,
        /// Its attempt.
        attempt: Attempt,
        /// The idempotency key of the create.
        request_id: RequestId,
        /// Milliseconds since the trial was ready to run.
        queue_ms: u64,
    },
    /// The instance runs and is ours.
    Provisioned {
        /// The trial.
        trial: TrialId,
        /// Its attempt.
        attempt: Attempt,
        /// The instance.
        instance: InstanceId,
        /// Milliseconds the create took.
        elapsed_ms: u64,
    },
    /// The agent's process exists.
    AgentStarted {
        /// The trial.
        trial: TrialId,
        /// Its attempt.
        attempt: Attempt,
        /// Process id of the agent.
        pid: u32,
    },
    /// The agent ended and its process tree is proven dead.
    AgentFinished {
        /// The trial.
        trial: TrialId,
        /// Its attempt.
        attempt: Attempt,
        /// What it did and left.
        report: Box<AgentReport>,
    },
    /// A verification is about to be asked for.
    VerifyIntended {
        /// The trial.
        trial: TrialId,
        /// Its attempt.
        attempt: Attempt,
    },
    /// The verifier ran and gave a score. Durable before the instance is given back.
    Scored {
        /// The trial.
        trial: TrialId,
        /// Its attempt.
        attempt: Attempt,
        /// 0.0 to 1.0.
        score: f64,
        /// Where the score comes from.
        verifier: Box<VerifierReport>,
    },
    /// The attempt ends without a score.
    Unscored {
        /// The trial.
        trial: TrialId,
        /// Its attempt.
        attempt: Attempt,
        /// Where and why.
        failure: Failure,
        /// True if another attempt follows, so that the trial itself is still open.
        retry: bool,
        /// True if the service may hold an instance that we know nothing of: the create got no answer.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ambiguous: bool,
    },
    /// The instance is about to be closed.
    ReleaseIntended {
        /// The trial.
        trial: TrialId,
        /// Its attempt.
        attempt: Attempt,
    },
    /// The attempt holds nothing any more, or the time to make sure ran out.
    Released {
        /// The trial.
        trial: TrialId,
        /// Its attempt.
        attempt: Attempt,
        /// How it went.
        teardown: TeardownOutcome,
        /// Milliseconds the teardown took.
        elapsed_ms: u64,
    },
    /// A job for the run's sessions is about to be made at the service. Durable before its first byte.
    JobIntended {
        /// The idempotency key of the request.
        request_id: RequestId,
        /// The job's name: it has the run's id in it, by which a job that got no answer can be found.
        name: String,
    },
    /// The job is there and ours.
    JobCreated {
        /// The service's id of it.
        job_id: String,
    },
    /// Messages of an attempt, or the end of its session, are about to leave. Durable before their first byte.
    SessionIntended {
        /// The trial.
        trial: TrialId,
        /// Its attempt.
        attempt: Attempt,
        /// The idempotency key of the request; a repeat has the same one.
        request_id: RequestId,
        /// Messages that the service had confirmed before.
        offset: u64,
        /// Messages of this request; 0 if it only says how a session that the agent made has ended.
        messages: u64,
    },
    /// The service has them.
    SessionIngested {
        /// The trial.
        trial: TrialId,
        /// Its attempt.
        attempt: Attempt,
        /// The service's id of the session.
        session_id: String,
        /// Messages of the session that are confirmed now.
        messages: u64,
        /// How the session ended, with its last request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end: Option<SessionEnd>,
    },
    /// A session could not be delivered. It changes no trial's result.
    SessionFailed {
        /// The trial.
        trial: TrialId,
        /// Its attempt.
        attempt: Attempt,
        /// Why.
        message: String,
        /// True if no later sitting tries again.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        given_up: bool,
    },
    /// The last event of a run, or of one sitting of it when it is resumed later.
    RunFinished {
        /// How it ended.
        end: Box<RunEnd>,
    },
}

impl Event {
    /// The trial and attempt that the event is about, if it is about one.
    pub fn attempt(&self) -> Option<(&TrialId, Attempt)> {
        match self {
            Self::ProvisionIntended { trial, attempt, .. }
            | Self::Provisioned { trial, attempt, .. }
            | Self::AgentStarted { trial, attempt, .. }
            | Self::AgentFinished { trial, attempt, .. }
            | Self::VerifyIntended { trial, attempt }
            | Self::Scored { trial, attempt, .. }
            | Self::Unscored { trial, attempt, .. }
            | Self::ReleaseIntended { trial, attempt }
            | Self::Released { trial, attempt, .. }
            | Self::SessionIntended { trial, attempt, .. }
            | Self::SessionIngested { trial, attempt, .. }
            | Self::SessionFailed { trial, attempt, .. } => Some((trial, *attempt)),
            Self::RunStarted { .. }
            | Self::TrialPlanned { .. }
            | Self::JobIntended { .. }
            | Self::JobCreated { .. }
            | Self::RunFinished { .. } => None,
        }
    }

    /// Whether it is about the session of an attempt, which says nothing of the attempt itself.
    pub fn is_of_a_session(&self) -> bool {
        matches!(
            self,
            Self::SessionIntended { .. }
                | Self::SessionIngested { .. }
                | Self::SessionFailed { .. }
        )
    }
}

/// What a run is: written once, at its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// The run's id, also at the service.
    pub run_id: RunId,
    /// The spec's `name`.
    pub name: String,
    /// Version of the harness that wrote the journal.
    pub harness_version: String,
    /// When it started, UTC.
    pub started_at: Timestamp,
    /// The spec file as given.
    pub spec_path: String,
    /// SHA-256 of the resolved spec, hex.
    pub spec_sha256: String,
    /// The resolved spec itself, without secrets; empty in journals that are older than this field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub spec_yaml: String,
    /// `local`, or the URL of the service.
    pub endpoint: String,
    /// The agent's label.
    pub agent: String,
    /// A trial passes with at least this score.
    pub pass_threshold: f64,
    /// What decides the exit code.
    pub gate: GateSpec,
    /// Trials per task and variant.
    pub trials_per_task: u32,
    /// The variants, in order.
    pub variants: Vec<VariantInfo>,
    /// Trials of the plan; absent in journals of older versions. A damaged plan is known by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned: Option<usize>,
    /// The run that this one repeats a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun_of: Option<RunId>,
}

/// The bounds that decide between exit codes 0, 1 and 3. An absent bound is not checked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GateSpec {
    /// Least share of scored trials that pass, 0–1.
    pub min_pass_rate: Option<f64>,
    /// Least mean over scored trials, 0–1.
    pub min_mean_score: Option<f64>,
    /// Greatest share of trials without a score, 0–1. Absent means none may be unscored.
    pub max_unscored: Option<f64>,
}

/// One combination of the matrix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantInfo {
    /// Its name.
    pub name: VariantName,
    /// Matrix key and value, in the spec's order.
    pub values: Vec<(String, String)>,
}

/// One trial of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTrial {
    /// Its name.
    pub id: TrialId,
    /// Environment as asked for, `key` or `key:version`.
    pub env_key: String,
    /// Data set as asked for, `key` or `key:version`.
    pub data_key: Option<String>,
}

impl PlannedTrial {
    /// The task's key.
    pub fn task(&self) -> &TaskKey {
        &self.id.task
    }
}

/// What an agent used, as far as it said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

/// What an agent did and left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentReport {
    /// What it did.
    pub outcome: AgentOutcome,
    /// Its exit code, if it exited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// What it says went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its answer, given to the verifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_answer: Option<String>,
    /// True if this report is all that a verification needs, so that another harness may ask for it after this one
    /// ended: the agent came to its own end, and no secret in its answer is masked here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verifiable: bool,
    /// Steps it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// The session that it made at the service itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// What it used.
    #[serde(default)]
    pub usage: Usage,
    /// Processes that outlived it and were killed.
    #[serde(default)]
    pub leaked_processes: u32,
    /// Containment level under which it ran, 0–3.
    #[serde(default)]
    pub containment: u8,
    /// Milliseconds from start to the death of the last process.
    pub elapsed_ms: u64,
}

/// Where a score comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerifierReport {
    /// The service's id of the verification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<String>,
    /// Milliseconds from asking to the answer, tries that failed included.
    pub elapsed_ms: u64,
    /// Verifications asked for until one answered; 0 if the spec asks not to verify an agent that failed.
    pub tries: u32,
}

/// How a sitting of a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunEnd {
    /// Why nothing more was started.
    pub reason: StopReason,
    /// Instances that could not be confirmed closed.
    pub unconfirmed: Vec<InstanceId>,
    /// Instances of the run that the last listing at the service found alive, and that were closed then.
    pub swept: Vec<InstanceId>,
    /// True if the service confirmed at the end that no instance of the run lives.
    pub proven_empty: bool,
    /// Milliseconds since the sitting began.
    pub elapsed_ms: u64,
}

/// Why a sitting of a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// Every trial was done.
    Completed,
    /// SIGINT.
    Interrupted,
    /// SIGTERM or SIGHUP.
    Terminated,
    /// `limits.run_deadline` came.
    Deadline,
    /// `limits.instance_minutes` or `limits.cost_usd` was reached.
    Budget {
        /// Which limit, and its value.
        what: String,
    },
    /// The run could not go on.
    Fatal {
        /// Why.
        why: String,
    },
}
