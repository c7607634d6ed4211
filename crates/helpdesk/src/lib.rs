//! The demo environment: a small support desk (HTML pages, a JSON API, tools over MCP, a database behind them) and a
//! scripted agent that works in it through the API.
//!
//! The desk is an ordinary application: it knows nothing of runs, tasks or verifiers. The agent is
//! an ordinary agent: it knows the agent contract and the desk's API, and nothing of the database.
//! Arguments, printing and exit codes are the caller's (`harness demo …`).

pub mod agent;
mod api;
mod clock;
mod mcp;
mod model;
mod pages;
mod query;
mod server;
mod store;

pub use clock::{InvalidDate, Today};
pub use server::{Listening, ServeError, ServeOptions, bind, serve};
pub use store::OpenError;
