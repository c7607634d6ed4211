//! What can be verified, and what comes of it for people who want a number.

use super::Environment;
use crate::error::Error;
use crate::score::ScoreError;
use crate::task::{Task, VerifierSource};
use crate::types::ExecuteResponse;
use crate::verify::VerifyArgs;

/// What brings a verifier: a [`Task`], or a [`VerifierSource`] itself.
pub trait HasVerifier: sealed::Sealed {
    /// The verifier, if its source is known.
    fn verifier_source(&self) -> Option<&VerifierSource>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Task {}
    impl Sealed for super::VerifierSource {}
}

impl HasVerifier for Task {
    fn verifier_source(&self) -> Option<&VerifierSource> {
        self.verifier.as_ref()
    }
}

impl HasVerifier for VerifierSource {
    fn verifier_source(&self) -> Option<&VerifierSource> {
        Some(self)
    }
}

/// A verification without a score. It says nothing of the work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The verifier was not run, or its answer did not come.
    #[error(transparent)]
    Call(#[from] Error),
    /// It ran, and what came out is no score.
    #[error(transparent)]
    Score(#[from] ScoreError),
}

impl Task {
    /// Runs the task's verifier in `env`; see [`Environment::verify`].
    pub async fn verify(
        &self,
        env: &Environment,
        args: impl Into<VerifyArgs>,
    ) -> Result<ExecuteResponse, Error> {
        env.verify(self, args).await
    }

    /// The score of the task's verifier in `env`, 0.0–1.0; see [`Environment::score`].
    pub async fn score(
        &self,
        env: &Environment,
        args: impl Into<VerifyArgs>,
    ) -> Result<f64, VerifyError> {
        env.score(self, args).await
    }
}
