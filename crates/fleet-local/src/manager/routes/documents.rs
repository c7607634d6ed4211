//! Documents in the files of an instance.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use fleet_api::types::manager::{DocumentTextBody, FilePathBody};
use serde_json::{Map, Value, json};

use super::{parse_or_refuse, refusal};
use crate::manager::documents::{Document, kind_of};
use crate::manager::files::{self, MOST_CONTENT};
use crate::manager::state::InstanceManager;

/// Bytes of a document where the request cannot say.
const DOCUMENT: u64 = 10_485_760;

/// Text of a document. Errors are as those of `/fs/file/text`.
pub(super) async fn text(State(manager): State<InstanceManager>, body: Bytes) -> Response {
    let request: DocumentTextBody = match parse_or_refuse(&body) {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    match read(&manager, &request.path, request.max_size.min(MOST_CONTENT)).await {
        Ok((_, document)) => document.text.into_response(),
        Err(why) => refusal(StatusCode::BAD_REQUEST, why),
    }
}

pub(super) async fn metadata(State(manager): State<InstanceManager>, body: Bytes) -> Response {
    answer(&manager, &body, "metadata", |document| document.metadata).await
}

pub(super) async fn structure(State(manager): State<InstanceManager>, body: Bytes) -> Response {
    answer(&manager, &body, "data", |document| document.data).await
}

/// The fields that the client's model wants, whatever happened.
async fn answer(
    manager: &InstanceManager,
    body: &[u8],
    field: &str,
    part: impl FnOnce(Document) -> Map<String, Value>,
) -> Response {
    let request: FilePathBody = match parse_or_refuse(body) {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let path = request.path;
    Json(match read(manager, &path, DOCUMENT).await {
        Ok((kind, document)) => json!({
            "success": true, "path": path, "file_type": kind, field: part(document),
        }),
        Err(why) => json!({
            "success": false, "path": path, "file_type": "unknown", field: {},
            "error": why, "message": why,
        }),
    })
    .into_response()
}

/// Reads a document; a file of no such format is read as text.
async fn read(
    manager: &InstanceManager,
    path: &str,
    limit: u64,
) -> Result<(String, Document), String> {
    let (tree, asked) = (manager.tree(), path.to_owned());
    let kind = kind_of(path);
    let work = move || {
        let place = tree.locate(&asked).ok_or("no such file")?;
        if kind.is_some() {
            files::bytes(&place, limit).map(|bytes| (place.kind(), bytes))
        } else {
            files::text(&place, limit).map(|text| (place.kind(), text.into_bytes()))
        }
    };
    let (word, bytes): (String, Vec<u8>) = manager.blocking(work).await?;
    let Some(kind) = kind else {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        return Ok((word, plain(path, text)));
    };
    let reader = manager
        .services()
        .documents
        .as_ref()
        .ok_or("this server does not read documents")?;
    let document = reader
        .read(kind, bytes)
        .await
        .map_err(|error| error.to_string())?;
    Ok((word, document))
}

/// A file that is text already.
fn plain(path: &str, text: String) -> Document {
    let lines: Vec<&str> = text.lines().collect();
    let mut metadata = Map::new();
    metadata.insert("lines".to_owned(), lines.len().into());
    metadata.insert("words".to_owned(), text.split_whitespace().count().into());
    metadata.insert("characters".to_owned(), text.chars().count().into());
    let mut data = Map::new();
    let is_json = path.to_ascii_lowercase().ends_with(".json");
    match is_json.then(|| serde_json::from_str::<Value>(&text)) {
        Some(Ok(value)) => data.insert("value".to_owned(), value),
        _ => data.insert("lines".to_owned(), lines.into()),
    };
    Document {
        text,
        metadata,
        data,
    }
}
