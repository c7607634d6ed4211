//! What went wrong, grouped by cause: one line for forty trials that failed for the same reason.

use std::collections::HashMap;

use run_record::{
    AgentOutcome, AgentReport, ErrorKind, Phase, RunRecord, TrialId, TrialRecord, TrialStatus,
};
use serde::{Deserialize, Serialize};

use crate::text;

/// Trials that a group names; its count says how many there are.
const NAMED_TRIALS: usize = 20;
/// The part of a message that decides whether two are the same.
const COMPARED_CHARS: usize = 200;

/// Trials that went wrong for the same reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// What kind of trouble it is.
    pub class: CauseClass,
    /// The reason in a few words, for example `provision: quota` or `agent timed_out, scored below 1`.
    pub title: String,
    /// The message of the first such trial; empty if there is none. Others differ in numbers and ids only.
    pub message: String,
    /// The stage, of a trial without a score.
    pub phase: Option<Phase>,
    /// The class of the error, of a trial without a score.
    pub kind: Option<ErrorKind>,
    /// What the agent did, of a failed trial.
    pub agent: Option<AgentOutcome>,
    /// How many trials.
    pub count: usize,
    /// The first of them, in the order of the plan.
    pub trials: Vec<TrialId>,
}

/// What kind of trouble a group of trials had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CauseClass {
    /// No score.
    Unscored,
    /// A score below the threshold.
    Failed,
    /// Cut off by the end of the run.
    Cancelled,
}

/// What two trials must share to be in one group.
#[derive(PartialEq, Eq, Hash)]
struct GroupKey {
    class: CauseClass,
    title: String,
    shape: String,
}

/// The groups of a record: by class, then the largest first, then in the order of the plan.
pub(crate) fn group(record: &RunRecord) -> Vec<Cause> {
    assign(record).0
}

/// The groups of a record and, for each of its trials, the index of the group it belongs to.
pub(crate) fn assign(record: &RunRecord) -> (Vec<Cause>, Vec<Option<usize>>) {
    let mut causes: Vec<Cause> = Vec::new();
    let mut known: HashMap<GroupKey, usize> = HashMap::new();
    let mut member_of: Vec<Option<usize>> = Vec::with_capacity(record.trials.len());
    for trial in &record.trials {
        let Some(cause) = cause_of(record, trial) else {
            member_of.push(None);
            continue;
        };
        let key = GroupKey {
            class: cause.class,
            title: cause.title.clone(),
            shape: shape(&cause.message),
        };
        let at = *known.entry(key).or_insert(causes.len());
        if at == causes.len() {
            causes.push(cause);
        }
        let cause = &mut causes[at];
        cause.count += 1;
        if cause.trials.len() < NAMED_TRIALS {
            cause.trials.push(trial.id.clone());
        }
        member_of.push(Some(at));
    }
    let mut order: Vec<usize> = (0..causes.len()).collect();
    order.sort_by_key(|&at| (causes[at].class, std::cmp::Reverse(causes[at].count)));
    let mut rank = vec![0; causes.len()];
    for (place, &at) in order.iter().enumerate() {
        rank[at] = place;
    }
    let sorted = order.iter().map(|&at| causes[at].clone()).collect();
    let member_of = member_of
        .into_iter()
        .map(|at| at.map(|at| rank[at]))
        .collect();
    (sorted, member_of)
}

/// The group that a trial would open, still without members; `None` if nothing went wrong.
fn cause_of(record: &RunRecord, trial: &TrialRecord) -> Option<Cause> {
    let empty = Cause {
        class: CauseClass::Failed,
        title: String::new(),
        message: String::new(),
        phase: None,
        kind: None,
        agent: None,
        count: 0,
        trials: Vec::new(),
    };
    match (record.status_of(trial), trial.passed) {
        (TrialStatus::Pending, _) | (TrialStatus::Scored, Some(true)) => None,
        (TrialStatus::Scored, _) => Some(Cause {
            class: CauseClass::Failed,
            title: failed_title(trial, record.info.pass_threshold),
            message: trial
                .agent()
                .and_then(|agent| agent.error.clone())
                .unwrap_or_default(),
            agent: Some(trial.agent_outcome()),
            ..empty
        }),
        (TrialStatus::Cancelled, _) => Some(Cause {
            class: CauseClass::Cancelled,
            title: "the run stopped before it had a score".to_owned(),
            ..empty
        }),
        (TrialStatus::Unscored, _) => {
            let failure = trial.failure.as_ref()?;
            Some(Cause {
                class: CauseClass::Unscored,
                title: format!("{}: {}", failure.phase, failure.kind),
                message: failure.message.clone(),
                phase: Some(failure.phase),
                kind: Some(failure.kind),
                ..empty
            })
        }
    }
}

fn failed_title(trial: &TrialRecord, threshold: f64) -> String {
    let below = format!("scored below {}", text::score(threshold));
    let report = trial.agent();
    match trial.agent_outcome() {
        AgentOutcome::Completed => format!("{below}, agent completed"),
        AgentOutcome::Failed => match report.and_then(|agent: &AgentReport| agent.exit_code) {
            Some(code) if code != 0 => format!("{below}, agent failed with exit code {code}"),
            _ => format!("{below}, agent said that it failed"),
        },
        AgentOutcome::TimedOut => format!("{below}, agent timed out"),
        AgentOutcome::Crashed => match report.and_then(|agent: &AgentReport| agent.signal) {
            Some(signal) => format!("{below}, agent crashed with signal {signal}"),
            None => format!("{below}, agent crashed"),
        },
        other => format!("{below}, agent {other}"),
    }
}

/// A message without what differs between trials: words with a digit (numbers, ids, ports, times) become `#`.
fn shape(message: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let mut shape = String::new();
    let mut rest = text::shorten(message, COMPARED_CHARS);
    while !rest.is_empty() {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if end == 0 {
            let c = rest.remove(0);
            shape.push(c);
            continue;
        }
        let tail = rest.split_off(end);
        if rest.contains(|c: char| c.is_ascii_digit()) {
            shape.push('#');
        } else {
            shape.push_str(&rest);
        }
        rest = tail;
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Outcome, RunBuilder};

    #[test]
    fn messages_that_differ_in_ids_have_one_shape() {
        let first = shape("GET http://127.0.0.1:4711/x: timed out after 30s (request 9f3e-aa1)");
        let second = shape("GET http://127.0.0.1:80/x: timed out after 31s (request 0b1c-77f)");
        assert_eq!(first, second);
        assert_ne!(
            shape("verifier raised KeyError"),
            shape("verifier raised ValueError")
        );
        assert_eq!(shape(""), "");
    }

    #[test]
    fn trials_without_a_score_come_first_and_large_groups_before_small() {
        let mut run = RunBuilder::new();
        run.trial("pass", 1, &Outcome::Score(1.0));
        for at in 0..30 {
            run.trial(&format!("f{at}"), 1, &Outcome::Score(0.2));
        }
        run.trial(
            "v",
            1,
            &Outcome::Unscored(Phase::Verify, ErrorKind::VerifierError, "KeyError"),
        );
        for at in 0..2 {
            let outcome =
                Outcome::Unscored(Phase::Provision, ErrorKind::Quota, "no room under limit 8");
            run.trial(&format!("q{at}"), 1, &outcome);
        }
        run.trial("late", 1, &Outcome::Pending);
        let causes = group(&run.finish());
        let seen: Vec<(CauseClass, &str, usize, usize)> = causes
            .iter()
            .map(|cause| {
                (
                    cause.class,
                    cause.title.as_str(),
                    cause.count,
                    cause.trials.len(),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (CauseClass::Unscored, "provision: quota", 2, 2),
                (CauseClass::Unscored, "verify: verifier_error", 1, 1),
                (
                    CauseClass::Failed,
                    "scored below 1, agent completed",
                    30,
                    NAMED_TRIALS
                ),
                (
                    CauseClass::Cancelled,
                    "the run stopped before it had a score",
                    1,
                    1
                ),
            ]
        );
    }
}
