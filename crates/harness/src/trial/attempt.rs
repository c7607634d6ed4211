//! The line of a trial: attempts until one has a score, or none will.
//!
//! Everything between the lease and its release happens inside [`work`]; a failure, a cancellation or a panic in
//! there all come back here, and the release follows. Only infrastructure faults make another attempt.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use run_record::{Attempt, ErrorKind, Event, Failure, Phase, RequestId, VerifierReport};
use tokio::time::Instant;

use super::context::{AttemptFailure, TrialContext};
use super::{agent, provision, teardown, verify};
use crate::plan::{FinishedWork, TrialPlan};
use crate::runner::{EnvironmentPermit, LivePhase, Notice, StopLevel};

/// A trial and where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Current<'a> {
    pub(crate) plan: &'a TrialPlan,
    pub(crate) attempt: Attempt,
}

/// A score and where it comes from.
#[derive(Debug)]
pub(crate) struct Scored {
    pub(crate) score: f64,
    pub(crate) verifier: VerifierReport,
}

/// What follows an attempt.
enum Next {
    Finished,
    Again(Attempt, Duration),
}

/// Runs a trial to its end. The permit is held until the last instance is given back.
pub(crate) async fn run_trial(
    context: &TrialContext,
    plan: TrialPlan,
    _permit: EnvironmentPermit,
    run_begun: Instant,
) {
    let mut attempt = plan.first_attempt;
    let mut ready_since = run_begun;
    loop {
        let current = Current {
            plan: &plan,
            attempt,
        };
        let next = match &plan.finished {
            Some(finished) if attempt == plan.first_attempt => {
                verify_finished(context, current, finished).await
            }
            _ => run_attempt(context, current, ready_since.elapsed()).await,
        };
        match next {
            Next::Finished => break,
            Next::Again(next, pause) => {
                context.phase(&plan.id, LivePhase::WaitingToRetry);
                ready_since = Instant::now();
                // Both arms are pure waits. A trial that is stopped here keeps the failure of its last attempt.
                tokio::select! {
                    biased;
                    () = context.stop.reached(StopLevel::StartNothing) => break,
                    () = tokio::time::sleep(pause) => {}
                }
                attempt = next;
            }
        }
    }
    context.notify(Notice::Done { trial: plan.id });
}

async fn run_attempt(context: &TrialContext, current: Current<'_>, queued: Duration) -> Next {
    let trial = &current.plan.id;
    let attempt = current.attempt;
    let request_id = RequestId::random();
    let intent = Event::ProvisionIntended {
        trial: trial.clone(),
        attempt,
        request_id,
        queue_ms: millis(queued),
    };
    // Without a durable intent there must be no create.
    if context.record(intent).await.is_err() {
        return Next::Finished;
    }
    context.phase(trial, LivePhase::Provisioning);
    match provision::provision(context, current, request_id).await {
        Ok(lease) => {
            let result = contained(work(context, current, &lease)).await;
            finish_attempt(context, current, Some(lease.into()), result).await
        }
        Err((held, failure)) => finish_attempt(context, current, held, Err(failure)).await,
    }
}

/// An attempt whose agent had finished when its harness ended: only the verification is missing, and the instance
/// still stands as the agent left it.
async fn verify_finished(
    context: &TrialContext,
    current: Current<'_>,
    finished: &FinishedWork,
) -> Next {
    context.phase(&current.plan.id, LivePhase::Verifying);
    match provision::adopt(context, finished).await {
        Ok(lease) => {
            let scoring = verify::score(context, current, &lease, &finished.report);
            let result = contained(scoring).await;
            finish_attempt(context, current, Some(lease.into()), result).await
        }
        Err((held, failure)) => finish_attempt(context, current, held, Err(failure)).await,
    }
}

/// The result of work that holds an instance; a panic in it is a result as well, so that the release still follows.
async fn contained(
    work: impl Future<Output = Result<Scored, AttemptFailure>>,
) -> Result<Scored, AttemptFailure> {
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| {
            Err(AttemptFailure::permanent(Failure {
                phase: Phase::Agent,
                kind: ErrorKind::Internal,
                message: panic_text(panic.as_ref()),
            }))
        })
}

/// Records the result, then gives back what is held: a score is durable before its instance is given back. If it
/// cannot be made durable, the instance is given back all the same.
async fn finish_attempt(
    context: &TrialContext,
    current: Current<'_>,
    held: Option<provision::Held>,
    result: Result<Scored, AttemptFailure>,
) -> Next {
    let (event, next) = conclude(context, current, result);
    let recorded = context.record(event).await;
    if let Some(held) = held {
        context.phase(&current.plan.id, LivePhase::TearingDown);
        teardown::release(context, current, held).await;
    }
    match recorded {
        Ok(()) => next,
        Err(_) => Next::Finished,
    }
}

/// The agent's work and its scoring. Whatever this returns, the caller gives the instance back.
async fn work(
    context: &TrialContext,
    current: Current<'_>,
    lease: &provision::Lease,
) -> Result<Scored, AttemptFailure> {
    let report = agent::run(context, current, lease).await?;
    verify::score(context, current, lease, &report).await
}

/// The event that ends the attempt's result, and what follows.
fn conclude(
    context: &TrialContext,
    current: Current<'_>,
    result: Result<Scored, AttemptFailure>,
) -> (Event, Next) {
    let trial = current.plan.id.clone();
    let attempt = current.attempt;
    let failed = match result {
        Ok(scored) => {
            let event = Event::Scored {
                trial,
                attempt,
                score: scored.score,
                verifier: Box::new(scored.verifier),
            };
            return (event, Next::Finished);
        }
        Err(failed) => failed,
    };
    let retry = failed.retryable && attempt_of_sitting(current) < context.spec.retry.attempts;
    // A stop takes nothing from a trial: what it may still try is tried by the next sitting.
    let now = retry && !context.stop.is(StopLevel::StartNothing);
    if failed.fatal {
        context.notify(Notice::Fatal(failed.failure.message.clone()));
    }
    let next = if now {
        context.notify(Notice::Retrying {
            trial: trial.clone(),
            attempt,
            failure: failed.failure.clone(),
        });
        Next::Again(attempt.next(), retry_pause(context, current))
    } else {
        Next::Finished
    };
    let event = Event::Unscored {
        trial,
        attempt,
        failure: failed.failure,
        retry,
        ambiguous: failed.ambiguous,
    };
    (event, next)
}

/// Counts from 1 with each sitting: what an earlier one used up does not count against this one.
fn attempt_of_sitting(current: Current<'_>) -> u32 {
    current.attempt.0 - current.plan.first_attempt.0 + 1
}

/// The pause after an attempt: doubling from `initial_delay` up to `max_delay`.
fn retry_pause(context: &TrialContext, current: Current<'_>) -> Duration {
    let retry = &context.spec.retry;
    let doubled = 1_u32 << (attempt_of_sitting(current) - 1).min(16);
    retry
        .initial_delay
        .saturating_mul(doubled)
        .min(retry.max_delay)
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a bug in the harness: {}", text.unwrap_or("it panicked"))
}

/// Milliseconds of a duration.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The failure of a trial that the run's end cut off.
pub(crate) fn cancelled(phase: Phase) -> AttemptFailure {
    AttemptFailure::permanent(Failure {
        phase,
        kind: ErrorKind::Cancelled,
        message: "the run was stopped".to_owned(),
    })
}
