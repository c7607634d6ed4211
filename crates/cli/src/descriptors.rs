//! How many environments at once the limit of open files has room for.
//!
//! A process without descriptors cannot write its journal or close an instance, so fewer trials at once are better than
//! the first refusal.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::failure::Failure;

/// Sockets and pipes of a trial, its instance's in the embedded server included.
const PER_ENVIRONMENT: u64 = 12;

/// Journal, reports, runtime, and what releasing needs when everything else is taken.
const BESIDE: u64 = 48;

/// What there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    wanted: u32,
    /// At most what was wanted, at least one.
    pub(crate) environments: u32,
    limit: u64,
}

impl Room {
    fn within(limit: u64, wanted: u32) -> Option<Self> {
        let room = limit.saturating_sub(BESIDE) / PER_ENVIRONMENT;
        let environments = u32::try_from(room).unwrap_or(u32::MAX).min(wanted);
        (environments > 0).then_some(Self {
            wanted,
            environments,
            limit,
        })
    }

    /// What a person should know, if not everything fits.
    pub(crate) fn warning(self) -> Option<String> {
        (self.environments < self.wanted).then(|| {
            format!(
                "the limit of open files, {}, has room for {} of the {} environments at once; raise it with `ulimit -Hn`",
                self.limit, self.environments, self.wanted
            )
        })
    }
}

/// Raises the soft limit as far as is needed and allowed; the usual 1024 is there for the sake of `select`, not for us.
pub(crate) fn raise(environments: u32) -> Result<Room, Failure> {
    let all = Room {
        wanted: environments,
        environments,
        limit: u64::MAX,
    };
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return Ok(all);
    };
    let needed = u64::from(environments) * PER_ENVIRONMENT + BESIDE;
    let mut limit = soft;
    if soft < needed && soft < hard {
        match setrlimit(Resource::RLIMIT_NOFILE, needed.min(hard), hard) {
            Ok(()) => limit = needed.min(hard),
            Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
        }
    }
    Room::within(limit, environments).ok_or_else(|| {
        Failure::usage(format!(
            "error: the limit of open files, {limit}, has no room for a single environment"
        ))
        .hint("raise it with `ulimit -Hn 1024`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k11_what_runs_at_once_follows_the_limit() {
        let room = |limit| Room::within(limit, 50).map(|room| room.environments);
        assert_eq!(room(BESIDE + PER_ENVIRONMENT - 1), None);
        assert_eq!(room(BESIDE + PER_ENVIRONMENT), Some(1));
        assert_eq!(room(256), Some(17));
        assert_eq!(room(BESIDE + 50 * PER_ENVIRONMENT), Some(50));
        assert_eq!(room(u64::MAX), Some(50));
    }

    #[test]
    fn k11_only_what_does_not_fit_is_told() {
        assert_eq!(Room::within(1024, 50).unwrap().warning(), None);
        let warning = Room::within(64, 50).unwrap().warning().unwrap();
        assert!(warning.contains("1 of the 50"), "{warning}");
    }
}
