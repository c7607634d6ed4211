//! The run spec: reading, checking, resolving.
//!
//! A file is parsed once into a tree that knows where everything stands (`tree`), `--set` changes the tree
//! (`overrides`), and one reader per element turns it into typed values (`fleet`, `tasks`, `agent`, …). No reader stops
//! at a problem; all of them are rendered together (`diagnostic`). Nothing here talks to a service or starts a program.

mod agent;
mod concurrency;
mod containment;
mod diagnostic;
mod environment;
mod files;
mod fleet;
mod gate;
mod judge;
mod limits;
mod matrix;
mod overrides;
mod preflight;
mod reader;
mod report;
mod resolved;
mod retry;
mod run_spec;
mod scalar;
mod schema;
mod suggest;
mod tasks;
mod template;
mod text;
mod tree;
mod units;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use agent::{AgentSpec, DEFAULT_INHERIT_ENV, StdinMode, VerifyWhen, WorkingDir};
pub use concurrency::ConcurrencySpec;
pub use containment::{ContainmentSpec, agent_containment};
pub use diagnostic::{Color, Diagnostic, Severity, Sources, Span, SpecError};
pub use environment::{EnvironmentSpec, TTL_MARGIN, Ttl, TtlBudget, VERIFY_TIMEOUT};
pub use fleet::{DEFAULT_ENDPOINT, Endpoint, FleetSpec, LocalSpec, RateLimit, VerifierSandbox};
pub use gate::GateSpec;
pub use judge::JudgeSpec;
pub use limits::LimitsSpec;
pub use matrix::{Axis, MatrixSpec, Variant};
pub use preflight::{FALLBACK_PATH, ProgramError, agent_programs, find_program};
pub use report::{ReportFormat, ReportSpec};
pub use retry::RetrySpec;
pub use run_spec::{LoadOptions, RunSpec};
pub use schema::schema;
pub use tasks::{KeyPattern, Selection, TaskSource, TasksSpec};
pub use template::{BUILT_IN, MissingValue, Placeholder, Template, TemplateError};
pub use text::{Lookup, SpecString};
pub use units::{UnitError, format_duration, format_size, parse_duration, parse_size};
