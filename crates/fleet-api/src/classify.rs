//! Reads an answer that is not a success into an [`ErrorKind`].
//!
//! The structured part of a body is read first; text is searched only where the service gives
//! nothing else. Pure: bytes in, a kind out.

use std::time::Duration;

use serde_json::Value;

use crate::error::{ErrorKind, is_retryable_status};
use crate::text::{excerpt, one_line};
use crate::types::InstanceId;

/// Words by which refusals with a final status say that they are passing. Seen in answers of create,
/// where a driver's failure arrives as 400.
const PASSING: [&str; 4] = [
    "\"retryable\":true",
    "health check failed",
    "temporarily",
    "too many in-flight",
];

/// What an error answer says.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) kind: ErrorKind,
    /// The text says that the refusal is passing, whatever the status.
    pub(crate) retryable_by_word: bool,
}

/// Sorts an answer. `body` is text from which secrets are masked already.
pub(crate) fn classify(status: u16, body: &str, retry_after: Option<Duration>) -> Verdict {
    let json: Option<Value> = serde_json::from_str(body).ok();
    let detail = json.as_ref().and_then(|json| json.get("detail"));
    let message = message(json.as_ref(), detail, body);
    let plain = body.replace('\\', "").replace(": ", ":").to_lowercase();
    Verdict {
        kind: structured(detail, &message)
            .unwrap_or_else(|| by_status(status, body, detail, message, retry_after)),
        retryable_by_word: !is_retryable_status(status)
            && PASSING.iter().any(|words| plain.contains(words)),
    }
}

/// Kinds that a body states by a code of its own.
fn structured(detail: Option<&Value>, message: &str) -> Option<ErrorKind> {
    let detail = detail?;
    if detail.get("error_type")? == "instance_limit_exceeded" {
        let (running, limit) = counts(message);
        return Some(ErrorKind::InstanceLimit {
            running: detail
                .get("running_instances")
                .and_then(Value::as_u64)
                .or(running),
            limit: detail
                .get("instance_limit")
                .and_then(Value::as_u64)
                .or(limit),
        });
    }
    None
}

fn duplicate(detail: Option<&Value>) -> Option<InstanceId> {
    let detail = detail?;
    if detail.get("error")? != "duplicate_request_id" {
        return None;
    }
    detail.get("instance_id")?.as_str().map(Into::into)
}

fn by_status(
    status: u16,
    body: &str,
    detail: Option<&Value>,
    message: String,
    retry_after: Option<Duration>,
) -> ErrorKind {
    match status {
        400 => bad_request(message),
        401 => ErrorKind::Authentication { message },
        403 => forbidden(message),
        409 => {
            let instance_id = duplicate(detail);
            ErrorKind::Conflict {
                duplicate_request: instance_id.is_some(),
                instance_id,
                resource: first_quoted(&message),
                message,
            }
        }
        422 => ErrorKind::Validation { message },
        429 => ErrorKind::RateLimited {
            retry_after,
            message,
        },
        _ => ErrorKind::Api {
            status,
            excerpt: excerpt(body),
        },
    }
}

fn bad_request(message: String) -> ErrorKind {
    let lower = message.to_lowercase();
    let not_found = lower.contains("not found");
    if lower.contains("region")
        && (lower.contains("not supported") || lower.contains("unsupported"))
    {
        let (region, supported) = (region(&message), bracketed(&message));
        return ErrorKind::Region {
            region,
            supported,
            message,
        };
    }
    // "Version 'v9' not found for environment 'desk'" has both words: the one before the first
    // quoted name tells what was not found.
    let about_version = lower
        .split('\'')
        .next()
        .is_some_and(|lead| lead.trim_end().ends_with("version"));
    if not_found && lower.contains("version") && (about_version || !lower.contains("environment")) {
        let names: Vec<_> = quoted(&message).take(2).map(str::to_owned).collect();
        let (version, env_key) = (names.first().cloned(), names.get(1).cloned());
        return ErrorKind::VersionNotFound {
            version,
            env_key,
            message,
        };
    }
    if not_found && lower.contains("environment") {
        let env_key = first_quoted(&message);
        return ErrorKind::EnvironmentNotFound { env_key, message };
    }
    ErrorKind::BadRequest { message }
}

fn forbidden(message: String) -> ErrorKind {
    let lower = message.to_lowercase();
    if lower.contains("instance limit") {
        let (running, limit) = counts(&message);
        ErrorKind::InstanceLimit { running, limit }
    } else if lower.contains("team not found") {
        ErrorKind::TeamNotFound { message }
    } else if lower.contains("does not have permission") && lower.contains("environment") {
        // A team's name may be quoted before the environment's, so look behind the word first.
        let behind = find_ignoring_case(&message, "environment").map(|at| &message[at..]);
        let env_key = behind
            .and_then(first_quoted)
            .or_else(|| first_quoted(&message));
        ErrorKind::EnvironmentAccess { env_key, message }
    } else {
        ErrorKind::Permission { message }
    }
}

/// What a person is told: the detail's text, its message, every complaint of a list, or the body.
fn message(json: Option<&Value>, detail: Option<&Value>, body: &str) -> String {
    let text = match detail {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(fields)) => match fields.get("message") {
            Some(Value::String(text)) => text.clone(),
            _ => Value::Object(fields.clone()).to_string(),
        },
        Some(Value::Array(complaints)) => complaints
            .iter()
            .map(complaint)
            .collect::<Vec<_>>()
            .join("; "),
        _ => match json.and_then(|json| json.get("message").or_else(|| json.get("error"))) {
            Some(Value::String(text)) => text.clone(),
            _ => body.to_owned(),
        },
    };
    one_line(&text)
}

/// `{"loc": ["body", "ttl"], "msg": "too small"}` → `body.ttl: too small`.
fn complaint(complaint: &Value) -> String {
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let place = complaint
        .get("loc")
        .and_then(Value::as_array)
        .map(|loc| loc.iter().map(text).collect::<Vec<_>>().join("."));
    match (
        place,
        complaint.get("msg").or_else(|| complaint.get("message")),
    ) {
        (Some(place), Some(message)) => format!("{place}: {}", text(message)),
        (None, Some(message)) => text(message),
        _ => text(complaint),
    }
}

/// The pieces between pairs of single quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let pieces = text.split('\'').count();
    // A piece behind the last quote of an odd number of quotes is not enclosed.
    text.split('\'')
        .enumerate()
        .filter(move |(at, _)| at % 2 == 1 && at + 1 < pieces)
        .map(|(_, piece)| piece)
}

fn first_quoted(text: &str) -> Option<String> {
    quoted(text).next().map(str::to_owned)
}

/// `Region X not supported` → `X`.
fn region(message: &str) -> Option<String> {
    let start = find_ignoring_case(message, "region ")? + "region ".len();
    let rest = &message[start..];
    let end =
        find_ignoring_case(rest, " not supported").or_else(|| find_ignoring_case(rest, " is "))?;
    let name = rest[..end].trim().trim_matches(['\'', '"']);
    (!name.is_empty() && !name.contains(' ')).then(|| name.to_owned())
}

/// `… ['a', 'b']` → `a`, `b`.
fn bracketed(message: &str) -> Vec<String> {
    let Some((_, rest)) = message.split_once('[') else {
        return Vec::new();
    };
    let Some((list, _)) = rest.split_once(']') else {
        return Vec::new();
    };
    list.split(',')
        .map(|name| name.trim().trim_matches(['\'', '"']).to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

/// `You have N running instances out of a maximum of M.` → N and M.
fn counts(message: &str) -> (Option<u64>, Option<u64>) {
    (
        number_after(message, "you have "),
        number_after(message, "maximum of "),
    )
}

fn number_after(message: &str, lead: &str) -> Option<u64> {
    let rest = &message[find_ignoring_case(message, lead)? + lead.len()..];
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// Byte position of an ASCII `word`, in any case.
fn find_ignoring_case(text: &str, word: &str) -> Option<usize> {
    text.as_bytes()
        .windows(word.len())
        .position(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The kind as text, which is shorter to compare than to take apart.
    fn kind(status: u16, body: &Value) -> String {
        let body = body
            .as_str()
            .map_or_else(|| body.to_string(), str::to_owned);
        format!("{:?}", classify(status, &body, None).kind)
    }

    fn starts(status: u16, body: &Value, expected: &str) {
        let found = kind(status, body);
        assert!(
            found.starts_with(expected),
            "{status} {body}\n  {found}\n  {expected}"
        );
    }

    #[test]
    fn the_samples_of_the_service_are_sorted_as_meant() {
        let limit = json!({"detail": {"error_type": "instance_limit_exceeded",
            "message": "Instance limit reached. You have 5 running instances out of a maximum of 6.",
            "running_instances": 5, "instance_limit": 6}});
        for status in [403, 400, 429, 500] {
            starts(
                status,
                &limit,
                "InstanceLimit { running: Some(5), limit: Some(6)",
            );
        }
        starts(
            400,
            &json!({"detail": "Environment 'helpdesk' not found"}),
            "EnvironmentNotFound { env_key: Some(\"helpdesk\")",
        );
        starts(
            400,
            &json!({"detail": "Version 'v9.9.9' not found for 'helpdesk'"}),
            "VersionNotFound { version: Some(\"v9.9.9\"), env_key: Some(\"helpdesk\")",
        );
        starts(
            400,
            &json!({"detail": "Region mars-1 not supported. Please use ['us-west-1', 'eu-west-2']"}),
            "Region { region: Some(\"mars-1\"), supported: [\"us-west-1\", \"eu-west-2\"]",
        );
        starts(
            409,
            &json!({"detail": {"error": "duplicate_request_id",
            "message": "Request with ID '7f0c' has already been processed.", "instance_id": "a1b2c3d4"}}),
            "Conflict { instance_id: Some(InstanceId(\"a1b2c3d4\")), duplicate_request: true, resource: Some(\"7f0c\")",
        );
        starts(
            422,
            &json!({"detail": [{"loc": ["body", "heartbeat_interval"], "msg": "should be ≥ 30", "type": "x"},
            {"loc": ["body", 0], "msg": "no"}]}),
            "Validation { message: \"body.heartbeat_interval: should be ≥ 30; body.0: no\" }",
        );
    }

    #[test]
    fn text_is_read_where_there_is_nothing_else() {
        for (status, text, expected) in [
            (
                403,
                "Instance limit reached. You have 5 running instances out of a maximum of 6.",
                "InstanceLimit { running: Some(5), limit: Some(6)",
            ),
            (
                403,
                "instance limit",
                "InstanceLimit { running: None, limit: None",
            ),
            (403, "Team not found", "TeamNotFound"),
            (
                403,
                "Team 'acme' does not have permission to access environment 'desk'",
                "EnvironmentAccess { env_key: Some(\"desk\")",
            ),
            (
                403,
                "'desk': your team does not have permission for this environment",
                "EnvironmentAccess { env_key: Some(\"desk\")",
            ),
            (403, "no", "Permission { message: \"no\""),
            (
                400,
                "unsupported region",
                "Region { region: None, supported: []",
            ),
            (
                400,
                "Environment version 'v9' not found for 'desk'",
                "VersionNotFound { version: Some(\"v9\"), env_key: Some(\"desk\")",
            ),
            (
                400,
                "Version 'v9' not found for environment 'desk'",
                "VersionNotFound { version: Some(\"v9\"), env_key: Some(\"desk\")",
            ),
            (
                400,
                "Environment 'desk' not found, is the version right?",
                "EnvironmentNotFound { env_key: Some(\"desk\")",
            ),
            (
                400,
                "environment not found",
                "EnvironmentNotFound { env_key: None",
            ),
            (400, "it's wrong", "BadRequest { message: \"it's wrong\""),
            (401, "bad key", "Authentication"),
            (
                409,
                "Task 'a' exists",
                "Conflict { instance_id: None, duplicate_request: false, resource: Some(\"a\")",
            ),
            (429, "slow down", "RateLimited { retry_after: None"),
            (402, "pay", "Api { status: 402, excerpt: \"{\\\"detail\\\""),
        ] {
            starts(status, &json!({"detail": text}), expected);
        }
    }

    #[test]
    fn bodies_of_any_shape_are_survived() {
        for body in [
            "",
            "[]",
            "null",
            "[1]",
            "\"x\"",
            "{\"detail\": null}",
            "{\"detail\": []}",
            "{\"detail\": 3}",
            "{\"detail\": {}}",
            "<html>",
            "{",
            "\u{0}",
            "{\"detail\": {\"error_type\": 3}}",
            "{\"detail\": {\"error\": \"duplicate_request_id\"}}",
            "'''",
            "region region not supported [",
        ] {
            for status in [
                300, 400, 401, 403, 404, 409, 410, 418, 422, 429, 500, 503, 599,
            ] {
                let verdict = classify(status, body, None);
                assert!(!verdict.kind.to_string().is_empty());
            }
        }
        starts(
            409,
            &json!({"detail": {"error": "duplicate_request_id"}}),
            "Conflict { instance_id: None, duplicate_request: false",
        );
        starts(
            400,
            &json!({"message": "plain"}),
            "BadRequest { message: \"plain\"",
        );
        starts(
            500,
            &json!("<html>oops"),
            "Api { status: 500, excerpt: \"<html>oops\"",
        );
    }

    #[test]
    fn a_refusal_can_say_that_it_is_passing() {
        let passing = |body: &Value| classify(400, &body.to_string(), None).retryable_by_word;
        assert!(passing(
            &json!({"detail": {"message": "x", "retryable": true}})
        ));
        assert!(passing(
            &json!({"detail": "Driver API returned 400: {\"error\": \"seed_placement_failed\", \"retryable\": true}"})
        ));
        assert!(passing(&json!({"detail": "Instance health check failed"})));
        assert!(!passing(
            &json!({"detail": {"message": "x", "retryable": false}})
        ));
        assert!(!passing(&json!({"detail": "Environment 'x' not found"})));
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(status in 100_u16..1_000, words in prop::collection::vec(prop::sample::select(vec![
            "'", "region ", "not supported", "ä'", "[", "]", ",", "You have ", "maximum of ", "9999999999999999999999",
            "instance limit", "environment", "version", " not found", "does not have permission", "\u{1b}", "İ",
        ]), 0..12)) {
            let text = words.concat();
            for body in [text.clone(), json!({ "detail": text }).to_string()] {
                let verdict = classify(status, &body, None);
                let shows_controls = verdict.kind.to_string().contains(char::is_control);
                prop_assert!(!shows_controls);
            }
        }
    }
}
