//! The manager's endpoints, relative to `…/api/v1/env`.
//!
//! The official client parses a manager's answer into its model whatever the status is. Failures of an operation are therefore answered
//! with 200, `success: false` and `SQLite`'s or our text, and every answer has the fields that the model requires.

use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::diff;
use super::files;
use super::query;
use super::schema;
use super::state::{InstanceManager, Mode};
use super::wire::{
    Acknowledged, DescribeResponse, DiffRequest, DiffResponse, FileRequest, QueryRequest,
    QueryResponse, ResourceEntry,
};
use crate::api::openapi;
use crate::error_chain;
use crate::seam::CURRENT;

/// Request bodies; the longest are queries with a few thousand arguments.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Changed rows that one structured diff reports; a verifier that expects more would not be readable.
const CHANGED_ROWS: usize = 200_000;

/// A comparison reads both databases once; the official client waits 300 s.
const DIFF_TIME: Duration = Duration::from_mins(2);

/// The routes of one instance's manager, to be nested under its `…/api/v1/env`.
pub fn router(manager: InstanceManager) -> Router {
    Router::new()
        .route(openapi::PATH, get(openapi::manager))
        .route("/resources", get(resources))
        .route("/reset", post(reset))
        .route("/health", get(health))
        .route("/timestamp", get(timestamp))
        .route("/resources/sqlite/{name}/describe", get(describe))
        .route("/resources/sqlite/{name}/query", post(run_query))
        .route("/diff/structured", post(structured_diff))
        .route("/diff/fs", post(list_files))
        .route("/fs/file", post(read_file))
        .route("/fs/file/text", post(read_text))
        .route("/fs/doc/text", post(document_text))
        .route("/fs/doc/metadata", post(document_metadata))
        .route("/fs/doc/structured", post(document_structure))
        .route("/resources/cdp/start", post(start_browser))
        .route("/resources/cdp/describe", get(describe_browser))
        .route(
            "/execute_verifier_function",
            post(execute_verifier_function),
        )
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(manager)
}

async fn resources(State(manager): State<InstanceManager>) -> Json<Vec<ResourceEntry>> {
    let entry = |resource: &super::state::SqliteResource| ResourceEntry {
        name: resource.name.clone(),
        kind: "sqlite",
        mode: resource.mode.as_str(),
        label: Some(
            if resource.mode == Mode::ReadOnly {
                "Seed database"
            } else {
                "Current database"
            }
            .to_owned(),
        ),
    };
    Json(manager.resources().iter().map(entry).collect())
}

async fn reset(State(manager): State<InstanceManager>) -> Json<Acknowledged> {
    match manager.reset().await {
        Ok(()) => Json(Acknowledged {
            success: true,
            message: "Database reset successfully".to_owned(),
        }),
        Err(error) => Json(Acknowledged {
            success: false,
            message: error_chain(&error),
        }),
    }
}

async fn health() -> Json<Value> {
    Json(
        json!({"status": "healthy", "timestamp": Timestamp::now().to_string(), "service": "instance-manager"}),
    )
}

async fn timestamp() -> Json<Value> {
    Json(json!({"timestamp": Timestamp::now().to_string()}))
}

async fn describe(
    State(manager): State<InstanceManager>,
    Path(name): Path<String>,
) -> Json<DescribeResponse> {
    let resource = manager.resource(&name).cloned();
    let result = manager
        .blocking(move || {
            let resource = resource.ok_or_else(|| "no database of this name".to_owned())?;
            let connection = resource
                .open(Mode::ReadOnly)
                .map_err(|error| error_chain(&error))?;
            schema::describe(&connection).map_err(|error| error.to_string())
        })
        .await;
    Json(match result {
        Ok(tables) => DescribeResponse {
            success: true,
            resource_name: name,
            message: "Database described successfully".to_owned(),
            tables: Some(tables),
            error: None,
        },
        Err(error) => DescribeResponse {
            success: false,
            resource_name: name,
            message: error.clone(),
            tables: None,
            error: Some(error),
        },
    })
}

async fn run_query(
    State(manager): State<InstanceManager>,
    Path(name): Path<String>,
    body: Bytes,
) -> Json<QueryResponse> {
    let failure = |error: String| {
        Json(QueryResponse {
            success: false,
            message: error.clone(),
            error: Some(error),
            ..QueryResponse::default()
        })
    };
    let request: QueryRequest = match parse(&body) {
        Ok(request) => request,
        Err(error) => return failure(error),
    };
    let Some(resource) = manager.resource(&name).cloned() else {
        return failure(format!("no database named '{name}'"));
    };
    let limits = manager.limits();
    let result = manager
        .blocking(move || {
            let wanted = if request.read_only {
                Mode::ReadOnly
            } else {
                Mode::ReadWrite
            };
            let mut connection = resource.open(wanted).map_err(|error| error_chain(&error))?;
            query::run(
                &mut connection,
                &request.query,
                &request.args.unwrap_or_default(),
                limits,
            )
            .map_err(|error| error.to_string())
        })
        .await;
    match result {
        Ok(answer) => Json(QueryResponse {
            success: true,
            message: "Query executed successfully".to_owned(),
            columns: Some(answer.columns),
            rows: Some(answer.rows),
            rows_affected: answer.rows_affected,
            last_insert_id: answer.last_insert_id,
            error: None,
        }),
        Err(error) => failure(error),
    }
}

async fn structured_diff(
    State(manager): State<InstanceManager>,
    body: Bytes,
) -> Json<DiffResponse> {
    let failure = |error: String| {
        Json(DiffResponse {
            success: false,
            message: error.clone(),
            diff: None,
            error: Some(error),
        })
    };
    let request: DiffRequest = match parse_or_default(&body) {
        Ok(request) => request,
        Err(error) => return failure(error),
    };
    let (Some(seed), Some(current)) = (
        manager.resource("seed").cloned(),
        manager.resource(CURRENT).cloned(),
    ) else {
        return failure("this environment has no main database".to_owned());
    };
    let result = manager
        .blocking(move || {
            let mut seed = seed
                .open(Mode::ReadOnly)
                .map_err(|error| error_chain(&error))?;
            let mut current = current
                .open(Mode::ReadOnly)
                .map_err(|error| error_chain(&error))?;
            query::limit_time(&mut seed, DIFF_TIME).map_err(|error| error.to_string())?;
            query::limit_time(&mut current, DIFF_TIME).map_err(|error| error.to_string())?;
            diff::structured(
                &seed,
                &current,
                &request.ignore_config.unwrap_or_default(),
                CHANGED_ROWS,
            )
            .map_err(|error| error_chain(&error))
        })
        .await;
    match result {
        Ok(tables) => Json(DiffResponse {
            success: true,
            message: "Structured diff generated successfully".to_owned(),
            diff: Some(tables),
            error: None,
        }),
        Err(error) => failure(error),
    }
}

async fn list_files(State(manager): State<InstanceManager>) -> Json<files::Listing> {
    let directory = manager.files().dir.clone();
    Json(manager.blocking(move || files::list(&directory)).await)
}

async fn read_file(State(manager): State<InstanceManager>, body: Bytes) -> Response {
    let request: FileRequest = match parse(&body) {
        Ok(request) => request,
        Err(error) => {
            return (
                StatusCode::UNPROCESSABLE_ENTITY,
                Json(json!({"detail": error})),
            )
                .into_response();
        }
    };
    let limit = request
        .include_content
        .then(|| request.max_content_size.unwrap_or(files::DEFAULT_CONTENT));
    Json(file(&manager, request.path, limit).await).into_response()
}

/// The client hands whatever body comes to the verifier as the file's text, so a missing file is at least not a 404, which it would retry for seconds.
async fn read_text(State(manager): State<InstanceManager>, body: Bytes) -> Response {
    let request: FileRequest = match parse(&body) {
        Ok(request) => request,
        Err(error) => {
            return (
                StatusCode::UNPROCESSABLE_ENTITY,
                Json(json!({"detail": error})),
            )
                .into_response();
        }
    };
    let limit = request.max_content_size.unwrap_or(files::DEFAULT_CONTENT);
    match file(&manager, request.path, Some(limit)).await.content {
        Some(text) => text.into_response(),
        None => (
            StatusCode::BAD_REQUEST,
            Json(json!({"detail": "no such text file"})),
        )
            .into_response(),
    }
}

async fn file(manager: &InstanceManager, path: String, limit: Option<usize>) -> files::FileAnswer {
    let directory: PathBuf = manager.files().dir.clone();
    manager
        .blocking(move || files::read(&directory, &path, limit))
        .await
}

const NO_DOCUMENTS: &str = "this server does not read documents";

async fn document_text() -> Response {
    (
        StatusCode::BAD_REQUEST,
        Json(json!({"detail": NO_DOCUMENTS})),
    )
        .into_response()
}

async fn document_metadata(body: Bytes) -> Json<Value> {
    Json(
        json!({"success": false, "path": path_of(&body), "file_type": "unknown", "metadata": {}, "error": NO_DOCUMENTS, "message": NO_DOCUMENTS}),
    )
}

async fn document_structure(body: Bytes) -> Json<Value> {
    Json(
        json!({"success": false, "path": path_of(&body), "file_type": "unknown", "data": {}, "error": NO_DOCUMENTS, "message": NO_DOCUMENTS}),
    )
}

fn path_of(body: &[u8]) -> String {
    parse::<FileRequest>(body)
        .map(|request| request.path)
        .unwrap_or_default()
}

const NO_BROWSER: &str = "this environment has no browser resource";

async fn start_browser() -> Json<Acknowledged> {
    Json(Acknowledged {
        success: false,
        message: NO_BROWSER.to_owned(),
    })
}

async fn describe_browser() -> Json<Value> {
    Json(
        json!({"success": false, "cdp_page_url": "", "cdp_browser_url": "", "cdp_devtools_url": "", "error": NO_BROWSER}),
    )
}

async fn execute_verifier_function() -> Json<Value> {
    let text = "this server runs verifiers of tasks only; call the task's verify";
    Json(json!({"success": false, "message": text, "result": null, "error": text}))
}

async fn unknown() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"detail": "Not Found"}))).into_response()
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body)
        .map_err(|error| format!("the request body is not as expected: {error}"))
}

fn parse_or_default<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, String> {
    if body.trim_ascii().is_empty() {
        Ok(T::default())
    } else {
        parse(body)
    }
}
