//! What this program must not show: one list, and everything that is printed passes by it, panics and complaints
//! about arguments included. What is written into a run's folder is the runner's business.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

use redact::Redactor;
use secrecy::{ExposeSecret, SecretString};

/// Variables that hold a credential of ours, whether or not the command needs it.
const VARIABLES: [&str; 3] = [
    "FLEET_API_KEY",
    "FLEET_JUDGE_TOKEN",
    "HARNESS_LOCAL_API_KEY",
];

/// The option that takes a credential.
const OPTION: &str = "--api-key";

#[derive(Default)]
struct Hidden {
    secrets: Vec<SecretString>,
    redactor: Redactor,
}

static HIDDEN: RwLock<Option<Hidden>> = RwLock::new(None);

/// Hides what is known before anything was read: the credentials of the environment and of the command line.
pub(crate) fn hide_own() {
    let variables = VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
    let arguments: Vec<String> = std::env::args_os()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    hide(variables.chain(of_arguments(&arguments)));
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("<unnamed>");
        crate::display::line(&format!("thread '{name}' {panic}"));
        let trace = std::backtrace::Backtrace::capture();
        if trace.status() == std::backtrace::BacktraceStatus::Captured {
            crate::display::line(&trace.to_string());
        }
    }));
}

/// Hides these too from now on.
pub(crate) fn hide<S: Into<String>>(secrets: impl IntoIterator<Item = S>) {
    let mut hidden = HIDDEN.write().unwrap_or_else(PoisonError::into_inner);
    let hidden = hidden.get_or_insert_default();
    let before = hidden.secrets.len();
    for secret in secrets {
        let secret: String = secret.into();
        let known = |known: &SecretString| known.expose_secret() == secret;
        if !hidden.secrets.iter().any(known) {
            hidden.secrets.push(secret.into());
        }
    }
    if hidden.secrets.len() > before {
        hidden.redactor = Redactor::new(hidden.secrets.iter().map(ExposeSecret::expose_secret));
    }
}

/// `text` as it may be shown.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    redactor().map_or(Cow::Borrowed(text), |known| {
        Cow::Owned(known.text(text).into_owned())
    })
}

/// `bytes` as they may be shown.
pub(crate) fn masked_bytes(bytes: &[u8]) -> Cow<'_, [u8]> {
    redactor().map_or(Cow::Borrowed(bytes), |known| {
        Cow::Owned(known.bytes(bytes).into_owned())
    })
}

fn redactor() -> Option<Redactor> {
    let hidden = HIDDEN.read().unwrap_or_else(PoisonError::into_inner);
    let redactor = hidden.as_ref().map(|hidden| hidden.redactor.clone());
    redactor.filter(|redactor| !redactor.is_empty())
}

/// Every value of [`OPTION`], however the rest of the line is meant: it is wanted for the message that says that it
/// means nothing.
fn of_arguments(arguments: &[String]) -> Vec<String> {
    let mut values = Vec::new();
    for (argument, next) in arguments
        .iter()
        .zip(arguments.iter().skip(1).map(Some).chain([None]))
    {
        if argument == OPTION {
            values.extend(next.cloned());
        } else if let Some(value) = argument
            .strip_prefix(OPTION)
            .and_then(|rest| rest.strip_prefix('='))
        {
            values.push(value.to_owned());
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c4_keys_of_the_command_line_are_known() {
        let line =
            |words: &str| of_arguments(&words.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(line("harness local --api-key abc --port x"), ["abc"]);
        assert_eq!(line("harness local --api-key=abc --api-key"), ["abc"]);
        assert!(line("harness run --api-keys=abc").is_empty());
    }

    #[test]
    fn c4_what_is_hidden_is_not_shown() {
        hide(["hunter2-of-the-cli"]);
        hide(["hunter2-of-the-spec", "hunter2-of-the-cli"]);
        assert_eq!(
            masked("a hunter2-of-the-cli b hunter2-of-the-spec"),
            "a *** b ***"
        );
        assert_eq!(&*masked_bytes(b"hunter2-of-the-spec"), b"***");
        assert_eq!(masked("nothing"), "nothing");
    }
}
