//! Environments that can be instantiated.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::id::EnvKey;
use super::lenient;

/// An environment of the catalogue: an element of `GET /v1/env/`, the answer of `GET /v1/env/{env_key}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Environment {
    /// The key to create instances by.
    pub env_key: EnvKey,
    /// The name for people.
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
    /// What it is; the key is always written, as the official client insists on it.
    #[serde(default)]
    pub description: Option<String>,
    /// The version used when none is asked for.
    #[serde(default)]
    pub default_version: Option<String>,
    /// Version name → what the service says of it (a date, an image; not specified).
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
}
