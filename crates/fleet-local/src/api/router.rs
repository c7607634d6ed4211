//! Paths and the handlers behind them, and what happens to every request before it reaches one.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::{DefaultBodyLimit, OriginalUri, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::uri::PathAndQuery;
use http::{StatusCode, Uri};
use tower::util::MapRequest;

use super::error::ApiError;
use super::state::App;
use super::{
    auth, catalogue, instances, jobs, judge, leases, login, openapi, sessions, summaries, tasks,
    verifiers,
};
use crate::recorder::{AsSent, Plane};
use crate::rejection::with_detail;
use crate::routes::Routes;

/// The largest request is an execute with a bundle in base64; bundles hold source files.
pub(super) const BODY_LIMIT: usize = 32 << 20;

/// A router behind the function that tidies paths before they are matched.
pub(crate) type Tidied = MapRequest<Router, fn(Request) -> Request>;

/// The whole control plane.
pub(crate) fn service(app: App) -> Tidied {
    let recorder = app.host.recorder.clone();
    let mut router = routes()
        .into_router()
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(app.clone(), auth::guard))
        .layer(middleware::map_response(with_detail))
        .layer(middleware::from_fn(catch_panics))
        .with_state(app);
    if let Some(recorder) = recorder {
        router = recorder.around(router, Plane::Control);
    }
    tidied(router)
}

/// A router that is forgiving about slashes.
pub(crate) fn tidied(router: Router) -> Tidied {
    MapRequest::new(router, tidy as fn(Request) -> Request)
}

pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .get(openapi::PATH, openapi::control)
        .get("/v1/env", catalogue::environments)
        .post("/v1/env/instances", instances::create)
        .get("/v1/env/instances", instances::list)
        .delete("/v1/env/instances/batch", instances::close_batch)
        .get(
            "/v1/env/instances/create-requests/{request_id}",
            instances::create_request,
        )
        .delete(
            "/v1/env/instances/create-requests/{request_id}",
            instances::cancel_create,
        )
        .get("/v1/env/instances/{id}", instances::get)
        .delete("/v1/env/instances/{id}", instances::close)
        .post("/v1/env/instances/{id}/heartbeat", instances::heartbeat)
        .post("/v1/env/instances/{id}/ttl", leases::set_ttl)
        .post("/v1/env/instances/{id}/extend_ttl", leases::extend)
        .get("/v1/env/runs", instances::runs)
        .get("/v1/env/{env_key}", catalogue::one_environment)
        .get("/v1/regions", catalogue::regions)
        .get("/v1/account", catalogue::account)
        .get("/v1/tasks", tasks::list)
        .post("/v1/tasks", tasks::import)
        .get("/v1/tasks/projects", tasks::projects)
        .get("/v1/tasks/{key}", tasks::get)
        .put("/v1/tasks/{key}", tasks::update)
        .get("/v1/verifiers/check", verifiers::check)
        .post("/v1/verifiers/execute", verifiers::execute)
        .get("/v1/verifiers/{id}", tasks::verifier)
        // "No gate here": instances of this server ask for no token.
        .get("/v1/runner-auth/token", unknown)
        .post(auth::REFRESH, login::refresh)
        .post("/v1/judge/grade", judge::grade)
        .post("/v1/traces/jobs", jobs::trace)
        .post("/v1/traces/logs", sessions::log)
        .post("/v1/sessions/ingest", sessions::ingest)
        .get("/v1/sessions/job/{job_id}", sessions::of_job)
        .get("/v1/sessions/{id}/transcript", sessions::transcript)
        .get("/v1/jobs", jobs::list)
        .post("/v1/jobs", jobs::create)
        .get("/v1/jobs/{id}", jobs::get)
        .post("/v1/eval_jobs/{job_id}/logs", jobs::add_log)
        .get("/v1/eval_jobs/{job_id}/logs", jobs::logs)
        .post("/v1/summarize/job", summaries::start)
        .get("/v1/summaries/{summary_id}", summaries::get)
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

/// A handler that panicked answers 500 instead of closing the connection.
pub(crate) async fn catch_panics(request: Request, next: Next) -> Response {
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
            let here = std::mem::replace(request.uri_mut(), uri);
            // Of a nested router only what is below it is here.
            let as_sent = request.extensions().get::<OriginalUri>();
            let as_sent = as_sent.map_or(here, |OriginalUri(uri)| uri.clone());
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
