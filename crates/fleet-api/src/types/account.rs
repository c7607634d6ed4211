//! The team behind a credential and how many instances it may run.

use serde::{Deserialize, Serialize};

use super::id::{ProfileId, TeamId};
use super::lenient;

/// Answer of `GET /v1/account`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Account {
    /// The team.
    pub team_id: TeamId,
    /// The team's name for people.
    #[serde(default, deserialize_with = "lenient::text")]
    pub team_name: String,
    /// How many instances the team may have at once.
    #[serde(deserialize_with = "lenient::count_or_zero")]
    pub instance_limit: u64,
    /// How many it has now.
    #[serde(deserialize_with = "lenient::count_or_zero")]
    pub instance_count: u64,
    /// The owner of the credential.
    #[serde(default)]
    pub profile_id: Option<ProfileId>,
    /// The owner's name for people.
    #[serde(default)]
    pub profile_name: Option<String>,
}
