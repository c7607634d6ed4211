//! Puts a client together: where to, as whom, how patiently and how fast.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::address::{base_url, is_loopback, without_slash};
use crate::build_error::BuildError;
use crate::client::{Client, Shared};
use crate::credentials::{Authorizer, Credentials, reason_against};
use crate::manager::RunnerToken;
use crate::rate::{RateLimits, Rates};
use crate::retry::{Chance, RetryPolicy};
use crate::secrets::Secrets;
use crate::transport::Transport;
use crate::types::TeamId;

/// Where Fleet's own service is.
pub const DEFAULT_BASE_URL: &str = "https://orchestrator.fleetai.com";

/// The largest answer that is read, after decompression.
pub const DEFAULT_MAX_BODY: usize = 16 * 1024 * 1024;

/// Idle connections are dropped before common servers drop them, so that a request does not meet a
/// connection that is just being closed.
const POOL_IDLE: Duration = Duration::from_secs(30);

/// How long a call and its parts may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Opening a connection.
    pub connect: Duration,
    /// One attempt, from sending to the last byte of the answer.
    pub attempt: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// A call with all its attempts and waits.
    pub call: Duration,
    /// One attempt of a heartbeat, which is worth nothing when it is late.
    pub heartbeat: Duration,
    /// Between two looks at an instance that is still on its way.
    pub poll: Duration,
}

impl Default for Timeouts {
    /// A minute an attempt and three minutes a call; heartbeats 10 s, at the shortest interval of
    /// 30 s enough for two attempts before the next is due; a look at pending instances every 5 s.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            attempt: Duration::from_mins(1),
            idle: Duration::from_secs(30),
            call: Duration::from_mins(3),
            heartbeat: Duration::from_secs(10),
            poll: Duration::from_secs(5),
        }
    }
}

/// Settings of a [`Client`]; start with [`Client::builder`].
#[derive(Clone)]
pub struct ClientBuilder {
    credentials: Credentials,
    base_url: String,
    auth_base_url: Option<String>,
    judge_token: Option<SecretString>,
    cost_team_id: Option<TeamId>,
    user_agent: String,
    timeouts: Timeouts,
    retry: RetryPolicy,
    rates: RateLimits,
    max_body: usize,
    runner_token: Option<SecretString>,
}

impl ClientBuilder {
    pub(crate) fn with(credentials: Credentials) -> Self {
        Self {
            credentials,
            base_url: DEFAULT_BASE_URL.to_owned(),
            auth_base_url: None,
            judge_token: None,
            cost_team_id: None,
            user_agent: concat!("fleet-api/", env!("CARGO_PKG_VERSION")).to_owned(),
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
            rates: RateLimits::default(),
            max_body: DEFAULT_MAX_BODY,
            runner_token: None,
        }
    }

    /// The service; slashes at the end are dropped. Default: [`DEFAULT_BASE_URL`].
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// Where the token of a login is refreshed. Default: the service itself.
    pub fn auth_base_url(mut self, url: impl Into<String>) -> Self {
        self.auth_base_url = Some(url.into());
        self
    }

    /// The judge's own token, sent with gradings and summaries and nothing else.
    pub fn judge_token(mut self, token: SecretString) -> Self {
        self.judge_token = Some(token);
        self
    }

    /// The team that pays for gradings, where it is not the credential's.
    pub fn cost_team_id(mut self, team: impl Into<TeamId>) -> Self {
        self.cost_team_id = Some(team.into());
        self
    }

    /// As whom the client will speak.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The `User-Agent` header.
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// How long calls may take.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// How failed attempts are repeated.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// How many requests are sent per second.
    pub fn rate_limits(mut self, limits: RateLimits) -> Self {
        self.rates = limits;
        self
    }

    /// The largest answer that is read, in bytes after decompression.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// The token for the managers of instances. Without one the client takes the environment
    /// variable `RUNNER_AUTH_TOKEN`, else asks the service when it first needs it.
    pub fn runner_token(mut self, token: SecretString) -> Self {
        self.runner_token = Some(token);
        self
    }

    /// Builds the client. Nothing is sent.
    pub fn build(self) -> Result<Client, BuildError> {
        let base = base_url(&self.base_url)?;
        let auth_base = match &self.auth_base_url {
            Some(url) => base_url(url)?,
            None => base.clone(),
        };
        if let Credentials::Login(login) = &self.credentials {
            let elsewhere = [&base, &auth_base]
                .into_iter()
                .find(|url| !login.may_be_shown_to(url.as_str()));
            if let Some(url) = elsewhere {
                let url = without_slash(url);
                return Err(BuildError::LoginElsewhere { url });
            }
        }
        let authorizer = Authorizer::new(&self.credentials, without_slash(&auth_base))?;
        self.check()?;
        let http = self.http(&base)?;
        Ok(Client::from_shared(Arc::new(Shared {
            base: without_slash(&base),
            secrets: Secrets::new(
                self.credentials
                    .secrets()
                    .chain(&self.judge_token)
                    .cloned()
                    .collect(),
            ),
            authorizer,
            judge_token: self.judge_token,
            cost_team_id: self.cost_team_id,
            transport: Transport {
                http,
                idle_timeout: self.timeouts.idle,
                max_body: self.max_body,
            },
            rates: Rates::new(self.rates),
            retry: RetryPolicy {
                max_attempts: self.retry.max_attempts.max(1),
                ..self.retry
            },
            timeouts: self.timeouts,
            chance: Chance::new(),
            runner_token: RunnerToken::new(self.runner_token),
        })))
    }
    fn check(&self) -> Result<(), BuildError> {
        if let Some(reason) = self
            .judge_token
            .as_ref()
            .and_then(|token| reason_against(token.expose_secret()))
        {
            return Err(BuildError::JudgeToken { reason });
        }
        if let Some(reason) = self
            .cost_team_id
            .as_ref()
            .and_then(|team| reason_against(team.as_str()))
        {
            return Err(BuildError::CostTeam { reason });
        }
        for rate in [
            self.rates.requests_per_second,
            self.rates.creates_per_second,
        ]
        .into_iter()
        .flatten()
        {
            if !(rate.is_finite() && (1e-6..=1e6).contains(&rate)) {
                return Err(BuildError::Rate { rate });
            }
        }
        Ok(())
    }

    fn http(&self, base: &Url) -> Result<reqwest::Client, BuildError> {
        // TLS needs a provider for the whole process. Somebody may have chosen one before: then
        // theirs is used, and the error says no more than that.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .user_agent(&self.user_agent)
            .connect_timeout(self.timeouts.connect)
            .pool_idle_timeout(POOL_IDLE)
            // A redirected request would carry the key to another place.
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(base) {
            http = http.no_proxy();
        }
        http.build().map_err(|source| BuildError::Http { source })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("credentials", &self.credentials)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(url: &str, key: &str) -> Result<Client, BuildError> {
        Client::builder(SecretString::from(key))
            .base_url(url)
            .build()
    }

    #[test]
    fn slashes_at_the_end_do_not_double() {
        for url in [
            "http://127.0.0.1:1",
            "http://127.0.0.1:1/",
            "http://127.0.0.1:1//",
        ] {
            assert_eq!(build(url, "k").unwrap().base_url(), "http://127.0.0.1:1");
        }
        assert_eq!(
            build("https://host/fleet/", "k").unwrap().base_url(),
            "https://host/fleet"
        );
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for url in [
            "",
            "localhost:80",
            "ftp://host",
            "http://",
            "http://host?x",
            "http://host#x",
        ] {
            assert!(
                matches!(build(url, "k"), Err(BuildError::BaseUrl { .. })),
                "{url}"
            );
        }
        let error = build("http://me:hunter2@host", "k").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn a_key_that_cannot_be_sent_is_refused_without_being_shown() {
        for key in ["", "  ", "hunter2\nX: y", "hunter2\0"] {
            let error = build("http://host", key).unwrap_err();
            assert!(matches!(error, BuildError::ApiKey { .. }), "{key:?}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
        assert!(build("http://host", " k\n").is_ok());
    }

    #[test]
    fn a_rate_of_nothing_is_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let limits = RateLimits {
                creates_per_second: Some(rate),
                ..RateLimits::none()
            };
            let built = Client::builder("k".into()).rate_limits(limits).build();
            assert!(matches!(built, Err(BuildError::Rate { .. })), "{rate}");
        }
    }
}
