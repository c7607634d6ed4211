//! Sessions: whole messages, logs of model calls, and looking at both.

use axum::extract::{Path, State};
use axum::response::Json;
use fleet_api::types::{
    IngestBody, IngestResponse, InstanceId, JobSessions, TaskKey, TraceLogBody, Transcript,
};
use serde_json::Value;

use super::body::{Body, once};
use super::error::ApiError;
use super::record::record;
use super::state::App;
use crate::archive::{ArchiveError, SessionChange, sql};
use crate::clock::text;
use crate::sessions::{self, Entry, Known, from_log, from_session};

/// Messages of one request; the official uploader sends 32 at most.
const REQUEST_MESSAGES: usize = 5_000;

/// Characters of a name (a model, a status, a time).
const NAME: usize = 1_024;

pub(super) async fn ingest(
    State(app): State<App>,
    body: Body,
) -> Result<Json<IngestResponse>, ApiError> {
    let ingest: IngestBody = body.json()?;
    if ingest.messages.is_empty() {
        let message = "List should have at least 1 item after validation, not 0";
        return Err(ApiError::invalid_field("messages", message, "too_short"));
    }
    let job_id = ingest.job_id.map(|id| {
        id.path_segment()
            .map(str::to_owned)
            .map_err(|error| ApiError::invalid_field("job_id", error.to_string(), "value_error"))
    });
    let entry = Entry {
        session_id: ingest.session_id.map(Into::into),
        change: SessionChange {
            job_id: job_id.transpose()?,
            task_key: ingest.task_key.map(TaskKey::into_string),
            instance_id: ingest.instance_id.map(InstanceId::into_string),
            model: ingest.model,
            status: ingest.status.map(|status| status.to_string()),
            started_at: ingest.started_at,
            ended_at: ingest.ended_at,
            execution_id: ingest.verifier_execution_id.map(Into::into),
            metadata: ingest
                .metadata
                .map(|metadata| Value::Object(metadata).to_string()),
            config: None,
        },
        messages: ingest.messages.iter().map(from_session).collect(),
    };
    write(&app, &body, "ingest", entry).await
}

/// One model call, or the end of a session. A log without a session id begins a session, also one that only ends it.
pub(super) async fn log(
    State(app): State<App>,
    body: Body,
) -> Result<Json<IngestResponse>, ApiError> {
    let log: TraceLogBody = body.json()?;
    let history = log.history.unwrap_or_default();
    let said = history.into_iter().map(|message| from_log(message, "user"));
    let answer = log
        .response
        .filter(|response| !response.is_null())
        .map(|response| from_log(response, "assistant"));
    let job_id = log.job_id.map(|id| {
        id.path_segment()
            .map(str::to_owned)
            .map_err(|error| ApiError::invalid_field("job_id", error.to_string(), "value_error"))
    });
    let entry = Entry {
        session_id: log.session_id.map(String::from).filter(|id| !id.is_empty()),
        change: SessionChange {
            job_id: job_id.transpose()?,
            task_key: log.task_key.map(TaskKey::into_string),
            instance_id: log.instance_id.map(InstanceId::into_string),
            model: log.model,
            status: log.status.map(|status| status.to_string()),
            started_at: None,
            ended_at: log.ended_at,
            execution_id: log.verifier_execution_id.map(Into::into),
            metadata: None,
            config: log.config.map(|config| config.to_string()),
        },
        messages: said.chain(answer).collect(),
    };
    write(&app, &body, "log", entry).await
}

pub(super) async fn of_job(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<JobSessions>, ApiError> {
    let archive = app.0.clone();
    archive
        .archive
        .read(move |connection| {
            let unknown = || ApiError::not_found(format!("Job '{name}' not found"));
            let job = sql::jobs::find(connection, &name)?.ok_or_else(unknown)?;
            with_known(&app, |known| {
                sessions::job_sessions(connection, &job.id, known)
            })
            .map(Json)
            .map_err(ApiError::from)
        })
        .await
}

pub(super) async fn transcript(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Transcript>, ApiError> {
    let unknown = ApiError::not_found(format!("Session '{id}' not found"));
    let found = read_transcript(&app, id).await?;
    found.map(Json).ok_or(unknown)
}

/// What was said in a session, if there is one.
async fn read_transcript(app: &App, id: String) -> Result<Option<Transcript>, ArchiveError> {
    let known = app.clone();
    app.archive
        .read(move |connection| {
            with_known(&known, |known| sessions::transcript(connection, &id, known))
        })
        .await
}

pub(in crate::api) fn with_known<T>(
    app: &App,
    read: impl FnOnce(&Known<'_>) -> Result<T, ArchiveError>,
) -> Result<T, ArchiveError> {
    read(&Known {
        task: &|key| app.tasks.get(key).map(|task| task.version.task),
        instance: &|id| app.store.get(id).map(|instance| record(&instance)),
    })
}

async fn write(
    app: &App,
    body: &Body,
    route: &'static str,
    entry: Entry,
) -> Result<Json<IngestResponse>, ApiError> {
    check(&entry)?;
    let request = body.request(app, route)?;
    let now = text(app.host.clock.now());
    app.archive
        .write(move |connection| {
            once(connection, request.as_ref(), || {
                sessions::ingest(connection, entry, &now)
            })
        })
        .await
        .map(Json)
}

fn check(entry: &Entry) -> Result<(), ApiError> {
    if entry.messages.len() > REQUEST_MESSAGES {
        return Err(ApiError::too_large(format!(
            "A request may have {REQUEST_MESSAGES} messages, this one has {}",
            entry.messages.len()
        )));
    }
    let change = &entry.change;
    let names = [
        ("session_id", &entry.session_id),
        ("job_id", &change.job_id),
        ("task_key", &change.task_key),
        ("instance_id", &change.instance_id),
        ("model", &change.model),
        ("status", &change.status),
        ("started_at", &change.started_at),
        ("ended_at", &change.ended_at),
        ("verifier_execution_id", &change.execution_id),
    ];
    for (field, value) in names {
        if value.as_ref().is_some_and(|value| value.len() > NAME) {
            let message = format!("String should have at most {NAME} characters");
            return Err(ApiError::invalid_field(field, message, "string_too_long"));
        }
    }
    Ok(())
}
