//! The judge.

use http::Method;

use super::ApiRequest;
use crate::types::GradeBody;

/// `POST /v1/judge/grade`; the judge's token is added by the client that has it.
pub fn grade(body: &GradeBody) -> ApiRequest {
    ApiRequest::new("grade", Method::POST, "/v1/judge/grade").json(body)
}
