//! The Agent Trajectory Interchange Format (ATIF), any of its versions 1.x: steps of a user, a system or an agent; an
//! agent's step has the tools it called and what they answered.
//!
//! Only what a session has a place for is taken; the rest of a step is its metadata.

use fleet_api::types::SessionMessage;
use serde_json::{Map, Value};

use super::value::{object, text, tool_call};
use super::{Format, Transcript};

pub(super) fn is_trajectory(object: &Map<String, Value>) -> bool {
    let named = text(object, "schema_version").is_some_and(|name| name.starts_with("ATIF"));
    let first = object
        .get("steps")
        .and_then(Value::as_array)
        .and_then(|steps| steps.first());
    let has_source = first.is_some_and(|step| step.get("source").is_some_and(Value::is_string));
    has_source || named && object.get("steps").is_some_and(Value::is_array)
}

pub(super) fn read(trajectory: &Map<String, Value>) -> Transcript {
    let agents_model = trajectory
        .get("agent")
        .and_then(|agent| agent.get("model_name"));
    let mut transcript = Transcript {
        format: Format::Atif,
        messages: Vec::new(),
        unread: 0,
    };
    let steps = trajectory.get("steps").and_then(Value::as_array);
    for step in steps.into_iter().flatten() {
        let Some((step, role)) = step.as_object().and_then(role_of) else {
            transcript.unread += 1;
            continue;
        };
        transcript.messages.push(said(step, role, agents_model));
        transcript.messages.extend(observed(step));
    }
    transcript
}

fn role_of(step: &Map<String, Value>) -> Option<(&Map<String, Value>, &'static str)> {
    let role = match text(step, "source")? {
        "agent" => "assistant",
        "user" => "user",
        "system" => "system",
        _ => return None,
    };
    Some((step, role))
}

fn said(
    step: &Map<String, Value>,
    role: &'static str,
    agents_model: Option<&Value>,
) -> SessionMessage {
    let metrics = step.get("metrics");
    let model = step
        .get("model_name")
        .or_else(|| agents_model.filter(|_| role == "assistant"));
    SessionMessage {
        role: role.to_owned(),
        content: step.get("message").filter(|said| !said.is_null()).cloned(),
        thinking: text(step, "reasoning_content").map(str::to_owned),
        tool_calls: calls(step),
        tool_call_id: None,
        timestamp: text(step, "timestamp").map(str::to_owned),
        tokens: metrics.and_then(|metrics| metrics.get("completion_tokens")?.as_u64()),
        metadata: object([
            ("step_id", step.get("step_id").cloned()),
            ("model", model.cloned()),
            ("metrics", metrics.cloned()),
            ("extra", step.get("extra").cloned()),
        ]),
    }
}

fn calls(step: &Map<String, Value>) -> Option<Vec<Map<String, Value>>> {
    let calls = step.get("tool_calls")?.as_array()?;
    let calls: Vec<_> = calls
        .iter()
        .filter_map(Value::as_object)
        .filter_map(|call| {
            let name = text(call, "function_name")?;
            Some(tool_call(
                text(call, "tool_call_id"),
                name,
                call.get("arguments"),
            ))
        })
        .collect();
    (!calls.is_empty()).then_some(calls)
}

/// What the environment answered. A part that another agent did is only named there; its own trajectory is not ours.
fn observed(step: &Map<String, Value>) -> Vec<SessionMessage> {
    let results = step
        .get("observation")
        .and_then(|observation| observation.get("results")?.as_array());
    let answer = |result: &Map<String, Value>| SessionMessage {
        role: "tool".to_owned(),
        content: Some(result.get("content").cloned().unwrap_or(Value::Null)),
        tool_call_id: text(result, "source_call_id").map(str::to_owned),
        timestamp: text(step, "timestamp").map(str::to_owned),
        metadata: object([
            ("step_id", step.get("step_id").cloned()),
            (
                "subagent_trajectory_ref",
                result.get("subagent_trajectory_ref").cloned(),
            ),
        ]),
        ..SessionMessage::default()
    };
    let results = results.into_iter().flatten();
    results.filter_map(Value::as_object).map(answer).collect()
}
