//! The verifier service: is a bundle known, run it, what came out.
//!
//! How an answer becomes a score is decided in `crate::score`.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::id::{ExecutionId, VerifierId};
use super::lenient;

/// Answer of `GET /v1/verifiers/check?sha256=…`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VerifierCheck {
    /// Whether the service has the bundle.
    pub success: bool,
    /// Key of the verifier it belongs to.
    #[serde(default)]
    pub key: Option<String>,
    /// Its version.
    #[serde(default, deserialize_with = "lenient::count")]
    pub version: Option<u64>,
    /// Source for people.
    #[serde(default)]
    pub display_src: Option<String>,
    /// ISO 8601.
    #[serde(default)]
    pub created_at: Option<String>,
    /// A remark.
    #[serde(default)]
    pub comment: Option<String>,
}

/// Answer of `GET /v1/verifiers/{verifier_id}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VerifierRecord {
    /// The verifier's key.
    pub key: String,
    /// Source text.
    pub code: String,
    /// Of the code.
    #[serde(default)]
    pub sha256: Option<String>,
}

/// Body of `POST /v1/verifiers/execute`.
///
/// Keyword arguments exist only in the pickle, and the instance id in both lists, as the trailing
/// `{"env": id}`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExecuteVerifierBody {
    /// Key of the verifier.
    #[serde(default)]
    pub key: Option<String>,
    /// Of the bundle's bytes, in hex.
    pub sha256: String,
    /// Base64 of the pickled arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<String>,
    /// The positional arguments as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args_array: Option<Vec<Value>>,
    /// The function to call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_name: Option<String>,
    /// Seconds the verifier may run, 1–300.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::count"
    )]
    pub timeout: Option<u64>,
    /// Where to run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Base64 of the zip; absent when the service has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// Version of the verifier runtime the task asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier_runtime_version: Option<String>,
}

/// Answer of `POST /v1/verifiers/execute`. `success` means "it ran", never "the task was done".
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExecuteResponse {
    /// Key of the verifier, echoed.
    #[serde(default)]
    pub key: Option<String>,
    /// Version of the verifier.
    #[serde(default, deserialize_with = "lenient::count")]
    pub version: Option<u64>,
    /// Source for people.
    #[serde(default)]
    pub display_src: Option<String>,
    /// ISO 8601.
    #[serde(default)]
    pub created_at: Option<String>,
    /// A remark.
    #[serde(default)]
    pub comment: Option<String>,
    /// Whether the verifier ran to its end.
    pub success: bool,
    /// What it returned. An explicit `null` and an absent value are the same.
    #[serde(default)]
    pub result: Option<Value>,
    /// The stored verifier.
    #[serde(default)]
    pub verifier_id: Option<VerifierId>,
    /// This execution.
    #[serde(default)]
    pub execution_id: Option<ExecutionId>,
    /// Why it did not run to its end.
    #[serde(default)]
    pub error: Option<VerifierFailure>,
    /// Milliseconds it ran.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub execution_time_ms: u64,
    /// Whether the service had the bundle.
    #[serde(default)]
    pub bundle_cache_hit: Option<bool>,
    /// What it printed.
    #[serde(default)]
    pub stdout: Option<String>,
    /// How the verifier was confined. The embedded server says so of verifiers that are programs; the hosted service says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Value>,
}

/// An exception raised by a verifier. Reads the object of the API and, as some services send it,
/// plain text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VerifierFailure {
    /// The exception's class, for example `KeyError`; empty when only text came.
    #[serde(rename = "type")]
    pub kind: String,
    /// The exception's text.
    pub message: String,
    /// The remote traceback.
    pub traceback: Option<String>,
}

impl<'de> Deserialize<'de> for VerifierFailure {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(from)? {
            Value::Object(mut fields) => {
                let mut take = |name: &str| match fields.remove(name) {
                    Some(Value::String(text)) => Some(text),
                    Some(Value::Null) | None => None,
                    Some(other) => Some(other.to_string()),
                };
                Self {
                    kind: take("type").unwrap_or_default(),
                    message: take("message").unwrap_or_default(),
                    traceback: take("traceback"),
                }
            }
            Value::String(message) => Self {
                message,
                ..Self::default()
            },
            other => Self {
                message: other.to_string(),
                ..Self::default()
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failure_reads_as_object_or_text() {
        let object: VerifierFailure =
            serde_json::from_value(json!({"type": "KeyError", "message": 7, "extra": 1})).unwrap();
        assert_eq!(
            (object.kind.as_str(), object.message.as_str()),
            ("KeyError", "7")
        );
        let text: VerifierFailure = serde_json::from_value(json!("boom")).unwrap();
        assert_eq!((text.kind.as_str(), text.message.as_str()), ("", "boom"));
    }

    #[test]
    fn an_answer_with_a_fractional_time_and_no_error_reads() {
        let answer: ExecuteResponse = serde_json::from_value(
            json!({"success": true, "execution_time_ms": 1.6, "error": null, "result": null}),
        )
        .unwrap();
        assert_eq!(
            (answer.execution_time_ms, answer.error, answer.result),
            (2, None, None)
        );
    }
}
