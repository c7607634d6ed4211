//! Gets a running instance and keeps it alive from the moment it exists.

use std::time::Duration;

use fleet_api::types::{self, Instance};
use fleet_api::{CreateInstance, ErrorKind as ServiceError};
use run_record::{ErrorKind, Event, Failure, InstanceId, Phase, RequestId};
use tokio::time::Instant;

use super::attempt::{Current, cancelled, millis};
use super::context::{AttemptFailure, TrialContext};
use crate::lease::KeptAlive;
use crate::plan::FinishedWork;
use crate::runner::{LivePhase, Notice, SWEEP_BUDGET, StopLevel};

/// Our claim on an instance. It is given back by `teardown::release`, never by a drop.
#[derive(Debug)]
pub(crate) struct Lease {
    /// The instance as the service described it.
    pub(crate) instance: Instance,
    kept_alive: KeptAlive,
}

/// What is to be given back: an instance, whether it ever ran or not.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) instance: types::InstanceId,
    /// Beats until the teardown begins.
    pub(crate) kept_alive: Option<KeptAlive>,
}

impl Lease {
    /// Returns with the reason when the instance is lost. Dropping the wait loses nothing.
    pub(crate) async fn lost(&self) -> String {
        self.kept_alive.lost().await.0
    }
}

impl From<Lease> for Held {
    fn from(lease: Lease) -> Self {
        Self {
            instance: lease.instance.instance_id,
            kept_alive: Some(lease.kept_alive),
        }
    }
}

/// Creates an instance under `request_id` and waits until it runs.
///
/// On an error there is something to give back if the service holds an instance all the same.
pub(crate) async fn provision(
    context: &TrialContext,
    current: Current<'_>,
    request_id: RequestId,
) -> Result<Lease, (Option<Held>, AttemptFailure)> {
    let begun = Instant::now();
    // Nothing has left yet, so nothing is in doubt.
    if context.stop.is(StopLevel::EndAgents) {
        return Err((None, cancelled(Phase::Provision)));
    }
    let instance = create(context, current, request_id).await?;
    let id = InstanceId::new(instance.instance_id.as_str());
    let provisioned = Event::Provisioned {
        trial: current.plan.id.clone(),
        attempt: current.attempt,
        instance: id.clone(),
        elapsed_ms: millis(begun.elapsed()),
    };
    let lease = Lease {
        kept_alive: keep_alive(context, &id, context.lease_time()),
        instance,
    };
    match context.record(provisioned).await {
        Ok(()) => Ok(lease),
        Err(broken) => {
            let failure = Failure {
                phase: Phase::Provision,
                kind: ErrorKind::Storage,
                message: broken.to_string(),
            };
            Err((Some(lease.into()), AttemptFailure::permanent(failure)))
        }
    }
}

/// Beats for the instances of finished work from the moment that it is known: others are closed first, which takes time.
pub(crate) fn keep_finished<'a>(
    context: &TrialContext,
    works: impl Iterator<Item = &'a FinishedWork>,
) {
    let time = context.verify_time() + SWEEP_BUDGET;
    let beaten = works.map(|work| {
        let beating = keep_alive(context, &work.instance, time);
        (work.instance.clone(), beating)
    });
    context.adopted().extend(beaten);
}

fn keep_alive(context: &TrialContext, instance: &InstanceId, time: Duration) -> KeptAlive {
    context.heartbeats.keep_alive(
        instance.as_str().to_owned(),
        context.spec.environment.heartbeat,
        time,
        context.beats.clone(),
    )
}

/// Takes over the instance of an attempt whose harness ended, to verify the work that its agent had finished.
pub(crate) async fn adopt(
    context: &TrialContext,
    work: &FinishedWork,
) -> Result<Lease, (Option<Held>, AttemptFailure)> {
    let instance = types::InstanceId::new(work.instance.as_str());
    let held = |instance| {
        Some(Held {
            instance,
            kept_alive: None,
        })
    };
    // Both arms only read.
    let seen = tokio::select! {
        biased;
        seen = context.service.instance(&instance) => seen,
        () = context.stop.reached(StopLevel::Graceful) => {
            return Err((held(instance), cancelled(Phase::Verify)));
        }
    };
    let why = match seen {
        Ok(seen) if seen.status.is_running() => {
            let beaten = context.adopted().remove(&work.instance);
            let kept_alive = beaten
                .unwrap_or_else(|| keep_alive(context, &work.instance, context.verify_time()));
            return Ok(Lease {
                kept_alive,
                instance: seen,
            });
        }
        Ok(seen) => format!("the instance is {}", seen.status),
        Err(error) => error.to_line(),
    };
    let failure = Failure {
        phase: Phase::Verify,
        kind: ErrorKind::EnvironmentLost,
        message: format!("the finished work could not be verified: {why}"),
    };
    Err((held(instance), AttemptFailure::infrastructure(failure)))
}

/// Asks until the service gives an instance or refuses for good. "No room" and "too fast" are waiting, not failing.
async fn create(
    context: &TrialContext,
    current: Current<'_>,
    request_id: RequestId,
) -> Result<Instance, (Option<Held>, AttemptFailure)> {
    let request = request(context, current, request_id);
    let mut refused_since = None;
    let mut ambiguous = false;
    let mut refusals = 0;
    let stopped = |ambiguous| {
        let mut failed = cancelled(Phase::Provision);
        failed.ambiguous = ambiguous;
        Err((None, failed))
    };
    loop {
        let Some(mut place) = unless_stopped(context, place(context, current, refusals)).await
        else {
            return stopped(ambiguous);
        };
        let error = match answer_in_time(context, context.service.create(&request)).await {
            Some(Ok(instance)) => {
                place.granted();
                return Ok(instance);
            }
            Some(Err(error)) => error,
            None => {
                context.left_under_way();
                return stopped(true);
            }
        };
        let too_fast = matches!(error.kind(), ServiceError::RateLimited { .. });
        // An instance that an earlier, unanswered call may have made is not unmade by a later refusal.
        ambiguous |= error.is_ambiguous();
        if error.is_ambiguous() {
            // A connection that broke has brought it or never will. Whoever answers for the service, or stops waiting
            // for it, leaves it on its way.
            match error.kind() {
                ServiceError::Network { .. } if error.attempts() <= 1 => context.left_in_doubt(),
                _ => context.left_under_way(),
            }
        }
        let waited = refused_since.get_or_insert_with(Instant::now).elapsed();
        if !(error.is_quota() || too_fast) || waited >= context.spec.environment.quota_timeout {
            let held = error.instance_id().map(|id| Held {
                instance: id.clone(),
                kept_alive: None,
            });
            let mut failed = classify(&error);
            failed.ambiguous |= ambiguous;
            return Err((held, failed));
        }
        if place.refused() {
            context.notify(Notice::Held(error.to_line()));
        }
        context.phase(&current.plan.id, LivePhase::WaitingForQuota);
        // The place is kept meanwhile: whoever is next would hear the same.
        let pause = context.admission.quota_may_have_changed(refusals);
        if unless_stopped(context, pause).await.is_none() {
            return stopped(ambiguous);
        }
        refusals += 1;
        // Those who wait get their turn before this trial asks again.
        drop(place);
        tokio::task::yield_now().await;
    }
}

/// How long a create that has left may take to answer once agents are ended, and once the run is told to hurry. Its
/// answer names the instance; without it only the service's listing does, which may be late.
const ANSWER_AFTER_STOP: Duration = Duration::from_secs(8);
const ANSWER_IN_A_HURRY: Duration = Duration::from_secs(2);

/// A pure wait, given up when no agent would be started any more.
async fn unless_stopped<T>(context: &TrialContext, wait: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = context.stop.reached(StopLevel::EndAgents) => None,
        waited = wait => Some(waited),
    }
}

/// The answer of a call that has left. It is not dropped at the moment of a stop, because it has its effect all the same.
async fn answer_in_time<T>(context: &TrialContext, call: impl Future<Output = T>) -> Option<T> {
    let hurry = async {
        context.stop.reached(StopLevel::Forceful).await;
        tokio::time::sleep(ANSWER_IN_A_HURRY).await;
    };
    let given_up = async {
        context.stop.reached(StopLevel::EndAgents).await;
        // Both arms are pure waits.
        tokio::select! {
            biased;
            () = hurry => {}
            () = tokio::time::sleep(ANSWER_AFTER_STOP) => {}
        }
    };
    // Giving up leaves an instance that nobody knows: the attempt is recorded as ambiguous, nobody beats for it, and
    // the last look of the run waits for it to be listed.
    tokio::select! {
        biased;
        answer = call => Some(answer),
        () = given_up => None,
    }
}

/// Waits for a place among the creates; on the screen too, if it is the service that lets us wait.
async fn place<'a>(
    context: &'a TrialContext,
    current: Current<'_>,
    refusals: u32,
) -> crate::runner::Place<'a> {
    let creates = context.admission.creates();
    if creates.is_held_back() {
        context.phase(&current.plan.id, LivePhase::WaitingForQuota);
    }
    let place = creates.place().await;
    if refusals == 0 {
        context.phase(&current.plan.id, LivePhase::Provisioning);
    }
    place
}

fn request(context: &TrialContext, current: Current<'_>, request_id: RequestId) -> CreateInstance {
    let environment = &context.spec.environment;
    let mut request = CreateInstance::for_task(&current.plan.task)
        .request_id(types::RequestId::from(request_id.0))
        .run_id(context.service_run_id())
        .ttl(context.lease_time())
        .heartbeat_interval(environment.heartbeat)
        .timeout(environment.ready_timeout);
    if let Some(region) = &context.spec.fleet.region {
        request = request.region(region);
    }
    request
}

/// What a failed create means for the trial and for the run.
fn classify(error: &fleet_api::Error) -> AttemptFailure {
    let (kind, permanent) = match error.kind() {
        // Waited out for as long as the spec allows.
        ServiceError::InstanceLimit { .. } => (ErrorKind::Quota, true),
        ServiceError::RateLimited { .. } => (ErrorKind::RateLimited, true),
        ServiceError::Timeout { .. } => (ErrorKind::Timeout, false),
        ServiceError::Authentication { .. } | ServiceError::TeamNotFound { .. } => {
            (ErrorKind::Unauthorized, true)
        }
        // The instance came up broken or died: a fresh one may do better.
        ServiceError::Conflict { .. } => (ErrorKind::EnvironmentLost, false),
        _ if error.is_retryable() => (ErrorKind::Unavailable, false),
        ServiceError::Network { .. }
        | ServiceError::Undecodable { .. }
        | ServiceError::BodyTooLarge { .. } => (ErrorKind::Unavailable, false),
        _ => (ErrorKind::Rejected, true),
    };
    AttemptFailure {
        failure: Failure {
            phase: Phase::Provision,
            kind,
            message: error.to_line(),
        },
        retryable: !permanent,
        ambiguous: error.is_ambiguous() || error.instance_id().is_some(),
        fatal: error.is_auth(),
    }
}
