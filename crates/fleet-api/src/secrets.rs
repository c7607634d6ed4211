//! The secrets that a client was given or came to know, masked in whatever it quotes of an answer.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use redact::Redactor;
use secrecy::{ExposeSecret, SecretString};

/// Secrets that come and go (refreshed tokens, runner tokens, keys lent to a job) are remembered up to this many. Far
/// more than are alive at any time; a client that lives for months must not collect every token that it ever had.
const MAX_PASSING: usize = 32;

/// Knows what must not be shown. `Debug` shows none of it.
#[derive(Default)]
pub(crate) struct Secrets(RwLock<Known>);

#[derive(Default)]
struct Known {
    lasting: Vec<SecretString>,
    passing: Vec<SecretString>,
    redactor: Redactor,
}

impl Secrets {
    /// Knows `lasting` for as long as it lives.
    pub(crate) fn new(lasting: Vec<SecretString>) -> Self {
        let mut known = Known {
            lasting,
            ..Known::default()
        };
        known.look_again();
        Self(RwLock::new(known))
    }

    /// From now on `secret` is masked as well, until many others were learned after it.
    pub(crate) fn learn(&self, secret: &str) {
        let is_known = |known: &Known| {
            let mut all = known.lasting.iter().chain(&known.passing);
            all.any(|other| other.expose_secret() == secret)
        };
        if secret.is_empty() || is_known(&self.0.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.passing.len() == MAX_PASSING {
            known.passing.remove(0);
        }
        known.passing.push(secret.into());
        known.look_again();
    }

    /// `text` without any secret, should the service have quoted one.
    pub(crate) fn mask(&self, text: &str) -> String {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.redactor.text(text).into_owned()
    }
}

impl Known {
    fn look_again(&mut self) {
        let all = self.lasting.iter().chain(&self.passing);
        self.redactor = Redactor::new(all.map(ExposeSecret::expose_secret));
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_learned_is_masked_and_the_first_secrets_are_never_forgotten() {
        let secrets = Secrets::new(vec!["first-secret".into()]);
        for n in 0..=MAX_PASSING {
            secrets.learn(&format!("passing-secret-{n:03}."));
        }
        assert_eq!(
            secrets.mask("first-secret, passing-secret-032., passing-secret-000."),
            "***, ***, passing-secret-000."
        );
        assert!(!format!("{secrets:?}").contains("secret-"));
    }

    #[test]
    fn nothing_is_not_a_secret() {
        let secrets = Secrets::new(Vec::new());
        secrets.learn("");
        assert_eq!(secrets.mask("a b"), "a b");
    }
}
