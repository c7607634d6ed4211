//! A scripted agent for the desk: it reads the task's prompt, works through the JSON API like any
//! other agent, and says what it did. It knows neither the database nor the verifiers.
//!
//! Its skill can be turned down, so that a comparison of agents has something to compare: it then
//! makes the mistakes that people make, or gives up and says so.

mod contract;
mod edits;
mod lookups;
mod play;
mod policies;
mod session;

pub use contract::{AgentEnv, AgentEnvError, AgentError, AgentResult, ErrorKind, Skill};
pub use session::run;
