//! One sitting of a run, from its first trial to the proof that nothing is left.
//!
//! Knows the service, the agents and the journal only by what they promise: a sitting in a simulated world is the same
//! code.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fleet_api::SecretString;
use fleet_api::types::InstanceId;
use futures::stream::{Fuse, LocalBoxStream, Stream, StreamExt as _};
use run_record::{
    Attempt, Entry, ErrorKind, Event, Failure, OpenLease, Phase, RunEnd, RunId, RunLayout,
    RunRecord, TeardownOutcome, TrialId, TrialRecord, Verdict,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::admission::Admission;
use super::deadline::Deadline;
use super::dispatcher::{Budgets, Dispatcher, Notice, Then};
use super::events::{RunEvent, View};
use super::executor::execute;
use super::run::RunSignal;
use super::stop::StopControl;
use super::sweep::{LISTING, Strays, Swept, sweep_in_time};
use crate::lease::{Beat, Beats, Heartbeats};
use crate::plan::{FinishedWork, Plan, TrialPlan};
use crate::recorder::Recorder;
use crate::recovery::{RecoveryPlan, recover};
use crate::sessions::{Courier, SessionJob};
use crate::spec::RunSpec;
use crate::trial::{TrialContext, millis, redactor};
use crate::world::{Agents, Service};

/// How often the clock is shown to move.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// How long the last events may take to become durable after the last trial has ended.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Everything that one sitting of a run works with, whether the world is real or simulated.
pub(crate) struct Sitting {
    pub(crate) spec: Arc<RunSpec>,
    pub(crate) plan: Plan,
    pub(crate) run_id: RunId,
    pub(crate) layout: RunLayout,
    pub(crate) api_key: SecretString,
    pub(crate) harness_program: PathBuf,
    pub(crate) service: Arc<dyn Service>,
    pub(crate) beats: Beats,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) agents: Arc<dyn Agents>,
    pub(crate) recorder: Recorder,
    /// The run as it stands: its plan, or what earlier sittings made of it.
    pub(crate) record: RunRecord,
    pub(crate) resumed: bool,
    /// How often budgets are looked at and the clock is shown to move.
    pub(crate) tick: Duration,
}

/// The two ends of what the dispatcher hears.
pub(crate) type Notices = (
    mpsc::UnboundedSender<Notice>,
    mpsc::UnboundedReceiver<Notice>,
);

/// One sitting, from its first trial to the proof that nothing is left.
pub(crate) async fn sit(
    sitting: Sitting,
    (notices, heard): Notices,
    signals: impl Stream<Item = RunSignal>,
    watch: impl FnMut(View<'_>, RunEvent<'_>),
) -> (RunRecord, Verdict) {
    let (control, stop) = StopControl::new();
    let budgets = budgets(&sitting.spec);
    let before = sitting.resumed.then(|| sitting.record.clone());
    let job = SessionJob::of(&sitting.record);
    let mut dispatcher = Dispatcher::new(sitting.record, control, budgets, watch);
    dispatcher.tell(RunEvent::Started);
    let concurrency = &sitting.spec.concurrency;
    let context = Arc::new(TrialContext {
        run_id: sitting.run_id,
        layout: sitting.layout,
        service: sitting.service,
        recorder: sitting.recorder,
        admission: Admission::new(
            concurrency.environments as usize,
            concurrency.agents as usize,
            concurrency.verifiers as usize,
        ),
        heartbeats: sitting.heartbeats,
        beats: sitting.beats,
        stop,
        redactor: redactor(&sitting.spec, &sitting.api_key),
        api_key: sitting.api_key,
        agents: sitting.agents,
        harness_program: sitting.harness_program,
        notices,
        job,
        adopted: Mutex::default(),
        doubts: Mutex::default(),
        spec: sitting.spec,
    });
    let mut ears = Ears {
        heard,
        signals: signals.boxed_local().fuse(),
        tick: sitting.tick,
    };
    let courier = courier(&context, &mut dispatcher);
    let trials = trials(Arc::clone(&context), sitting.plan.trials, before);
    let swept = match drive(&mut dispatcher, &mut ears, trials).await {
        Some(()) => {
            let swept = finish_leases(&context, &mut dispatcher, &mut ears).await;
            finish_sessions(&context, courier, &mut dispatcher, &mut ears).await;
            swept
        }
        None => Swept::default(),
    };
    let end = RunEnd {
        reason: dispatcher.end_reason(),
        unconfirmed: swept.unconfirmed.clone(),
        swept: swept.closed.clone(),
        proven_empty: swept.proven_empty,
        elapsed_ms: millis(dispatcher.elapsed()),
    };
    let finished = Event::RunFinished {
        end: Box::new(end.clone()),
    };
    // A journal that is broken has been told of; how the run ends is then known to this process only.
    let last = context.record(finished);
    let last = tokio::time::timeout(LAST_WORDS, last).await;
    if last.is_err() {
        let _ = dispatcher.handle(Notice::Fatal("the journal does not answer".to_owned()));
    }
    let durable = matches!(last, Ok(Ok(())));
    while let Ok(notice) = ears.heard.try_recv() {
        let _ = dispatcher.handle(notice);
    }
    let mut record = dispatcher.record().clone();
    if !durable {
        // The broken journal is why it ends, also if that was only its last line.
        let reason = dispatcher.end_reason();
        end_in_memory(&mut record, RunEnd { reason, ..end });
    }
    let verdict = Verdict::of(&record);
    dispatcher.tell(RunEvent::Finished { verdict: &verdict });
    (record, verdict)
}

/// Starts to deliver sessions, if the spec asks for them: what is due already, and what the dispatcher says later.
fn courier<F>(context: &Arc<TrialContext>, dispatcher: &mut Dispatcher<F>) -> Option<Courier>
where
    F: FnMut(View<'_>, RunEvent<'_>),
{
    context.spec.fleet.sessions.then(|| {
        let (parcels, due) = mpsc::unbounded_channel();
        dispatcher.deliver_to(parcels);
        Courier::start(context, due)
    })
}

/// Waits for the last sessions, once nothing is held any more, and says what is left of them.
async fn finish_sessions<F>(
    context: &TrialContext,
    courier: Option<Courier>,
    dispatcher: &mut Dispatcher<F>,
    ears: &mut Ears<'_>,
) where
    F: FnMut(View<'_>, RunEvent<'_>),
{
    let Some(courier) = courier else { return };
    dispatcher.deliver_no_more();
    let _ = drive(dispatcher, ears, courier.finish(context)).await;
    let left = dispatcher.record().open_sessions();
    if left > 0 {
        let run = &context.run_id;
        dispatcher.tell(RunEvent::Warning {
            message: &format!(
                "sessions that are not at the service: {left}; `harness resume {run}` delivers them"
            ),
        });
    }
}

/// Time for the last verifications and releases before a deadline, the agents' grace period aside.
const WINDING_DOWN: Duration = Duration::from_secs(90);

fn budgets(spec: &RunSpec) -> Budgets {
    let limits = &spec.limits;
    Budgets {
        instance_time: limits
            .instance_minutes
            .map(|minutes| Duration::from_secs_f64(minutes * 60.0)),
        cost_usd: limits.cost_usd,
        deadline: limits
            .run_deadline
            .map(|at| Deadline::new(at, spec.agent.grace_period + WINDING_DOWN)),
    }
}

/// What the executor is given: every trial of a new run; of one that goes on, what has no score once everything
/// that the last sitting left is given back.
async fn trials(context: Arc<TrialContext>, plan: Vec<TrialPlan>, before: Option<RunRecord>) {
    let Some(before) = before else {
        SessionJob::open(&context).await;
        return execute(context, plan).await;
    };
    let Ok(recovery) = recover(&context, &before).await else {
        // The journal cannot be written, which has been told; nothing may start.
        return;
    };
    let rest = rest_of(plan, recovery, &before);
    if !rest.is_empty() {
        SessionJob::open(&context).await;
    }
    execute(context, rest).await;
}

/// The trials that a recovery leaves to do: first those that only need their verification, because an instance is
/// waiting for each of them.
fn rest_of(plan: Vec<TrialPlan>, recovery: RecoveryPlan, before: &RunRecord) -> Vec<TrialPlan> {
    let again: HashSet<TrialId> = recovery.again.into_iter().collect();
    let mut finished: HashMap<TrialId, (Attempt, FinishedWork)> = recovery
        .verify
        .into_iter()
        .map(|(trial, attempt, work)| (trial, (attempt, work)))
        .collect();
    let (mut first, mut then) = (Vec::new(), Vec::new());
    for trial in plan {
        if let Some((attempt, work)) = finished.remove(&trial.id) {
            first.push(TrialPlan {
                first_attempt: attempt,
                finished: Some(work),
                ..trial
            });
        } else if again.contains(&trial.id) {
            let last = before.trial(&trial.id).and_then(TrialRecord::last_attempt);
            then.push(TrialPlan {
                first_attempt: last.map_or(Attempt::FIRST, |last| last.attempt.next()),
                ..trial
            });
        }
    }
    first.append(&mut then);
    first
}

/// Sends heartbeats through `service`.
pub(crate) fn beats(service: Arc<dyn Service>) -> Beats {
    Arc::new(move |instance: &str| {
        let service = Arc::clone(&service);
        let instance = InstanceId::new(instance);
        Box::pin(async move { beat(service.as_ref(), &instance).await })
    })
}

/// One heartbeat. An answer that suggests that the instance is gone is checked by asking for the instance: the
/// same status also stands for a router's hiccup.
async fn beat(service: &dyn Service, instance: &InstanceId) -> Beat {
    let error = match service.heartbeat(instance).await {
        Ok(answer) if answer.success => return Beat::Alive,
        Ok(_) => "the service did not take the heartbeat".to_owned(),
        Err(error) => error.to_line(),
    };
    match service.instance(instance).await {
        Ok(seen) if seen.status.is_ended() => Beat::Gone(format!("it is {}", seen.status)),
        Err(gone) if gone.is_gone() => Beat::Gone("the service does not know it".to_owned()),
        Ok(_) | Err(_) => Beat::Failed(error),
    }
}

/// Everything that the dispatcher hears.
struct Ears<'a> {
    heard: mpsc::UnboundedReceiver<Notice>,
    signals: Fuse<LocalBoxStream<'a, RunSignal>>,
    tick: Duration,
}

/// Feeds the dispatcher until `work` has ended, and answers its result. `None` if it was told to leave before.
async fn drive<F, T>(
    dispatcher: &mut Dispatcher<F>,
    ears: &mut Ears<'_>,
    work: impl Future<Output = T>,
) -> Option<T>
where
    F: FnMut(View<'_>, RunEvent<'_>),
{
    tokio::pin!(work);
    let mut ticks = tokio::time::interval(ears.tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let result = loop {
        // Every arm only produces a notice. Receiving from a channel or a stream may be dropped without losing
        // an item; the work is pinned and goes on where it was.
        let notice = tokio::select! {
            biased;
            Some(signal) = ears.signals.next() => Notice::Stop(signal.into()),
            _ = ticks.tick() => Notice::Tick,
            Some(notice) = ears.heard.recv() => notice,
            result = &mut work => break result,
        };
        if dispatcher.handle(notice) == Then::Abandon {
            return None;
        }
    };
    while let Ok(notice) = ears.heard.try_recv() {
        let _ = dispatcher.handle(notice);
    }
    Some(result)
}

/// The proof at the end, and the release of what an unanswered create or an unconfirmed close may have left.
async fn finish_leases<F>(
    context: &TrialContext,
    dispatcher: &mut Dispatcher<F>,
    ears: &mut Ears<'_>,
) -> Swept
where
    F: FnMut(View<'_>, RunEvent<'_>),
{
    // Nobody takes over what is still there of earlier sittings.
    context.adopted().clear();
    let strays = strays(context, dispatcher.record());
    let patience = strays.until.saturating_duration_since(Instant::now());
    if strays.count > 0 && !patience.is_zero() {
        let (count, patience) = (strays.count, patience.as_secs_f64().ceil());
        dispatcher.tell(RunEvent::Warning {
            message: &format!(
                "creates without an answer: {count}; what they may have made is looked for and closed, for {patience} s at most"
            ),
        });
    }
    let (run, nothing) = (context.service_run_id(), HashSet::new());
    let service = context.service.as_ref();
    let looking = sweep_in_time(service, &context.stop, &run, &strays, &nothing);
    let swept = drive(dispatcher, ears, looking).await.unwrap_or_default();
    if !swept.proven_empty {
        return swept;
    }
    // Nothing of the run lives, so whatever an attempt held or may have held is given back. An attempt that this
    // sitting never came to, because it stopped before, gets the end that it lacks.
    let mut rest = RecoveryPlan::new(dispatcher.record(), &[]);
    rest.close.clone_from(&swept.closed);
    let mut events = rest.endings.clone();
    let closed = swept.closed.iter().cloned().collect();
    events.extend(rest.released(&closed, true));
    if !events.is_empty() {
        // If this cannot be written the leases stay open in the record, which is the careful side to err on.
        let recording = tokio::time::timeout(LAST_WORDS, context.record_all(events));
        let _ = drive(dispatcher, ears, recording).await;
    }
    swept
}

/// What creates without an answer may have left, of this sitting and of those before.
fn strays(context: &TrialContext, record: &RunRecord) -> Strays {
    let open = record.open_leases();
    let unknown = open.iter().filter(|lease| lease.instance.is_none());
    let doubts = context.doubts();
    // Without a doubt of this sitting their creates left long ago.
    let until = doubts.until.unwrap_or_else(|| Instant::now() + LISTING);
    Strays::of(record, unknown.count() + doubts.inherited, until)
}

/// The end of a run whose journal takes no more: known to this process, and to nobody after it.
///
/// A listing that found nothing proves that nothing is held, although no release could be written; without it a full
/// disk would be told as a leak, with nothing to close.
fn end_in_memory(record: &mut RunRecord, end: RunEnd) {
    let open = if end.proven_empty {
        record.open_leases()
    } else {
        Vec::new()
    };
    let at = jiff::Timestamp::now();
    let mut apply = |event: Event| {
        let seq = u64::MAX;
        record.apply(&Entry { seq, at, event })
    };
    for lease in open {
        for event in lost_with_the_journal(lease) {
            // An attempt takes of these what its state still allows.
            let _ = apply(event);
        }
    }
    let end = Box::new(end);
    apply(Event::RunFinished { end }).expect("a run can end at any moment");
}

/// What would have been written of an attempt that the broken journal cut off.
fn lost_with_the_journal(lease: OpenLease) -> [Event; 3] {
    let OpenLease { trial, attempt, .. } = lease;
    let failure = Failure {
        phase: Phase::Agent,
        kind: ErrorKind::Storage,
        message: "the journal could not be written".to_owned(),
    };
    [
        Event::Unscored {
            trial: trial.clone(),
            attempt,
            failure,
            retry: false,
            ambiguous: false,
        },
        Event::ReleaseIntended {
            trial: trial.clone(),
            attempt,
        },
        Event::Released {
            trial,
            attempt,
            teardown: TeardownOutcome::Released,
            elapsed_ms: 0,
        },
    ]
}
