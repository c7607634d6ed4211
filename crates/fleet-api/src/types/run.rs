//! Runs: what the service says of instances that share a run id.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::{ProfileId, RunId};
use super::lenient;

/// An element of `GET /v1/env/runs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Run {
    /// The run.
    pub run_id: RunId,
    /// Instances that live now.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub running_count: u64,
    /// Instances ever made.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub total_count: u64,
    /// When the first was made, ISO 8601.
    #[serde(default, deserialize_with = "lenient::text")]
    pub first_created_at: String,
    /// When the last was made, ISO 8601.
    #[serde(default, deserialize_with = "lenient::text")]
    pub last_created_at: String,
    /// The account that made them.
    #[serde(default)]
    pub profile_id: Option<ProfileId>,
}

/// Filter of `GET /v1/env/runs`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunQuery {
    /// Runs with live instances (the default), without, or both.
    #[serde(default)]
    pub active: RunActivity,
    /// Only of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_id: Option<ProfileId>,
}

/// Whether a run has live instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RunActivity {
    /// It has some.
    #[default]
    Active,
    /// It has none.
    Inactive,
    /// Either.
    All,
}

impl RunActivity {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::All => "all",
        }
    }
}

impl fmt::Display for RunActivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
