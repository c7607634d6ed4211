//! Control groups (cgroup v2): where they can be made, and one for one tree.

mod group;
mod place;

pub(crate) use group::{Cleared, Group, clear_abandoned};
pub(crate) use place::{mounts, place};
