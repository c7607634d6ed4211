//! Summaries of jobs, those that are being written among them.

use fleet_api::types::{JobSummary, SummaryStatus};
use rusqlite::{Connection, OptionalExtension, params};

use super::error::ArchiveError;

/// Summaries that are kept.
const KEPT: i64 = 10_000;

/// Adds one that is being written, of sessions with this hash.
pub(crate) fn add(
    connection: &Connection,
    summary: &JobSummary,
    sessions: [u8; 32],
) -> Result<(), ArchiveError> {
    connection
        .prepare_cached(
            "INSERT INTO summaries (id, job_id, model, sessions, session_count, status, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, 'running', ?6)",
        )?
        .execute(params![
            summary.summary_id.as_str(),
            summary.job_id.as_str(),
            summary.model,
            sessions,
            summary.session_count,
            summary.created_at
        ])?;
    let oldest = connection.last_insert_rowid() - KEPT;
    connection
        .prepare_cached("DELETE FROM summaries WHERE seq <= ?1 AND status != 'running'")?
        .execute([oldest])?;
    Ok(())
}

/// The newest of this job by this model of these sessions that did not fail.
pub(crate) fn same(
    connection: &Connection,
    job_id: &str,
    model: &str,
    sessions: [u8; 32],
) -> Result<Option<String>, ArchiveError> {
    Ok(connection
        .prepare_cached(
            "SELECT id FROM summaries WHERE job_id = ?1 AND model = ?2 AND sessions = ?3 AND status != 'failed'
             ORDER BY seq DESC LIMIT 1",
        )?
        .query_row(params![job_id, model, sessions], |row| row.get(0))
        .optional()?)
}

/// How many are being written.
pub(crate) fn running(connection: &Connection) -> Result<u64, ArchiveError> {
    Ok(connection
        .prepare_cached("SELECT count(*) FROM summaries WHERE status = 'running'")?
        .query_row([], |row| row.get(0))?)
}

/// The text of one that was being written, or the reason why there is none.
pub(crate) fn end(
    connection: &Connection,
    id: &str,
    ended: Result<&str, &str>,
    now: &str,
) -> Result<(), ArchiveError> {
    let status = match ended {
        Ok(_) => SummaryStatus::Completed,
        Err(_) => SummaryStatus::Failed,
    };
    connection
        .prepare_cached(
            "UPDATE summaries SET status = ?2, text = ?3, reason = ?4, ended_at = ?5 WHERE id = ?1 AND status = 'running'",
        )?
        .execute(params![id, status.as_str(), ended.ok(), ended.err(), now])?;
    Ok(())
}

/// Ends those that a server before this one was writing: nobody writes them any more.
pub(crate) fn take_over(connection: &Connection, now: &str) -> Result<(), ArchiveError> {
    connection.execute(
        "UPDATE summaries SET status = 'failed', ended_at = ?1,
         reason = 'the server ended while it was being written; ask for it again' WHERE status = 'running'",
        [now],
    )?;
    Ok(())
}

pub(crate) fn get(connection: &Connection, id: &str) -> Result<Option<JobSummary>, ArchiveError> {
    Ok(connection
        .prepare_cached(
            "SELECT id, job_id, model, status, session_count, created_at, ended_at, text, reason FROM summaries WHERE id = ?1",
        )?
        .query_row([id], |row| {
            Ok(JobSummary {
                summary_id: row.get::<_, String>(0)?.into(),
                job_id: row.get::<_, String>(1)?.into(),
                model: row.get(2)?,
                status: row.get::<_, String>(3)?.as_str().into(),
                session_count: row.get(4)?,
                created_at: row.get(5)?,
                ended_at: row.get(6)?,
                text: row.get(7)?,
                reason: row.get(8)?,
            })
        })
        .optional()?)
}
