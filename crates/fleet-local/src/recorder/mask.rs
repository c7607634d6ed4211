//! What is secret in a request.

use std::borrow::Cow;

use redact::{MASK as MASKED, Redactor, names_a_secret};
use serde_json::Value;

/// Names of the API that speak of keys and mean names of things.
const NAMES_OF_THINGS: [&str; 9] = [
    "key",
    "env_key",
    "data_key",
    "task_key",
    "project_key",
    "task_project_key",
    "primary_key",
    "s3_key",
    "pass_k",
];

/// Keys of the caller's accounts at model providers, by provider.
const PROVIDER_KEYS: &str = "byok_keys";

/// Knows the server's own key, and the names under which others travel.
#[derive(Debug)]
pub(super) struct Mask(Redactor);

impl Mask {
    pub(super) fn new(secret: Option<&str>) -> Self {
        Self(Redactor::new(secret))
    }

    /// `text` without the server's key, in whatever form.
    pub(super) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0.text(text)
    }

    pub(super) fn parameter(&self, name: &str, value: &str) -> String {
        if is_secret(name) { MASKED } else { value }.to_owned()
    }

    pub(super) fn header(&self, name: &str, value: &[u8]) -> String {
        let value = String::from_utf8_lossy(value);
        match name {
            // The scheme is of interest and no secret.
            "authorization" | "proxy-authorization" => match value.split_once(' ') {
                Some((scheme, _)) => format!("{scheme} {MASKED}"),
                None => MASKED.to_owned(),
            },
            "cookie" => MASKED.to_owned(),
            name if is_secret(name) => MASKED.to_owned(),
            _ => value.into_owned(),
        }
    }
}

/// Masks the values of fields whose names say that they are secrets.
pub(super) fn json(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::Object(keys) if name == PROVIDER_KEYS => {
                        keys.values_mut().for_each(|key| *key = MASKED.into());
                    }
                    Value::String(_) if is_secret(name) => *value = MASKED.into(),
                    other => json(other),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(json),
        _ => {}
    }
}

fn is_secret(name: &str) -> bool {
    !NAMES_OF_THINGS.contains(&name) && names_a_secret(name)
}
