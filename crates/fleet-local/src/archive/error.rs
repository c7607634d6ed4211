//! What can be wrong with a state directory, and with one look into the archive.

use std::path::PathBuf;

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The directory or a file in it.
    #[error("the state directory {} cannot be used", dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// Another server has it.
    #[error("the state directory {} is in use by another server; stop that one, or name another directory", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// What lies there was made by another program.
    #[error("{} is not a database of this program", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// What lies there was made by a later version of this program.
    #[error("{} has version {found} of the format, this program knows up to {known}: use a newer program or another state directory", file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// The latest that is known.
        known: i64,
    },
    /// SQLite cannot use it.
    #[error("the database {} cannot be used", file.display())]
    Database {
        /// The file.
        file: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
}

impl StateError {
    /// What lies in the archive could not be read at the start.
    pub(crate) fn read(file: PathBuf, error: ArchiveError) -> Self {
        match error {
            ArchiveError::Sqlite(source) => Self::Database { file, source },
            other => Self::Io {
                dir: file,
                source: std::io::Error::other(other.to_string()),
            },
        }
    }
}

/// Why the archive gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// The server is ending, or a bug ended the archive's thread.
    #[error("the archive is closed")]
    Closed,
    /// SQLite refused.
    #[error("the archive could not be used")]
    Sqlite(#[from] rusqlite::Error),
    /// What was read is not what was once written.
    #[error("the archive holds something unreadable")]
    Unreadable(#[from] serde_json::Error),
    /// The transaction that this was part of could not be committed.
    #[error("the archive could not commit: {0}")]
    Commit(String),
}

/// Errors that work within the archive may end with.
pub(crate) trait Fault: From<ArchiveError> + Send + 'static {}

impl<E: From<ArchiveError> + Send + 'static> Fault for E {}
