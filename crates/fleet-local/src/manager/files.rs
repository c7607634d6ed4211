//! The files of an instance: what lies in the `files` folder of its directory.
//!
//! Responsible for listing and reading them without ever leaving that folder. Environments without such a folder have no files.

use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use serde::Serialize;

/// The folder inside the instance's directory.
pub const FOLDER: &str = "files";

/// Files listed at most; a longer list says that it was cut.
const LISTED: usize = 10_000;

/// Bytes of content when the request names no limit, as the official client's default.
pub(super) const DEFAULT_CONTENT: usize = 102_400;

/// Bytes of content whatever the request asks for.
pub(super) const MOST_CONTENT: usize = 32 * 1024 * 1024;

/// One file as the listing shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileEntry {
    /// Path below the folder, with a leading slash.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// RFC 3339.
    pub modified_time: String,
    /// `text` or `binary`, by the first bytes.
    pub file_type: &'static str,
}

/// The answer of `POST /diff/fs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listing {
    success: bool,
    /// The files in path order.
    pub files: Vec<FileEntry>,
    total_files: usize,
    total_size: u64,
    source: &'static str,
    message: String,
}

/// The answer of `POST /fs/file`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileAnswer {
    success: bool,
    path: String,
    /// Whether there is a regular file of that path.
    pub exists: bool,
    size: Option<u64>,
    modified_time: Option<String>,
    file_type: Option<&'static str>,
    /// The text, cut at the asked size; none for binary files.
    pub content: Option<String>,
    message: Option<String>,
}

/// Lists every regular file of the instance; links are not followed.
pub fn list(instance: &Path) -> Listing {
    let root = instance.join(FOLDER);
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    let mut cut = false;
    'folders: while let Some(folder) = folders.pop() {
        // A folder that went away meanwhile, or was never there, has no files.
        let Ok(entries) = fs_err::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                if files.len() == LISTED {
                    cut = true;
                    break 'folders;
                }
                files.extend(describe(&root, &entry.path()));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let message = if cut {
        format!("there are more than {LISTED} files; only that many are listed")
    } else {
        "files listed".to_owned()
    };
    Listing {
        success: true,
        total_files: files.len(),
        total_size: files.iter().map(|file| file.size).sum(),
        files,
        source: FOLDER,
        message,
    }
}

/// Reads one file of the instance; a path that leaves the folder names no file.
pub fn read(instance: &Path, path: &str, content_limit: Option<usize>) -> FileAnswer {
    let root = instance.join(FOLDER);
    let found = locate(&root, path).and_then(|file| Some((describe(&root, &file)?, file)));
    let Some((entry, file)) = found else {
        return FileAnswer {
            success: true,
            path: path.to_owned(),
            exists: false,
            size: None,
            modified_time: None,
            file_type: None,
            content: None,
            message: Some("no such file".to_owned()),
        };
    };
    let content = content_limit
        .filter(|_| entry.file_type == "text")
        .and_then(|limit| text(&file, limit.min(MOST_CONTENT)));
    FileAnswer {
        success: true,
        path: path.to_owned(),
        exists: true,
        size: Some(entry.size),
        modified_time: Some(entry.modified_time),
        file_type: Some(entry.file_type),
        content,
        message: None,
    }
}

/// The file's real place, if it is a regular file inside the folder, links resolved.
fn locate(root: &Path, path: &str) -> Option<PathBuf> {
    let mut inside = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(part) => inside.push(part),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    let root = root.canonicalize().ok()?;
    let file = root.join(inside).canonicalize().ok()?;
    (file.starts_with(&root) && file.is_file()).then_some(file)
}

fn describe(root: &Path, file: &Path) -> Option<FileEntry> {
    let metadata = fs_err::metadata(file).ok()?;
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let root = if file.starts_with(root) {
        root.to_owned()
    } else {
        root.canonicalize().ok()?
    };
    let relative = file.strip_prefix(&root).ok()?;
    Some(FileEntry {
        path: format!("/{}", relative.to_string_lossy()),
        size: metadata.len(),
        modified_time: Timestamp::try_from(modified)
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .to_string(),
        file_type: if looks_like_text(file) {
            "text"
        } else {
            "binary"
        },
    })
}

fn looks_like_text(file: &Path) -> bool {
    const HEAD: u64 = 8192;
    let mut head = Vec::new();
    let read = fs_err::File::open(file).and_then(|handle| handle.take(HEAD).read_to_end(&mut head));
    read.is_ok() && !head.contains(&0)
}

fn text(file: &Path, limit: usize) -> Option<String> {
    let mut bytes = Vec::new();
    fs_err::File::open(file)
        .ok()?
        .take(limit as u64)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
