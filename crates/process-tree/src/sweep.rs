//! What the owner does when a supervisor was killed: everything below it becomes the owner's own
//! child, if the owner is a subreaper, and is found and killed here.
//!
//! Strays are told from other children by their session. A shim makes a session of its own before
//! it starts anything, no process can move into an existing session, and children that the owner
//! started otherwise stay in the owner's session unless they leave it themselves.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{self, Pid};
use tokio::time::Instant;

use crate::exit::Survivor;
use crate::os::procfs::{self, Stat};
use crate::os::wait;

/// As long as a shim itself would try.
const SWEEP_LIMIT: Duration = Duration::from_secs(10);
/// Between two looks; a stray's children become ours only when it has died.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The shims of this process that have not been reaped.
static SHIMS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Makes this process inherit the orphans of its supervisors, so that a tree whose supervisor was
/// killed can still be ended and proven dead. Call it once, at the start of the binary.
///
/// # Errors
/// Fails only on kernels before 3.4.
pub fn become_subreaper() -> io::Result<()> {
    Ok(prctl::set_child_subreaper(true)?)
}

/// Keeps a shim on the list for as long as its process exists.
#[derive(Debug)]
pub(crate) struct Registration(i32);

impl Registration {
    pub(crate) fn new(shim: i32) -> Self {
        shims().insert(shim);
        Self(shim)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        shims().remove(&self.0);
    }
}

/// Kills and reaps every stray, by its own id, never with a wait for any child: that would steal
/// the exits that the async runtime waits for. `None` if this process inherits no strays and so
/// cannot know.
pub(crate) async fn sweep() -> Option<Vec<Survivor>> {
    if !prctl::get_child_subreaper().unwrap_or(false) {
        return None;
    }
    let until = Instant::now() + SWEEP_LIMIT;
    loop {
        let strays = strays();
        if strays.is_empty() {
            return Some(Vec::new());
        }
        if Instant::now() >= until {
            return Some(strays.into_iter().filter_map(procfs::survivor).collect());
        }
        for stray in strays {
            let _ = kill(stray, Signal::SIGKILL);
            let _ = wait::reap(stray);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn strays() -> Vec<Pid> {
    let Ok(own_session) = unistd::getsid(None) else {
        return Vec::new();
    };
    let children = procfs::children(Pid::this());
    let shims = shims();
    children
        .into_iter()
        .filter(|child| !shims.contains(&child.as_raw()))
        .filter(|&child| Stat::read(child).is_some_and(|stat| stat.session != own_session.as_raw()))
        .collect()
}

fn shims() -> MutexGuard<'static, BTreeSet<i32>> {
    // A set of numbers is whole whatever panicked while it was locked.
    SHIMS.lock().unwrap_or_else(PoisonError::into_inner)
}
