//! A session that is logged while an agent works: model call by model call.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::types::{
    ExecutionId, IngestResponse, InstanceId, JobId, SessionId, SessionStatus, TaskKey, TraceLogBody,
};

const LOG: &str = "log session";
const END: &str = "end session";

/// Logs what an agent's model was told and what it answered, sending each message once.
///
/// The session exists at the service from its first log on. Two things are counted as the official client counts them:
/// after a log, the messages of its history and its response are known, so the next history is expected to repeat them in
/// this order. A caller that leaves the response out of the next history loses one message.
///
/// Other than there, messages count as sent only when the service has them: after a failed log, the next one sends them
/// again.
///
/// ```no_run
/// # async fn example(fleet: fleet_api::Client, env: fleet_api::Environment) -> Result<(), fleet_api::Error> {
/// use serde_json::json;
///
/// let job = fleet.create_trace_job(Some("nightly")).await?.job_id;
/// let mut session = env.session().job(job).model("acme/agent-1").task("task_desk_0007");
/// let mut history = vec![json!({"role": "user", "content": "Close ticket 2."})];
/// let response = json!({"role": "assistant", "content": "done"});
/// session.log(&history, &response).await?;
/// history.push(response);
/// session.complete(None).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Session {
    client: Client,
    id: Option<SessionId>,
    job: Option<JobId>,
    about: About,
    about_is_sent: bool,
    sent: usize,
    message_count: u64,
}

/// What is said with the first log only.
#[derive(Debug, Clone, Default)]
struct About {
    config: Option<Value>,
    model: Option<String>,
    task_key: Option<TaskKey>,
    instance_id: Option<InstanceId>,
}

impl Client {
    /// A session of an agent; nothing is sent before its first log.
    pub fn session(&self) -> Session {
        Session {
            client: self.clone(),
            id: None,
            job: None,
            about: About::default(),
            about_is_sent: false,
            sent: 0,
            message_count: 0,
        }
    }
}

impl Session {
    /// Goes on with a session that exists.
    pub fn resume(mut self, id: impl Into<SessionId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// As part of a job.
    pub fn job(mut self, job: impl Into<JobId>) -> Self {
        self.job = Some(job.into());
        self
    }

    /// With this model.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.about.model = Some(model.into());
        self
    }

    /// On this task.
    pub fn task(mut self, key: impl Into<TaskKey>) -> Self {
        self.about.task_key = Some(key.into());
        self
    }

    /// In this instance.
    pub fn instance(mut self, id: impl Into<InstanceId>) -> Self {
        self.about.instance_id = Some(id.into());
        self
    }

    /// With these settings of the model's calls.
    pub fn config(mut self, config: impl Into<Value>) -> Self {
        self.about.config = Some(config.into());
        self
    }

    /// The session's id, once the service has given it one.
    pub fn id(&self) -> Option<&SessionId> {
        self.id.as_ref()
    }

    /// Messages of the session, as the service last counted them.
    pub fn message_count(&self) -> u64 {
        self.message_count
    }

    /// Logs a call of the model: all that it was told since the beginning, and what it answered (`&()` for nothing).
    ///
    /// What was logged before is not sent again; when nothing is left, nothing is sent at all.
    pub async fn log(
        &mut self,
        history: &[impl Serialize],
        response: &impl Serialize,
    ) -> Result<IngestResponse, Error> {
        let response = to_json(response)?;
        let new = history.get(self.sent..).unwrap_or_default();
        if new.is_empty() && response.is_null() {
            return Ok(self.nothing_new());
        }
        let new = new.iter().map(to_json).collect::<Result<_, _>>()?;
        let sent = history.len() + usize::from(!response.is_null());
        let body = self.body(new, response);
        let answer = self.client.log_trace(&body).await?;
        self.sent = sent;
        self.about_is_sent = true;
        self.took(&answer);
        Ok(answer)
    }

    /// Ends the session as one whose agent came to its own end, scored by `execution` if there was a verification.
    ///
    /// It is an error if nothing was logged: then there is no session to end.
    pub async fn complete(
        &mut self,
        execution: Option<&ExecutionId>,
    ) -> Result<IngestResponse, Error> {
        self.end(SessionStatus::Completed, execution).await
    }

    /// Ends the session as one whose agent did not come to its end; else as [`Session::complete`].
    pub async fn fail(&mut self, execution: Option<&ExecutionId>) -> Result<IngestResponse, Error> {
        self.end(SessionStatus::Failed, execution).await
    }

    async fn end(
        &mut self,
        status: SessionStatus,
        execution: Option<&ExecutionId>,
    ) -> Result<IngestResponse, Error> {
        if self.id.is_none() {
            let reason = "nothing was logged, so the service has no such session";
            return Err(Error::invalid_argument(END, reason));
        }
        let body = TraceLogBody {
            session_id: self.id.clone(),
            status: Some(status),
            ended_at: Some(Timestamp::now().to_string()),
            verifier_execution_id: execution.cloned(),
            ..TraceLogBody::default()
        };
        let answer = self.client.log_trace(&body).await?;
        self.took(&answer);
        Ok(answer)
    }

    fn body(&self, history: Vec<Value>, response: Value) -> TraceLogBody {
        let About {
            config,
            model,
            task_key,
            instance_id,
        } = if self.about_is_sent {
            About::default()
        } else {
            self.about.clone()
        };
        TraceLogBody {
            history: Some(history),
            response: Some(response),
            session_id: self.id.clone(),
            job_id: self.job.clone(),
            config,
            model,
            task_key,
            instance_id,
            ..TraceLogBody::default()
        }
    }

    fn took(&mut self, answer: &IngestResponse) {
        self.message_count = answer.message_count;
        if self.id.is_none() && !answer.session_id.as_str().is_empty() {
            self.id = Some(answer.session_id.clone());
        }
    }

    fn nothing_new(&self) -> IngestResponse {
        IngestResponse {
            success: true,
            session_id: self.id.clone().unwrap_or_default(),
            message_count: self.message_count,
            created_new_session: false,
        }
    }
}

fn to_json(message: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(message).map_err(|error| {
        let kind = ErrorKind::InvalidValue {
            what: "message",
            value: String::new(),
            reason: format!("cannot be written as JSON: {error}"),
        };
        Error::new(LOG, kind)
    })
}
