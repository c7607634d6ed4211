//! Follows a recovery plan: ends what was cut off, closes what is left, and records it.

use std::collections::HashSet;

use fleet_api::types::InstanceQuery;
use run_record::{InstanceId, RunRecord, TrialId};

use super::plan::{LiveInstance, RecoveryPlan};
use crate::recorder::JournalBroken;
use crate::runner::{Notice, sweep};
use crate::trial::TrialContext;

/// Gives back what the last sitting left and returns the trials that have no score.
///
/// The service is listed before the plan is made and swept until it is empty after, because a create that was
/// on its way when the harness died may show up late.
pub(crate) async fn recover(
    context: &TrialContext,
    record: &RunRecord,
) -> Result<Vec<TrialId>, JournalBroken> {
    let run = context.service_run_id();
    let query = InstanceQuery::of_run(run.clone());
    let live: Vec<LiveInstance> = match context.client.instances(&query).await {
        Ok(listed) => listed
            .into_iter()
            .filter(|instance| instance.run_id.as_ref() == Some(&run))
            .filter(|instance| !instance.status.is_ended())
            .map(|instance| LiveInstance {
                id: InstanceId::new(instance.instance_id.as_str()),
            })
            .collect(),
        Err(error) => {
            context.notify(Notice::Fatal(format!(
                "the run's instances could not be listed: {}",
                error.to_line()
            )));
            return Ok(Vec::new());
        }
    };
    let plan = RecoveryPlan::new(record, &live);
    if !plan.close.is_empty() {
        context.notify(Notice::Warning(format!(
            "closing {} instances that the last sitting left",
            plan.close.len()
        )));
    }
    if !plan.endings.is_empty() {
        context.recorder.record(plan.endings.clone()).await?;
    }
    if !plan.releases.is_empty() || !plan.close.is_empty() {
        let swept = sweep(&context.client, &run, true).await;
        let mut unconfirmed: HashSet<InstanceId> = swept.unconfirmed.into_iter().collect();
        if !swept.proven_empty {
            unconfirmed.extend(plan.close.iter().cloned());
        }
        let released = plan.released(&unconfirmed);
        if !released.is_empty() {
            context.recorder.record(released).await?;
        }
    }
    Ok(plan.again)
}
