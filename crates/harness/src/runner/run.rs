//! Runs a plan from its first journal line to the proof that nothing is left.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fleet_api::Client;
use fleet_api::SecretString;
use fleet_api::types::InstanceId;
use futures::Stream;
use futures::StreamExt as _;
use process_tree::Shim;
use run_record::{
    Attempt, Entry, ErrorKind, Event, Failure, Journal, JournalError, JournalStore as _, OpenLease,
    Phase, RunEnd, RunId, RunInfo, RunLayout, RunRecord, TeardownOutcome, TrialId, TrialRecord,
    Verdict,
};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::admission::Admission;
use super::dispatcher::{Budgets, Dispatcher, Notice, StopCause, Then};
use super::events::{RunEvent, View};
use super::executor::execute;
use super::stop::StopControl;
use super::sweep::{BUDGET, Swept, sweep};
use crate::lease::{Beat, Beats, Heartbeats};
use crate::plan::{Plan, TrialPlan};
use crate::recorder::Recorder;
use crate::recovery::recover;
use crate::spec::RunSpec;
use crate::trial::{self, Connect, TrialContext, millis};

/// Everything that a run needs.
pub struct RunRequest {
    /// The checked spec.
    pub spec: Arc<RunSpec>,
    /// What to do.
    pub plan: Plan,
    /// The run's id, also at the service.
    pub run_id: RunId,
    /// Whether the run begins, or goes on.
    pub beginning: Beginning,
    /// Where its files go. The folder exists and is absolute.
    pub layout: RunLayout,
    /// Makes a client of the service.
    pub connect: Arc<dyn Fn() -> Result<Client, fleet_api::BuildError> + Send + Sync>,
    /// The credential, for agents that are given access to the service.
    pub api_key: SecretString,
    /// How agents are supervised.
    pub shim: Shim,
    /// The running harness.
    pub harness_program: PathBuf,
}

/// Whether a run begins, or goes on.
pub enum Beginning {
    /// It begins: the journal must not exist yet.
    New(Box<RunInfo>),
    /// It goes on: the journal is open, which holds the run's lock, and was folded.
    Resumed(Journal, Box<RunRecord>),
}

/// A signal that asks the run to end. The second of any kind is more urgent than the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunSignal {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM, SIGHUP.
    Terminate,
}

/// Why a run could not begin. Nothing was provisioned.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The journal could not be begun.
    #[error("could not begin the run's journal")]
    Journal(#[source] JournalError),
    /// No client of the service could be made.
    #[error("could not make a client of the service")]
    Client(#[source] fleet_api::BuildError),
    /// The heartbeat thread could not be started.
    #[error("could not start the heartbeat thread")]
    Heartbeats(#[source] std::io::Error),
}

/// How often the clock is shown to move.
const TICK: Duration = Duration::from_millis(100);

/// How long the last events may take to become durable after the last trial has ended.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Runs the plan and returns its record. Every instance that was provisioned is closed or named in the record.
///
/// `watch` is told what happens; `signals` is listened to until the run has ended. The future must be run to its
/// end: dropping it kills the agents but leaves instances to end by lapse.
pub async fn run(
    request: RunRequest,
    signals: impl Stream<Item = RunSignal>,
    watch: impl FnMut(View<'_>, RunEvent<'_>),
) -> Result<(RunRecord, Verdict), RunError> {
    let (notices, mut heard) = mpsc::unbounded_channel();
    let client = (request.connect)().map_err(RunError::Client)?;
    let heartbeats = Heartbeats::start().map_err(RunError::Heartbeats)?;
    let beats = beats(&request.connect)?;
    let (journal, record, resumed) = match request.beginning {
        Beginning::New(info) => {
            let (journal, record) = begin(&request.layout, *info, &request.plan)?;
            (journal, record, false)
        }
        Beginning::Resumed(journal, record) => (journal, *record, true),
    };
    let recorder = Recorder::start(journal, notices.clone());
    let (control, stop) = StopControl::new();
    let limits = &request.spec.limits;
    let budgets = Budgets {
        instance_time: limits
            .instance_minutes
            .map(|minutes| Duration::from_secs_f64(minutes * 60.0)),
        cost_usd: limits.cost_usd,
    };
    let deadline = limits.run_deadline;
    let mut dispatcher = Dispatcher::new(record, control, budgets, watch);
    dispatcher.tell(RunEvent::Started);
    let concurrency = &request.spec.concurrency;
    let context = Arc::new(TrialContext {
        run_id: request.run_id,
        layout: request.layout,
        client,
        recorder: recorder.clone(),
        admission: Admission::new(
            concurrency.environments as usize,
            concurrency.agents as usize,
            concurrency.verifiers as usize,
        ),
        heartbeats,
        beats,
        stop,
        redactor: trial::redactor(&request.spec, &request.api_key),
        api_key: request.api_key,
        shim: request.shim,
        harness_program: request.harness_program,
        notices,
        spec: request.spec,
    });
    let before = resumed.then(|| dispatcher.record().clone());
    let trials = trials(Arc::clone(&context), request.plan.trials, before);
    let abandoned = drive(&mut dispatcher, &mut heard, trials, signals, deadline).await;
    let swept = if abandoned {
        Swept::default()
    } else {
        finish_leases(&context, &mut dispatcher, &mut heard).await
    };
    let end = RunEnd {
        reason: dispatcher.end_reason(),
        unconfirmed: swept.unconfirmed.clone(),
        swept: swept.closed.clone(),
        proven_empty: swept.proven_empty,
        elapsed_ms: millis(dispatcher.elapsed()),
    };
    let finished = Event::RunFinished { end: Box::new(end) };
    // A journal that is broken has been told of; how the run ends is then known to this process only.
    let last = context.record(finished.clone());
    let durable = matches!(tokio::time::timeout(LAST_WORDS, last).await, Ok(Ok(())));
    while let Ok(notice) = heard.try_recv() {
        let _ = dispatcher.handle(notice);
    }
    let mut record = dispatcher.record().clone();
    if !durable {
        end_in_memory(&mut record, swept.proven_empty, finished);
    }
    let verdict = Verdict::of(&record);
    dispatcher.tell(RunEvent::Finished { verdict: &verdict });
    Ok((record, verdict))
}

/// What the executor is given: every trial of a new run; of one that goes on, what has no score once everything
/// that the last sitting left is given back.
async fn trials(context: Arc<TrialContext>, plan: Vec<TrialPlan>, before: Option<RunRecord>) {
    let Some(before) = before else {
        return execute(context, plan).await;
    };
    let Ok(again) = recover(&context, &before).await else {
        // The journal cannot be written, which has been told; nothing may start.
        return;
    };
    let again: HashSet<TrialId> = again.into_iter().collect();
    let plan = plan
        .into_iter()
        .filter(|trial| again.contains(&trial.id))
        .map(|trial| {
            let last = before.trial(&trial.id).and_then(TrialRecord::last_attempt);
            TrialPlan {
                first_attempt: last.map_or(Attempt::FIRST, |last| last.attempt.next()),
                ..trial
            }
        })
        .collect();
    execute(context, plan).await;
}

/// Writes the run and its plan, and makes them durable before anything else happens.
fn begin(layout: &RunLayout, info: RunInfo, plan: &Plan) -> Result<(Journal, RunRecord), RunError> {
    let mut journal = Journal::create(&layout.journal()).map_err(RunError::Journal)?;
    let mut events = vec![Event::RunStarted {
        run: Box::new(info),
    }];
    events.extend(plan.trials.iter().map(|trial| Event::TrialPlanned {
        planned: Box::new(trial.planned()),
    }));
    let entries = journal.append(events).map_err(RunError::Journal)?;
    journal.sync().map_err(RunError::Journal)?;
    let record = RunRecord::fold(&entries)
        .expect("a plan has every trial once")
        .expect("a run begins with its start");
    Ok((journal, record))
}

/// Heartbeats have a client of their own: its connections live on the heartbeat thread's runtime.
fn beats(connect: &Connect) -> Result<Beats, RunError> {
    let client = connect().map_err(RunError::Client)?;
    Ok(Arc::new(move |instance: &str| {
        let client = client.clone();
        let instance = InstanceId::new(instance);
        Box::pin(async move { beat(&client, &instance).await })
    }))
}

/// One heartbeat. An answer that suggests that the instance is gone is checked by asking for the instance: the
/// same status also stands for a router's hiccup.
async fn beat(client: &Client, instance: &InstanceId) -> Beat {
    let error = match client.heartbeat(instance, None).await {
        Ok(answer) if answer.success => return Beat::Alive,
        Ok(_) => "the service did not take the heartbeat".to_owned(),
        Err(error) => error.to_line(),
    };
    match client.instance(instance).await {
        Ok(seen) if seen.status.is_ended() => Beat::Gone(format!("it is {}", seen.status)),
        Err(gone) if gone.is_gone() => Beat::Gone("the service does not know it".to_owned()),
        Ok(_) | Err(_) => Beat::Failed(error),
    }
}

/// Feeds the dispatcher until every trial has ended. True if it was told to leave before.
async fn drive<F>(
    dispatcher: &mut Dispatcher<F>,
    heard: &mut mpsc::UnboundedReceiver<Notice>,
    trials: impl Future<Output = ()>,
    signals: impl Stream<Item = RunSignal>,
    deadline: Option<Duration>,
) -> bool
where
    F: FnMut(View<'_>, RunEvent<'_>),
{
    tokio::pin!(trials, signals);
    let mut signals = signals.fuse();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let time_is_up = async {
        match deadline {
            Some(deadline) => tokio::time::sleep(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(time_is_up);
    let mut deadline_told = false;
    loop {
        // Every arm only produces a notice. Receiving from a channel or a stream may be dropped without losing
        // an item; the trials and the deadline are pinned and go on where they were.
        let notice = tokio::select! {
            Some(notice) = heard.recv() => notice,
            Some(signal) = signals.next() => Notice::Stop(signal.into()),
            () = &mut time_is_up, if !deadline_told => {
                deadline_told = true;
                Notice::Stop(StopCause::Deadline)
            }
            _ = ticks.tick() => Notice::Tick,
            () = &mut trials => break,
        };
        if dispatcher.handle(notice) == Then::Abandon {
            return true;
        }
    }
    while let Ok(notice) = heard.try_recv() {
        let _ = dispatcher.handle(notice);
    }
    false
}

/// The proof at the end, and the release of what an unanswered create or an unconfirmed close may have left.
async fn finish_leases<F>(
    context: &TrialContext,
    dispatcher: &mut Dispatcher<F>,
    heard: &mut mpsc::UnboundedReceiver<Notice>,
) -> Swept
where
    F: FnMut(View<'_>, RunEvent<'_>),
{
    let open = dispatcher.record().open_leases();
    let run = context.service_run_id();
    let looking = sweep(&context.client, &run, !open.is_empty());
    let swept = tokio::time::timeout(BUDGET, looking)
        .await
        .unwrap_or_default();
    if !swept.proven_empty {
        return swept;
    }
    // Nothing of the run lives, so whatever an attempt held or may have held is given back.
    let released = open.into_iter().flat_map(|lease| {
        let closed_now = lease
            .instance
            .as_ref()
            .is_some_and(|id| swept.closed.contains(id));
        let intent = Event::ReleaseIntended {
            trial: lease.trial.clone(),
            attempt: lease.attempt,
        };
        let outcome = Event::Released {
            trial: lease.trial,
            attempt: lease.attempt,
            teardown: if closed_now {
                TeardownOutcome::Released
            } else {
                TeardownOutcome::AlreadyGone
            },
            elapsed_ms: 0,
        };
        [intent, outcome]
    });
    let events: Vec<Event> = released.collect();
    if !events.is_empty() {
        // If this cannot be written the leases stay open in the record, which is the careful side to err on.
        let _ = context.recorder.record(events).await;
        while let Ok(notice) = heard.try_recv() {
            let _ = dispatcher.handle(notice);
        }
    }
    swept
}

/// The end of a run whose journal takes no more: known to this process, and to nobody after it.
///
/// A listing that found nothing proves that nothing is held, although no release could be written; without it a full
/// disk would be told as a leak, with nothing to close.
fn end_in_memory(record: &mut RunRecord, proven_empty: bool, finished: Event) {
    let open = if proven_empty {
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
    apply(finished).expect("a run can end at any moment");
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

impl From<RunSignal> for StopCause {
    fn from(signal: RunSignal) -> Self {
        match signal {
            RunSignal::Interrupt => Self::Interrupt,
            RunSignal::Terminate => Self::Terminate,
        }
    }
}
