//! Sessions and the logs they are made of.

use http::Method;

use super::ApiRequest;
use crate::types::{IngestBody, InvalidId, JobId, SessionId, TraceJobBody, TraceLogBody};

/// `POST /v1/sessions/ingest`
pub fn ingest(body: &IngestBody) -> ApiRequest {
    ApiRequest::new("ingest session", Method::POST, "/v1/sessions/ingest").json(body)
}

/// `GET /v1/sessions/job/{job_id}`
pub fn job_sessions(job: &JobId) -> Result<ApiRequest, InvalidId> {
    let path = format!("/v1/sessions/job/{}", job.path_segment()?);
    Ok(ApiRequest::get("list sessions", path))
}

/// `GET /v1/sessions/{session_id}/transcript`
pub fn transcript(session: &SessionId) -> Result<ApiRequest, InvalidId> {
    let path = format!("/v1/sessions/{}/transcript", session.path_segment()?);
    Ok(ApiRequest::get("get transcript", path))
}

/// `POST /v1/traces/jobs`
pub fn create_trace_job(body: &TraceJobBody) -> ApiRequest {
    ApiRequest::new("create trace job", Method::POST, "/v1/traces/jobs").json(body)
}

/// `POST /v1/traces/logs`
pub fn log_trace(body: &TraceLogBody) -> ApiRequest {
    ApiRequest::new("log trace", Method::POST, "/v1/traces/logs").json(body)
}
