//! What was said in a session, as people read it: who, and what, one below the other.

use clap::Args;
use fleet_api::Client;
use fleet_api::types::{SessionId, Transcript, TranscriptMessage};
use report::text::{one_line, visible};
use run_record::ExitCode;
use serde_json::Value;

use crate::commands::fleet::failed::Done;
use crate::commands::fleet::output::Output;
use crate::printer::{style, styled};

#[derive(Debug, Args)]
pub(super) struct TranscriptArgs {
    /// The session
    session: String,
}

pub(super) async fn transcript(args: TranscriptArgs, client: &Client, out: Output) -> Done {
    let answer = client.transcript(&SessionId::new(args.session)).await?;
    if out.json {
        out.printer.json(&answer);
        return Ok(ExitCode::Success);
    }
    if answer.transcript.is_empty() {
        out.note("nothing was said in this session");
        return Ok(ExitCode::Success);
    }
    let messages: Vec<String> = answer.transcript.iter().map(message).collect();
    out.printer.data(messages.join("\n\n"));
    out.note(summary(&answer));
    Ok(ExitCode::Success)
}

fn message(message: &TranscriptMessage) -> String {
    let speaker = match &message.tool_call_id {
        Some(call) => format!("{} {}", message.role, call),
        None => message.role.clone(),
    };
    let mut text = styled(style::BOLD, one_line(&speaker));
    let said = content(&message.content);
    if !said.is_empty() {
        text.push('\n');
        text.push_str(visible(&said).trim_end());
    }
    for call in message.tool_calls.iter().flatten() {
        text.push_str("\n→ ");
        text.push_str(&one_line(&tool_call(call)));
    }
    text
}

/// Text as it is; parts one below the other, each by its text where it has one.
fn content(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(part).collect::<Vec<_>>().join("\n"),
        other => other.to_string(),
    }
}

fn part(part: &Value) -> String {
    match (part.get("text"), part.get("type")) {
        (Some(Value::String(text)), _) => text.clone(),
        (_, Some(Value::String(kind))) if kind.contains("image") => format!("[{kind}]"),
        _ => part.to_string(),
    }
}

/// `name(arguments)`, for the form of `OpenAI` and for a plain one.
fn tool_call(call: &Value) -> String {
    let function = call.get("function").unwrap_or(call);
    let Some(name) = function.get("name").and_then(Value::as_str) else {
        return call.to_string();
    };
    let arguments = ["arguments", "input"]
        .iter()
        .find_map(|field| function.get(*field));
    match arguments {
        Some(Value::String(text)) => format!("{name}({text})"),
        Some(other) => format!("{name}({other})"),
        None => format!("{name}()"),
    }
}

fn summary(answer: &Transcript) -> String {
    let task = answer.task.as_ref();
    let score = answer.verifier_execution.as_ref().and_then(|run| run.score);
    let parts = [
        Some(report::text::plural(answer.transcript.len(), "message")),
        task.map(|task| format!("task {}", one_line(task.key.as_str()))),
        score.map(|score| format!("score {}", report::text::score(score))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_and_tool_calls_are_shown_by_what_they_say() {
        let parts = json!([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}]);
        assert_eq!(content(&parts), "a\n[image_url]");
        let call = json!({"function": {"name": "close", "arguments": "{\"id\":2}"}});
        assert_eq!(tool_call(&call), "close({\"id\":2})");
        assert_eq!(
            tool_call(&json!({"name": "f", "input": {"a": 1}})),
            "f({\"a\":1})"
        );
        assert_eq!(tool_call(&json!(7)), "7");
    }
}
