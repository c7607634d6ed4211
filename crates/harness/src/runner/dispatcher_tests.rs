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
fn each_signal_is_more_urgent_and_says_what_the_next_does() {
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

#[test]
fn the_deadline_stops_once_and_never_hurries_a_stop_under_way() {
    let (mut dispatcher, listener, _) = dispatcher(Budgets::default());
    let _ = signal(&mut dispatcher, StopCause::Terminate);
    let _ = dispatcher.handle(Notice::Stop(StopCause::Deadline));
    assert!(!listener.is(StopLevel::Forceful));
    assert_eq!(dispatcher.end_reason(), StopReason::Terminated);
}

#[test]
fn a_spent_budget_starts_nothing_and_lets_the_rest_finish() {
    let budgets = Budgets {
        instance_time: None,
        cost_usd: Some(1.0),
    };
    let (mut dispatcher, listener, told) = dispatcher(budgets);
    assert!(asks(&mut dispatcher, "a"));
    for event in [
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
                steps: None,
                usage: Usage {
                    cost_usd: Some(1.25),
                    ..Usage::default()
                },
                leaked_processes: 0,
                containment: 1,
                elapsed_ms: 0,
            }),
        },
    ] {
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
fn a_broken_journal_ends_the_run_with_its_reason() {
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
        for cause in causes {
            let then = match cause {
                0 => signal(&mut dispatcher, StopCause::Interrupt),
                1 => signal(&mut dispatcher, StopCause::Terminate),
                2 => dispatcher.handle(Notice::Stop(StopCause::Deadline)),
                3 => dispatcher.handle(Notice::Fatal("x".into())),
                _ => dispatcher.handle(Notice::Tick),
            };
            let now = dispatcher.stop.level();
            prop_assert!(now >= before);
            prop_assert_eq!(then == Then::Abandon, before == StopLevel::Forceful && cause < 2);
            prop_assert_eq!(asks(&mut dispatcher, "a"), now == StopLevel::Run);
            before = now;
        }
    }
}
