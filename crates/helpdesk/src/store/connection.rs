//! The one connection: how it is opened, who may use it when, and what a change is.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use crate::clock::Today;

/// What a desk starts with when its file is new: the demo data, tables included.
const DEFAULT_DATA: &str =
    include_str!("../../../../examples/environments/helpdesk/seeds/default.sql");

/// Other processes (the instance's manager, a person with `sqlite3`) read the file at any time and
/// hold a lock for milliseconds; a wait this long means that something is stuck.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the database file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the database {path} cannot be used")]
pub struct OpenError {
    /// The file.
    pub path: PathBuf,
    source: rusqlite::Error,
}

/// Why a reading or a change did not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("{entity} {id} does not exist")]
    NotFound { entity: &'static str, id: String },
    #[error("{message}")]
    Invalid {
        field: &'static str,
        message: String,
    },
    #[error("the database failed")]
    Database(#[from] rusqlite::Error), // every statement can fail in this one way
    #[error("the database thread ended early")]
    Interrupted(#[source] tokio::task::JoinError),
}

impl StoreError {
    pub(crate) fn not_found(entity: &'static str, id: &(impl ToString + ?Sized)) -> Self {
        Self::NotFound {
            entity,
            id: id.to_string(),
        }
    }

    pub(crate) fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            message: message.into(),
        }
    }
}

/// The desk's database. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    connection: Arc<Mutex<Connection>>,
    actor: Arc<str>,
    today: Today,
    opened: Instant,
}

impl Store {
    /// Opens the file; one without tables is filled with the demo data first.
    pub(crate) fn open(path: &Path, actor: &str, today: Today) -> Result<Self, OpenError> {
        let connection = prepare(path).map_err(|source| OpenError {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            actor: actor.into(),
            today,
            opened: Instant::now(),
        })
    }

    /// Who is signed in.
    pub(crate) fn actor(&self) -> &str {
        &self.actor
    }

    /// The desk's day.
    pub(crate) fn today(&self) -> Today {
        self.today
    }

    /// Reads from the database, off the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        reading: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || reading(&store.lock()))
            .await
            .map_err(StoreError::Interrupted)?
    }

    /// Makes a change that happens wholly or not at all, off the async threads. Once started it runs
    /// to its end, also if the request is dropped.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Change<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || {
            let mut connection = store.lock();
            // Immediate: a lock that cannot be had is waited for here, not found out half-way.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let handle = Change {
                transaction,
                actor: &store.actor,
                now: store.today.now(store.opened.elapsed()),
            };
            let value = change(&handle)?;
            handle.transaction.commit()?;
            Ok(value)
        })
        .await
        .map_err(StoreError::Interrupted)?
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Connection> {
        // A panic inside a change has rolled its transaction back, so the connection is still good.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A change in progress: the open transaction, who makes it, and when.
pub(crate) struct Change<'a> {
    transaction: Transaction<'a>,
    pub(crate) actor: &'a str,
    /// RFC 3339, the same for everything in this change.
    pub(crate) now: String,
}

impl Change<'_> {
    pub(crate) fn db(&self) -> &Connection {
        &self.transaction
    }

    /// Writes a line of the activity log.
    pub(crate) fn log(
        &self,
        action: &str,
        entity: &str,
        entity_id: i64,
        detail: &str,
    ) -> Result<(), StoreError> {
        self.db().execute(
            "INSERT INTO activity (at, actor, action, entity, entity_id, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (&self.now, self.actor, action, entity, entity_id, detail),
        )?;
        Ok(())
    }
}

fn prepare(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // A rollback journal, not a WAL: the file alone is always the whole truth for other readers.
    // Not synced, because an instance does not outlive the machine it runs on.
    connection.pragma_update(None, "journal_mode", "TRUNCATE")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let tables = connection
        .query_row(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' LIMIT 1",
            [],
            |_| Ok(()),
        )
        .optional()?;
    if tables.is_none() {
        connection.execute_batch(&format!("BEGIN IMMEDIATE;\n{DEFAULT_DATA}\nCOMMIT;"))?;
    }
    // A file that is not a desk's is refused now, not at the first click.
    connection.prepare(
        "SELECT tickets.merged_into, articles.slug, activity.at FROM tickets, articles, activity",
    )?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failed_change_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("a.db"), "Test", Today::Real).unwrap();
        let count = |db: &Connection| {
            Ok(db.query_row("SELECT count(*) FROM activity", [], |row| {
                row.get::<_, i64>(0)
            })?)
        };
        let before = store.read(count).await.unwrap();
        let result: Result<(), _> = store
            .write(|change| {
                change.log("test", "ticket", 1, "")?;
                Err(StoreError::invalid("x", "no"))
            })
            .await;
        assert!(result.is_err());
        assert_eq!(store.read(count).await.unwrap(), before);
    }

    #[test]
    fn a_foreign_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.db");
        Connection::open(&path)
            .unwrap()
            .execute_batch("CREATE TABLE other (x)")
            .unwrap();
        assert!(Store::open(&path, "Test", Today::Real).is_err());
    }

    #[test]
    fn an_existing_desk_is_not_filled_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.db");
        drop(Store::open(&path, "Test", Today::Real).unwrap());
        Connection::open(&path)
            .unwrap()
            .execute("DELETE FROM activity", [])
            .unwrap();
        drop(Store::open(&path, "Test", Today::Real).unwrap());
        let rows: i64 = Connection::open(&path)
            .unwrap()
            .query_row("SELECT count(*) FROM activity", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 0);
    }
}
