//! The proof at the end of a run: ask the service what of this run lives, close it, and ask again.

use std::collections::HashSet;
use std::time::Duration;

use fleet_api::types::RunId;
use run_record::{InstanceId, TeardownOutcome};

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

/// How often to look. A service may list a fresh instance late, so one empty listing after a find is not enough.
const PASSES: u32 = 5;

/// Between two looks after something was found.
const PAUSE: Duration = Duration::from_secs(1);

/// How long all of it may take, the longest pause that a service may ask for included; and how long after the run
/// was told to hurry.
const BUDGET: Duration = Duration::from_secs(120 + 90);
const BUDGET_IN_A_HURRY: Duration = Duration::from_secs(8);

/// How long a single instance may take to be closed here.
const CLOSE_BUDGET: Duration = Duration::from_secs(20);

/// As [`sweep`], in a bounded time, and in a shorter one once the run is told to hurry.
pub(crate) async fn sweep_in_time(
    service: &dyn Service,
    stop: &StopSignal,
    run: &RunId,
    expects_strays: bool,
    kept: &HashSet<InstanceId>,
) -> Swept {
    let hurry = async {
        stop.reached(StopLevel::Forceful).await;
        tokio::time::sleep(BUDGET_IN_A_HURRY).await;
    };
    // Giving up on the look leaves what it would have proven unproven, and that is what is answered.
    tokio::select! {
        biased;
        swept = sweep(service, run, expects_strays, kept) => swept,
        () = tokio::time::sleep(BUDGET) => Swept::default(),
        () = hurry => Swept::default(),
    }
}

/// Closes what lives of `run` until two listings in a row are empty, the passes are used up or `give_up` ends.
///
/// `expects_strays` says that a create was left unanswered, so that the first empty listing proves nothing. What is in
/// `kept` is still needed and stays.
async fn sweep(
    service: &dyn Service,
    run: &RunId,
    expects_strays: bool,
    kept: &HashSet<InstanceId>,
) -> Swept {
    let mut swept = Swept::default();
    let mut empty_in_a_row = 0;
    let needed = if expects_strays { 2 } else { 1 };
    for _ in 0..PASSES {
        let live = match service.instances(run).await {
            Ok(listed) => listed
                .into_iter()
                // A service that ignores the filter must not make us close what is not ours.
                .filter(|instance| instance.run_id.as_ref() == Some(run))
                .filter(|instance| !instance.status.is_ended())
                .filter(|instance| !kept.contains(&InstanceId::new(instance.instance_id.as_str())))
                .collect::<Vec<_>>(),
            Err(error) => {
                tracing::warn!(
                    error = error.to_line(),
                    "the run's instances could not be listed"
                );
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if live.is_empty() {
            empty_in_a_row += 1;
            if empty_in_a_row >= needed {
                swept.proven_empty = true;
                swept.unconfirmed.clear();
                return swept;
            }
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        empty_in_a_row = 0;
        swept.unconfirmed.clear();
        let closes = live.iter().map(|instance| async {
            let id = InstanceId::new(instance.instance_id.as_str());
            let closing = close(service, &instance.instance_id);
            let outcome = tokio::time::timeout(CLOSE_BUDGET, closing).await;
            (id, outcome.unwrap_or(TeardownOutcome::Unconfirmed))
        });
        for (id, outcome) in futures::future::join_all(closes).await {
            match outcome {
                TeardownOutcome::Unconfirmed => swept.unconfirmed.push(id),
                TeardownOutcome::Released | TeardownOutcome::AlreadyGone => swept.closed.push(id),
            }
        }
    }
    swept
}
