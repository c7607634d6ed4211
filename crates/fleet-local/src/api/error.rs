//! Answers that are errors, in the shapes from which clients read what went wrong: always an object
//! with `detail`.

use axum::response::{IntoResponse, Json, Response};
use http::StatusCode;
use serde_json::{Value, json};

use crate::archive::ArchiveError;

/// An error answer.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    detail: Value,
}

impl ApiError {
    /// `detail` is a text for people.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: Value::String(detail.into()),
        }
    }

    /// `detail` is an object or a list for programs.
    pub(crate) fn structured(status: StatusCode, detail: Value) -> Self {
        Self { status, detail }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 400 and not 404, with the key in quotes: from that the client makes its typed error, and it
    /// retries every 404 for seconds.
    pub(crate) fn environment_not_found(key: &str) -> Self {
        Self::bad_request(format!("Environment '{key}' not found"))
    }

    /// Must not contain the word that the error above starts with: the client would take it for
    /// that one.
    pub(crate) fn version_not_found(version: &str, key: &str) -> Self {
        Self::bad_request(format!("Version '{version}' not found for '{key}'"))
    }

    pub(crate) fn region_not_supported(region: &str, known: &[String]) -> Self {
        let known = known
            .iter()
            .map(|region| format!("'{region}'"))
            .collect::<Vec<_>>()
            .join(", ");
        Self::bad_request(format!(
            "Region {region} not supported. Please use [{known}]"
        ))
    }

    pub(crate) fn instance_limit(running: usize, limit: usize) -> Self {
        let message = format!(
            "Instance limit reached. You have {running} running instances out of a maximum of {limit}."
        );
        Self::structured(
            StatusCode::FORBIDDEN,
            json!({
                "error_type": "instance_limit_exceeded",
                "message": message,
                "running_instances": running,
                "instance_limit": limit,
            }),
        )
    }

    /// 422 with one entry per problem, each with the place and the text.
    pub(crate) fn invalid(problems: Vec<Problem>) -> Self {
        let detail = problems
            .into_iter()
            .map(|problem| json!({"loc": [problem.place, problem.field], "msg": problem.message, "type": problem.kind}))
            .collect();
        Self::structured(StatusCode::UNPROCESSABLE_ENTITY, Value::Array(detail))
    }

    /// 409 for a request id that was used for something else.
    pub(crate) fn request_id_reused(request_id: &str) -> Self {
        let message = format!(
            "The request ID '{request_id}' was used before for another request; a repeat must be the same"
        );
        let detail = json!({"error": "request_id_reused", "message": message});
        Self::structured(StatusCode::CONFLICT, detail)
    }

    /// Answers for a team that is not the server's only one.
    pub(crate) fn team_not_found() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Team not found")
    }

    /// One problem with one field of the body.
    pub(crate) fn invalid_field(
        field: impl Into<String>,
        message: impl Into<String>,
        kind: &'static str,
    ) -> Self {
        Self::invalid(vec![Problem {
            place: "body",
            field: field.into(),
            message: message.into(),
            kind,
        }])
    }

    pub(crate) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    pub(crate) fn foreign_host() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "This server answers to loopback names only (localhost, 127.0.0.1); the request has to name one of them as its Host, and no other",
        )
    }
}

impl From<ArchiveError> for ApiError {
    fn from(error: ArchiveError) -> Self {
        tracing::error!("{}", crate::error_chain(&error));
        match error {
            ArchiveError::Closed => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The server is shutting down",
            ),
            error => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                crate::error_chain(&error),
            ),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"detail": self.detail}))).into_response()
    }
}

/// One thing that is wrong with a request.
#[derive(Debug)]
pub(crate) struct Problem {
    /// `body`, `query`, `path` or `header`.
    pub(crate) place: &'static str,
    pub(crate) field: String,
    pub(crate) message: String,
    /// A word for programs, as the hosted service's validation uses them.
    pub(crate) kind: &'static str,
}
