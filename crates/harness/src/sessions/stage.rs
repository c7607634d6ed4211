//! Puts what an agent left of its conversation aside for its session, while it is where the agent left it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use fleet_api::types::SessionMessage;
use redact::Redactor;
use serde_json::Value;

use super::outgoing;
use super::transcript::{self, Transcript, note};

/// The largest transcript that is read.
const MAX_FILE: u64 = 64 << 20;

/// Writes the messages of the first of `candidates` that holds any. Without one the session is the prompt and what the
/// agent answered: the service shows every attempt. Answers what could not be done, for a warning.
pub(crate) fn stage(
    to: &Path,
    redactor: &Redactor,
    candidates: &[std::path::PathBuf],
    prompt: &str,
    answer: Option<&str>,
) -> Result<(), String> {
    let mut notes = Vec::new();
    let found = candidates.iter().find_map(|path| match read(path) {
        Ok(found) => found,
        Err(problem) => {
            notes.push(note(format!("[harness: {problem}]")));
            None
        }
    });
    let mut messages = match found {
        Some(transcript) => told(transcript),
        None => without_transcript(prompt, answer),
    };
    messages.append(&mut notes);
    outgoing::write(to, redactor, messages)
        .map_err(|error| format!("the transcript could not be put aside for its session: {error}"))
}

/// The messages, and where they come from in the first one's metadata.
fn told(transcript: Transcript) -> Vec<SessionMessage> {
    let Transcript {
        format,
        mut messages,
        unread,
    } = transcript;
    if let Some(first) = messages.first_mut() {
        let metadata = first.metadata.get_or_insert_default();
        metadata.insert("transcript_format".to_owned(), format.as_str().into());
    }
    if unread > 0 {
        messages.push(note(format!(
            "[harness: {unread} pieces of the transcript could not be read]"
        )));
    }
    messages
}

fn without_transcript(prompt: &str, answer: Option<&str>) -> Vec<SessionMessage> {
    let said = |role: &str, text: &str| SessionMessage {
        role: role.to_owned(),
        content: Some(Value::String(text.to_owned())),
        ..SessionMessage::default()
    };
    let mut messages = vec![said("user", prompt)];
    messages.extend(answer.map(|answer| said("assistant", answer)));
    messages
}

/// `None` if there is no file, or no message in it.
fn read(path: &Path) -> Result<Option<Transcript>, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let problem = |error: std::io::Error| format!("{name} could not be read: {error}");
    let size = match std::fs::metadata(path) {
        Ok(data) if data.is_file() => data.len(),
        Ok(_) | Err(_) => return Ok(None),
    };
    if size > MAX_FILE {
        return Err(format!("{name} has {size} bytes, more than {MAX_FILE}"));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes))
        .map_err(problem)?;
    Ok(transcript::read(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staged(files: &[(&str, &str)]) -> Vec<SessionMessage> {
        let folder = tempfile::tempdir().unwrap();
        let candidates: Vec<_> = ["transcript.jsonl", "transcript.json", "trajectory.json"]
            .map(|name| folder.path().join(name))
            .into();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let to = folder.path().join("outgoing/a.jsonl");
        stage(&to, &Redactor::default(), &candidates, "do it", Some("42")).unwrap();
        let lines = std::fs::read_to_string(to).unwrap();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn texts(messages: &[SessionMessage]) -> Vec<&str> {
        let contents = messages
            .iter()
            .filter_map(|message| message.content.as_ref());
        contents.filter_map(Value::as_str).collect()
    }

    #[test]
    fn x6_the_first_file_with_a_message_counts_and_its_format_is_named() {
        let trajectory =
            r#"{"schema_version": "ATIF-v1.0", "steps": [{"source": "user", "message": "go"}]}"#;
        let messages = staged(&[
            ("transcript.jsonl", "no json"),
            ("trajectory.json", trajectory),
        ]);
        assert_eq!(texts(&messages), ["go"]);
        let metadata = messages[0].metadata.as_ref().unwrap();
        assert_eq!(metadata["transcript_format"], "atif");
        let said = r#"{"role": "user", "content": "first"}"#;
        let messages = staged(&[("transcript.json", said), ("trajectory.json", trajectory)]);
        assert_eq!(texts(&messages), ["first"]);
    }

    #[test]
    fn x6_without_a_transcript_the_session_is_the_prompt_and_the_answer() {
        for files in [&[][..], &[("transcript.json", "<html>")]] {
            assert_eq!(texts(&staged(files)), ["do it", "42"]);
        }
        let torn = staged(&[(
            "transcript.jsonl",
            "{\"role\": \"user\", \"content\": \"a\"}\n{\"ro",
        )]);
        assert_eq!(
            texts(&torn),
            [
                "a",
                "[harness: 1 pieces of the transcript could not be read]"
            ]
        );
    }

    #[test]
    fn x4_a_file_that_is_too_large_is_not_read_and_the_session_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let large = folder.path().join("transcript.json");
        File::create(&large).unwrap().set_len(MAX_FILE + 1).unwrap();
        let problem = read(&large).unwrap_err();
        assert!(problem.contains("more than"), "{problem}");
        let to = folder.path().join("a.jsonl");
        stage(&to, &Redactor::default(), &[large], "do it", None).unwrap();
        assert!(
            std::fs::read_to_string(to)
                .unwrap()
                .contains("[harness: transcript.json has")
        );
    }
}
