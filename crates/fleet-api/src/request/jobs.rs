//! Jobs, their raw logs and their summaries.

use http::Method;

use super::ApiRequest;
use crate::types::{
    CreateJobBody, InvalidId, JobId, JobLogBody, JobQuery, SummarizeJobBody, SummaryId,
};

/// `GET /v1/jobs`
pub fn jobs(query: &JobQuery) -> ApiRequest {
    ApiRequest::get("list jobs", "/v1/jobs")
        .with("team_id", query.team_id.as_ref())
        .with("limit", query.limit)
}

/// `GET /v1/jobs/{id}`
pub fn job(id: &JobId, team_id: Option<&str>) -> Result<ApiRequest, InvalidId> {
    let path = format!("/v1/jobs/{}", id.path_segment()?);
    Ok(ApiRequest::get("get job", path).with("team_id", team_id))
}

/// `POST /v1/jobs`
pub fn create_job(body: &CreateJobBody) -> ApiRequest {
    ApiRequest::new("create job", Method::POST, "/v1/jobs").json(body)
}

/// `POST /v1/eval_jobs/{job_id}/logs`
pub fn log_job(body: &JobLogBody) -> Result<ApiRequest, InvalidId> {
    let path = format!("/v1/eval_jobs/{}/logs", body.job_id.path_segment()?);
    Ok(ApiRequest::new("log job", Method::POST, path).json(body))
}

/// `POST /v1/summarize/job`; the judge's token is added by the client that has it.
pub fn summarize_job(body: &SummarizeJobBody) -> ApiRequest {
    ApiRequest::new("summarize job", Method::POST, "/v1/summarize/job").json(body)
}

/// `GET /v1/summaries/{summary_id}`, of the embedded server alone
pub fn job_summary(id: &SummaryId) -> Result<ApiRequest, InvalidId> {
    let path = format!("/v1/summaries/{}", id.path_segment()?);
    Ok(ApiRequest::get("get summary", path))
}
