//! Opening an instance's databases with the rights that the asked operation needs and no more.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, ffi};

/// How long a statement waits for the app's write lock before it fails with "database is locked".
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest SQL text; the longest that the official client writes is an `IN` list of a few thousand keys.
const SQL_LENGTH: i32 = 1_000_000;

/// A database file could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the database {}", path.display())]
pub struct OpenError {
    /// The file.
    pub path: PathBuf,
    #[source]
    source: rusqlite::Error,
}

impl OpenError {
    pub(crate) fn new(path: &Path, source: rusqlite::Error) -> Self {
        Self {
            path: path.to_owned(),
            source,
        }
    }
}

/// Opens a file that nobody writes. `immutable` spares every lock, and lets a database in WAL mode be read where no side file can be made.
///
/// # Errors
/// The file is missing, unreadable or not a database.
pub fn open_seed(path: &Path) -> Result<Connection, OpenError> {
    let uri = format!("file:{}?immutable=1", uri_path(path));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    open(path, Path::new(&uri), flags, true)
}

/// Opens the database that the apps write, for reading only.
///
/// # Errors
/// The file is missing, unreadable or not a database.
pub fn open_current_read_only(path: &Path) -> Result<Connection, OpenError> {
    open(
        path,
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        true,
    )
}

/// Opens the database that the apps write, for reading and writing. It is never created.
///
/// # Errors
/// The file is missing, unreadable or not a database.
pub fn open_current(path: &Path) -> Result<Connection, OpenError> {
    open(
        path,
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        false,
    )
}

fn open(
    path: &Path,
    target: &Path,
    flags: OpenFlags,
    read_only: bool,
) -> Result<Connection, OpenError> {
    let prepare = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(target, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        if read_only {
            connection.pragma_update(None, "query_only", true)?;
        }
        connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_LENGTH)?;
        // Opening is lazy: read the header now, so that a file that is not a database is found here.
        connection.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
        Ok(connection)
    };
    prepare().map_err(|source| OpenError::new(path, source))
}

/// Refuses what would reach beyond the one database file: other files, and settings that undo the read-only mode.
pub(super) fn confine(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.authorizer(Some(|context: AuthContext<'_>| {
        let denied = match context.action {
            // VACUUM works through ATTACH as well, with an empty file name for its scratch file; VACUUM INTO names one.
            AuthAction::Attach { filename } => !filename.is_empty(),
            // A file name that is an expression is not known yet when the statement is prepared.
            AuthAction::Unknown { code, .. } => code == ffi::SQLITE_ATTACH,
            AuthAction::Function { function_name } => {
                function_name.eq_ignore_ascii_case("load_extension")
            }
            AuthAction::Pragma {
                pragma_name,
                pragma_value,
            } => pragma_value.is_some() && !is_reading_pragma(pragma_name),
            _ => false,
        };
        if denied {
            Authorization::Deny
        } else {
            Authorization::Allow
        }
    }))
}

/// Pragmas whose argument only names what to read.
fn is_reading_pragma(name: &str) -> bool {
    const READING: [&str; 10] = [
        "table_info",
        "table_xinfo",
        "table_list",
        "index_list",
        "index_info",
        "index_xinfo",
        "foreign_key_list",
        "foreign_key_check",
        "integrity_check",
        "quick_check",
    ];
    READING
        .iter()
        .any(|reading| name.eq_ignore_ascii_case(reading))
}

/// Escapes what has a meaning in an `SQLite` file URI.
fn uri_path(path: &Path) -> String {
    path.to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}
