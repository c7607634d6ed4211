//! The open archive.

use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};

use super::error::{ArchiveError, Fault, StateError};
use super::place::Place;
use super::schema;
use super::worker::{Kind, Worker};

/// A commit costs the same for one piece of work as for many; more would only make the first wait for the last.
const TOGETHER: usize = 256;

/// A handle on the archive's threads.
#[derive(Debug)]
pub(crate) struct Archive {
    writer: Worker,
    reader: Worker,
    /// Given up by [`Archive::close`].
    place: Mutex<Option<Place>>,
}

impl Archive {
    /// Opens the database, bringing an older one up to date. Blocking.
    pub(crate) fn open(place: Place) -> Result<Self, StateError> {
        let file = place.database.clone();
        let failed = |source| StateError::Database {
            file: file.clone(),
            source,
        };
        let mut connection = Connection::open(&file).map_err(failed)?;
        prepare(&connection, place.durable).map_err(failed)?;
        schema::migrate(&mut connection, &file)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reading = Connection::open_with_flags(&file, flags).map_err(failed)?;
        reading
            .busy_timeout(std::time::Duration::from_secs(5))
            .map_err(failed)?;
        let thread = |source| StateError::Io {
            dir: file.clone(),
            source,
        };
        let writes = Kind::Writes { together: TOGETHER };
        Ok(Self {
            writer: Worker::start(connection, writes).map_err(thread)?,
            reader: Worker::start(reading, Kind::Reads).map_err(thread)?,
            place: Mutex::new(Some(place)),
        })
    }

    /// Changes something; the answer comes when it is committed.
    pub(crate) async fn write<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: Fault,
    {
        self.writer.ask(work).await
    }

    /// Looks at what is committed.
    pub(crate) async fn read<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: Fault,
    {
        self.reader.ask(work).await
    }

    /// Changes something that nobody waits for.
    pub(crate) async fn note(
        &self,
        work: impl FnOnce(&Connection) -> Result<(), ArchiveError> + Send + 'static,
    ) {
        self.writer.tell(work).await;
    }

    /// Waits until everything that was noted is committed, and lets another server have the directory.
    pub(crate) async fn close(&self) {
        let flushed: Result<(), ArchiveError> = self.writer.ask(|_| Ok(())).await;
        if let Err(error) = flushed {
            tracing::error!("the archive did not close well: {error}");
        }
        let place = self
            .place
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(place);
    }
}

fn prepare(connection: &Connection, durable: bool) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // In WAL mode NORMAL loses no commit when the process is killed, and the last ones, whole, when the machine fails.
    let synchronous = if durable { "NORMAL" } else { "OFF" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}
