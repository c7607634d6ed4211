//! What running a verifier came to.

use fleet_api::types::VerifierFailure;
use serde_json::Value;

/// The end of one verification.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What the verifier returned, or why it has no result.
    pub result: Result<Value, VerifierFailure>,
    /// What it printed, in the conventions that graders read.
    pub stdout: String,
    /// How it was confined, for verifiers that are programs.
    pub sandbox: Option<Value>,
}

impl Outcome {
    /// A verifier that ran to its end.
    pub fn returned(value: impl Into<Value>, stdout: impl Into<String>) -> Self {
        Self {
            result: Ok(value.into()),
            stdout: stdout.into(),
            sandbox: None,
        }
    }

    /// A verifier that has no result. `kind` is named as Python names its exceptions, as the official client shows it so.
    pub fn failed(kind: &str, message: impl Into<String>) -> Self {
        Self {
            result: Err(failure(kind, message)),
            stdout: String::new(),
            sandbox: None,
        }
    }

    /// The same outcome with what was printed.
    #[must_use]
    pub fn with_stdout(mut self, stdout: impl Into<String>) -> Self {
        self.stdout = stdout.into();
        self
    }

    /// The same outcome with how the verifier was confined.
    #[must_use]
    pub fn with_sandbox(mut self, sandbox: Value) -> Self {
        self.sandbox = Some(sandbox);
        self
    }
}

/// An error as the wire has it.
pub(super) fn failure(kind: &str, message: impl Into<String>) -> VerifierFailure {
    VerifierFailure {
        kind: kind.to_owned(),
        message: message.into(),
        traceback: Some(String::new()),
    }
}
