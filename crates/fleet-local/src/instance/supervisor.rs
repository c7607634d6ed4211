//! Leads one instance through its life: waits for its turn, makes its files, starts its apps and
//! its gateway, watches over it, and takes it down. It alone changes the instance's status, and it
//! runs to its end whoever stopped waiting for it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use process_tree::Shim;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use super::apps::{AppGroup, StartFailure};
use super::browser::InstanceBrowser;
use super::files;
use super::memory;
use super::record::{EndCause, Instance, QuietRequest, Urls};
use crate::clock::Clock;
use crate::gateway::{Equipment, Gateway};
use crate::manager::documents::DocumentReader;
use crate::manager::files::{Baseline, Tree};
use crate::package::Templates;
use crate::recorder::Recorder;
use crate::seam::HookError;
use crate::store::Ledger;
use crate::verify::VerifierService;

/// What instances need of the server they run in.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) clock: Clock,
    pub(crate) shim: Shim,
    /// The program behind `{harness}`.
    pub(crate) harness: PathBuf,
    pub(crate) instances_dir: PathBuf,
    pub(crate) keep_instance_dirs: bool,
    pub(crate) templates: Templates,
    /// For health checks and instances' browsers: no redirects, no decoding, no proxies.
    pub(crate) http: reqwest::Client,
    /// How many instances may start at the same time; the others wait as `pending`.
    pub(crate) start_permits: Semaphore,
    /// From TERM to KILL.
    pub(crate) app_grace: Duration,
    pub(crate) ledger: Ledger,
    /// Where requests to managers are written down.
    pub(crate) recorder: Option<Recorder>,
    /// Runs what clients want to run inside of instances.
    pub(crate) verifier: Arc<VerifierService>,
    pub(crate) documents: DocumentReader,
    /// The program of instances' browsers, if this machine has one.
    pub(crate) browser: Option<PathBuf>,
}

/// What an instance has while it runs, beside its apps.
struct Open {
    gateway: Gateway,
    browser: Option<Arc<InstanceBrowser>>,
}

/// Runs the instance to its end. `quiet` is the receiver that came with the instance.
pub(crate) async fn supervise(
    host: Arc<Host>,
    instance: Arc<Instance>,
    mut quiet: mpsc::Receiver<QuietRequest>,
) {
    let mut apps = AppGroup::new(&host, &instance);
    let mut leftovers = Vec::new();
    let cause = match start(&host, &instance, &mut apps).await {
        Ok(Open { gateway, browser }) => {
            let cause = watch(&host, &instance, &mut apps, &mut quiet).await;
            instance.set_ending(cause.clone(), host.clock.now());
            // Before the apps: nobody should reach an environment that is being taken down.
            // Requests in flight end with their app.
            gateway.refuse();
            if let Some(browser) = browser {
                leftovers = browser.close().await;
            }
            apps.stop().await;
            gateway.close().await;
            cause
        }
        Err(StartFailure::EndRequested) => EndCause::Closed,
        Err(StartFailure::Failed(reason)) => EndCause::StartFailed(reason),
    };
    // A no-op after `watch`; after a failed start it makes the failure visible.
    instance.set_ending(cause, host.clock.now());
    quiet.close();
    apps.stop().await;
    leftovers.extend(apps.into_leftovers());
    let cause = instance.state().ending.expect("set two lines above");
    report(&instance, &cause, &leftovers);
    if !host.keep_instance_dirs {
        let dir = instance.files.dir.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || remove(&dir))
            .await
            .unwrap_or(Ok(()))
        {
            tracing::warn!(instance = %instance.id, "the instance's directory could not be removed: {error}");
        }
    }
    // Before it is finished: whoever waits for that may look at the ledger next.
    host.ledger.note(&cause);
    instance.set_finished(leftovers, host.clock.now());
}

async fn start(
    host: &Host,
    instance: &Arc<Instance>,
    apps: &mut AppGroup<'_>,
) -> Result<Open, StartFailure> {
    // Both may be dropped: a place in the queue is given back, and watching for the end has no
    // effect.
    let _permit = tokio::select! {
        biased;
        () = instance.end_requested() => return Err(StartFailure::EndRequested),
        permit = host.start_permits.acquire() => permit.expect("the semaphore is never closed"),
    };
    let deadline = Instant::now() + instance.spec.package.start_timeout;
    make_files(host, instance).await?;
    if !instance.spec.package.setup.is_empty() {
        apps.set_up(deadline).await?;
        begin_here(instance).await?;
    }
    apps.start(deadline).await?;

    let names: Vec<String> = instance
        .spec
        .package
        .apps
        .iter()
        .map(|(name, _)| name.clone())
        .collect();
    let ports = apps.ports();
    let browser = host.browser.clone().map(|program| {
        let (shim, http) = (host.shim.clone(), host.http.clone());
        Arc::new(InstanceBrowser::new(program, shim, http, instance.clone()))
    });
    let equipment = Equipment {
        verifier: host.verifier.clone(),
        documents: host.documents.clone(),
        browser: browser.clone(),
        baseline: Arc::new(look_at_files(instance).await?),
    };
    let gateway = Gateway::open(instance, &ports, &equipment, host.recorder.as_ref())
        .await
        .map_err(|error| {
            StartFailure::Failed(format!(
                "the instance's address could not be opened: {error}"
            ))
        })?;
    let root = format!("http://127.0.0.1:{}/", gateway.port());
    let urls = Urls {
        apps: instance
            .spec
            .package
            .apps
            .iter()
            .zip(&ports)
            .map(|((_, app), port)| format!("http://127.0.0.1:{port}{}", app.url))
            .collect(),
        // One app segment, and an authority of its own: the only form from which both flavours of
        // the official SDK derive other apps' managers.
        manager: format!("{root}{}/api/v1/env", names[0]),
        root,
    };
    instance.set_running(urls, host.clock.now());
    tracing::info!(instance = %instance.id, env = %instance.spec.package.key, "instance is running");
    Ok(Open { gateway, browser })
}

/// What the instance's files are once its apps run: from here on they are what somebody did.
async fn look_at_files(instance: &Arc<Instance>) -> Result<Baseline, StartFailure> {
    let tree = Tree::of(&instance.files);
    tokio::task::spawn_blocking(move || Baseline::take(&tree))
        .await
        .map_err(|panic| {
            StartFailure::Failed(format!("the instance's files could not be read: {panic}"))
        })
}

async fn make_files(host: &Host, instance: &Arc<Instance>) -> Result<(), StartFailure> {
    let templates = host.templates.clone();
    let instance = Arc::clone(instance);
    let make = move || files::create(&instance.files, &instance.spec.databases, &templates);
    on_files("the instance's data could not be made", make).await
}

async fn begin_here(instance: &Arc<Instance>) -> Result<(), StartFailure> {
    let instance = Arc::clone(instance);
    let begin = move || files::begin_here(&instance.files);
    on_files("the data that setup left cannot be used", begin).await
}

async fn on_files(
    failed: &str,
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<(), StartFailure> {
    let reason = match tokio::task::spawn_blocking(work).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => crate::error_chain(&error),
        Err(panic) => panic.to_string(),
    };
    Err(StartFailure::Failed(format!("{failed}: {reason}")))
}

/// Watches a running instance until something ends it.
async fn watch(
    host: &Host,
    instance: &Instance,
    apps: &mut AppGroup<'_>,
    quiet: &mut mpsc::Receiver<QuietRequest>,
) -> EndCause {
    loop {
        let state = instance.state();
        let running_at = state.running_at.expect("watched only after it ran");
        let (deadline, end) = state.lease.deadline(running_at, state.last_beat);
        let left = host.clock.real_time_until(deadline);
        if left.is_zero() {
            return EndCause::Expired(end);
        }
        let (commands, limit) = (apps.commands(), instance.spec.package.memory_limit);
        // Every arm may be dropped: the first and the third only watch, `next_exit` and `recv` lose
        // nothing, and the sleep is made anew from the lease. A heartbeat needs no arm of its own,
        // as it can only move the deadline away: the sleep ends at the old one and looks again.
        tokio::select! {
            biased;
            () = instance.end_requested() => return instance.state().ending.unwrap_or(EndCause::Closed),
            ended = apps.next_exit() => return EndCause::Crashed(ended),
            held = memory::exceeded(commands, limit) => {
                return EndCause::Crashed(format!(
                    "its processes held {held} bytes of memory, more than the {} allowed",
                    limit.unwrap_or_default()
                ));
            }
            Some(request) = quiet.recv() => {
                if let Err(reason) = run_quietly(instance, apps, request).await {
                    return EndCause::Crashed(reason);
                }
            }
            // A client may have moved the deadline nearer.
            () = instance.lease_changed(state.lease) => {}
            () = tokio::time::sleep(left) => {}
        }
    }
}

/// Does the requested work while no app runs. `Err` means that the apps did not come back.
async fn run_quietly(
    instance: &Instance,
    apps: &mut AppGroup<'_>,
    request: QuietRequest,
) -> Result<(), String> {
    let deadline = Instant::now() + instance.spec.package.start_timeout;
    apps.stop().await;
    let worked = tokio::task::spawn_blocking(request.work)
        .await
        .unwrap_or_else(|panic| Err(io::Error::other(panic)));
    // Also after failed work: the apps then run on what is there.
    let (reply, result) = match apps.start(deadline).await {
        Ok(()) => (worked.map_err(HookError::Work), Ok(())),
        Err(StartFailure::EndRequested) => (
            Err(HookError::NotRunning {
                instance_id: instance.id.to_string(),
            }),
            Ok(()),
        ),
        Err(StartFailure::Failed(reason)) => (
            Err(HookError::Restart {
                reason: reason.clone(),
            }),
            Err(format!("after a reset, {reason}")),
        ),
    };
    // Whoever asked may have gone; the work is done all the same.
    let _ = request.reply.send(reply);
    result
}

fn remove(dir: &std::path::Path) -> io::Result<()> {
    match fs_err::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn report(instance: &Instance, cause: &EndCause, leftovers: &[String]) {
    if cause.is_failure() {
        tracing::warn!(instance = %instance.id, env = %instance.spec.package.key, "instance failed: {cause}");
    } else {
        tracing::info!(instance = %instance.id, env = %instance.spec.package.key, "instance ended: {cause}");
    }
    for leftover in leftovers {
        tracing::error!(instance = %instance.id, "could not be ended: {leftover}");
    }
}
