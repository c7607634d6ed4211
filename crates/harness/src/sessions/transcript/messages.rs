//! Messages with a `role`: Fleet's own and those of chat completions, which differ in a few names.

use fleet_api::types::SessionMessage;
use serde_json::{Map, Value};

use super::value::{first_text, object, text, tool_call};

/// `None` if it has no role.
pub(super) fn message(mut item: Map<String, Value>) -> Option<SessionMessage> {
    let role = role(text(&item, "role")?).to_owned();
    let thinking = first_text(&item, &["thinking", "reasoning_content", "reasoning"]);
    let tool_calls = tool_calls(&item);
    let timestamp = text(&item, "timestamp").map(str::to_owned);
    let tool_call_id = text(&item, "tool_call_id").map(str::to_owned);
    let tokens = item.get("tokens").and_then(Value::as_u64);
    let metadata = match item.remove("metadata") {
        Some(Value::Object(metadata)) => Some(metadata),
        _ => object([("name", item.get("name").cloned())]),
    };
    let refusal = item.remove("refusal").filter(|value| !value.is_null());
    let content = item.remove("content").filter(|value| !value.is_null());
    Some(SessionMessage {
        role,
        content: content.or(refusal),
        thinking,
        tool_calls,
        tool_call_id,
        timestamp,
        tokens,
        metadata,
    })
}

/// The service knows four roles; two providers' words stand for two of them.
pub(super) fn role(role: &str) -> &str {
    match role {
        "developer" => "system",
        "function" => "tool",
        other => other,
    }
}

fn tool_calls(item: &Map<String, Value>) -> Option<Vec<Map<String, Value>>> {
    if let Some(Value::Array(calls)) = item.get("tool_calls") {
        let calls: Vec<_> = calls
            .iter()
            .filter_map(|call| call.as_object().cloned())
            .collect();
        return (!calls.is_empty()).then_some(calls);
    }
    // What calls were before there could be several.
    let call = item.get("function_call")?.as_object()?;
    let name = text(call, "name")?;
    Some(vec![tool_call(None, name, call.get("arguments"))])
}
