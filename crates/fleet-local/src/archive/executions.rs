//! Verifications: what came out, under the id that sessions name.

use fleet_api::types::SessionVerification;
use rusqlite::{Connection, OptionalExtension, params};

use super::error::ArchiveError;

/// Verifications that are kept.
const KEPT: i64 = 200_000;

const LOOK_EVERY: i64 = 1000;

/// One verification.
#[derive(Debug)]
pub(crate) struct StoredExecution {
    pub(crate) id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) outcome: SessionVerification,
}

pub(crate) fn add(
    connection: &Connection,
    execution: &StoredExecution,
) -> Result<(), ArchiveError> {
    let outcome = serde_json::to_string(&execution.outcome)?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO executions (id, instance_id, key, bytes, execution) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![
            execution.id,
            execution.instance_id,
            execution.key,
            outcome.len() as u64,
            outcome
        ])?;
    let last = connection.last_insert_rowid();
    if last % LOOK_EVERY == 0 {
        connection.execute("DELETE FROM executions WHERE seq <= ?1", [last - KEPT])?;
    }
    Ok(())
}

/// The score of a verification that ran; `success` alone only says that it did.
pub(crate) fn score(connection: &Connection, id: &str) -> Result<Option<f64>, ArchiveError> {
    // Of JSON with an output that nobody asks for here.
    let found: Option<Option<f64>> = connection
        .prepare_cached(
            "SELECT json_extract(execution, '$.score') FROM executions WHERE id = ?1 AND json_extract(execution, '$.success')",
        )?
        .query_row([id], |row| row.get(0))
        .optional()?;
    Ok(found.flatten())
}

pub(crate) fn get(
    connection: &Connection,
    id: &str,
) -> Result<Option<SessionVerification>, ArchiveError> {
    let found: Option<String> = connection
        .prepare_cached("SELECT execution FROM executions WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    Ok(found.map(|text| serde_json::from_str(&text)).transpose()?)
}
