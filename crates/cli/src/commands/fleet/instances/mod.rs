//! `harness fleet instances`: make, look at, keep alive, close.

mod close;
mod keep_alive;
mod lease;
mod list;
mod make;
mod manage;
mod topic;

pub(crate) use close::CloseArgs;
pub(crate) use topic::InstancesArgs;
pub(super) use topic::{close, instances};
