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
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::state::InstanceManager;

/// Request bodies; the longest are queries with a few thousand arguments.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The routes of one instance's manager, to be nested under its `…/api/v1/env`.
pub fn router(manager: InstanceManager) -> Router {
    Router::new()
        .route("/resources", get(instance::resources))
        .route("/reset", post(instance::reset))
        .route("/health", get(instance::health))
        .route("/timestamp", get(instance::timestamp))
        .route(
            "/execute_verifier_function",
            post(instance::execute_function),
        )
        .route(
            "/resources/sqlite/{name}/describe",
            get(databases::describe),
        )
        .route("/resources/sqlite/{name}/query", post(databases::query))
        .route("/diff/structured", post(databases::structured_diff))
        .route("/diff/fs", post(files::changes))
        .route("/fs/file", post(files::state))
        .route("/fs/file/text", post(files::text))
        .route("/fs/file/get", get(files::get))
        .route("/fs/list", get(files::list))
        .route("/fs/doc/text", post(documents::text))
        .route("/fs/doc/metadata", post(documents::metadata))
        .route("/fs/doc/structured", post(documents::structure))
        .route("/resources/cdp/start", post(browser::start))
        .route("/resources/cdp/describe", get(browser::describe))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(manager)
}

async fn unknown() -> Response {
    refusal(StatusCode::NOT_FOUND, "Not Found")
}

async fn wrong_method() -> Response {
    refusal(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
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
