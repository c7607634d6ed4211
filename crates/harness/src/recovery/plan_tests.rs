//! Every point at which a harness can be killed, and what recovery makes of it.

use std::collections::HashSet;

use run_record::{AgentOutcome, AgentReport, RequestId, Usage, VerifierReport};

use super::*;
use crate::fixtures::{begin, fold, trial as id};

/// The life of an attempt that goes well.
fn life(task: &str, number: u32) -> Vec<Event> {
    let (trial, attempt) = (id(task), Attempt(number));
    vec![
        Event::ProvisionIntended {
            trial: trial.clone(),
            attempt,
            request_id: RequestId::random(),
            queue_ms: 0,
        },
        Event::Provisioned {
            trial: trial.clone(),
            attempt,
            instance: instance(task, number),
            elapsed_ms: 1,
        },
        Event::AgentStarted {
            trial: trial.clone(),
            attempt,
            pid: 1,
        },
        Event::AgentFinished {
            trial: trial.clone(),
            attempt,
            report: Box::new(AgentReport {
                outcome: AgentOutcome::Completed,
                exit_code: Some(0),
                signal: None,
                error: None,
                final_answer: None,
                verifiable: true,
                steps: None,
                session_id: None,
                usage: Usage::default(),
                leaked_processes: 0,
                containment: 1,
                elapsed_ms: 1,
            }),
        },
        Event::VerifyIntended {
            trial: trial.clone(),
            attempt,
        },
        Event::Scored {
            trial: trial.clone(),
            attempt,
            score: 1.0,
            verifier: Box::new(VerifierReport {
                execution_id: None,
                elapsed_ms: 1,
                tries: 1,
            }),
        },
        Event::ReleaseIntended {
            trial: trial.clone(),
            attempt,
        },
        Event::Released {
            trial,
            attempt,
            teardown: TeardownOutcome::Released,
            elapsed_ms: 1,
        },
    ]
}

fn instance(task: &str, number: u32) -> InstanceId {
    InstanceId::new(format!("i-{task}-{number}"))
}

/// What the service would list after `events`: every instance whose create may have left and whose close has not.
fn listed(events: &[Event]) -> Vec<LiveInstance> {
    let created = events.iter().filter_map(|event| match event {
        Event::ProvisionIntended { trial, attempt, .. } => {
            Some(instance(trial.task.as_str(), attempt.0))
        }
        _ => None,
    });
    let closed: HashSet<InstanceId> = events
        .iter()
        .filter_map(|event| match event {
            Event::Released { trial, attempt, .. } => {
                Some(instance(trial.task.as_str(), attempt.0))
            }
            _ => None,
        })
        .collect();
    created
        .filter(|id| !closed.contains(id))
        .map(|id| LiveInstance { id })
        .collect()
}

#[test]
fn k6_killed_after_any_event_nothing_is_left_and_no_score_is_lost() {
    let whole = life("a", 1);
    for cut in 0..=whole.len() {
        let mut events = begin();
        events.extend(whole[..cut].to_vec());
        let live = listed(&events);
        let before = fold(events.clone());
        let plan = RecoveryPlan::new(&before, &live);
        // An agent that had finished is not run again; its instance is still needed.
        let finished = matches!(cut, 4 | 5);
        assert_eq!(
            plan.verify.len(),
            usize::from(finished),
            "after {cut} events"
        );
        let closed = live.len() - usize::from(finished);
        assert_eq!(plan.close.len(), closed, "after {cut} events");
        if finished {
            assert!(plan.endings.is_empty() && plan.releases.is_empty());
            let (trial, attempt, work) = &plan.verify[0];
            assert_eq!((trial, *attempt), (&id("a"), Attempt::FIRST));
            assert_eq!(work.instance, instance("a", 1));
            events.extend(whole[4..].to_vec());
            let done = fold(events);
            assert_eq!(done.trial(trial).unwrap().score, Some(1.0));
            assert!(done.open_leases().is_empty());
            continue;
        }
        events.extend(plan.endings.clone());
        events.extend(plan.released(&HashSet::new(), true));
        let after = fold(events.clone());
        assert!(after.open_leases().is_empty(), "after {cut} events");
        let scored = cut >= 6;
        assert_eq!(plan.again.contains(&id("a")), !scored, "after {cut} events");
        assert!(plan.again.contains(&id("b")));
        assert_eq!(after.trial(&id("a")).unwrap().score.is_some(), scored);
        if !scored {
            // The next attempt is legal and can be scored: what was cut off does not stand in its way.
            let number = u32::from(cut > 0) + 1;
            events.extend(life("a", number));
            let done = fold(events);
            let trial = done.trial(&id("a")).unwrap();
            assert_eq!(trial.score, Some(1.0));
            assert_eq!(trial.attempts.len(), number as usize);
        }
    }
}

#[test]
fn recovering_twice_changes_nothing_more() {
    let mut events = begin();
    events.extend(life("a", 1)[..3].to_vec());
    let plan = RecoveryPlan::new(&fold(events.clone()), &listed(&events));
    events.extend(plan.endings.clone());
    events.extend(plan.released(&HashSet::new(), true));
    let again = RecoveryPlan::new(&fold(events.clone()), &listed(&events));
    assert!(again.endings.is_empty() && again.close.is_empty() && again.releases.is_empty());
    assert_eq!(again.again, plan.again);
}

#[test]
fn what_the_service_could_not_confirm_stays_open_and_is_tried_again() {
    let mut events = begin();
    events.extend(life("a", 1)[..3].to_vec());
    let plan = RecoveryPlan::new(&fold(events.clone()), &listed(&events));
    events.extend(plan.endings.clone());
    events.extend(plan.released(&HashSet::new(), false));
    let after = fold(events);
    assert_eq!(after.open_leases().len(), 1);
    let next = RecoveryPlan::new(&after, &[]);
    assert_eq!(next.releases.len(), 1);
}

#[test]
fn an_instance_that_the_journal_does_not_know_is_closed_too() {
    let mut events = begin();
    events.extend(life("a", 1)[..1].to_vec());
    let live = vec![LiveInstance {
        id: InstanceId::new("unanswered"),
    }];
    let plan = RecoveryPlan::new(&fold(events), &live);
    assert_eq!(plan.close, [InstanceId::new("unanswered")]);
    let Event::Released { teardown, .. } = &plan.released(&HashSet::new(), false)[0] else {
        panic!("a release is recorded");
    };
    assert_eq!(*teardown, TeardownOutcome::Unconfirmed, "it may be the one");
}

#[test]
fn finished_work_is_only_verified_if_it_can_be() {
    let lost = RecoveryPlan::new(&fold([begin(), life("a", 1)[..4].to_vec()].concat()), &[]);
    assert!(lost.verify.is_empty(), "its instance is gone");
    assert!(lost.again.contains(&id("a")));
    let mut cut_off = [begin(), life("a", 1)[..4].to_vec()].concat();
    let Some(Event::AgentFinished { report, .. }) = cut_off.last_mut() else {
        panic!("the fourth event of a life is its agent's end");
    };
    report.verifiable = false;
    let live = listed(&cut_off);
    let plan = RecoveryPlan::new(&fold(cut_off), &live);
    assert!(plan.verify.is_empty() && plan.again.contains(&id("a")));
    assert_eq!(plan.close.len(), 1);
}
