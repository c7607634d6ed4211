//! The judge of a run: the ledger against the run's folder, its exit code and the processes that are alive.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::ledger::Ledger;
use crate::run_folder::{Row, RunFolder, processes_of};

/// What may live of a run after its harness has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// What the harness could not give back, because it was killed or the service does not let it. Its lease ends it.
    ToItsLease,
}

/// What must be true after a run, whatever its scores are.
#[derive(Clone, Copy, Debug)]
pub struct Expectation {
    /// The exit codes of which one must be the run's. Empty: any.
    pub exit: &'static [i32],
    /// Trials of the plan: there is exactly one row for each.
    pub trials: usize,
    /// What may live.
    pub left: Left,
}

impl Expectation {
    /// A run of so many trials that ends with this exit code and leaves nothing.
    pub fn of(trials: usize, exit: &'static [i32]) -> Self {
        Self {
            exit,
            trials,
            left: Left::Nothing,
        }
    }
}

/// Everything that is wrong with a run, a line each; empty if nothing is.
pub fn judge(
    ledger: &Ledger,
    run: &RunFolder,
    exit: Option<i32>,
    expected: Expectation,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let wanted = |code: &i32| expected.exit.is_empty() || expected.exit.contains(code);
    if !exit.as_ref().is_some_and(wanted) {
        wrong.push(format!("exit code {exit:?} and not {:?}", expected.exit));
    }
    wrong.extend(instances(ledger, run, expected.left));
    let rows = run.rows();
    wrong.extend(row_for_each_trial(&rows, expected.trials));
    wrong.extend(scores(ledger, run, &rows));
    let alive = processes_of(run.id());
    if !alive.is_empty() {
        wrong.push(format!("processes are alive: {alive:?}"));
    }
    wrong
}

fn instances(ledger: &Ledger, run: &RunFolder, left: Left) -> Vec<String> {
    let mut wrong = Vec::new();
    let live = ledger.live_of(run.id());
    if left == Left::Nothing && !live.is_empty() {
        wrong.push(format!("instances are left: {live:?}"));
    }
    let foreign = ledger.foreign_closes(run.id());
    if !foreign.is_empty() {
        wrong.push(format!("closed what is not ours: {foreign:?}"));
    }
    if ledger.max_live > ledger.limit as u64 {
        let (most, limit) = (ledger.max_live, ledger.limit);
        wrong.push(format!("{most} instances at once of {limit}"));
    }
    wrong
}

fn row_for_each_trial(rows: &[Row], trials: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    let name = |row: &Row| ["task_key", "variant", "trial"].map(|column| row[column].clone());
    let distinct: BTreeSet<_> = rows.iter().map(name).collect();
    if rows.len() != trials || distinct.len() != trials {
        let (rows, distinct) = (rows.len(), distinct.len());
        wrong.push(format!("{trials} trials: {rows} rows, {distinct} distinct"));
    }
    wrong
}

/// Each verification that the service did belongs to one trial, and each score is one that the service gave.
fn scores(ledger: &Ledger, run: &RunFolder, rows: &[Row]) -> Vec<String> {
    let mut wrong = Vec::new();
    let owners = owners(run);
    for (instance, execution) in ledger.verifications() {
        let trials = owners.get(instance).map_or(0, BTreeSet::len);
        // An instance of another run is another run's business.
        let ours = ledger.created().get(instance).map(String::as_str) == Some(run.id());
        if ours && trials != 1 {
            wrong.push(format!(
                "verification {execution} of {instance} belongs to {trials} trials"
            ));
        }
    }
    let given: BTreeSet<_> = ledger.verifications().into_iter().collect();
    let unverified = unverified(run);
    let mut scored: BTreeMap<String, usize> = BTreeMap::new();
    for event in run.events("scored") {
        *scored.entry(trial_of(&event)).or_default() += 1;
    }
    for (trial, times) in scored.iter().filter(|(_, times)| **times > 1) {
        wrong.push(format!("{trial} is scored {times} times"));
    }
    for row in rows {
        let is_scored = row["status"] == "scored";
        if is_scored == row["score"].is_empty() {
            wrong.push(format!("a score and its status differ: {row:?}"));
        }
        let execution = (
            row["instance_id"].as_str(),
            row["verifier_execution_id"].as_str(),
        );
        let without = row["verifier_execution_id"].is_empty();
        let excused = without && unverified.contains(&row["task_key"]);
        if is_scored && !excused && !given.contains(&execution) {
            wrong.push(format!("no verification gave the score of {row:?}"));
        }
    }
    wrong
}

/// Every instance of the journal with the trials that had it.
fn owners(run: &RunFolder) -> BTreeMap<String, BTreeSet<String>> {
    let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in run.events("provisioned") {
        let instance = event["instance"].as_str().unwrap_or_default();
        let trials = owners.entry(instance.to_owned()).or_default();
        trials.insert(trial_of(&event));
    }
    owners
}

/// Tasks with a score that the spec gave by rule: a verifier that was tried zero times.
fn unverified(run: &RunFolder) -> BTreeSet<String> {
    let scored = run.events("scored");
    let by_rule = scored
        .iter()
        .filter(|event| event["verifier"]["tries"] == 0);
    by_rule
        .map(|event| {
            event["trial"]["task"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

fn trial_of(event: &Value) -> String {
    event["trial"].to_string()
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
