//! Files of an instance for the judge: those that patterns name within the instance's own directory, and none outside it.

use std::collections::{BTreeMap, HashSet};
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::manager::files::Tree;

/// Files of one grading.
const FILES: usize = 100;

/// Bytes of all of them.
const BYTES: u64 = 8 << 20;

/// Entries of the directory that are looked at.
const ENTRIES: usize = 50_000;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CollectedFile {
    /// Relative to the instance's directory.
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
}

/// What was found by the names under which it was asked for.
pub(super) type Collected = BTreeMap<String, Vec<CollectedFile>>;

/// Files that a grading asks for.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// By the name of their group. Patterns hold for the path within the directory or for the file's name alone.
    pub(super) groups: BTreeMap<String, Vec<String>>,
    /// Single ones: the label under which one is asked for, and its path.
    pub(super) files: Vec<(String, String)>,
}

impl Wanted {
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.files.is_empty()
    }
}

/// Collects: groups under their names, single files under their paths. What the server keeps for itself is not found.
/// Blocking.
pub(super) fn collect(tree: &Tree, wanted: &Wanted) -> Result<Collected, String> {
    let mut room = Room {
        files: FILES,
        bytes: BYTES,
    };
    let mut collected = groups(tree, &wanted.groups, &mut room)?;
    let mut seen = HashSet::new();
    for (label, path) in &wanted.files {
        // One that is attached twice is one.
        if !seen.insert(path) {
            continue;
        }
        let found = tree.locate(path);
        let found = found.ok_or_else(|| format!("{label}: the instance has no file {path:?}"))?;
        let file = room.read(tree.root(), &found.full)?;
        collected.insert(path.clone(), vec![file]);
    }
    Ok(collected)
}

fn groups(
    tree: &Tree,
    wanted: &BTreeMap<String, Vec<String>>,
    room: &mut Room,
) -> Result<Collected, String> {
    let sets = wanted
        .iter()
        .map(|(name, patterns)| Ok((name, set(patterns)?)))
        .collect::<Result<Vec<_>, String>>()?;
    let mut collected: Collected = wanted
        .keys()
        .map(|name| (name.clone(), Vec::new()))
        .collect();
    if sets.is_empty() {
        return Ok(collected);
    }
    for path in walk(tree.root())? {
        if tree.is_hidden(&path) {
            continue;
        }
        let relative = path.strip_prefix(tree.root()).unwrap_or(&path);
        let file_name = relative.file_name().unwrap_or_default();
        for (name, set) in &sets {
            if set.is_match(relative) || set.is_match(file_name) {
                let file = room.read(tree.root(), &path)?;
                collected.entry((*name).clone()).or_default().push(file);
            }
        }
    }
    Ok(collected)
}

/// What may still be collected.
struct Room {
    files: usize,
    bytes: u64,
}

impl Room {
    fn read(&mut self, dir: &Path, path: &Path) -> Result<CollectedFile, String> {
        self.files = self
            .files
            .checked_sub(1)
            .ok_or_else(|| format!("more than {FILES} files are to be collected"))?;
        let bytes = read(dir, path, self.bytes)?;
        self.bytes -= bytes.len() as u64;
        let relative = path.strip_prefix(dir).unwrap_or(path);
        Ok(CollectedFile {
            path: relative.to_string_lossy().into_owned(),
            bytes,
        })
    }
}

fn set(patterns: &[String]) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        // Agents name files as they see them; leading slashes mean the directory itself.
        let glob = Glob::new(pattern.trim_start_matches(['/', '.']))
            .map_err(|error| format!("the pattern {pattern:?} cannot be used: {error}"))?;
        set.add(glob);
    }
    set.build().map_err(|error| error.to_string())
}

/// Regular files below `dir`, sorted; symbolic links are not followed.
fn walk(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let (mut files, mut folders, mut seen) = (Vec::new(), vec![dir.to_owned()], 0);
    while let Some(folder) = folders.pop() {
        // A folder that goes away meanwhile has no files.
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            seen += 1;
            if seen > ENTRIES {
                return Err(format!("the instance has more than {ENTRIES} files"));
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files.sort();
    Ok(files)
}

fn read(dir: &Path, path: &Path, left: u64) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(failed)?;
    // The instance's processes may have put a link in its place since: what counts is what was opened.
    let opened =
        std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(failed)?;
    if !opened.starts_with(dir) {
        return Err(format!("{}: it leaves the instance", path.display()));
    }
    let mut bytes = Vec::new();
    file.take(left + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > left {
        return Err(format!("more than {BYTES} bytes are to be collected"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::InstanceFiles;

    fn tree(dir: &Path) -> Tree {
        Tree::of(&InstanceFiles {
            dir: dir.to_owned(),
            databases: BTreeMap::new(),
        })
    }

    fn found(dir: &Path, pattern: &str) -> Result<Vec<String>, String> {
        let wanted = Wanted {
            groups: BTreeMap::from([("x".to_owned(), vec![pattern.to_owned()])]),
            ..Wanted::default()
        };
        let files = collect(&tree(dir), &wanted)?.remove("x").unwrap();
        Ok(files.into_iter().map(|file| file.path).collect())
    }

    #[test]
    fn a_file_that_is_attached_twice_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        // Two of them would be more than is collected.
        let size = usize::try_from(BYTES).unwrap() / 2 + 1;
        std::fs::write(dir.path().join("big"), vec![b'x'; size]).unwrap();
        let attached = |label: &str| (label.to_owned(), "big".to_owned());
        let wanted = Wanted {
            files: vec![attached("one"), attached("two")],
            ..Wanted::default()
        };
        let collected = collect(&tree(dir.path()), &wanted).unwrap();
        assert_eq!(collected["big"][0].bytes.len(), size);
    }

    /// What is read of a file that is asked for by its path.
    fn single(dir: &Path, path: &str) -> Result<Vec<u8>, String> {
        let wanted = Wanted {
            files: vec![("label".to_owned(), path.to_owned())],
            ..Wanted::default()
        };
        let mut files = collect(&tree(dir), &wanted)?.remove(path).unwrap();
        assert_eq!(files.len(), 1);
        Ok(files.remove(0).bytes)
    }

    #[test]
    fn a_single_file_is_the_one_of_that_path_whatever_its_name_looks_like() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(dir.path().join("old")).unwrap();
        std::fs::create_dir(dir.path().join("logs")).unwrap();
        for name in [
            "old/report.csv",
            "plot[1].png",
            ".notes.txt",
            "logs/app.log",
        ] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        std::fs::write(outside.path().join("secret"), "2").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), dir.path().join("link")).unwrap();
        for name in ["old/report.csv", "/plot[1].png", ".notes.txt"] {
            let read = single(dir.path(), name).unwrap();
            assert_eq!(
                String::from_utf8(read).unwrap(),
                name.trim_start_matches('/')
            );
        }
        for name in [
            "report.csv",
            "*.txt",
            "logs/app.log",
            "link",
            "../secret",
            "old",
            "",
        ] {
            let refused = single(dir.path(), name).unwrap_err();
            assert_eq!(refused, format!("label: the instance has no file {name:?}"));
        }
    }

    #[test]
    fn files_are_found_by_path_and_name_and_links_are_not_followed() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(dir.path().join("out")).unwrap();
        std::fs::write(dir.path().join("out/a.csv"), "1").unwrap();
        std::fs::write(outside.path().join("secret.csv"), "2").unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).unwrap();
        let file = outside.path().join("secret.csv");
        std::os::unix::fs::symlink(file, dir.path().join("b.csv")).unwrap();
        assert_eq!(found(dir.path(), "*.csv").unwrap(), ["out/a.csv"]);
        assert_eq!(found(dir.path(), "/out/*").unwrap(), ["out/a.csv"]);
        assert_eq!(found(dir.path(), "../**/secret.csv").unwrap(), [""; 0]);
        assert!(found(dir.path(), "[").is_err());
    }

    #[test]
    fn more_than_is_allowed_is_an_error_and_not_a_part() {
        let dir = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(dir.path().join("large")).unwrap();
        file.set_len(BYTES + 1).unwrap();
        assert!(found(dir.path(), "large").is_err());
    }
}
