//! Going through the files of an instance.

use serde::Serialize;

use super::tree::{Place, Tree};

/// What lies in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FolderEntry {
    /// Without the folder.
    pub name: String,
    /// Below the tree, with a leading slash.
    pub path: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: FolderEntryKind,
    /// In bytes.
    pub size: u64,
    /// RFC 3339.
    pub modified_time: String,
}

/// What an entry of a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FolderEntryKind {
    /// A file.
    File,
    /// A folder.
    Directory,
    /// A link, which is not followed.
    Symlink,
}

/// Every regular file and every link below the tree, in path order; at most `limit` of them. Also whether there are more.
pub(super) fn walk(tree: &Tree, limit: usize) -> (Vec<Place>, bool) {
    let mut files = Vec::new();
    let mut folders = vec![tree.root().to_owned()];
    let mut cut = false;
    'folders: while let Some(folder) = folders.pop() {
        // A folder that went away meanwhile has no files.
        let Ok(entries) = fs_err::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if tree.is_hidden(&path) {
                continue;
            }
            let Ok(metadata) = path.symlink_metadata() else {
                continue;
            };
            if metadata.is_dir() {
                folders.push(path);
            } else if metadata.is_file() || metadata.is_symlink() {
                if files.len() == limit {
                    cut = true;
                    break 'folders;
                }
                files.extend(tree.place(&path, &metadata));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    (files, cut)
}

/// What lies in one folder, in name order, at most `limit` entries; `None` if there is no such folder.
pub fn entries(tree: &Tree, path: &str, limit: usize) -> Option<Vec<FolderEntry>> {
    let folder = tree.folder(path)?;
    let mut entries = Vec::new();
    for entry in fs_err::read_dir(folder).ok()?.flatten() {
        let full = entry.path();
        if tree.is_hidden(&full) {
            continue;
        }
        let Ok(metadata) = full.symlink_metadata() else {
            continue;
        };
        let kind = if metadata.is_dir() {
            FolderEntryKind::Directory
        } else if metadata.is_file() {
            FolderEntryKind::File
        } else if metadata.is_symlink() {
            FolderEntryKind::Symlink
        } else {
            continue;
        };
        let Some(place) = tree.place(&full, &metadata) else {
            continue;
        };
        entries.push(FolderEntry {
            name: entry.file_name().to_string_lossy().into_owned(),
            path: place.path,
            kind,
            size: place.size,
            modified_time: place.modified.to_string(),
        });
        if entries.len() == limit {
            break;
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Some(entries)
}
