//! The owner of a run's state: what is live, what it has cost, whether and why it stops.
//!
//! Everything that happens arrives as a [`Notice`]; one synchronous function decides. Nothing here waits, so it
//! can be tested without a runtime. Starting trials and ending the loop are the executor's and `run`'s business.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use run_record::{
    Attempt, AttemptRecord, Event, Failure, FoldError, JournalError, RunRecord, StopReason,
    TrialId, TrialRecord,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::deadline::{Deadline, Stage};
use super::events::{LivePhase, LiveTrial, RunEvent, View};
use super::stop::{StopControl, StopLevel};
use crate::recorder::Recorded;
use crate::sessions::{self, Parcel};

/// What the dispatcher hears.
#[derive(Debug)]
pub(crate) enum Notice {
    /// A trial would start. The sender is answered to let it, dropped to refuse.
    Ready {
        trial: TrialId,
        /// Its agent had finished in an earlier sitting: only the verification is missing.
        finished: bool,
        permission: oneshot::Sender<()>,
    },
    /// A trial moved on.
    Phase { trial: TrialId, phase: LivePhase },
    /// An attempt failed and the trial goes on with another.
    Retrying {
        trial: TrialId,
        attempt: Attempt,
        failure: Failure,
    },
    /// A trial has ended, its teardown included.
    Done { trial: TrialId },
    /// The service gives no more instances for now, or asks for fewer requests; why.
    Held(String),
    /// Something to tell, in one line.
    Warning(String),
    /// The run cannot go on: nothing that is started now could succeed.
    Fatal(String),
    /// An event is durable, or none will be any more.
    Recorded(Recorded),
    /// A signal.
    Stop(StopCause),
    /// The clock moved.
    Tick,
}

/// Who wants the run to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopCause {
    /// SIGINT, or Ctrl-C.
    Interrupt,
    /// SIGTERM or SIGHUP.
    Terminate,
}

/// What the loop has to do after a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Then {
    /// Go on.
    Continue,
    /// Return at once, whatever is still running.
    Abandon,
}

/// The limits of the spec that the dispatcher watches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budgets {
    pub(crate) instance_time: Option<Duration>,
    pub(crate) cost_usd: Option<f64>,
    pub(crate) deadline: Option<Deadline>,
}

/// Two signals closer than this are one: terminals and process managers double them.
const SIGNAL_DEBOUNCE: Duration = Duration::from_millis(20);

/// How many signals it takes to leave at once, instances or not.
const SIGNALS_TO_LEAVE: u32 = 3;

/// How long after SIGTERM nothing is waited for any more. Service managers and clusters kill after thirty seconds; giving
/// back and the last look take up to fourteen of them.
const TERMINATED_GRACE: Duration = Duration::from_secs(8);

/// "Held back by the service" is told again after this long.
const HELD_TOLD_AGAIN: Duration = Duration::from_mins(5);

/// The state of a run.
pub(crate) struct Dispatcher<F> {
    record: RunRecord,
    live: HashMap<TrialId, LiveTrial>,
    stop: StopControl,
    budgets: Budgets,
    leased_since: HashMap<(TrialId, Attempt), Instant>,
    instance_time: Duration,
    cost_usd: f64,
    last_signal: Option<Instant>,
    /// Doubled ones count once.
    signals: u32,
    /// When a graceful stop becomes a forceful one by itself.
    forceful_at: Option<Instant>,
    held_told: Option<Instant>,
    begun: Instant,
    /// Where sessions go that are due; none if they are not asked for.
    parcels: Option<mpsc::UnboundedSender<Parcel>>,
    watch: F,
}

impl<F> Dispatcher<F>
where
    F: FnMut(View<'_>, RunEvent<'_>),
{
    pub(crate) fn new(record: RunRecord, stop: StopControl, budgets: Budgets, watch: F) -> Self {
        let (instance_time, cost_usd) = spent(&record);
        Self {
            record,
            live: HashMap::new(),
            stop,
            budgets,
            leased_since: HashMap::new(),
            instance_time,
            cost_usd,
            last_signal: None,
            signals: 0,
            forceful_at: None,
            held_told: None,
            begun: Instant::now(),
            parcels: None,
            watch,
        }
    }

    /// From now on sessions that are due go there, beginning with those that are.
    pub(crate) fn deliver_to(&mut self, parcels: mpsc::UnboundedSender<Parcel>) {
        for parcel in sessions::all_due(&self.record) {
            // Who does not listen any more leaves it to the next sitting.
            let _ = parcels.send(parcel);
        }
        self.parcels = Some(parcels);
    }

    /// Nothing more will be due.
    pub(crate) fn deliver_no_more(&mut self) {
        self.parcels = None;
    }

    pub(crate) fn record(&self) -> &RunRecord {
        &self.record
    }

    /// Why the run ends, once it has.
    pub(crate) fn end_reason(&self) -> StopReason {
        self.stop.reason().cloned().unwrap_or(StopReason::Completed)
    }

    /// Time since this sitting began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Tells the watcher.
    pub(crate) fn tell(&mut self, event: RunEvent<'_>) {
        let view = View {
            record: &self.record,
            live: &self.live,
            elapsed: self.begun.elapsed(),
        };
        (self.watch)(view, event);
    }

    /// Decides what a notice means.
    pub(crate) fn handle(&mut self, notice: Notice) -> Then {
        match notice {
            Notice::Ready {
                trial,
                finished,
                permission,
            } => self.admit(trial, finished, permission),
            Notice::Phase { trial, phase } => self.moved(&trial, phase),
            Notice::Retrying {
                trial,
                attempt,
                failure,
            } => self.tell(RunEvent::Retrying {
                trial: &trial,
                attempt,
                failure: &failure,
            }),
            Notice::Done { trial } => self.finished(&trial),
            Notice::Held(why) => self.held_back(&why),
            Notice::Warning(message) => self.tell(RunEvent::Warning { message: &message }),
            Notice::Fatal(why) => self.fatal(why),
            Notice::Recorded(Recorded::Entry(entry)) => {
                self.account(&entry.event);
                if let Err(error) = self.record.apply(&entry) {
                    self.broken_order(&error);
                }
                self.deliver(&entry.event);
            }
            Notice::Recorded(Recorded::LastRoom) => self.disk_full(),
            Notice::Recorded(Recorded::Broken(error)) => self.journal_broken(&error),
            Notice::Stop(cause) => return self.asked_to_stop(cause),
            Notice::Tick => self.tick(),
        }
        Then::Continue
    }

    fn deliver(&mut self, event: &Event) {
        let due = sessions::due_after(&self.record, event);
        if let (Some(parcels), Some(due)) = (&self.parcels, due) {
            let _ = parcels.send(due);
        }
    }

    fn admit(&mut self, trial: TrialId, finished: bool, permission: oneshot::Sender<()>) {
        let highest = if finished {
            StopLevel::EndAgents
        } else {
            self.check_budgets();
            self.check_forecast();
            StopLevel::Run
        };
        if self.stop.level() > highest {
            return;
        }
        let now = Instant::now();
        // An executor that no longer listens does not start the trial either.
        if permission.send(()).is_ok() {
            let started = LiveTrial {
                phase: LivePhase::Provisioning,
                phase_since: now,
                since: now,
            };
            self.live.insert(trial, started);
        }
    }

    fn moved(&mut self, trial: &TrialId, phase: LivePhase) {
        if let Some(live) = self.live.get_mut(trial) {
            live.phase = phase;
            live.phase_since = Instant::now();
        }
        self.tell(RunEvent::Phase { trial, phase });
    }

    fn finished(&mut self, trial: &TrialId) {
        self.live.remove(trial);
        if let Some(time) = self.record.trial(trial).and_then(working_time)
            && let Some(deadline) = &mut self.budgets.deadline
        {
            deadline.took(time);
        }
        let view = View {
            record: &self.record,
            live: &self.live,
            elapsed: self.begun.elapsed(),
        };
        if let Some(trial) = self.record.trial(trial) {
            (self.watch)(view, RunEvent::TrialFinished { trial });
        }
        self.check_budgets();
    }

    fn tick(&mut self) {
        self.check_budgets();
        self.check_deadline();
        self.check_patience();
        self.tell(RunEvent::Tick);
    }

    /// Counts what the limits are about.
    fn account(&mut self, event: &Event) {
        match event {
            Event::Provisioned { trial, attempt, .. } => {
                self.leased_since
                    .insert((trial.clone(), *attempt), Instant::now());
            }
            Event::Released { trial, attempt, .. } => {
                if let Some(since) = self.leased_since.remove(&(trial.clone(), *attempt)) {
                    self.instance_time += since.elapsed();
                }
            }
            Event::AgentFinished { report, .. } => {
                self.cost_usd += report.usage.cost_usd.unwrap_or(0.0);
            }
            _ => {}
        }
    }

    fn check_budgets(&mut self) {
        if self.stop.level() > StopLevel::Run {
            return;
        }
        let live: Duration = self.leased_since.values().map(Instant::elapsed).sum();
        let used = self.instance_time + live;
        let what = match self.budgets {
            Budgets {
                instance_time: Some(limit),
                ..
            } if used >= limit => {
                format!("limits.instance_minutes: {:.0}", limit.as_secs_f64() / 60.0)
            }
            Budgets {
                cost_usd: Some(limit),
                ..
            } if self.cost_usd >= limit => format!("limits.cost_usd: {limit}"),
            _ => return,
        };
        let message = format!("{what} is reached: no new trial starts, what runs may finish");
        self.stop
            .raise(StopLevel::StartNothing, StopReason::Budget { what });
        self.tell(RunEvent::Stopping { message: &message });
    }

    /// Starts nothing more once a new trial could not be expected to finish before the deadline.
    fn check_forecast(&mut self) {
        let elapsed = self.begun.elapsed();
        let Some(deadline) = &self.budgets.deadline else {
            return;
        };
        if deadline.may_start(elapsed) {
            return;
        }
        let left = seconds(deadline.agents_end().saturating_sub(elapsed));
        let takes = deadline.typical().map_or_else(String::new, |typical| {
            format!("a trial takes {} and ", seconds(typical))
        });
        let running = running_trials(self.live.len());
        let message = format!(
            "limits.run_deadline: {takes}{left} are left, so no new trial starts; {running} may go on for that long, then agents are stopped"
        );
        self.stop_for_deadline(StopLevel::StartNothing, &message);
    }

    fn check_deadline(&mut self) {
        let stage = self
            .budgets
            .deadline
            .as_ref()
            .map(|deadline| deadline.stage(self.begun.elapsed()));
        let running = running_trials(self.live.len());
        match stage {
            None | Some(Stage::Open) => {}
            Some(Stage::WindingDown) => {
                let message = format!(
                    "limits.run_deadline is near: the agents of {running} are stopped, work that is done is still scored, and all instances are given back"
                );
                self.stop_for_deadline(StopLevel::EndAgents, &message);
            }
            Some(Stage::Over) => {
                let message = format!(
                    "limits.run_deadline is reached: nothing more is waited for; the instances of {running} are given back"
                );
                self.stop_for_deadline(StopLevel::Forceful, &message);
            }
        }
    }

    fn stop_for_deadline(&mut self, level: StopLevel, message: &str) {
        // Who stops the run by hand has his reason, and it is the one that is told.
        let by_hand = matches!(
            self.stop.reason(),
            Some(StopReason::Interrupted | StopReason::Terminated | StopReason::Fatal { .. })
        );
        let reason = match self.stop.reason() {
            Some(reason) if by_hand => reason.clone(),
            _ => StopReason::Deadline,
        };
        if self.stop.raise(level, reason) {
            self.tell(RunEvent::Stopping { message });
        }
    }

    /// After SIGTERM there is somebody who will not wait.
    fn check_patience(&mut self) {
        if self.forceful_at.is_none_or(|at| Instant::now() < at) {
            return;
        }
        self.forceful_at = None;
        if self.stop.raise(StopLevel::Forceful, StopReason::Terminated) {
            self.tell(RunEvent::Stopping {
                message: "nothing more is waited for, as whoever sent SIGTERM may soon send SIGKILL; instances are still given back",
            });
        }
    }

    /// The service's limits are waited out; that is told now and then, not for every trial that waits.
    fn held_back(&mut self, why: &str) {
        let now = Instant::now();
        let told_lately = self
            .held_told
            .is_some_and(|told| now.duration_since(told) < HELD_TOLD_AGAIN);
        if told_lately {
            return;
        }
        self.held_told = Some(now);
        let message = format!("waiting for the service, fewer creates at once: {why}");
        self.tell(RunEvent::Warning { message: &message });
    }

    fn asked_to_stop(&mut self, cause: StopCause) -> Then {
        if self.is_doubled_signal() {
            return Then::Continue;
        }
        self.signals += 1;
        let running = running_trials(self.live.len());
        let (level, message) = match self.stop.level() {
            // A deadline or our own patience got here first: no reason to leave what is being given back.
            StopLevel::Forceful if self.signals < SIGNALS_TO_LEAVE => {
                self.tell(RunEvent::Stopping {
                    message: "nothing more is waited for, instances are being given back; a third signal leaves at once",
                });
                return Then::Continue;
            }
            StopLevel::Forceful => {
                self.tell(RunEvent::Stopping {
                    message: "leaving now; instances may still be live, `harness resume` or `harness sweep` gives them back",
                });
                return Then::Abandon;
            }
            // The run was stopping by itself: who asks for it now has not asked twice.
            StopLevel::Graceful if self.signals == 1 => (
                StopLevel::Graceful,
                "stopping already, giving back all instances; once more kills agents without grace"
                    .to_owned(),
            ),
            StopLevel::Graceful => (
                StopLevel::Forceful,
                "killing agents now; instances are still given back; once more leaves at once"
                    .to_owned(),
            ),
            StopLevel::Run | StopLevel::StartNothing | StopLevel::EndAgents => (
                StopLevel::Graceful,
                format!(
                    "stopping {running}, giving back all instances; once more kills agents without grace"
                ),
            ),
        };
        if cause == StopCause::Terminate {
            let patience = Instant::now() + TERMINATED_GRACE;
            self.forceful_at.get_or_insert(patience);
        }
        let reason = match self.stop.reason() {
            // Why it could not go on is not covered up by who hurried it.
            Some(fatal @ StopReason::Fatal { .. }) => fatal.clone(),
            _ => cause.reason(),
        };
        self.stop.raise(level, reason);
        self.tell(RunEvent::Stopping { message: &message });
        Then::Continue
    }

    fn is_doubled_signal(&mut self) -> bool {
        let now = Instant::now();
        let doubled = self
            .last_signal
            .is_some_and(|last| now.duration_since(last) < SIGNAL_DEBOUNCE);
        self.last_signal = Some(now);
        doubled
    }

    fn fatal(&mut self, why: String) {
        let message = format!("the run cannot go on: {why}");
        if self
            .stop
            .raise(StopLevel::Graceful, StopReason::Fatal { why })
        {
            self.tell(RunEvent::Stopping { message: &message });
        }
    }

    /// What agents do on a full disk is not their own doing, so they are ended; what they had finished is still scored.
    fn disk_full(&mut self) {
        let why = "the disk is full".to_owned();
        if self
            .stop
            .raise(StopLevel::EndAgents, StopReason::Fatal { why })
        {
            self.tell(RunEvent::Stopping {
                message: "the disk is full: no new trial starts and agents are stopped; what they finished is scored and recorded in space put aside for it",
            });
        }
    }

    fn journal_broken(&mut self, error: &Arc<JournalError>) {
        let cause = std::error::Error::source(error.as_ref())
            .map(|source| format!(": {source}"))
            .unwrap_or_default();
        self.fatal(format!("{error}{cause}"));
    }

    /// The live run broke its own order: a bug, but what is held must still be given back.
    fn broken_order(&mut self, error: &FoldError) {
        let cause = std::error::Error::source(error)
            .map(|source| format!(": {source}"))
            .unwrap_or_default();
        debug_assert!(false, "{error}{cause}");
        self.fatal(format!("a bug in the harness: {error}{cause}"));
    }
}

impl StopCause {
    fn reason(self) -> StopReason {
        match self {
            Self::Interrupt => StopReason::Interrupted,
            Self::Terminate => StopReason::Terminated,
        }
    }
}

/// `1 running trial`, `2 running trials`.
fn running_trials(number: usize) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} running trial{ending}")
}

/// How long a scored trial took from its agent's start on. Waiting for quota says nothing of the next one.
fn working_time(trial: &TrialRecord) -> Option<Duration> {
    trial.score?;
    let times = trial.times();
    let parts = [times.agent_ms, times.verify_ms, times.teardown_ms];
    Some(Duration::from_millis(parts.into_iter().flatten().sum()))
}

/// What earlier sittings of the run used up of its budgets, as far as the journal knows.
fn spent(record: &RunRecord) -> (Duration, f64) {
    let attempts = || record.trials.iter().flat_map(|trial| &trial.attempts);
    let held = |attempt: &AttemptRecord| {
        let times = attempt.times;
        let parts = [times.agent_ms, times.verify_ms, times.teardown_ms];
        Duration::from_millis(parts.into_iter().flatten().sum())
    };
    let cost = attempts()
        .filter_map(|attempt| attempt.agent.as_ref()?.usage.cost_usd)
        .sum();
    (attempts().map(held).sum(), cost)
}

/// Whole seconds, for a message.
fn seconds(duration: Duration) -> String {
    crate::spec::format_duration(Duration::from_secs(duration.as_secs()))
}

impl From<Recorded> for Notice {
    fn from(recorded: Recorded) -> Self {
        Self::Recorded(recorded)
    }
}

#[cfg(test)]
#[path = "dispatcher_tests.rs"]
mod tests;
