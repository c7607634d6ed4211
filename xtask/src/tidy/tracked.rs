//! The text files that belong to the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command::run_quietly;

/// Folders that hold nothing of ours, for a tree without git.
const NOT_OURS: [&str; 5] = [".git", "target", "runs", "node_modules", "__pycache__"];

/// One file.
pub(crate) struct TextFile {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl TextFile {
    /// Whether the name ends in this extension.
    pub(crate) fn is(&self, extension: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|found| found == extension)
    }
}

/// All files that are tracked or would be, except those that are not text.
pub(crate) fn files(root: &Path) -> Result<Vec<TextFile>> {
    let mut git = Command::new("git");
    git.current_dir(root).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    // A source archive has no git; then every file counts that is not under a folder known to be made.
    let paths = match run_quietly(&mut git) {
        Ok(listing) => listing
            .split('\0')
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
            .collect(),
        Err(_) => walk(root)?,
    };
    let mut files = Vec::new();
    for path in paths {
        let full = root.join(&path);
        // A tracked file may be deleted in the work tree; a symbolic link is not a text of its own.
        if !full
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_file())
        {
            continue;
        }
        let bytes =
            fs::read(&full).with_context(|| format!("could not read {}", full.display()))?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(TextFile {
                path: path.to_string_lossy().replace('\\', "/"),
                text,
            });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in
            fs::read_dir(&folder).with_context(|| format!("could not list {}", folder.display()))?
        {
            let entry = entry?;
            if NOT_OURS.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else {
                found.push(
                    entry
                        .path()
                        .strip_prefix(root)
                        .expect("the walk starts at the root")
                        .to_owned(),
                );
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_without_git_has_the_same_sources() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let walked = walk(root).unwrap();
        assert!(
            walked.contains(&PathBuf::from("src/tidy/tracked.rs")),
            "{walked:?}"
        );
        assert!(walk(&root.join("no such folder")).is_err());
    }
}
