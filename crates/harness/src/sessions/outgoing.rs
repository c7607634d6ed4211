//! The messages of a session on their way: a file that is written when an agent has ended and read in batches, however
//! often the harness ends in between. It is deleted when the service has all of it.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;

use fleet_api::types::SessionMessage;
use redact::Redactor;
use serde_json::Value;

use crate::trial::cut;

/// The most messages and bytes of them in one request; services refuse larger ones.
pub(super) const BATCH_MESSAGES: usize = 32;
const BATCH_BYTES: usize = 500 << 10;
/// A longer message is cut, so that every batch holds at least one.
const MESSAGE_BYTES: usize = 400 << 10;

/// Writes the messages to `path`, without secrets and none of them too long. They are on the disk when it returns.
pub(crate) fn write(
    path: &Path,
    redactor: &Redactor,
    messages: Vec<SessionMessage>,
) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs_err::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    {
        let mut out = io::BufWriter::new(file.as_file_mut());
        for message in messages {
            let line = line(redactor, message);
            out.write_all(line.as_bytes())?;
            out.write_all(b"\n")?;
        }
        out.flush()?;
    }
    // A simulation has no real disk, and this one would be all that its worlds wait for.
    if !cfg!(test) {
        file.as_file().sync_data()?;
    }
    file.persist(path)?;
    Ok(())
}

fn line(redactor: &Redactor, mut message: SessionMessage) -> String {
    mask_message(redactor, &mut message);
    let mut room = MESSAGE_BYTES;
    loop {
        let text = encode(&message);
        if text.len() <= MESSAGE_BYTES {
            return text;
        }
        // A character may need six in JSON, so it may take more than one cut.
        room /= 2;
        shorten(&mut message, room);
    }
}

/// Cuts what is long of a message. Content in parts becomes text, because a part that is cut is none.
fn shorten(message: &mut SessionMessage, room: usize) {
    if let Some(content) = message.content.take() {
        let text = match content {
            Value::String(text) => text,
            parts => parts.to_string(),
        };
        message.content = Some(Value::String(cut(&text, room)));
    }
    if let Some(thinking) = &mut message.thinking {
        *thinking = cut(thinking, room);
    }
    let too_long = |bytes: usize| bytes > room / 2;
    if let Some(calls) = &message.tool_calls
        && too_long(serde_json::to_string(calls).map_or(0, |text| text.len()))
    {
        let length = calls.len();
        message.tool_calls = None;
        let said = message.content.take().and_then(|text| match text {
            Value::String(text) => Some(text),
            _ => None,
        });
        let note = format!("[harness: {length} tool calls cut] ");
        message.content = Some(Value::String(note + &said.unwrap_or_default()));
    }
    if let Some(metadata) = &message.metadata
        && too_long(serde_json::to_string(metadata).map_or(0, |text| text.len()))
    {
        message.metadata = None;
    }
    for short in [&mut message.tool_call_id, &mut message.timestamp] {
        if short.as_ref().is_some_and(|text| text.len() > 1024) {
            *short = None;
        }
    }
    message.role = cut(&message.role, 64);
}

fn encode(message: &SessionMessage) -> String {
    serde_json::to_string(message).expect("a message has text keys and finite numbers")
}

/// Every text of the message. The file that it was read from is masked too, but what is spelled with escapes there is
/// plain here.
fn mask_message(redactor: &Redactor, message: &mut SessionMessage) {
    if redactor.is_empty() {
        return;
    }
    let mask = |text: &mut String| *text = redactor.text(text).into_owned();
    mask(&mut message.role);
    let texts = [
        &mut message.thinking,
        &mut message.tool_call_id,
        &mut message.timestamp,
    ];
    texts.into_iter().flatten().for_each(mask);
    if let Some(content) = &mut message.content {
        mask_value(redactor, content);
    }
    let calls = message.tool_calls.iter_mut().flatten();
    for object in calls.chain(&mut message.metadata) {
        for (_, value) in object.iter_mut() {
            mask_value(redactor, value);
        }
    }
}

fn mask_value(redactor: &Redactor, value: &mut Value) {
    match value {
        Value::String(text) => *text = redactor.text(text).into_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| mask_value(redactor, item)),
        Value::Object(fields) => fields
            .iter_mut()
            .for_each(|(_, value)| mask_value(redactor, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Messages of one request.
#[derive(Debug, PartialEq)]
pub(super) struct Batch {
    pub(super) messages: Vec<SessionMessage>,
    /// Nothing comes after it.
    pub(super) is_last: bool,
}

/// A file of messages, read from the front.
#[derive(Debug)]
pub(super) struct Outgoing {
    lines: io::Lines<BufReader<File>>,
    /// Read ahead, to know which batch is the last.
    next: Option<String>,
}

impl Outgoing {
    /// Opens the file behind the first `skipped` messages.
    pub(super) fn open(path: &Path, skipped: u64) -> io::Result<Self> {
        let mut lines = BufReader::new(File::open(path)?).lines();
        for _ in 0..skipped {
            lines.next().transpose()?;
        }
        let next = lines.next().transpose()?;
        Ok(Self { lines, next })
    }

    /// The next messages: as many as fit, or exactly `count`, as when a request is repeated. `None` at the end.
    pub(super) fn batch(&mut self, count: Option<u64>) -> io::Result<Option<Batch>> {
        let most = count.map_or(BATCH_MESSAGES, |count| {
            usize::try_from(count).unwrap_or(BATCH_MESSAGES)
        });
        let (mut messages, mut bytes) = (Vec::new(), 0);
        while let Some(line) = &self.next {
            let full = messages.len() >= most
                || count.is_none() && !messages.is_empty() && bytes + line.len() > BATCH_BYTES;
            if full {
                break;
            }
            bytes += line.len();
            messages.push(serde_json::from_str(line)?);
            self.next = self.lines.next().transpose()?;
        }
        let is_last = self.next.is_none();
        Ok((!messages.is_empty()).then_some(Batch { messages, is_last }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: impl Into<String>) -> SessionMessage {
        SessionMessage {
            role: "user".to_owned(),
            content: Some(Value::String(text.into())),
            ..SessionMessage::default()
        }
    }

    fn batches(path: &Path, skipped: u64) -> Vec<Batch> {
        let mut outgoing = Outgoing::open(path, skipped).unwrap();
        std::iter::from_fn(|| outgoing.batch(None).unwrap()).collect()
    }

    #[test]
    fn x1_batches_are_bounded_and_hold_every_message_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outgoing/a.jsonl");
        let long = "x".repeat(200 << 10);
        let all: Vec<_> = (0..70)
            .map(|n| said(n.to_string()))
            .chain((0..5).map(|_| said(long.clone())))
            .collect();
        write(&path, &Redactor::default(), all.clone()).unwrap();
        let sent = batches(&path, 0);
        for batch in &sent {
            assert!(batch.messages.len() <= BATCH_MESSAGES);
            assert!(serde_json::to_vec(&batch.messages).unwrap().len() <= 512 << 10);
        }
        assert!(sent.len() > 3 && sent.last().unwrap().is_last);
        let last = sent.iter().filter(|batch| batch.is_last).count();
        assert_eq!(last, 1);
        let together: Vec<_> = sent.into_iter().flat_map(|batch| batch.messages).collect();
        assert_eq!(together, all);
        // Who comes later goes on where the service had got to.
        let rest: Vec<_> = batches(&path, 40)
            .into_iter()
            .flat_map(|batch| batch.messages)
            .collect();
        assert_eq!(rest, all[40..]);
        let mut again = Outgoing::open(&path, 32).unwrap();
        assert_eq!(again.batch(Some(7)).unwrap().unwrap().messages, all[32..39]);
    }

    #[test]
    fn x4_a_message_of_any_length_fits_and_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let call = serde_json::json!({"id": "c", "function": {"arguments": "z".repeat(1 << 20)}});
        let messages = vec![
            said("\u{1}".repeat(1 << 20)),
            SessionMessage {
                content: Some(serde_json::json!([{"type": "image", "data": "y".repeat(1 << 20)}])),
                thinking: Some("é".repeat(1 << 20)),
                tool_calls: Some(vec![call.as_object().unwrap().clone()]),
                ..said("")
            },
        ];
        write(&path, &Redactor::default(), messages).unwrap();
        let read: Vec<_> = batches(&path, 0)
            .into_iter()
            .flat_map(|batch| batch.messages)
            .collect();
        assert_eq!(read.len(), 2);
        for message in &read {
            assert!(encode(message).len() <= MESSAGE_BYTES);
            let text = message.content.as_ref().unwrap().as_str().unwrap();
            assert!(text.contains("[harness: "), "nothing says that it was cut");
        }
        assert!(
            read[1]
                .content
                .as_ref()
                .unwrap()
                .as_str()
                .unwrap()
                .contains("1 tool calls cut")
        );
    }

    #[test]
    fn c4_x5_no_secret_leaves_in_any_part_of_a_message() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let secret = "hunter2-hunter2";
        let message = SessionMessage {
            content: Some(serde_json::json!([{"text": secret, "n": [secret]}])),
            thinking: Some(secret.to_owned()),
            tool_calls: Some(vec![
                serde_json::json!({"function": {"arguments": format!("{{\"key\":\"{secret}\"}}")}})
                    .as_object()
                    .unwrap()
                    .clone(),
            ]),
            metadata: serde_json::json!({"a": secret}).as_object().cloned(),
            ..said("")
        };
        write(&path, &Redactor::new([secret]), vec![message]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains("hunter2") && text.matches("***").count() == 5,
            "{text}"
        );
    }

    #[test]
    fn what_was_torn_is_an_error_and_what_is_empty_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, "").unwrap();
        assert!(batches(&path, 0).is_empty());
        std::fs::write(&path, "{\"role\":\"us").unwrap();
        let mut outgoing = Outgoing::open(&path, 0).unwrap();
        assert!(outgoing.batch(None).is_err());
        assert!(Outgoing::open(&folder.path().join("none"), 0).is_err());
    }
}
