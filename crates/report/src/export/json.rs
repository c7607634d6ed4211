//! `results.json`: the run, its summary and its trials, without loss.

use jiff::Timestamp;
use run_record::{
    AgentReport, AttemptRecord, Failure, InstanceId, RequestId, RunEnd, RunInfo, RunRecord,
    SessionRecord, TeardownOutcome, TrialRecord,
};
use serde::Serialize;

use crate::{Summary, row::Row};

/// Version of the file format. New optional fields do not raise it.
pub const RESULTS_VERSION: u32 = 1;

#[derive(Serialize)]
struct Results<'a> {
    format_version: u32,
    run: Run<'a>,
    summary: &'a Summary,
    trials: Vec<Trial<'a>>,
}

#[derive(Serialize)]
struct Run<'a> {
    #[serde(flatten)]
    info: &'a RunInfo,
    /// Absent while the run has no end.
    end: Option<&'a RunEnd>,
    /// The job of the run's sessions at the service; absent without sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<&'a str>,
    updated_at: Timestamp,
}

#[derive(Serialize)]
struct Trial<'a> {
    #[serde(flatten)]
    row: Row<'a>,
    finished_at: Option<Timestamp>,
    verify_tries: Option<u32>,
    attempt_history: Vec<Attempt<'a>>,
}

#[derive(Serialize)]
struct Attempt<'a> {
    #[serde(rename = "attempt")]
    number: u32,
    request_id: RequestId,
    instance_id: Option<&'a InstanceId>,
    agent: Option<&'a AgentReport>,
    failure: Option<&'a Failure>,
    teardown: Option<TeardownOutcome>,
    queue_ms: Option<u64>,
    provision_ms: Option<u64>,
    agent_ms: Option<u64>,
    verify_ms: Option<u64>,
    teardown_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Session<'a>>,
}

/// The session of an attempt at the service.
#[derive(Serialize)]
struct Session<'a> {
    #[serde(rename = "session_id")]
    id: Option<&'a str>,
    status: &'static str,
    messages: u64,
    error: Option<&'a str>,
}

/// The whole file: `{format_version, run, summary, trials}`, ended by a line feed.
pub fn json(record: &RunRecord, summary: &Summary) -> Vec<u8> {
    let results = Results {
        format_version: RESULTS_VERSION,
        run: Run {
            info: &record.info,
            end: record.end.as_ref(),
            job_id: record.job_id(),
            updated_at: record.updated_at,
        },
        summary,
        trials: record
            .trials
            .iter()
            .map(|trial| Trial::of(record, trial))
            .collect(),
    };
    let mut bytes = serde_json::to_vec_pretty(&results)
        .expect("every map key is a string and no value refuses to be written");
    bytes.push(b'\n');
    bytes
}

impl<'a> Trial<'a> {
    fn of(record: &'a RunRecord, trial: &'a TrialRecord) -> Self {
        Self {
            row: Row::of(record, trial),
            finished_at: trial.finished_at,
            verify_tries: trial.verifier.as_ref().map(|verifier| verifier.tries),
            attempt_history: trial.attempts.iter().map(Attempt::of).collect(),
        }
    }
}

impl<'a> Attempt<'a> {
    fn of(attempt: &'a AttemptRecord) -> Self {
        let times = attempt.times;
        Self {
            number: attempt.attempt.0,
            request_id: attempt.request_id,
            instance_id: attempt.instance.as_ref(),
            agent: attempt.agent.as_ref(),
            failure: attempt.failure.as_ref(),
            teardown: attempt.teardown,
            queue_ms: times.queue_ms,
            provision_ms: times.provision_ms,
            agent_ms: times.agent_ms,
            verify_ms: times.verify_ms,
            teardown_ms: times.teardown_ms,
            session: attempt.session.as_ref().map(Session::of),
        }
    }
}

impl<'a> Session<'a> {
    fn of(session: &'a SessionRecord) -> Self {
        Self {
            id: session.session_id.as_deref(),
            status: session.as_str(),
            messages: session.messages,
            error: session.error.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn nasty_values() {
        let record = fixture::nasty();
        let text = String::from_utf8(json(&record, &Summary::of(&record))).unwrap();
        // The last digits of a logarithm differ between platforms.
        insta::with_settings!({filters => vec![(r"(\d\.\d{9})\d+", "$1")]}, {
            insta::assert_snapshot!(text);
        });
    }

    #[test]
    fn texts_are_lossless_and_the_summary_reads_back() {
        let record = fixture::nasty();
        let summary = Summary::of(&record);
        let value: serde_json::Value = serde_json::from_slice(&json(&record, &summary)).unwrap();
        for (trial, written) in record
            .trials
            .iter()
            .zip(value["trials"].as_array().unwrap())
        {
            assert_eq!(written["task_key"], trial.id.task.as_str());
        }
        let read: Summary = serde_json::from_value(value["summary"].clone()).unwrap();
        assert_eq!(read, summary);
    }
}
