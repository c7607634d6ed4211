//! What an app or a setup command said last, for the message that tells why it failed.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use process_tree::{LeaderStatus, TreeExit};

/// Enough for the last lines of a traceback, little enough for an error message.
const EXCERPT_BYTES: u64 = 600;

/// How the process ended, as the rest of a sentence that starts with its name.
pub(super) fn ending(exit: &TreeExit) -> String {
    match exit.status {
        LeaderStatus::Exited(code) => format!("exited with status {code}"),
        LeaderStatus::Signaled(signal) => format!("was ended by signal {signal}"),
        LeaderStatus::Unknown => "ended in an unknown way".to_owned(),
    }
}

/// The last lines of the first of the files that has any, as the end of a message; empty if none
/// has.
pub(super) fn last_words(files: &[&Path]) -> String {
    files
        .iter()
        .filter_map(|file| tail(file))
        .map(|text| text.trim().to_owned())
        .find(|text| !text.is_empty())
        .map(|text| format!("; its last output: {text}"))
        .unwrap_or_default()
}

fn tail(path: &Path) -> Option<String> {
    let mut file = std::fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(EXCERPT_BYTES)))
        .ok()?;
    let mut bytes = Vec::new();
    file.take(EXCERPT_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
