//! Sessions: what an agent and its model said to each other while they worked on a task.
//!
//! Two ways lead into one: whole messages (`POST /v1/sessions/ingest`) and logs of single model
//! calls (`POST /v1/traces/logs`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::id::{ExecutionId, InstanceId, JobId, SessionId, TaskKey, TeamId};
use super::instance::Instance;
use super::lenient;
use super::word::open_words;

open_words! {
    /// Where a session is in its life.
    pub enum SessionStatus {
        /// Registered, nothing said yet.
        Pending = "pending",
        /// The agent is at work.
        #[default]
        Running = "running",
        /// The agent ended by itself.
        Completed = "completed",
        /// The agent, or what surrounds it, did not get to its end.
        Failed = "failed",
        /// Somebody ended it.
        Cancelled = "cancelled",
    }
}

impl SessionStatus {
    /// Whether nothing more is expected of the session. An unknown word counts as ended: the ones
    /// that were met (`timed_out`, `errored`) are.
    pub fn is_ended(&self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

/// One message of a session. Fields without a value are not written.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionMessage {
    /// Who speaks: `user`, `assistant`, `tool`, `system`.
    pub role: String,
    /// Text, or the provider's parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
    /// What the model thought before it spoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<String>,
    /// Tools that the model called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<Map<String, Value>>>,
    /// Of a tool's message: the call it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// Tokens of the message.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::count"
    )]
    pub tokens: Option<u64>,
    /// Free data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

impl SessionMessage {
    /// What `role` said.
    pub fn new(role: impl Into<String>, content: impl Into<Value>) -> Self {
        Self {
            role: role.into(),
            content: Some(content.into()),
            ..Self::default()
        }
    }
}

/// Body of `POST /v1/sessions/ingest`: makes a session, or adds to the one that it names. Fields
/// without a value are not written.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IngestBody {
    /// What was said since the last time; the service wants at least one.
    pub messages: Vec<SessionMessage>,
    /// The session to add to; absent for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The owning team, where it is not the credential's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<TeamId>,
    /// The model, for example `anthropic/claude-sonnet-4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The task that was worked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_key: Option<TaskKey>,
    /// The job it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// The instance that was worked in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<InstanceId>,
    /// Where the session is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<SessionStatus>,
    /// Free data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// The verification that scored the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier_execution_id: Option<ExecutionId>,
}

/// Answer of `POST /v1/sessions/ingest` and `POST /v1/traces/logs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IngestResponse {
    /// Whether it was stored.
    pub success: bool,
    /// The session, new or added to.
    pub session_id: SessionId,
    /// Messages in the session now. (Some services may answer those of the request.)
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub message_count: u64,
    /// Whether the request made the session.
    #[serde(default)]
    pub created_new_session: bool,
}

/// Body of `POST /v1/traces/jobs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TraceJobBody {
    /// A name for people; without one (written as `null`) the service invents it.
    #[serde(default)]
    pub name: Option<String>,
}

/// Answer of `POST /v1/traces/jobs`: a job that only collects sessions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TraceJob {
    /// The job.
    pub job_id: JobId,
    /// Its name.
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    /// Where it is.
    #[serde(default, deserialize_with = "lenient::text")]
    pub status: String,
}

/// Body of `POST /v1/traces/logs`: one model call, or (with `status`) the session's end. Fields
/// without a value are not written, except those whose `null` means something.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TraceLogBody {
    /// The messages sent to the model that were not logged before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<Value>>,
    /// What the model answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Value>,
    /// The session; absent in the first log, whose answer names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The job it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// Of the first log: settings of the model call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Value>,
    /// Of the first log: the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Of the first log: the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_key: Option<TaskKey>,
    /// Of the first log: the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<InstanceId>,
    /// Of the end: how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<SessionStatus>,
    /// Of the end: when, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Of the end: the verification that scored the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier_execution_id: Option<ExecutionId>,
}

/// Answer of `GET /v1/sessions/job/{job_id}`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobSessions {
    /// The job.
    pub job_id: JobId,
    /// Sessions in all groups.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub total_sessions: u64,
    /// The sessions by task.
    pub tasks: Vec<TaskSessions>,
}

/// The sessions of one task of a job.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskSessions {
    /// The task's id at the service.
    #[serde(default)]
    pub task_id: Option<String>,
    /// The task.
    #[serde(default)]
    pub task: Option<SessionTask>,
    /// Sessions in this group.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub total_sessions: u64,
    /// Those whose verification succeeded.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub passed_sessions: u64,
    /// Passed of total, 0.0–1.0.
    #[serde(default)]
    pub pass_rate: f64,
    /// Mean score of the verified ones.
    #[serde(default)]
    pub average_score: Option<f64>,
    /// The sessions, oldest first.
    pub sessions: Vec<SessionInfo>,
}

/// A session without its messages.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionInfo {
    /// The session.
    pub session_id: SessionId,
    /// The instance that was worked in.
    #[serde(default)]
    pub instance: Option<Instance>,
    /// The model; empty when it was never said.
    #[serde(default, deserialize_with = "lenient::text")]
    pub model: String,
    /// Where it is.
    pub status: SessionStatus,
    /// ISO 8601.
    #[serde(default, deserialize_with = "lenient::text")]
    pub created_at: String,
    /// ISO 8601.
    #[serde(default)]
    pub started_at: Option<String>,
    /// ISO 8601.
    #[serde(default)]
    pub ended_at: Option<String>,
    /// Turns of the model.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub step_count: u64,
    /// The verification that scored the work.
    #[serde(default)]
    pub verifier_execution: Option<SessionVerification>,
}

/// The verification of a session. `success` means "it ran", never "the task was done".
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionVerification {
    /// Whether the verifier ran to its end.
    pub success: bool,
    /// Milliseconds it ran.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub execution_time_ms: u64,
    /// The score, 0.0–1.0.
    #[serde(default)]
    pub score: Option<f64>,
    /// What the verifier returned.
    #[serde(default)]
    pub result: Option<Value>,
    /// What the verifier printed.
    #[serde(default)]
    pub stdout: Option<String>,
}

/// A task as sessions name it: with `env_id` where other answers have `environment_id`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionTask {
    /// The task.
    pub key: TaskKey,
    /// What the agent is asked to do.
    #[serde(default, deserialize_with = "lenient::text")]
    pub prompt: String,
    /// Environment, bare or as `key:version`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub env_id: String,
    /// Variables for the instance.
    #[serde(default)]
    pub env_variables: Option<Map<String, Value>>,
    /// ISO 8601.
    #[serde(default)]
    pub created_at: Option<String>,
    /// Environment version.
    #[serde(default)]
    pub version: Option<String>,
    /// Verifier source.
    #[serde(default)]
    pub verifier_func: Option<String>,
    /// The stored verifier's id.
    #[serde(default)]
    pub verifier_id: Option<String>,
    /// Free data.
    #[serde(default)]
    pub metadata: Option<Map<String, Value>>,
}

/// Answer of `GET /v1/sessions/{session_id}/transcript`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Transcript {
    /// The task that was worked on.
    #[serde(default)]
    pub task: Option<SessionTask>,
    /// The instance that was worked in.
    #[serde(default)]
    pub instance: Option<Instance>,
    /// The verification that scored the work.
    #[serde(default)]
    pub verifier_execution: Option<SessionVerification>,
    /// What was said, oldest first.
    pub transcript: Vec<TranscriptMessage>,
}

/// One message of a transcript. `content` is always written: the official client insists on its key.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TranscriptMessage {
    /// Who spoke.
    pub role: String,
    /// Text, or the provider's parts.
    #[serde(default)]
    pub content: Value,
    /// Tools that the model called.
    #[serde(default)]
    pub tool_calls: Option<Vec<Value>>,
    /// Of a tool's message: the call it answers.
    #[serde(default)]
    pub tool_call_id: Option<String>,
}
