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
