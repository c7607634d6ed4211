//! Requests that move the end of an instance.

use serde::{Deserialize, Serialize};

use super::lenient;

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
