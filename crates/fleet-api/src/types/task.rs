//! Tasks as the service answers them. The type to work with is `crate::Task`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::id::{TaskKey, TeamId, VerifierId};
use super::lenient;

/// Answer of `GET /v1/tasks`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TaskList {
    /// The tasks; there is no paging.
    pub tasks: Vec<TaskResponse>,
    /// How many there are.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub total: u64,
}

/// One task of the service.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
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

/// A stored verifier, as part of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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
