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
        cases: &["query"],
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
        place: "body.ended_at",
        cases: &["session-of-logs", "session-that-fails"],
        why: "the time in UTC, where the SDK says the local one without a zone",
        holds: |sdk, rust| {
            sdk.is_some_and(|text| text.trim_matches('"').parse::<DateTime>().is_ok())
                && rust.is_some_and(|text| text.trim_matches('"').parse::<Timestamp>().is_ok())
        },
    },
];
