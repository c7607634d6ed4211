//! Reading: the sessions of a job by task, and the transcript of one.

use std::collections::HashMap;

use fleet_api::types::{
    ExecuteResponse, Instance, JobSessions, SessionInfo, SessionTask, SessionVerification,
    TaskResponse, TaskSessions, Transcript, TranscriptMessage,
};
use rusqlite::Connection;
use serde_json::Value;

use crate::archive::{ArchiveError, SessionRow, sql};
use crate::cut::cut;

/// Scores are sums of weights; this far below 1 is still 1.
const ROUNDING: f64 = 1e-9;

/// Bytes of the outputs of all verifications in one listing, and as many of their results: ten thousand sessions must
/// not make an answer that no client takes. The transcript of a session has the whole.
const LISTED_OUTPUT: usize = 2 << 20;

/// What is known outside of the archive.
pub(crate) struct Known<'known> {
    /// A task by its key.
    pub(crate) task: &'known dyn Fn(&str) -> Option<TaskResponse>,
    /// The record of an instance of this server's own life.
    pub(crate) instance: &'known dyn Fn(&str) -> Option<Value>,
}

/// Answers `GET /v1/sessions/job/{job_id}`; groups in the order of their first sessions.
pub(crate) fn job_sessions(
    connection: &Connection,
    job_id: &str,
    known: &Known<'_>,
) -> Result<JobSessions, ArchiveError> {
    let sessions = sql::sessions::of_job(connection, job_id)?;
    let total_sessions = sessions.len() as u64;
    let share = LISTED_OUTPUT / sessions.len().max(1);
    let mut places: HashMap<Option<String>, usize> = HashMap::new();
    let mut tasks: Vec<TaskSessions> = Vec::new();
    for session in sessions {
        let place = *places.entry(session.task_key.clone()).or_insert_with(|| {
            tasks.push(group(session.task_key.as_deref(), known));
            tasks.len() - 1
        });
        let mut listed = info(connection, session, known)?;
        listed
            .verifier_execution
            .iter_mut()
            .for_each(|execution| shorten(execution, share));
        tasks[place].sessions.push(listed);
    }
    for group in &mut tasks {
        summarise(group);
    }
    Ok(JobSessions {
        job_id: job_id.into(),
        total_sessions,
        tasks,
    })
}

/// Answers `GET /v1/sessions/{session_id}/transcript`; `None` if there is no such session.
pub(crate) fn transcript(
    connection: &Connection,
    session_id: &str,
    known: &Known<'_>,
) -> Result<Option<Transcript>, ArchiveError> {
    let Some(session) = sql::sessions::get(connection, session_id)? else {
        return Ok(None);
    };
    let transcript = sql::sessions::messages(connection, session.seq)?
        .iter()
        .map(|text| Ok(serde_json::from_str::<TranscriptMessage>(text)?))
        .collect::<Result<_, ArchiveError>>()?;
    Ok(Some(Transcript {
        task: session.task_key.as_deref().and_then(|key| task(key, known)),
        instance: instance(connection, session.instance_id.as_deref(), known)?,
        verifier_execution: execution(connection, session.execution_id.as_deref())?,
        transcript,
    }))
}

/// A number is never left out: it is the score.
fn shorten(execution: &mut SessionVerification, most: usize) {
    if let Some(text) = &mut execution.stdout {
        *text = cut(text, most);
    }
    let result = execution.result.take();
    execution.result = result.filter(|value| value.is_number() || value.to_string().len() <= most);
}

fn group(key: Option<&str>, known: &Known<'_>) -> TaskSessions {
    TaskSessions {
        task_id: key.map(str::to_owned),
        task: key.and_then(|key| task(key, known)),
        ..TaskSessions::default()
    }
}

/// The score of a verification, if it ran: `success` alone only says that.
pub(crate) fn score(execution: &SessionVerification) -> Option<f64> {
    execution.score.filter(|_| execution.success)
}

/// A session passed when its verifier found everything right.
pub(crate) fn is_pass(score: f64) -> bool {
    score >= 1.0 - ROUNDING
}

fn summarise(group: &mut TaskSessions) {
    let scores: Vec<f64> = group
        .sessions
        .iter()
        .filter_map(|session| session.verifier_execution.as_ref())
        .filter_map(score)
        .collect();
    let passed = scores.iter().filter(|score| is_pass(**score)).count();
    group.total_sessions = group.sessions.len() as u64;
    group.passed_sessions = passed as u64;
    group.pass_rate = passed as f64 / group.sessions.len().max(1) as f64;
    group.average_score =
        (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64);
}

fn info(
    connection: &Connection,
    session: SessionRow,
    known: &Known<'_>,
) -> Result<SessionInfo, ArchiveError> {
    Ok(SessionInfo {
        instance: instance(connection, session.instance_id.as_deref(), known)?,
        verifier_execution: execution(connection, session.execution_id.as_deref())?,
        session_id: session.id.into(),
        model: session.model.unwrap_or_default(),
        status: session.status.as_str().into(),
        created_at: session.created_at,
        started_at: session.started_at,
        ended_at: session.ended_at,
        step_count: session.steps,
    })
}

fn task(key: &str, known: &Known<'_>) -> Option<SessionTask> {
    let task = (known.task)(key)?;
    Some(SessionTask {
        key: task.key,
        prompt: task.prompt,
        env_id: task.environment_id,
        env_variables: task.env_variables,
        created_at: Some(task.created_at),
        version: task.version,
        verifier_func: task.verifier_func,
        verifier_id: task.verifier_id.map(|id| id.to_string()),
        metadata: task.metadata,
    })
}

fn instance(
    connection: &Connection,
    id: Option<&str>,
    known: &Known<'_>,
) -> Result<Option<Instance>, ArchiveError> {
    let Some(id) = id else { return Ok(None) };
    let record = match (known.instance)(id) {
        Some(record) => Some(record),
        None => sql::instances::get(connection, id)?,
    };
    Ok(record.map(serde_json::from_value).transpose()?)
}

fn execution(
    connection: &Connection,
    id: Option<&str>,
) -> Result<Option<SessionVerification>, ArchiveError> {
    match id {
        Some(id) => sql::executions::get(connection, id),
        None => Ok(None),
    }
}

impl From<&ExecuteResponse> for crate::archive::StoredExecution {
    /// What is kept of an answer. Its output is cut: it is looked at by people.
    fn from(answer: &ExecuteResponse) -> Self {
        Self {
            id: answer
                .execution_id
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            instance_id: None,
            key: answer.key.clone(),
            outcome: SessionVerification {
                success: answer.success,
                execution_time_ms: answer.execution_time_ms,
                score: answer.score().ok(),
                result: answer
                    .result
                    .clone()
                    .filter(|result| result.is_number() || result.to_string().len() <= KEPT_RESULT),
                stdout: answer.stdout.as_deref().map(|text| cut(text, KEPT_OUTPUT)),
            },
        }
    }
}

/// Bytes of a verifier's output that are kept.
const KEPT_OUTPUT: usize = 64 << 10;

/// Bytes of a verifier's result, as JSON, that are kept.
const KEPT_RESULT: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::archive::{SessionChange, StoredExecution, in_memory};

    /// A job of so many sessions, whose verifiers all printed what is kept at most and answered as much.
    fn job_of(sessions: usize) -> Connection {
        let connection = in_memory();
        for number in 0..sessions {
            let execution = StoredExecution {
                id: format!("x{number}"),
                instance_id: None,
                key: None,
                outcome: SessionVerification {
                    success: true,
                    score: Some(1.0),
                    result: Some(json!({"why": "y".repeat(KEPT_RESULT - 20)})),
                    stdout: Some("o".repeat(KEPT_OUTPUT)),
                    ..SessionVerification::default()
                },
            };
            sql::executions::add(&connection, &execution).unwrap();
            let row =
                sql::sessions::add(&connection, &format!("s{number}"), "completed", "").unwrap();
            let change = SessionChange {
                job_id: Some("j".to_owned()),
                execution_id: Some(execution.id),
                ..SessionChange::default()
            };
            sql::sessions::change(&connection, row.seq, &change).unwrap();
        }
        connection
    }

    #[test]
    fn the_listing_of_a_large_job_is_no_sum_of_all_outputs() {
        let known = Known {
            task: &|_| None,
            instance: &|_| None,
        };
        let list = |sessions| job_sessions(&job_of(sessions), "j", &known).unwrap();
        let few = list(2);
        let whole = few.tasks[0].sessions[0]
            .verifier_execution
            .as_ref()
            .unwrap();
        assert_eq!(whole.stdout.as_ref().unwrap().len(), KEPT_OUTPUT);
        assert!(whole.result.is_some());

        let many = list(500);
        assert_eq!(many.tasks[0].passed_sessions, 500);
        let length = serde_json::to_string(&many).unwrap().len();
        assert!(length < 2 * LISTED_OUTPUT, "{length} bytes");
        let shown = many.tasks[0].sessions[0]
            .verifier_execution
            .as_ref()
            .unwrap();
        assert!(shown.stdout.as_ref().unwrap().contains("bytes in all"));
        assert_eq!(shown.result, None);
    }
}
