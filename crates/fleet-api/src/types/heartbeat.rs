//! Signs of life that keep an instance from being ended by the service.

use serde::{Deserialize, Serialize};

use super::id::InstanceId;
use super::lenient;

/// Body of `POST /v1/env/instances/{id}/heartbeat`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HeartbeatBody {
    /// The instance's `heartbeat_region`, echoed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// Answer to a heartbeat. The last three fields are `null` when the instance is not monitored.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HeartbeatResponse {
    /// Whether the beat counted.
    pub success: bool,
    /// The instance that was kept alive.
    pub instance_id: InstanceId,
    /// When the service took the beat, ISO 8601.
    #[serde(default)]
    pub last_heartbeat: Option<String>,
    /// A moment in Unix seconds by the service's clock; whether it is the next due time or the end
    /// is not specified, so it is evidence of skew and nothing to plan by.
    #[serde(default)]
    pub deadline_timestamp: Option<f64>,
    /// The interval agreed on at creation, in seconds.
    #[serde(default, deserialize_with = "lenient::count")]
    pub interval_seconds: Option<u64>,
}
