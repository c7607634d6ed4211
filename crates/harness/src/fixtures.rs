//! Records for tests: a run of two planned trials.

use run_record::{
    Entry, Event, GateSpec, PlannedTrial, RunId, RunInfo, RunRecord, TaskKey, TrialId, VariantName,
};

pub(crate) fn trial(task: &str) -> TrialId {
    TrialId {
        task: TaskKey::new(task),
        variant: VariantName::new("default"),
        trial: 1,
    }
}

/// The start of a run and the plan of the trials `a` and `b`.
pub(crate) fn begin() -> Vec<Event> {
    let info = RunInfo {
        run_id: RunId::new("r"),
        name: "r".into(),
        harness_version: "0".into(),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        spec_path: String::new(),
        spec_sha256: String::new(),
        spec_yaml: String::new(),
        endpoint: "local".into(),
        agent: "a".into(),
        pass_threshold: 1.0,
        gate: GateSpec::default(),
        trials_per_task: 1,
        variants: vec![],
        planned: None,
        rerun_of: None,
    };
    let planned = |task: &str| Event::TrialPlanned {
        planned: Box::new(PlannedTrial {
            id: trial(task),
            env_key: "e".into(),
            data_key: None,
        }),
    };
    let run = Box::new(info);
    vec![Event::RunStarted { run }, planned("a"), planned("b")]
}

/// The record of these events; they must be legal.
pub(crate) fn fold(events: Vec<Event>) -> RunRecord {
    let entries: Vec<Entry> = events
        .into_iter()
        .zip(1..)
        .map(|(event, seq)| Entry {
            seq,
            at: jiff::Timestamp::UNIX_EPOCH,
            event,
        })
        .collect();
    RunRecord::fold(&entries)
        .expect("the events are legal")
        .expect("there is a first one")
}
