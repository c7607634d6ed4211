//! `harness fleet db`: the databases of an instance.

mod diff;
mod rows;
mod statement;
mod tables;
mod topic;

pub(crate) use topic::DbArgs;
pub(super) use topic::db;
