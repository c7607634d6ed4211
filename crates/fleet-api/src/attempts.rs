//! The one loop that repeats failed attempts, and what a failed attempt means for the next one.

use std::time::Duration;

use http::HeaderMap;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};

use crate::call::Call;
use crate::classify::{Verdict, classify};
use crate::client::{Client, Shared};
use crate::error::{Awaited, Error, ErrorKind, is_retryable_status};
use crate::request::{ApiRequest, Repeat};
use crate::text::excerpt;
use crate::transport::{Answer, Caller, Failure, Stamp};
use crate::types::RequestId;

impl Client {
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
        self.run_at(&self.shared().base, request, call, request_id)
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
            self.shared()
                .secrets
                .learn(&String::from_utf8_lossy(token.as_bytes()));
        }
        let mut attempt = 0;
        let mut may_have_acted = false;
        let mut last: Option<Error> = None;
        loop {
            if timeout_at(call.deadline, self.shared().rates.wait(request.lane))
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
                self.shared()
                    .retry
                    .delay(attempt, failed.retry_after, self.shared().chance.next());
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
            .shared()
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
        } = self.shared();
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
            self.shared().rates.pause(time);
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
        self.shared().secrets.mask(text)
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
