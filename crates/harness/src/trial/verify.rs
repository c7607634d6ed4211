//! Asks for the score. A verifier that could not run is unknown, tried again, and never a zero.

use std::time::Instant;

use fleet_api::{ScoreError, VerifyArgs};
use run_record::{AgentOutcome, AgentReport, ErrorKind, Event, Failure, Phase, VerifierReport};

use super::attempt::{Current, Scored, cancelled, millis};
use super::context::{AttemptFailure, TrialContext};
use super::provision::Lease;
use crate::runner::{LivePhase, StopLevel};
use crate::spec::{VERIFY_TIMEOUT, VerifyWhen};

/// What one verification came to.
enum Try {
    Scored(f64, Option<String>),
    /// It may work the next time.
    Failed(Failure),
    /// It will not work with this instance.
    Lost(Failure),
    /// It will not work at all.
    Refused(Failure),
}

/// The score of what the agent left.
pub(crate) async fn score(
    context: &TrialContext,
    current: Current<'_>,
    lease: &Lease,
    report: &AgentReport,
) -> Result<Scored, AttemptFailure> {
    if context.spec.agent.verify == VerifyWhen::OnSuccess
        && report.outcome != AgentOutcome::Completed
    {
        // An agent whose environment broke under it fails too, and that is not its zero.
        match look(context, lease).await? {
            Seen::Alive => {}
            Seen::Lost(failure) | Seen::Unknown(failure) => {
                return Err(AttemptFailure::infrastructure(failure));
            }
        }
        return Ok(Scored {
            score: 0.0,
            verifier: VerifierReport {
                execution_id: None,
                elapsed_ms: 0,
                tries: 0,
            },
        });
    }
    let begun = Instant::now();
    context.phase(&current.plan.id, LivePhase::Verifying);
    // Both arms are pure waits.
    let _permit = tokio::select! {
        biased;
        () = context.stop.reached(StopLevel::Graceful) => return Err(cancelled(Phase::Verify)),
        permit = context.admission.verifier() => permit,
    };
    let intent = Event::VerifyIntended {
        trial: current.plan.id.clone(),
        attempt: current.attempt,
    };
    context
        .record(intent)
        .await
        .map_err(|broken| storage(&broken.to_string()))?;
    let mut tries = 0;
    loop {
        tries += 1;
        // A verification is cheap to repeat and changes nothing, so it may be dropped: when the instance is lost
        // its answer is worthless, and after a second signal nobody waits for it.
        let mut tried = tokio::select! {
            biased;
            tried = verify_once(context, current, lease, report) => tried,
            why = lease.lost() => Try::Lost(failure(ErrorKind::EnvironmentLost, why)),
            () = context.stop.reached(StopLevel::Forceful) => return Err(cancelled(Phase::Verify)),
        };
        // A verifier that looks at a dead instance fails or finds nothing done: neither says anything of the agent.
        let doubtful = match &tried {
            Try::Scored(score, _) => *score < context.spec.pass_threshold,
            Try::Failed(_) => true,
            Try::Lost(_) | Try::Refused(_) => false,
        };
        if doubtful {
            match look(context, lease).await? {
                Seen::Alive => {}
                Seen::Lost(failure) => return Err(AttemptFailure::infrastructure(failure)),
                // Whether it found nothing done or nothing at all cannot be told: no score, and another try.
                Seen::Unknown(failure) => tried = Try::Failed(failure),
            }
        }
        match tried {
            Try::Scored(score, execution_id) => {
                return Ok(Scored {
                    score,
                    verifier: VerifierReport {
                        execution_id,
                        elapsed_ms: millis(begun.elapsed()),
                        tries,
                    },
                });
            }
            Try::Lost(failure) => return Err(AttemptFailure::infrastructure(failure)),
            Try::Refused(failure) => {
                // A credential that is refused here is refused for every later trial.
                let fatal = failure.kind == ErrorKind::Unauthorized;
                return Err(AttemptFailure {
                    fatal,
                    ..AttemptFailure::permanent(failure)
                });
            }
            Try::Failed(failure) if tries >= context.spec.retry.attempts => {
                return Err(AttemptFailure::permanent(failure));
            }
            Try::Failed(failure) => {
                tracing::warn!(trial = %current.plan.id, tries, %failure, "verification failed");
                let pause = context.spec.retry.initial_delay.saturating_mul(tries);
                // Both arms are pure waits.
                tokio::select! {
                    biased;
                    () = tokio::time::sleep(pause.min(context.spec.retry.max_delay)) => {}
                    () = context.stop.reached(StopLevel::Graceful) => {
                        return Err(cancelled(Phase::Verify));
                    }
                }
            }
        }
    }
}

/// What a look at the instance shows.
enum Seen {
    Alive,
    Lost(Failure),
    /// The service does not say.
    Unknown(Failure),
}

/// Looks whether the instance still lives. An error means that nobody waits for the answer any more.
async fn look(context: &TrialContext, lease: &Lease) -> Result<Seen, AttemptFailure> {
    // Both arms only read.
    let seen = tokio::select! {
        biased;
        seen = context.service.instance(&lease.instance.instance_id) => seen,
        () = context.stop.reached(StopLevel::Forceful) => return Err(cancelled(Phase::Verify)),
    };
    Ok(match seen {
        Ok(seen) if seen.status.is_ended() => Seen::Lost(failure(
            ErrorKind::EnvironmentLost,
            format!("the instance is {}", seen.status),
        )),
        Ok(_) => Seen::Alive,
        Err(error) if error.is_gone() => {
            Seen::Lost(failure(ErrorKind::EnvironmentLost, error.to_line()))
        }
        Err(error) => Seen::Unknown(failure(
            ErrorKind::Unavailable,
            format!(
                "whether the instance lives could not be told: {}",
                error.to_line()
            ),
        )),
    })
}

async fn verify_once(
    context: &TrialContext,
    current: Current<'_>,
    lease: &Lease,
    report: &AgentReport,
) -> Try {
    let args = VerifyArgs {
        final_answer: report.final_answer.clone(),
        timeout: Some(VERIFY_TIMEOUT),
        ..VerifyArgs::default()
    };
    let Some(verifier) = &current.plan.task.verifier else {
        let message = "the task has no verifier".to_owned();
        return Try::Refused(failure(ErrorKind::VerifierError, message));
    };
    let answered = context
        .service
        .verify(verifier, &lease.instance.instance_id, &args)
        .await;
    let response = match answered {
        Ok(response) => response,
        Err(error) => return classify(&error),
    };
    keep_evidence(context, current, &response);
    let execution_id = response
        .execution_id
        .as_ref()
        .map(|id| id.as_str().to_owned());
    match response.score() {
        Ok(score) => Try::Scored(score, execution_id),
        // What is no score will be none the next time: the verifier is wrong, not unlucky.
        Err(
            error @ (ScoreError::Invalid { .. }
            | ScoreError::NotFinite { .. }
            | ScoreError::OutOfRange { .. }),
        ) => Try::Refused(failure(ErrorKind::VerifierError, error.to_string())),
        Err(error) => Try::Failed(failure(ErrorKind::VerifierError, error.to_string())),
    }
}

fn classify(error: &fleet_api::Error) -> Try {
    let message = error.to_line();
    if error.is_auth() {
        return Try::Refused(failure(ErrorKind::Unauthorized, message));
    }
    if error.is_gone() {
        return Try::Lost(failure(ErrorKind::EnvironmentLost, message));
    }
    if error.is_retryable() || error.is_ambiguous() {
        return Try::Failed(failure(ErrorKind::Unavailable, message));
    }
    Try::Refused(failure(ErrorKind::Rejected, message))
}

/// Writes `verifier.json`. The score does not depend on it, so a full disk does not take the score away.
fn keep_evidence(
    context: &TrialContext,
    current: Current<'_>,
    response: &fleet_api::types::ExecuteResponse,
) {
    let path = context.layout.trial(&current.plan.id).file("verifier.json");
    let text = serde_json::to_string_pretty(response).expect("a decoded answer can be encoded");
    if let Err(error) = fs_err::write(path, context.masked(text)) {
        tracing::warn!(trial = %current.plan.id, %error, "the verifier's answer could not be kept");
    }
}

fn failure(kind: ErrorKind, message: String) -> Failure {
    Failure {
        phase: Phase::Verify,
        kind,
        message,
    }
}

fn storage(message: &str) -> AttemptFailure {
    AttemptFailure::permanent(failure(ErrorKind::Storage, message.to_owned()))
}
