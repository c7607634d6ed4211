//! Jobs, and the raw logs that came for them.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::ArchiveError;
use super::sessions::add_bytes;

/// A job with what its sessions make of it.
#[derive(Debug, Clone)]
pub(crate) struct StoredJob {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created_at: String,
    /// All of its sessions.
    pub(crate) sessions: u64,
    /// Those that are not at their end.
    pub(crate) open: u64,
}

const COLUMNS: &str = "SELECT id, name, created_at,
    (SELECT count(*) FROM sessions WHERE job_id = jobs.id),
    (SELECT count(*) FROM sessions WHERE job_id = jobs.id AND status IN ('pending', 'running'))
    FROM jobs";

fn job(row: &Row<'_>) -> rusqlite::Result<StoredJob> {
    Ok(StoredJob {
        id: row.get(0)?,
        name: row.get(1)?,
        created_at: row.get(2)?,
        sessions: row.get(3)?,
        open: row.get(4)?,
    })
}

/// Adds the job unless there is one of this id.
pub(crate) fn add(
    connection: &Connection,
    id: &str,
    name: &str,
    created_at: &str,
) -> Result<(), ArchiveError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO jobs (id, name, created_at) VALUES (?1, ?2, ?3)")?
        .execute([id, name, created_at])?;
    Ok(())
}

pub(crate) fn count(connection: &Connection) -> Result<u64, ArchiveError> {
    Ok(connection.query_row("SELECT count(*) FROM jobs", [], |row| row.get(0))?)
}

/// The newest jobs, newest first.
pub(crate) fn list(connection: &Connection, limit: u64) -> Result<Vec<StoredJob>, ArchiveError> {
    let mut statement =
        connection.prepare_cached(&format!("{COLUMNS} ORDER BY seq DESC LIMIT ?1"))?;
    let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], job)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The job of this id, else the newest of this name.
pub(crate) fn find(connection: &Connection, name: &str) -> Result<Option<StoredJob>, ArchiveError> {
    Ok(connection
        .prepare_cached(&format!(
            "{COLUMNS} WHERE id = ?1 OR name = ?1 ORDER BY id = ?1 DESC, seq DESC LIMIT 1"
        ))?
        .query_row([name], job)
        .optional()?)
}

/// Adds entries to a job's log. `None`: the log would have more than `most` entries, or all logs more than `most_bytes`.
pub(crate) fn log(
    connection: &Connection,
    job_id: &str,
    entries: &[String],
    most: i64,
    most_bytes: i64,
) -> Result<Option<i64>, ArchiveError> {
    let next: i64 = connection
        .prepare_cached("SELECT coalesce(max(position) + 1, 0) FROM job_logs WHERE job_id = ?1")?
        .query_row([job_id], |row| row.get(0))?;
    let bytes: usize = entries.iter().map(String::len).sum();
    let after = next.saturating_add(i64::try_from(entries.len()).unwrap_or(i64::MAX));
    if after > most || add_bytes(connection, "job_logs", bytes)? > most_bytes {
        return Ok(None);
    }
    let mut insert = connection.prepare_cached("INSERT INTO job_logs VALUES (?1, ?2, ?3)")?;
    for (position, entry) in (next..).zip(entries) {
        insert.execute(params![job_id, position, entry])?;
    }
    Ok(Some(after))
}

/// Entries of a job's log from a position on.
pub(crate) fn logged(
    connection: &Connection,
    job_id: &str,
    from: u64,
    limit: u64,
) -> Result<Vec<serde_json::Value>, ArchiveError> {
    let mut statement = connection.prepare_cached(
        "SELECT entry FROM job_logs WHERE job_id = ?1 AND position >= ?2 ORDER BY position LIMIT ?3",
    )?;
    let rows = statement.query_map(params![job_id, from, limit], |row| row.get::<_, String>(0))?;
    rows.map(|row| Ok(serde_json::from_str(&row?)?)).collect()
}
