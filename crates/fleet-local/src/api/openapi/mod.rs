//! What the server says of itself: `OpenAPI` 3.1 documents of the control plane and of the manager of
//! an instance.
//!
//! Responsible for one table of operations per plane, from which the document is made, and against
//! which the tests hold the router. The shapes of bodies and answers are those of the wire types; the
//! table adds what types cannot say: parameters, limits, and which refusals a call may meet.

mod document;
mod instances;
mod manager;
mod operation;
mod schemas;
mod sessions;
mod tasks;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::header;
use serde_json::Value;

use self::operation::Operation;

/// Where each plane serves its document, relative to the plane's base.
pub(crate) const PATH: &str = "/openapi.json";

/// The two halves of the API, each with addresses of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiPlane {
    /// `FLEET_BASE_URL`: environments, instances, tasks, verifiers, sessions, jobs.
    Control,
    /// `urls.manager.api` of an instance: its data, files and browser.
    Manager,
}

/// The `OpenAPI` 3.1 document of a plane.
///
/// ```
/// use fleet_local::{ApiPlane, openapi};
///
/// let document = openapi(ApiPlane::Control);
/// assert!(document["paths"]["/v1/env/instances"]["post"].is_object());
/// ```
pub fn openapi(plane: ApiPlane) -> Value {
    document::make(plane, &operations(plane))
}

/// Every operation of a plane, in the order of the document.
fn operations(plane: ApiPlane) -> Vec<Operation> {
    match plane {
        ApiPlane::Control => [instances::table(), tasks::table(), sessions::table()]
            .into_iter()
            .flatten()
            .collect(),
        ApiPlane::Manager => manager::table(),
    }
}

/// `GET /openapi.json` of the control plane.
pub(crate) async fn control() -> Response {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| text(ApiPlane::Control));
    json(TEXT.clone())
}

/// `GET /openapi.json` below the base of a manager.
pub(crate) async fn manager() -> Response {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| text(ApiPlane::Manager));
    json(TEXT.clone())
}

fn text(plane: ApiPlane) -> Bytes {
    openapi(plane).to_string().into()
}

fn json(text: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
