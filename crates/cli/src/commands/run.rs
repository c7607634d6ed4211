//! `harness run`: from a spec to scores.

use std::path::Path;

use harness::plan::Plan;
use harness::runner::Beginning;
use harness::spec::RunSpec;
use run_record::{ExitCode, GateSpec, RunId, RunInfo, RunLayout, VariantInfo, VariantName};

use super::check::describe;
use super::prepare::{Prepared, prepare};
use super::resume::resume_found;
use super::sitting::{Sitting, sit};
use super::unfinished::to_continue;
use crate::args::RunArgs;
use crate::failure::{Failure, Outcome};
use crate::printer::{Printer, style, styled};

pub(crate) async fn run(args: RunArgs, printer: Printer) -> Outcome {
    let prepared = prepare(&args.spec, printer).await?;
    if args.dry_run {
        printer.say(describe(&prepared));
        for trial in &prepared.plan.trials {
            printer.data(&trial.id);
        }
        printer.say("dry run: nothing was started");
        prepared.service.stop().await;
        return Ok(ExitCode::Success);
    }
    let unfinished = to_continue(&prepared.spec, &prepared.plan, args.resume, printer);
    if let Some(unfinished) = unfinished {
        prepared.service.stop().await;
        return Box::pin(resume_found(unfinished, printer)).await;
    }
    for warning in &prepared.warnings {
        printer.say(format_args!(
            "{}: {warning}",
            styled(style::WARN, "warning")
        ));
    }
    let Prepared {
        spec,
        plan,
        service,
        program,
        ..
    } = prepared;
    let started_at = jiff::Timestamp::now();
    let run_id = RunId::generate(&spec.name, started_at);
    let layout = RunLayout::new(&spec.report.dir, &run_id);
    make_folder(&layout, &spec.to_resolved_yaml(), &spec.report.dir)?;
    let info = run_info(&run_id, started_at, &spec, &plan, &service.endpoint);
    let sitting = Sitting {
        beginning: Beginning::New(Box::new(info)),
        spec,
        plan,
        service,
        program,
        run_id,
        layout,
    };
    sit(sitting, printer).await
}

pub(crate) fn run_info(
    run_id: &RunId,
    started_at: jiff::Timestamp,
    spec: &RunSpec,
    plan: &Plan,
    endpoint: &str,
) -> RunInfo {
    let variants = plan.variants.iter().map(|variant| VariantInfo {
        name: VariantName::new(&variant.name),
        values: variant.values.clone(),
    });
    RunInfo {
        run_id: run_id.clone(),
        name: spec.name.clone(),
        harness_version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at,
        spec_path: spec.path.display().to_string(),
        spec_sha256: spec.digest(),
        spec_yaml: spec.to_resolved_yaml(),
        endpoint: endpoint.to_owned(),
        agent: spec.agent.name.clone(),
        pass_threshold: spec.pass_threshold,
        gate: GateSpec {
            min_pass_rate: spec.gate.min_pass_rate,
            min_mean_score: spec.gate.min_mean_score,
            max_unscored: Some(spec.gate.max_unscored),
        },
        trials_per_task: plan.trials_per_task,
        variants: variants.collect(),
        planned: Some(plan.trials.len()),
        rerun_of: None,
    }
}

pub(crate) fn make_folder(
    layout: &RunLayout,
    resolved_spec: &str,
    reports: &Path,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::usage(format!("error: could not make the run's folder: {error}"))
            .hint("name another place with --out, or in the spec as report.dir")
    };
    fs_err::create_dir_all(layout.root()).map_err(failed)?;
    fs_err::write(layout.spec(), resolved_spec).map_err(failed)?;
    point_latest(layout, reports);
    Ok(())
}

/// `latest` is a convenience: a file system without symlinks only lacks it.
fn point_latest(layout: &RunLayout, reports: &Path) {
    let Some(name) = layout.root().file_name() else {
        return;
    };
    let fresh = reports.join(format!(".latest-{}", std::process::id()));
    let linked = std::os::unix::fs::symlink(name, &fresh)
        .and_then(|()| std::fs::rename(&fresh, reports.join("latest")));
    if let Err(error) = linked {
        tracing::warn!(%error, "runs/latest could not be pointed at this run");
    }
}
