//! The verifier service's endpoints: who is looked at, and what came out. How a verifier runs is
//! the service's business.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Json;
use fleet_api::types::{ExecuteResponse, ExecuteVerifierBody, VerifierCheck};

use super::error::{ApiError, Problem};
use super::query::Query;
use super::state::{App, Verification};
use crate::seam::InstanceView;

pub(super) async fn check(
    State(app): State<App>,
    query: Query,
) -> Result<Json<VerifierCheck>, ApiError> {
    let sha256 = query.get("sha256").ok_or_else(|| {
        ApiError::invalid(vec![Problem {
            place: "query",
            field: "sha256".to_owned(),
            message: "Field required".to_owned(),
            kind: "missing",
        }])
    })?;
    // Unknown is an answer with `success: false`; a 404 would be retried.
    Ok(Json(app.verifier.check(sha256)))
}

pub(super) async fn execute(
    State(app): State<App>,
    body: Bytes,
) -> Result<Json<ExecuteResponse>, ApiError> {
    let request: ExecuteVerifierBody = serde_json::from_slice(&body).map_err(|error| {
        ApiError::invalid(vec![Problem {
            place: "body",
            field: "$".to_owned(),
            message: error.to_string(),
            kind: "json_invalid",
        }])
    })?;
    let instance_id = app.verifier.instance_id(&request);
    let view = instance_id
        .as_deref()
        .and_then(|id| app.store.get(id))
        .map(|instance| instance as Arc<dyn InstanceView>);
    let key = request.key.clone();
    // The text of an unknown bundle contains the words from which the client knows that it must
    // send it.
    let answer = app
        .verifier
        .execute(request, view)
        .await
        .map_err(|rejected| ApiError::bad_request(rejected.to_string()))?;
    app.verifications.note(Verification {
        instance_id,
        key,
        success: answer.success,
        result: answer.result.clone(),
    });
    Ok(Json(answer))
}
