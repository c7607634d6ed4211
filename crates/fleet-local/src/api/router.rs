//! Paths and the handlers behind them, and what happens to every request before it reaches one.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::FutureExt;
use http::uri::PathAndQuery;
use http::{StatusCode, Uri};
use tower::util::MapRequest;

use super::error::ApiError;
use super::state::App;
use super::{auth, catalogue, instances, jobs, judge, login, openapi, sessions, tasks, verifiers};
use crate::recorder::{AsSent, Plane};

/// The largest request is an execute with a bundle in base64; bundles hold source files.
const BODY_LIMIT: usize = 32 << 20;

/// A router behind the function that tidies paths before they are matched.
pub(crate) type Service = MapRequest<Router, fn(Request) -> Request>;

/// The whole control plane.
pub(crate) fn service(app: App) -> Service {
    let recorder = app.host.recorder.clone();
    let mut router = Router::new()
        .route(openapi::PATH, get(openapi::control))
        .route("/v1/env", get(catalogue::environments))
        .route(
            "/v1/env/instances",
            post(instances::create).get(instances::list),
        )
        .route(
            "/v1/env/instances/batch",
            axum::routing::delete(instances::close_batch),
        )
        .route(
            "/v1/env/instances/create-requests/{request_id}",
            get(instances::create_request).delete(instances::cancel_create),
        )
        .route(
            "/v1/env/instances/{id}",
            get(instances::get).delete(instances::close),
        )
        .route(
            "/v1/env/instances/{id}/heartbeat",
            post(instances::heartbeat),
        )
        .route("/v1/env/runs", get(instances::runs))
        .route("/v1/env/{env_key}", get(catalogue::one_environment))
        .route("/v1/regions", get(catalogue::regions))
        .route("/v1/account", get(catalogue::account))
        .route("/v1/tasks", get(tasks::list).post(tasks::import))
        .route("/v1/tasks/projects", get(tasks::projects))
        .route("/v1/tasks/{key}", get(tasks::get).put(tasks::update))
        .route("/v1/verifiers/check", get(verifiers::check))
        .route("/v1/verifiers/execute", post(verifiers::execute))
        .route("/v1/verifiers/{id}", get(tasks::verifier))
        // "No gate here": instances of this server ask for no token.
        .route("/v1/runner-auth/token", get(unknown))
        .route(auth::REFRESH, post(login::refresh))
        .route("/v1/judge/grade", post(judge::grade))
        .route("/v1/traces/jobs", post(jobs::trace))
        .route("/v1/traces/logs", post(sessions::log))
        .route("/v1/sessions/ingest", post(sessions::ingest))
        .route("/v1/sessions/job/{job_id}", get(sessions::of_job))
        .route("/v1/sessions/{id}/transcript", get(sessions::transcript))
        .route("/v1/jobs", get(jobs::list).post(jobs::create))
        .route("/v1/jobs/{id}", get(jobs::get))
        .route(
            "/v1/eval_jobs/{job_id}/logs",
            post(jobs::add_log).get(jobs::logs),
        )
        .route("/v1/summarize/job", post(jobs::summarize))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(app.clone(), auth::guard))
        .layer(middleware::from_fn(catch_panics))
        .with_state(app);
    if let Some(recorder) = recorder {
        router = recorder.around(router, Plane::Control);
    }
    MapRequest::new(router, tidy as fn(Request) -> Request)
}

async fn unknown(uri: Uri) -> ApiError {
    ApiError::not_found(format!("No such resource: {}", uri.path()))
}

async fn wrong_method(uri: Uri) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("Method not allowed for {}", uri.path()),
    )
}

async fn catch_panics(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    // Safe to go on: handlers share state only through locks and channels that hold no half-made
    // change.
    AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| {
            tracing::error!("a handler panicked on {path}");
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
                .into_response()
        })
}

/// Collapses duplicate slashes (clients join a base with a trailing slash and a path) and takes a
/// trailing one off, so that nothing has to be redirected: clients do not follow.
fn tidy(mut request: Request) -> Request {
    let path = request.uri().path();
    let is_tidy = !path.contains("//") && (path == "/" || !path.ends_with('/'));
    if is_tidy {
        return request;
    }
    let segments: Vec<&str> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    let mut tidied = format!("/{}", segments.join("/"));
    if let Some(query) = request.uri().query() {
        tidied.push('?');
        tidied.push_str(query);
    }
    if let Ok(path_and_query) = tidied.parse::<PathAndQuery>() {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(path_and_query);
        if let Ok(uri) = Uri::from_parts(parts) {
            let as_sent = std::mem::replace(request.uri_mut(), uri);
            request.extensions_mut().insert(AsSent(as_sent));
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_tidied_and_queries_kept() {
        let check = |uri: &str| {
            let request = Request::builder()
                .uri(uri)
                .body(axum::body::Body::empty())
                .unwrap();
            tidy(request).uri().to_string()
        };
        assert_eq!(check("//v1//env/?a=//"), "/v1/env?a=//");
        assert_eq!(check("/v1/env"), "/v1/env");
        assert_eq!(check("/"), "/");
        assert_eq!(check("//"), "/");
    }
}
