//! `harness fleet`: the whole Fleet API from the shell, one file or folder per topic.
//!
//! A topic's file has its arguments and what they do. All topics answer by [`output::Output`] and fail by
//! [`failed::Failed`], so that tables, JSON, empty results and errors look the same everywhere.

mod account;
mod args;
mod ask;
mod db;
mod dispatch;
mod envs;
mod failed;
mod files;
mod grid;
mod input;
mod instances;
mod jobs;
mod judge;
mod manager;
mod moment;
mod output;
mod projects;
mod runs;
mod sessions;
mod tasks;
mod verifiers;
mod verify;
mod whom;

pub(crate) use args::FleetArgs;
pub(crate) use dispatch::fleet;
pub(crate) use failed::failed;
pub(crate) use whom::by_environment;
