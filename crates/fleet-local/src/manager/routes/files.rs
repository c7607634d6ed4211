//! The files of an instance.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use fleet_api::types::manager::{FileDiff, FileState, FileStateBody, FileTextBody};
use serde::Deserialize;
use serde_json::json;

use super::{parse_or_refuse, refusal};
use crate::manager::files::{self, MOST_CONTENT};
use crate::manager::state::InstanceManager;

/// Entries of one folder that are listed at most.
const ENTRIES: usize = 10_000;

/// Which path a GET is about.
#[derive(Debug, Deserialize)]
pub(super) struct PathQuery {
    path: Option<String>,
}

pub(super) async fn changes(State(manager): State<InstanceManager>) -> Json<FileDiff> {
    let (tree, baseline) = (manager.tree(), manager.services().baseline.clone());
    let work = move || files::changes(&tree, &baseline);
    Json(manager.blocking(work).await)
}

/// A file that is not there is an answer, not a 404, which the official client would ask for again for seconds.
pub(super) async fn state(State(manager): State<InstanceManager>, body: Bytes) -> Response {
    let request: FileStateBody = match parse_or_refuse(&body) {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let limit = request.include_content.then_some(request.max_content_size);
    let tree = manager.tree();
    let work = move || files::read(&tree, &request.path, limit);
    let state: FileState = manager.blocking(work).await;
    Json(state).into_response()
}

/// The official client hands whatever body comes to the verifier as the file's text, whatever the status. An error is therefore
/// JSON, which no one takes for a file's text by accident, with a status that the client does not retry.
pub(super) async fn text(State(manager): State<InstanceManager>, body: Bytes) -> Response {
    let request: FileTextBody = match parse_or_refuse(&body) {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let tree = manager.tree();
    let work = move || {
        let place = tree.locate(&request.path).ok_or("no such file")?;
        files::text(&place, request.max_content_size.min(MOST_CONTENT))
    };
    match manager.blocking(work).await {
        Ok(text) => text.into_response(),
        Err(why) => refusal(StatusCode::BAD_REQUEST, why),
    }
}

/// The bytes of a file as they are.
pub(super) async fn get(
    State(manager): State<InstanceManager>,
    Query(query): Query<PathQuery>,
) -> Response {
    let tree = manager.tree();
    let path = query.path.unwrap_or_default();
    let work = move || {
        let place = tree.locate(&path).ok_or("no such file")?;
        files::bytes(&place, MOST_CONTENT)
    };
    match manager.blocking(work).await {
        Ok(bytes) => ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response(),
        Err(why) => refusal(StatusCode::BAD_REQUEST, why),
    }
}

pub(super) async fn list(
    State(manager): State<InstanceManager>,
    Query(query): Query<PathQuery>,
) -> Response {
    let tree = manager.tree();
    let path = query.path.unwrap_or_else(|| "/".to_owned());
    let asked = path.clone();
    let work = move || files::entries(&tree, &asked, ENTRIES);
    let entries = manager.blocking(work).await;
    let exists = entries.is_some();
    let message = if exists {
        "folder listed"
    } else {
        "no such folder"
    };
    Json(json!({
        "success": true,
        "path": path,
        "exists": exists,
        "entries": entries.unwrap_or_default(),
        "message": message,
    }))
    .into_response()
}
