//! Instances: the request that makes one, the record of one, the filter for many.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::id::{EnvKey, InstanceId, ProfileId, RunId, TeamId};
use super::lenient;
use super::word::open_words;

/// Value of `created_from` that marks instances made by a client library.
pub const CREATED_FROM_SDK: &str = "sdk";

/// Body of `POST /v1/env/instances`. Fields without a value are not written.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreateInstanceBody {
    /// The environment, without version.
    pub env_key: EnvKey,
    /// The version, normalised (`v1.2.0`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_version: Option<String>,
    /// The data set the instance starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_key: Option<String>,
    /// The data set's version, normalised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_version: Option<String>,
    /// Where to run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Variables given to the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_variables: Option<Map<String, Value>>,
    /// `mcp` for the computer-use image; absent for the standard one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_type: Option<String>,
    /// Who asks; client libraries say [`CREATED_FROM_SDK`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_from: Option<String>,
    /// Life without heartbeats, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// The caller's run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// Seconds between heartbeats (30–3600); three misses in a row end the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_interval: Option<u64>,
    /// How long the service may hold the request until the instance is usable, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wait_seconds: Option<u64>,
}

/// The record of an instance, as create, get, list and delete answer it.
///
/// Optional fields are written as `null`, as the hosted service does.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Instance {
    /// The instance.
    pub instance_id: InstanceId,
    /// Its environment, without version.
    pub env_key: EnvKey,
    /// The resolved version.
    #[serde(default, deserialize_with = "lenient::text")]
    pub version: String,
    /// Where it is in its life.
    pub status: InstanceStatus,
    /// Its DNS label.
    #[serde(default, deserialize_with = "lenient::text")]
    pub subdomain: String,
    /// ISO 8601, with or without a zone.
    #[serde(default, deserialize_with = "lenient::text")]
    pub created_at: String,
    /// ISO 8601, with or without a zone.
    #[serde(default, deserialize_with = "lenient::text")]
    pub updated_at: String,
    /// ISO 8601; absent while it lives.
    #[serde(default)]
    pub terminated_at: Option<String>,
    /// The owning team.
    #[serde(default)]
    pub team_id: TeamId,
    /// Where it runs.
    #[serde(default, deserialize_with = "lenient::text")]
    pub region: String,
    /// Variables it was made with.
    #[serde(default)]
    pub env_variables: Option<Map<String, Value>>,
    /// Data set it was made from.
    #[serde(default)]
    pub data_key: Option<String>,
    /// Version of the data set.
    #[serde(default)]
    pub data_version: Option<String>,
    /// Where to reach it; may be absent until it runs.
    #[serde(default)]
    pub urls: Option<InstanceUrls>,
    /// What the service thinks of its health.
    #[serde(default)]
    pub health: Option<bool>,
    /// The caller's run.
    #[serde(default)]
    pub run_id: Option<RunId>,
    /// The account that made it.
    #[serde(default)]
    pub profile_id: Option<ProfileId>,
    /// Seconds between heartbeats, when monitored.
    #[serde(default, deserialize_with = "lenient::count")]
    pub heartbeat_interval: Option<u64>,
    /// To be echoed in heartbeats when present.
    #[serde(default)]
    pub heartbeat_region: Option<String>,
    /// When it ends unless something moves that, ISO 8601; not written when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Why it ended, in words; not written when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
}

/// Addresses of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InstanceUrls {
    /// The entry point, with a trailing slash.
    pub root: String,
    /// One per app, in the environment's order.
    #[serde(default)]
    pub app: Vec<String>,
    /// The app's API, when it is not below `root`.
    #[serde(default)]
    pub api: Option<String>,
    /// A health page.
    #[serde(default)]
    pub health: Option<String>,
    /// Documentation of the API.
    #[serde(default)]
    pub api_docs: Option<String>,
    /// The instance's manager.
    #[serde(default)]
    pub manager: ManagerUrls,
}

/// Addresses of an instance's manager. The official client insists on all of them and uses `api` only.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ManagerUrls {
    /// Base of the manager's API, ending in `/api/v1/env`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub api: String,
    /// Not used by clients.
    #[serde(default, deserialize_with = "lenient::text")]
    pub docs: String,
    /// Not used by clients.
    #[serde(default, deserialize_with = "lenient::text")]
    pub reset: String,
    /// Not used by clients.
    #[serde(default, deserialize_with = "lenient::text")]
    pub diff: String,
    /// Not used by clients.
    #[serde(default, deserialize_with = "lenient::text")]
    pub snapshot: String,
    /// Not used by clients.
    #[serde(default, deserialize_with = "lenient::text")]
    pub execute_verifier_function: String,
    /// Not used by clients.
    #[serde(default, deserialize_with = "lenient::text")]
    pub execute_verifier_function_with_upload: String,
}

open_words! {
    /// Where an instance is in its life: pending → running → stopped, with error from the first two.
    pub enum InstanceStatus {
        /// Accepted, being provisioned.
        #[default]
        Pending = "pending",
        /// Usable.
        Running = "running",
        /// Ended by a close, its TTL or missed heartbeats.
        Stopped = "stopped",
        /// Could not be provisioned, or died.
        Error = "error",
    }
}

impl InstanceStatus {
    /// Whether the instance can be used now.
    pub fn is_running(&self) -> bool {
        *self == Self::Running
    }

    /// Whether it will never run (again). An unknown word counts as provisioning, as it does for
    /// the official client, except the two that some services use for closed instances.
    pub fn is_ended(&self) -> bool {
        match self {
            Self::Stopped | Self::Error => true,
            Self::Other(word) => word == "terminated" || word == "closed",
            Self::Pending | Self::Running => false,
        }
    }
}

/// Filter of `GET /v1/env/instances`; the default asks for everything the service lists.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InstanceQuery {
    /// Only with this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<InstanceStatus>,
    /// Only in this region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Only of this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// Only of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_id: Option<ProfileId>,
}

impl InstanceQuery {
    /// All instances of one run.
    pub fn of_run(run_id: impl Into<RunId>) -> Self {
        Self {
            run_id: Some(run_id.into()),
            ..Self::default()
        }
    }

    /// All instances of one account.
    pub fn of_profile(profile_id: impl Into<ProfileId>) -> Self {
        Self {
            profile_id: Some(profile_id.into()),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_with_surprises_is_still_a_record() {
        let read: Instance = serde_json::from_value(json!({
            "instance_id": "a1", "env_key": "helpdesk", "version": null, "status": "warming",
            "heartbeat_interval": 30.0, "urls": null, "multi_env_list": [1], "health": null,
        }))
        .unwrap();
        assert_eq!(read.status, InstanceStatus::Other("warming".into()));
        assert!(!read.status.is_ended());
        assert_eq!(read.heartbeat_interval, Some(30));
        assert_eq!(read.version, "");
        assert_eq!(serde_json::to_value(&read).unwrap()["status"], "warming");
    }

    #[test]
    fn a_create_body_names_only_what_was_asked_for() {
        let body = CreateInstanceBody {
            env_key: "helpdesk".into(),
            ..Default::default()
        };
        assert_eq!(
            serde_json::to_value(body).unwrap(),
            json!({"env_key": "helpdesk"})
        );
    }

    #[test]
    fn words_for_closed_instances_count_as_ended() {
        for word in ["stopped", "error", "terminated", "closed"] {
            assert!(InstanceStatus::from(word).is_ended(), "{word}");
        }
        for word in ["pending", "running", "provisioning"] {
            assert!(!InstanceStatus::from(word).is_ended(), "{word}");
        }
    }
}
