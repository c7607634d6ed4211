//! One request as a line of JSON.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use http::request::Parts;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::mask::{self, Mask};
use super::{Plane, Seen};

/// What is known of a request before its body was read.
#[derive(Debug)]
pub(super) struct Entry {
    at: Timestamp,
    plane: Plane,
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, Vec<u8>)>,
}

/// The line. Fields are in the order in which people read them.
#[derive(Debug, Serialize)]
struct Line<'a> {
    at: String,
    plane: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    method: &'a str,
    path: &'a str,
    query: Vec<(String, String)>,
    headers: Vec<(&'a str, String)>,
    body: KeptBody,
    body_bytes: u64,
    /// Null: the client did not wait for the answer.
    status: Option<u16>,
    duration_ms: f64,
}

/// A body in the most readable form it allows.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum KeptBody {
    Nothing(()),
    Json { json: Value },
    Text { text: String, cut: bool },
    Bytes { base64: String, cut: bool },
}

impl Entry {
    /// `uri` is the one that was sent.
    pub(super) fn new(at: Timestamp, plane: Plane, parts: &Parts, uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        Self {
            at,
            plane,
            method: parts.method.to_string(),
            path: uri.path().to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            headers: parts
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.as_bytes().to_owned()))
                .collect(),
        }
    }

    pub(super) fn line(
        &self,
        body: &Seen,
        status: Option<u16>,
        took: Duration,
        mask: &Mask,
    ) -> String {
        let (plane, instance) = match &self.plane {
            Plane::Control => ("control", None),
            Plane::Manager { instance } => ("manager", Some(instance.as_str())),
        };
        let line = Line {
            at: self.at.to_string(),
            plane,
            instance,
            method: &self.method,
            path: &self.path,
            query: self
                .query
                .iter()
                .map(|(name, value)| (name.clone(), mask.parameter(name, value)))
                .collect(),
            headers: self
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), mask.header(name, value)))
                .collect(),
            body: KeptBody::new(body),
            body_bytes: body.bytes,
            status,
            duration_ms: (took.as_secs_f64() * 1e6).round() / 1e3,
        };
        let text = serde_json::to_string(&line).expect("a line has text keys only");
        // Once over the whole: the key may stand in a path, or in the middle of a text.
        let mut text = mask.text(&text).into_owned();
        text.push('\n');
        text
    }
}

impl KeptBody {
    fn new(body: &Seen) -> Self {
        let cut = body.bytes > body.kept.len() as u64;
        if body.kept.is_empty() {
            return Self::Nothing(());
        }
        if let (false, Ok(mut json)) = (cut, serde_json::from_slice(&body.kept)) {
            mask::json(&mut json);
            return Self::Json { json };
        }
        match std::str::from_utf8(&body.kept) {
            Ok(text) => Self::Text {
                text: text.to_owned(),
                cut,
            },
            Err(_) => Self::Bytes {
                base64: STANDARD.encode(&body.kept),
                cut,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use serde_json::json;

    use super::*;

    fn line(body: &[u8]) -> Value {
        let (parts, ()) = Request::builder()
            .method("POST")
            .uri("/v1/x/sk-secret?task_keys=b&task_keys=a&token=t")
            .header("authorization", "Bearer sk-secret")
            .header("x-runner-token", "runner")
            .header("x-request-id", "1")
            .body(())
            .unwrap()
            .into_parts();
        let uri = parts.uri.clone();
        let entry = Entry::new(Timestamp::UNIX_EPOCH, Plane::Control, &parts, &uri);
        let seen = Seen {
            kept: body.to_owned(),
            bytes: body.len() as u64,
        };
        let mask = Mask::new(Some("sk-secret"));
        let text = entry.line(&seen, Some(200), Duration::from_millis(2), &mask);
        assert!(
            text.ends_with('\n') && !text.contains("sk-secret"),
            "{text}"
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn c4_a_line_says_what_was_sent_without_its_secrets() {
        let body = json!({
            "env_key": "helpdesk", "note": "sk-secret", "api_key": "k",
            "byok_keys": {"openai": "k"}, "list": [{"refresh_token": "k"}],
        });
        assert_eq!(
            line(body.to_string().as_bytes()),
            json!({
                "at": "1970-01-01T00:00:00Z", "plane": "control", "method": "POST", "path": "/v1/x/***",
                "query": [["task_keys", "b"], ["task_keys", "a"], ["token", "***"]],
                "headers": [["authorization", "Bearer ***"], ["x-runner-token", "***"], ["x-request-id", "1"]],
                "body": {"json": {
                    "env_key": "helpdesk", "note": "***", "api_key": "***",
                    "byok_keys": {"openai": "***"}, "list": [{"refresh_token": "***"}],
                }},
                "body_bytes": body.to_string().len(), "status": 200, "duration_ms": 2.0,
            })
        );
    }

    #[test]
    fn bodies_that_are_no_json_are_kept_as_what_they_are() {
        assert_eq!(line(b"")["body"], Value::Null);
        assert_eq!(line(b"{x")["body"], json!({"text": "{x", "cut": false}));
        assert_eq!(
            line(b"\xff")["body"],
            json!({"base64": "/w==", "cut": false})
        );
    }
}
