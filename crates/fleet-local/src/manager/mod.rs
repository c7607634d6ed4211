//! The instance manager: what a client may see and do inside one instance (`…/api/v1/env/*`).
//!
//! Responsible for the resources of an instance: its `SQLite` databases (describe, query, reset), the structured diff between seed and
//! current state, its files and documents, its browser, and functions of clients. Not responsible for the life of the instance: that is the server's, reached through
//! [`crate::seam::ManagerHooks`].

mod cell;
pub mod diff;
pub mod documents;
pub mod files;
mod open;
pub mod query;
mod routes;
pub mod schema;
mod services;
mod state;

pub use cell::{Cell, read_cell};
pub use open::{OpenError, open_current, open_current_read_only, open_seed};
pub use routes::router;
#[cfg(test)]
pub(crate) use routes::routes;
pub use services::{Access, Services};
pub use state::{InstanceManager, Mode, SqliteResource};
