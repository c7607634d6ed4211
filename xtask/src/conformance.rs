//! `cargo xtask conformance`: writes docs/sdk-conformance.md. What is on it is decided by the suite itself, in `crates/cli/tests/conformance`.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command;
use crate::tools;
use crate::workspace::Workspace;

/// Fails if the SDK has a member that the suite knows nothing of; the page is written then too, and shows it.
pub(crate) fn run() -> Result<()> {
    let workspace = Workspace::load()?;
    let python = tools::python(&workspace.target.join("test-tools"))
        .context("no Python with the official SDK")?;
    let mut suite = Command::new(python);
    suite
        .current_dir(workspace.root.join("crates/cli/tests/conformance"))
        .args(["-B", "-m", "suite", "page", "--write"])
        .arg(workspace.root.join("docs/sdk-conformance.md"));
    command::run(&mut suite)
}
