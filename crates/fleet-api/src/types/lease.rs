//! Requests that move the end of an instance, and what became of the request that made it.

use serde::{Deserialize, Serialize};

use super::id::{InstanceId, TeamId};
use super::lenient;
use super::word::open_words;

/// Body of `POST /v1/env/instances/{id}/ttl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TtlBody {
    /// How long the instance lives on, in seconds, from now.
    #[serde(deserialize_with = "lenient::whole")]
    pub ttl_seconds: u64,
}

/// Body of `POST /v1/env/instances/{id}/extend_ttl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExtendTtlBody {
    /// When the instance is to end, ISO 8601; without a zone it is UTC.
    pub absolute_expires_at: String,
}

/// What a service remembers of a create, by its request id.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreateRequest {
    /// The `X-Request-ID` of the create.
    #[serde(deserialize_with = "lenient::text")]
    pub request_id: String,
    /// Whose it is.
    #[serde(default)]
    pub team_id: TeamId,
    /// How far it came.
    pub state: CreateState,
    /// What it made, or is making.
    #[serde(default)]
    pub instance_id: Option<InstanceId>,
}

open_words! {
    /// How far a create came.
    pub enum CreateState {
        /// Taken on; nothing can be used yet.
        #[default]
        Accepted = "accepted",
        /// It made an instance, whatever became of that later.
        Materialized = "materialized",
        /// It made nothing.
        Failed = "failed",
        /// It was ended before it made something.
        Cancelled = "cancelled",
    }
}
