//! What the terminal itself writes while the live area stands there.

use std::io::{self, Stderr};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};

/// Keeps the terminal from writing `^C` below the live area, which would then be one line further down than whoever
/// removes it believes. Ended by its drop.
pub(crate) struct SilentKeys {
    terminal: Stderr,
}

impl SilentKeys {
    /// `None` where there is nothing to be silenced.
    pub(crate) fn begin() -> Option<Self> {
        let terminal = io::stderr();
        let modes = tcgetattr(&terminal).ok()?;
        if !modes.local_flags.contains(LocalFlags::ECHOCTL) {
            return None;
        }
        set(&terminal, |flags| flags.remove(LocalFlags::ECHOCTL));
        Some(Self { terminal })
    }
}

impl Drop for SilentKeys {
    fn drop(&mut self) {
        set(&self.terminal, |flags| flags.insert(LocalFlags::ECHOCTL));
    }
}

/// Nothing depends on it, so it may fail.
fn set(terminal: &Stderr, change: impl FnOnce(&mut LocalFlags)) {
    // A job in the background that changes its terminal is stopped by the system.
    if tcgetpgrp(terminal).ok() != Some(getpgrp()) {
        return;
    }
    if let Ok(mut modes) = tcgetattr(terminal) {
        change(&mut modes.local_flags);
        let _ = tcsetattr(terminal, SetArg::TCSANOW, &modes);
    }
}
