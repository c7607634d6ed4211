//! Sessions and their messages.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::ArchiveError;

/// A session without its messages.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SessionRow {
    pub(crate) seq: i64,
    pub(crate) id: String,
    pub(crate) job_id: Option<String>,
    pub(crate) task_key: Option<String>,
    pub(crate) instance_id: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) status: String,
    pub(crate) created_at: String,
    pub(crate) started_at: Option<String>,
    pub(crate) ended_at: Option<String>,
    pub(crate) execution_id: Option<String>,
    pub(crate) messages: u64,
    pub(crate) steps: u64,
    pub(crate) bytes: u64,
}

/// What a request says of a session; `None` leaves what is there.
#[derive(Debug, Clone, Default)]
pub(crate) struct SessionChange {
    pub(crate) job_id: Option<String>,
    pub(crate) task_key: Option<String>,
    pub(crate) instance_id: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) started_at: Option<String>,
    pub(crate) ended_at: Option<String>,
    pub(crate) execution_id: Option<String>,
    /// JSON.
    pub(crate) metadata: Option<String>,
    /// JSON.
    pub(crate) config: Option<String>,
}

/// A message as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct StoredMessage {
    /// JSON.
    pub(crate) text: String,
    /// Whether it is a turn of the model.
    pub(crate) is_step: bool,
}

const COLUMNS: &str = "SELECT seq, id, job_id, task_key, instance_id, model, status, created_at, started_at, ended_at,
    execution_id, messages, steps, bytes FROM sessions";

fn session(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    Ok(SessionRow {
        seq: row.get(0)?,
        id: row.get(1)?,
        job_id: row.get(2)?,
        task_key: row.get(3)?,
        instance_id: row.get(4)?,
        model: row.get(5)?,
        status: row.get(6)?,
        created_at: row.get(7)?,
        started_at: row.get(8)?,
        ended_at: row.get(9)?,
        execution_id: row.get(10)?,
        messages: row.get(11)?,
        steps: row.get(12)?,
        bytes: row.get(13)?,
    })
}

pub(crate) fn get(connection: &Connection, id: &str) -> Result<Option<SessionRow>, ArchiveError> {
    Ok(connection
        .prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?
        .query_row([id], session)
        .optional()?)
}

pub(crate) fn of_job(
    connection: &Connection,
    job_id: &str,
) -> Result<Vec<SessionRow>, ArchiveError> {
    let mut statement =
        connection.prepare_cached(&format!("{COLUMNS} WHERE job_id = ?1 ORDER BY seq"))?;
    let rows = statement.query_map([job_id], session)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn add(
    connection: &Connection,
    id: &str,
    status: &str,
    created_at: &str,
) -> Result<SessionRow, ArchiveError> {
    connection
        .prepare_cached("INSERT INTO sessions (id, status, created_at) VALUES (?1, ?2, ?3)")?
        .execute([id, status, created_at])?;
    Ok(SessionRow {
        seq: connection.last_insert_rowid(),
        id: id.to_owned(),
        status: status.to_owned(),
        created_at: created_at.to_owned(),
        ..SessionRow::default()
    })
}

pub(crate) fn change(
    connection: &Connection,
    seq: i64,
    change: &SessionChange,
) -> Result<(), ArchiveError> {
    connection
        .prepare_cached(
            "UPDATE sessions SET job_id = coalesce(?2, job_id), task_key = coalesce(?3, task_key),
             instance_id = coalesce(?4, instance_id), model = coalesce(?5, model), status = coalesce(?6, status),
             started_at = coalesce(?7, started_at), ended_at = coalesce(?8, ended_at),
             execution_id = coalesce(?9, execution_id), metadata = coalesce(?10, metadata), config = coalesce(?11, config)
             WHERE seq = ?1",
        )?
        .execute(params![
            seq,
            change.job_id,
            change.task_key,
            change.instance_id,
            change.model,
            change.status,
            change.started_at,
            change.ended_at,
            change.execution_id,
            change.metadata,
            change.config
        ])?;
    Ok(())
}

/// Adds messages at the session's end. The bytes of all sessions then.
pub(crate) fn append(
    connection: &Connection,
    session: &SessionRow,
    messages: &[StoredMessage],
) -> Result<i64, ArchiveError> {
    let mut insert = connection.prepare_cached("INSERT INTO messages VALUES (?1, ?2, ?3)")?;
    for (position, message) in (session.messages..).zip(messages) {
        insert.execute(params![session.seq, position, message.text])?;
    }
    let bytes: usize = messages.iter().map(|message| message.text.len()).sum();
    let steps = messages.iter().filter(|message| message.is_step).count();
    connection
        .prepare_cached("UPDATE sessions SET messages = messages + ?2, steps = steps + ?3, bytes = bytes + ?4 WHERE seq = ?1")?
        .execute(params![
            session.seq,
            messages.len() as u64,
            steps as u64,
            bytes as u64
        ])?;
    add_bytes(connection, "sessions", bytes)
}

/// The messages of a session, as JSON, in order.
pub(crate) fn messages(connection: &Connection, seq: i64) -> Result<Vec<String>, ArchiveError> {
    let mut statement = connection
        .prepare_cached("SELECT message FROM messages WHERE session = ?1 ORDER BY position")?;
    let rows = statement.query_map([seq], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Counts bytes of a kind. How many there are now.
pub(super) fn add_bytes(
    connection: &Connection,
    kind: &str,
    bytes: usize,
) -> Result<i64, ArchiveError> {
    Ok(connection
        .prepare_cached(
            "UPDATE totals SET bytes = max(0, bytes + ?2) WHERE kind = ?1 RETURNING bytes",
        )?
        .query_row(params![kind, bytes as u64], |row| row.get(0))?)
}
