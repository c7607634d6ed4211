//! Where the archive lies, and that no other server uses it at the same time.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::StateError;

const DATABASE: &str = "fleet.sqlite3";
const LOCK: &str = "lock";

/// The folder of an archive. While it exists, no other server can have it.
#[derive(Debug)]
pub(crate) struct Place {
    pub(super) database: PathBuf,
    /// Whether it is worth waiting for the disk.
    pub(super) durable: bool,
    /// The system lets go of it with the process, however that ends.
    _lock: Option<File>,
    _temporary: Option<TempDir>,
}

impl Place {
    /// A directory that outlives the server. Blocking.
    pub(crate) fn lasting(dir: &Path) -> Result<Self, StateError> {
        let io = |source| StateError::Io {
            dir: dir.to_owned(),
            source,
        };
        fs_err::create_dir_all(dir).map_err(io)?;
        let lock = fs_err::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join(LOCK))
            .map_err(io)?
            .into_parts()
            .0;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StateError::InUse {
                    dir: dir.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        Ok(Self {
            database: dir.join(DATABASE),
            durable: true,
            _lock: Some(lock),
            _temporary: None,
        })
    }

    /// The file of the database.
    pub(crate) fn database(&self) -> &Path {
        &self.database
    }

    /// A directory within `parent` that goes with the server. Blocking.
    pub(crate) fn temporary(parent: &Path) -> Result<Self, StateError> {
        let dir = tempfile::Builder::new()
            .prefix("archive-")
            .tempdir_in(parent)
            .map_err(|source| StateError::Io {
                dir: parent.to_owned(),
                source,
            })?;
        Ok(Self {
            database: dir.path().join(DATABASE),
            durable: false,
            _lock: None,
            _temporary: Some(dir),
        })
    }
}
