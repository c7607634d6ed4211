//! Finds an unfinished run of the same spec and trials, and decides whether `harness run` continues it.
//!
//! A nightly job repeats one command night after night and means a new run each time; a person who repeats it after a
//! crash means the old one. So a person is asked, a program says it with `--resume`, and whoever says nothing gets a new
//! run and is told how to continue the old.

use std::collections::HashSet;

use harness::plan::Plan;
use harness::spec::RunSpec;
use run_record::{Journal, RunLayout, RunRecord, TrialId, TrialStatus};

use crate::args::ResumeWhen;
use crate::printer::Printer;
use crate::runs::{self, FoundRun};

/// Runs that are looked at, the latest first: who comes back to an older one names it.
const LOOKED_AT: usize = 20;

/// The run to continue instead of beginning a new one.
pub(crate) fn to_continue(
    spec: &RunSpec,
    plan: &Plan,
    when: Option<ResumeWhen>,
    printer: Printer,
) -> Option<FoundRun> {
    if when == Some(ResumeWhen::Never) {
        return None;
    }
    let found = find(spec, plan)?;
    let without = found
        .record
        .trials
        .iter()
        .filter(|trial| trial.status != TrialStatus::Scored)
        .count();
    let told = format!(
        "{} of the same spec is not finished: {without} of {} trials have no score",
        found.record.info.run_id,
        found.record.trials.len()
    );
    match when {
        Some(ResumeWhen::Auto) => {
            printer.say(format_args!("{told}; continuing it"));
            Some(found)
        }
        Some(ResumeWhen::Never) => None,
        None if printer.can_ask() => printer
            .ask(format_args!("{told}. Continue it?"))
            .then_some(found),
        None => {
            printer.say(format_args!(
                "note: {told}\nnote: this is a new run; `harness resume {}` or --resume auto continues the old one",
                found.record.info.run_id
            ));
            None
        }
    }
}

fn find(spec: &RunSpec, plan: &Plan) -> Option<FoundRun> {
    let digest = spec.digest();
    let trials: HashSet<&TrialId> = plan.trials.iter().map(|trial| &trial.id).collect();
    let folders = runs::folders(&spec.report.dir);
    let name = format!("{}-", spec.name);
    folders
        .iter()
        .rev()
        .filter(|folder| {
            let folder = folder.file_name().unwrap_or_default();
            folder.to_string_lossy().starts_with(&name)
        })
        .take(LOOKED_AT)
        // Another harness is at work on it right now.
        .filter(|folder| !Journal::is_locked(&RunLayout::at(folder.as_path()).journal()))
        // A journal that cannot be read is no run to continue without being asked to.
        .filter_map(|folder| runs::read(folder).ok())
        .find(|run| is_unfinished(&run.record) && is_same(&run.record, &digest, &trials))
}

/// Cut off: killed, stopped, out of time or room. A trial that ended without a score by its own fault is an end.
fn is_unfinished(record: &RunRecord) -> bool {
    let is_open =
        |status: TrialStatus| matches!(status, TrialStatus::Pending | TrialStatus::Cancelled);
    record.end.is_none()
        || !record.open_leases().is_empty()
        || record
            .trials
            .iter()
            .any(|trial| is_open(record.status_of(trial)))
}

fn is_same(record: &RunRecord, digest: &str, trials: &HashSet<&TrialId>) -> bool {
    record.info.spec_sha256 == digest
        && record.trials.len() == trials.len()
        && record.trials.iter().all(|trial| trials.contains(&trial.id))
}
