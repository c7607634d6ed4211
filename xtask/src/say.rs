//! The one place of xtask that prints.

use std::fmt::Display;

/// A line for the person who started the command.
#[expect(
    clippy::print_stderr,
    reason = "a development command talks to its user, and nowhere else"
)]
pub(crate) fn say(line: impl Display) {
    eprintln!("{line}");
}

/// The headline of a step.
pub(crate) fn step(name: impl Display) {
    say(format!("--- {name}"));
}
