//! Sessions: what an agent and its model said to each other.

use crate::client::Client;
use crate::error::Error;
use crate::request;
use crate::types::{
    IngestBody, IngestResponse, JobId, JobSessions, SessionId, TraceJob, TraceJobBody,
    TraceLogBody, Transcript,
};

impl Client {
    /// Makes a session of messages, or adds them to the session that the body names.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// use fleet_api::types::{IngestBody, SessionMessage};
    ///
    /// let message = SessionMessage {
    ///     role: "user".into(),
    ///     content: Some("Close ticket 2.".into()),
    ///     ..SessionMessage::default()
    /// };
    /// let body = IngestBody { messages: vec![message], ..IngestBody::default() };
    /// println!("{}", fleet.ingest_session(&body).await?.session_id);
    /// # Ok(()) }
    /// ```
    pub async fn ingest_session(&self, body: &IngestBody) -> Result<IngestResponse, Error> {
        if body.messages.is_empty() {
            return Err(Error::invalid_argument(
                "ingest session",
                "the service wants at least one message",
            ));
        }
        self.read(request::ingest(body)).await
    }

    /// The sessions of a job, by task.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// let sessions = fleet.job_sessions(&"job-1".into()).await?;
    /// println!("{} sessions", sessions.total_sessions);
    /// # Ok(()) }
    /// ```
    pub async fn job_sessions(&self, job: &JobId) -> Result<JobSessions, Error> {
        let request = request::job_sessions(job)
            .map_err(|error| Error::invalid_id("list sessions", error))?;
        self.read(request).await
    }

    /// What was said in a session.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// for message in fleet.transcript(&"sess-1".into()).await?.transcript {
    ///     println!("{}: {}", message.role, message.content);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn transcript(&self, session: &SessionId) -> Result<Transcript, Error> {
        let request = request::transcript(session)
            .map_err(|error| Error::invalid_id("get transcript", error))?;
        self.read(request).await
    }

    /// Makes a job that only collects sessions. Without a name the service invents one.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// println!("{}", fleet.create_trace_job(Some("nightly")).await?.job_id);
    /// # Ok(()) }
    /// ```
    pub async fn create_trace_job(&self, name: Option<&str>) -> Result<TraceJob, Error> {
        let body = TraceJobBody {
            name: name.map(str::to_owned),
        };
        self.read(request::create_trace_job(&body)).await
    }

    /// Logs one model call of a session, or the session's end.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// use fleet_api::types::{SessionStatus, TraceLogBody};
    ///
    /// let end = TraceLogBody {
    ///     session_id: Some("sess-1".into()),
    ///     status: Some(SessionStatus::Completed),
    ///     ..TraceLogBody::default()
    /// };
    /// fleet.log_trace(&end).await?;
    /// # Ok(()) }
    /// ```
    pub async fn log_trace(&self, body: &TraceLogBody) -> Result<IngestResponse, Error> {
        self.read(request::log_trace(body)).await
    }
}
