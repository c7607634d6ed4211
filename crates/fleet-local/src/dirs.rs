//! The directories that a server works in, some of which go with it.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::config::ServerConfig;

/// How the name of a temporary one begins in which all others are.
const TEMPORARY: &str = "fleet-local-";

/// How the name of one begins that has the instances of a server.
const INSTANCES: &str = "instances-";

/// In the state directory: what goes with the server that has it, for the next one to remove should it be killed.
const NOTE: &str = "works-in";

#[derive(Debug)]
pub(crate) struct Dirs {
    data: PathBuf,
    instances: PathBuf,
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
        if let Some(state) = &config.state_dir {
            let note = state.join(NOTE);
            remove_noted(&note);
            let of_us = temporary.as_ref().unwrap_or(&instances).path();
            let of_us = Some(of_us).filter(|_| !config.keep_instance_dirs);
            let of_us = of_us.map_or_else(String::new, |path| path.to_string_lossy().into_owned());
            fs_err::write(&note, of_us)?;
        }
        Ok(Self {
            data,
            instances: instances.path().to_owned(),
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

/// Removes what a server left that was killed: its instances are dead, and nobody else knows of their files.
fn remove_noted(note: &Path) {
    let Ok(path) = std::fs::read_to_string(note) else {
        return;
    };
    let left = Path::new(&path);
    // The note is a file like any other: nothing but what has a name of ours is removed for its sake.
    let name = left.file_name().and_then(|name| name.to_str());
    let is_ours = name
        .is_some_and(|name| name.starts_with(TEMPORARY) || name.starts_with(INSTANCES))
        && left
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_dir());
    if !is_ours {
        return;
    }
    if let Err(error) = fs_err::remove_dir_all(left) {
        tracing::warn!("what a server left that was killed could not be removed: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_removed_for_a_notes_sake_but_what_has_a_name_of_ours() {
        let dir = tempfile::tempdir().unwrap();
        let note = dir.path().join(NOTE);
        for (name, is_removed) in [
            ("fleet-local-x1", true),
            ("instances-x1", true),
            ("mine", false),
        ] {
            let folder = dir.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("file"), "").unwrap();
            std::fs::write(&note, folder.to_str().unwrap()).unwrap();
            remove_noted(&note);
            assert_eq!(!folder.exists(), is_removed, "{name}");
        }
        let link = dir.path().join("fleet-local-link");
        std::os::unix::fs::symlink(dir.path().join("mine"), &link).unwrap();
        std::fs::write(&note, link.to_str().unwrap()).unwrap();
        remove_noted(&note);
        assert!(dir.path().join("mine/file").exists());
    }
}
