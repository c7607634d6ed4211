//! What a judge is shown: the job in a line, and each of its sessions as text.

use std::fmt::Write as _;

use fleet_api::types::{Transcript, TranscriptMessage};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::archive::{SessionRow, StoredJob};
use crate::cut::cut;
use crate::sessions::{is_pass, score};

/// Bytes of one message. What a tool printed may be long and says little.
const MESSAGE: usize = 8_000;

/// Bytes of a part of a message that is no text: a picture, a tool's result in a shape of its own.
const PART: usize = 500;

/// Bytes of a task's prompt, and of what its verifier printed.
const TASK: usize = 2_000;

/// By what sessions are known as the same, in the same state: one more message makes another.
pub(crate) fn fingerprint(sessions: &[SessionRow]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for session in sessions {
        let verified = session.execution_id.as_deref().unwrap_or_default();
        // As JSON, so that no two sets read alike.
        let state = serde_json::json!([session.id, session.status, verified, session.messages]);
        hash.update(state.to_string());
    }
    hash.finalize().into()
}

/// The job in a line, above every question. `scores`: of the sessions that have one.
pub(crate) fn heading(job: &StoredJob, sessions: usize, scores: &[f64]) -> String {
    let passed = scores.iter().filter(|score| is_pass(**score)).count();
    let mean = match scores.len() {
        0 => String::new(),
        scored => format!(
            ", mean score {:.3}",
            scores.iter().sum::<f64>() / scored as f64
        ),
    };
    format!(
        "Job {} ({}): {sessions} sessions, {} scored, {passed} passed{mean}.\n\n",
        job.name,
        job.id,
        scores.len()
    )
}

/// A session as text.
pub(crate) fn session(session: &SessionRow, transcript: &Transcript) -> String {
    let mut text = format!("## Session {}\n", session.id);
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "{name}: {value}");
        }
    };
    line("task", session.task_key.as_deref().unwrap_or_default());
    line("model", session.model.as_deref().unwrap_or_default());
    line("status", &session.status);
    line("score", &score_text(transcript));
    if let Some(task) = &transcript.task {
        line("prompt", &cut(&task.prompt, TASK));
    }
    let printed = transcript
        .verifier_execution
        .as_ref()
        .and_then(|execution| execution.stdout.as_deref());
    line("verifier printed", &cut(printed.unwrap_or_default(), TASK));
    line(
        "transcript",
        &format!("{} messages", transcript.transcript.len()),
    );
    for message in &transcript.transcript {
        let _ = writeln!(text, "{}: {}", message.role, cut(&said(message), MESSAGE));
    }
    text
}

fn score_text(transcript: &Transcript) -> String {
    match &transcript.verifier_execution {
        None => "not verified".to_owned(),
        Some(execution) => score(execution).map_or_else(
            || "none, the verifier failed".to_owned(),
            |score| score.to_string(),
        ),
    }
}

/// The texts of a message, and the calls of tools.
fn said(message: &TranscriptMessage) -> String {
    let parts: Vec<String> = match &message.content {
        Value::Null => Vec::new(),
        Value::Array(parts) => parts.iter().map(part).collect(),
        other => vec![part(other)],
    };
    let calls = message.tool_calls.iter().flatten();
    let calls = calls.map(|call| format!("calls {}", cut(&call.to_string(), TASK)));
    parts
        .into_iter()
        .chain(calls)
        .collect::<Vec<_>>()
        .join("\n")
}

fn part(part: &Value) -> String {
    match part.as_str().or_else(|| part["text"].as_str()) {
        Some(text) => text.to_owned(),
        None => cut(&part.to_string(), PART),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row() -> SessionRow {
        SessionRow {
            id: "s-1".to_owned(),
            task_key: Some("task-1".to_owned()),
            status: "completed".to_owned(),
            messages: 3,
            ..SessionRow::default()
        }
    }

    #[test]
    fn a_session_is_shown_with_its_score_and_what_was_said() {
        let transcript = serde_json::from_value(json!({
            "verifier_execution": {"success": true, "score": 0.5, "stdout": "half of it"},
            "transcript": [
                {"role": "user", "content": "Do it."},
                {"role": "assistant", "content": [{"type": "text", "text": "I look."}, {"type": "image", "data": "x".repeat(9_000)}],
                 "tool_calls": [{"name": "click"}]},
                {"role": "tool", "content": {"rows": 3}},
            ],
        }));
        let text = session(&row(), &transcript.unwrap());
        for part in [
            "## Session s-1\ntask: task-1\nstatus: completed\nscore: 0.5\n",
            "verifier printed: half of it\n",
            "user: Do it.\nassistant: I look.\n{",
            "\ncalls {\"name\":\"click\"}\ntool: {\"rows\":3}\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        assert!(text.len() < 2_000, "a picture is no text: {}", text.len());
    }

    #[test]
    fn no_score_is_not_a_zero() {
        let verified = |execution: Value| {
            let transcript = json!({"verifier_execution": execution, "transcript": []});
            score_text(&serde_json::from_value(transcript).unwrap())
        };
        assert_eq!(verified(Value::Null), "not verified");
        let failed = verified(json!({"success": false, "score": 0.0}));
        assert_eq!(failed, "none, the verifier failed");
    }

    #[test]
    fn another_session_or_another_state_is_another_set() {
        let same = fingerprint(&[row()]);
        assert_eq!(same, fingerprint(&[row()]));
        let more = SessionRow {
            messages: 4,
            ..row()
        };
        let verified = SessionRow {
            execution_id: Some("e".to_owned()),
            ..row()
        };
        for other in [vec![], vec![row(), row()], vec![more], vec![verified]] {
            assert_ne!(same, fingerprint(&other), "{other:?}");
        }
    }

    #[test]
    fn the_heading_counts() {
        let job = StoredJob {
            id: "j-1".to_owned(),
            name: "nightly".to_owned(),
            created_at: String::new(),
            sessions: 3,
            open: 0,
        };
        assert_eq!(
            heading(&job, 3, &[1.0, 0.5]),
            "Job nightly (j-1): 3 sessions, 2 scored, 1 passed, mean score 0.750.\n\n"
        );
        assert!(heading(&job, 3, &[]).contains("0 scored, 0 passed.\n"));
    }
}
