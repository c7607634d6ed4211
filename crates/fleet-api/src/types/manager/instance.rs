//! What an instance has, whether it is well, and back to the beginning.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::types::lenient;
use crate::types::word::open_words;

open_words! {
    /// What a resource is.
    pub enum ResourceKind {
        /// A database.
        #[default]
        Sqlite = "sqlite",
        /// A browser, by the Chrome `DevTools` Protocol.
        Cdp = "cdp",
        /// An HTTP API. Never listed by a service that the official client should work with.
        Api = "api",
    }
}

open_words! {
    /// What may be done with a resource.
    pub enum ResourceMode {
        /// It can be read.
        #[default]
        ReadOnly = "ro",
        /// It can be read and changed.
        ReadWrite = "rw",
    }
}

/// An element of `GET /resources`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Resource {
    /// By which clients find it: `current`, `seed`, `cdp`.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ResourceKind,
    /// What may be done with it.
    pub mode: ResourceMode,
    /// A name for people.
    #[serde(default)]
    pub label: Option<String>,
}

/// Body of `POST /reset`; the service may do without either.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResetBody {
    /// The instance's clock afterwards, as Unix time.
    #[serde(default)]
    pub timestamp: Option<i64>,
    /// Seed of the instance's chance.
    #[serde(default)]
    pub seed: Option<i64>,
}

/// An answer that only says whether it worked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Acknowledged {
    /// Whether it worked.
    pub success: bool,
    /// What happened, for people.
    #[serde(default, deserialize_with = "lenient::text")]
    pub message: String,
}

/// Answer of `GET /health`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ManagerHealth {
    /// `healthy`, or what is wrong.
    pub status: String,
    /// When it was asked, ISO 8601.
    #[serde(default, deserialize_with = "lenient::text")]
    pub timestamp: String,
    /// Who answers.
    #[serde(default, deserialize_with = "lenient::text")]
    pub service: String,
}

/// Answer of `GET /timestamp`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ManagerTime {
    /// The instance's clock, ISO 8601.
    pub timestamp: String,
}

/// Body of `POST /execute_verifier_function`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExecuteFunctionBody {
    /// Source of a function `(before, after, transcript=None)`.
    pub function_code: String,
    /// The function's name.
    pub function_name: String,
    /// The agent's answer.
    #[serde(default)]
    pub text_solution: Option<String>,
}

/// Answer of `POST /execute_verifier_function`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExecuteFunctionResponse {
    /// Whether the function ran to its end.
    pub success: bool,
    /// What it returned.
    #[serde(default)]
    pub result: Option<Value>,
    /// Why it did not; text here, where the verifier service has an object.
    #[serde(default)]
    pub error: Option<String>,
    /// What happened, for people.
    #[serde(default, deserialize_with = "lenient::text")]
    pub message: String,
}
