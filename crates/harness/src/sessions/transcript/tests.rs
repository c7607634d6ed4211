//! Every form of a transcript reads as the same messages, and what cannot be read is counted.

use serde_json::json;

use super::*;

fn read_json(value: &Value) -> Transcript {
    read(value.to_string().as_bytes()).expect("there are messages")
}

fn roles(transcript: &Transcript) -> Vec<&str> {
    let roles = transcript.messages.iter();
    roles.map(|message| message.role.as_str()).collect()
}

#[test]
fn x6_messages_are_known_as_a_list_as_lines_and_inside_of_an_object() {
    let said = json!([
        {"role": "user", "content": "Close ticket 2."},
        {"role": "assistant", "content": "done", "thinking": "easy", "tokens": 3,
         "timestamp": "2026-11-02T03:04:05Z", "metadata": {"a": 1}},
    ]);
    let expected = read_json(&said);
    assert_eq!(roles(&expected), ["user", "assistant"]);
    let last = &expected.messages[1];
    assert_eq!(
        (last.thinking.as_deref(), last.tokens),
        (Some("easy"), Some(3))
    );
    assert!(last.timestamp.is_some() && last.metadata.is_some());
    for key in LISTS {
        assert_eq!(read_json(&json!({"model": "m", key: said})), expected);
    }
    let mut lines = String::new();
    for message in said.as_array().unwrap() {
        lines.push_str(&message.to_string());
        lines.push('\n');
    }
    assert_eq!(read(lines.as_bytes()).unwrap(), expected);
    // The last line is what a killed agent had begun.
    let torn = read(format!("\n{lines}{{\"role\": \"assi").as_bytes()).unwrap();
    assert_eq!((torn.messages.len(), torn.unread), (2, 1));
}

#[test]
fn chat_completions_keep_their_calls_answers_and_parts() {
    let parts = json!([{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:"}}]);
    let transcript = read_json(&json!({"messages": [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": null, "reasoning_content": "hm",
         "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "close", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "closed"},
        {"role": "assistant", "content": null, "function_call": {"name": "old", "arguments": "{\"a\":1}"}},
    ]}));
    assert_eq!(
        roles(&transcript),
        ["system", "user", "assistant", "tool", "assistant"]
    );
    assert_eq!(transcript.messages[1].content, Some(parts));
    assert_eq!(transcript.messages[2].thinking.as_deref(), Some("hm"));
    assert_eq!(
        transcript.messages[2].tool_calls.as_ref().unwrap()[0]["id"],
        "c1"
    );
    assert_eq!(transcript.messages[3].tool_call_id.as_deref(), Some("c1"));
    let old = &transcript.messages[4].tool_calls.as_ref().unwrap()[0];
    assert_eq!(old["function"]["arguments"], "{\"a\":1}");
}

#[test]
fn items_of_the_responses_api_become_messages() {
    let transcript = read_json(&json!({"input": "Close ticket 2.", "output": [
        {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "think"}]},
        {"type": "function_call", "call_id": "c1", "name": "close", "arguments": "{\"id\":2}", "status": "completed"},
        {"type": "function_call_output", "call_id": "c1", "output": "closed"},
        {"type": "computer_call", "call_id": "c2", "action": {"type": "click", "x": 1}},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "done"}]},
    ]}));
    assert_eq!(transcript.format, Format::Responses);
    assert_eq!(
        roles(&transcript),
        [
            "user",
            "assistant",
            "assistant",
            "tool",
            "assistant",
            "assistant"
        ]
    );
    assert_eq!(transcript.messages[1].thinking.as_deref(), Some("think"));
    let call = &transcript.messages[2].tool_calls.as_ref().unwrap()[0];
    assert_eq!(
        (&call["id"], &call["function"]["name"]),
        (&json!("c1"), &json!("close"))
    );
    assert_eq!(transcript.messages[3].tool_call_id.as_deref(), Some("c1"));
    let click = &transcript.messages[4].tool_calls.as_ref().unwrap()[0];
    assert_eq!(
        click["function"]["arguments"],
        "{\"type\":\"click\",\"x\":1}"
    );
    assert_eq!(transcript.unread, 0);
}

#[test]
fn a_trajectory_becomes_messages_step_by_step() {
    let trajectory = json!({
        "schema_version": "ATIF-v1.6",
        "session_id": "s",
        "agent": {"name": "a", "version": "1", "model_name": "acme/large"},
        "steps": [
            {"step_id": 1, "source": "system", "message": "You are an agent."},
            {"step_id": 2, "source": "user", "message": "Close ticket 2.", "timestamp": "2026-11-02T03:04:05Z"},
            {"step_id": 3, "source": "agent", "message": "", "reasoning_content": "easy",
             "tool_calls": [{"tool_call_id": "c1", "function_name": "close", "arguments": {"id": 2}}],
             "observation": {"results": [{"source_call_id": "c1", "content": "closed"}]},
             "metrics": {"prompt_tokens": 100, "completion_tokens": 7, "cost_usd": 0.001}},
            {"step_id": 4, "source": "agent", "message": "done", "model_name": "acme/small"},
            {"step_id": 5, "source": "weather", "message": "?"},
        ],
    });
    let transcript = read_json(&trajectory);
    assert_eq!(transcript.format, Format::Atif);
    assert_eq!(
        roles(&transcript),
        ["system", "user", "assistant", "tool", "assistant"]
    );
    let step = &transcript.messages[2];
    assert_eq!(
        (step.tokens, step.thinking.as_deref()),
        (Some(7), Some("easy"))
    );
    assert_eq!(step.metadata.as_ref().unwrap()["model"], "acme/large");
    let call = &step.tool_calls.as_ref().unwrap()[0];
    assert_eq!(
        call["function"],
        json!({"name": "close", "arguments": "{\"id\":2}"})
    );
    assert_eq!(transcript.messages[3].tool_call_id.as_deref(), Some("c1"));
    assert_eq!(
        transcript.messages[4].metadata.as_ref().unwrap()["model"],
        "acme/small"
    );
    assert_eq!(transcript.unread, 1);
    // One that stands on a line of its own, after others.
    let lines = format!("{{\"event\": \"started\"}}\n{trajectory}\n");
    assert_eq!(
        read(lines.as_bytes()).unwrap().messages,
        transcript.messages
    );
}

#[test]
fn messages_inside_of_events_are_found() {
    let lines = concat!(
        r#"{"type":"user","timestamp":"2026-11-02T03:04:05Z","message":{"role":"user","content":"hi"}}"#,
        "\n",
        r#"{"type":"summary","text":"x"}"#,
    );
    let transcript = read(lines.as_bytes()).unwrap();
    assert_eq!(roles(&transcript), ["user"]);
    assert!(transcript.messages[0].timestamp.is_some());
    assert_eq!(transcript.unread, 1);
}

#[test]
fn x6_what_holds_no_message_is_none() {
    for bytes in [
        &b""[..],
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"7",
        b"[1, null]",
        b"hello\nworld",
    ] {
        assert_eq!(read(bytes), None, "{bytes:?}");
    }
}

#[test]
fn x4_a_transcript_without_end_is_cut_and_says_so() {
    let many: Vec<_> = (0..MAX_MESSAGES + 7)
        .map(|_| json!({"role": "user", "content": "x"}))
        .collect();
    let transcript = read_json(&Value::Array(many));
    assert_eq!(transcript.messages.len(), MAX_MESSAGES + 1);
    let last = transcript.messages.last().unwrap().content.clone();
    assert_eq!(last, Some(json!("[harness: 7 more messages left out]")));
}
