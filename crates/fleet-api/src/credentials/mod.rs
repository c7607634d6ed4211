//! As whom a client speaks: an API key, a token of a person, or what `flt login` left in the home folder.

mod authorizer;
mod environment;
mod jwt;
mod login;

use std::fmt;

use secrecy::SecretString;

use crate::types::TeamId;

pub(crate) use authorizer::{Authorizer, reason_against};
pub(crate) use environment::builder_from;
pub use login::Login;

/// As whom a client speaks.
///
/// `Debug` shows the kind and never a secret.
#[derive(Clone)]
#[non_exhaustive]
pub enum Credentials {
    /// A key of a team, sent as `Authorization: Bearer …`.
    ApiKey(SecretString),
    /// A person's token, sent as `X-JWT-Token` with `X-Team-ID`. It is used until the service refuses it.
    Jwt {
        /// The token.
        token: SecretString,
        /// The team for which the person acts.
        team_id: TeamId,
    },
    /// The token of a login, read again for each request and refreshed shortly before it expires.
    Login(Login),
}

impl Credentials {
    /// What must not be shown. A login's tokens become known when they are read.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        let secret = match self {
            Self::ApiKey(secret) | Self::Jwt { token: secret, .. } => Some(secret),
            Self::Login(_) => None,
        };
        secret.into_iter()
    }
}

impl From<SecretString> for Credentials {
    fn from(key: SecretString) -> Self {
        Self::ApiKey(key)
    }
}

impl From<Login> for Credentials {
    fn from(login: Login) -> Self {
        Self::Login(login)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(_) => f.write_str("ApiKey(***)"),
            Self::Jwt { team_id, .. } => f
                .debug_struct("Jwt")
                .field("team_id", team_id)
                .finish_non_exhaustive(),
            Self::Login(login) => f.debug_tuple("Login").field(login).finish(),
        }
    }
}
