//! Tasks as the service answers them. The type to work with is `crate::Task`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::id::{ProjectKey, TaskKey, TeamId, VerifierId};
use super::lenient;

/// Answer of `GET /v1/tasks`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskList {
    /// The tasks; there is no paging.
    pub tasks: Vec<TaskResponse>,
    /// How many there are.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub total: u64,
}

/// One task of the service.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskResponse {
    /// The task.
    pub key: TaskKey,
    /// What the agent is asked to do.
    pub prompt: String,
    /// The owning team.
    #[serde(default)]
    pub team_id: TeamId,
    /// Environment, bare or as `key:version`.
    pub environment_id: String,
    /// ISO 8601.
    #[serde(default, deserialize_with = "lenient::text")]
    pub created_at: String,
    /// Environment version.
    #[serde(default)]
    pub version: Option<String>,
    /// Data set.
    #[serde(default)]
    pub data_id: Option<String>,
    /// Version of the data set.
    #[serde(default)]
    pub data_version: Option<String>,
    /// Variables for the instance.
    #[serde(default)]
    pub env_variables: Option<Map<String, Value>>,
    /// The stored verifier's id.
    #[serde(default)]
    pub verifier_id: Option<VerifierId>,
    /// Verifier source; used when `verifier` gives nothing better.
    #[serde(default)]
    pub verifier_func: Option<String>,
    /// The stored verifier.
    #[serde(default)]
    pub verifier: Option<VerifierData>,
    /// Free data, for example `verifier_runtime_version`.
    #[serde(default)]
    pub metadata: Option<Map<String, Value>>,
    /// Shape of the final answer.
    #[serde(default)]
    pub output_json_schema: Option<Value>,
}

/// Which of a task's versions is asked for; the default is the current one of the credential's team.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskVersionQuery {
    /// This version, by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// The task of this team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<TeamId>,
}

/// A stored verifier, as part of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VerifierData {
    /// The verifier.
    #[serde(default)]
    pub verifier_id: VerifierId,
    /// Its key, often the task's.
    #[serde(default, deserialize_with = "lenient::text")]
    pub key: String,
    /// Counted up with every change.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub version: u64,
    /// Of the code; never compared with a bundle's.
    #[serde(default, deserialize_with = "lenient::text")]
    pub sha256: String,
    /// Source text, or a message that starts with `<error loading code:`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub code: String,
    /// ISO 8601.
    #[serde(default, deserialize_with = "lenient::text")]
    pub created_at: String,
    /// A remark.
    #[serde(default)]
    pub comment: Option<String>,
}

/// Body of `PUT /v1/tasks/{key}`: what is to change. Fields without a value are not written.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UpdateTaskBody {
    /// The new prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The verifier's new source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier_code: Option<String>,
    /// The new free data, in place of the old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

/// Answer of `GET /v1/tasks/projects`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProjectList {
    /// The projects.
    pub projects: Vec<Project>,
}

/// A named collection of tasks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Project {
    /// The project.
    pub project_key: ProjectKey,
    /// `tool_use`, `computer_use` or `browser`, when all of its tasks are of one kind.
    #[serde(default)]
    pub task_modality: Option<String>,
    /// ISO 8601.
    #[serde(default, deserialize_with = "lenient::text")]
    pub created_at: String,
}
