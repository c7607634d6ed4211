//! Files of an instance for the judge: those that patterns name within the instance's own directory, and none outside it.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobSet, GlobSetBuilder};

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

/// Collects, except what the server keeps for itself. Blocking. Patterns hold for the path within the directory or for the file's name alone.
pub(super) fn collect(
    dir: &Path,
    is_hidden: impl Fn(&Path) -> bool,
    wanted: &BTreeMap<String, Vec<String>>,
) -> Result<Collected, String> {
    let dir = dir.canonicalize().map_err(|error| error.to_string())?;
    let sets = wanted
        .iter()
        .map(|(name, patterns)| Ok((name, set(patterns)?)))
        .collect::<Result<Vec<_>, String>>()?;
    let mut collected: Collected = wanted
        .keys()
        .map(|name| (name.clone(), Vec::new()))
        .collect();
    let (mut files, mut left) = (0, BYTES);
    for path in walk(&dir)? {
        if is_hidden(&path) {
            continue;
        }
        let relative = path.strip_prefix(&dir).unwrap_or(&path);
        let file_name = relative.file_name().unwrap_or_default();
        for (name, set) in &sets {
            if !set.is_match(relative) && !set.is_match(file_name) {
                continue;
            }
            files += 1;
            if files > FILES {
                return Err(format!("the patterns collect more than {FILES} files"));
            }
            let bytes = read(&dir, &path, left)?;
            left -= bytes.len() as u64;
            let file = CollectedFile {
                path: relative.to_string_lossy().into_owned(),
                bytes,
            };
            collected.entry((*name).clone()).or_default().push(file);
        }
    }
    Ok(collected)
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
        return Err(format!("the patterns collect more than {BYTES} bytes"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(dir: &Path, pattern: &str) -> Result<Vec<String>, String> {
        let wanted = BTreeMap::from([("x".to_owned(), vec![pattern.to_owned()])]);
        let files = collect(dir, |_| false, &wanted)?.remove("x").unwrap();
        Ok(files.into_iter().map(|file| file.path).collect())
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
