//! A browser: the one that is there, or Debian's.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::system;
use crate::command::{find, is_executable, run_quietly};

const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
];

/// The path of its program.
pub(super) fn get() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CHROMIUM_PATH").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        if !is_executable(&path) {
            bail!(
                "CHROMIUM_PATH names {}, which is no program",
                path.display()
            );
        }
        return Ok(path);
    }
    if let Some(path) = working() {
        return Ok(path);
    }
    system::install(&["chromium"]).context("no Chromium")?;
    working().context("the installed Chromium does not start")
}

/// The first that starts: where Chromium is a snap, a script of that name may be there without a browser behind it.
fn working() -> Option<PathBuf> {
    let found = NAMES.iter().filter_map(|name| find(name));
    found
        .into_iter()
        .find(|path| run_quietly(Command::new(path).arg("--version")).is_ok())
}
