//! From the body of an import to a task: every name that exports and scripts use for the same thing.
//!
//! No path in a body is followed: what a verifier is comes with the request.

use fleet_api::{Task, VerifierSource, native_verifier};
use serde_json::{Map, Value};

use super::error::{ApiError, Problem};

/// Bytes of one task; prompts and verifiers are pages, not books.
const TASK_BYTES: usize = 4 << 20;

/// A checked import.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) task: Task,
    pub(super) modality: Option<String>,
}

pub(super) fn read(bytes: &[u8]) -> Result<Import, ApiError> {
    if bytes.len() > TASK_BYTES {
        return Err(ApiError::too_large(format!(
            "A task may have {TASK_BYTES} bytes"
        )));
    }
    let mut fields = Fields {
        values: super::body::parse(bytes)?,
        problems: Vec::new(),
    };
    let key = fields.required(&["key", "task_key", "id"]);
    let prompt = fields.required(&["prompt", "problem"]);
    let env_id = fields.required(&["env_id", "env_key", "environment_id"]);
    let metadata = fields.object("metadata");
    let modality = fields.text(&["task_modality"]);
    let verifier = verifier(&mut fields, &key);
    let task = Task {
        prompt,
        env_id,
        version: fields.text(&["version", "env_version"]),
        data_id: fields.text(&["data_id", "data_key"]),
        data_version: fields.text(&["data_version"]),
        env_variables: fields.object("env_variables"),
        metadata,
        output_json_schema: fields.take("output_json_schema"),
        created_at: fields.text(&["created_at"]),
        verifier,
        key: key.as_str().into(),
    };
    if task.created_at.as_deref().is_some_and(|at| !is_time(at)) {
        let message = "Input should be a valid datetime";
        fields.problem("created_at", message, "datetime_parsing");
    }
    if !key.is_empty()
        && let Err(error) = task.key.path_segment()
    {
        fields.problem("key", error.to_string(), "value_error");
    }
    if fields.problems.is_empty() {
        Ok(Import { task, modality })
    } else {
        Err(ApiError::invalid(fields.problems))
    }
}

/// With a zone or without. The official client refuses a whole listing for one task with another text.
fn is_time(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok() || text.parse::<jiff::civil::DateTime>().is_ok()
}

fn verifier(fields: &mut Fields, key: &str) -> Option<VerifierSource> {
    let id = fields.text(&["verifier_id"]);
    let sha256 = fields.text(&["verifier_sha"]);
    let runtime_version = fields.text(&["verifier_runtime_version"]);
    let own = fields.text(&["verifier_func", "verifier_code"]);
    let embedded = match fields.take("verifier") {
        None => None,
        Some(Value::Object(verifier)) => Some(verifier),
        Some(_) => {
            fields.problem(
                "verifier",
                "Input should be a valid dictionary",
                "dict_type",
            );
            None
        }
    };
    let code = own.or_else(|| match embedded?.remove_code() {
        Ok(code) => code,
        Err(message) => {
            fields.problem("verifier", message, "value_error");
            None
        }
    })?;
    Some(VerifierSource {
        key: key.to_owned(),
        id: id.map(Into::into),
        code,
        sha256,
        runtime_version,
    })
}

trait Embedded {
    fn remove_code(self) -> Result<Option<String>, &'static str>;
}

impl Embedded for Map<String, Value> {
    /// Source, or the source that carries a native definition.
    fn remove_code(mut self) -> Result<Option<String>, &'static str> {
        if let Some(Value::String(code)) = self.remove("code") {
            return Ok(Some(code).filter(|code| !code.is_empty()));
        }
        match self.get("kind").and_then(Value::as_str) {
            Some("state" | "command") => Ok(Some(native_verifier::render(&Value::Object(self)))),
            Some("python") => Err("a verifier's source must be sent as `code`, not as a file"),
            _ => Ok(None),
        }
    }
}

struct Fields {
    values: Map<String, Value>,
    problems: Vec<Problem>,
}

impl Fields {
    fn problem(&mut self, field: &str, message: impl Into<String>, kind: &'static str) {
        self.problems.push(Problem {
            place: "body",
            field: field.to_owned(),
            message: message.into(),
            kind,
        });
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        self.values.remove(field).filter(|value| !value.is_null())
    }

    /// The first of the names that has a text with something in it.
    fn text(&mut self, names: &[&str]) -> Option<String> {
        let mut found = None;
        for name in names {
            match self.take(name) {
                None => {}
                Some(Value::String(text)) if text.is_empty() => {}
                Some(Value::String(text)) => found = found.or(Some(text)),
                Some(_) => self.problem(name, "Input should be a valid string", "string_type"),
            }
        }
        found
    }

    fn required(&mut self, names: &[&str]) -> String {
        let before = self.problems.len();
        let found = self.text(names);
        if found.is_none() && self.problems.len() == before {
            self.problem(names[0], "Field required", "missing");
        }
        found.unwrap_or_default()
    }

    fn object(&mut self, field: &str) -> Map<String, Value> {
        match self.take(field) {
            None => Map::new(),
            Some(Value::Object(object)) => object,
            Some(_) => {
                self.problem(field, "Input should be a valid dictionary", "dict_type");
                Map::new()
            }
        }
    }
}
