//! The control plane: the routes of the Fleet API that the server offers, each a thin layer over
//! the instances, packages and tasks behind it.

mod auth;
mod body;
mod catalogue;
mod create;
mod door;
pub(crate) mod error;
mod instances;
mod jobs;
mod judge;
mod leases;
mod login;
pub(crate) mod openapi;
mod query;
mod record;
mod router;
mod sessions;
mod state;
mod summaries;
mod task_body;
mod tasks;
mod verifiers;

pub(crate) use auth::Credentials;
pub(crate) use door::door;
pub(crate) use error::ApiError;
pub use openapi::{ApiPlane, openapi};
pub(crate) use router::{catch_panics, service, tidied};
pub use state::Verification;
pub(crate) use state::{App, AppState, Verifications};
