//! The manager's endpoints, relative to `…/api/v1/env`.
//!
//! The official client parses a manager's answer into its model whatever the status is. Failures of an operation are therefore answered
//! with 200, `success: false` and `SQLite`'s or our text, and every answer has the fields that the model requires.

mod browser;
mod databases;
mod documents;
mod files;
mod instance;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{from_fn, map_response};
use axum::response::{IntoResponse, Json, Response};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::state::InstanceManager;
use crate::api::{catch_panics, openapi};
use crate::rejection::with_detail;
use crate::routes::Routes;

/// Request bodies; the longest are queries with a few thousand arguments.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The routes of one instance's manager, to be nested under its `…/api/v1/env`.
pub fn router(manager: InstanceManager) -> Router {
    routes()
        .into_router()
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(map_response(with_detail))
        .layer(from_fn(catch_panics))
        .with_state(manager)
}

pub(crate) fn routes() -> Routes<InstanceManager> {
    Routes::new()
        .get(openapi::PATH, openapi::manager)
        .get("/resources", instance::resources)
        .post("/reset", instance::reset)
        .get("/health", instance::health)
        .get("/timestamp", instance::timestamp)
        .post("/execute_verifier_function", instance::execute_function)
        .get("/resources/sqlite/{name}/describe", databases::describe)
        .post("/resources/sqlite/{name}/query", databases::query)
        .post("/diff/structured", databases::structured_diff)
        .post("/diff/fs", files::changes)
        .post("/fs/file", files::state)
        .post("/fs/file/text", files::text)
        .get("/fs/file/get", files::get)
        .get("/fs/list", files::list)
        .post("/fs/doc/text", documents::text)
        .post("/fs/doc/metadata", documents::metadata)
        .post("/fs/doc/structured", documents::structure)
        .post("/resources/cdp/start", browser::start)
        .get("/resources/cdp/describe", browser::describe)
}

async fn unknown(uri: Uri) -> Response {
    let detail = format!("The manager has no {}", uri.path());
    refusal(StatusCode::NOT_FOUND, detail)
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    let detail = format!("The manager does not answer {method} {}", uri.path());
    refusal(StatusCode::METHOD_NOT_ALLOWED, detail)
}

/// An error in the form that the whole server has for them.
fn refusal(status: StatusCode, detail: impl AsRef<str>) -> Response {
    (status, Json(json!({"detail": detail.as_ref()}))).into_response()
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body)
        .map_err(|error| format!("the request body is not as expected: {error}"))
}

/// [`parse`] where the answer has no place for an error of its own.
#[expect(clippy::result_large_err, reason = "it is the answer")]
fn parse_or_refuse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Response> {
    parse(body).map_err(|error| refusal(StatusCode::UNPROCESSABLE_ENTITY, error))
}

fn parse_or_default<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, String> {
    let body = body.trim_ascii();
    // The official client sends `null` where it has nothing to say.
    if body.is_empty() || body == b"null" {
        Ok(T::default())
    } else {
        parse(body)
    }
}
