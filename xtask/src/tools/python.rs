//! A virtual environment with the official SDK.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::system;
use crate::command::{find, is_executable, run_quietly};
use crate::say::say;

/// Pinned to the version that the embedded server's own environments have: what the tests prove, they prove for this one.
const SDK: &str = "fleet-python==0.2.133";

/// Written last; an environment without it is half made.
const STAMP: &str = "harness-ready";

/// The path of its `python`.
pub(super) fn get(folder: &Path) -> Result<PathBuf> {
    let python = folder.join("bin").join("python");
    let stamp = folder.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|found| found == SDK) && is_executable(&python) {
        return Ok(python);
    }
    if find("python3").is_none() {
        system::install(&["python3", "python3-venv"]).context("no python3")?;
    }
    let base = find("python3").context("no python3")?;
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("could not remove {}", folder.display()))?;
    }
    say("making a Python environment with the official SDK …");
    let make = || {
        run_quietly(
            Command::new(&base)
                .args(["-m", "venv", "--clear"])
                .arg(folder),
        )
    };
    if let Err(error) = make() {
        // Debian splits venv from python3; nothing else of it is known to fail on a healthy machine.
        system::install(&["python3-venv"])
            .and_then(|()| make())
            .with_context(|| format!("no virtual environment: {error:#}"))?;
    }
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        SDK,
    ]);
    run_quietly(&mut pip).context("the official SDK could not be installed")?;
    fs::write(&stamp, SDK).with_context(|| format!("could not write {}", stamp.display()))?;
    Ok(python)
}
