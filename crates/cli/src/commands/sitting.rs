//! One sitting of a run, new or resumed: from a plan to the last line on the screen.

use std::path::PathBuf;
use std::sync::Arc;

use futures::stream::{self, Stream, StreamExt as _};
use harness::plan::Plan;
use harness::runner::{Beginning, RunRequest, RunSignal};
use harness::spec::RunSpec;
use process_tree::Shim;
use run_record::{ExitCode, RunId, RunLayout};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::report::write_reports;
use crate::descriptors;
use crate::display::{Watcher, conclusion};
use crate::failure::{Failure, Outcome, chain};
use crate::printer::{Printer, style, styled};
use crate::service::Service;

/// Everything that a sitting needs.
pub(crate) struct Sitting {
    pub(crate) spec: Arc<RunSpec>,
    pub(crate) plan: Plan,
    pub(crate) service: Service,
    /// The running harness.
    pub(crate) program: PathBuf,
    pub(crate) run_id: RunId,
    pub(crate) layout: RunLayout,
    pub(crate) beginning: Beginning,
}

/// Runs what is to be run, writes the reports and says what came of it.
pub(crate) async fn sit(sitting: Sitting, printer: Printer) -> Outcome {
    let Sitting {
        spec,
        plan,
        service,
        program,
        run_id,
        layout,
        beginning,
    } = sitting;
    let spec = within_descriptors(spec, printer)?;
    let signals = signals()?;
    let mut watcher = Watcher::new(printer, layout.clone(), &spec.report.formats);
    let request = RunRequest {
        spec: Arc::clone(&spec),
        plan,
        run_id: run_id.clone(),
        beginning,
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
    // Who asks for quiet still wants the result.
    printer.error(conclusion(&record, &verdict, &layout));
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

/// The spec with no more at once than there are descriptors for. What was recorded of it stays as it was written: the
/// next sitting may have more room.
fn within_descriptors(spec: Arc<RunSpec>, printer: Printer) -> Result<Arc<RunSpec>, Failure> {
    let room = descriptors::raise(spec.concurrency.environments)?;
    let Some(warning) = room.warning() else {
        return Ok(spec);
    };
    printer.say(format_args!(
        "{}: {warning}",
        styled(style::WARN, "warning")
    ));
    let mut spec = Arc::unwrap_or_clone(spec);
    spec.concurrency.environments = room.environments;
    Ok(Arc::new(spec))
}
