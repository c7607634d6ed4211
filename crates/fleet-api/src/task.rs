//! A task as callers work with it, whatever form it came in: from the service, from a file, or made.

use serde_json::{Map, Value, json};

use crate::native_verifier;
use crate::python_source::EntryPoint;
use crate::types::{TaskKey, TaskResponse, VerifierId};

/// How the service marks a verifier whose code it could not load.
pub(crate) const CODE_UNAVAILABLE: &str = "<error loading code:";

/// Something an agent is asked to do in an environment, and how to tell whether it did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Task {
    /// Unique at the service and within a file.
    pub key: TaskKey,
    /// What the agent is told.
    pub prompt: String,
    /// The environment, bare or as `key:version`. See [`Task::env_key`].
    pub env_id: String,
    /// The environment's version.
    pub version: Option<String>,
    /// The data set an instance starts from. See [`Task::data_key`].
    pub data_id: Option<String>,
    /// The data set's version.
    pub data_version: Option<String>,
    /// Variables for the instance.
    pub env_variables: Map<String, Value>,
    /// Free data.
    pub metadata: Map<String, Value>,
    /// Shape of the final answer, as JSON Schema.
    pub output_json_schema: Option<Value>,
    /// When the task was made, ISO 8601.
    pub created_at: Option<String>,
    /// How it is verified.
    pub verifier: Option<VerifierSource>,
}

/// Source of a verifier and what is known of its stored form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifierSource {
    /// Key under which results are reported; the task's key when the verifier has none.
    pub key: String,
    /// The stored verifier.
    pub id: Option<VerifierId>,
    /// Python source, or a native definition in the form of [`crate::native_verifier`].
    pub code: String,
    /// Of the code, as the service states it; never compared with a bundle's.
    pub sha256: Option<String>,
    /// Version of the verifier runtime asked for.
    pub runtime_version: Option<String>,
}

impl Task {
    /// The environment to instantiate: `env_id:version`, or `env_id` alone when it has a version
    /// already or none is known. The text `None` is no version: older exports contain it.
    pub fn env_key(&self) -> String {
        match self.version.as_deref() {
            Some(version)
                if !version.is_empty() && version != "None" && !self.env_id.contains(':') =>
            {
                format!("{}:{version}", self.env_id)
            }
            _ => self.env_id.clone(),
        }
    }

    /// The data set to start from: `data_id:data_version`, or `data_id`. A version alone says nothing.
    pub fn data_key(&self) -> Option<String> {
        let id = self.data_id.as_deref().filter(|id| !id.is_empty())?;
        Some(
            match self
                .data_version
                .as_deref()
                .filter(|version| !version.is_empty())
            {
                Some(version) => format!("{id}:{version}"),
                None => id.to_owned(),
            },
        )
    }

    /// The task in the form of the official client's export: every key is there, absent values are
    /// `null`. An array of these is a tasks file.
    pub fn to_export_json(&self) -> Value {
        let verifier = self.verifier.as_ref();
        json!({
            "key": self.key,
            "prompt": self.prompt,
            "env_id": self.env_id,
            "env_variables": self.env_variables,
            "created_at": self.created_at,
            "version": self.version,
            "data_id": self.data_id,
            "data_version": self.data_version,
            "verifier_func": verifier.map(|v| &v.code),
            "verifier_id": verifier.and_then(|v| v.id.as_ref()),
            "verifier_sha": verifier.and_then(|v| v.sha256.as_ref()),
            "verifier_runtime_version": verifier.and_then(|v| v.runtime_version.as_ref()),
            "metadata": self.metadata,
            "output_json_schema": self.output_json_schema,
        })
    }
}

impl From<TaskResponse> for Task {
    /// Takes the stored verifier's code, or the task's own source when there is none or it could
    /// not be loaded.
    fn from(answer: TaskResponse) -> Self {
        let metadata = answer.metadata.unwrap_or_default();
        let runtime_version = metadata
            .get("verifier_runtime_version")
            .and_then(Value::as_str)
            .filter(|version| !version.is_empty())
            .map(str::to_owned);
        let own_source = answer.verifier_func.filter(|code| !code.trim().is_empty());
        let key = answer.key;
        let verifier = match answer.verifier {
            Some(stored) if code_is_available(&stored.code) => Some(VerifierSource {
                key: if stored.key.is_empty() {
                    key.to_string()
                } else {
                    stored.key
                },
                id: answer
                    .verifier_id
                    .or_else(|| non_empty_id(stored.verifier_id)),
                code: stored.code,
                sha256: Some(stored.sha256).filter(|sha| !sha.is_empty()),
                runtime_version,
            }),
            stored => own_source.map(|code| VerifierSource {
                key: key.to_string(),
                id: answer
                    .verifier_id
                    .or_else(|| stored.and_then(|stored| non_empty_id(stored.verifier_id))),
                code,
                sha256: None,
                runtime_version,
            }),
        };
        Self {
            key,
            prompt: answer.prompt,
            env_id: answer.environment_id,
            version: answer.version,
            data_id: answer.data_id,
            data_version: answer.data_version,
            env_variables: answer.env_variables.unwrap_or_default(),
            metadata,
            output_json_schema: answer.output_json_schema,
            created_at: Some(answer.created_at).filter(|at| !at.is_empty()),
            verifier,
        }
    }
}

impl VerifierSource {
    /// A verifier from source alone.
    pub fn new(key: impl Into<String>, code: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            code: code.into(),
            ..Self::default()
        }
    }

    /// The function that a verification calls: the first one at the top level.
    pub fn entry_point(&self) -> Option<EntryPoint> {
        EntryPoint::find(&self.code)
    }

    /// The definition, if this is a native verifier.
    pub fn native(&self) -> Option<Value> {
        native_verifier::parse(&self.code)
    }
}

/// Whether the service gave source and not an excuse.
pub(crate) fn code_is_available(code: &str) -> bool {
    let code = code.trim_start();
    !code.is_empty() && !code.starts_with(CODE_UNAVAILABLE)
}

fn non_empty_id(id: VerifierId) -> Option<VerifierId> {
    (!id.as_str().is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(env_id: &str, version: Option<&str>) -> Task {
        Task {
            env_id: env_id.into(),
            version: version.map(Into::into),
            ..Task::default()
        }
    }

    #[test]
    fn the_environment_key_carries_the_version_once() {
        assert_eq!(
            task("helpdesk", Some("v1.2.0")).env_key(),
            "helpdesk:v1.2.0"
        );
        assert_eq!(task("helpdesk:v1", Some("v2")).env_key(), "helpdesk:v1");
        for version in [None, Some(""), Some("None")] {
            assert_eq!(task("helpdesk", version).env_key(), "helpdesk");
        }
    }

    #[test]
    fn a_data_version_without_data_is_dropped() {
        let with = |id: Option<&str>, version: Option<&str>| Task {
            data_id: id.map(Into::into),
            data_version: version.map(Into::into),
            ..Task::default()
        };
        assert_eq!(
            with(Some("seed"), Some("v1")).data_key().as_deref(),
            Some("seed:v1")
        );
        assert_eq!(
            with(Some("seed"), Some("")).data_key().as_deref(),
            Some("seed")
        );
        assert_eq!(with(Some("seed"), None).data_key().as_deref(), Some("seed"));
        assert_eq!(with(None, Some("v1")).data_key(), None);
    }

    fn answer(verifier: &Value) -> Task {
        let mut answer = json!({"key": "t1", "prompt": "p", "environment_id": "helpdesk",
            "metadata": {"verifier_runtime_version": "v3"}});
        answer
            .as_object_mut()
            .unwrap()
            .extend(verifier.as_object().unwrap().clone());
        serde_json::from_value::<TaskResponse>(answer)
            .unwrap()
            .into()
    }

    #[test]
    fn the_stored_verifier_wins_over_the_tasks_own_source() {
        let task = answer(&json!({"verifier_func": "def b(): ...", "verifier":
            {"verifier_id": "v9", "key": "k", "version": 1, "sha256": "ab", "code": "def a(): ...", "created_at": ""}}));
        let verifier = task.verifier.unwrap();
        assert_eq!(verifier.entry_point().unwrap().name, "a");
        assert_eq!(verifier.id, Some("v9".into()));
        assert_eq!(verifier.runtime_version.as_deref(), Some("v3"));
    }

    #[test]
    fn an_excuse_is_not_code() {
        let task = answer(&json!({"verifier_func": "def b(): ...", "verifier":
            {"verifier_id": "v9", "key": "k", "code": "  <error loading code: s3 is away>"}}));
        let verifier = task.verifier.unwrap();
        assert_eq!(
            (verifier.key.as_str(), verifier.code.as_str()),
            ("t1", "def b(): ...")
        );
        assert_eq!(verifier.id, Some("v9".into()));
        assert_eq!(answer(&json!({})).verifier, None);
    }

    #[test]
    fn an_export_has_every_key() {
        let exported = task("helpdesk", None).to_export_json();
        for key in [
            "key",
            "prompt",
            "env_id",
            "env_variables",
            "created_at",
            "version",
            "data_id",
            "data_version",
            "verifier_func",
            "verifier_id",
            "verifier_sha",
            "verifier_runtime_version",
            "metadata",
            "output_json_schema",
        ] {
            assert!(exported.get(key).is_some(), "{key}");
        }
        assert_eq!(exported.as_object().unwrap().len(), 14);
    }
}
