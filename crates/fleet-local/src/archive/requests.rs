//! Requests that changed something, and what they were answered: clients repeat them under one `X-Request-ID` when an
//! answer is lost.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::ArchiveError;

/// Answers are kept for two days, like those of creates.
pub(crate) const KEPT_SECONDS: i64 = 48 * 3600;

/// Answers that are kept.
const KEPT: i64 = 20_000;

const LOOK_EVERY: i64 = 500;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct StoredRequest {
    pub(crate) caller: [u8; 32],
    pub(crate) route: &'static str,
    pub(crate) request_id: String,
    /// Hash of the body.
    pub(crate) body: [u8; 32],
    /// Unix seconds.
    pub(crate) at: i64,
}

/// What is known of a request.
#[derive(Debug)]
pub(crate) enum Repeat {
    /// It was not seen before.
    New,
    /// It was answered with this.
    Answered(String),
    /// Its id was used for something else.
    Other,
}

pub(crate) fn look(
    connection: &Connection,
    request: &StoredRequest,
) -> Result<Repeat, ArchiveError> {
    let found: Option<([u8; 32], String)> = connection
        .prepare_cached(
            "SELECT body, answer FROM requests WHERE caller = ?1 AND route = ?2 AND request_id = ?3 AND at >= ?4",
        )?
        .query_row(
            params![
                request.caller,
                request.route,
                request.request_id,
                request.at - KEPT_SECONDS
            ],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    Ok(match found {
        None => Repeat::New,
        Some((body, answer)) if body == request.body => Repeat::Answered(answer),
        Some(_) => Repeat::Other,
    })
}

pub(crate) fn note(
    connection: &Connection,
    request: &StoredRequest,
    answer: &str,
) -> Result<(), ArchiveError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO requests (caller, route, request_id, body, at, answer) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            request.caller,
            request.route,
            request.request_id,
            request.body,
            request.at,
            answer
        ])?;
    let last = connection.last_insert_rowid();
    if last % LOOK_EVERY == 0 {
        connection.execute(
            "DELETE FROM requests WHERE seq <= ?1 OR at < ?2",
            [last - KEPT, request.at - KEPT_SECONDS],
        )?;
    }
    Ok(())
}
