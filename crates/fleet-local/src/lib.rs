//! An embedded Fleet-compatible server: environments are local process trees, verifiers run beside
//! them.
//!
//! This crate is responsible for serving the Fleet API on loopback, so that any client of it works
//! without an account: environment packages become instances with their own directory, data,
//! processes and address; leases end them; verifiers score them. It knows nothing of runs, trials
//! or agents.
//!
//! ```no_run
//! # async fn example() -> Result<(), fleet_local::StartError> {
//! let config = fleet_local::ServerConfig::new(["examples/environments".into()]);
//! let server = fleet_local::Server::start(config).await?;
//! println!("FLEET_BASE_URL={}", server.base_url());
//! let report = server.shutdown().await;
//! assert!(report.leftovers.is_empty());
//! # Ok(())
//! # }
//! ```

mod api;
mod archive;
mod clock;
mod config;
mod connections;
mod cut;
mod dirs;
mod gateway;
mod identity;
mod instance;
mod judge;
pub mod manager;
pub mod package;
mod programs;
mod recorder;
mod rejection;
mod routes;
pub mod seam;
mod server;
mod sessions;
mod store;
mod summary;
mod tasks;
pub mod verify;

pub use api::{ApiPlane, Verification, openapi};
pub use archive::StateError;
pub use config::{ServerConfig, StartError};
pub use judge::{JudgeConfig, JudgeEngine};
pub use manager::documents::document_main;
pub use server::{LedgerSnapshot, Server, ShutdownReport};
pub use tasks::TaskError;

/// An error and its causes in one line, for messages that leave the process.
pub(crate) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
