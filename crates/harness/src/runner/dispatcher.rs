//! The owner of a run's state: what is live, what it has cost, whether and why it stops.
//!
//! Everything that happens arrives as a [`Notice`]; one synchronous function decides. Nothing here waits, so it
//! can be tested without a runtime. Starting trials and ending the loop are the executor's and `run`'s business.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use run_record::{
    Attempt, Event, Failure, FoldError, JournalError, RunRecord, StopReason, TrialId,
};
use tokio::sync::oneshot;

use super::events::{LivePhase, LiveTrial, RunEvent, View};
use super::stop::{StopControl, StopLevel};
use crate::recorder::Recorded;

/// What the dispatcher hears.
#[derive(Debug)]
pub(crate) enum Notice {
    /// A trial would start. The sender is answered to let it, dropped to refuse.
    Ready {
        trial: TrialId,
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
    /// Something to tell, in one line.
    Warning(String),
    /// The run cannot go on: nothing that is started now could succeed.
    Fatal(String),
    /// An event is durable, or none will be any more.
    Recorded(Recorded),
    /// A signal, a limit or the deadline.
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
    /// `limits.run_deadline`.
    Deadline,
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
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Budgets {
    pub(crate) instance_time: Option<Duration>,
    pub(crate) cost_usd: Option<f64>,
}

/// Two signals closer than this are one: terminals and process managers double them.
const SIGNAL_DEBOUNCE: Duration = Duration::from_millis(20);

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
    begun: Instant,
    watch: F,
}

impl<F> Dispatcher<F>
where
    F: FnMut(View<'_>, RunEvent<'_>),
{
    pub(crate) fn new(record: RunRecord, stop: StopControl, budgets: Budgets, watch: F) -> Self {
        Self {
            record,
            live: HashMap::new(),
            stop,
            budgets,
            leased_since: HashMap::new(),
            instance_time: Duration::ZERO,
            cost_usd: 0.0,
            last_signal: None,
            begun: Instant::now(),
            watch,
        }
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
            Notice::Ready { trial, permission } => self.admit(trial, permission),
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
            Notice::Warning(message) => self.tell(RunEvent::Warning { message: &message }),
            Notice::Fatal(why) => self.fatal(why),
            Notice::Recorded(Recorded::Entry(entry)) => {
                self.account(&entry.event);
                if let Err(error) = self.record.apply(&entry) {
                    self.broken_order(&error);
                }
            }
            Notice::Recorded(Recorded::Broken(error)) => self.journal_broken(&error),
            Notice::Stop(cause) => return self.asked_to_stop(cause),
            Notice::Tick => self.tick(),
        }
        Then::Continue
    }

    fn admit(&mut self, trial: TrialId, permission: oneshot::Sender<()>) {
        self.check_budgets();
        if self.stop.level() > StopLevel::Run {
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

    fn asked_to_stop(&mut self, cause: StopCause) -> Then {
        if cause != StopCause::Deadline && self.is_doubled_signal() {
            return Then::Continue;
        }
        let running = self.live.len();
        let (level, reason, message) = match (cause, self.stop.level()) {
            (StopCause::Deadline, level) if level >= StopLevel::Graceful => return Then::Continue,
            (StopCause::Deadline, _) => (
                StopLevel::Graceful,
                StopReason::Deadline,
                format!(
                    "limits.run_deadline is reached: stopping {running} running trials and giving back their instances"
                ),
            ),
            (_, StopLevel::Forceful) => {
                self.tell(RunEvent::Stopping {
                    message: "leaving now; instances may still be live",
                });
                return Then::Abandon;
            }
            (cause, StopLevel::Graceful) => (
                StopLevel::Forceful,
                cause.reason(),
                "killing agents now; instances are still given back; once more leaves at once"
                    .to_owned(),
            ),
            (cause, _) => (
                StopLevel::Graceful,
                cause.reason(),
                format!(
                    "stopping: no new trial starts, {running} running trials are stopped and their instances given back; once more kills agents without grace"
                ),
            ),
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
            Self::Deadline => StopReason::Deadline,
        }
    }
}

impl From<Recorded> for Notice {
    fn from(recorded: Recorded) -> Self {
        Self::Recorded(recorded)
    }
}

#[cfg(test)]
#[path = "dispatcher_tests.rs"]
mod tests;
