//! Names given by a service or a user, one type each, so that a run can never be closed by the id of
//! a task. They are kept as they came; only use in a URL path asks more of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest id that is put into a URL path. Real ones have 8 to 128 bytes; a longer one is far
/// more likely to be a mistake (a prompt, a path) than a name.
pub const MAX_ID_BYTES: usize = 256;

/// An id that cannot stand in a URL path, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {id:?} cannot be used in a URL: {reason}")]
#[non_exhaustive]
pub struct InvalidId {
    /// What the id names, for example `instance id`.
    pub kind: &'static str,
    /// The id, cut to its first 64 characters.
    pub id: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Keeps `id` as it is.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The id as text, given away.
            pub fn into_string(self) -> String {
                self.0
            }

            /// The id for use as one segment of a URL path.
            ///
            /// The API inserts ids into paths without escaping, so an id that would change the
            /// path's meaning is refused here instead of reaching another resource.
            pub fn path_segment(&self) -> Result<&str, InvalidId> {
                path_segment(&self.0, $kind)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

string_id!(
    /// A running (or ended) instance of an environment, for example `bc8954c2`.
    InstanceId,
    "instance id"
);
string_id!(
    /// The caller's name for a group of instances.
    RunId,
    "run id"
);
string_id!(
    /// A task's key, unique at the service.
    TaskKey,
    "task key"
);
string_id!(
    /// An environment's key without version, for example `helpdesk`.
    EnvKey,
    "environment key"
);
string_id!(
    /// A person or machine account; `self` stands for the owner of the credential.
    ProfileId,
    "profile id"
);
string_id!(
    /// A team.
    TeamId,
    "team id"
);
string_id!(
    /// A project: a named collection of tasks.
    ProjectKey,
    "project key"
);
string_id!(
    /// A stored verifier.
    VerifierId,
    "verifier id"
);
string_id!(
    /// One execution of a verifier at the service.
    ExecutionId,
    "execution id"
);

string_id!(
    /// A batch of sessions.
    JobId,
    "job id"
);
string_id!(
    /// What an agent and its model said while they worked on a task.
    SessionId,
    "session id"
);
string_id!(
    /// What a model wrote about the sessions of a job.
    SummaryId,
    "summary id"
);

impl ProfileId {
    /// The owner of the credential in use.
    pub fn myself() -> Self {
        Self("self".to_owned())
    }
}

/// The identity of one logical request, sent as `X-Request-ID` and kept over its retries.
///
/// A create that is repeated with the same id yields the same instance, also after a crash of the
/// caller: persist the id before the request leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A new random id.
    #[expect(clippy::new_without_default, reason = "a random value is no default")]
    pub fn new() -> Self {
        Self(Uuid::new_v4())
    }

    /// The id as a UUID.
    pub fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for RequestId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl FromStr for RequestId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn path_segment<'a>(id: &'a str, kind: &'static str) -> Result<&'a str, InvalidId> {
    let reason = if id.is_empty() {
        "it is empty"
    } else if id.len() > MAX_ID_BYTES {
        "it is longer than 256 bytes"
    } else if id == "." || id.contains("..") {
        "it contains a step to another folder"
    } else if id.contains(['/', '\\', '?', '#', '%']) {
        "it contains a character with a meaning in URLs"
    } else if id.chars().any(|c| c.is_whitespace() || c.is_control()) {
        "it contains white space or a control character"
    } else {
        return Ok(id);
    };
    Err(InvalidId {
        kind,
        id: id.chars().take(64).collect(),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_ids_may_stand_in_a_path() {
        for id in [
            "bc8954c2",
            "task_desk_0007",
            "helpdesk:v1.2.0",
            "a.b-c~d",
            "größe",
        ] {
            assert_eq!(InstanceId::from(id).path_segment(), Ok(id));
        }
    }

    #[test]
    fn ids_that_would_change_the_path_are_refused() {
        let long = "x".repeat(MAX_ID_BYTES + 1);
        for id in [
            "", ".", "..", "a/../b", "a/b", "a\\b", "a?b", "a#b", "a b", "a\tb", "a\nb", "a\0b",
            "a%2fb", "a\u{a0}b", "a\u{85}b", &long,
        ] {
            let refused = TaskKey::from(id).path_segment().expect_err(id);
            assert_eq!(refused.kind, "task key");
            assert!(refused.id.chars().count() <= 64);
        }
    }

    #[test]
    fn a_request_id_reads_what_it_writes() {
        let id = RequestId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(serde_json::to_value(id).unwrap(), id.to_string());
    }
}
