//! Calls under an id that the caller keeps: whoever repeats one after a crash sends the same request again, which a
//! service that remembers ids does once.

use crate::client::Client;
use crate::error::Error;
use crate::request;
use crate::types::{IngestBody, IngestResponse, RequestId, TraceJob, TraceJobBody, TraceLogBody};

impl Client {
    /// As [`Client::create_trace_job`], under an id of the caller's.
    pub async fn create_trace_job_as(
        &self,
        name: Option<&str>,
        request_id: RequestId,
    ) -> Result<TraceJob, Error> {
        let body = TraceJobBody {
            name: name.map(str::to_owned),
        };
        let request = request::create_trace_job(&body);
        self.run(&request, self.begin(), request_id).await
    }

    /// As [`Client::ingest_session`], under an id of the caller's.
    pub async fn ingest_session_as(
        &self,
        body: &IngestBody,
        request_id: RequestId,
    ) -> Result<IngestResponse, Error> {
        if body.messages.is_empty() {
            return Err(Error::invalid_argument(
                "ingest session",
                "the service wants at least one message",
            ));
        }
        self.run(&request::ingest(body), self.begin(), request_id)
            .await
    }

    /// As [`Client::log_trace`], under an id of the caller's.
    pub async fn log_trace_as(
        &self,
        body: &TraceLogBody,
        request_id: RequestId,
    ) -> Result<IngestResponse, Error> {
        self.run(&request::log_trace(body), self.begin(), request_id)
            .await
    }
}
