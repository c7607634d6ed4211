//! playwright-core, which drives a browser but brings none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::command::{find, run_quietly};
use crate::say::say;

const PACKAGE: &str = "playwright-core";
const VERSION: &str = "1.65.1";

/// The folder that holds `node_modules`.
pub(super) fn get(folder: &Path) -> Result<PathBuf> {
    if find("node").is_none() {
        bail!("no node");
    }
    if installed(folder).as_deref() == Some(VERSION) {
        return Ok(folder.to_owned());
    }
    let Some(npm) = find("npm") else {
        bail!("no npm")
    };
    say(format!("installing {PACKAGE} {VERSION} …"));
    fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
    let mut install = Command::new(npm);
    install
        .args([
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--no-save",
            "--prefix",
        ])
        .arg(folder);
    run_quietly(install.arg(format!("{PACKAGE}@{VERSION}")))
        .with_context(|| format!("{PACKAGE} could not be installed"))?;
    Ok(folder.to_owned())
}

fn installed(folder: &Path) -> Option<String> {
    let manifest = fs::read_to_string(
        folder
            .join("node_modules")
            .join(PACKAGE)
            .join("package.json"),
    )
    .ok()?;
    let manifest: Value = serde_json::from_str(&manifest).ok()?;
    Some(manifest["version"].as_str()?.to_owned())
}
