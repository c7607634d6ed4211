//! The files of an instance: what lies in its directory beside what the server itself keeps there.
//!
//! Responsible for listing and reading them without ever leaving that directory, and for saying how they differ from what the
//! instance began with. Paths on the wire start with `/`, which is the instance's directory. Not responsible for what is inside of
//! a document.

mod baseline;
mod diff;
mod tree;
mod walk;

use std::io::Read as _;

use fleet_api::types::manager::FileState;

pub use baseline::Baseline;
pub use diff::changes;
pub use tree::{Place, Tree};
pub use walk::{FolderEntry, FolderEntryKind, entries};

/// Bytes of content whatever the request asks for.
pub(super) const MOST_CONTENT: u64 = 32 * 1024 * 1024;

/// Reads one file of the instance; a path that leaves the directory names no file.
///
/// The content is there if it is text and not longer than `content_limit` bytes.
pub fn read(tree: &Tree, path: &str, content_limit: Option<u64>) -> FileState {
    let state = FileState {
        success: true,
        path: path.to_owned(),
        ..FileState::default()
    };
    let Some(place) = tree.locate(path) else {
        return FileState {
            message: Some("no such file".to_owned()),
            ..state
        };
    };
    let mut state = FileState {
        exists: true,
        size: Some(place.size),
        modified_time: Some(place.modified.to_string()),
        file_type: Some(place.kind()),
        ..state
    };
    let Some(limit) = content_limit else {
        return state;
    };
    match text(&place, limit.min(MOST_CONTENT)) {
        Ok(text) => state.content = Some(text),
        Err(why) => state.message = Some(why),
    }
    state
}

/// The text of a file, or why there is none.
///
/// # Errors
/// In words: it is too long, it is no text, it cannot be read.
pub fn text(place: &Place, limit: u64) -> Result<String, String> {
    let bytes = bytes(place, limit)?;
    if bytes.contains(&0) {
        return Err("the file is not text".to_owned());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The bytes of a file, or why there are none.
///
/// # Errors
/// In words: it is too long, it cannot be read.
pub fn bytes(place: &Place, limit: u64) -> Result<Vec<u8>, String> {
    let longer = || format!("the file has more than the {limit} bytes asked for");
    if place.size > limit {
        return Err(longer());
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    place
        .open()
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("the file cannot be read: {}", error.kind()))?;
    if bytes.len() as u64 > limit {
        return Err(longer());
    }
    Ok(bytes)
}
