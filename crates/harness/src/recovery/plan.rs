//! From a record and what the service lists to what must be closed and what must be written. No I/O.

use std::collections::HashSet;

use run_record::{
    Attempt, AttemptRecord, ErrorKind, Event, Failure, Holds, InstanceId, Phase, RunRecord, Step,
    TeardownOutcome, TrialId, TrialRecord, TrialStatus,
};

use crate::plan::FinishedWork;

/// An instance of the run that the service lists as not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveInstance {
    /// Its id.
    pub id: InstanceId,
}

/// What must happen before trials of an interrupted run may start again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecoveryPlan {
    /// Events that end what was cut off, in order: each open attempt gets its missing end and its intent to
    /// release. To be durable before anything is closed.
    pub endings: Vec<Event>,
    /// Instances to close: everything of the run that lives and is not in `verify`. Nothing of the run is at work now,
    /// so all of it is left over, whether or not the journal knows it.
    pub close: Vec<InstanceId>,
    /// Attempts whose release is to be recorded once `close` is done, with their instance if it is known.
    pub releases: Vec<(TrialId, Attempt, Option<InstanceId>)>,
    /// Attempts whose agent had finished and whose instance still lives: only their verification is missing.
    pub verify: Vec<(TrialId, Attempt, FinishedWork)>,
    /// The other trials without a score: these run again, each with a new attempt.
    pub again: Vec<TrialId>,
}

impl RecoveryPlan {
    /// Plans for `record`, given every live instance that the service lists for the run's id.
    ///
    /// A score that is durable stays: its trial is not run again, only its instance is given back. An agent that had
    /// finished is not run again as long as what it left can still be looked at.
    pub fn new(record: &RunRecord, live: &[LiveInstance]) -> Self {
        let live: HashSet<&InstanceId> = live.iter().map(|instance| &instance.id).collect();
        let mut plan = Self::default();
        for trial in &record.trials {
            let finished = finished_work(trial, &live);
            for attempt in &trial.attempts {
                let goes_on = finished
                    .as_ref()
                    .is_some_and(|(number, _)| *number == attempt.attempt);
                if !goes_on {
                    plan.end(&trial.id, attempt);
                }
            }
            if let Some((attempt, work)) = finished {
                plan.verify.push((trial.id.clone(), attempt, work));
            } else if trial.status != TrialStatus::Scored {
                plan.again.push(trial.id.clone());
            }
        }
        let kept = plan.kept();
        let left = live.into_iter().filter(|id| !kept.contains(*id));
        plan.close = left.cloned().collect();
        plan.close.sort();
        plan
    }

    /// The instances that are still needed.
    pub fn kept(&self) -> HashSet<InstanceId> {
        let verify = self.verify.iter();
        verify.map(|(_, _, work)| work.instance.clone()).collect()
    }

    fn end(&mut self, trial: &TrialId, attempt: &AttemptRecord) {
        let number = attempt.attempt;
        if let Some(phase) = interrupted_in(attempt.state.step) {
            self.endings.push(Event::Unscored {
                trial: trial.clone(),
                attempt: number,
                failure: Failure {
                    phase,
                    kind: ErrorKind::Cancelled,
                    message: "the harness ended during this attempt".to_owned(),
                },
                retry: true,
                ambiguous: attempt.state.holds == Holds::Maybe,
            });
        }
        if attempt.state.holds != Holds::Nothing {
            self.endings.push(Event::ReleaseIntended {
                trial: trial.clone(),
                attempt: number,
            });
            self.releases
                .push((trial.clone(), number, attempt.instance.clone()));
        }
    }

    /// The events that record the releases, given what was closed now and whether the service then listed nothing more.
    ///
    /// Without that proof an instance that was not seen to be closed may live, however little was listed.
    pub fn released(&self, closed: &HashSet<InstanceId>, proven_empty: bool) -> Vec<Event> {
        let outcome = |instance: &Option<InstanceId>| match instance {
            Some(id) if closed.contains(id) => TeardownOutcome::Released,
            _ if !proven_empty => TeardownOutcome::Unconfirmed,
            Some(id) if self.close.contains(id) => TeardownOutcome::Released,
            Some(_) | None => TeardownOutcome::AlreadyGone,
        };
        self.releases
            .iter()
            .map(|(trial, attempt, instance)| Event::Released {
                trial: trial.clone(),
                attempt: *attempt,
                teardown: outcome(instance),
                elapsed_ms: 0,
            })
            .collect()
    }
}

/// What the latest attempt of a trial had finished, if only its verification is missing and can still be had.
fn finished_work(
    trial: &TrialRecord,
    live: &HashSet<&InstanceId>,
) -> Option<(Attempt, FinishedWork)> {
    let attempt = trial.last_attempt()?;
    if !matches!(attempt.state.step, Step::AgentDead | Step::VerifyIntent) {
        return None;
    }
    let instance = attempt.instance.as_ref().filter(|id| live.contains(id))?;
    let report = attempt.agent.as_ref().filter(|report| report.verifiable)?;
    let work = FinishedWork {
        instance: instance.clone(),
        report: Box::new(report.clone()),
    };
    Some((attempt.attempt, work))
}

/// The phase that an attempt was cut off in; `None` if its result was recorded.
fn interrupted_in(step: Step) -> Option<Phase> {
    match step {
        Step::Intent => Some(Phase::Provision),
        Step::Leased | Step::Running => Some(Phase::Agent),
        Step::AgentDead | Step::VerifyIntent => Some(Phase::Verify),
        Step::Planned | Step::Scored | Step::Unscored | Step::ReleaseIntent | Step::Released => {
            None
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
