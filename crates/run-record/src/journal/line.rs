//! The format of a line, and nothing of files.
//!
//! A line is `{"v":1,"seq":…,"at":…,"event":…,…,"crc":"xxxxxxxx"}`; the checksum (CRC-32, hex) covers every byte
//! before `,"crc"`.

use serde::{Deserialize, Serialize};

use crate::{Entry, Event};

/// The newest version of the line format. A reader refuses a newer one.
///
/// Version 2 knows the events of sessions. A line is written in the oldest version that has its event, so that an older
/// harness reads the journal of a run without sessions.
pub const FORMAT_VERSION: u32 = 2;

/// The longest line a reader accepts; final answers and errors are bounded far below it before they get here.
pub(super) const MAX_LINE: usize = 16 * 1024 * 1024;

/// `,"crc":"xxxxxxxx"}`
pub(super) const TRAILER: usize = 18;

#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    #[serde(flatten)]
    entry: &'a Entry,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

pub(super) fn encode(entry: &Entry, out: &mut Vec<u8>) {
    let line = Line {
        v: version_of(&entry.event),
        entry,
    };
    let text = serde_json::to_vec(&line).expect("events have text keys and finite numbers only");
    let body = &text[..text.len() - 1];
    let crc = crc32fast::hash(body);
    out.extend_from_slice(body);
    out.extend_from_slice(format!(",\"crc\":\"{crc:08x}\"}}\n").as_bytes());
}

fn version_of(event: &Event) -> u32 {
    let of_a_job = matches!(event, Event::JobIntended { .. } | Event::JobCreated { .. });
    if of_a_job || event.is_of_a_session() {
        2
    } else {
        1
    }
}

/// What is wrong with a whole line.
#[derive(Debug)]
pub(super) enum Damage {
    /// It is not what was written. The text says why.
    Unreadable(String),
    /// A newer harness wrote it, in this version.
    TooNew(u32),
}

/// Reads a line without its newline.
pub(super) fn decode(line: &[u8]) -> Result<Box<Entry>, Damage> {
    let unreadable = |reason: &str| Damage::Unreadable(reason.to_owned());
    let body_len = line.len().checked_sub(TRAILER);
    let (body, trailer) = line.split_at(body_len.ok_or_else(|| unreadable("it is too short"))?);
    let crc = format!(",\"crc\":\"{:08x}\"}}", crc32fast::hash(body));
    if trailer != crc.as_bytes() {
        return Err(unreadable("its checksum does not match"));
    }
    // The version first: a newer one may have events that this harness has never heard of.
    let Version { v } =
        serde_json::from_slice(line).map_err(|error| unreadable(&error.to_string()))?;
    if v > FORMAT_VERSION {
        return Err(Damage::TooNew(v));
    }
    serde_json::from_slice(line).map_err(|error| unreadable(&error.to_string()))
}
