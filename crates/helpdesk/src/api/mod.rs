//! The JSON API under `/api`: the same readings and changes as the pages offer, for programs.

mod error;
mod people;
mod reading;
mod routes;
mod tickets;

pub(crate) use routes::router;
