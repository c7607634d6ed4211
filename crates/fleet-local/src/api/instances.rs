//! Instances and the runs they form: create, look, keep alive, close.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Json;
use fleet_api::types::{HeartbeatResponse, Run};
use futures::FutureExt;
use futures::future::join_all;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::auth::caller;
use super::create;
use super::error::ApiError;
use super::query::Query;
use super::record::record;
use super::state::App;
use crate::clock::{after, text};
use crate::identity;
use crate::instance::{EndCause, Instance, supervise};
use crate::store::{CreateKey, Refused};

/// How long a close waits for the processes to be gone. Their grace and the proof of their death
/// take seconds at most; a caller that waits longer than this is told what is true then, and may
/// ask again.
const CLOSE_WAIT: Duration = Duration::from_mins(1);

pub(super) async fn create(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let create = create::check(&body, &app)?;
    let request_id = headers
        .get("x-request-id")
        .and_then(|id| id.to_str().ok())
        .filter(|id| !id.is_empty());
    let key = request_id.map(|id| CreateKey {
        credential: caller(&headers),
        request_id: id.to_owned(),
    });
    let host = &app.host;
    let (instance, quiet) = app
        .store
        .add(key, |id| {
            let dir = host.instances_dir.join(id.as_str());
            let files = crate::instance::plan_files(&dir, &create.spec.databases);
            Instance::new(id, create.spec, files, host.clock.now())
        })
        .map_err(|refused| explain(&app, refused, request_id))?;
    // Not awaited here: the instance lives on when the caller hangs up.
    let supervisor = supervise(Arc::clone(host), Arc::clone(&instance), quiet);
    let (watched, clock) = (Arc::clone(&instance), host.clock);
    app.supervisors.spawn(async move {
        if AssertUnwindSafe(supervisor).catch_unwind().await.is_err() {
            // Its trees died with it, as they do when their owner is dropped. The record must not
            // stay `running` for ever.
            watched.set_ending(
                EndCause::Crashed("a bug in the server ended its supervision".to_owned()),
                clock.now(),
            );
            watched.set_finished(Vec::new(), clock.now());
        }
    });

    let state = instance.settled(create.max_wait).await;
    match state.ending {
        // An answer with a record would be taken for a usable instance. A repeat with the same
        // request id finds the record.
        Some(EndCause::StartFailed(reason)) => Err(ApiError::structured(
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({
                "error": "instance_start_failed",
                "message": format!("Failed to create instance {}: {reason}", instance.id),
                "instance_id": instance.id,
            }),
        )),
        _ => Ok(Json(record(&instance))),
    }
}

fn explain(app: &App, refused: Refused, request_id: Option<&str>) -> ApiError {
    match refused {
        Refused::Duplicate { instance_id } => {
            let request_id = request_id.unwrap_or_default();
            let mut message = format!("Request with ID '{request_id}' has already been processed.");
            let failure = app
                .store
                .get(instance_id.as_str())
                .and_then(|instance| instance.state().ending);
            if let Some(EndCause::StartFailed(reason) | EndCause::Crashed(reason)) = failure {
                message = format!("{message} Its instance {instance_id} failed: {reason}");
            }
            let detail = json!({"error": "duplicate_request_id", "message": message, "instance_id": instance_id});
            ApiError::structured(StatusCode::CONFLICT, detail)
        }
        Refused::Limit { running, limit } => ApiError::instance_limit(running, limit),
        Refused::Closed => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The server is shutting down",
        ),
    }
}

/// Without a `status` only live instances are listed.
pub(super) async fn list(State(app): State<App>, query: Query) -> Json<Vec<Value>> {
    let listed = app.store.all().into_iter().filter(|instance| {
        let status = match query.get("status") {
            None => instance.is_live(),
            Some(wanted) => instance.state().status.as_str() == wanted,
        };
        status
            && query
                .get("region")
                .is_none_or(|region| instance.spec.region == region)
            && is_of(instance, &query)
    });
    Json(listed.map(|instance| record(&instance)).collect())
}

pub(super) async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(record(&*find(&app, &id)?)))
}

/// Safe to repeat: the record of an instance that ended before is answered again.
pub(super) async fn close(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let instance = find(&app, &id)?;
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
    let instance = find(&app, &id)?;
    let now = app.host.clock.now();
    if instance.beat(now).is_none() {
        // 410 and not 404: the client would retry the latter for seconds, and the sender should
        // know at once.
        let status = instance.state().status.as_str();
        return Err(ApiError::new(
            StatusCode::GONE,
            format!("Instance '{id}' is not running (status {status})"),
        ));
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

/// Runs exist by their instances: those remembered, live or ended, that carry a run id.
pub(super) async fn runs(State(app): State<App>, query: Query) -> Json<Vec<Run>> {
    let mut order = Vec::new();
    let mut runs: BTreeMap<String, Run> = BTreeMap::new();
    let mine = query.get("profile_id").is_none_or(identity::is_own_profile);
    for instance in app.store.all().iter().filter(|_| mine) {
        let Some(run_id) = &instance.spec.run_id else {
            continue;
        };
        let created_at = text(instance.created_at);
        let run = runs.entry(run_id.clone()).or_insert_with(|| {
            order.push(run_id.clone());
            Run {
                run_id: run_id.as_str().into(),
                first_created_at: created_at.clone(),
                profile_id: Some(identity::PROFILE_ID.into()),
                ..Run::default()
            }
        });
        run.total_count += 1;
        run.running_count += u64::from(instance.is_live());
        run.last_created_at = created_at;
    }
    let wanted = |run: &Run| match query.get("active").unwrap_or("active") {
        "inactive" => run.running_count == 0,
        "all" => true,
        _ => run.running_count > 0,
    };
    Json(
        order
            .iter()
            .filter_map(|id| runs.remove(id))
            .filter(wanted)
            .collect(),
    )
}

fn find(app: &App, id: &str) -> Result<Arc<Instance>, ApiError> {
    app.store
        .get(id)
        .ok_or_else(|| ApiError::not_found(format!("Instance '{id}' not found")))
}

fn is_of(instance: &Instance, query: &Query) -> bool {
    query
        .get("run_id")
        .is_none_or(|run| instance.spec.run_id.as_deref() == Some(run))
        && query.get("profile_id").is_none_or(identity::is_own_profile)
}
