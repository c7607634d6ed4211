//! Starts trials in the order of the plan, as room allows and the dispatcher permits, and awaits them all.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::dispatcher::Notice;
use super::stop::StopLevel;
use crate::plan::TrialPlan;
use crate::trial::{TrialContext, run_trial};

/// Runs every trial of the plan, or as many as are permitted. Returns when the last one has ended, its
/// teardown included. At any moment only as many trials exist as environments are allowed.
pub(crate) async fn execute(context: Arc<TrialContext>, trials: Vec<TrialPlan>) {
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for trial in trials {
        // What an agent had finished is still scored when no new trial may start.
        let too_late = match trial.finished {
            Some(_) => StopLevel::Graceful,
            None => StopLevel::StartNothing,
        };
        // Both arms are pure waits: a permit that is not taken goes to the next in the queue.
        let permit = tokio::select! {
            biased;
            () = context.stop.reached(too_late) => break,
            permit = context.admission.environment() => permit,
        };
        let (permission, permitted) = oneshot::channel();
        context.notify(Notice::Ready {
            trial: trial.id.clone(),
            finished: trial.finished.is_some(),
            permission,
        });
        if permitted.await.is_err() {
            break;
        }
        let shared = Arc::clone(&context);
        running.spawn(async move { run_trial(&shared, trial, permit, begun).await });
        while let Some(ended) = running.try_join_next() {
            report_panic(&context, ended);
        }
    }
    while let Some(ended) = running.join_next().await {
        report_panic(&context, ended);
    }
}

/// A panic inside a trial's work is caught there; one that gets here is in the trial's own frame.
fn report_panic(context: &TrialContext, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        context.notify(Notice::Fatal(format!("a bug in the harness: {error}")));
    }
}
