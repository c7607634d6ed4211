//! Virtual environments: one with the official SDK and what its own tests need, one with what tests servers by their `OpenAPI` document.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::system;
use crate::command::{find, is_executable, run_quietly};
use crate::say::say;

/// The SDK is pinned to the version that the embedded server's own environments have: what the tests prove, they prove for this one.
/// With its command line, and with what runs the tests that are in its wheel.
pub(super) const SDK: &[&str] = &[
    "fleet-python[cli]==0.2.133",
    "pytest>=8,<10",
    "pytest-asyncio>=1,<2",
    "pytest-mock>=3,<4",
];

/// Apart from the SDK, whose libraries it wants in other versions.
pub(super) const SCHEMATHESIS: &[&str] = &["schemathesis==4.32.5"];

/// Written last; an environment without it is half made.
const STAMP: &str = "harness-ready";

/// The path of the `python` of an environment with these packages.
pub(super) fn get(folder: &Path, packages: &[&str]) -> Result<PathBuf> {
    let python = folder.join("bin").join("python");
    let stamp = folder.join(STAMP);
    let wanted = packages.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) && is_executable(&python) {
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
    say(format!(
        "making a Python environment with {} …",
        packages[0]
    ));
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
    ]);
    pip.args(packages);
    run_quietly(&mut pip).with_context(|| format!("{} could not be installed", packages[0]))?;
    fs::write(&stamp, wanted).with_context(|| format!("could not write {}", stamp.display()))?;
    Ok(python)
}
