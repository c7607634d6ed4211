//! How the files of an instance differ from what it began with.

use std::collections::BTreeSet;

use fleet_api::types::manager::{FileDiff, FileDiffEntry};

use super::baseline::{Baseline, FILES, Standing};
use super::text;
use super::tree::{Place, Tree};
use super::walk::walk;

/// Changed files listed at most.
const LISTED: usize = 10_000;

/// Bytes of one file's content. The request's own wish is not looked at: the official client sends none.
const CONTENT: u64 = 102_400;

/// Bytes of the contents of all files together; beyond it files are listed without.
const ALL_CONTENT: usize = 32 * 1024 * 1024;

/// The kind of a file that was there and is gone. The model has no other word for it, and a file that is not listed would count as
/// unchanged.
const DELETED: &str = "deleted";

/// Every file that is new, changed or gone, in path order. Blocking.
pub fn changes(tree: &Tree, baseline: &Baseline) -> FileDiff {
    let (now, cut) = walk(tree, FILES);
    if cut || baseline.is_cut() {
        let message = format!("there are more than {FILES} files; how they differ is not known");
        return FileDiff {
            success: false,
            source: "snapshot".to_owned(),
            error: Some(message.clone()),
            message,
            ..FileDiff::default()
        };
    }
    let present: BTreeSet<&str> = now.iter().map(|file| file.path.as_str()).collect();
    let mut files: Vec<FileDiffEntry> = baseline
        .paths()
        .filter(|path| !present.contains(path))
        .map(gone)
        .collect();
    let mut room = ALL_CONTENT;
    for file in &now {
        if baseline.standing(file) != Standing::Same {
            files.push(entry(file, &mut room));
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let total = files.len();
    files.truncate(LISTED);
    FileDiff {
        success: true,
        total_files: total as u64,
        total_size: files.iter().map(|file| file.size).sum(),
        message: if total > LISTED {
            format!("{total} files differ; the first {LISTED} are listed")
        } else {
            format!("{total} files differ from what the instance began with")
        },
        files,
        source: "snapshot".to_owned(),
        error: None,
    }
}

fn gone(path: &str) -> FileDiffEntry {
    FileDiffEntry {
        path: path.to_owned(),
        file_type: DELETED.to_owned(),
        ..FileDiffEntry::default()
    }
}

fn entry(file: &Place, room: &mut usize) -> FileDiffEntry {
    let kind = file.kind();
    let content = (kind == "text")
        .then(|| text(file, CONTENT).ok())
        .flatten()
        .filter(|text| text.len() <= *room);
    *room -= content.as_ref().map_or(0, String::len);
    FileDiffEntry {
        path: file.path.clone(),
        size: file.size,
        modified_time: file.modified.to_string(),
        file_type: kind,
        content,
    }
}
