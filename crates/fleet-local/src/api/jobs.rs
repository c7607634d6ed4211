//! Jobs that collect sessions, and their raw logs. Jobs that the server would run itself are checked and refused.

use axum::extract::{Path, State};
use axum::response::Json;
use fleet_api::types::{
    CreateJobBody, Job, JobId, JobList, JobLogBody, JobMode, JobStatus, TraceJob, TraceJobBody,
};
use http::StatusCode;
use serde_json::{Value, json};

use super::body::{Body, once};
use super::error::{ApiError, Problem};
use super::query::Query;
use super::state::App;
use super::tasks::is_own_team;
use crate::archive::{ArchiveError, StoredJob, sql};
use crate::clock::text;

/// Jobs of one answer, unless it asks for fewer.
const LISTED: u64 = 1_000;

/// Characters of a job's name, as at the hosted service.
const NAME: usize = 255;

/// Entries of one job's raw log.
const LOG_ENTRIES: i64 = 1_000_000;

/// Bytes of all raw logs.
const LOG_BYTES: i64 = 4 << 30;

/// Raw entries of one answer.
const LOG_LISTED: u64 = 1_000;

pub(super) async fn trace(State(app): State<App>, body: Body) -> Result<Json<TraceJob>, ApiError> {
    let wanted: TraceJobBody = body.json()?;
    let name = wanted.name.filter(|name| !name.is_empty());
    if name
        .as_ref()
        .is_some_and(|name| name.chars().count() > NAME)
    {
        let message = format!("String should have at most {NAME} characters");
        return Err(ApiError::invalid_field("name", message, "string_too_long"));
    }
    let request = body.request(&app, "trace")?;
    let now = text(app.host.clock.now());
    app.archive
        .write(move |connection| {
            once(connection, request.as_ref(), || {
                let id = uuid::Uuid::new_v4().to_string();
                let name = name.unwrap_or_else(|| format!("job-{}", &id[..8]));
                sql::jobs::add(connection, &id, &name, &now)?;
                Ok(TraceJob {
                    job_id: id.into(),
                    name,
                    status: JobStatus::Pending.to_string(),
                })
            })
        })
        .await
        .map(Json)
}

pub(super) async fn list(State(app): State<App>, query: Query) -> Result<Json<JobList>, ApiError> {
    let limit = number(&query, "limit")?.map_or(LISTED, |limit| limit.min(LISTED));
    if !is_own_team(&query) {
        return Ok(Json(JobList::default()));
    }
    app.archive
        .read(move |connection| {
            let jobs = sql::jobs::list(connection, limit)?;
            Ok::<_, ArchiveError>(Json(JobList {
                jobs: jobs.into_iter().map(job).collect(),
                total: sql::jobs::count(connection)?,
            }))
        })
        .await
        .map_err(ApiError::from)
}

/// By id, or by name: the newest of the name.
pub(super) async fn get(
    State(app): State<App>,
    Path(name): Path<String>,
    query: Query,
) -> Result<Json<Job>, ApiError> {
    if !is_own_team(&query) {
        return Err(ApiError::team_not_found());
    }
    let unknown = ApiError::not_found(format!("Job '{name}' not found"));
    let found = app
        .archive
        .read(move |connection| sql::jobs::find(connection, &name))
        .await?;
    found.map(|found| Json(job(found))).ok_or(unknown)
}

/// Says what is wrong with a job, and of one that is right that it is not run here.
pub(super) async fn create(State(app): State<App>, body: Body) -> Result<Json<Value>, ApiError> {
    let job: CreateJobBody = body.json()?;
    check(&job, &app)?;
    Err(ApiError::new(
        StatusCode::NOT_IMPLEMENTED,
        "The embedded server does not run jobs: run the agent with `harness run SPEC`, whose sessions and scores it keeps",
    ))
}

pub(super) async fn add_log(
    State(app): State<App>,
    Path(job_id): Path<String>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let log: JobLogBody = body.json()?;
    if log.job_id.as_str() != job_id {
        let message = "must be the job of the path";
        return Err(ApiError::invalid_field("job_id", message, "value_error"));
    }
    let entries: Vec<String> = log
        .entries
        .into_iter()
        .map(|entry| Value::Object(entry).to_string())
        .collect();
    let request = body.request(&app, "job_log")?;
    let now = text(app.host.clock.now());
    app.archive
        .write(move |connection| {
            once(connection, request.as_ref(), || {
                // As the first message of a session does.
                sql::jobs::add(connection, &job_id, &job_id, &now)?;
                let held = sql::jobs::log(connection, &job_id, &entries, LOG_ENTRIES, LOG_BYTES)?;
                held.map(|held| json!({"success": true, "entries": held}))
                    .ok_or_else(|| ApiError::too_large("The server keeps no more logs of this job"))
            })
        })
        .await
        .map(Json)
}

/// Not of the hosted API: what was logged can be looked at, a thousand entries at a time.
pub(super) async fn logs(
    State(app): State<App>,
    Path(job_id): Path<String>,
    query: Query,
) -> Result<Json<Value>, ApiError> {
    if let Err(error) = JobId::from(job_id.as_str()).path_segment() {
        return Err(ApiError::invalid(vec![Problem {
            place: "path",
            field: "job_id".to_owned(),
            message: error.to_string(),
            kind: "value_error",
        }]));
    }
    let from = number(&query, "offset")?.unwrap_or_default();
    let limit = number(&query, "limit")?.map_or(LOG_LISTED, |limit| limit.min(LOG_LISTED));
    app.archive
        .read(move |connection| {
            let entries = sql::jobs::logged(connection, &job_id, from, limit)?;
            Ok::<_, ArchiveError>(Json(json!({"job_id": job_id, "entries": entries})))
        })
        .await
        .map_err(ApiError::from)
}

fn job(stored: StoredJob) -> Job {
    // Nobody says that a job which only collects is over: it is when all of its sessions are.
    let status = match (stored.sessions, stored.open) {
        (0, _) => JobStatus::Pending,
        (_, 0) => JobStatus::Completed,
        _ => JobStatus::InProgress,
    };
    Job {
        id: stored.id.into(),
        name: Some(stored.name),
        created_at: Some(stored.created_at),
        status: Some(status),
        session_count: Some(stored.sessions),
    }
}

fn check(job: &CreateJobBody, app: &App) -> Result<(), ApiError> {
    let mut problems = Vec::new();
    let mut problem = |field: &str, message: &str, kind| {
        problems.push(Problem {
            place: "body",
            field: field.to_owned(),
            message: message.to_owned(),
            kind,
        });
    };
    if job.models.is_empty() {
        let message = "List should have at least 1 item after validation, not 0";
        problem("models", message, "too_short");
    }
    if job.task_keys.as_ref().is_some_and(Vec::is_empty) {
        let message = "List should have at least 1 item after validation, not 0";
        problem("task_keys", message, "too_short");
    }
    let counts = [
        ("pass_k", Some(job.pass_k)),
        ("max_steps", job.max_steps),
        ("max_duration_minutes", Some(job.max_duration_minutes)),
        (
            "max_concurrent_per_model",
            Some(job.max_concurrent_per_model),
        ),
        ("byok_ttl_minutes", job.byok_ttl_minutes),
    ];
    for (field, count) in counts {
        if count == Some(0) {
            let message = "Input should be greater than or equal to 1";
            problem(field, message, "greater_than_equal");
        }
    }
    if job
        .name
        .as_ref()
        .is_some_and(|name| name.chars().count() > NAME)
    {
        let message = "String should have at most 255 characters";
        problem("name", message, "string_too_long");
    }
    if let Some(JobMode::Other(_)) = &job.mode {
        let message = "Input should be 'tool-use' or 'computer-use'";
        problem("mode", message, "enum");
    }
    let sources = [
        job.env_key.is_some(),
        job.project_key.is_some(),
        job.task_keys.is_some(),
    ];
    if sources.iter().filter(|named| **named).count() != 1 {
        let message = "exactly one of env_key, project_key and task_keys must be given";
        problem("$", message, "value_error");
    }
    if !problems.is_empty() {
        return Err(ApiError::invalid(problems));
    }
    check_names(job, app)
}

/// What the server would have to know to run it.
fn check_names(job: &CreateJobBody, app: &App) -> Result<(), ApiError> {
    if let Some(key) = &job.env_key {
        let bare = key.as_str().split(':').next().unwrap_or_default();
        if !app.packages.contains_key(bare) {
            return Err(ApiError::environment_not_found(bare));
        }
    }
    let unknown: Vec<&str> = job
        .task_keys
        .iter()
        .flatten()
        .map(fleet_api::types::TaskKey::as_str)
        .filter(|key| app.tasks.get(key).is_none())
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(ApiError::bad_request(format!(
            "Tasks not found: {}",
            unknown.join(", ")
        )))
    }
}

fn number(query: &Query, name: &'static str) -> Result<Option<u64>, ApiError> {
    query
        .get(name)
        .map(|text| {
            // SQLite's integers have a sign.
            text.parse()
                .ok()
                .filter(|number| i64::try_from(*number).is_ok())
                .ok_or_else(|| {
                    ApiError::invalid(vec![Problem {
                        place: "query",
                        field: name.to_owned(),
                        message:
                            "Input should be a valid integer, unable to parse string as an integer"
                                .to_owned(),
                        kind: "int_parsing",
                    }])
                })
        })
        .transpose()
}
