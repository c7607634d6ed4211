//! Gives an instance back.
//!
//! # Guarantees
//! Once an instance exists this runs to its end on every path: after a score, a failure, a cancellation or a
//! panic. It is idempotent: an instance that is gone is given back. Its result is its own and changes no score.
//!
//! # Assumptions
//! Heartbeats stop when it begins, so that an instance that cannot be closed still ends by lapse.
//!
//! # Caveats
//! It is bounded by a budget. What could not be confirmed in it is recorded as such, looked for again at the end
//! of the run, and named there with the command that closes it.

use std::time::{Duration, Instant};

use fleet_api::types;
use run_record::{Event, TeardownOutcome};

use super::attempt::{Current, millis};
use super::context::TrialContext;
use super::provision::Held;
use crate::runner::{Notice, StopLevel};
use crate::world::Service;

/// How long an instance may take to be closed, and how long after a second signal.
const BUDGET: Duration = Duration::from_secs(120);
const BUDGET_IN_A_HURRY: Duration = Duration::from_secs(6);

/// Between two tries. The client has its own, shorter retries below these.
const PAUSE: Duration = Duration::from_secs(2);

/// Closes the instance and records how that went.
pub(crate) async fn release(context: &TrialContext, current: Current<'_>, held: Held) {
    let begun = Instant::now();
    let Held {
        instance,
        kept_alive,
    } = held;
    drop(kept_alive);
    let trial = current.plan.id.clone();
    let attempt = current.attempt;
    let intent = Event::ReleaseIntended {
        trial: trial.clone(),
        attempt,
    };
    // A close is right whether or not its intent can be written.
    let _ = context.record(intent).await;
    let teardown = close_in_time(context, &instance).await;
    if teardown == TeardownOutcome::Unconfirmed {
        context.notify(Notice::Warning(format!(
            "{trial}: instance {instance} could not be confirmed closed; it is looked for again at the end of the run"
        )));
    } else {
        context.admission.instance_given_back();
    }
    let outcome = Event::Released {
        trial,
        attempt,
        teardown,
        elapsed_ms: millis(begun.elapsed()),
    };
    let _ = context.record(outcome).await;
}

async fn close_in_time(context: &TrialContext, instance: &types::InstanceId) -> TeardownOutcome {
    let hurry = async {
        context.stop.reached(StopLevel::Forceful).await;
        tokio::time::sleep(BUDGET_IN_A_HURRY).await;
    };
    // Dropping the close gives up waiting for its answer; the request has left, and the result says unconfirmed.
    tokio::select! {
        biased;
        outcome = close(context.service.as_ref(), instance) => outcome,
        () = tokio::time::sleep(BUDGET) => TeardownOutcome::Unconfirmed,
        () = hurry => TeardownOutcome::Unconfirmed,
    }
}

/// Closes until the service says that the instance is closed or unknown. Bounded by its caller.
pub(crate) async fn close(service: &dyn Service, instance: &types::InstanceId) -> TeardownOutcome {
    loop {
        match service.close(instance).await {
            Ok(closed) if closed.status.is_ended() => return TeardownOutcome::Released,
            // Accepted, but still on its way down.
            Ok(_) => match service.instance(instance).await {
                Ok(seen) if seen.status.is_ended() => return TeardownOutcome::Released,
                Err(error) if error.is_gone() => return TeardownOutcome::Released,
                Ok(_) | Err(_) => {}
            },
            Err(error) if error.is_gone() => return TeardownOutcome::AlreadyGone,
            Err(error) => {
                tracing::warn!(%instance, error = error.to_line(), "close failed");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
