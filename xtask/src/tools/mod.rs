//! What tests need beyond Rust: Python with the official SDK, schemathesis, a browser and a driver for it, and strace.

mod chromium;
mod node;
mod python;
mod strace;
mod system;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::say::say;

/// A Python with the official SDK in it.
pub(crate) const PYTHON: &str = "HARNESS_TEST_PYTHON";
/// The same one for the embedded server, which would make an environment of its own for Python verifiers.
pub(crate) const VERIFIER_PYTHON: &str = "HARNESS_VERIFIER_PYTHON";
/// The program that tests a server by its `OpenAPI` document.
pub(crate) const SCHEMATHESIS: &str = "HARNESS_TEST_SCHEMATHESIS";
/// A Chromium or Chrome.
pub(crate) const CHROMIUM: &str = "HARNESS_TEST_CHROMIUM";
/// An strace that may trace.
pub(crate) const STRACE: &str = "HARNESS_TEST_STRACE";
/// A folder with `node_modules/playwright-core`.
pub(crate) const NODE_PATH: &str = "HARNESS_TEST_NODE_PATH";

/// Tests that will say that they were skipped.
pub(crate) struct Skip {
    pub(crate) what: &'static str,
    pub(crate) why: String,
}

/// What could be had, and what could not.
#[derive(Default)]
pub(crate) struct Tools {
    variables: Vec<(&'static str, OsString)>,
    skipped: Vec<Skip>,
}

/// A Python with the official SDK in it.
pub(crate) fn python(folder: &Path) -> Result<PathBuf> {
    python::get(&folder.join("venv"), python::SDK)
}

fn schemathesis(folder: &Path) -> Result<PathBuf> {
    let python = python::get(&folder.join("schemathesis"), python::SCHEMATHESIS)?;
    Ok(python.with_file_name("schemathesis"))
}

impl Tools {
    /// Makes or finds every tool; `folder` keeps what was made, so that the second time is quick.
    pub(crate) fn get(folder: &Path) -> Self {
        let mut tools = Self::default();
        tools.add(
            "sdk and Python verifiers",
            &[PYTHON, VERIFIER_PYTHON],
            "Python",
            python(folder),
        );
        tools.add(
            "servers by their OpenAPI documents",
            &[SCHEMATHESIS],
            "schemathesis",
            schemathesis(folder),
        );
        tools.add(
            "browser",
            &[NODE_PATH],
            "playwright-core",
            node::get(&folder.join("node")),
        );
        tools.add("browser", &[CHROMIUM], "Chromium", chromium::get());
        tools.add("crash points", &[STRACE], "strace", strace::get());
        tools
    }

    /// Names and values that the tests look at. A tool that could not be had has none.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &OsString)> {
        self.variables.iter().map(|(name, value)| (*name, value))
    }

    pub(crate) fn skipped(&self) -> &[Skip] {
        &self.skipped
    }

    fn add(
        &mut self,
        what: &'static str,
        variables: &[&'static str],
        tool: &str,
        got: Result<PathBuf>,
    ) {
        match got {
            Ok(path) => {
                say(format!("{tool}: {}", path.display()));
                let named = variables.iter().map(|name| (*name, path.clone().into()));
                self.variables.extend(named);
            }
            Err(error) => {
                say(format!("{tool}: not to be had: {error:#}"));
                // A group that lacks two tools is skipped once; the first reason names it.
                if self.skipped.iter().all(|skip| skip.what != what) {
                    let why = error
                        .to_string()
                        .lines()
                        .next()
                        .unwrap_or_default()
                        .to_owned();
                    self.skipped.push(Skip { what, why });
                }
            }
        }
    }
}
