//! Bodies: read within the limit, parsed, and recognised when they come again.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::{HeaderMap, StatusCode};
use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::auth::caller;
use super::error::{ApiError, Problem};
use super::state::App;
use crate::archive::{ArchiveError, Repeat, StoredRequest, sql};

/// A body with the headers it came with.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let headers = request.headers().clone();
        let bytes = Bytes::from_request(request, state).await.map_err(|error| {
            // The rejection's own answer would be plain text.
            let status = error.status();
            let detail = if status == StatusCode::PAYLOAD_TOO_LARGE {
                "The request's body is too large".to_owned()
            } else {
                error.to_string()
            };
            ApiError::new(status, detail)
        })?;
        Ok(Self { headers, bytes })
    }
}

impl Body {
    /// The body as JSON of a shape; 422 names the place where it is not.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        parse(&self.bytes)
    }

    /// What a repeat of this request is recognised by, if it has an id.
    pub(crate) fn request(
        &self,
        app: &App,
        route: &'static str,
    ) -> Result<Option<StoredRequest>, ApiError> {
        Ok(request_id(&self.headers)?.map(|id| StoredRequest {
            caller: caller(&self.headers),
            route,
            request_id: id.to_owned(),
            body: Sha256::digest(&self.bytes).into(),
            at: app.host.clock.now().as_second(),
        }))
    }
}

/// JSON of a shape; 422 names the place where it is not.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| {
        ApiError::invalid_field("$", format!("JSON decode error: {error}"), "json_invalid")
    })?;
    if !value.is_object() {
        let message = "Input should be an object";
        return Err(ApiError::invalid_field(
            "$",
            message,
            "model_attributes_type",
        ));
    }
    serde_json::from_value(value)
        .map_err(|error| ApiError::invalid_field("$", error.to_string(), "value_error"))
}

/// The longest request id, in bytes; the client's have 36.
pub(super) const LONGEST_REQUEST_ID: usize = 256;

/// The id of a request; an empty one is none. One that cannot be remembered is refused: its repeat would act a second time.
pub(crate) fn request_id(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(id) = headers.get("x-request-id") else {
        return Ok(None);
    };
    let invalid = |message: String, kind| {
        Err(ApiError::invalid(vec![Problem {
            place: "header",
            field: "X-Request-ID".to_owned(),
            message,
            kind,
        }]))
    };
    if id.len() > LONGEST_REQUEST_ID {
        let message = format!(
            "String should have at most {LONGEST_REQUEST_ID} characters, this one has {}",
            id.len()
        );
        return invalid(message, "string_too_long");
    }
    match id.to_str() {
        Ok(id) => Ok(Some(id).filter(|id| !id.is_empty())),
        Err(_) => invalid(
            "Input should be visible ASCII characters, for example a UUID".to_owned(),
            "value_error",
        ),
    }
}

/// Does the work unless the same request was answered before, and remembers its answer: all in the caller's transaction,
/// so a request that comes twice at once is done once.
pub(crate) fn once<T: Serialize + DeserializeOwned>(
    connection: &Connection,
    request: Option<&StoredRequest>,
    work: impl FnOnce() -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let Some(request) = request else {
        return work();
    };
    match sql::requests::look(connection, request)? {
        Repeat::Answered(answer) => Ok(serde_json::from_str(&answer).map_err(ArchiveError::from)?),
        Repeat::Other => Err(ApiError::request_id_reused(&request.request_id)),
        Repeat::New => {
            let answer = work()?;
            let text = serde_json::to_string(&answer).map_err(ArchiveError::from)?;
            sql::requests::note(connection, request, &text)?;
            Ok(answer)
        }
    }
}
