//! Errors of the API as JSON: `{"error": {"code", "message", "field"?}}`.

use axum::{
    Json,
    extract::{
        FromRequest, FromRequestParts,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{model::Rows, store::StoreError};

/// Why a request got no answer.
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    field: Option<&'static str>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(field) = self.field {
            error["field"] = field.into();
        }
        (self.status, Json(json!({ "error": error }))).into_response()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::NotFound { .. } => Self {
                status: StatusCode::NOT_FOUND,
                code: "not_found",
                message,
                field: None,
            },
            StoreError::Invalid { field, .. } => Self {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                code: "invalid",
                message,
                field: Some(field),
            },
            StoreError::Database(_) | StoreError::Interrupted(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a request failed");
                Self {
                    status: StatusCode::INTERNAL_SERVER_ERROR,
                    code: "internal",
                    message,
                    field: None,
                }
            }
        }
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::unreadable(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        // A query string that is not understood is bad input like any other.
        Self::unreadable(StatusCode::UNPROCESSABLE_ENTITY, rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: "not_found",
            message: rejection.body_text(),
            field: None,
        }
    }
}

impl ApiError {
    fn unreadable(status: StatusCode, message: String) -> Self {
        Self {
            status,
            code: "invalid",
            message,
            field: None,
        }
    }
}

/// A JSON body whose errors are ours.
#[derive(FromRequest)]
#[from_request(via(Json), rejection(ApiError))]
pub(super) struct Body<T>(pub(super) T);

/// A query string whose errors are ours.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub(super) struct Query<T>(pub(super) T);

/// Path parameters whose errors are ours: a ticket "abc" does not exist.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub(super) struct Path<T>(pub(super) T);

/// A list: the items under their own name, and where in the whole they stand.
pub(super) fn listed<T: serde::Serialize>(name: &str, page: &Rows<T>) -> Json<serde_json::Value> {
    Json(json!({
        name: page.items,
        "total": page.total,
        "page": page.page,
        "per_page": page.per_page,
        "pages": page.pages(),
    }))
}

pub(super) async fn no_such_path() -> Response {
    let message = "there is nothing at this path; GET /api lists what there is".to_owned();
    ApiError {
        status: StatusCode::NOT_FOUND,
        code: "not_found",
        message,
        field: None,
    }
    .into_response()
}

pub(super) async fn wrong_method() -> Response {
    let message = "this path does not know this method; GET /api lists what there is".to_owned();
    ApiError {
        status: StatusCode::METHOD_NOT_ALLOWED,
        code: "method_not_allowed",
        message,
        field: None,
    }
    .into_response()
}
