//! How a command ends when it does not succeed: a message for people and an exit code for programs.

use run_record::ExitCode;

/// A command that did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: ExitCode,
    /// Complete text, as it is printed: one or more lines, without a trailing newline.
    pub(crate) message: String,
}

/// What a command answers with.
pub(crate) type Outcome = Result<ExitCode, Failure>;

impl Failure {
    /// A mistake in what was asked for: nothing was provisioned.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: ExitCode::Usage,
            message: message.into(),
        }
    }

    /// Something that stops the command although it was asked for properly.
    pub(crate) fn fatal(message: impl Into<String>) -> Self {
        Self {
            exit: ExitCode::Fatal,
            message: message.into(),
        }
    }

    /// The same failure with the next thing to do.
    pub(crate) fn hint(mut self, hint: impl AsRef<str>) -> Self {
        self.message.push_str("\nhelp: ");
        self.message.push_str(hint.as_ref());
        self
    }
}

/// An error and its causes: `error: what: why: why`.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    format!("error: {text}")
}
