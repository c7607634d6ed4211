//! The verifier service's endpoints: who is looked at, what came out, and what of both is kept. How a verifier runs is
//! the service's business.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Json;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet_api::types::{ExecuteResponse, ExecuteVerifierBody, VerifierCheck};

use super::body::{Body, once};
use super::error::{ApiError, Problem};
use super::query::Query;
use super::state::{App, Verification};
use crate::archive::{ArchiveError, Repeat, StoredBundle, StoredExecution, StoredRequest, sql};
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
    recall(&app, sha256).await;
    // Unknown is an answer with `success: false`; a 404 would be retried.
    Ok(Json(app.verifier.check(sha256)))
}

pub(super) async fn execute(
    State(app): State<App>,
    body: Body,
) -> Result<Json<ExecuteResponse>, ApiError> {
    let request: ExecuteVerifierBody = body.json()?;
    let repeat = body.request(&app, "execute")?;
    if let Some(answer) = answered(&app, repeat.clone()).await? {
        return Ok(Json(answer));
    }
    if request.bundle.is_none() {
        recall(&app, &request.sha256).await;
    }
    let instance_id = app.verifier.instance_id(&request);
    let view = instance_id
        .as_deref()
        .and_then(|id| app.store.get(id))
        .map(|instance| instance as Arc<dyn InstanceView>);
    let sent = request
        .bundle
        .clone()
        .map(|bundle| (request.sha256.clone(), bundle));
    let key = request.key.clone();
    // The text of an unknown bundle contains the words from which the client knows that it must
    // send it.
    let answer = app
        .verifier
        .execute(request, view)
        .await
        .map_err(|rejected| ApiError::bad_request(rejected.to_string()))?;
    app.verifications.note(Verification {
        instance_id: instance_id.clone(),
        key,
        success: answer.success,
        result: answer.result.clone(),
    });
    if let Some((sha256, bundle)) = sent {
        keep_bundle(&app, sha256, bundle).await;
    }
    let mut execution = StoredExecution::from(&answer);
    execution.instance_id = instance_id;
    let kept = with_output_of(&answer, &execution);
    // Before the answer: a session may name the execution at once.
    app.archive
        .write(move |connection| {
            sql::executions::add(connection, &execution)?;
            once(connection, repeat.as_ref(), || Ok(kept))
        })
        .await?;
    Ok(Json(answer))
}

/// The answer as it is kept for a repeat: with the output that is kept of the execution.
fn with_output_of(answer: &ExecuteResponse, execution: &StoredExecution) -> ExecuteResponse {
    ExecuteResponse {
        stdout: execution.outcome.stdout.clone(),
        ..answer.clone()
    }
}

async fn answered(
    app: &App,
    request: Option<StoredRequest>,
) -> Result<Option<ExecuteResponse>, ApiError> {
    let Some(request) = request else {
        return Ok(None);
    };
    app.archive
        .read(
            move |connection| match sql::requests::look(connection, &request)? {
                Repeat::New => Ok(None),
                Repeat::Other => Err(ApiError::request_id_reused(&request.request_id)),
                Repeat::Answered(answer) => {
                    Ok(serde_json::from_str(&answer).map_err(ArchiveError::from)?)
                }
            },
        )
        .await
}

/// Takes a bundle of an earlier server into memory. What goes wrong with it makes it unknown, and it is sent again.
async fn recall(app: &App, sha256: &str) {
    if app.verifier.check(sha256).success {
        return;
    }
    let wanted = sha256.to_owned();
    let found = app
        .archive
        .read(move |connection| sql::bundles::find(connection, &wanted))
        .await;
    let restored = match found {
        Ok(Some(zip)) => app
            .verifier
            .restore(sha256, &zip)
            .map_err(|error| error.to_string()),
        Ok(None) => Ok(()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(reason) = restored {
        tracing::warn!("a stored verifier bundle cannot be used: {reason}");
    }
}

async fn keep_bundle(app: &App, sha256: String, encoded: String) {
    let (Some(content), Ok(zip)) = (app.verifier.content_hash(&sha256), STANDARD.decode(encoded))
    else {
        return;
    };
    let bundle = StoredBundle {
        zip_sha256: sha256.trim().to_ascii_lowercase(),
        content,
        zip,
    };
    let now = app.host.clock.now().as_millisecond();
    app.archive
        .note(move |connection| sql::bundles::keep(connection, &bundle, now))
        .await;
}
