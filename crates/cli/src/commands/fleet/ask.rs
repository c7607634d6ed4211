//! Asks before something is done that cannot be undone.

use super::args::Yes;
use super::failed::Failed;
use super::output::Output;

/// Whether to go on. `--yes` answers; else the person at the terminal does; else nobody can, and that is an error.
pub(super) fn confirmed(question: &str, yes: &Yes, out: Output) -> Result<bool, Failed> {
    if yes.yes {
        return Ok(true);
    }
    if !out.printer.can_ask() {
        return Err(
            Failed::usage(format!("nobody can be asked here: {question}"))
                .help("--yes says so in advance"),
        );
    }
    if out.printer.confirm(question) {
        return Ok(true);
    }
    out.printer.say("nothing was changed");
    Ok(false)
}
