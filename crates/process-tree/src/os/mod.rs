//! What only Linux offers: the supervisor itself and the view of processes in `/proc`.

pub(crate) mod cgroup;
mod descendants;
mod launch;
mod limits;
pub(crate) mod pidfd;
pub(crate) mod procfs;
mod seal;
mod shim;
mod supervise;
pub(crate) mod wait;

pub(crate) use shim::NOOP;
pub use shim::shim_main;
