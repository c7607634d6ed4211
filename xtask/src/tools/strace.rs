//! strace, which ends a program, or fails a system call of it, at a point that is counted: the one that is there, or Debian's.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::system;
use crate::command::{find, run_quietly};

/// The path of its program.
pub(super) fn get() -> Result<PathBuf> {
    if find("strace").is_none() {
        system::install(&["strace"]).context("no strace")?;
    }
    let path = find("strace").context("no strace")?;
    // In many containers it is there and may not trace.
    run_quietly(Command::new(&path).args(["-f", "-qq", "-e", "trace=none", "true"]))
        .context("strace may not trace here")?;
    Ok(path)
}
