//! The dispatcher without a runtime: notices in, decisions out.

use std::cell::RefCell;
use std::rc::Rc;

use proptest::prelude::*;
use run_record::{AgentOutcome, AgentReport, Entry, InstanceId, RequestId, Usage};

use super::*;
use crate::fixtures::{begin, fold, trial as id};
use crate::runner::stop::StopSignal;

type Told = Rc<RefCell<Vec<String>>>;

fn entry(event: Event) -> Entry {
    Entry {
        seq: 1,
        at: jiff::Timestamp::UNIX_EPOCH,
        event,
    }
}

fn recorded(event: Event) -> Notice {
    Notice::Recorded(Recorded::Entry(Box::new(entry(event))))
}

fn dispatcher(
    budgets: Budgets,
) -> (
    Dispatcher<impl FnMut(View<'_>, RunEvent<'_>)>,
    StopSignal,
    Told,
) {
    let (control, signal) = StopControl::new();
    let told = Told::default();
    let log = Rc::clone(&told);
    let watch = move |view: View<'_>, event: RunEvent<'_>| {
        let line = match event {
            RunEvent::Stopping { message } => format!("stopping: {message}"),
            RunEvent::TrialFinished { trial } => format!("finished {}", trial.id),
            other => format!("{other:?} with {} live", view.live.len()),
        };
        log.borrow_mut().push(line);
    };
    (
        Dispatcher::new(fold(begin()), control, budgets, watch),
        signal,
        told,
    )
}

/// Asks for a start and says whether it was permitted.
fn asks<F: FnMut(View<'_>, RunEvent<'_>)>(dispatcher: &mut Dispatcher<F>, task: &str) -> bool {
    let (permission, mut permitted) = oneshot::channel();
    let ready = Notice::Ready {
        trial: id(task),
        finished: false,
        permission,
    };
    assert_eq!(dispatcher.handle(ready), Then::Continue);
    permitted.try_recv().is_ok()
}

/// Signals are debounced; a person's second Ctrl-C comes later than that.
fn signal<F: FnMut(View<'_>, RunEvent<'_>)>(
    dispatcher: &mut Dispatcher<F>,
    cause: StopCause,
) -> Then {
    dispatcher.last_signal = None;
    dispatcher.handle(Notice::Stop(cause))
}

#[test]
fn a_trial_starts_only_with_permission() {
    let (mut dispatcher, _, _) = dispatcher(Budgets::default());
    assert!(asks(&mut dispatcher, "a"));
    assert_eq!(dispatcher.live.len(), 1);
    let _ = signal(&mut dispatcher, StopCause::Interrupt);
    assert!(!asks(&mut dispatcher, "b"), "nothing starts after a stop");
    assert_eq!(dispatcher.live.len(), 1);
}

#[test]
fn k1_k2_each_signal_is_more_urgent_and_says_what_the_next_does() {
    let (mut dispatcher, listener, told) = dispatcher(Budgets::default());
    assert_eq!(
        signal(&mut dispatcher, StopCause::Interrupt),
        Then::Continue
    );
    assert!(listener.is(StopLevel::Graceful) && !listener.is(StopLevel::Forceful));
    assert_eq!(
        signal(&mut dispatcher, StopCause::Interrupt),
        Then::Continue
    );
    assert!(listener.is(StopLevel::Forceful));
    assert_eq!(signal(&mut dispatcher, StopCause::Interrupt), Then::Abandon);
    let told = told.borrow();
    assert!(told[0].contains("once more kills agents"), "{told:?}");
    assert!(told[1].contains("once more leaves at once"), "{told:?}");
    assert_eq!(dispatcher.end_reason(), StopReason::Interrupted);
}

#[test]
fn k3_two_signals_within_a_moment_are_one() {
    let (mut dispatcher, listener, _) = dispatcher(Budgets::default());
    let _ = dispatcher.handle(Notice::Stop(StopCause::Terminate));
    let _ = dispatcher.handle(Notice::Stop(StopCause::Terminate));
    assert!(!listener.is(StopLevel::Forceful));
    assert_eq!(dispatcher.end_reason(), StopReason::Terminated);
}

/// Time passes without anybody waiting for it.
fn let_pass(dispatcher: &mut Dispatcher<impl FnMut(View<'_>, RunEvent<'_>)>, time: Duration) {
    dispatcher.begun -= time;
    dispatcher.forceful_at = dispatcher.forceful_at.map(|at| at - time);
    let _ = dispatcher.handle(Notice::Tick);
}

fn until(minutes: u64) -> Budgets {
    Budgets {
        deadline: Some(Deadline::new(
            Duration::from_mins(minutes),
            Duration::from_mins(2),
        )),
        ..Budgets::default()
    }
}

#[test]
fn before_a_deadline_agents_are_ended_in_time_to_score_and_at_it_nothing_is_waited_for() {
    let (mut dispatcher, listener, told) = dispatcher(until(60));
    assert!(asks(&mut dispatcher, "a"));
    let_pass(&mut dispatcher, Duration::from_mins(57));
    assert!(!listener.is(StopLevel::StartNothing));
    let_pass(&mut dispatcher, Duration::from_mins(1));
    assert!(listener.is(StopLevel::EndAgents) && !listener.is(StopLevel::Graceful));
    assert!(!asks(&mut dispatcher, "b"));
    let_pass(&mut dispatcher, Duration::from_mins(2));
    assert!(listener.is(StopLevel::Forceful));
    assert_eq!(dispatcher.end_reason(), StopReason::Deadline);
    let stopping = told
        .borrow()
        .iter()
        .filter(|line| line.starts_with("stopping"))
        .count();
    assert_eq!(stopping, 2, "each step is said once: {:?}", told.borrow());
}

#[test]
fn no_trial_starts_that_could_not_be_expected_to_finish() {
    let (mut dispatcher, listener, told) = dispatcher(until(60));
    assert!(asks(&mut dispatcher, "a"));
    for _ in 0..3 {
        let deadline = dispatcher.budgets.deadline.as_mut().unwrap();
        deadline.took(Duration::from_mins(30));
    }
    let_pass(&mut dispatcher, Duration::from_mins(29));
    assert!(!asks(&mut dispatcher, "b"), "thirty minutes are not left");
    assert!(listener.is(StopLevel::StartNothing) && !listener.is(StopLevel::EndAgents));
    let told = told.borrow();
    let said = told
        .iter()
        .find(|line| line.starts_with("stopping"))
        .unwrap();
    assert!(
        said.contains("a trial takes 30m") && said.contains("28m"),
        "{said}"
    );
}

#[test]
fn a_deadline_does_not_rename_a_stop_by_hand() {
    let (mut dispatcher, listener, _) = dispatcher(until(60));
    let _ = signal(&mut dispatcher, StopCause::Interrupt);
    let_pass(&mut dispatcher, Duration::from_mins(61));
    assert!(
        listener.is(StopLevel::Forceful),
        "the deadline holds all the same"
    );
    assert_eq!(dispatcher.end_reason(), StopReason::Interrupted);
}

#[test]
fn k4_after_sigterm_nothing_is_waited_for_longer_than_service_managers_wait() {
    let (mut dispatcher, listener, _) = dispatcher(Budgets::default());
    let _ = signal(&mut dispatcher, StopCause::Terminate);
    let_pass(
        &mut dispatcher,
        TERMINATED_GRACE.saturating_sub(Duration::from_secs(1)),
    );
    assert!(listener.is(StopLevel::Graceful) && !listener.is(StopLevel::Forceful));
    let_pass(&mut dispatcher, Duration::from_secs(1));
    assert!(listener.is(StopLevel::Forceful));
    assert_eq!(dispatcher.end_reason(), StopReason::Terminated);
}

#[test]
fn k1_k2_a_first_signal_never_leaves_whatever_hurried_before() {
    let (mut dispatcher, listener, told) = dispatcher(until(60));
    let_pass(&mut dispatcher, Duration::from_mins(61));
    assert!(listener.is(StopLevel::Forceful), "the deadline has come");
    for _ in 0..2 {
        let then = signal(&mut dispatcher, StopCause::Interrupt);
        assert_eq!(then, Then::Continue);
    }
    assert!(
        told.borrow()
            .last()
            .unwrap()
            .contains("a third signal leaves")
    );
    let then = signal(&mut dispatcher, StopCause::Interrupt);
    assert_eq!(then, Then::Abandon);
}

#[test]
fn k1_a_first_signal_of_a_run_that_stops_by_itself_keeps_the_grace_and_the_reason() {
    let (mut dispatcher, listener, _) = dispatcher(Budgets::default());
    let _ = dispatcher.handle(Notice::Fatal("x".into()));
    let _ = signal(&mut dispatcher, StopCause::Interrupt);
    assert!(!listener.is(StopLevel::Forceful));
    let _ = signal(&mut dispatcher, StopCause::Interrupt);
    assert!(listener.is(StopLevel::Forceful));
    assert!(matches!(dispatcher.end_reason(), StopReason::Fatal { .. }));
}

#[test]
fn finished_work_is_still_scored_when_nothing_new_may_start() {
    let (mut dispatcher, _, _) = dispatcher(Budgets::default());
    let _ = dispatcher.handle(Notice::Recorded(Recorded::LastRoom));
    assert!(!asks(&mut dispatcher, "a"));
    let (permission, mut permitted) = oneshot::channel();
    let ready = Notice::Ready {
        trial: id("b"),
        finished: true,
        permission,
    };
    let _ = dispatcher.handle(ready);
    assert!(permitted.try_recv().is_ok());
}

/// An agent of trial `a` worked for this many milliseconds and these dollars.
fn worked(elapsed_ms: u64, cost_usd: f64) -> [Event; 3] {
    [
        Event::ProvisionIntended {
            trial: id("a"),
            attempt: Attempt::FIRST,
            request_id: RequestId::random(),
            queue_ms: 0,
        },
        Event::Provisioned {
            trial: id("a"),
            attempt: Attempt::FIRST,
            instance: InstanceId::new("i"),
            elapsed_ms: 0,
        },
        Event::AgentFinished {
            trial: id("a"),
            attempt: Attempt::FIRST,
            report: Box::new(AgentReport {
                outcome: AgentOutcome::Completed,
                exit_code: Some(0),
                signal: None,
                error: None,
                final_answer: None,
                verifiable: true,
                steps: None,
                session_id: None,
                usage: Usage {
                    cost_usd: Some(cost_usd),
                    ..Usage::default()
                },
                leaked_processes: 0,
                containment: 1,
                elapsed_ms,
            }),
        },
    ]
}

#[test]
fn what_earlier_sittings_spent_counts() {
    let mut events = begin();
    events.extend(worked(60_000, 1.25));
    assert_eq!(spent(&fold(events)), (Duration::from_mins(1), 1.25));
}

#[test]
fn k1_a_person_is_waited_for() {
    let (mut dispatcher, listener, _) = dispatcher(Budgets::default());
    let _ = signal(&mut dispatcher, StopCause::Interrupt);
    let_pass(&mut dispatcher, Duration::from_hours(1));
    assert!(!listener.is(StopLevel::Forceful));
}

#[test]
fn s3_being_held_back_is_told_now_and_then() {
    let (mut dispatcher, _, told) = dispatcher(Budgets::default());
    for _ in 0..100 {
        let _ = dispatcher.handle(Notice::Held("the instance limit is reached".to_owned()));
    }
    assert_eq!(told.borrow().len(), 1);
}

#[test]
fn k8_a_full_disk_stops_the_run_while_there_is_room_to_end_it() {
    let (mut dispatcher, listener, _) = dispatcher(Budgets::default());
    let _ = dispatcher.handle(Notice::Recorded(Recorded::LastRoom));
    assert!(listener.is(StopLevel::EndAgents) && !listener.is(StopLevel::Graceful));
    assert!(matches!(dispatcher.end_reason(), StopReason::Fatal { why } if why.contains("full")));
}

#[test]
fn a_spent_budget_starts_nothing_and_lets_the_rest_finish() {
    let budgets = Budgets {
        cost_usd: Some(1.0),
        ..Budgets::default()
    };
    let (mut dispatcher, listener, told) = dispatcher(budgets);
    assert!(asks(&mut dispatcher, "a"));
    for event in worked(0, 1.25) {
        let _ = dispatcher.handle(recorded(event));
    }
    assert!(!asks(&mut dispatcher, "b"));
    assert!(listener.is(StopLevel::StartNothing) && !listener.is(StopLevel::Graceful));
    assert!(
        told.borrow()
            .iter()
            .any(|line| line.contains("limits.cost_usd: 1"))
    );
    assert!(matches!(dispatcher.end_reason(), StopReason::Budget { .. }));
}

#[test]
fn k9_a_broken_journal_ends_the_run_with_its_reason() {
    let (mut dispatcher, listener, _) = dispatcher(Budgets::default());
    let error = JournalError::Io {
        action: "sync",
        path: "journal.jsonl".into(),
        source: std::io::Error::other("no space left"),
    };
    let _ = dispatcher.handle(Notice::Recorded(Recorded::Broken(Arc::new(error))));
    assert!(listener.is(StopLevel::Graceful));
    let StopReason::Fatal { why } = dispatcher.end_reason() else {
        panic!("the run must not look complete");
    };
    assert!(why.contains("no space left"), "{why}");
}

#[test]
fn a_trial_is_told_as_finished_after_its_last_event() {
    let (mut dispatcher, _, told) = dispatcher(Budgets::default());
    assert!(asks(&mut dispatcher, "a"));
    let moved = Notice::Phase {
        trial: id("a"),
        phase: LivePhase::Verifying,
    };
    let _ = dispatcher.handle(moved);
    assert_eq!(dispatcher.live[&id("a")].phase, LivePhase::Verifying);
    let _ = dispatcher.handle(Notice::Done { trial: id("a") });
    assert!(dispatcher.live.is_empty());
    assert_eq!(told.borrow().last().unwrap(), "finished a#1");
}

proptest! {
    /// Whatever comes in whatever order, urgency never falls and nothing starts once the run stops.
    #[test]
    fn urgency_never_falls(causes in proptest::collection::vec(0_u8..5, 0..12)) {
        let (mut dispatcher, _, _) = dispatcher(Budgets::default());
        let mut before = StopLevel::Run;
        let mut signals = 0;
        for cause in causes {
            signals += u32::from(cause < 2);
            let then = match cause {
                0 => signal(&mut dispatcher, StopCause::Interrupt),
                1 => signal(&mut dispatcher, StopCause::Terminate),
                2 => dispatcher.handle(Notice::Recorded(Recorded::LastRoom)),
                3 => dispatcher.handle(Notice::Fatal("x".into())),
                _ => dispatcher.handle(Notice::Tick),
            };
            let now = dispatcher.stop.level();
            prop_assert!(now >= before);
            let leaves = before == StopLevel::Forceful && cause < 2 && signals >= SIGNALS_TO_LEAVE;
            prop_assert_eq!(then == Then::Abandon, leaves);
            prop_assert_eq!(asks(&mut dispatcher, "a"), now == StopLevel::Run);
            before = now;
        }
    }
}
