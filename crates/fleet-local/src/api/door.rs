//! The one door of the server that verifiers find: an address of its own with the judge behind it and nothing else.
//!
//! A verifier is code that came with a task. It shows the pass of its verification, which is good for its own instance, and never
//! learns the server's key.

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::middleware;
use axum::response::Json;
use axum::routing::post;
use fleet_api::types::{GradeBody, GradeResponse};
use http::StatusCode;

use super::auth::bearer;
use super::body::Body;
use super::error::ApiError;
use super::judge;
use super::router::{BODY_LIMIT, catch_panics};
use super::state::App;
use crate::recorder::Plane;
use crate::rejection::with_detail;

pub(crate) fn door(app: App) -> Router {
    let recorder = app.host.recorder.clone();
    let router = Router::new()
        .route("/v1/judge/grade", post(grade))
        .fallback(closed)
        .method_not_allowed_fallback(closed)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::map_response(with_detail))
        .layer(middleware::from_fn(catch_panics))
        .with_state(app);
    match recorder {
        Some(recorder) => recorder.around(router, Plane::Control),
        None => router,
    }
}

async fn grade(State(app): State<App>, body: Body) -> Result<Json<GradeResponse>, ApiError> {
    let instance = bearer(&body.headers)
        .and_then(|pass| app.verifier.passes().instance(pass))
        .ok_or_else(|| {
            ApiError::new(
                StatusCode::UNAUTHORIZED,
                "No verification with this credential is running",
            )
        })?;
    // The judge's own token is for callers from outside: the pass says that the server runs this one itself.
    let judge = judge::configured(&app)?;
    let request: GradeBody = body.json()?;
    if request.instance_id.as_str() != instance.instance_id() {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "A verifier may only have its own instance judged",
        ));
    }
    judge::answer(judge, &request, Some(instance)).await
}

async fn closed() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "A verifier reaches nothing of this server but POST /v1/judge/grade",
    )
}
