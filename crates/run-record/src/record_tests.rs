use super::*;
use crate::fixtures::*;
use crate::{ExitCode, GateSpec, StopReason, Verdict};

fn fold(mut events: Vec<Event>) -> Result<RunRecord, FoldError> {
    let mut all = vec![started(GateSpec::default()), planned("a"), planned("b")];
    all.append(&mut events);
    RunRecord::fold(&entries(all)).map(|record| record.expect("not empty"))
}

#[test]
fn a_life_that_goes_well_is_scored_and_holds_nothing() {
    let mut events = whole_life("a", 1.0);
    events.extend(whole_life("b", 0.5));
    events.push(finished(StopReason::Completed));
    let record = fold(events).unwrap();
    let trial = record.trial(&trial("a")).unwrap();
    assert_eq!(trial.status, TrialStatus::Scored);
    assert_eq!(trial.passed, Some(true));
    assert_eq!(trial.teardown(), Some(TeardownOutcome::Released));
    assert_eq!(trial.times().total_ms(), Some(135));
    assert!(record.open_leases().is_empty());
    let stats = record.stats();
    assert_eq!((stats.passed, stats.failed(), stats.pending), (1, 1, 0));
    assert_eq!(Verdict::of(&record).exit, ExitCode::Success);
}

#[test]
fn every_prefix_of_a_life_says_what_it_holds() {
    let life = whole_life("a", 1.0);
    for cut in 0..=life.len() {
        let record = fold(life[..cut].to_vec()).unwrap();
        let leases = record.open_leases();
        let holds = (1..life.len()).contains(&cut);
        assert_eq!(leases.len(), usize::from(holds), "after {cut} events");
        if let [lease] = leases.as_slice() {
            assert_eq!(lease.instance.is_some(), cut >= 2, "after {cut} events");
        }
    }
}

#[test]
fn no_event_of_a_life_may_be_left_out_or_doubled() {
    let life = whole_life("a", 1.0);
    for left_out in 0..life.len() - 1 {
        let mut events = life.clone();
        events.remove(left_out);
        // Only the agent's start may be missing: an agent that could not be started has none.
        let legal = matches!(life[left_out], Event::AgentStarted { .. });
        assert_eq!(fold(events).is_ok(), legal, "without {:?}", life[left_out]);
    }
    for doubled in 0..life.len() {
        let mut events = life.clone();
        events.insert(doubled, life[doubled].clone());
        // A verification or a close whose answer was lost may be asked for again; nothing else may happen twice.
        let legal = matches!(
            life[doubled],
            Event::VerifyIntended { .. } | Event::ReleaseIntended { .. }
        );
        assert_eq!(fold(events).is_ok(), legal, "doubled {:?}", life[doubled]);
    }
}

#[test]
fn an_infrastructure_fault_makes_another_attempt_and_keeps_the_evidence() {
    let mut events = vec![
        intended("a", 1),
        unscored("a", 1, true, false),
        intended("a", 2),
    ];
    events.extend(vec![
        provisioned("a", 2),
        agent_finished("a", 2),
        verify_intended("a", 2),
        scored("a", 2, 1.0),
    ]);
    let record = fold(events).unwrap();
    let trial = record.trial(&trial("a")).unwrap();
    assert_eq!(trial.attempts.len(), 2);
    assert!(trial.attempts[0].failure.is_some());
    assert!(trial.failure.is_none(), "the trial itself has a score");
    assert_eq!(record.open_leases().len(), 1);
}

#[test]
fn a_result_of_an_older_attempt_is_refused_but_its_release_is_not() {
    let older = vec![
        intended("a", 1),
        provisioned("a", 1),
        unscored("a", 1, true, false),
        intended("a", 2),
    ];
    let mut late_result = older.clone();
    late_result.push(verify_intended("a", 1));
    assert!(matches!(
        fold(late_result),
        Err(FoldError::StaleAttempt { .. })
    ));
    let mut late_release = older;
    late_release.push(release_intended("a", 1));
    late_release.push(released("a", 1, TeardownOutcome::AlreadyGone));
    assert!(fold(late_release).is_ok());
}

#[test]
fn an_unanswered_create_stays_an_obligation() {
    let record = fold(vec![intended("a", 1), unscored("a", 1, false, true)]).unwrap();
    let leases = record.open_leases();
    assert_eq!(leases.len(), 1);
    assert_eq!(leases[0].instance, None);
    let refused = fold(vec![intended("a", 1), unscored("a", 1, false, false)]).unwrap();
    assert!(refused.open_leases().is_empty());
}

#[test]
fn an_unconfirmed_close_is_a_leak_whatever_the_score() {
    let mut events = whole_life("a", 1.0);
    events.pop();
    events.push(released("a", 1, TeardownOutcome::Unconfirmed));
    events.extend(whole_life("b", 1.0));
    events.push(finished(StopReason::Completed));
    let record = fold(events).unwrap();
    let trial = record.trial(&trial("a")).unwrap();
    assert_eq!(trial.teardown(), Some(TeardownOutcome::Unconfirmed));
    assert_eq!(trial.score, Some(1.0));
    assert_eq!(Verdict::of(&record).exit, ExitCode::Leaked);
}

#[test]
fn exit_codes_rank_leak_stop_unscored_gate() {
    let gate = GateSpec {
        min_pass_rate: Some(0.9),
        ..GateSpec::default()
    };
    let judge = |a: Vec<Event>, reason: StopReason| {
        let mut all = vec![started(gate.clone()), planned("a"), planned("b")];
        all.extend(a);
        all.push(finished(reason));
        Verdict::of(&RunRecord::fold(&entries(all)).unwrap().unwrap()).exit
    };
    let mut failed = whole_life("a", 0.0);
    failed.extend(whole_life("b", 1.0));
    assert_eq!(judge(failed, StopReason::Completed), ExitCode::GateFailed);
    let unscored_one = || vec![intended("a", 1), unscored("a", 1, false, false)];
    let mut one = unscored_one();
    one.extend(whole_life("b", 0.0));
    assert_eq!(
        judge(one.clone(), StopReason::Completed),
        ExitCode::Unscored
    );
    assert_eq!(judge(one, StopReason::Interrupted), ExitCode::Interrupted);
    assert_eq!(judge(vec![], StopReason::Deadline), ExitCode::Fatal);
    assert_eq!(
        judge(vec![intended("a", 1)], StopReason::Terminated),
        ExitCode::Leaked
    );
}

#[test]
fn all_errors_is_never_success() {
    let gate = GateSpec {
        max_unscored: Some(1.0),
        ..GateSpec::default()
    };
    let all = vec![
        started(gate),
        planned("a"),
        intended("a", 1),
        unscored("a", 1, false, false),
        finished(StopReason::Completed),
    ];
    let record = RunRecord::fold(&entries(all)).unwrap().unwrap();
    assert_eq!(Verdict::of(&record).exit, ExitCode::Unscored);
}
