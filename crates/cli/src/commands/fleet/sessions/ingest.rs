//! Stores a session from a file of messages, in requests of bounded size.

use std::path::{Path, PathBuf};

use clap::Args;
use fleet_api::Client;
use fleet_api::types::{
    ExecutionId, IngestBody, IngestResponse, InstanceId, JobId, SessionId, SessionMessage,
    SessionStatus, TaskKey,
};
use serde_json::Value;

use crate::commands::fleet::failed::{Done, Failed};
use crate::commands::fleet::input;
use crate::commands::fleet::output::Output;

/// Messages and bytes of one request; what other clients of the service keep to.
const MESSAGES_PER_REQUEST: usize = 32;
const BYTES_PER_REQUEST: usize = 512 << 10;

#[derive(Debug, Args)]
pub(super) struct IngestArgs {
    /// The messages: an array, one a line, an object with `messages`, or an ATIF trajectory; `-` is stdin
    file: PathBuf,
    /// Add to this session instead of making one
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// The job it belongs to
    #[arg(long, value_name = "ID")]
    job: Option<String>,
    /// The task that was worked on
    #[arg(long, value_name = "KEY")]
    task: Option<String>,
    /// The instance that was worked in
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
    /// The model
    #[arg(long)]
    model: Option<String>,
    /// Where the session is afterwards
    #[arg(long, value_parser = ["pending", "running", "completed", "failed", "cancelled"])]
    status: Option<String>,
    /// The verification that scored the work
    #[arg(long, value_name = "ID")]
    verifier_execution: Option<String>,
    /// Free data: a JSON object, or @FILE
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
}

pub(super) async fn ingest(args: IngestArgs, client: &Client, out: Output) -> Done {
    let mut body = read(&args.file, out)?;
    overlay(&mut body, args)?;
    let answer = send(body, client).await?;
    let done = out.record(
        &answer,
        &[
            ("session", answer.session_id.to_string()),
            ("messages", answer.message_count.to_string()),
        ],
    );
    let id = report::text::shell_word(answer.session_id.as_str());
    let did = if answer.created_new_session {
        "made"
    } else {
        "added to"
    };
    out.note(format!(
        "{did} the session; `harness fleet sessions transcript {id}` shows it"
    ));
    done
}

/// The messages of the file in whatever format it has, and what an object says of the session besides.
fn read(path: &Path, out: Output) -> Result<IngestBody, Failed> {
    let text = input::read(path)?;
    let Some(transcript) = harness::transcript::read(text.as_bytes()) else {
        return Err(Failed::usage(format!("{} has no messages", path.display())).help(
            "messages are an array, one a line, an object with `messages`, or an ATIF trajectory",
        ));
    };
    if transcript.unread > 0 {
        let pieces = report::text::plural(transcript.unread, "piece");
        out.note(format!(
            "{pieces} of {} are no message and left out",
            path.display()
        ));
    }
    Ok(IngestBody {
        messages: transcript.messages,
        ..described(&text)
    })
}

/// The fields of an ingest request that stand beside the messages.
fn described(text: &str) -> IngestBody {
    let Ok(Value::Object(mut object)) = serde_json::from_str(text) else {
        return IngestBody::default();
    };
    object.insert("messages".to_owned(), Value::Array(Vec::new()));
    serde_json::from_value(Value::Object(object)).unwrap_or_default()
}

/// What the command line says wins over the file.
fn overlay(body: &mut IngestBody, args: IngestArgs) -> Result<(), Failed> {
    fn set<T: From<String>>(field: &mut Option<T>, given: Option<String>) {
        if let Some(given) = given {
            *field = Some(given.into());
        }
    }
    set::<SessionId>(&mut body.session_id, args.session);
    set::<JobId>(&mut body.job_id, args.job);
    set::<TaskKey>(&mut body.task_key, args.task);
    set::<InstanceId>(&mut body.instance_id, args.instance);
    set::<String>(&mut body.model, args.model);
    set::<ExecutionId>(&mut body.verifier_execution_id, args.verifier_execution);
    if let Some(status) = args.status {
        body.status = Some(SessionStatus::from(status.as_str()));
    }
    if let Some(metadata) = args.metadata {
        body.metadata = Some(input::object(&metadata, "--metadata")?);
    }
    Ok(())
}

/// Sends batch by batch. What ends the session goes with the last one; the first names the session for the others.
async fn send(whole: IngestBody, client: &Client) -> Result<IngestResponse, Failed> {
    let mut batches = batches(whole.messages.clone()).into_iter().peekable();
    let mut session = whole.session_id.clone();
    let mut made = false;
    loop {
        let messages = batches.next().unwrap_or_default();
        let last = batches.peek().is_none();
        let mut body = IngestBody {
            messages,
            session_id: session.clone(),
            ..whole.clone()
        };
        if !last {
            body.status = whole.status.as_ref().map(|_| SessionStatus::Running);
            body.ended_at = None;
            body.verifier_execution_id = None;
        }
        let mut answer = client.ingest_session(&body).await.map_err(|error| {
            let failed = Failed::from(error);
            match &session {
                Some(id) => failed.help(format!("the session {id} has the messages before")),
                None => failed,
            }
        })?;
        made |= answer.created_new_session;
        if last {
            answer.created_new_session = made;
            return Ok(answer);
        }
        session = Some(answer.session_id);
    }
}

fn batches(messages: Vec<SessionMessage>) -> Vec<Vec<SessionMessage>> {
    let mut batches: Vec<Vec<SessionMessage>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        let size = serde_json::to_vec(&message).map_or(0, |text| text.len());
        let full = |batch: &Vec<SessionMessage>| {
            batch.len() >= MESSAGES_PER_REQUEST || bytes + size > BYTES_PER_REQUEST
        };
        if let Some(batch) = batches.last_mut().filter(|batch| !full(batch)) {
            batch.push(message);
            bytes += size;
        } else {
            batches.push(vec![message]);
            bytes = size;
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_bounded_and_lose_nothing() {
        let message = |size: usize| SessionMessage {
            role: "user".into(),
            content: Some(Value::from("x".repeat(size))),
            ..SessionMessage::default()
        };
        let small = batches((0..70).map(message).collect());
        assert_eq!(small.iter().map(Vec::len).collect::<Vec<_>>(), [32, 32, 6]);
        let large = batches([400_000, 400_000, 1, 600_000].map(message).to_vec());
        assert_eq!(large.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 1]);
    }
}
