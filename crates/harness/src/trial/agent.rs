//! Runs the agent under its supervisor until it ends, is out of time, loses its instance or is stopped.
//!
//! When this returns a report, every process of the agent is proven dead: a verifier never looks at a state that
//! still changes.

use std::sync::Arc;

use process_tree::{LeaderStatus, SpawnError, TreeExit};
use run_record::{AgentOutcome, AgentReport, ErrorKind, Event, Failure, Phase};

use super::agent_env::{self, AgentFiles, PrepareError};
use super::agent_result::{AgentResult, ClaimedFault};
use super::attempt::{Current, cancelled, millis};
use super::context::{AttemptFailure, TrialContext};
use super::provision::Lease;
use super::written;
use crate::runner::{LivePhase, Notice, StopLevel};
use crate::sessions;
use crate::world::AgentTree;

/// `EX_TEMPFAIL`: the agent says that it was not its fault and that another attempt may do better.
const TRY_AGAIN: i32 = 75;

/// Why we ended the agent, if we did.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ended {
    ByItself,
    OutOfTime,
    LostInstance(String),
    Cancelled,
}

/// Runs the agent of one attempt. An error means that there is nothing to verify.
pub(crate) async fn run(
    context: &TrialContext,
    current: Current<'_>,
    lease: &Lease,
) -> Result<AgentReport, AttemptFailure> {
    let trial = &current.plan.id;
    context.phase(trial, LivePhase::Ready);
    // All arms are pure waits; the permit that is not taken goes to the next in the queue.
    let _permit = tokio::select! {
        biased;
        () = context.stop.reached(StopLevel::EndAgents) => return Err(cancelled(Phase::Agent)),
        why = lease.lost() => return Err(lost(why)),
        permit = context.admission.agent() => permit,
    };
    let layout = context.layout.trial(trial);
    let files = AgentFiles::prepare(&layout, current, lease).map_err(could_not_prepare)?;
    let command = agent_env::command(context, current, lease, &files).map_err(could_not_prepare)?;
    context.phase(trial, LivePhase::AgentRunning);
    let mut tree = match context.agents.start(command).await {
        Ok(tree) => tree,
        Err(error) => return Err(could_not_start(&error)),
    };
    let started = Event::AgentStarted {
        trial: trial.clone(),
        attempt: current.attempt,
        pid: tree.pid(),
    };
    if context.record(started).await.is_err() {
        tree.kill();
        tree.wait().await;
        return Err(storage("the journal cannot be written"));
    }
    let (exit, ended) = watch(context, lease, tree.as_mut()).await;
    let report = settle(context, current, &files, &exit, &ended).await?;
    match ended {
        Ended::LostInstance(why) => Err(lost(why)),
        Ended::Cancelled => Err(cancelled(Phase::Agent)),
        Ended::ByItself | Ended::OutOfTime => Ok(report),
    }
}

/// Waits for the end of the tree, bringing it about if it must.
async fn watch(
    context: &TrialContext,
    lease: &Lease,
    tree: &mut dyn AgentTree,
) -> (TreeExit, Ended) {
    let time_is_up = tokio::time::sleep(context.spec.agent.timeout);
    tokio::pin!(time_is_up);
    let mut ended = Ended::ByItself;
    let mut killed = false;
    loop {
        let untouched = ended == Ended::ByItself;
        // `wait` may be dropped and called again; the others are pure waits. Each is armed at most once, and
        // after any of them the loop goes on until the tree is gone.
        tokio::select! {
            biased;
            exit = tree.wait() => {
                // What was asked to stop but had ended already ended by itself.
                let ended = if exit.stopped_by_us { ended } else { settled_first(ended) };
                return (exit, ended);
            }
            why = lease.lost(), if untouched => {
                ended = Ended::LostInstance(why);
                tree.kill();
            }
            () = context.stop.reached(StopLevel::EndAgents), if untouched => {
                ended = Ended::Cancelled;
                tree.terminate();
            }
            () = context.stop.reached(StopLevel::Forceful), if !killed => {
                killed = true;
                tree.kill();
            }
            () = &mut time_is_up, if untouched => {
                ended = Ended::OutOfTime;
                tree.terminate();
            }
        }
    }
}

/// An agent that ended before our request reached it was not stopped — but a lost instance stays lost.
fn settled_first(ended: Ended) -> Ended {
    match ended {
        Ended::LostInstance(why) => Ended::LostInstance(why),
        Ended::ByItself | Ended::OutOfTime | Ended::Cancelled => Ended::ByItself,
    }
}

/// Records what the agent did and left, once its tree is proven dead.
async fn settle(
    context: &TrialContext,
    current: Current<'_>,
    files: &AgentFiles,
    exit: &TreeExit,
    ended: &Ended,
) -> Result<AgentReport, AttemptFailure> {
    let is_flt = context.spec.agent.flt.is_some();
    let last_line = exit.last_json_line.as_deref();
    let result = if is_flt {
        AgentResult::collect_flt(&files.result, last_line, &files.stdout)
    } else {
        AgentResult::collect(&files.result, last_line)
    };
    keep_transcript(&result, files);
    mask(context, files).await;
    put_aside(context, current, files, &result).await;
    if !exit.proven_dead {
        return Err(AttemptFailure::permanent(Failure {
            phase: Phase::Agent,
            kind: ErrorKind::Survivors,
            message: survivors(exit),
        }));
    }
    for note in &result.notes {
        context.notify(Notice::Warning(format!("{}: {note}", current.plan.id)));
    }
    let tempfail = !is_flt && exit.status == LeaderStatus::Exited(TRY_AGAIN);
    let claims_infrastructure = result.fault == Some(ClaimedFault::Infrastructure);
    let let_down = *ended == Ended::ByItself && (tempfail || claims_infrastructure);
    let at_its_own_end = matches!(ended, Ended::ByItself | Ended::OutOfTime);
    // The verifier gets the answer as it was given; only what is written is masked.
    let report = AgentReport {
        verifiable: at_its_own_end && !let_down,
        ..report(exit, ended, &result, is_flt)
    };
    let finished = Event::AgentFinished {
        trial: current.plan.id.clone(),
        attempt: current.attempt,
        report: Box::new(report.clone()),
    };
    context
        .record(finished)
        .await
        .map_err(|broken| storage(&broken.to_string()))?;
    if let_down {
        return Err(AttemptFailure::infrastructure(Failure {
            phase: Phase::Agent,
            kind: ErrorKind::AgentInfrastructure,
            message: report.error.unwrap_or_else(|| {
                format!("the agent says that the infrastructure failed it (exit {TRY_AGAIN})")
            }),
        }));
    }
    Ok(report)
}

fn report(exit: &TreeExit, ended: &Ended, result: &AgentResult, is_flt: bool) -> AgentReport {
    let (exit_code, signal) = match exit.status {
        LeaderStatus::Exited(code) => (Some(code), None),
        LeaderStatus::Signaled(signal) => (None, Some(signal)),
        LeaderStatus::Unknown => (None, None),
    };
    let outcome = match (ended, exit_code) {
        (Ended::OutOfTime, _) => AgentOutcome::TimedOut,
        (Ended::LostInstance(_), _) => AgentOutcome::LostEnvironment,
        (Ended::Cancelled, _) => AgentOutcome::Failed,
        (Ended::ByItself, _) if is_flt && (result.is_there || exit_code.is_some()) => {
            result.outcome_flt()
        }
        (Ended::ByItself, Some(code)) => result.outcome(code),
        (Ended::ByItself, None) => AgentOutcome::Crashed,
    };
    let missing = is_flt && !result.is_there && *ended == Ended::ByItself;
    let missing = missing.then(|| "it printed no result, a line that is a JSON object".to_owned());
    let error = result.error.clone().or_else(|| out_of_memory(exit));
    AgentReport {
        outcome,
        exit_code,
        signal,
        error: error.or(missing),
        final_answer: result.final_answer.clone(),
        verifiable: false,
        steps: result.steps,
        session_id: result.session_id.clone(),
        usage: result.usage,
        leaked_processes: exit.leaked,
        containment: exit.level,
        elapsed_ms: millis(exit.duration),
    }
}

/// Without this a process that was killed for its memory looks like one that was killed for no reason.
fn out_of_memory(exit: &TreeExit) -> Option<String> {
    (exit.oom_kills > 0).then(|| {
        format!(
            "{} of its processes were killed because together they reached agent.memory_limit",
            exit.oom_kills
        )
    })
}

/// A transcript inside the result goes where transcripts are looked for, unless the agent wrote one itself.
fn keep_transcript(result: &AgentResult, files: &AgentFiles) {
    let Some(messages) = &result.transcript else {
        return;
    };
    if files.transcript.exists() {
        return;
    }
    let mut lines = String::new();
    for message in messages {
        lines.push_str(&message.to_string());
        lines.push('\n');
    }
    if let Err(error) = fs_err::write(&files.transcript, lines) {
        tracing::warn!(%error, "the transcript could not be kept");
    }
}

/// Takes secrets out of the files that the agent wrote and we show. The result was read before: the verifier gets it
/// as it was given.
async fn mask(context: &TrialContext, files: &AgentFiles) {
    for path in files.of_the_agent() {
        if !path.exists() {
            continue;
        }
        let redactor = context.redactor.clone();
        let masking = move || written::mask_file(&redactor, &path);
        let masked = tokio::task::spawn_blocking(masking).await;
        if let Ok(Err(problem)) = masked {
            context.notify(Notice::Warning(problem));
        }
    }
}

/// Keeps what the agent said for its session, unless it made one itself. Whether that can be done is no matter of the
/// trial.
async fn put_aside(
    context: &TrialContext,
    current: Current<'_>,
    files: &AgentFiles,
    result: &AgentResult,
) {
    if !context.spec.fleet.sessions || result.session_id.is_some() {
        return;
    }
    let to = context.layout.outgoing(&current.plan.id, current.attempt);
    let redactor = context.redactor.clone();
    let candidates = files.transcripts();
    let task = Arc::clone(&current.plan.task);
    let answer = result.final_answer.clone();
    let staging = move || {
        let answer = answer.as_deref();
        sessions::stage(&to, &redactor, &candidates, &task.prompt, answer)
    };
    let staged = tokio::task::spawn_blocking(staging).await;
    if let Ok(Err(problem)) = staged {
        context.notify(Notice::Warning(format!("{}: {problem}", current.plan.id)));
    }
}

fn survivors(exit: &TreeExit) -> String {
    let named: Vec<String> = exit
        .survivors
        .iter()
        .map(|process| format!("{} {} ({})", process.pid, process.comm, process.state))
        .collect();
    if named.is_empty() {
        "the death of the agent's processes could not be proven".to_owned()
    } else {
        format!(
            "processes of the agent could not be killed: {}",
            named.join(", ")
        )
    }
}

fn lost(why: String) -> AttemptFailure {
    AttemptFailure::infrastructure(Failure {
        phase: Phase::Agent,
        kind: ErrorKind::EnvironmentLost,
        message: format!("the instance was lost: {why}"),
    })
}

fn could_not_prepare(error: PrepareError) -> AttemptFailure {
    let kind = match error {
        PrepareError::Files(_) => ErrorKind::Storage,
        PrepareError::Template(_) => ErrorKind::Internal,
    };
    AttemptFailure::permanent(Failure {
        phase: Phase::Agent,
        kind,
        message: chain(&error),
    })
}

/// A missing program fails every trial alike, so it is not tried again; a machine that is out of processes may recover.
fn could_not_start(error: &SpawnError) -> AttemptFailure {
    let failure = Failure {
        phase: Phase::Agent,
        kind: ErrorKind::CouldNotStart,
        message: chain(error),
    };
    if error.is_transient() {
        AttemptFailure::infrastructure(failure)
    } else {
        AttemptFailure::permanent(failure)
    }
}

fn storage(message: &str) -> AttemptFailure {
    AttemptFailure::permanent(Failure {
        phase: Phase::Agent,
        kind: ErrorKind::Storage,
        message: message.to_owned(),
    })
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
