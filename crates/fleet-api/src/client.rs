//! The client: one pool, one set of limits, and the one loop that repeats failed attempts.
//!
//! What each call sends stands in [`crate::request`]; the methods for callers in `endpoints`,
//! `create` and `verify`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};

use crate::builder::{BuildError, ClientBuilder, Timeouts};
use crate::classify::{Verdict, classify};
use crate::credentials::{Authorizer, Credentials, Login, builder_from};
use crate::error::{Awaited, Error, ErrorKind, is_retryable_status};
use crate::manager::RunnerToken;
use crate::rate::Rates;
use crate::request::{ApiRequest, Repeat};
use crate::retry::{Chance, RetryPolicy};
use crate::secrets::Secrets;
use crate::text::excerpt;
use crate::transport::{Answer, Caller, Failure, Stamp, Transport};
use crate::types::{RequestId, TeamId};

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

/// Limits of single calls that differ from the client's own; see [`Client::limited`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallLimits {
    /// Attempts of each request, at least one.
    pub attempts: Option<u32>,
    /// A call with everything it does: queues, attempts, waits, polling.
    pub deadline: Option<Duration>,
}

impl CallLimits {
    /// At most this many attempts.
    pub fn attempts(attempts: u32) -> Self {
        Self {
            attempts: Some(attempts),
            deadline: None,
        }
    }

    /// At most this long.
    pub fn deadline(deadline: Duration) -> Self {
        Self {
            attempts: None,
            deadline: Some(deadline),
        }
    }

    /// These limits and at most this long.
    pub fn within(self, deadline: Duration) -> Self {
        Self {
            deadline: Some(deadline),
            ..self
        }
    }
}

/// A logical call: what it may use up, over all the requests it makes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) begun: Instant,
    pub(crate) deadline: Instant,
    pub(crate) attempt: Duration,
    pub(crate) attempts: u32,
}

impl Call {
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
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

    /// Makes a call of one request under an id of its own.
    pub(crate) async fn read<T: DeserializeOwned>(&self, request: ApiRequest) -> Result<T, Error> {
        self.run(&request, self.begin(), RequestId::new()).await
    }

    /// Sends `request` until it succeeds, fails for good, or `call` is used up.
    pub(crate) async fn run<T: DeserializeOwned>(
        &self,
        request: &ApiRequest,
        call: Call,
        request_id: RequestId,
    ) -> Result<T, Error> {
        self.run_at(&self.shared.base, request, call, request_id)
            .await
    }

    /// As [`Client::run`], at another base URL.
    pub(crate) async fn run_at<T: DeserializeOwned>(
        &self,
        base: &str,
        request: &ApiRequest,
        call: Call,
        request_id: RequestId,
    ) -> Result<T, Error> {
        let stamp = Stamp::account(Some(request_id));
        self.run_as(base, request, call, &stamp, decode_json).await
    }

    /// As [`Client::run_at`], as somebody else and with another reading of a success.
    pub(crate) async fn run_as<T>(
        &self,
        base: &str,
        request: &ApiRequest,
        call: Call,
        stamp: &Stamp,
        decode: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<T, Error> {
        if let Caller::Runner(Some(token)) = &stamp.caller {
            self.shared
                .secrets
                .learn(&String::from_utf8_lossy(token.as_bytes()));
        }
        let mut attempt = 0;
        let mut may_have_acted = false;
        let mut last: Option<Error> = None;
        loop {
            if timeout_at(call.deadline, self.shared.rates.wait(request.lane))
                .await
                .is_err()
            {
                return Err(last.unwrap_or_else(|| {
                    let kind = ErrorKind::Timeout {
                        after: call.begun.elapsed(),
                        awaited: Awaited::Turn,
                    };
                    Error::new(request.operation, kind).with_attempts(attempt, stamp.request_id)
                }));
            }
            attempt += 1;
            let outcome = self.attempt(base, request, call, stamp, &decode).await;
            let failed = match outcome {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            may_have_acted |= failed.may_have_acted && request.repeat != Repeat::Harmless;
            let error = failed
                .error
                .with_attempts(attempt, stamp.request_id)
                .with_ambiguous(may_have_acted);
            let may_repeat = failed.repeatable
                && match request.repeat {
                    Repeat::Harmless | Repeat::SameId => true,
                    Repeat::Unacted => !failed.may_have_acted,
                    Repeat::Never => false,
                };
            if !may_repeat || attempt >= call.attempts {
                return Err(error);
            }
            let delay =
                self.shared
                    .retry
                    .delay(attempt, failed.retry_after, self.shared.chance.next());
            if delay >= call.remaining() {
                return Err(error);
            }
            warn!(
                operation = request.operation, request_id = ?stamp.request_id, attempt,
                delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
                "trying again: {}", error.kind()
            );
            last = Some(error);
            tokio::time::sleep(delay).await;
        }
    }

    async fn attempt<T>(
        &self,
        base: &str,
        request: &ApiRequest,
        call: Call,
        stamp: &Stamp,
        decode: &impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<T, FailedAttempt> {
        let deadline = call.deadline.min(Instant::now() + call.attempt);
        let operation = request.operation;
        let identity = self.identity(request, &stamp.caller, deadline).await?;
        let answer = match self
            .shared
            .transport
            .send(request, base, &identity, stamp, deadline)
            .await
        {
            Ok(answer) => answer,
            Err(Failure {
                kind,
                status,
                may_have_arrived,
            }) => {
                let repeatable = !matches!(kind, ErrorKind::BodyTooLarge { .. });
                return Err(FailedAttempt {
                    error: Error::new(operation, kind).with_status(status),
                    repeatable,
                    retry_after: None,
                    may_have_acted: may_have_arrived,
                });
            }
        };
        debug!(operation, request_id = ?stamp.request_id, status = answer.status, "answered");
        if (200..300).contains(&answer.status) {
            decode(&answer.body).map_err(|reason| self.undecodable(request, &answer, &reason))
        } else {
            Err(self.refused(request, &answer, &stamp.caller))
        }
    }

    /// The headers that name the caller: of the account on its own requests, of nobody elsewhere.
    async fn identity(
        &self,
        request: &ApiRequest,
        caller: &Caller,
        deadline: Instant,
    ) -> Result<HeaderMap, FailedAttempt> {
        if request.anonymous || !matches!(caller, Caller::Account) {
            return Ok(HeaderMap::new());
        }
        let Shared {
            authorizer,
            transport,
            secrets,
            ..
        } = &*self.shared;
        let headers = authorizer.headers(transport, secrets, deadline).await;
        headers.map_err(|kind| FailedAttempt {
            repeatable: !matches!(kind, ErrorKind::Credentials { .. }),
            error: Error::new(request.operation, kind),
            retry_after: None,
            may_have_acted: false,
        })
    }

    fn undecodable(&self, request: &ApiRequest, answer: &Answer, reason: &str) -> FailedAttempt {
        let kind = ErrorKind::Undecodable {
            reason: self.mask(reason),
            excerpt: excerpt(&self.mask(&String::from_utf8_lossy(&answer.body))),
        };
        FailedAttempt {
            error: Error::new(request.operation, kind).with_status(Some(answer.status)),
            // A read may have met a proxy's page. Anything else was done: asking again for a
            // better answer could do it twice.
            repeatable: request.repeat == Repeat::Harmless,
            retry_after: None,
            may_have_acted: true,
        }
    }

    fn refused(&self, request: &ApiRequest, answer: &Answer, caller: &Caller) -> FailedAttempt {
        let Answer {
            status,
            retry_after,
            body,
        } = answer;
        let text = self.mask(&String::from_utf8_lossy(body));
        let Verdict {
            kind,
            retryable_by_word,
        } = classify(*status, &text, *retry_after);
        // One instance that is busy says nothing of the service.
        let asks_for_quiet = matches!(status, 429 | 503) && matches!(caller, Caller::Account);
        if let Some(time) = retry_after.filter(|_| asks_for_quiet) {
            warn!(
                operation = request.operation,
                status,
                "the service asks for {} s of quiet",
                time.as_secs_f64()
            );
            self.shared.rates.pause(time);
        }
        // A full quota stays full until somebody closes an instance: that is the caller's to wait for.
        let is_quota = matches!(kind, ErrorKind::InstanceLimit { .. });
        let is_early = *status == 404 && request.retry_not_found;
        FailedAttempt {
            repeatable: !is_quota && (is_retryable_status(*status) || is_early),
            retry_after: *retry_after,
            may_have_acted: *status >= 500,
            error: Error::new(request.operation, kind)
                .with_status(Some(*status))
                .with_retryable_word(retryable_by_word),
        }
    }

    /// `text` without any credential, should somebody have quoted one.
    fn mask(&self, text: &str) -> String {
        self.shared.secrets.mask(text)
    }
}

/// What most successes are read by.
pub(crate) fn decode_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

/// An attempt that did not succeed, and what that means for the next one.
struct FailedAttempt {
    error: Error,
    repeatable: bool,
    retry_after: Option<Duration>,
    may_have_acted: bool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.shared.base)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
