//! Python verifiers, run with the official SDK.
//!
//! Responsible for a Python that has the SDK (`venv`), for a warm process that forks per verification (`worker`, `worker.py`), and for
//! starting and replacing that process (`runtime`).

mod runtime;
mod venv;
mod worker;

pub use runtime::PythonError;
pub(super) use runtime::{Job, PythonRuntime, RuntimeConfig};
pub use venv::{PythonConfig, SDK_VERSION};
