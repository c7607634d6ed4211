//! Sends one attempt of a request and reads its answer within limits of time and size.
//!
//! It does not repeat anything and does not know what an answer means.

use std::time::Duration;

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use jiff::Timestamp;
use reqwest::Response;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use crate::error::{Awaited, ErrorKind};
use crate::request::ApiRequest;
use crate::retry::parse_retry_after;
use crate::types::RequestId;

/// How this client names itself; the official ones use the same header.
const LANGUAGE: HeaderValue = HeaderValue::from_static("Rust");
const VERSION: HeaderValue = HeaderValue::from_static(env!("CARGO_PKG_VERSION"));

/// How much of an error answer is read. Enough for every message worth showing; the rest of a page
/// of HTML is not worth waiting for.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// What stays the same over all attempts of a call.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    /// Absent where the other side does not know the header.
    pub(crate) request_id: Option<RequestId>,
    pub(crate) at: Timestamp,
    pub(crate) caller: Caller,
}

/// As whom a request is sent.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// The account, to the service: its credential, and the time of the call.
    Account,
    /// Nobody in particular, to the manager of an instance: the runner token, where there is one.
    Runner(Option<HeaderValue>),
}

impl Stamp {
    pub(crate) fn account(request_id: Option<RequestId>) -> Self {
        Self {
            request_id,
            at: Timestamp::now(),
            caller: Caller::Account,
        }
    }

    pub(crate) fn runner(token: Option<HeaderValue>) -> Self {
        Self {
            request_id: None,
            at: Timestamp::now(),
            caller: Caller::Runner(token),
        }
    }
}

/// A complete answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

/// An attempt without a complete answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    /// The status, when the answer had begun.
    pub(crate) status: Option<u16>,
    /// Whether the service may have acted on the request.
    pub(crate) may_have_arrived: bool,
}

/// The connection pool and the limits of one client.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) http: reqwest::Client,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_body: usize,
}

impl Transport {
    /// Sends `request` once, as who `identity` says, and reads the answer, until `deadline` at the latest.
    pub(crate) async fn send(
        &self,
        request: &ApiRequest,
        base: &str,
        identity: &HeaderMap,
        stamp: &Stamp,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let begun = Instant::now();
        let too_late = |awaited| Failure {
            kind: ErrorKind::Timeout {
                after: begun.elapsed(),
                awaited,
            },
            status: None,
            may_have_arrived: true,
        };
        let sending = self.build(request, base, identity, stamp).send();
        let response = match timeout_at(deadline, sending).await {
            Err(_) => return Err(too_late(Awaited::Answer)),
            Ok(Err(error)) => return Err(network("the request could not be sent", error)),
            Ok(Ok(response)) => response,
        };
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        match timeout_at(deadline, self.read(response)).await {
            Err(_) => Err(Failure {
                status: Some(status),
                ..too_late(Awaited::RestOfAnswer)
            }),
            Ok(Err(failure)) => Err(Failure {
                status: Some(status),
                ..failure
            }),
            Ok(Ok(body)) => Ok(Answer {
                status,
                retry_after,
                body,
            }),
        }
    }

    fn build(
        &self,
        request: &ApiRequest,
        base: &str,
        identity: &HeaderMap,
        stamp: &Stamp,
    ) -> reqwest::RequestBuilder {
        let mut url = Url::parse(&format!("{base}{}", request.path))
            .expect("the base was parsed when the client was built, and ids are checked");
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let mut builder = self
            .http
            .request(request.method.clone(), url)
            .headers(identity.clone())
            .headers(request.headers.clone())
            .header("X-Fleet-SDK-Language", LANGUAGE)
            .header("X-Fleet-SDK-Version", VERSION);
        builder = match &stamp.caller {
            Caller::Account => builder.header("X-Request-Timestamp", stamp.at.as_millisecond()),
            Caller::Runner(Some(token)) => builder.header("X-Runner-Token", token.clone()),
            Caller::Runner(None) => builder,
        };
        if let Some(request_id) = stamp.request_id {
            builder = builder.header("X-Request-ID", request_id.to_string());
        }
        if let Some(body) = &request.body {
            builder = builder
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone());
        }
        builder
    }

    /// Reads the body piece by piece. Sizes are those after decompression: the pieces come out of
    /// the decoder, so a small answer that grows without end is cut as well.
    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let is_error = response.status().as_u16() >= 400;
        let mut body = Vec::new();
        loop {
            let begun = Instant::now();
            let piece = match timeout(self.idle_timeout, response.chunk()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) => return Ok(body),
                // What arrived of an error's text is enough: the status is what counts.
                _ if is_error => return Ok(body),
                Ok(Err(error)) => return Err(network("the answer broke off", error)),
                Err(_) => {
                    let (after, awaited) = (begun.elapsed(), Awaited::RestOfAnswer);
                    return Err(failure(ErrorKind::Timeout { after, awaited }));
                }
            };
            if is_error && body.len() + piece.len() > MAX_ERROR_BODY {
                body.extend_from_slice(&piece[..MAX_ERROR_BODY - body.len()]);
                return Ok(body);
            }
            if body.len() + piece.len() > self.max_body {
                return Err(failure(ErrorKind::BodyTooLarge {
                    limit: self.max_body,
                }));
            }
            body.extend_from_slice(&piece);
        }
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    parse_retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, Timestamp::now())
}

fn failure(kind: ErrorKind) -> Failure {
    Failure {
        kind,
        status: None,
        may_have_arrived: true,
    }
}

fn network(what: &'static str, error: reqwest::Error) -> Failure {
    // Without a connection nothing was sent; after that, nobody knows.
    let may_have_arrived = !error.is_connect() && !error.is_builder();
    let what = if error.is_connect() {
        "the service cannot be reached"
    } else {
        what
    };
    let source = Box::new(error.without_url());
    Failure {
        kind: ErrorKind::Network { what, source },
        status: None,
        may_have_arrived,
    }
}
