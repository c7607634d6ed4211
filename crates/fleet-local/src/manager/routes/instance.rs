//! What an instance has, whether it is well, back to the beginning, and functions of clients.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Json;
use fleet_api::types::manager::{
    Acknowledged, ExecuteFunctionBody, ExecuteFunctionResponse, ManagerHealth, ManagerTime,
    ResetBody, Resource, ResourceKind, ResourceMode,
};
use jiff::Timestamp;

use super::{parse, parse_or_default};
use crate::error_chain;
use crate::manager::state::{InstanceManager, Mode};
use crate::seam::Beginning;

pub(super) async fn resources(State(manager): State<InstanceManager>) -> Json<Vec<Resource>> {
    let databases = manager.resources().iter().map(|resource| Resource {
        name: resource.name.clone(),
        kind: ResourceKind::Sqlite,
        mode: resource.mode.on_the_wire(),
        label: Some(
            if resource.mode == Mode::ReadOnly {
                "Seed database"
            } else {
                "Current database"
            }
            .to_owned(),
        ),
    });
    // Only where it can be had: a client that finds the resource starts it without asking further.
    let browser = manager.services().browser.iter().map(|_| Resource {
        name: "cdp".to_owned(),
        kind: ResourceKind::Cdp,
        mode: ResourceMode::ReadWrite,
        label: Some("Browser".to_owned()),
    });
    Json(databases.chain(browser).collect())
}

pub(super) async fn reset(
    State(manager): State<InstanceManager>,
    body: Bytes,
) -> Json<Acknowledged> {
    let answer = |success, message| Json(Acknowledged { success, message });
    let beginning = match parse_or_default(&body).and_then(|body| beginning(&body)) {
        Ok(beginning) => beginning,
        Err(problem) => return answer(false, problem),
    };
    match manager.reset(beginning).await {
        Ok(()) => answer(true, "Database reset successfully".to_owned()),
        Err(error) => answer(false, error_chain(&error)),
    }
}

fn beginning(body: &ResetBody) -> Result<Beginning, String> {
    let timestamp = body
        .timestamp
        .map(Timestamp::from_second)
        .transpose()
        .map_err(|_| "timestamp: a Unix time in seconds is expected".to_owned())?;
    Ok(Beginning {
        timestamp,
        seed: body.seed,
    })
}

pub(super) async fn health(State(manager): State<InstanceManager>) -> Json<ManagerHealth> {
    Json(ManagerHealth {
        status: "healthy".to_owned(),
        timestamp: manager.now().to_string(),
        service: "instance-manager".to_owned(),
    })
}

pub(super) async fn timestamp(State(manager): State<InstanceManager>) -> Json<ManagerTime> {
    Json(ManagerTime {
        timestamp: manager.now().to_string(),
    })
}

pub(super) async fn execute_function(
    State(manager): State<InstanceManager>,
    body: Bytes,
) -> Json<ExecuteFunctionResponse> {
    let failure = |error: String| {
        Json(ExecuteFunctionResponse {
            success: false,
            result: None,
            message: error.clone(),
            error: Some(error),
        })
    };
    let request: ExecuteFunctionBody = match parse(&body) {
        Ok(request) => request,
        Err(error) => return failure(error),
    };
    match &manager.services().functions {
        Some(functions) => Json(functions.run(request).await),
        None => failure("this server runs no functions inside of instances".to_owned()),
    }
}
