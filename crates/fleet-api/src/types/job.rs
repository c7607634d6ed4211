//! Jobs: batches of sessions that the service runs, or that a caller collects.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::id::{EnvKey, JobId, ProjectKey, SummaryId, TaskKey};
use super::lenient;
use super::word::open_words;

open_words! {
    /// Where a job is in its life.
    pub enum JobStatus {
        /// Accepted.
        #[default]
        Pending = "pending",
        /// Its tasks are being loaded.
        LoadTasks = "load_tasks",
        /// Its sessions run.
        InProgress = "in_progress",
        /// All of its sessions ended.
        Completed = "completed",
        /// It could not go on.
        Errored = "errored",
        /// It failed.
        Failed = "failed",
        /// Somebody ended it.
        Cancelled = "cancelled",
    }
}

open_words! {
    /// How the agents of a job reach their environment.
    pub enum JobMode {
        /// By the environment's tools (MCP).
        #[default]
        ToolUse = "tool-use",
        /// By screen, keyboard and mouse.
        ComputerUse = "computer-use",
    }
}

/// A job: an element of `GET /v1/jobs`, the answer of `GET /v1/jobs/{id}`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Job {
    /// The job.
    pub id: JobId,
    /// Its name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// ISO 8601.
    #[serde(default)]
    pub created_at: Option<String>,
    /// Where it is.
    #[serde(default)]
    pub status: Option<JobStatus>,
    /// Sessions that belong to it. The embedded server counts them; others may not say.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::count"
    )]
    pub session_count: Option<u64>,
}

/// Answer of `GET /v1/jobs`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobList {
    /// The jobs, newest first.
    pub jobs: Vec<Job>,
    /// How many there are.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub total: u64,
}

/// Filter of `GET /v1/jobs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobQuery {
    /// Only of this team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// Body of `POST /v1/jobs`. Fields without a value are not written. `Debug` names the providers of
/// `byok_keys` and shows no key.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreateJobBody {
    /// A name, with `{id}`, `{sid}` and, at its end, `{i}` for what the service fills in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The models to run, each on every task.
    pub models: Vec<String>,
    /// Sessions of each model on each task.
    #[serde(default = "one", deserialize_with = "lenient::whole")]
    pub pass_k: u32,
    /// The tasks of an environment; one of this, `project_key` and `task_keys`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_key: Option<EnvKey>,
    /// The tasks of a project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_key: Option<ProjectKey>,
    /// These tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_keys: Option<Vec<TaskKey>>,
    /// Without these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded_task_keys: Option<Vec<TaskKey>>,
    /// Turns of a model in a session.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::optional_whole"
    )]
    pub max_steps: Option<u32>,
    /// Minutes a session may take.
    #[serde(default = "an_hour", deserialize_with = "lenient::whole")]
    pub max_duration_minutes: u32,
    /// Sessions of one model at a time.
    #[serde(default = "thirty", deserialize_with = "lenient::whole")]
    pub max_concurrent_per_model: u32,
    /// How the agents reach their environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<JobMode>,
    /// For every model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// Model → its own system prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_prompts: Option<BTreeMap<String, String>>,
    /// Provider → key of the caller's own account there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byok_keys: Option<BTreeMap<String, String>>,
    /// Minutes the service may keep those keys.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::optional_whole"
    )]
    pub byok_ttl_minutes: Option<u32>,
    /// The harness to run the agents in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harness: Option<String>,
}

const fn one() -> u32 {
    1
}

const fn an_hour() -> u32 {
    60
}

const fn thirty() -> u32 {
    30
}

impl Default for CreateJobBody {
    /// No model and no task; one session each, an hour long, thirty at a time.
    fn default() -> Self {
        Self {
            name: None,
            models: Vec::new(),
            pass_k: one(),
            env_key: None,
            project_key: None,
            task_keys: None,
            excluded_task_keys: None,
            max_steps: None,
            max_duration_minutes: an_hour(),
            max_concurrent_per_model: thirty(),
            mode: None,
            system_prompt: None,
            model_prompts: None,
            byok_keys: None,
            byok_ttl_minutes: None,
            harness: None,
        }
    }
}

impl fmt::Debug for CreateJobBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let providers = self.byok_keys.as_ref().map(|keys| keys.keys());
        f.debug_struct("CreateJobBody")
            .field("name", &self.name)
            .field("models", &self.models)
            .field("pass_k", &self.pass_k)
            .field("env_key", &self.env_key)
            .field("project_key", &self.project_key)
            .field("task_keys", &self.task_keys)
            .field("excluded_task_keys", &self.excluded_task_keys)
            .field("max_steps", &self.max_steps)
            .field("mode", &self.mode)
            .field("byok_providers", &providers)
            .field("harness", &self.harness)
            .finish_non_exhaustive()
    }
}

/// Answer of `POST /v1/jobs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedJob {
    /// The job.
    #[serde(alias = "id")]
    pub job_id: JobId,
    /// The service's workflow that runs it.
    #[serde(default)]
    pub workflow_job_id: Option<String>,
    /// Where it is.
    #[serde(default)]
    pub status: JobStatus,
    /// Its name, with the placeholders filled in.
    #[serde(default)]
    pub name: Option<String>,
}

/// Body of `POST /v1/eval_jobs/{job_id}/logs`: what an agent's traffic recorder wrote.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobLogBody {
    /// The job, once more.
    pub job_id: JobId,
    /// The entries, in the order in which they happened.
    pub entries: Vec<Map<String, Value>>,
}

/// Body of `POST /v1/summarize/job`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SummarizeJobBody {
    /// The job.
    pub job_id: JobId,
    /// The model that reads its sessions. Empty: the one that the service has for it.
    pub model: String,
    /// Tokens that the model is shown at a time.
    #[serde(default = "summary_tokens", deserialize_with = "lenient::whole")]
    pub max_context_tokens: u64,
    /// Whether a summary that exists is made again.
    #[serde(default)]
    pub force_new_summary: bool,
    /// Questions to the model at a time.
    #[serde(default = "summary_concurrency", deserialize_with = "lenient::whole")]
    pub max_concurrent: u64,
}

const fn summary_tokens() -> u64 {
    180_000
}

const fn summary_concurrency() -> u64 {
    20
}

impl SummarizeJobBody {
    /// A summary of `job` by `model`, with the limits that the official tool asks for.
    pub fn new(job: impl Into<JobId>, model: impl Into<String>) -> Self {
        Self {
            job_id: job.into(),
            model: model.into(),
            max_context_tokens: summary_tokens(),
            force_new_summary: false,
            max_concurrent: summary_concurrency(),
        }
    }
}

/// Answer of `POST /v1/summarize/job`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SummarizedJob {
    /// The summary, which is written from now on.
    #[serde(default)]
    pub summary_id: Option<SummaryId>,
}

open_words! {
    /// How far a summary is.
    pub enum SummaryStatus {
        /// It is being written.
        #[default]
        Running = "running",
        /// It can be read.
        Completed = "completed",
        /// There is none, for a reason.
        Failed = "failed",
    }
}

/// Answer of `GET /v1/summaries/{summary_id}`. The embedded server has it; the hosted service shows summaries on its
/// dashboard alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobSummary {
    /// The summary.
    pub summary_id: SummaryId,
    /// The job.
    pub job_id: JobId,
    /// The model that was asked for. Empty: the service's own.
    #[serde(default)]
    pub model: String,
    /// How far it is.
    #[serde(default)]
    pub status: SummaryStatus,
    /// Sessions that it is about.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub session_count: u64,
    /// ISO 8601.
    #[serde(default)]
    pub created_at: String,
    /// ISO 8601.
    #[serde(default)]
    pub ended_at: Option<String>,
    /// What the model wrote, of a completed one.
    #[serde(default)]
    pub text: Option<String>,
    /// Why there is none, of a failed one.
    #[serde(default)]
    pub reason: Option<String>,
}
