//! What an agent leaves of its conversation, in any of the formats that agents write, as messages of a session.
//!
//! The format is seen in the content, not in the file's name: messages (a list, JSON lines, or a list inside of an
//! object), items of `OpenAI`'s Responses API, or a trajectory (ATIF). What cannot be read is left out and counted: a
//! transcript is evidence, and half of one is better than none.

mod atif;
mod messages;
mod responses;
mod value;

use fleet_api::types::SessionMessage;
use serde_json::{Map, Value};

/// The most messages that are taken of one transcript; the rest is cut with a note.
const MAX_MESSAGES: usize = 20_000;

/// Keys under which an object has its list of messages.
const LISTS: [&str; 4] = ["messages", "transcript", "history", "conversation"];

/// Which format it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Messages with a role and a content.
    Messages,
    /// Items of `OpenAI`'s Responses API.
    Responses,
    /// A trajectory (ATIF).
    Atif,
}

impl Format {
    /// The word for it in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Responses => "openai-responses",
            Self::Atif => "atif",
        }
    }
}

/// A transcript that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Transcript {
    /// As what it was read.
    pub format: Format,
    /// Never empty.
    pub messages: Vec<SessionMessage>,
    /// Pieces that are no message of any known format.
    pub unread: usize,
}

/// Reads a transcript; `None` if there is no message in it.
pub fn read(bytes: &[u8]) -> Option<Transcript> {
    let mut transcript = match serde_json::from_slice(bytes) {
        Ok(whole) => read_value(whole),
        Err(_) => read_lines(bytes),
    };
    cut(&mut transcript);
    (!transcript.messages.is_empty()).then_some(transcript)
}

fn read_value(whole: Value) -> Transcript {
    match whole {
        Value::Array(items) => read_items(items),
        Value::Object(mut object) => {
            if atif::is_trajectory(&object) {
                return atif::read(&object);
            }
            let list = LISTS
                .iter()
                .find(|key| object.get(**key).is_some_and(Value::is_array));
            if let Some(Value::Array(items)) = list.and_then(|key| object.remove(*key)) {
                return read_items(items);
            }
            responses::items_of(&mut object)
                .map_or_else(|| read_items(vec![Value::Object(object)]), read_items)
        }
        _ => none(1),
    }
}

/// One JSON value a line. A line that was cut off, as by the end of its writer, takes no other along.
fn read_lines(bytes: &[u8]) -> Transcript {
    let mut unread = 0;
    let mut items = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(item) => items.push(item),
            Err(_) => unread += 1,
        }
    }
    // A trajectory or a whole list may stand on a line of its own, below others that only tell what went on.
    if let Some(at) = items.iter().rposition(is_whole) {
        let mut transcript = read_value(items.swap_remove(at));
        transcript.unread += unread;
        return transcript;
    }
    let mut transcript = read_items(items);
    transcript.unread += unread;
    transcript
}

fn is_whole(item: &Value) -> bool {
    match item {
        Value::Object(object) => {
            atif::is_trajectory(object)
                || !object.contains_key("role")
                    && LISTS
                        .iter()
                        .any(|key| object.get(*key).is_some_and(Value::is_array))
        }
        _ => false,
    }
}

fn read_items(items: Vec<Value>) -> Transcript {
    let mut transcript = none(0);
    for item in items {
        let Value::Object(item) = item else {
            transcript.unread += 1;
            continue;
        };
        let item = unwrapped(item);
        if let Some(message) = responses::message(&item) {
            transcript.format = Format::Responses;
            transcript.messages.push(message);
        } else if let Some(message) = messages::message(item) {
            transcript.messages.push(message);
        } else {
            transcript.unread += 1;
        }
    }
    transcript
}

/// Some agents write a line per event, with the message inside.
fn unwrapped(mut item: Map<String, Value>) -> Map<String, Value> {
    let inside = item.get("message").and_then(Value::as_object);
    if item.contains_key("role") || !inside.is_some_and(|inside| inside.contains_key("role")) {
        return item;
    }
    let stamp = item.remove("timestamp");
    match item.remove("message") {
        Some(Value::Object(mut message)) => {
            if let Some(stamp) = stamp {
                message.entry("timestamp").or_insert(stamp);
            }
            message
        }
        _ => item,
    }
}

fn none(unread: usize) -> Transcript {
    Transcript {
        format: Format::Messages,
        messages: Vec::new(),
        unread,
    }
}

fn cut(transcript: &mut Transcript) {
    let left_out = transcript.messages.len().saturating_sub(MAX_MESSAGES);
    if left_out > 0 {
        transcript.messages.truncate(MAX_MESSAGES);
        transcript.messages.push(note(format!(
            "[harness: {left_out} more messages left out]"
        )));
    }
}

/// A remark of ours among an agent's messages.
pub(crate) fn note(text: String) -> SessionMessage {
    SessionMessage {
        role: "system".to_owned(),
        content: Some(Value::String(text)),
        ..SessionMessage::default()
    }
}

#[cfg(test)]
mod tests;
