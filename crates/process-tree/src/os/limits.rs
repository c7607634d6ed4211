//! How the limits of a whole tree are held: by its control group where that can, else by what else
//! the kernel has.

use super::cgroup::Group;
use crate::exit::{Held, HeldLimits};
use crate::protocol::WireLimits;

/// The halves of the supervisor that the kernel counts with the processes of a user namespace.
const SUPERVISORS: u64 = 2;

/// Sets the limits of the group, and completes those of each process with what the group cannot
/// hold. `own_users` says that the tree has a user namespace of its own: only there does the
/// kernel's count of a user's processes mean this tree.
pub(super) fn hold(
    wanted: &WireLimits,
    group: Option<&Group>,
    own_users: bool,
) -> (WireLimits, HeldLimits) {
    let mut limits = wanted.clone();
    let mut held = HeldLimits::default();
    if let Some(bytes) = wanted.tree_memory_bytes {
        let by_group = group.is_some_and(|group| group.limit_memory(bytes).is_ok());
        held.memory = if by_group {
            Held::Tree
        } else {
            limits.data_bytes = Some(bytes.min(wanted.data_bytes.unwrap_or(bytes)));
            Held::EachProcess
        };
    }
    if let Some(count) = wanted.tree_processes {
        let by_group = group.is_some_and(|group| group.limit_processes(count).is_ok());
        held.processes = if by_group {
            Held::Tree
        } else if own_users {
            limits.user_processes = Some(count.saturating_add(SUPERVISORS));
            Held::Tree
        } else {
            Held::No
        };
    }
    (limits, held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Limits;

    fn wanted() -> WireLimits {
        WireLimits::from(&Limits {
            data_bytes: Some(7),
            tree_memory_bytes: Some(100),
            tree_processes: Some(30),
            ..Limits::default()
        })
    }

    #[test]
    fn without_a_group_memory_is_bounded_for_each_process() {
        let (limits, held) = hold(&wanted(), None, false);
        assert_eq!(held.memory, Held::EachProcess);
        // The stricter of the two.
        assert_eq!(limits.data_bytes, Some(7));
        let (limits, _) = hold(
            &WireLimits {
                data_bytes: None,
                ..wanted()
            },
            None,
            false,
        );
        assert_eq!(limits.data_bytes, Some(100));
    }

    #[test]
    fn a9_without_a_group_processes_are_counted_only_in_a_user_namespace() {
        let (limits, held) = hold(&wanted(), None, false);
        assert_eq!((held.processes, limits.user_processes), (Held::No, None));
        let (limits, held) = hold(&wanted(), None, true);
        assert_eq!(held.processes, Held::Tree);
        assert_eq!(limits.user_processes, Some(32));
    }

    #[test]
    fn what_nobody_asked_for_is_not_limited() {
        let wanted = WireLimits::from(&Limits::default());
        let (limits, held) = hold(&wanted, None, true);
        assert_eq!(held, HeldLimits::default());
        assert_eq!((limits.data_bytes, limits.user_processes), (None, None));
    }
}
