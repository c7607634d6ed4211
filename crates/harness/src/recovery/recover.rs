//! Follows a recovery plan: ends what was cut off, closes what is left, and records it.

use std::collections::HashSet;

use process_tree::{Stray, StraysEnd};
use run_record::{InstanceId, RunRecord};
use tokio::time::Instant;

use super::plan::{LiveInstance, RecoveryPlan};
use crate::recorder::JournalBroken;
use crate::runner::{LISTING, Notice, StopLevel, Strays, sweep_in_time};
use crate::trial::{TrialContext, keep_finished};

/// How often the service is asked for the run's instances before it is given up, and the pause after a failure.
const LISTINGS: u32 = 3;
const PAUSE: std::time::Duration = std::time::Duration::from_secs(2);

/// Gives back what the last sitting left and returns the plan, whose trials are then to be run.
///
/// The service is listed before the plan is made and swept until it is empty after, because a create that was on its
/// way when the harness died may show up late.
pub(crate) async fn recover(
    context: &TrialContext,
    record: &RunRecord,
) -> Result<RecoveryPlan, JournalBroken> {
    end_strays(context).await;
    let Some(live) = live(context).await else {
        return Ok(RecoveryPlan::default());
    };
    let plan = RecoveryPlan::new(record, &live);
    keep_finished(context, plan.verify.iter().map(|(_, _, work)| work));
    if !plan.verify.is_empty() {
        context.notify(Notice::Warning(format!(
            "{} agents had finished when the last sitting ended: their work is verified, they do not run again",
            plan.verify.len()
        )));
    }
    if !plan.close.is_empty() {
        context.notify(Notice::Warning(format!(
            "closing {} instances that the last sitting left",
            plan.close.len()
        )));
    }
    if !plan.endings.is_empty() {
        context.record_all(plan.endings.clone()).await?;
    }
    if !plan.releases.is_empty() || !plan.close.is_empty() {
        let run = context.service_run_id();
        let service = context.service.as_ref();
        let unknown = plan.releases.iter().filter(|(_, _, known)| known.is_none());
        let unknown = unknown.count();
        let strays = Strays::of(record, unknown, Instant::now() + LISTING);
        let swept = sweep_in_time(service, &context.stop, &run, &strays, &plan.kept()).await;
        // Trials need not wait for what is still under way: the look at the end of this sitting does.
        let closed: HashSet<InstanceId> = swept.closed.into_iter().collect();
        let found = closed.difference(&strays.known).count();
        context.inherit_doubts(unknown.saturating_sub(found));
        let released = plan.released(&closed, swept.proven_empty);
        if !released.is_empty() {
            context.record_all(released).await?;
        }
    }
    Ok(plan)
}

/// Agents that a crash of harness and supervisors together may have left: none may work on while others begin.
async fn end_strays(context: &TrialContext) {
    let StraysEnd { ended, left } = context.agents.end_strays(&context.run_id).await;
    let named = |strays: &[Stray]| {
        let named: Vec<String> = strays
            .iter()
            .map(|stray| format!("{} {}", stray.pid, stray.comm))
            .collect();
        named.join(", ")
    };
    if !ended.is_empty() {
        context.notify(Notice::Warning(format!(
            "ended processes that the last sitting left: {}",
            named(&ended)
        )));
    }
    if !left.is_empty() {
        context.notify(Notice::Warning(format!(
            "processes of the last sitting could not be ended: {}",
            named(&left)
        )));
    }
}

/// What lives of the run. `None` if the service does not say so, which stops the run: to start without knowing what
/// is left could do everything twice.
async fn live(context: &TrialContext) -> Option<Vec<LiveInstance>> {
    let run = context.service_run_id();
    let mut listings = 1;
    let error = loop {
        // Both arms only read.
        let listed = tokio::select! {
            biased;
            listed = context.service.instances(&run) => listed,
            () = context.stop.reached(StopLevel::Forceful) => return None,
        };
        match listed {
            Ok(listed) => {
                let ours = listed
                    .into_iter()
                    .filter(|instance| instance.run_id.as_ref() == Some(&run))
                    .filter(|instance| !instance.status.is_ended())
                    .map(|instance| LiveInstance {
                        id: InstanceId::new(instance.instance_id.as_str()),
                    });
                return Some(ours.collect());
            }
            Err(error) if listings >= LISTINGS || !error.is_retryable() => break error,
            Err(_) => listings += 1,
        }
        // Both arms are pure waits.
        tokio::select! {
            biased;
            () = tokio::time::sleep(PAUSE) => {}
            () = context.stop.reached(StopLevel::Graceful) => return None,
        }
    };
    context.notify(Notice::Fatal(format!(
        "the run's instances could not be listed: {}",
        error.to_line()
    )));
    None
}
