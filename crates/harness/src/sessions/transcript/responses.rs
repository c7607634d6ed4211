//! Items of `OpenAI`'s Responses API: what is said, thought, called and answered are items of their own.

use fleet_api::types::SessionMessage;
use serde_json::{Map, Value};

use super::messages::role;
use super::value::{object, text, tool_call};

/// The items of a request and its response, or of a response alone.
pub(super) fn items_of(object: &mut Map<String, Value>) -> Option<Vec<Value>> {
    let output = object.get("output").is_some_and(Value::is_array);
    if !output {
        return None;
    }
    let mut items = match object.remove("input") {
        Some(Value::Array(items)) => items,
        Some(Value::String(text)) => vec![serde_json::json!({"role": "user", "content": text})],
        _ => Vec::new(),
    };
    if let Some(Value::Array(output)) = object.remove("output") {
        items.extend(output);
    }
    Some(items)
}

/// `None` if it is no item of this kind. A message without `type` is one of the other kind, which says the same.
pub(super) fn message(item: &Map<String, Value>) -> Option<SessionMessage> {
    let kind = text(item, "type")?;
    let call_id = text(item, "call_id").or_else(|| text(item, "id"));
    let message = match kind {
        "message" => SessionMessage {
            role: role(text(item, "role")?).to_owned(),
            content: item.get("content").cloned(),
            ..SessionMessage::default()
        },
        "reasoning" => SessionMessage {
            role: "assistant".to_owned(),
            thinking: Some(thoughts(item)),
            ..SessionMessage::default()
        },
        "function_call" | "custom_tool_call" => {
            let arguments = item.get("arguments").or_else(|| item.get("input"));
            call(call_id, text(item, "name")?, arguments)
        }
        answer if answer.ends_with("_call_output") => SessionMessage {
            role: "tool".to_owned(),
            content: Some(item.get("output").cloned().unwrap_or(Value::Null)),
            tool_call_id: call_id.map(str::to_owned),
            ..SessionMessage::default()
        },
        // Tools of the provider: `computer_call`, `web_search_call`, `code_interpreter_call`, …
        hosted if hosted.ends_with("_call") => {
            let done = ["action", "queries", "code"]
                .iter()
                .find_map(|key| item.get(*key));
            call(call_id, hosted, done)
        }
        _ => return None,
    };
    Some(SessionMessage {
        metadata: object([("status", item.get("status").cloned())]),
        ..message
    })
}

fn call(id: Option<&str>, name: &str, arguments: Option<&Value>) -> SessionMessage {
    SessionMessage {
        role: "assistant".to_owned(),
        tool_calls: Some(vec![tool_call(id, name, arguments)]),
        ..SessionMessage::default()
    }
}

fn thoughts(item: &Map<String, Value>) -> String {
    let parts = |key: &str| item.get(key).and_then(Value::as_array);
    let texts: Vec<&str> = [parts("summary"), parts("content")]
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|part| part.get("text")?.as_str())
        .collect();
    texts.join("\n")
}
