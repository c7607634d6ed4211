//! Moving the end of an instance, and asking for a create by its request id. The official SDK of today has none of these
//! calls; other clients of the service send them.

use http::Method;

use super::ApiRequest;
use crate::types::{ExtendTtlBody, InstanceId, InvalidId, RequestId, TtlBody};

/// `POST /v1/env/instances/{id}/ttl`
pub fn set_ttl(id: &InstanceId, body: &TtlBody) -> Result<ApiRequest, InvalidId> {
    let path = format!("/v1/env/instances/{}/ttl", id.path_segment()?);
    Ok(ApiRequest::new("set TTL", Method::POST, path).json(body))
}

/// `POST /v1/env/instances/{id}/extend_ttl`
pub fn extend_ttl(id: &InstanceId, body: &ExtendTtlBody) -> Result<ApiRequest, InvalidId> {
    let path = format!("/v1/env/instances/{}/extend_ttl", id.path_segment()?);
    Ok(ApiRequest::new("extend TTL", Method::POST, path).json(body))
}

/// `GET /v1/env/instances/create-requests/{request_id}`
pub fn create_request(id: RequestId) -> ApiRequest {
    ApiRequest::get("get create request", path(id))
}

/// `DELETE /v1/env/instances/create-requests/{request_id}`
pub fn cancel_create(id: RequestId) -> ApiRequest {
    ApiRequest::new("cancel create", Method::DELETE, path(id))
}

fn path(id: RequestId) -> String {
    format!("/v1/env/instances/create-requests/{id}")
}
