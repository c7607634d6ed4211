//! Messages in the one form in which they are kept, whatever they came as: whole messages of a session, or what was sent to
//! and came from a model in its provider's own shape.

use fleet_api::types::SessionMessage;
use serde_json::{Map, Value, json};

use crate::archive::StoredMessage;

/// A message of `POST /v1/sessions/ingest`.
pub(crate) fn from_session(message: &SessionMessage) -> StoredMessage {
    let is_step = is_model(&message.role);
    StoredMessage {
        // Only keys that are text; cannot fail.
        text: serde_json::to_string(message).unwrap_or_default(),
        is_step,
    }
}

/// An element of a log's `history`, or its `response`; `role` is whose it is unless it says so itself.
pub(crate) fn from_log(value: Value, role: &str) -> StoredMessage {
    let message = normal(unwrap_answer(value), role);
    let is_step = message
        .get("role")
        .and_then(Value::as_str)
        .is_some_and(is_model);
    StoredMessage {
        text: Value::Object(message).to_string(),
        is_step,
    }
}

/// Gemini calls its own turns `model`.
fn is_model(role: &str) -> bool {
    matches!(role, "assistant" | "model")
}

/// The message within a whole answer of a provider: `choices[0].message` (`OpenAI`), `candidates[0].content` (Gemini).
fn unwrap_answer(value: Value) -> Value {
    for path in ["/choices/0/message", "/candidates/0/content"] {
        if let Some(message) = value.pointer(path)
            && message.is_object()
        {
            return message.clone();
        }
    }
    value
}

fn normal(value: Value, role: &str) -> Map<String, Value> {
    let mut fields = match value {
        Value::Object(fields) if fields.get("role").is_some_and(Value::is_string) => fields,
        // Text, parts, or an item of another shape: all of it is the content.
        other => {
            let content = json!({"role": role, "content": other});
            return content.as_object().cloned().unwrap_or_default();
        }
    };
    if fields.get("role").and_then(Value::as_str) == Some("model") {
        fields.insert("role".to_owned(), "assistant".into());
    }
    if !fields.contains_key("content")
        && let Some(parts) = fields.remove("parts")
    {
        fields.insert("content".to_owned(), parts);
    }
    if fields
        .get("tool_calls")
        .is_some_and(|calls| !calls.is_array())
    {
        fields.remove("tool_calls");
    }
    if fields.get("tool_call_id").is_some_and(|id| !id.is_string()) {
        fields.remove("tool_call_id");
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(value: Value, role: &str) -> (Value, bool) {
        let message = from_log(value, role);
        (
            serde_json::from_str(&message.text).unwrap(),
            message.is_step,
        )
    }

    #[test]
    fn every_shape_has_a_role_and_a_content() {
        let plain = json!({"role": "user", "content": "hi", "name": "x"});
        assert_eq!(kept(plain.clone(), "user"), (plain, false));
        assert_eq!(
            kept(json!("done"), "assistant"),
            (json!({"role": "assistant", "content": "done"}), true)
        );
        let gemini =
            json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "a"}]}}]});
        assert_eq!(
            kept(gemini, "assistant"),
            (
                json!({"role": "assistant", "content": [{"text": "a"}]}),
                true
            )
        );
        let openai = json!({"id": "c", "choices": [{"message": {"role": "assistant", "content": null, "tool_calls": [{"id": "1"}]}}]});
        let (message, is_step) = kept(openai, "assistant");
        assert_eq!(
            (&message["tool_calls"][0]["id"], is_step),
            (&json!("1"), true)
        );
        let item = json!({"type": "function_call_output", "output": "x"});
        assert_eq!(
            kept(item.clone(), "user").0,
            json!({"role": "user", "content": item})
        );
    }
}
