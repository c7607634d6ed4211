//! `harness fleet sessions`: what an agent and its model said.

mod ingest;
mod list;
mod topic;
mod transcript;

pub(crate) use topic::SessionsArgs;
pub(super) use topic::sessions;
