//! The judge's endpoint: who may ask, and what an error of the judge is to a client.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Json;
use fleet_api::types::{GradeBody, GradeResponse};
use http::{HeaderMap, StatusCode};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use super::body::Body;
use super::error::ApiError;
use super::state::App;
use crate::judge::{Judge, JudgeError};
use crate::seam::InstanceView;

pub(super) async fn grade(
    State(app): State<App>,
    body: Body,
) -> Result<Json<GradeResponse>, ApiError> {
    let judge = admitted(&app, &body.headers)?;
    let request: GradeBody = body.json()?;
    let instance = app
        .store
        .get(request.instance_id.as_str())
        .map(|instance| instance as Arc<dyn InstanceView>);
    answer(judge, &request, instance).await
}

/// The judge, for a caller from outside who may ask it.
pub(super) fn admitted<'app>(app: &'app App, headers: &HeaderMap) -> Result<&'app Judge, ApiError> {
    let judge = configured(app)?;
    if admits(judge, headers) {
        return Ok(judge);
    }
    let text = "Invalid or missing X-Fleet-Judge-Token";
    Err(ApiError::new(StatusCode::UNAUTHORIZED, text))
}

/// The judge, or that there is none.
pub(super) fn configured(app: &App) -> Result<&Judge, ApiError> {
    app.judge.as_ref().ok_or_else(|| {
        ApiError::new(
            StatusCode::NOT_IMPLEMENTED,
            "The embedded server has no judge: configure one with --judge-command, or with --judge-url and --judge-model",
        )
    })
}

/// A grade, with an error of the judge in the client's terms.
pub(super) async fn answer(
    judge: &Judge,
    request: &GradeBody,
    instance: Option<Arc<dyn InstanceView>>,
) -> Result<Json<GradeResponse>, ApiError> {
    judge
        .grade(request, instance)
        .await
        .map(Json)
        .map_err(|error| {
            let status = match &error {
                JudgeError::Request(_) => StatusCode::BAD_REQUEST,
                // Not repeated by clients: the judge would be asked, and paid, again for the same.
                JudgeError::Failed(_) => StatusCode::FAILED_DEPENDENCY,
                JudgeError::Unreachable(_) => StatusCode::BAD_GATEWAY,
            };
            ApiError::new(status, error.to_string())
        })
}

fn admits(judge: &Judge, headers: &HeaderMap) -> bool {
    let Some(wanted) = judge.token() else {
        return true;
    };
    // Hashes are compared, so the time of the comparison says nothing about the token.
    let hash = |bytes: &[u8]| Sha256::digest(bytes);
    headers
        .get("x-fleet-judge-token")
        .is_some_and(|sent| hash(sent.as_bytes()) == hash(wanted.expose_secret().as_bytes()))
}
