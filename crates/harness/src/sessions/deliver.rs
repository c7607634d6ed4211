//! Delivers one session, request by request.
//!
//! # Guarantees
//! A request is durable before it leaves and is confirmed before the next. One that got no answer is looked for at the
//! service before it is sent again, and is sent again as the same request.
//!
//! # Caveats
//! A service that neither remembers the ids of requests nor shows what it has, or shows it late, may get the messages of one request twice.

use fleet_api::Error;
use fleet_api::types::{IngestBody, IngestResponse, JobId, RequestId as WireRequestId, SessionId};
use run_record::{Event, RequestId, SessionEnd, SessionRequest};

use super::outgoing::{Batch, Outgoing};
use super::parcel::Parcel;
use crate::runner::Notice;
use crate::trial::TrialContext;

/// Why a session is not at the service.
#[derive(Debug)]
enum Undelivered {
    /// It may work in the next sitting.
    Later(String),
    /// It will not work at all.
    GivenUp(String),
    /// Nothing can be recorded any more, so nothing may be sent.
    Unrecorded,
}

/// Delivers what is missing of the session and records how that went. Its outcome concerns nobody else.
pub(super) async fn deliver(context: &TrialContext, parcel: Parcel) {
    let (message, given_up) = match send_all(context, &parcel).await {
        Ok(()) => {
            let path = context.layout.outgoing(&parcel.trial, parcel.attempt);
            // A file that stays is only room that is taken.
            let _ = fs_err::remove_file(path);
            return;
        }
        Err(Undelivered::Unrecorded) => return,
        Err(Undelivered::Later(message)) => (message, false),
        Err(Undelivered::GivenUp(message)) => (message, true),
    };
    let (trial, attempt) = (parcel.trial, parcel.attempt);
    context.notify(Notice::Warning(format!(
        "{trial}: its session is not at the service: {message}"
    )));
    let failed = Event::SessionFailed {
        trial,
        attempt,
        message,
        given_up,
    };
    let _ = context.record(failed).await;
}

async fn send_all(context: &TrialContext, parcel: &Parcel) -> Result<(), Undelivered> {
    if let Some(session) = &parcel.of_the_agent {
        return end_of_the_agents(context, parcel, session).await;
    }
    let job = context.job.ensure(context).await;
    let job = job.map_err(Undelivered::Later)?;
    let path = context.layout.outgoing(&parcel.trial, parcel.attempt);
    let lost = |error: std::io::Error| {
        Undelivered::GivenUp(format!("what was put aside for it cannot be read: {error}"))
    };
    let mut outgoing = Outgoing::open(&path, parcel.so_far.messages).map_err(lost)?;
    let mut session = parcel.so_far.session_id.clone();
    let mut offset = parcel.so_far.messages;
    let mut pending = parcel.so_far.pending;
    loop {
        let count = pending.map(|request| request.messages);
        let Some(batch) = outgoing.batch(count).map_err(lost)? else {
            return Err(Undelivered::GivenUp(
                "what was put aside for it has ended early".to_owned(),
            ));
        };
        let is_last = batch.is_last;
        let sending = Sending {
            context,
            parcel,
            job: &job,
            session: session.as_deref(),
        };
        let (id, total) = sending.send(offset, pending.take(), batch).await?;
        (session, offset) = (Some(id), total);
        if is_last {
            return Ok(());
        }
    }
}

/// One request of a session.
struct Sending<'a> {
    context: &'a TrialContext,
    parcel: &'a Parcel,
    job: &'a JobId,
    session: Option<&'a str>,
}

impl Sending<'_> {
    /// Sends the messages and answers the session and how many it has now.
    async fn send(
        &self,
        offset: u64,
        pending: Option<SessionRequest>,
        batch: Batch,
    ) -> Result<(String, u64), Undelivered> {
        let messages = batch.messages.len() as u64;
        let total = offset + messages;
        let end = batch.is_last.then_some(self.parcel.end);
        let body = self
            .parcel
            .body(self.job, self.session, batch.messages, batch.is_last);
        let (request_id, may_be_there) = if let Some(request) = pending {
            (request.request_id, true)
        } else {
            let fresh = intend(self.context, self.parcel, offset, messages).await?;
            (fresh, false)
        };
        let session = self.ingest(&body, request_id, total, may_be_there).await?;
        confirm(self.context, self.parcel, &session, total, end).await?;
        Ok((session, total))
    }

    /// Sends the request until it is answered, refused, or tried often enough. While it may be there already, nothing is
    /// sent before the service has said that it is not.
    async fn ingest(
        &self,
        body: &IngestBody,
        request_id: RequestId,
        total: u64,
        mut may_be_there: bool,
    ) -> Result<String, Undelivered> {
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self
                .ingest_once(body, request_id, total, may_be_there)
                .await
            {
                Ok(result) => return result,
                Err(error) => error,
            };
            may_be_there |= error.is_ambiguous();
            pause_or_give_up(self.context, tries, &error).await?;
        }
    }

    async fn ingest_once(
        &self,
        body: &IngestBody,
        request_id: RequestId,
        total: u64,
        may_be_there: bool,
    ) -> Result<Result<String, Undelivered>, Error> {
        if may_be_there && let Some(session) = self.arrived(total).await? {
            return Ok(Ok(session));
        }
        let id = WireRequestId::from(request_id.0);
        let answer = self.context.service.ingest(body, id).await?;
        Ok(accepted(answer))
    }

    /// The session, if the service shows that it has `total` messages of it. An error means that it does not say.
    async fn arrived(&self, total: u64) -> Result<Option<String>, Error> {
        let session = match self.session {
            Some(session) => Some(SessionId::new(session)),
            None => self.session_of_the_instance().await?,
        };
        let Some(session) = session else {
            return Ok(None);
        };
        let transcript = self.context.service.transcript(&session).await;
        let Some(transcript) = said(transcript)? else {
            return Ok(None);
        };
        let has_all = transcript.transcript.len() as u64 >= total;
        Ok(has_all.then(|| session.as_str().to_owned()))
    }

    /// No two attempts work in the same instance.
    async fn session_of_the_instance(&self) -> Result<Option<SessionId>, Error> {
        let listed = self.context.service.job_sessions(self.job).await;
        let (Some(listed), Some(instance)) = (said(listed)?, &self.parcel.instance) else {
            return Ok(None);
        };
        let mut sessions = listed.tasks.into_iter().flat_map(|task| task.sessions);
        let found = sessions.find(|session| {
            let of = session.instance.as_ref();
            of.is_some_and(|of| of.instance_id == *instance)
        });
        Ok(found.map(|session| session.session_id))
    }
}

/// Tells the service how a session ended that the agent made itself. To tell it twice changes nothing.
async fn end_of_the_agents(
    context: &TrialContext,
    parcel: &Parcel,
    session: &str,
) -> Result<(), Undelivered> {
    let request_id = match parcel.so_far.pending {
        Some(request) => request.request_id,
        None => intend(context, parcel, 0, 0).await?,
    };
    let body = parcel.end_of(session);
    let mut tries = 0;
    loop {
        tries += 1;
        let id = WireRequestId::from(request_id.0);
        match context.service.end_session(&body, id).await {
            Ok(answer) => {
                accepted(answer)?;
                return confirm(context, parcel, session, 0, Some(parcel.end)).await;
            }
            Err(error) => pause_or_give_up(context, tries, &error).await?,
        }
    }
}

async fn intend(
    context: &TrialContext,
    parcel: &Parcel,
    offset: u64,
    messages: u64,
) -> Result<RequestId, Undelivered> {
    let request_id = RequestId::random();
    let intent = Event::SessionIntended {
        trial: parcel.trial.clone(),
        attempt: parcel.attempt,
        request_id,
        offset,
        messages,
    };
    let recorded = context.record(intent).await;
    recorded
        .map(|()| request_id)
        .map_err(|_| Undelivered::Unrecorded)
}

async fn confirm(
    context: &TrialContext,
    parcel: &Parcel,
    session: &str,
    messages: u64,
    end: Option<SessionEnd>,
) -> Result<(), Undelivered> {
    let ingested = Event::SessionIngested {
        trial: parcel.trial.clone(),
        attempt: parcel.attempt,
        session_id: session.to_owned(),
        messages,
        end,
    };
    let recorded = context.record(ingested).await;
    recorded.map_err(|_| Undelivered::Unrecorded)
}

/// `None` if the service has nothing of what was asked for, or no such call.
fn said<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_retryable() || error.is_ambiguous() || error.is_auth() => Err(error),
        Err(_) => Ok(None),
    }
}

fn accepted(answer: IngestResponse) -> Result<String, Undelivered> {
    if answer.success {
        Ok(answer.session_id.as_str().to_owned())
    } else {
        let message = "the service did not take it".to_owned();
        Err(Undelivered::GivenUp(message))
    }
}

/// Waits before another try, or says why there is none.
async fn pause_or_give_up(
    context: &TrialContext,
    tries: u32,
    error: &Error,
) -> Result<(), Undelivered> {
    let message = error.to_line();
    if error.is_auth() {
        // A credential can be replaced before the next sitting.
        return Err(Undelivered::Later(message));
    }
    if !error.is_retryable() && !error.is_ambiguous() {
        return Err(Undelivered::GivenUp(message));
    }
    let retry = &context.spec.retry;
    if tries >= retry.attempts {
        return Err(Undelivered::Later(message));
    }
    let pause = retry.initial_delay.saturating_mul(tries);
    tokio::time::sleep(pause.min(retry.max_delay)).await;
    Ok(())
}
