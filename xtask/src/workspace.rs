//! What `cargo metadata` says about this workspace, as far as the commands here need it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::command::run_quietly;

/// The workspace.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Where cargo builds; what the tests need is kept below it, so that `cargo clean` removes it too.
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// One crate of it.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    /// Names of the crates of this workspace that it uses in any way, tests included.
    pub(crate) ours: Vec<String>,
}

impl Workspace {
    /// Asks cargo; nothing is built or fetched.
    pub(crate) fn load() -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--manifest-path",
        ]);
        command.arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
        let text = run_quietly(&mut command)?;
        let metadata: Value =
            serde_json::from_str(&text).context("could not read the output of `cargo metadata`")?;
        Self::read(&metadata).context("the output of `cargo metadata` has an unexpected form")
    }

    fn read(metadata: &Value) -> Option<Self> {
        let path = |value: &Value| value.as_str().map(PathBuf::from);
        let mut packages = Vec::new();
        for package in metadata["packages"].as_array()? {
            // A dependency with a path is one of ours: the rules allow no other paths.
            let ours = package["dependencies"]
                .as_array()?
                .iter()
                .filter(|dependency| dependency["path"].is_string());
            packages.push(Package {
                name: package["name"].as_str()?.to_owned(),
                manifest: path(&package["manifest_path"])?,
                ours: ours
                    .filter_map(|dependency| Some(dependency["name"].as_str()?.to_owned()))
                    .collect(),
            });
        }
        Some(Self {
            root: path(&metadata["workspace_root"])?,
            target: path(&metadata["target_directory"])?,
            packages,
        })
    }
}
