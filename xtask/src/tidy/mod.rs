//! The rules of this repository that no compiler holds, each told with the file and the line that breaks it.

mod crates;
mod links;
mod sources;
mod tracked;

use std::fmt;

use anyhow::{Result, bail};

use crate::reliability;
use crate::say::{say, step};
use crate::workspace::Workspace;

pub(crate) use tracked::{TextFile, files as tracked_files};

/// One broken rule.
pub(crate) struct Violation {
    /// The file, relative to the root, with the line if there is one.
    place: String,
    problem: String,
}

impl Violation {
    pub(crate) fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

/// `cargo xtask tidy`.
pub(crate) fn run() -> Result<()> {
    step("tidy rules");
    check(&Workspace::load()?)
}

/// Checks all rules and names every place that breaks one.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let files = tracked::files(&workspace.root)?;
    let mut violations = crates::check(workspace)?;
    violations.extend(sources::check(&files));
    violations.extend(links::check(&workspace.root, &files));
    violations.extend(reliability::check(&files));
    for violation in &violations {
        say(violation);
    }
    if !violations.is_empty() {
        bail!(
            "{} broken",
            if violations.len() == 1 {
                "one rule is".to_owned()
            } else {
                format!("{} rules are", violations.len())
            }
        );
    }
    say(format!("{} files keep the rules", files.len()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_keeps_its_rules() {
        check(&Workspace::load().unwrap()).unwrap();
    }
}
