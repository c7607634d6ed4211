//! `cargo xtask test`: everything that the tests need, then all the tests.
//!
//! Not responsible for how a tool is had (that is `tools`) nor for what a test does without it: a test that finds its variable unset says
//! so and returns.

use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::command;
use crate::say::{say, step};
use crate::tidy;
use crate::tools::Tools;
use crate::workspace::Workspace;

/// Runs all tests, or those whose names contain the filter. Every step runs, so that one visit shows all that is wrong.
pub(crate) fn run(filter: Option<&str>) -> Result<()> {
    let workspace = Workspace::load()?;
    step("what the tests need");
    let tools = Tools::get(&workspace.target.join("test-tools"));

    let mut failed: Vec<&str> = Vec::new();
    let mut timed = |name: &'static str, work: &mut dyn FnMut() -> Result<()>| {
        step(name);
        let start = Instant::now();
        let result = work();
        say(format!("{name}: {:.0} s", start.elapsed().as_secs_f64()));
        if let Err(error) = result {
            say(format!("error: {error:#}"));
            failed.push(name);
        }
    };
    timed("tests", &mut || {
        command::run(tests(&workspace, filter).envs(tools.variables()))
    });
    // With a filter somebody looks for one test; the rest is noise then.
    if filter.is_none() {
        timed("documentation tests", &mut || {
            command::run(
                cargo(&workspace)
                    .args(["test", "--doc", "--workspace", "--locked"])
                    .envs(tools.variables()),
            )
        });
        timed("tidy rules", &mut || tidy::check(&workspace));
    }

    let skipped = tools.skipped();
    for skip in skipped {
        say(format!("skipped: {} ({})", skip.what, skip.why));
    }
    if !skipped.is_empty() {
        say(format!(
            "{} skipped for want of a tool; everything else ran",
            counted(skipped.len(), "group of tests", "groups of tests")
        ));
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Half a core each: see nextest.toml for who takes how many.
const SLOTS_PER_CORE: usize = 2;

/// nextest where it is installed: a process per test, and a limit on each one's time. Plain `cargo test` does the same tests.
fn tests(workspace: &Workspace, filter: Option<&str>) -> Command {
    let mut command = cargo(workspace);
    if command::find("cargo-nextest").is_some() {
        command.args([
            "nextest",
            "run",
            "--workspace",
            "--locked",
            "--no-fail-fast",
            "--config-file",
        ]);
        command.arg(workspace.root.join("xtask/nextest.toml"));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        command.args(["--test-threads", &(cores * SLOTS_PER_CORE).to_string()]);
    } else {
        command.args([
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--locked",
            "--no-fail-fast",
        ]);
    }
    command.args(filter);
    command
}

fn cargo(workspace: &Workspace) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&workspace.root);
    // cargo tells the programs it runs about the crate it built; a cargo started by such a program would rebuild what looks at it.
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_")
            || name_text == "CARGO_MANIFEST_DIR"
            || name_text == "CARGO_MANIFEST_PATH"
        {
            command.env_remove(name);
        }
    }
    command
}
