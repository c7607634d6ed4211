//! The client: one pool, one credential, one set of limits for all calls.
//!
//! How a call is made is in `attempts`, what it sends in [`crate::request`]; the methods for callers are in `endpoints`,
//! `create` and `verify`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

use crate::build_error::BuildError;
use crate::builder::{ClientBuilder, Timeouts};
use crate::call::{Call, CallLimits};
use crate::credentials::{Authorizer, Credentials, Login, builder_from};
use crate::manager::RunnerToken;
use crate::rate::Rates;
use crate::retry::{Chance, RetryPolicy};
use crate::secrets::Secrets;
use crate::transport::Transport;
use crate::types::TeamId;

/// A client of a Fleet service. Clones are cheap and share connections, rates and pauses.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    limits: CallLimits,
}

pub(crate) struct Shared {
    pub(crate) base: String,
    /// What must not be shown, should the service quote it.
    pub(crate) secrets: Secrets,
    pub(crate) authorizer: Authorizer,
    pub(crate) judge_token: Option<SecretString>,
    pub(crate) cost_team_id: Option<TeamId>,
    pub(crate) transport: Transport,
    pub(crate) rates: Rates,
    pub(crate) retry: RetryPolicy,
    pub(crate) timeouts: Timeouts,
    pub(crate) chance: Chance,
    pub(crate) runner_token: RunnerToken,
}

impl Client {
    /// Settings for a client with this key.
    ///
    /// ```
    /// use fleet_api::{Client, RateLimits};
    ///
    /// let fleet = Client::builder("sk_example".into())
    ///     .base_url("http://127.0.0.1:8899/")
    ///     .rate_limits(RateLimits::none())
    ///     .build()?;
    /// assert_eq!(fleet.base_url(), "http://127.0.0.1:8899");
    /// # Ok::<(), fleet_api::BuildError>(())
    /// ```
    pub fn builder(api_key: SecretString) -> ClientBuilder {
        ClientBuilder::with(Credentials::ApiKey(api_key))
    }

    /// Settings for a client with another credential than a key.
    ///
    /// ```no_run
    /// use fleet_api::{Client, Login};
    ///
    /// let login = Login::in_home().expect("a home folder");
    /// let fleet = Client::builder_with(login).build()?;
    /// # Ok::<(), fleet_api::BuildError>(())
    /// ```
    pub fn builder_with(credentials: impl Into<Credentials>) -> ClientBuilder {
        ClientBuilder::with(credentials.into())
    }

    /// Settings as the environment gives them: `FLEET_API_KEY`, or else the login in
    /// `~/.fleet/credentials.json`, which is shown to the hosted service alone; `FLEET_BASE_URL`;
    /// `FLEET_JUDGE_TOKEN` and `FLEET_COST_TEAM_ID`. Logins are refreshed at the first of
    /// `FLEET_AUTH_BASE_URL`, `FLEET_BASE_URL` and `FLEET_TRACK_BASE_URL` that is set.
    pub fn builder_from_env() -> Result<ClientBuilder, BuildError> {
        builder_from(|name| std::env::var(name).ok(), Login::in_home())
    }

    /// A client as the environment describes it; see [`Client::builder_from_env`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let fleet = fleet_api::Client::from_env()?;
    /// println!("{}", fleet.account().await?.team_name);
    /// # Ok(()) }
    /// ```
    pub fn from_env() -> Result<Self, BuildError> {
        Self::builder_from_env()?.build()
    }

    pub(crate) fn from_shared(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            limits: CallLimits::default(),
        }
    }

    /// The service, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.shared.base
    }

    /// The same client with other limits for its calls.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client, id: fleet_api::types::InstanceId) -> Result<(), fleet_api::Error> {
    /// use std::time::Duration;
    /// use fleet_api::CallLimits;
    ///
    /// let quick = CallLimits::attempts(2).within(Duration::from_secs(5));
    /// fleet.limited(quick).close_instance(&id).await?;
    /// # Ok(()) }
    /// ```
    pub fn limited(&self, limits: CallLimits) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            limits,
        }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn timeouts(&self) -> &Timeouts {
        &self.shared.timeouts
    }

    /// A call of ordinary length.
    pub(crate) fn begin(&self) -> Call {
        let timeouts = self.timeouts();
        self.begin_long(timeouts.attempt, timeouts.call)
    }

    /// A call that takes longer (or shorter) than others by its nature.
    pub(crate) fn begin_long(&self, attempt: Duration, total: Duration) -> Call {
        let begun = Instant::now();
        Call {
            begun,
            deadline: begun + self.limits.deadline.unwrap_or(total),
            attempt,
            attempts: self
                .limits
                .attempts
                .unwrap_or(self.shared.retry.max_attempts)
                .max(1),
        }
    }

    /// The deadline that the caller set, if any.
    pub(crate) fn deadline_limit(&self) -> Option<Duration> {
        self.limits.deadline
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.shared.base)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
