//! `harness resume`: what an interrupted run left is given back, then what has no score is run.
//!
//! Everything comes from the run's own folder: the spec as it was resolved then, the plan and the results from the
//! journal. Only the tasks are loaded again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fleet_api::Task;
use harness::plan::{Plan, TrialPlan, load_tasks};
use harness::runner::Beginning;
use harness::spec::{LoadOptions, RunSpec, Variant, agent_programs};
use report::text;
use run_record::{
    Attempt, Journal, ReplayError, RunLayout, RunRecord, SalvageError, Salvaged, TaskKey,
    TrialStatus, VariantName, Verdict, replay, salvage,
};

use super::prepare::{check_containment, service_failure, spec_failure};
use super::sitting::{Sitting, sit};
use super::spec_change;
use crate::args::ResumeArgs;
use crate::failure::{Failure, Outcome, chain};
use crate::printer::Printer;
use crate::runs::{self, FoundRun};
use crate::secrets;
use crate::service::Service;

pub(crate) async fn resume(args: &ResumeArgs, printer: Printer) -> Outcome {
    let folder = runs::locate(&args.dir.runs, &args.run)?;
    if args.salvage {
        salvage_if_damaged(&folder, printer)?;
    }
    Box::pin(resume_found(runs::read(&folder)?, printer)).await
}

/// Goes on with a run that was found and read.
pub(crate) async fn resume_found(found: FoundRun, printer: Printer) -> Outcome {
    let without_score = |record: &RunRecord| {
        let open = record.trials.iter();
        open.filter(|trial| trial.status != TrialStatus::Scored)
            .count()
    };
    let left = without_score(&found.record);
    let held = found.record.open_leases().len();
    let sessions = found.record.open_sessions();
    if left == 0 && held == 0 && sessions == 0 && has_ended_well(&found.record) {
        printer.say(format_args!(
            "{}: every trial has a score and nothing is held; there is nothing to do",
            found.record.info.run_id
        ));
        return Ok(Verdict::of(&found.record).exit);
    }
    let held = match held {
        0 => String::new(),
        held => format!(", {} may be held", text::plural(held, "instance")),
    };
    let sessions = match sessions {
        0 => String::new(),
        sessions => format!(", {} not at the service", text::plural(sessions, "session")),
    };
    printer.say(format_args!(
        "resuming {}: {left} of {} have no score{held}{sessions}",
        found.record.info.run_id,
        text::plural(found.record.trials.len(), "trial")
    ));
    let spec = stored_spec(&found, printer)?;
    let program = std::env::current_exe()
        .map_err(|error| Failure::fatal(format!("error: could not find this program: {error}")))?;
    let lookup = |name: &str| std::env::var(name).ok();
    agent_programs(&spec, &program, &lookup).map_err(|error| spec_failure(&error, printer))?;
    check_containment(&spec, printer).await?;
    let service = Service::of(&spec).await?;
    match take_up(found, &spec, &service).await {
        Ok(taken) => {
            let sitting = Sitting {
                plan: taken.plan,
                service,
                program,
                run_id: taken.record.info.run_id.clone(),
                layout: taken.layout,
                beginning: Beginning::Resumed(taken.journal, Box::new(taken.record)),
                spec: Arc::new(spec),
            };
            sit(sitting, printer).await
        }
        Err(failure) => {
            service.stop().await;
            Err(failure)
        }
    }
}

/// Rewrites a damaged journal without its damage. One that is whole is left alone.
fn salvage_if_damaged(folder: &Path, printer: Printer) -> Result<(), Failure> {
    let journal = RunLayout::at(folder).journal();
    match replay(&journal) {
        Ok(_) => {
            printer.say("the journal is not damaged; there is nothing to salvage");
            return Ok(());
        }
        Err(ReplayError::Corrupt { .. } | ReplayError::Order { .. }) => {}
        Err(other) => return Err(Failure::usage(chain(&other))),
    }
    let salvaged = salvage(&journal).map_err(|error| {
        let failure = Failure::usage(chain(&error));
        match error {
            SalvageError::Plan { .. } => failure.hint(format!(
                "begin a new run; `harness sweep --run-id {}` closes what this one left",
                folder.file_name().unwrap_or_default().to_string_lossy()
            )),
            SalvageError::Read(_) | SalvageError::Write(_) => failure,
        }
    })?;
    printer.error(describe(&salvaged));
    Ok(())
}

fn describe(salvaged: &Salvaged) -> String {
    let lines: Vec<String> = salvaged.damaged.iter().map(u64::to_string).collect();
    let trials: Vec<String> = salvaged.affected.iter().map(ToString::to_string).collect();
    let more = if (salvaged.damaged.len() as u64) < salvaged.damaged_count {
        ", …"
    } else {
        ""
    };
    let affected = if trials.is_empty() {
        "no trial is known to have lost its score".to_owned()
    } else {
        format!(
            "these trials may have lost a score and run again: {}",
            trials.join(", ")
        )
    };
    let damaged = usize::try_from(salvaged.damaged_count).unwrap_or(usize::MAX);
    format!(
        "salvaged: {} ({}{more}) left out, and {} that {} not follow without\n{affected}\nthe damaged journal is kept as {}",
        text::plural(damaged, "damaged line"),
        lines.join(", "),
        salvaged.dropped,
        if salvaged.dropped == 1 { "does" } else { "do" },
        salvaged.kept.display()
    )
}

/// A run whose journal is open and whose plan is known.
struct Taken {
    journal: Journal,
    record: RunRecord,
    layout: RunLayout,
    plan: Plan,
}

async fn take_up(found: FoundRun, spec: &RunSpec, service: &Service) -> Result<Taken, Failure> {
    service
        .client
        .account()
        .await
        .map_err(|error| service_failure(&error, spec, service))?;
    let tasks = load_tasks(&spec.tasks.source, &service.client)
        .await
        .map_err(|error| Failure::usage(chain(&error)))?;
    let plan = plan_of(&found.record, tasks, spec)?;
    let journal = Journal::resume(&found.layout.journal(), &found.replay)
        .map_err(|error| Failure::usage(chain(&error)))?;
    let root = found.layout.root().canonicalize().map_err(|error| {
        Failure::usage(format!("error: could not find the run's folder: {error}"))
    })?;
    Ok(Taken {
        journal,
        record: found.record,
        layout: RunLayout::at(root),
        plan,
    })
}

/// The spec that the run was begun with. A changed one would make one report of two experiments.
pub(crate) fn stored_spec(found: &FoundRun, printer: Printer) -> Result<RunSpec, Failure> {
    let path: PathBuf = found.layout.spec();
    let current_dir = std::env::current_dir().map_err(|error| {
        Failure::usage(format!("error: could not find the current folder: {error}"))
    })?;
    let lookup = |name: &str| std::env::var(name).ok();
    let options = LoadOptions {
        overrides: &[],
        lookup: &lookup,
        current_dir: &current_dir,
    };
    let spec = RunSpec::load(&path, &options).map_err(|error| spec_failure(&error, printer))?;
    secrets::hide(spec.secrets());
    if spec.digest() != found.record.info.spec_sha256 {
        return Err(spec_change::refuse(
            &path,
            &found.record.info.spec_yaml,
            &spec.to_resolved_yaml(),
        ));
    }
    // `{spec_dir}` is where the user's files are, not where the copy lies.
    let spec = spec.standing_for(Path::new(&found.record.info.spec_path));
    if !spec.spec_dir.is_dir() {
        return Err(Failure::usage(format!(
            "error: the folder `{}`, from which the run was begun, is not there any more",
            spec.spec_dir.display()
        ))
        .hint("bring it back: agents find their files by `{spec_dir}`"));
    }
    Ok(spec)
}

/// The plan as the journal has it, with the tasks as they are now.
pub(crate) fn plan_of(
    record: &RunRecord,
    tasks: Vec<Task>,
    spec: &RunSpec,
) -> Result<Plan, Failure> {
    let tasks: HashMap<TaskKey, Arc<Task>> = tasks
        .into_iter()
        .map(|task| (TaskKey::new(task.key.as_str()), Arc::new(task)))
        .collect();
    let variants: HashMap<VariantName, Arc<Variant>> = spec
        .matrix
        .variants()
        .into_iter()
        .map(|variant| (VariantName::new(&variant.name), Arc::new(variant)))
        .collect();
    let mut trials = Vec::with_capacity(record.trials.len());
    let mut gone: Vec<&str> = Vec::new();
    for trial in &record.trials {
        let task = tasks.get(&trial.id.task);
        let variant = variants.get(&trial.id.variant);
        match (task, variant) {
            (Some(task), Some(variant)) => trials.push(TrialPlan {
                id: trial.id.clone(),
                task: Arc::clone(task),
                variant: Arc::clone(variant),
                first_attempt: Attempt::FIRST,
                finished: None,
            }),
            // What has its score needs its task no more.
            _ if trial.status == TrialStatus::Scored => {}
            _ => gone.push(trial.id.task.as_str()),
        }
    }
    if !gone.is_empty() {
        gone.dedup();
        return Err(Failure::usage(format!(
            "error: these tasks of the run are not there any more: {}",
            gone.join(", ")
        )));
    }
    Ok(Plan {
        trials,
        tasks: tasks.len(),
        variants: spec.matrix.variants().into_iter().map(Arc::new).collect(),
        trials_per_task: spec.trials,
    })
}

/// Whether a sitting has said that all was done and proven that nothing is left. One that was stopped, or could not prove it,
/// is taken up although nothing is to be run: the run then ends as if it had not been interrupted.
fn has_ended_well(record: &RunRecord) -> bool {
    record.end.as_ref().is_some_and(|end| {
        end.reason == run_record::StopReason::Completed
            && end.proven_empty
            && end.unconfirmed.is_empty()
    })
}
