//! `harness rerun`: a new run of a part of an old one. The old run stays as it is.

use std::sync::Arc;

use harness::plan::load_tasks;
use harness::runner::Beginning;
use run_record::{AgentOutcome, RunId, RunLayout, RunRecord, TrialRecord, TrialStatus};

use super::resume::{plan_of, stored_spec};
use super::run::{make_folder, run_info};
use super::sitting::{Sitting, sit};
use crate::args::{Only, RerunArgs};
use crate::failure::{Failure, Outcome, chain};
use crate::printer::Printer;
use crate::runs;
use crate::service::Service;

pub(crate) async fn rerun(args: &RerunArgs, printer: Printer) -> Outcome {
    let found = runs::find(&args.dir.runs, &args.run)?;
    let chosen = chosen(&found.record, args);
    if chosen.trials.is_empty() {
        return Err(Failure::usage(format!(
            "error: the run {} has no such trial",
            found.record.info.run_id
        ))
        .hint(format!("`harness show {}` names its trials", args.run)));
    }
    let spec = stored_spec(&found, printer)?;
    let program = std::env::current_exe()
        .map_err(|error| Failure::fatal(format!("error: could not find this program: {error}")))?;
    let service = Service::of(&spec).await?;
    let plan = match load_tasks(&spec.tasks.source, &service.client).await {
        Ok(tasks) => plan_of(&chosen, tasks, &spec),
        Err(error) => Err(Failure::usage(chain(&error))),
    };
    let plan = match plan {
        Ok(plan) => plan,
        Err(failure) => {
            service.stop().await;
            return Err(failure);
        }
    };
    let started_at = jiff::Timestamp::now();
    let run_id = RunId::generate(&spec.name, started_at);
    let layout = RunLayout::new(&spec.report.dir, &run_id);
    make_folder(&layout, &spec.to_resolved_yaml(), &spec.report.dir)?;
    let mut info = run_info(&run_id, started_at, &spec, &plan, &service.endpoint);
    info.rerun_of = Some(found.record.info.run_id.clone());
    let sitting = Sitting {
        beginning: Beginning::New(Box::new(info)),
        spec: Arc::new(spec),
        plan,
        service,
        program,
        run_id,
        layout,
    };
    sit(sitting, printer).await
}

/// The record with nothing but the trials that are asked for.
fn chosen(record: &RunRecord, args: &RerunArgs) -> RunRecord {
    let mut part = record.clone();
    part.trials.retain(|trial| {
        let named =
            args.tasks.is_empty() || args.tasks.iter().any(|key| key == trial.id.task.as_str());
        named && is_meant(trial, args.only)
    });
    for trial in &mut part.trials {
        // In the new run none of them has a score.
        trial.status = TrialStatus::Pending;
    }
    part
}

fn is_meant(trial: &TrialRecord, only: Only) -> bool {
    let without_score = trial.status != TrialStatus::Scored;
    match only {
        Only::Unscored => without_score,
        Only::Failed => trial.passed == Some(false),
        Only::Errored => without_score || trial.agent_outcome() != AgentOutcome::Completed,
    }
}
