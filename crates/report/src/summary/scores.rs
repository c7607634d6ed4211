//! Scores, gaps, time and cost of a set of trials.

use std::collections::{BTreeMap, HashMap, HashSet};

use run_record::{
    ErrorKind, Phase, PhaseTimes, RunRecord, TaskKey, TeardownOutcome, TrialRecord, TrialStatus,
    VariantName,
};
use serde::{Deserialize, Serialize};

use crate::{
    stats::{
        CONFIDENCE, Estimate, Interval, Method, Spread, estimate, pass_at_k, pass_hat_k, spread,
    },
    text,
};

/// Up to this many trials per task, pass@k is given for every k; beyond, for powers of two and the last.
const EVERY_K: usize = 8;

/// A set of trials in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Trials of the plan.
    pub total: usize,
    /// Trials with a score.
    pub scored: usize,
    /// Scored trials at or above the threshold.
    pub passed: usize,
    /// Scored trials below the threshold.
    pub failed: usize,
    /// Trials that ended without a score.
    pub unscored: usize,
    /// Trials that the end of the run cut off.
    pub cancelled: usize,
    /// Trials not finished.
    pub pending: usize,
    /// Trials that took more than one attempt.
    pub retried: usize,
    /// Tasks, each counted once.
    pub tasks: usize,
    /// The greatest number of trials of one task and variant.
    pub trials_per_task: usize,
    /// Tasks that both passed and failed under the same variant.
    pub flaky_tasks: usize,
    /// Share of scored trials that passed, clustered by task; absent when nothing is scored.
    pub pass_rate: Option<Estimate>,
    /// Mean score over scored trials, clustered by task; absent when nothing is scored.
    pub mean_score: Option<Estimate>,
    /// The pass rate if every trial without a score had failed or had passed; absent without trials.
    pub pass_rate_bounds: Option<Bounds>,
    /// The mean score if every trial without a score had 0 or had 1; absent without trials.
    pub mean_score_bounds: Option<Bounds>,
    /// The pass rate of trials that needed one attempt only; absent when none was tried again.
    pub pass_rate_first_attempt: Option<Estimate>,
    /// pass@k and pass^k; empty with one trial per task.
    pub pass_k: Vec<PassAtK>,
    /// Trials without a score by phase and cause, the most frequent first.
    pub unscored_by: Vec<UnscoredCause>,
    /// How long the phases took.
    pub durations: Durations,
    /// What the agents used, as far as they said.
    pub used: Used,
    /// Trials whose instance could not be confirmed closed.
    pub unconfirmed: usize,
}

/// A value under the two extreme readings of what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Every trial without a score counts as failed, or 0.
    pub all_fail: f64,
    /// Every trial without a score counts as passed, or 1.
    pub all_pass: f64,
}

/// pass@k and pass^k: means over the tasks with at least k scored trials.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassAtK {
    /// How many tries.
    pub k: usize,
    /// At least one of k passes.
    pub pass_at: Estimate,
    /// All of k pass.
    pub pass_hat: Estimate,
    /// Tasks left out because fewer than k of their trials have a score.
    pub left_out: usize,
}

/// Trials without a score for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnscoredCause {
    /// The stage.
    pub phase: Phase,
    /// The class of the cause.
    pub kind: ErrorKind,
    /// How many trials.
    pub count: usize,
}

/// Where the durations of the last attempts lie; a phase that no trial finished is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durations {
    /// Waiting for admission.
    pub queue: Option<Spread>,
    /// Getting a running instance.
    pub provision: Option<Spread>,
    /// The agent's work.
    pub agent: Option<Spread>,
    /// Scoring.
    pub verify: Option<Spread>,
    /// Giving back.
    pub teardown: Option<Spread>,
    /// All phases but waiting.
    pub total: Option<Spread>,
}

/// Sums over all attempts: a retry costs too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// Trials whose agent reported tokens or cost.
    pub reporting: usize,
    /// Tokens read.
    pub input_tokens: Option<u64>,
    /// Tokens written.
    pub output_tokens: Option<u64>,
    /// US dollars.
    pub cost_usd: Option<f64>,
    /// Steps taken.
    pub steps: Option<u64>,
}

impl Scores {
    /// Sums up some trials of a record.
    pub fn of(record: &RunRecord, trials: &[&TrialRecord]) -> Self {
        let status = |wanted| {
            trials
                .iter()
                .filter(|trial| record.status_of(trial) == wanted)
                .count()
        };
        let total = trials.len();
        let scored = status(TrialStatus::Scored);
        let passed = trials
            .iter()
            .filter(|trial| trial.passed == Some(true))
            .count();
        // The sum of no floats is -0.0, which reads as a mean of `-0`.
        let sum = 0.0 + trials.iter().filter_map(|trial| trial.score).sum::<f64>();
        let by_task = Clusters::of(trials);
        let retried = trials
            .iter()
            .filter(|trial| trial.attempts.len() > 1)
            .count();
        let first_attempt: Vec<&TrialRecord> = trials
            .iter()
            .copied()
            .filter(|trial| trial.attempts.len() <= 1)
            .collect();
        Self {
            total,
            scored,
            passed,
            failed: scored - passed,
            unscored: status(TrialStatus::Unscored),
            cancelled: status(TrialStatus::Cancelled),
            pending: status(TrialStatus::Pending),
            retried,
            tasks: by_task.tasks.len(),
            trials_per_task: by_task.most_trials,
            flaky_tasks: by_task.flaky(),
            pass_rate: estimate(&by_task.outcomes(), CONFIDENCE),
            mean_score: estimate(&by_task.scores(), CONFIDENCE),
            pass_rate_bounds: Bounds::of(passed as f64, total - scored, total),
            mean_score_bounds: Bounds::of(sum, total - scored, total),
            pass_rate_first_attempt: (retried > 0)
                .then(|| estimate(&Clusters::of(&first_attempt).outcomes(), CONFIDENCE))
                .flatten(),
            pass_k: by_task.pass_k(),
            unscored_by: unscored_by(record, trials),
            durations: Durations::of(trials),
            used: Used::of(trials),
            unconfirmed: trials
                .iter()
                .filter(|trial| trial.teardown() == Some(TeardownOutcome::Unconfirmed))
                .count(),
        }
    }

    /// Trials without a score, for whatever reason.
    pub fn missing(&self) -> usize {
        self.total - self.scored
    }

    /// The scores in one line of text:
    /// `pass 62.4 % [57.9, 66.7] (clustered by task, n=412, K=4) · mean 0.71 · pass^4 31.0 % · 8 without a score …`.
    pub fn line(&self) -> String {
        let Some(rate) = self.pass_rate else {
            return format!("none of {} has a score", text::plural(self.total, "trial"));
        };
        let mut parts = vec![format!(
            "pass {}{} ({})",
            text::percent(rate.value),
            interval(&rate),
            self.basis(&rate)
        )];
        if let Some(mean) = self.mean_score {
            parts.push(format!("mean {}", text::score(mean.value)));
        }
        if let Some(last) = self.pass_k.last() {
            parts.push(format!(
                "pass@{} {}",
                last.k,
                text::percent(last.pass_at.value)
            ));
            parts.push(format!(
                "pass^{} {}",
                last.k,
                text::percent(last.pass_hat.value)
            ));
        }
        if let (Some(bounds), true) = (self.pass_rate_bounds, self.missing() > 0) {
            parts.push(format!(
                "{} without a score left out ({} if all failed, {} if all passed)",
                self.missing(),
                text::percent(bounds.all_fail),
                text::percent(bounds.all_pass),
            ));
        }
        parts.join(" · ")
    }

    fn basis(&self, rate: &Estimate) -> String {
        match rate.method {
            Method::Wilson | Method::T => format!("n={}", rate.n),
            Method::WilsonOverClusters | Method::ClusteredT => {
                format!(
                    "clustered by task, n={}, K={}",
                    rate.clusters, self.trials_per_task
                )
            }
            Method::Undefined => format!("n={}, interval n/a", rate.n),
        }
    }
}

/// ` [57.9, 66.7]`, in percent, or nothing.
fn interval(estimate: &Estimate) -> String {
    estimate
        .interval
        .map(|Interval { low, high }| format!(" [{}, {}]", text::points(low), text::points(high)))
        .unwrap_or_default()
}

impl Bounds {
    fn of(sum: f64, missing: usize, total: usize) -> Option<Self> {
        (total > 0).then(|| Self {
            all_fail: sum / total as f64,
            all_pass: (sum + missing as f64) / total as f64,
        })
    }
}

/// Trials grouped by task: trials of one task resemble each other, whichever the variant.
struct Clusters<'a> {
    tasks: Vec<Vec<&'a TrialRecord>>,
    /// Trials of one task under one variant: the tries of pass@k.
    cells: Vec<Vec<&'a TrialRecord>>,
    most_trials: usize,
}

impl<'a> Clusters<'a> {
    fn of(trials: &[&'a TrialRecord]) -> Self {
        let mut task_at: HashMap<&TaskKey, usize> = HashMap::new();
        let mut cell_at: HashMap<(&TaskKey, &VariantName), usize> = HashMap::new();
        let mut tasks: Vec<Vec<&TrialRecord>> = Vec::new();
        let mut cells: Vec<Vec<&TrialRecord>> = Vec::new();
        for &trial in trials {
            let at = *task_at.entry(&trial.id.task).or_insert(tasks.len());
            if at == tasks.len() {
                tasks.push(Vec::new());
            }
            tasks[at].push(trial);
            let at = *cell_at
                .entry((&trial.id.task, &trial.id.variant))
                .or_insert(cells.len());
            if at == cells.len() {
                cells.push(Vec::new());
            }
            cells[at].push(trial);
        }
        let most_trials = cells.iter().map(Vec::len).max().unwrap_or(0);
        Self {
            tasks,
            cells,
            most_trials,
        }
    }

    fn outcomes(&self) -> Vec<Vec<f64>> {
        self.values(|trial| trial.passed.map(|passed| f64::from(u8::from(passed))))
    }

    fn scores(&self) -> Vec<Vec<f64>> {
        self.values(|trial| trial.score)
    }

    fn values(&self, value: impl Fn(&TrialRecord) -> Option<f64>) -> Vec<Vec<f64>> {
        self.tasks
            .iter()
            .map(|trials| trials.iter().filter_map(|trial| value(trial)).collect())
            .collect()
    }

    fn flaky(&self) -> usize {
        let has =
            |cell: &[&TrialRecord], wanted| cell.iter().any(|trial| trial.passed == Some(wanted));
        let flaky: HashSet<&TaskKey> = self
            .cells
            .iter()
            .filter(|cell| has(cell, true) && has(cell, false))
            .map(|cell| &cell[0].id.task)
            .collect();
        flaky.len()
    }

    /// Estimates over (task, variant) cells, clustered by task as everything else.
    fn pass_k(&self) -> Vec<PassAtK> {
        if self.most_trials < 2 {
            return Vec::new();
        }
        steps_of_k(self.most_trials)
            .into_iter()
            .filter_map(|k| self.pass_at(k))
            .collect()
    }

    fn pass_at(&self, k: usize) -> Option<PassAtK> {
        let mut at: BTreeMap<&TaskKey, Vec<f64>> = BTreeMap::new();
        let mut hat: BTreeMap<&TaskKey, Vec<f64>> = BTreeMap::new();
        let mut left_out = 0;
        for cell in &self.cells {
            let scored = cell.iter().filter(|trial| trial.passed.is_some()).count();
            let passed = cell
                .iter()
                .filter(|trial| trial.passed == Some(true))
                .count();
            match (pass_at_k(scored, passed, k), pass_hat_k(scored, passed, k)) {
                (Some(one), Some(all)) => {
                    let task = &cell[0].id.task;
                    at.entry(task).or_default().push(one);
                    hat.entry(task).or_default().push(all);
                }
                _ => left_out += 1,
            }
        }
        let over = |clusters: BTreeMap<&TaskKey, Vec<f64>>| {
            estimate(&clusters.into_values().collect::<Vec<_>>(), CONFIDENCE)
        };
        Some(PassAtK {
            k,
            pass_at: over(at)?,
            pass_hat: over(hat)?,
            left_out,
        })
    }
}

fn steps_of_k(most: usize) -> Vec<usize> {
    if most <= EVERY_K {
        return (1..=most).collect();
    }
    let mut steps: Vec<usize> = std::iter::successors(Some(1_usize), |k| k.checked_mul(2))
        .take_while(|&k| k < most)
        .collect();
    steps.push(most);
    steps
}

fn unscored_by(record: &RunRecord, trials: &[&TrialRecord]) -> Vec<UnscoredCause> {
    let mut counts: BTreeMap<(Phase, ErrorKind), usize> = BTreeMap::new();
    for trial in trials {
        if let (TrialStatus::Unscored, Some(failure)) = (record.status_of(trial), &trial.failure) {
            *counts.entry((failure.phase, failure.kind)).or_default() += 1;
        }
    }
    let mut causes: Vec<UnscoredCause> = counts
        .into_iter()
        .map(|((phase, kind), count)| UnscoredCause { phase, kind, count })
        .collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    causes
}

impl Durations {
    fn of(trials: &[&TrialRecord]) -> Self {
        let times: Vec<PhaseTimes> = trials.iter().map(|trial| trial.times()).collect();
        let over = |phase: fn(&PhaseTimes) -> Option<u64>| {
            spread(times.iter().filter_map(phase).collect())
        };
        Self {
            queue: over(|times| times.queue_ms),
            provision: over(|times| times.provision_ms),
            agent: over(|times| times.agent_ms),
            verify: over(|times| times.verify_ms),
            teardown: over(|times| times.teardown_ms),
            total: over(PhaseTimes::total_ms),
        }
    }

    /// The phases by name, in the order in which they happen.
    pub fn phases(&self) -> [(&'static str, Option<Spread>); 5] {
        [
            ("queue", self.queue),
            ("provision", self.provision),
            ("agent", self.agent),
            ("verify", self.verify),
            ("teardown", self.teardown),
        ]
    }
}

impl Used {
    fn of(trials: &[&TrialRecord]) -> Self {
        let agents = || {
            trials
                .iter()
                .flat_map(|trial| trial.attempts.iter())
                .filter_map(|attempt| attempt.agent.as_ref())
        };
        let sum = |values: &mut dyn Iterator<Item = u64>| values.reduce(u64::saturating_add);
        let says = |trial: &&&TrialRecord| trial.usage() != run_record::Usage::default();
        Self {
            reporting: trials.iter().filter(says).count(),
            input_tokens: sum(&mut agents().filter_map(|agent| agent.usage.input_tokens)),
            output_tokens: sum(&mut agents().filter_map(|agent| agent.usage.output_tokens)),
            cost_usd: agents()
                .filter_map(|agent| agent.usage.cost_usd)
                .reduce(|sum, cost| sum + cost),
            steps: sum(&mut agents().filter_map(|agent| agent.steps)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Outcome, RunBuilder};

    fn scores(build: impl FnOnce(&mut RunBuilder)) -> Scores {
        let mut builder = RunBuilder::new();
        build(&mut builder);
        let record = builder.finish();
        let trials: Vec<&TrialRecord> = record.trials.iter().collect();
        Scores::of(&record, &trials)
    }

    #[test]
    fn a_missing_score_is_not_a_zero() {
        let scores = scores(|run| {
            run.trial("a", 1, &Outcome::Score(1.0));
            run.trial("b", 1, &Outcome::Score(0.5));
            run.trial(
                "c",
                1,
                &Outcome::Unscored(Phase::Provision, ErrorKind::Quota, "full"),
            );
            run.trial("d", 1, &Outcome::Pending);
        });
        assert_eq!((scores.total, scores.scored, scores.passed), (4, 2, 1));
        assert_eq!(
            (scores.unscored, scores.cancelled, scores.missing()),
            (1, 1, 2)
        );
        assert!((scores.pass_rate.unwrap().value - 0.5).abs() < 1e-12);
        assert!((scores.mean_score.unwrap().value - 0.75).abs() < 1e-12);
        let bounds = scores.pass_rate_bounds.unwrap();
        assert!((bounds.all_fail - 0.25).abs() < 1e-12 && (bounds.all_pass - 0.75).abs() < 1e-12);
        let bounds = scores.mean_score_bounds.unwrap();
        assert!((bounds.all_fail - 0.375).abs() < 1e-12 && (bounds.all_pass - 0.875).abs() < 1e-12);
        assert_eq!(
            scores.unscored_by,
            [UnscoredCause {
                phase: Phase::Provision,
                kind: ErrorKind::Quota,
                count: 1
            }]
        );
    }

    #[test]
    fn several_trials_are_clustered_by_task() {
        let scores = scores(|run| {
            for (task, passes) in [("a", 3), ("b", 0), ("c", 1)] {
                for trial in 1..=3 {
                    let score = f64::from(u8::from(trial <= passes));
                    run.trial(task, trial, &Outcome::Score(score));
                }
            }
        });
        let rate = scores.pass_rate.unwrap();
        assert_eq!(
            (rate.method, rate.n, rate.clusters),
            (Method::ClusteredT, 9, 3)
        );
        assert_eq!(
            (scores.tasks, scores.trials_per_task, scores.flaky_tasks),
            (3, 3, 1)
        );
        let k: Vec<(usize, f64, f64)> = scores
            .pass_k
            .iter()
            .map(|at| (at.k, at.pass_at.value, at.pass_hat.value))
            .collect();
        assert_eq!(k.len(), 3);
        assert!((k[0].1 - 4.0 / 9.0).abs() < 1e-12);
        // k = 2: task c gives 1 − C(2,2)/C(3,2) = 2/3 and 0.
        assert!((k[1].1 - (1.0 + 0.0 + 2.0 / 3.0) / 3.0).abs() < 1e-12);
        assert!((k[1].2 - 1.0 / 3.0).abs() < 1e-12);
        assert!((k[2].1 - 2.0 / 3.0).abs() < 1e-12);
        assert!((k[2].2 - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_task_with_too_few_scores_is_left_out_of_pass_at_k() {
        let scores = scores(|run| {
            run.trial("a", 1, &Outcome::Score(1.0));
            run.trial(
                "a",
                2,
                &Outcome::Unscored(Phase::Verify, ErrorKind::VerifierError, "x"),
            );
            run.trial("b", 1, &Outcome::Score(1.0));
            run.trial("b", 2, &Outcome::Score(0.0));
        });
        let two = scores.pass_k.last().unwrap();
        assert_eq!((two.k, two.left_out), (2, 1));
        assert!((two.pass_at.value - 1.0).abs() < 1e-12 && two.pass_hat.value.abs() < 1e-12);
    }

    #[test]
    fn the_line_says_what_is_missing() {
        let scores = scores(|run| {
            for at in 0..10 {
                run.trial(
                    &format!("t{at}"),
                    1,
                    &Outcome::Score(f64::from(u8::from(at < 7))),
                );
            }
            run.trial(
                "x",
                1,
                &Outcome::Unscored(Phase::Provision, ErrorKind::Quota, "full"),
            );
        });
        assert_eq!(
            scores.line(),
            "pass 70.0 % [39.7, 89.2] (n=10) · mean 0.7 · \
             1 without a score left out (63.6 % if all failed, 72.7 % if all passed)"
        );
    }

    #[test]
    fn nothing_scored_has_no_rate() {
        let scores = scores(|run| {
            run.trial(
                "x",
                1,
                &Outcome::Unscored(Phase::Provision, ErrorKind::Quota, "full"),
            );
        });
        assert_eq!((scores.pass_rate, scores.mean_score), (None, None));
        assert_eq!(scores.line(), "none of 1 trial has a score");
    }

    #[test]
    fn many_trials_take_powers_of_two() {
        assert_eq!(steps_of_k(3), [1, 2, 3]);
        assert_eq!(steps_of_k(20), [1, 2, 4, 8, 16, 20]);
        assert_eq!(steps_of_k(16), [1, 2, 4, 8, 16]);
    }
}
