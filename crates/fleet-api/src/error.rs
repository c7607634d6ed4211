//! What can go wrong in a call, sorted by what a caller can do about it.
//!
//! Reading an error answer into one of these is the business of [`crate::classify`].

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::text::one_line;
use crate::types::{InstanceId, InstanceStatus, InvalidId, RequestId};

/// A call to the Fleet API that did not succeed.
///
/// It never contains the API key: answers that quote it are masked before they are kept.
pub struct Error(Box<Inner>);

struct Inner {
    operation: &'static str,
    kind: ErrorKind,
    status: Option<u16>,
    retryable_by_word: bool,
    ambiguous: bool,
    attempts: u32,
    request_id: Option<RequestId>,
    instance_id: Option<InstanceId>,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The team has as many instances as it may have.
    #[error("the instance limit is reached ({} of {} running)", or_unknown(*running), or_unknown(*limit))]
    InstanceLimit {
        /// Instances that live now.
        running: Option<u64>,
        /// How many may.
        limit: Option<u64>,
    },
    /// 401: the service does not know the credential.
    #[error("the service refused the credential: {message}")]
    Authentication {
        /// What the service said.
        message: String,
    },
    /// There is no credential that could be sent, and nothing was sent.
    #[error("{message}")]
    Credentials {
        /// What is missing, and what to do about it.
        message: String,
    },
    /// The judge takes no gradings without its own token, which is not the team's key.
    #[error(
        "the judge refused its token: {message}; set FLEET_JUDGE_TOKEN, or `ClientBuilder::judge_token`"
    )]
    JudgeToken {
        /// What the service said.
        message: String,
    },
    /// 403 for another reason than those below.
    #[error("permission denied: {message}")]
    Permission {
        /// What the service said.
        message: String,
    },
    /// 403: the credential belongs to no known team.
    #[error("the team was not found: {message}")]
    TeamNotFound {
        /// What the service said.
        message: String,
    },
    /// 403: the team may not use this environment.
    #[error("no access to the environment: {message}")]
    EnvironmentAccess {
        /// The environment, where it was named.
        env_key: Option<String>,
        /// What the service said.
        message: String,
    },
    /// 400: the region does not exist or cannot be used.
    #[error("the region cannot be used: {message}")]
    Region {
        /// The region, where it was named.
        region: Option<String>,
        /// Regions that can be used, where they were named.
        supported: Vec<String>,
        /// What the service said.
        message: String,
    },
    /// 400: there is no such environment.
    #[error("the environment was not found: {message}")]
    EnvironmentNotFound {
        /// The environment, where it was named.
        env_key: Option<String>,
        /// What the service said.
        message: String,
    },
    /// 400: the environment has no such version.
    #[error("the version was not found: {message}")]
    VersionNotFound {
        /// The version, where it was named.
        version: Option<String>,
        /// The environment, where it was named.
        env_key: Option<String>,
        /// What the service said.
        message: String,
    },
    /// 400 for another reason.
    #[error("the request was refused: {message}")]
    BadRequest {
        /// What the service said.
        message: String,
    },
    /// 409, or an instance that ended while its creation was awaited.
    #[error("conflict: {message}")]
    Conflict {
        /// The instance that exists already.
        instance_id: Option<InstanceId>,
        /// Whether the service had seen this request id before, and `instance_id` is its outcome.
        duplicate_request: bool,
        /// What the conflict is about, where it was named.
        resource: Option<String>,
        /// What the service said.
        message: String,
    },
    /// 429.
    #[error("the service asks for fewer requests: {message}")]
    RateLimited {
        /// How long it asked to wait, at most two minutes.
        retry_after: Option<Duration>,
        /// What the service said.
        message: String,
    },
    /// 422: the request has a wrong value.
    #[error("the request is not valid: {message}")]
    Validation {
        /// Every complaint, with the place it is about.
        message: String,
    },
    /// Any other answer that is not a success.
    #[error("the service answered {status}{}", after_colon(excerpt))]
    Api {
        /// The HTTP status.
        status: u16,
        /// The start of the answer, at most 2 KiB.
        excerpt: String,
    },
    /// The time for this call is used up.
    #[error("no {awaited} within {} s", after.as_secs_f64())]
    Timeout {
        /// How long it took.
        after: Duration,
        /// What did not come.
        awaited: Awaited,
    },
    /// The service could not be reached, or the connection broke.
    #[error("{what}")]
    Network {
        /// How far it came.
        what: &'static str,
        /// Why.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A success whose content is not what the call answers.
    #[error("the answer cannot be understood ({reason}){}", after_colon(excerpt))]
    Undecodable {
        /// What is wrong with it.
        reason: String,
        /// Its start, at most 2 KiB.
        excerpt: String,
    },
    /// An answer larger than this client reads, after decompression.
    #[error("the answer is larger than {limit} bytes")]
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The instance's manager answered that the operation itself failed, for example a statement
    /// that `SQLite` refuses.
    #[error("it did not work: {message}")]
    Operation {
        /// What the manager said.
        message: String,
    },
    /// An id that cannot stand in a URL; no request was made.
    #[error(transparent)]
    InvalidId(InvalidId),
    /// A value that cannot be used as it stands, named by `what`; no request was made.
    #[error("{what} {value:?} {reason}")]
    InvalidValue {
        /// What it is: `address`, `table`.
        what: &'static str,
        /// The value.
        value: String,
        /// What is wrong, reading on from the value: `is empty`.
        reason: String,
    },
    /// An argument that makes no sense; no request was made.
    #[error("{reason}")]
    InvalidArgument {
        /// What is wrong.
        reason: &'static str,
    },
}

/// What a call was waiting for when its time was up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Awaited {
    /// Its turn under the rate limits or during a pause the service asked for; nothing was sent.
    Turn,
    /// The answer.
    Answer,
    /// More of the answer: it had begun and then stalled.
    RestOfAnswer,
    /// An instance that was still on its way.
    Instance(InstanceStatus),
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Turn => f.write_str("permission to send the request"),
            Self::Answer => f.write_str("answer"),
            Self::RestOfAnswer => f.write_str("rest of the answer"),
            Self::Instance(status) => write!(f, "usable instance (it is {status})"),
        }
    }
}

impl Error {
    /// An error that no answer stands behind, for those who stand in for the service in their own tests.
    pub fn new(operation: &'static str, kind: ErrorKind) -> Self {
        Self(Box::new(Inner {
            operation,
            kind,
            status: None,
            retryable_by_word: false,
            ambiguous: false,
            attempts: 0,
            request_id: None,
            instance_id: None,
        }))
    }

    pub(crate) fn invalid_id(operation: &'static str, error: InvalidId) -> Self {
        Self::new(operation, ErrorKind::InvalidId(error))
    }

    pub(crate) fn invalid_argument(operation: &'static str, reason: &'static str) -> Self {
        Self::new(operation, ErrorKind::InvalidArgument { reason })
    }

    pub(crate) fn with_status(mut self, status: Option<u16>) -> Self {
        self.0.status = status;
        self
    }

    pub(crate) fn with_retryable_word(mut self, found: bool) -> Self {
        self.0.retryable_by_word = found;
        self
    }

    pub(crate) fn with_attempts(mut self, attempts: u32, request_id: Option<RequestId>) -> Self {
        self.0.attempts = attempts;
        self.0.request_id = request_id;
        self
    }

    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    pub(crate) fn with_request_id(mut self, request_id: RequestId) -> Self {
        self.0.request_id = Some(request_id);
        self
    }

    /// The same with [`Error::is_ambiguous`] as given.
    pub fn with_ambiguous(mut self, ambiguous: bool) -> Self {
        self.0.ambiguous = ambiguous;
        self
    }

    pub(crate) fn with_instance(mut self, instance_id: InstanceId) -> Self {
        self.0.instance_id = Some(instance_id);
        self
    }

    /// What was attempted, for example `create instance`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The HTTP status of the answer, if one came.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// How many times the request was sent.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The `X-Request-ID` of the call, to be quoted to the service's operators.
    pub fn request_id(&self) -> Option<RequestId> {
        self.0.request_id
    }

    /// The instance that exists in spite of the error, if it is known. Whoever made the call owns it.
    pub fn instance_id(&self) -> Option<&InstanceId> {
        self.0.instance_id.as_ref().or(match &self.0.kind {
            ErrorKind::Conflict { instance_id, .. } => instance_id.as_ref(),
            _ => None,
        })
    }

    /// Whether the same call may succeed later without anybody changing anything.
    ///
    /// True for overload, timeouts, broken connections, answers that look like a proxy's, and for
    /// refusals whose text says so. A full quota is [`Error::is_quota`] instead: it needs waiting for
    /// something to be closed, not trying again.
    pub fn is_retryable(&self) -> bool {
        match &self.0.kind {
            ErrorKind::RateLimited { .. }
            | ErrorKind::Timeout { .. }
            | ErrorKind::Network { .. }
            | ErrorKind::Undecodable { .. } => true,
            ErrorKind::Api { status, .. } => {
                is_retryable_status(*status) || self.0.retryable_by_word
            }
            ErrorKind::BadRequest { .. } => self.0.retryable_by_word,
            _ => false,
        }
    }

    /// Whether the thing that was asked for does not exist (any more): 404 or 410.
    pub fn is_gone(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Api {
                status: 404 | 410,
                ..
            }
        )
    }

    /// Whether the team's instance limit is the reason.
    pub fn is_quota(&self) -> bool {
        matches!(self.0.kind, ErrorKind::InstanceLimit { .. })
    }

    /// Whether the credential is the reason, so that every other call will fail as well.
    pub fn is_auth(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Authentication { .. }
                | ErrorKind::Credentials { .. }
                | ErrorKind::TeamNotFound { .. }
        )
    }

    /// Whether the request may have had an effect although no (usable) answer came.
    ///
    /// After an ambiguous create an instance may exist: repeat it with the same request id, or look
    /// for it by run id.
    pub fn is_ambiguous(&self) -> bool {
        self.0.ambiguous
    }

    /// This error and its causes on one line, for records that keep text only.
    pub fn to_line(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.operation, self.0.kind)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("operation", &self.0.operation)
            .field("kind", &self.0.kind)
            .field("status", &self.0.status)
            .field("ambiguous", &self.0.ambiguous)
            .field("attempts", &self.0.attempts)
            .field("request_id", &self.0.request_id)
            .field("instance_id", &self.0.instance_id)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.kind.source()
    }
}

/// Statuses by which a service says "not now".
pub(crate) fn is_retryable_status(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

fn or_unknown(count: Option<u64>) -> String {
    count.map_or_else(|| "?".to_owned(), |count| count.to_string())
}

fn after_colon(excerpt: &str) -> String {
    let line = one_line(excerpt);
    if line.is_empty() {
        line
    } else {
        format!(": {line}")
    }
}
