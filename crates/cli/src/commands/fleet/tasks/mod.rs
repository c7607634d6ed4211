//! `harness fleet tasks`: look at, export, import, change.

mod export;
mod import;
mod list;
mod topic;
mod update;

pub(crate) use topic::TasksArgs;
pub(super) use topic::tasks;
