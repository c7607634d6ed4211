//! The verifier service: stored bundles, and running them against an instance.
//!
//! Responsible for everything between `POST /v1/verifiers/execute` and its answer: reading the bundle and the arguments, choosing the
//! engine (native `state` and `command` verifiers, Python source through the official SDK), confining it and bounding what it may cost.
//! Not responsible for turning a result into a score: that is the client's.
//!
//! A verifier that could not run is answered with `success: false` and an error, never with a zero.

mod arguments;
mod bundle;
mod command;
mod confine;
mod outcome;
mod passes;
mod pickle;
mod probe;
mod python;
mod service;
mod state;
mod text;
mod tunnel;

pub use arguments::{ArgumentError, CallArguments};
pub use bundle::{Bundle, BundleError, BundleStore};
pub use confine::{SandboxConfig, SandboxMode, sufficient};
pub use outcome::Outcome;
pub use pickle::{PickleError, decode as decode_pickle};
pub use probe::probe_sandbox;
pub use python::{PythonConfig, PythonError, SDK_VERSION};
pub use service::{ExecuteError, SetupError, VerifierService, VerifyConfig};
pub use state::{EvaluateError, Evaluation, SpecError, StateSpec, evaluate as evaluate_state};
