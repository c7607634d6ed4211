//! Sessions: what an agent and its model said to each other.

use jiff::Timestamp;

use crate::client::Client;
use crate::error::Error;
use crate::request;
use crate::types::{
    IngestBody, IngestResponse, JobId, JobSessions, SessionId, SessionMessage, SessionStatus,
    TraceJob, TraceJobBody, TraceLogBody, Transcript,
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

    /// Makes a session that is at work, with the messages that `body` has or, without any, with one that says so:
    /// the service wants at least one. For agents that tell their messages as they come.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// use fleet_api::types::{IngestBody, SessionMessage, SessionStatus};
    ///
    /// let body = IngestBody { model: Some("acme/agent-1".into()), ..IngestBody::default() };
    /// let session = fleet.create_session(body).await?.session_id;
    /// fleet.append_message(&session, SessionMessage::new("user", "Close ticket 2.")).await?;
    /// fleet.complete_session(&session, SessionStatus::Completed, None).await?;
    /// # Ok(()) }
    /// ```
    pub async fn create_session(&self, body: IngestBody) -> Result<IngestResponse, Error> {
        let mut body = body;
        if body.messages.is_empty() {
            body.messages
                .push(SessionMessage::new("system", "[session created]"));
        }
        body.status.get_or_insert(SessionStatus::Running);
        self.ingest_session(&body).await
    }

    /// Adds one message to a session.
    pub async fn append_message(
        &self,
        session: &SessionId,
        message: SessionMessage,
    ) -> Result<IngestResponse, Error> {
        let body = IngestBody {
            messages: vec![message],
            session_id: Some(session.clone()),
            ..IngestBody::default()
        };
        self.ingest_session(&body).await
    }

    /// Ends a session, with a last message or, without one, with one that says so. When it ended is now, UTC.
    pub async fn complete_session(
        &self,
        session: &SessionId,
        status: SessionStatus,
        last: Option<SessionMessage>,
    ) -> Result<IngestResponse, Error> {
        let last =
            last.unwrap_or_else(|| SessionMessage::new("system", format!("[session {status}]")));
        let body = IngestBody {
            messages: vec![last],
            session_id: Some(session.clone()),
            status: Some(status),
            ended_at: Some(Timestamp::now().to_string()),
            ..IngestBody::default()
        };
        self.ingest_session(&body).await
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
