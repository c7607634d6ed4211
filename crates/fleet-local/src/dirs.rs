//! The directories that a server works in, some of which go with it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::config::ServerConfig;

/// How the name of a temporary one begins in which all others are.
const TEMPORARY: &str = "fleet-local-";

/// How the name of one begins that has the instances of a server.
const INSTANCES: &str = "instances-";

/// In the state directory: what goes with the servers that had it, for the next one to remove if they were killed. A
/// path a line.
const NOTE: &str = "works-in";

/// In what such a note names: locked while its server lives. A note may be a copy.
const IN_USE: &str = ".in-use";

#[derive(Debug)]
pub(crate) struct Dirs {
    data: PathBuf,
    instances: PathBuf,
    /// For as long as this exists.
    _in_use: Option<File>,
    /// Before `_temporary`: it may lie within it.
    _instances: TempDir,
    _temporary: Option<TempDir>,
}

impl Dirs {
    /// Makes them. Nobody else may have the state directory. Blocking.
    pub(crate) fn make(config: &ServerConfig) -> io::Result<Self> {
        let temporary = match &config.data_dir {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix(TEMPORARY).tempdir()?),
        };
        let data = config.data_dir.as_deref();
        let data = data.or(temporary.as_ref().map(TempDir::path));
        let data = data.expect("one was made if none was named");
        fs_err::create_dir_all(data)?;
        let data = fs_err::canonicalize(data)?;
        // One folder per server, as several may share a data directory.
        let mut instances = tempfile::Builder::new()
            .prefix(INSTANCES)
            .tempdir_in(&data)?;
        instances.disable_cleanup(config.keep_instance_dirs);
        let of_us = temporary.as_ref().unwrap_or(&instances).path();
        let in_use = match &config.state_dir {
            Some(state) => Some(take_over(
                &state.join(NOTE),
                of_us,
                config.keep_instance_dirs,
            )?),
            None => None,
        };
        Ok(Self {
            data,
            instances: instances.path().to_owned(),
            _in_use: in_use,
            _instances: instances,
            _temporary: temporary,
        })
    }

    /// Everything is below it.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn instances(&self) -> &Path {
        &self.instances
    }

    pub(crate) fn templates(&self) -> PathBuf {
        self.data.join("seeds")
    }

    pub(crate) fn verifiers(&self) -> PathBuf {
        self.data.join("verifiers")
    }
}

/// Removes what servers left that were killed, and notes `of_us` in its place if that is to go as well. The answer
/// holds it.
fn take_over(note: &Path, of_us: &Path, is_kept: bool) -> io::Result<File> {
    let in_use = File::create(of_us.join(IN_USE))?;
    in_use.lock()?;
    let noted = std::fs::read_to_string(note).unwrap_or_default();
    // What cannot be removed now is there for the next one to try.
    let left = left_of(&noted, is_left_after_removal);
    let of_us = of_us.to_str().filter(|_| !is_kept);
    let noted: Vec<&str> = left.chain(of_us).collect();
    fs_err::write(note, noted.join("\n"))?;
    Ok(in_use)
}

fn left_of(noted: &str, is_left: impl Fn(&Path) -> bool) -> impl Iterator<Item = &str> {
    noted.lines().filter(move |path| is_left(Path::new(path)))
}

/// Removes what a server left that was killed: its instances are dead, and nobody else knows of their files.
fn is_left_after_removal(path: &Path) -> bool {
    // The note is a file like any other: nothing but what has a name of ours, and no owner, is removed for its sake.
    let name = path.file_name().and_then(|name| name.to_str());
    let is_ours = name
        .is_some_and(|name| name.starts_with(TEMPORARY) || name.starts_with(INSTANCES))
        && path
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_dir());
    if !is_ours || is_in_use(path) {
        return false;
    }
    let Err(error) = fs_err::remove_dir_all(path) else {
        return false;
    };
    tracing::warn!("what a server left that was killed could not be removed: {error}");
    true
}

/// Whether a server lives that works there; without a sign of one nobody says so.
fn is_in_use(path: &Path) -> bool {
    let Ok(in_use) = File::open(path.join(IN_USE)) else {
        return false;
    };
    in_use.try_lock().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server of the state directory `dir` would do with `note`, and what it notes.
    fn note_after(dir: &Path, note: &str) -> (File, String) {
        let (place, of_us) = (dir.join(NOTE), dir.join("instances-of-us"));
        std::fs::create_dir_all(&of_us).unwrap();
        std::fs::write(&place, note).unwrap();
        let in_use = take_over(&place, &of_us, false).unwrap();
        let noted = std::fs::read_to_string(&place).unwrap();
        let us = of_us.to_str().unwrap();
        (in_use, noted.strip_suffix(us).unwrap().to_owned())
    }

    fn folder(dir: &Path, name: &str) -> String {
        let folder = dir.join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("file"), "").unwrap();
        folder.to_str().unwrap().to_owned()
    }

    #[test]
    fn nothing_is_removed_for_a_notes_sake_but_what_has_a_name_of_ours() {
        let dir = tempfile::tempdir().unwrap();
        for (name, is_removed) in [
            ("fleet-local-x1", true),
            ("instances-x1", true),
            ("mine", false),
        ] {
            let folder = folder(dir.path(), name);
            let (_, noted) = note_after(dir.path(), &folder);
            assert_eq!(noted, "", "{name}");
            assert_eq!(!Path::new(&folder).exists(), is_removed, "{name}");
        }
        let link = dir.path().join("fleet-local-link");
        std::os::unix::fs::symlink(dir.path().join("mine"), &link).unwrap();
        note_after(dir.path(), link.to_str().unwrap());
        assert!(dir.path().join("mine/file").exists());
    }

    #[test]
    fn a_copied_note_takes_nothing_from_a_server_that_lives() {
        let dir = tempfile::tempdir().unwrap();
        let (first, _) = note_after(dir.path(), "");
        let copied = dir.path().join("instances-of-us");
        let copy = tempfile::tempdir().unwrap();
        note_after(copy.path(), copied.to_str().unwrap());
        assert!(copied.exists(), "its server lives");
        drop(first);
        note_after(copy.path(), copied.to_str().unwrap());
        assert!(!copied.exists(), "its server is gone");
    }

    #[test]
    fn what_cannot_be_removed_stays_noted() {
        let left: Vec<&str> =
            left_of("/a\n/stuck\n/b", |path| path == Path::new("/stuck")).collect();
        assert_eq!(left, ["/stuck"]);
    }

    #[test]
    fn what_is_to_be_kept_is_not_noted() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join(NOTE);
        take_over(&place, dir.path(), true).unwrap();
        assert_eq!(std::fs::read_to_string(place).unwrap(), "");
    }
}
