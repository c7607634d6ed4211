//! The differences that are meant, each with its reason. They are printed into `docs/wire-comparison.md`.

use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::differences::Meant;

fn both(sdk: Option<&str>, rust: Option<&str>, test: impl Fn(&str) -> bool) -> bool {
    sdk.is_some_and(&test) && rust.is_some_and(&test)
}

fn is_random_uuid(text: &str) -> bool {
    uuid::Uuid::parse_str(text).is_ok_and(|id| id.get_version_num() == 4)
}

fn is_milliseconds(text: &str) -> bool {
    text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_digit())
}

const VERIFICATIONS: &[&str] = &[
    "verify-without-an-answer",
    "verify-by-keyword",
    "verify-by-position",
];

/// Calls that the SDK makes beside its client: its uploader, its command line, the refreshing of a login.
const BESIDE_THE_CLIENT: &[&str] = &["summary-of-a-job", "raw-log", "stored-login"];

const BESIDE: &str = "what the SDK sends beside its client has the credential alone; here every request can be traced";

pub(crate) const MEANT: &[Meant] = &[
    Meant {
        place: "header user-agent",
        cases: &[],
        why: "each client names itself",
        holds: |sdk, rust| {
            sdk.is_some_and(|sdk| sdk.starts_with("python-httpx/")) && rust.is_some()
        },
    },
    Meant {
        place: "header x-fleet-sdk-language",
        cases: &[],
        why: "each client names its language",
        holds: |sdk, rust| sdk == Some("Python") && rust == Some("Rust"),
    },
    Meant {
        place: "header x-fleet-sdk-version",
        cases: &[],
        why: "each client names its version; the SDK tells managers 1.0.0 whatever it is",
        holds: |sdk, rust| matches!(sdk, Some("0.2.133" | "1.0.0")) && rust.is_some(),
    },
    Meant {
        place: "header x-request-id",
        cases: &[],
        why: "a new random UUID for each call, of either",
        holds: |sdk, rust| both(sdk, rust, is_random_uuid),
    },
    Meant {
        place: "header x-request-timestamp",
        cases: &[],
        why: "the time of the call in milliseconds, of either",
        holds: |sdk, rust| both(sdk, rust, is_milliseconds),
    },
    Meant {
        place: "header accept-encoding",
        cases: &[],
        why: "each client says what it can unpack",
        holds: |sdk, rust| both(sdk, rust, |value| value.contains("gzip")),
    },
    Meant {
        place: "header host",
        cases: &[],
        why: "two servers, two ports",
        holds: |sdk, rust| both(sdk, rust, |value| value.starts_with("127.0.0.1:")),
    },
    Meant {
        place: "header connection",
        cases: &[],
        why: "HTTP/1.1 keeps connections open without it",
        holds: |sdk, rust| sdk == Some("keep-alive") && rust.is_none(),
    },
    Meant {
        place: "header content-length",
        cases: &[],
        why: "of bodies that differ below, and of bundles and pickles, whose bytes differ where their contents do not",
        holds: |sdk, rust| both(sdk, rust, |value| value.parse::<u64>().is_ok()),
    },
    Meant {
        place: "body.verifier_sha",
        cases: &["import-a-task"],
        why: "a hash that the file does not say is null here, an empty text there",
        holds: |sdk, rust| sdk == Some("\"\"") && rust == Some("null"),
    },
    Meant {
        place: "body.timeout",
        cases: VERIFICATIONS,
        why: "a verifier that asks a judge needs more than the 30 s that the SDK always says; callers can set it here",
        holds: |sdk, rust| sdk == Some("30") && rust == Some("300"),
    },
    Meant {
        place: "body.args",
        cases: &["query", "apps"],
        why: "no values are an empty list; the SDK says null in `query` and an empty list in its query builder",
        holds: |sdk, rust| sdk == Some("null") && rust == Some("[]"),
    },
    Meant {
        place: "number of requests",
        cases: &["browser"],
        why: "where a browser is is asked when it started; the SDK asks also when it did not, and starts it again and again",
        holds: |sdk, rust| {
            sdk.zip(rust).is_some_and(|(sdk, rust)| {
                rust.ends_with("/cdp/start")
                    && sdk.starts_with(rust)
                    && sdk.ends_with("/cdp/describe")
            })
        },
    },
    Meant {
        place: "body.query",
        cases: &["query-builder"],
        why: "the same rows by other words: columns are quoted so that SQLite never takes one that it does not know for a text, and counts count what `all` would return",
        holds: |sdk, rust| both(sdk, rust, |text| text.contains(r#"FROM \"tickets\" WHERE"#)),
    },
    Meant {
        place: "header x-fleet-sdk-language",
        cases: BESIDE_THE_CLIENT,
        why: BESIDE,
        holds: |sdk, rust| sdk.is_none() && rust.is_some(),
    },
    Meant {
        place: "header x-fleet-sdk-version",
        cases: BESIDE_THE_CLIENT,
        why: BESIDE,
        holds: |sdk, rust| sdk.is_none() && rust.is_some(),
    },
    Meant {
        place: "header x-request-id",
        cases: BESIDE_THE_CLIENT,
        why: BESIDE,
        holds: |sdk, rust| sdk.is_none() && rust.is_some_and(is_random_uuid),
    },
    Meant {
        place: "header x-request-timestamp",
        cases: BESIDE_THE_CLIENT,
        why: BESIDE,
        holds: |sdk, rust| sdk.is_none() && rust.is_some_and(is_milliseconds),
    },
    Meant {
        place: "header accept",
        cases: &["summary-of-a-job"],
        why: "the command line of the SDK names JSON; all other calls of either take what comes",
        holds: |sdk, rust| sdk == Some("application/json") && rust == Some("*/*"),
    },
    Meant {
        place: "header content-type",
        cases: &["apps"],
        why: "see the body",
        holds: |sdk, rust| sdk.is_none() && rust == Some("application/json"),
    },
    Meant {
        place: "body",
        cases: &["apps"],
        why: "to reset a manager's data the SDK sends no body; here it is the one that its `env.reset()` sends",
        holds: |sdk, rust| sdk == Some("null") && rust == Some(r#"{"seed":null,"timestamp":null}"#),
    },
    Meant {
        place: "body.ended_at",
        cases: &["session-of-logs", "session-that-fails"],
        why: "the time in UTC, where the SDK says the local one without a zone",
        holds: |sdk, rust| {
            sdk.is_some_and(|text| text.trim_matches('"').parse::<DateTime>().is_ok())
                && rust.is_some_and(|text| text.trim_matches('"').parse::<Timestamp>().is_ok())
        },
    },
];

/// Between the two halves of the SDK.
pub(crate) const MEANT_OF_HALVES: &[Meant] = &[
    Meant {
        place: "header x-request-id",
        cases: &[],
        why: "a new random UUID for each call",
        holds: |one, other| both(one, other, is_random_uuid),
    },
    Meant {
        place: "header x-request-timestamp",
        cases: &[],
        why: "the time of the call in milliseconds",
        holds: |one, other| both(one, other, is_milliseconds),
    },
    Meant {
        place: "header host",
        cases: &[],
        why: "two servers, two ports",
        holds: |one, other| both(one, other, |value| value.starts_with("127.0.0.1:")),
    },
    Meant {
        place: "body.verifier_runtime_version",
        cases: &["import-a-task"],
        why: "the asynchronous half does not know the field; here it is sent as the other half does",
        holds: |one, other| one == Some("null") && other.is_none(),
    },
    Meant {
        place: "header content-length",
        cases: &["import-a-task"],
        why: "of that body",
        holds: |one, other| both(one, other, |value| value.parse::<u64>().is_ok()),
    },
    Meant {
        place: "body.ended_at",
        cases: &["session-of-logs", "session-that-fails"],
        why: "the time of the call",
        holds: |one, other| {
            both(one, other, |text| {
                text.trim_matches('"').parse::<DateTime>().is_ok()
            })
        },
    },
];
