//! What only Linux offers: the layers themselves, applied by a process of one thread to itself.

mod calls;
mod capabilities;
mod files;
mod limits;
mod namespaces;

use std::net::TcpListener;

use nix::sys::prctl;
use nix::unistd::Uid;

pub use self::calls::child_filters;
use crate::layers::{Layer, Layers};
use crate::policy::Policy;

/// Takes everything away from this process that the policy does not leave it. The order matters: each layer forbids what the ones before
/// it needed.
pub(crate) fn confine(policy: &Policy) -> (Layers, Vec<TcpListener>) {
    let mut layers = Layers::default();
    let is_root = Uid::effective().is_root();
    let no_privileges = prctl::set_no_new_privs().map_err(|errno| errno.desc().to_owned());

    let own = namespaces::enter(policy, &mut layers);
    let countable = if is_root {
        Err("the kernel does not count root's".to_owned())
    } else if own.users {
        Ok(())
    } else {
        Err("all of the user's would count, for want of a user namespace".to_owned())
    };
    limits::apply(&policy.limits, countable, &mut layers);
    layers.note(
        Layer::Capabilities,
        no_privileges.and_then(|()| capabilities::drop_all(policy.role)),
    );
    files::restrict(policy, &mut layers);
    let filters = calls::filters(policy.role, &layers);
    layers.note(Layer::SystemCalls, calls::apply(filters));
    (layers, own.listeners)
}
