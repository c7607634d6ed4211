//! Instances to be made: what is asked for, and how one is awaited.

mod settle;

use std::time::Duration;

use serde_json::{Map, Value};

use crate::task::Task;
use crate::types::{CREATED_FROM_SDK, CreateInstanceBody, EnvKey, RequestId, RunId};

pub use settle::DEFAULT_CREATE_TIMEOUT;

/// What to create.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreateInstance {
    /// The environment, as `key` or `key:version`.
    pub environment: String,
    /// The data set, as `key` or `key:version`.
    pub data: Option<String>,
    /// Where to run it.
    pub region: Option<String>,
    /// Variables for the environment.
    pub env_variables: Option<Map<String, Value>>,
    /// `mcp` for the computer-use image.
    pub image_type: Option<String>,
    /// Life without heartbeats; sent in seconds, rounded up.
    pub ttl: Option<Duration>,
    /// The run it belongs to.
    pub run_id: Option<RunId>,
    /// Heartbeat interval; the service takes 30 s to an hour.
    pub heartbeat_interval: Option<Duration>,
    /// How long the service may hold the request. Default: half a minute less than the timeout, at
    /// most an hour.
    pub max_wait: Option<Duration>,
    /// The whole call. Default: the client's limit, else [`DEFAULT_CREATE_TIMEOUT`].
    pub timeout: Option<Duration>,
    /// The identity of this create. Give one that is stored already, and repeating the call after a
    /// crash finds the same instance.
    pub request_id: Option<RequestId>,
}

impl CreateInstance {
    /// An instance of `environment`, given as `key` or `key:version`.
    pub fn new(environment: impl Into<String>) -> Self {
        Self {
            environment: environment.into(),
            ..Self::default()
        }
    }

    /// The instance that `task` plays in.
    pub fn for_task(task: &Task) -> Self {
        Self {
            environment: task.env_key(),
            data: task.data_key(),
            env_variables: (!task.env_variables.is_empty()).then(|| task.env_variables.clone()),
            ..Self::default()
        }
    }

    /// With the data set `key` or `key:version`.
    pub fn data(mut self, data: impl Into<String>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// In a region: a [`Region`](crate::types::Region), or its name.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// With variables for the environment, in place of those said before.
    pub fn env_variables(mut self, variables: Map<String, Value>) -> Self {
        self.env_variables = Some(variables);
        self
    }

    /// With one variable more for the environment.
    pub fn env_variable(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let variables = self.env_variables.get_or_insert_default();
        variables.insert(name.into(), value.into());
        self
    }

    /// On another image than the standard one: `mcp` for computer use.
    pub fn image_type(mut self, image_type: impl Into<String>) -> Self {
        self.image_type = Some(image_type.into());
        self
    }

    /// As part of a run.
    pub fn run_id(mut self, run_id: impl Into<RunId>) -> Self {
        self.run_id = Some(run_id.into());
        self
    }

    /// With a life of its own.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Monitored by heartbeats.
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.heartbeat_interval = Some(interval);
        self
    }

    /// Held by the service for at most this long; zero asks it to answer at once.
    pub fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = Some(max_wait);
        self
    }

    /// Within this time, from the first queue to a running instance.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Under this identity.
    pub fn request_id(mut self, id: RequestId) -> Self {
        self.request_id = Some(id);
        self
    }

    /// The body of the request, when `timeout` is all there is.
    fn body(&self, max_wait: Duration) -> CreateInstanceBody {
        let (env_key, env_version) = split_version(&self.environment);
        let data = self.data.as_deref().map(split_version);
        CreateInstanceBody {
            env_key: EnvKey::from(env_key),
            env_version,
            data_key: data.as_ref().map(|(key, _)| (*key).to_owned()),
            data_version: data.and_then(|(_, version)| version),
            region: self.region.clone(),
            env_variables: self.env_variables.clone(),
            image_type: self.image_type.clone(),
            created_from: Some(CREATED_FROM_SDK.to_owned()),
            ttl_seconds: self.ttl.map(whole_seconds),
            run_id: self.run_id.clone(),
            heartbeat_interval: self.heartbeat_interval.map(whole_seconds),
            max_wait_seconds: Some(max_wait.as_secs()),
        }
    }
}

impl From<&str> for CreateInstance {
    fn from(environment: &str) -> Self {
        Self::new(environment)
    }
}

impl From<String> for CreateInstance {
    fn from(environment: String) -> Self {
        Self::new(environment)
    }
}

impl From<&Task> for CreateInstance {
    fn from(task: &Task) -> Self {
        Self::for_task(task)
    }
}

/// `key:version` → both, the version normalised. The first colon counts.
fn split_version(text: &str) -> (&str, Option<String>) {
    match text.split_once(':') {
        Some((key, version)) => (key, Some(normalize_version(version))),
        None => (text, None),
    }
}

/// Versions are named `v1.2.0`; people write `1.2.0` as well. Other names stay as they are.
fn normalize_version(version: &str) -> String {
    if version.starts_with(|c: char| c.is_ascii_digit()) {
        format!("v{version}")
    } else {
        version.to_owned()
    }
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_are_normalised() {
        for (text, key, version) in [
            ("helpdesk", "helpdesk", None),
            ("helpdesk:1.2.0", "helpdesk", Some("v1.2.0")),
            ("helpdesk:v1.2.0", "helpdesk", Some("v1.2.0")),
            ("helpdesk:Forge1.1.0", "helpdesk", Some("Forge1.1.0")),
            ("helpdesk:", "helpdesk", Some("")),
            ("helpdesk:1:2", "helpdesk", Some("v1:2")),
        ] {
            assert_eq!(
                split_version(text),
                (key, version.map(Into::into)),
                "{text}"
            );
        }
    }

    #[test]
    fn the_body_says_what_the_official_client_says() {
        let create = CreateInstance::new("helpdesk:1.2.0")
            .data("desk-seed:0.0.4")
            .run_id("run-42")
            .ttl(Duration::from_millis(7_199_500))
            .heartbeat_interval(Duration::from_secs(30));
        let create = CreateInstance {
            env_variables: Some(Map::from_iter([(
                "CURRENT_DATE".to_owned(),
                json!("2025-06-10"),
            )])),
            ..create
        };
        let body = create.body(Duration::from_secs(870));
        assert_eq!(
            serde_json::to_value(body).unwrap(),
            json!({"env_key": "helpdesk", "env_version": "v1.2.0", "data_key": "desk-seed",
                "data_version": "v0.0.4", "run_id": "run-42",
                "env_variables": {"CURRENT_DATE": "2025-06-10"}, "created_from": "sdk",
                "ttl_seconds": 7200, "heartbeat_interval": 30, "max_wait_seconds": 870})
        );
    }

    #[test]
    fn a_task_brings_its_environment_data_and_variables() {
        let task = Task {
            env_id: "helpdesk".into(),
            version: Some("1.2.0".into()),
            data_id: Some("busy".into()),
            ..Task::default()
        };
        let create = CreateInstance::for_task(&task);
        assert_eq!(
            (create.environment.as_str(), create.data.as_deref()),
            ("helpdesk:1.2.0", Some("busy"))
        );
        assert_eq!(create.env_variables, None);
    }
}
