//! Instances and the runs they form: create, look, keep alive, close.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Json;
use fleet_api::types::{CreateRequest, CreateState, HeartbeatResponse, Run};
use futures::FutureExt;
use futures::future::join_all;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::auth::caller;
use super::body::{Body, request_id};
use super::create;
use super::error::{ApiError, Problem};
use super::query::Query;
use super::record::record;
use super::state::App;
use crate::archive::{PastFilter, StoredInstance, sql};
use crate::clock::{after, text};
use crate::identity;
use crate::instance::{EndCause, Instance, supervise};
use crate::store::{CreateKey, Refused, RunTally};

/// How long a close waits for the processes to be gone. Their grace and the proof of their death
/// take seconds at most; a caller that waits longer than this is told what is true then, and may
/// ask again.
const CLOSE_WAIT: Duration = Duration::from_mins(1);

/// Ended instances of earlier servers in one answer.
const PAST_LISTED: i64 = 10_000;

pub(super) async fn create(State(app): State<App>, body: Body) -> Result<Json<Value>, ApiError> {
    let create = create::check(&body.bytes, &app)?;
    let request_id = request_id(&body.headers)?;
    let key = request_id.map(|id| CreateKey {
        credential: caller(&body.headers),
        request_id: id.to_owned(),
    });
    let request = key
        .as_ref()
        .map(|key| (key.credential, key.request_id.clone()));
    let host = &app.host;
    let env_key = create.spec.package.key.clone();
    let added = app.store.add(key, |id| {
        let dir = host.instances_dir.join(id.as_str());
        let files = crate::instance::plan_files(&dir, &create.spec.databases);
        Instance::new(id, create.spec, files, host.clock.now())
    });
    let (instance, quiet) = match added {
        Ok(added) => added,
        Err(refused) => return Err(explain(&app, refused, request_id, &env_key).await?),
    };
    // Not awaited here: the instance lives on when the caller hangs up.
    let supervisor = supervise(Arc::clone(host), Arc::clone(&instance), quiet);
    let (watched, clock, keeper) = (Arc::clone(&instance), host.clock, app.clone());
    app.supervisors.spawn(async move {
        // First, so that what is noted later finds it.
        remember(&keeper, &watched, request).await;
        if AssertUnwindSafe(supervisor).catch_unwind().await.is_err() {
            // Its trees died with it, as they do when their owner is dropped. The record must not
            // stay `running` for ever.
            watched.set_ending(
                EndCause::Crashed("a bug in the server ended its supervision".to_owned()),
                clock.now(),
            );
            watched.set_finished(Vec::new(), clock.now());
        }
        remember_change(&keeper, &watched).await;
    });

    let state = instance.settled(create.max_wait).await;
    // An answer with a record would be taken for a usable instance. A repeat with the same request
    // id finds the record.
    if let Some(EndCause::StartFailed(reason)) = state.ending {
        return Err(ApiError::structured(
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({
                "error": "instance_start_failed",
                "message": format!("Failed to create instance {}: {reason}", instance.id),
                "instance_id": instance.id,
            }),
        ));
    }
    if state.running_at.is_some() && !state.finished {
        remember_change(&app, &instance).await;
    }
    Ok(Json(record(&instance)))
}

/// Queued, not awaited: an instance that is lost with the server has no processes either.
async fn remember(app: &App, instance: &Instance, request: Option<([u8; 32], String)>) {
    let stored = StoredInstance {
        id: instance.id.to_string(),
        run_id: instance.spec.run_id.clone(),
        region: instance.spec.region.clone(),
        created_at: text(instance.created_at),
        at: instance.created_at.as_second(),
        request,
        record: record(instance),
    };
    app.archive
        .note(move |connection| sql::instances::add(connection, &stored))
        .await;
}

async fn remember_change(app: &App, instance: &Instance) {
    let (id, record) = (instance.id.to_string(), record(instance));
    let (status, live) = (instance.state().status.as_str(), instance.is_live());
    app.archive
        .note(move |connection| sql::instances::change(connection, &id, status, live, &record))
        .await;
}

async fn explain(
    app: &App,
    refused: Refused,
    request_id: Option<&str>,
    env_key: &str,
) -> Result<ApiError, ApiError> {
    Ok(match refused {
        Refused::Duplicate { instance_id } => {
            let request_id = request_id.unwrap_or_default();
            repeated(app, instance_id.as_str(), request_id, env_key).await?
        }
        Refused::Limit { running, limit } => ApiError::instance_limit(running, limit),
        Refused::Closed => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The server is shutting down",
        ),
    })
}

/// A repeat is sent to the instance that its first request made. Not if that is one of another environment: the client
/// would work in it without noticing.
async fn repeated(
    app: &App,
    instance_id: &str,
    request_id: &str,
    env_key: &str,
) -> Result<ApiError, ApiError> {
    let made = app.store.get(instance_id);
    let record = match &made {
        Some(instance) => Some(record(instance)),
        None => past_record(app, instance_id.to_owned()).await?,
    };
    if record.is_some_and(|record| record["env_key"] != env_key) {
        return Ok(ApiError::request_id_reused(request_id));
    }
    let mut message = format!("Request with ID '{request_id}' has already been processed.");
    let failure = made.and_then(|instance| instance.state().ending);
    if let Some(EndCause::StartFailed(reason) | EndCause::Crashed(reason)) = failure {
        message = format!("{message} Its instance {instance_id} failed: {reason}");
    }
    let detail =
        json!({"error": "duplicate_request_id", "message": message, "instance_id": instance_id});
    Ok(ApiError::structured(StatusCode::CONFLICT, detail))
}

/// Without a `status` only live instances are listed.
pub(super) async fn list(
    State(app): State<App>,
    query: Query,
) -> Result<Json<Vec<Value>>, ApiError> {
    let present: Vec<Value> = app
        .store
        .all()
        .into_iter()
        .filter(|instance| {
            let status = match query.get("status") {
                None => instance.is_live(),
                Some(wanted) => instance.state().status.as_str() == wanted,
            };
            status
                && query
                    .get("region")
                    .is_none_or(|region| instance.spec.region == region)
                && is_of(instance, &query)
        })
        .map(|instance| record(&instance))
        .collect();
    let mut listed = past(&app, &query).await?;
    listed.retain(|record| {
        record["instance_id"]
            .as_str()
            .is_none_or(|id| app.store.get(id).is_none())
    });
    listed.extend(present);
    Ok(Json(listed))
}

/// The ended instances of earlier servers that a list asks for.
async fn past(app: &App, query: &Query) -> Result<Vec<Value>, ApiError> {
    let Some(status @ ("stopped" | "error")) = query.get("status") else {
        return Ok(Vec::new());
    };
    if !query.get("profile_id").is_none_or(identity::is_own_profile) {
        return Ok(Vec::new());
    }
    let filter = PastFilter {
        status: status.to_owned(),
        region: query.get("region").map(str::to_owned),
        run_id: query.get("run_id").map(str::to_owned),
        limit: PAST_LISTED,
    };
    Ok(app
        .archive
        .read(move |connection| sql::instances::list(connection, &filter))
        .await?)
}

/// The record of an instance that ended with an earlier server, or that was forgotten since.
pub(super) async fn past_record(app: &App, id: String) -> Result<Option<Value>, ApiError> {
    Ok(app
        .archive
        .read(move |connection| sql::instances::get(connection, &id))
        .await?)
}

pub(super) async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    if let Some(instance) = app.store.get(&id) {
        return Ok(Json(record(&instance)));
    }
    let past = past_record(&app, id.clone()).await?;
    past.map(Json).ok_or_else(|| unknown(&id))
}

/// Safe to repeat: the record of an instance that ended before is answered again.
pub(super) async fn close(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let Some(instance) = app.store.get(&id) else {
        let past = past_record(&app, id.clone()).await?;
        return past.map(Json).ok_or_else(|| unknown(&id));
    };
    instance.request_end(EndCause::Closed);
    instance.finished(CLOSE_WAIT).await;
    Ok(Json(record(&instance)))
}

pub(super) async fn close_batch(
    State(app): State<App>,
    query: Query,
) -> Result<Json<Vec<Value>>, ApiError> {
    if query.get("run_id").is_none() && query.get("profile_id").is_none() {
        return Err(ApiError::bad_request(
            "Either run_id or profile_id is needed to close instances",
        ));
    }
    let closing: Vec<_> = app
        .store
        .all()
        .into_iter()
        .filter(|instance| instance.is_live() && is_of(instance, &query))
        .collect();
    for instance in &closing {
        instance.request_end(EndCause::Closed);
    }
    join_all(closing.iter().map(|instance| instance.finished(CLOSE_WAIT))).await;
    Ok(Json(
        closing.iter().map(|instance| record(instance)).collect(),
    ))
}

pub(super) async fn heartbeat(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<HeartbeatResponse>, ApiError> {
    let Some(instance) = app.store.get(&id) else {
        return Err(match past_record(&app, id.clone()).await? {
            Some(_) => gone(&id, "stopped"),
            None => unknown(&id),
        });
    };
    let now = app.host.clock.now();
    if instance.beat(now).is_none() {
        return Err(gone(&id, instance.state().status.as_str()));
    }
    let interval = instance.spec.lease.heartbeat_interval;
    Ok(Json(HeartbeatResponse {
        success: true,
        instance_id: instance.id.clone(),
        last_heartbeat: interval.map(|_| text(now)),
        deadline_timestamp: interval
            .map(|interval| after(now, interval).as_microsecond() as f64 / 1e6),
        interval_seconds: interval.map(|interval| interval.as_secs()),
    }))
}

/// What became of a create, by its request id.
pub(super) async fn create_request(
    State(app): State<App>,
    Path(request_id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<CreateRequest>, ApiError> {
    let (instance_id, record) = created_by(&app, &headers, &request_id).await?;
    Ok(Json(request_record(request_id, instance_id, &record)))
}

/// Ends what a create made, or is about to make.
pub(super) async fn cancel_create(
    State(app): State<App>,
    Path(request_id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<CreateRequest>, ApiError> {
    let (instance_id, before) = created_by(&app, &headers, &request_id).await?;
    let Some(instance) = app.store.get(&instance_id) else {
        return Ok(Json(request_record(request_id, instance_id, &before)));
    };
    instance.request_end(EndCause::Closed);
    instance.finished(CLOSE_WAIT).await;
    let after = record(&instance);
    Ok(Json(request_record(request_id, instance_id, &after)))
}

async fn created_by(
    app: &App,
    headers: &HeaderMap,
    request_id: &str,
) -> Result<(String, Value), ApiError> {
    let key = CreateKey {
        credential: caller(headers),
        request_id: request_id.to_owned(),
    };
    let unknown = || {
        let detail = json!({"error": "durable_create_request_not_found",
            "message": format!("No create with the request ID '{request_id}' is remembered")});
        ApiError::structured(StatusCode::NOT_FOUND, detail)
    };
    let id = app
        .store
        .by_request(&key)
        .ok_or_else(unknown)?
        .into_string();
    if let Some(instance) = app.store.get(&id) {
        return Ok((id, record(&instance)));
    }
    let past = past_record(app, id.clone()).await?.ok_or_else(unknown)?;
    Ok((id, past))
}

fn request_record(request_id: String, instance_id: String, record: &Value) -> CreateRequest {
    let has_run = !record["urls"].is_null();
    let state = match record["status"].as_str() {
        Some("pending") => CreateState::Accepted,
        Some("stopped") if !has_run => CreateState::Cancelled,
        Some("error") if !has_run => CreateState::Failed,
        _ => CreateState::Materialized,
    };
    CreateRequest {
        request_id,
        team_id: identity::TEAM_ID.into(),
        state,
        instance_id: Some(instance_id.into()),
    }
}

/// Runs exist by their instances: all that were ever made under a run id.
pub(super) async fn runs(State(app): State<App>, query: Query) -> Result<Json<Vec<Run>>, ApiError> {
    let mine = query.get("profile_id").is_none_or(identity::is_own_profile);
    let wanted: fn(&RunTally) -> bool = match query.get("active") {
        None | Some("active") => |run| run.running > 0,
        Some("inactive") => |run| run.running == 0,
        Some("all") => |_| true,
        Some(_) => {
            return Err(ApiError::invalid(vec![Problem {
                place: "query",
                field: "active".to_owned(),
                message: "Input should be 'active', 'inactive' or 'all'".to_owned(),
                kind: "enum",
            }]));
        }
    };
    let runs = app.store.runs();
    let runs = runs.into_iter().filter(|run| mine && wanted(run));
    Ok(Json(
        runs.map(|run| Run {
            run_id: run.run_id.into(),
            running_count: run.running,
            total_count: run.total,
            first_created_at: run.first_created_at,
            last_created_at: run.last_created_at,
            profile_id: Some(identity::PROFILE_ID.into()),
        })
        .collect(),
    ))
}

pub(super) fn unknown(id: &str) -> ApiError {
    ApiError::not_found(format!("Instance '{id}' not found"))
}

/// 410 and not 404: the client would retry the latter for seconds, and the sender should know at once.
pub(super) fn gone(id: &str, status: &str) -> ApiError {
    ApiError::new(
        StatusCode::GONE,
        format!("Instance '{id}' is not running (status {status})"),
    )
}

fn is_of(instance: &Instance, query: &Query) -> bool {
    query
        .get("run_id")
        .is_none_or(|run| instance.spec.run_id.as_deref() == Some(run))
        && query.get("profile_id").is_none_or(identity::is_own_profile)
}
