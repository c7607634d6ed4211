//! Events for tests: one trial's life, step by step.

use crate::{
    AgentOutcome, AgentReport, Attempt, Entry, ErrorKind, Event, Failure, GateSpec, InstanceId,
    Phase, PlannedTrial, RequestId, RunEnd, RunId, RunInfo, StopReason, TaskKey, TeardownOutcome,
    TrialId, Usage, VariantInfo, VariantName, VerifierReport,
};

pub(crate) fn trial(task: &str) -> TrialId {
    TrialId {
        task: TaskKey::new(task),
        variant: VariantName::new("default"),
        trial: 1,
    }
}

pub(crate) fn started(gate: GateSpec) -> Event {
    Event::RunStarted {
        run: Box::new(RunInfo {
            run_id: RunId::new("r-1"),
            name: "r".into(),
            harness_version: "0.1.0".into(),
            started_at: jiff::Timestamp::UNIX_EPOCH,
            spec_path: "spec.yaml".into(),
            spec_sha256: "00".into(),
            spec_yaml: "version: 1\n".into(),
            endpoint: "local".into(),
            agent: "a".into(),
            pass_threshold: 1.0,
            gate,
            trials_per_task: 1,
            variants: vec![VariantInfo {
                name: VariantName::new("default"),
                values: vec![],
            }],
            planned: None,
            rerun_of: None,
        }),
    }
}

pub(crate) fn planned(task: &str) -> Event {
    Event::TrialPlanned {
        planned: Box::new(PlannedTrial {
            id: trial(task),
            env_key: "helpdesk".into(),
            data_key: None,
        }),
    }
}

pub(crate) fn intended(task: &str, attempt: u32) -> Event {
    Event::ProvisionIntended {
        trial: trial(task),
        attempt: Attempt(attempt),
        request_id: RequestId(uuid::Uuid::from_u128(u128::from(attempt))),
        queue_ms: 1,
    }
}

pub(crate) fn provisioned(task: &str, attempt: u32) -> Event {
    Event::Provisioned {
        trial: trial(task),
        attempt: Attempt(attempt),
        instance: InstanceId::new(format!("i-{task}-{attempt}")),
        elapsed_ms: 10,
    }
}

pub(crate) fn agent_started(task: &str, attempt: u32) -> Event {
    Event::AgentStarted {
        trial: trial(task),
        attempt: Attempt(attempt),
        pid: 42,
    }
}

pub(crate) fn agent_finished(task: &str, attempt: u32) -> Event {
    Event::AgentFinished {
        trial: trial(task),
        attempt: Attempt(attempt),
        report: Box::new(AgentReport {
            outcome: AgentOutcome::Completed,
            exit_code: Some(0),
            signal: None,
            error: None,
            final_answer: Some("4 – \"four\"\n".into()),
            verifiable: true,
            steps: Some(3),
            session_id: None,
            usage: Usage::default(),
            leaked_processes: 0,
            containment: 1,
            elapsed_ms: 100,
        }),
    }
}

pub(crate) fn verify_intended(task: &str, attempt: u32) -> Event {
    Event::VerifyIntended {
        trial: trial(task),
        attempt: Attempt(attempt),
    }
}

pub(crate) fn scored(task: &str, attempt: u32, score: f64) -> Event {
    Event::Scored {
        trial: trial(task),
        attempt: Attempt(attempt),
        score,
        verifier: Box::new(VerifierReport {
            execution_id: Some("x".into()),
            elapsed_ms: 20,
            tries: 1,
        }),
    }
}

pub(crate) fn unscored(task: &str, attempt: u32, retry: bool, ambiguous: bool) -> Event {
    Event::Unscored {
        trial: trial(task),
        attempt: Attempt(attempt),
        failure: Failure {
            phase: Phase::Provision,
            kind: ErrorKind::Unavailable,
            message: "503".into(),
        },
        retry,
        ambiguous,
    }
}

pub(crate) fn release_intended(task: &str, attempt: u32) -> Event {
    Event::ReleaseIntended {
        trial: trial(task),
        attempt: Attempt(attempt),
    }
}

pub(crate) fn released(task: &str, attempt: u32, teardown: TeardownOutcome) -> Event {
    Event::Released {
        trial: trial(task),
        attempt: Attempt(attempt),
        teardown,
        elapsed_ms: 5,
    }
}

pub(crate) fn finished(reason: StopReason) -> Event {
    Event::RunFinished {
        end: Box::new(RunEnd {
            reason,
            unconfirmed: vec![],
            swept: vec![],
            proven_empty: true,
            elapsed_ms: 1000,
        }),
    }
}

/// The life of a trial that goes well.
pub(crate) fn whole_life(task: &str, score: f64) -> Vec<Event> {
    vec![
        intended(task, 1),
        provisioned(task, 1),
        agent_started(task, 1),
        agent_finished(task, 1),
        verify_intended(task, 1),
        scored(task, 1, score),
        release_intended(task, 1),
        released(task, 1, TeardownOutcome::Released),
    ]
}

pub(crate) fn entries(events: Vec<Event>) -> Vec<Entry> {
    events
        .into_iter()
        .zip(1..)
        .map(|(event, seq)| Entry {
            seq,
            at: jiff::Timestamp::UNIX_EPOCH,
            event,
        })
        .collect()
}
