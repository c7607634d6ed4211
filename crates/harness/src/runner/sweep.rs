//! The proof at the end of a run: ask the service what of this run lives, close it, and ask again.

use std::collections::HashSet;
use std::time::Duration;

use fleet_api::types::{self, RunId};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use run_record::{InstanceId, RunRecord, TeardownOutcome};
use tokio::time::Instant;

use super::stop::{StopLevel, StopSignal};
use crate::trial::close;
use crate::world::Service;

/// What the last look at the service found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Instances that were alive although every trial had ended, and are closed now.
    pub(crate) closed: Vec<InstanceId>,
    /// Instances that could not be confirmed closed.
    pub(crate) unconfirmed: Vec<InstanceId>,
    /// True if the last listing was answered and empty.
    pub(crate) proven_empty: bool,
}

/// How often something may be found, or not be answered.
const PASSES: u32 = 5;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a service may take to list what it made.
pub(crate) const LISTING: Duration = Duration::from_secs(5);

/// Creates that were left without an answer: each may have made an instance that nobody knows.
#[derive(Clone, Debug)]
pub(crate) struct Strays {
    /// How many there are at most.
    pub(crate) count: usize,
    /// When those that were not listed are none.
    pub(crate) until: Instant,
    /// Instances whose creates were answered: none of these is a stray.
    pub(crate) known: HashSet<InstanceId>,
}

impl Strays {
    /// What creates of `record` may have left, if it shows until then.
    pub(crate) fn of(record: &RunRecord, count: usize, until: Instant) -> Self {
        let attempts = record.trials.iter().flat_map(|trial| &trial.attempts);
        Self {
            count,
            until,
            known: attempts
                .filter_map(|attempt| attempt.instance.clone())
                .collect(),
        }
    }
}

/// How long all of it may take, the longest pause that a service may ask for included; and how long after the run
/// was told to hurry.
pub(crate) const SWEEP_BUDGET: Duration = Duration::from_secs(120 + 90);
const BUDGET_IN_A_HURRY: Duration = Duration::from_secs(8);

/// How long a single instance may take to be closed here.
const CLOSE_BUDGET: Duration = Duration::from_secs(20);

/// As [`sweep`], in a bounded time, and in a shorter one once the run is told to hurry.
pub(crate) async fn sweep_in_time(
    service: &dyn Service,
    stop: &StopSignal,
    run: &RunId,
    strays: &Strays,
    kept: &HashSet<InstanceId>,
) -> Swept {
    let hurry = async {
        stop.reached(StopLevel::Forceful).await;
        tokio::time::sleep(BUDGET_IN_A_HURRY).await;
    };
    let mut swept = Swept::default();
    // Giving up on the look leaves what it would have proven unproven; what it found is answered all the same.
    tokio::select! {
        biased;
        () = sweep(service, run, strays, kept, &mut swept) => {}
        () = tokio::time::sleep(SWEEP_BUDGET) => {}
        () = hurry => {}
    }
    swept
}

/// Closes what lives of `run` until it is proven that nothing does, or the passes are used up.
///
/// An empty listing is no proof while one of the `strays` may still show up. What is in `kept` is still needed and
/// stays. What was found so far is in `swept` at every moment.
async fn sweep(
    service: &dyn Service,
    run: &RunId,
    strays: &Strays,
    kept: &HashSet<InstanceId>,
    swept: &mut Swept,
) {
    let mut empty_since: Option<Instant> = None;
    let (mut found, mut shown) = (false, HashSet::new());
    let mut passes = 0;
    while passes < PASSES {
        // What the answer shows was true at this time or later, however long it takes.
        let asked = Instant::now();
        let Some(live) = living(service, run, kept).await else {
            passes += 1;
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        if live.is_empty() {
            let awaits = shown.len() < strays.count && asked < strays.until;
            // What was found is gone when two listings say so.
            let needed = if found { PAUSE } else { Duration::ZERO };
            if empty_since.get_or_insert_with(Instant::now).elapsed() >= needed && !awaits {
                swept.proven_empty = true;
                swept.unconfirmed.clear();
                return;
            }
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        passes += 1;
        found = true;
        empty_since = None;
        let unknown = live.iter().map(|id| InstanceId::new(id.as_str()));
        shown.extend(unknown.filter(|id| !strays.known.contains(id)));
        close_all(service, live, swept).await;
    }
}

/// What lives of the run and is not needed; `None` if the service does not say.
async fn living(
    service: &dyn Service,
    run: &RunId,
    kept: &HashSet<InstanceId>,
) -> Option<Vec<types::InstanceId>> {
    let listed = match service.instances(run).await {
        Ok(listed) => listed,
        Err(error) => {
            let error = error.to_line();
            tracing::warn!(error, "the run's instances could not be listed");
            return None;
        }
    };
    let live = listed
        .into_iter()
        // A service that ignores the filter must not make us close what is not ours.
        .filter(|instance| instance.run_id.as_ref() == Some(run))
        .filter(|instance| !instance.status.is_ended())
        .filter(|instance| !kept.contains(&InstanceId::new(instance.instance_id.as_str())))
        .map(|instance| instance.instance_id);
    Some(live.collect())
}

/// Each is unconfirmed until it is closed, so that nothing is forgotten when this is cut short.
async fn close_all(service: &dyn Service, live: Vec<types::InstanceId>, swept: &mut Swept) {
    let named = |id: &types::InstanceId| InstanceId::new(id.as_str());
    swept.unconfirmed = live.iter().map(named).collect();
    let mut closes: FuturesUnordered<_> = live
        .iter()
        .map(|id| async move {
            let outcome = tokio::time::timeout(CLOSE_BUDGET, close(service, id)).await;
            (id, outcome.unwrap_or(TeardownOutcome::Unconfirmed))
        })
        .collect();
    while let Some((id, outcome)) = closes.next().await {
        if outcome != TeardownOutcome::Unconfirmed {
            let id = named(id);
            swept.unconfirmed.retain(|left| *left != id);
            swept.closed.push(id);
        }
    }
}
