//! Renewing the token of a login.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Body of `POST /v1/auth/refresh`. `Debug` does not show the token.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RefreshBody {
    /// The token that came with the access token.
    pub refresh_token: String,
}

/// Answer of `POST /v1/auth/refresh`. `Debug` shows neither token.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RefreshResponse {
    /// The new access token, a JWT.
    pub access_token: String,
    /// The token for the next refresh; absent when the old one stays good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

impl fmt::Debug for RefreshBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshBody").finish_non_exhaustive()
    }
}

impl fmt::Debug for RefreshResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshResponse").finish_non_exhaustive()
    }
}
