//! Why a client could not be put together.

use std::path::{Path, PathBuf};

/// A client that cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is nothing to speak as.
    #[error("there is no credential for Fleet: set FLEET_API_KEY, or run `flt login`{}", looked_for(path.as_deref()))]
    NoCredentials {
        /// The login that was looked for.
        path: Option<PathBuf>,
    },
    /// The login that was found is for the hosted service; this one would be asked with it, or refresh its token.
    #[error(
        "the login of `flt login` is not shown to {url}: set FLEET_API_KEY for it, or name the login with `Client::builder_with`"
    )]
    LoginElsewhere {
        /// The service that was asked for.
        url: String,
    },
    /// A person's token cannot be sent.
    #[error("the Fleet token cannot be used: {reason}")]
    Token {
        /// What is wrong; never the token.
        reason: &'static str,
    },
    /// The judge's token cannot be sent.
    #[error("the judge's token cannot be used: {reason}")]
    JudgeToken {
        /// What is wrong; never the token.
        reason: &'static str,
    },
    /// The team that pays for the judge cannot be named in a header.
    #[error("the cost team id cannot be used: {reason}")]
    CostTeam {
        /// What is wrong.
        reason: &'static str,
    },
    /// The base URL is no address of a service.
    #[error("the Fleet URL {url:?} cannot be used: {reason}")]
    BaseUrl {
        /// The URL, without credentials.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The API key cannot be sent.
    #[error("the Fleet API key cannot be used: {reason}")]
    ApiKey {
        /// What is wrong; never the key.
        reason: &'static str,
    },
    /// A rate is zero, negative or not a number.
    #[error("the rate limit of {rate} per second cannot be used")]
    Rate {
        /// The rate.
        rate: f64,
    },
    /// The system's HTTP or TLS set-up does not work.
    #[error("the HTTP client could not be set up")]
    Http {
        /// Why.
        source: reqwest::Error,
    },
}

fn looked_for(path: Option<&Path>) -> String {
    path.map_or_else(String::new, |path| {
        format!(" (there is no {})", path.display())
    })
}
