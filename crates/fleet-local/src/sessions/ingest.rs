//! Writing: making a session, adding to one, ending one.

use fleet_api::types::{IngestResponse, SessionId, SessionStatus};
use http::StatusCode;
use rusqlite::Connection;
use serde_json::json;

use crate::api::ApiError;
use crate::archive::{SessionChange, SessionRow, StoredMessage, sql};

/// Messages of one session.
const SESSION_MESSAGES: u64 = 100_000;

/// Bytes of one session's messages.
const SESSION_BYTES: u64 = 64 << 20;

/// Bytes of all sessions' messages.
const ALL_BYTES: i64 = 16 << 30;

/// What one request adds.
#[derive(Debug)]
pub(crate) struct Entry {
    /// None: a new session.
    pub(crate) session_id: Option<String>,
    pub(crate) change: SessionChange,
    pub(crate) messages: Vec<StoredMessage>,
}

/// Writes the entry down. A session id that is not known makes a session of that id: what an agent reports is not lost
/// because the report of its beginning was.
pub(crate) fn ingest(
    connection: &Connection,
    mut entry: Entry,
    now: &str,
) -> Result<IngestResponse, ApiError> {
    let known = match &entry.session_id {
        Some(id) => sql::sessions::get(connection, id)?,
        None => None,
    };
    let is_new = known.is_none();
    let session = match known {
        Some(session) => session,
        None => begin(connection, &entry, now)?,
    };
    check(&session, &entry)?;
    if let Some(job_id) = &entry.change.job_id {
        // A job that another server knows, perhaps; its sessions are kept all the same.
        sql::jobs::add(connection, job_id, job_id, now)?;
    }
    let ends = entry.change.status.as_deref().is_some_and(is_ended);
    if ends && entry.change.ended_at.is_none() && session.ended_at.is_none() {
        entry.change.ended_at = Some(now.to_owned());
    }
    sql::sessions::change(connection, session.seq, &entry.change)?;
    if sql::sessions::append(connection, &session, &entry.messages)? > ALL_BYTES {
        return Err(ApiError::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "The server keeps no more sessions: start it with a fresh state directory",
        ));
    }
    Ok(IngestResponse {
        success: true,
        session_id: session.id.into(),
        message_count: session.messages + entry.messages.len() as u64,
        created_new_session: is_new,
    })
}

fn begin(connection: &Connection, entry: &Entry, now: &str) -> Result<SessionRow, ApiError> {
    let id = match &entry.session_id {
        Some(id) => {
            // It stands in paths later.
            SessionId::from(id.as_str())
                .path_segment()
                .map_err(|error| {
                    ApiError::invalid_field("session_id", error.to_string(), "value_error")
                })?;
            id.clone()
        }
        None => uuid::Uuid::new_v4().to_string(),
    };
    let status = entry.change.status.as_deref().unwrap_or("running");
    Ok(sql::sessions::add(connection, &id, status, now)?)
}

fn check(session: &SessionRow, entry: &Entry) -> Result<(), ApiError> {
    // Late messages of a session that was ended by somebody else are kept; only its end is not taken back.
    let reopens = is_ended(&session.status)
        && entry
            .change
            .status
            .as_deref()
            .is_some_and(|status| !is_ended(status));
    if reopens {
        let message = format!(
            "Session '{}' has ended ({}) and is not opened again",
            session.id, session.status
        );
        let detail = json!({"error": "session_ended", "message": message});
        return Err(ApiError::structured(StatusCode::CONFLICT, detail));
    }
    let bytes: usize = entry
        .messages
        .iter()
        .map(|message| message.text.len())
        .sum();
    if session.bytes + bytes as u64 > SESSION_BYTES {
        return Err(ApiError::too_large(format!(
            "Session '{}' would have more than {SESSION_BYTES} bytes of messages",
            session.id
        )));
    }
    if session.messages + entry.messages.len() as u64 > SESSION_MESSAGES {
        return Err(ApiError::too_large(format!(
            "Session '{}' would have more than {SESSION_MESSAGES} messages",
            session.id
        )));
    }
    Ok(())
}

fn is_ended(status: &str) -> bool {
    SessionStatus::from(status).is_ended()
}
