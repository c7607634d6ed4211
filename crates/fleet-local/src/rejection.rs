//! Requests that do not reach their handler: their answers, in the form of all errors.

use axum::body::to_bytes;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use crate::api::error::ApiError;

/// Texts of rejections have a line; this is far beyond it.
const LONGEST: usize = 64 << 10;

/// Makes an error in plain text one with `detail`. `axum` answers so where a path or a body cannot be
/// read.
pub(crate) async fn with_detail(response: Response) -> Response {
    let status = response.status();
    let is_text = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !(status.is_client_error() || status.is_server_error()) || !is_text {
        return response;
    }
    let text = match to_bytes(response.into_body(), LONGEST).await {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    };
    let text = if status == StatusCode::PAYLOAD_TOO_LARGE {
        "The request's body is too large".to_owned()
    } else {
        text
    };
    ApiError::new(status, text).into_response()
}
