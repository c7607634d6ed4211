//! Delivers sessions beside the trials, a few at a time, and for a bounded time after them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use run_record::{Attempt, TrialId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::deliver::deliver;
use super::parcel::Parcel;
use crate::runner::StopLevel;
use crate::trial::TrialContext;

/// Sessions under way at the same time. They share the service's rate with everything else.
const AT_ONCE: usize = 4;

/// How long deliveries may take after the last instance is given back; and how long once the run is told to stop.
const BUDGET: Duration = Duration::from_secs(120);
const BUDGET_WHEN_STOPPED: Duration = Duration::from_secs(5);

/// Delivers what it is sent until nobody can send any more. Dropped, it stops where it is; what that leaves is
/// delivered by the next sitting.
pub(crate) struct Courier {
    at_work: JoinSet<()>,
}

impl Courier {
    pub(crate) fn start(
        context: &Arc<TrialContext>,
        parcels: mpsc::UnboundedReceiver<Parcel>,
    ) -> Self {
        let mut at_work = JoinSet::new();
        at_work.spawn(carry(Arc::clone(context), parcels));
        Self { at_work }
    }

    /// Returns when everything is delivered or the time for it is over. The senders must be gone.
    pub(crate) async fn finish(mut self, context: &TrialContext) {
        let stopped = async {
            context.stop.reached(StopLevel::StartNothing).await;
            tokio::time::sleep(BUDGET_WHEN_STOPPED).await;
        };
        // What is dropped here has its intent, so that it is looked for before it is sent again.
        tokio::select! {
            biased;
            _ = self.at_work.join_next() => {}
            () = context.stop.reached(StopLevel::Forceful) => {}
            () = stopped => {}
            () = tokio::time::sleep(BUDGET) => {}
        }
    }
}

async fn carry(context: Arc<TrialContext>, mut parcels: mpsc::UnboundedReceiver<Parcel>) {
    let mut seen: HashSet<(TrialId, Attempt)> = HashSet::new();
    let mut under_way = JoinSet::new();
    while let Some(parcel) = parcels.recv().await {
        // A release that is tried again makes a session due again.
        if !seen.insert((parcel.trial.clone(), parcel.attempt)) {
            continue;
        }
        while under_way.len() >= AT_ONCE {
            under_way.join_next().await;
        }
        let context = Arc::clone(&context);
        under_way.spawn(async move { deliver(&context, parcel).await });
        while under_way.try_join_next().is_some() {}
    }
    // A panic in a delivery ends that delivery: nothing of a trial hangs on it.
    while under_way.join_next().await.is_some() {}
}
