//! `harness run`: from a spec to scores.

use std::path::Path;
use std::sync::Arc;

use futures::stream::{self, Stream, StreamExt as _};
use harness::runner::{RunRequest, RunSignal};
use process_tree::Shim;
use run_record::{
    ExitCode, GateSpec, RunId, RunInfo, RunLayout, RunRecord, VariantInfo, VariantName, Verdict,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::check::describe;
use super::prepare::{Prepared, prepare};
use super::report::write_reports;
use crate::args::RunArgs;
use crate::display::{Watcher, conclusion};
use crate::failure::{Failure, Outcome, chain};
use crate::printer::{Printer, style, styled};

/// A file descriptor for each pipe and socket of the trials that are planned at once, and room beside them.
const DESCRIPTORS_PER_TRIAL: u64 = 16;
const DESCRIPTORS_BESIDE: u64 = 256;

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
    for warning in &prepared.warnings {
        printer.say(format_args!(
            "{}: {warning}",
            styled(style::WARN, "warning")
        ));
    }
    raise_descriptor_limit(prepared.spec.concurrency.environments);
    let (record, verdict, layout, leftovers) = run_prepared(prepared, printer).await?;
    printer.say(conclusion(&record, &verdict, &layout));
    if leftovers.is_empty() {
        return Ok(verdict.exit);
    }
    Err(Failure {
        exit: ExitCode::Leaked,
        message: format!(
            "error: the embedded server could not end everything:\n  {}",
            leftovers.join("\n  ")
        ),
    })
}

async fn run_prepared(
    prepared: Prepared,
    printer: Printer,
) -> Result<(RunRecord, Verdict, RunLayout, Vec<String>), Failure> {
    let Prepared {
        spec,
        plan,
        service,
        program,
        ..
    } = prepared;
    let started_at = jiff::Timestamp::now();
    let run_id = RunId::generate(&spec.name, started_at);
    let resolved = spec.to_resolved_yaml();
    let info = RunInfo {
        run_id: run_id.clone(),
        name: spec.name.clone(),
        harness_version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at,
        spec_path: spec.path.display().to_string(),
        spec_sha256: spec.digest(),
        endpoint: service.endpoint.clone(),
        agent: spec.agent.name.clone(),
        pass_threshold: spec.pass_threshold,
        gate: GateSpec {
            min_pass_rate: spec.gate.min_pass_rate,
            min_mean_score: spec.gate.min_mean_score,
            max_unscored: Some(spec.gate.max_unscored),
        },
        trials_per_task: plan.trials_per_task,
        variants: plan
            .variants
            .iter()
            .map(|variant| VariantInfo {
                name: VariantName::new(&variant.name),
                values: variant.values.clone(),
            })
            .collect(),
    };
    let layout = RunLayout::new(&spec.report.dir, &run_id);
    make_folder(&layout, &resolved, &spec.report.dir)?;
    let signals = signals()?;
    let mut watcher = Watcher::new(printer, layout.clone(), &spec.report.formats);
    let request = RunRequest {
        spec: Arc::clone(&spec),
        plan,
        info,
        layout: layout.clone(),
        connect: Arc::clone(&service.connect),
        api_key: service.api_key.clone(),
        shim: Shim::current_exe(),
        harness_program: program,
    };
    let ran = harness::runner::run(request, signals, |view, event| watcher.on(view, &event)).await;
    watcher.close();
    let leftovers = service.stop().await;
    let (record, verdict) = ran.map_err(|error| Failure::fatal(chain(&error)))?;
    if let Err(failure) = write_reports(&record, &layout, &spec.report.formats) {
        printer.error(failure.message);
        printer.error(format!(
            "help: nothing is lost: free some space, then `harness report {run_id}` writes them again"
        ));
    }
    Ok((record, verdict, layout, leftovers))
}

fn make_folder(layout: &RunLayout, resolved_spec: &str, reports: &Path) -> Result<(), Failure> {
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

/// SIGINT as one kind, SIGTERM and SIGHUP as the other. A SIGHUP that was ignored at the start, as under `nohup`,
/// stays ignored.
fn signals() -> Result<impl Stream<Item = RunSignal>, Failure> {
    let failed = |error| Failure::fatal(format!("error: could not listen for signals: {error}"));
    let listen = |kind: SignalKind, meaning: RunSignal| {
        signal(kind).map(|signal| stream_of(signal).map(move |()| meaning).boxed())
    };
    let mut all = vec![
        listen(SignalKind::interrupt(), RunSignal::Interrupt).map_err(failed)?,
        listen(SignalKind::terminate(), RunSignal::Terminate).map_err(failed)?,
    ];
    if !hangup_is_ignored() {
        all.push(listen(SignalKind::hangup(), RunSignal::Terminate).map_err(failed)?);
    }
    Ok(stream::select_all(all))
}

fn stream_of(signal: Signal) -> impl Stream<Item = ()> {
    stream::unfold(signal, |mut signal| async move {
        signal.recv().await.map(|()| ((), signal))
    })
}

/// The kernel's own account of which signals this process ignores: bit n−1 is signal n.
fn hangup_is_ignored() -> bool {
    const SIGHUP_BIT: u64 = 1;
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|text| {
            let mask = text.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
            u64::from_str_radix(mask.trim(), 16).ok()
        })
        .is_some_and(|mask| mask & SIGHUP_BIT != 0)
}

/// Many trials need many descriptors; the usual soft limit of 1024 is there for the sake of `select`, not for us.
fn raise_descriptor_limit(environments: u32) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    let wanted = u64::from(environments) * DESCRIPTORS_PER_TRIAL + DESCRIPTORS_BESIDE;
    if soft < wanted && soft < hard {
        let raised = setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard);
        if let Err(error) = raised {
            tracing::warn!(%error, "the limit of open files could not be raised");
        }
    }
}
