//! A run, from what it is asked for to its record: makes the real world that a sitting works in.

use std::path::PathBuf;
use std::sync::Arc;

use fleet_api::{Client, SecretString};
use futures::Stream;
use process_tree::Shim;
use run_record::{
    Event, Journal, JournalError, JournalStore as _, RunId, RunInfo, RunLayout, RunRecord, Verdict,
};
use tokio::sync::mpsc;

use super::dispatcher::StopCause;
use super::events::{RunEvent, View};
use super::sitting::{Sitting, TICK, beats, sit};
use crate::lease::Heartbeats;
use crate::plan::Plan;
use crate::recorder::Recorder;
use crate::spec::RunSpec;
use crate::world::{Service, Supervised};

/// Makes a client of the service. Heartbeats have one of their own, on their own runtime.
pub type Connect = Arc<dyn Fn() -> Result<Client, fleet_api::BuildError> + Send + Sync>;

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
    pub connect: Connect,
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

/// Runs the plan and returns its record. Every instance that was provisioned is closed or named in the record.
///
/// `watch` is told what happens; `signals` is listened to until the run has ended. The future must be run to its
/// end: dropping it kills the agents but leaves instances to end by lapse.
pub async fn run(
    request: RunRequest,
    signals: impl Stream<Item = RunSignal>,
    watch: impl FnMut(View<'_>, RunEvent<'_>),
) -> Result<(RunRecord, Verdict), RunError> {
    let (notices, heard) = mpsc::unbounded_channel();
    let service: Arc<dyn Service> = Arc::new((request.connect)().map_err(RunError::Client)?);
    // Heartbeats have a client of their own: its connections live on the heartbeat thread's runtime.
    let beating: Arc<dyn Service> = Arc::new((request.connect)().map_err(RunError::Client)?);
    let heartbeats = Heartbeats::start().map_err(RunError::Heartbeats)?;
    let (journal, record, resumed) = match request.beginning {
        Beginning::New(info) => {
            let (journal, record) = begin(&request.layout, *info, &request.plan)?;
            (journal, record, false)
        }
        Beginning::Resumed(journal, record) => (journal, *record, true),
    };
    let sitting = Sitting {
        spec: request.spec,
        plan: request.plan,
        run_id: request.run_id,
        layout: request.layout,
        api_key: request.api_key,
        harness_program: request.harness_program,
        service,
        beats: beats(beating),
        heartbeats,
        agents: Arc::new(Supervised(request.shim)),
        recorder: Recorder::start(journal, notices.clone()),
        record,
        resumed,
        tick: TICK,
    };
    Ok(sit(sitting, (notices, heard), signals, watch).await)
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

impl From<RunSignal> for StopCause {
    fn from(signal: RunSignal) -> Self {
        match signal {
            RunSignal::Interrupt => Self::Interrupt,
            RunSignal::Terminate => Self::Terminate,
        }
    }
}
