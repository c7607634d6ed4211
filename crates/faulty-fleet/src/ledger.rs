//! What was asked of the Fleet, what reached it and what came of it. The facts that a judge needs, and no judgement.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::Value;

use crate::script::Call;

/// One call.
#[derive(Clone, Debug)]
pub struct LedgerEntry {
    /// When it came.
    pub at: Instant,
    /// Which.
    pub call: Call,
    /// The instance it names, or the request id of a create.
    pub target: String,
    /// Its `X-Request-ID`.
    pub request_id: String,
    /// The run it names: of a create, or of a listing.
    pub run_id: Option<String>,
    /// The fault that was injected.
    pub fault: Option<Injection>,
    /// The status of the service, if the call reached it and was answered.
    pub status: Option<u16>,
    /// What the service answered.
    pub answer: Option<Value>,
}

/// The name of a fault that was injected.
pub type Injection = String;

impl LedgerEntry {
    /// Whether the service did what was asked.
    pub fn took_effect(&self) -> bool {
        self.status
            .is_some_and(|status| (200..300).contains(&status))
    }

    fn answered(&self, field: &str) -> Option<&str> {
        self.answer.as_ref()?.get(field)?.as_str()
    }
}

/// An instance that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub instance: String,
    /// Its run.
    pub run_id: String,
}

/// Everything that happened.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Calls in the order in which they came.
    pub entries: Vec<LedgerEntry>,
    /// Instances that live now, as the service itself says.
    pub live: Vec<Listed>,
    /// Instances that were made behind the harness's back, and their runs.
    pub foreign: BTreeSet<String>,
    /// The most that lived at once.
    pub max_live: u64,
    /// How many the service allows.
    pub limit: usize,
}

impl Ledger {
    /// The calls of one kind.
    pub fn calls(&self, call: Call) -> impl Iterator<Item = &LedgerEntry> {
        self.entries.iter().filter(move |entry| entry.call == call)
    }

    /// How many faults were injected: a test whose fault never came proves nothing.
    pub fn injected(&self) -> usize {
        let faulty = self.entries.iter().filter(|entry| entry.fault.is_some());
        faulty.count()
    }

    /// How many faults were injected into one kind of call.
    pub fn injected_into(&self, call: Call) -> usize {
        self.calls(call)
            .filter(|entry| entry.fault.is_some())
            .count()
    }

    /// Every instance that was made through the layer, with its run.
    pub fn created(&self) -> BTreeMap<String, String> {
        let made = self.calls(Call::Create).filter(|entry| entry.took_effect());
        made.filter_map(|entry| {
            let run = entry.run_id.clone()?;
            Some((entry.answered("instance_id")?.to_owned(), run))
        })
        .collect()
    }

    /// Instances of this run that live.
    pub fn live_of(&self, run: &str) -> Vec<&str> {
        let live = self.live.iter().filter(|listed| listed.run_id == run);
        live.map(|listed| listed.instance.as_str()).collect()
    }

    /// Closes that were sent for instances of other runs.
    pub fn foreign_closes(&self, run: &str) -> Vec<&str> {
        let created = self.created();
        self.calls(Call::Close)
            .map(|entry| entry.target.as_str())
            .filter(|instance| {
                self.foreign.contains(*instance)
                    || created.get(*instance).is_some_and(|of| of != run)
            })
            .collect()
    }

    /// Verifications that the service did and whose verifier ran to its end: instance and execution id.
    pub fn verifications(&self) -> Vec<(&str, &str)> {
        let done = self
            .calls(Call::Execute)
            .filter(|entry| entry.took_effect())
            .filter(|entry| {
                let success = entry
                    .answer
                    .as_ref()
                    .and_then(|answer| answer.get("success"));
                success.and_then(Value::as_bool) == Some(true)
            });
        done.map(|entry| {
            let execution = entry.answered("execution_id").unwrap_or_default();
            (entry.target.as_str(), execution)
        })
        .collect()
    }

    /// The longest time between two heartbeats of one instance that reached the service, for each instance with two.
    pub fn heartbeat_gaps(&self) -> BTreeMap<&str, std::time::Duration> {
        let mut last: BTreeMap<&str, Instant> = BTreeMap::new();
        let mut gaps = BTreeMap::new();
        for beat in self
            .calls(Call::Heartbeat)
            .filter(|beat| beat.took_effect())
        {
            let target = beat.target.as_str();
            if let Some(before) = last.insert(target, beat.at) {
                let gap = beat.at.duration_since(before);
                let longest = gaps.entry(target).or_insert(gap);
                *longest = gap.max(*longest);
            }
        }
        gaps
    }
}
