//! `harness fleet jobs`: batches of sessions.

mod create;
mod list;
mod log;
mod summarize;
mod topic;

pub(crate) use topic::JobsArgs;
pub(super) use topic::jobs;
