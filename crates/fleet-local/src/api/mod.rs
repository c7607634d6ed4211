//! The control plane: the routes of the Fleet API that the server offers, each a thin layer over
//! the instances, packages and tasks behind it.

mod auth;
mod catalogue;
mod create;
pub(crate) mod error;
mod instances;
pub(crate) mod openapi;
mod query;
mod record;
mod router;
mod state;
mod tasks;
mod verifiers;

pub(crate) use auth::Credentials;
pub use openapi::{ApiPlane, openapi};
pub(crate) use router::service;
pub use state::Verification;
pub(crate) use state::{App, AppState, Verifications};
