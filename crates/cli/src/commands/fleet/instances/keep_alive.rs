//! Signs of life for an instance: one, or until somebody says stop.

use std::time::Duration;

use clap::Args;
use fleet_api::Client;
use fleet_api::types::{Instance, InstanceId};
use run_record::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

use crate::commands::fleet::failed::{Done, Failed};
use crate::commands::fleet::output::{Output, text};

/// Between two beats for an instance that says no interval of its own.
const USUAL_INTERVAL: Duration = Duration::from_secs(60);

/// Beats in an interval: two may be lost and the instance lives.
const BEATS_PER_INTERVAL: u32 = 3;

#[derive(Debug, Args)]
pub(super) struct HeartbeatArgs {
    /// Its id
    instance: String,
    /// Go on until Ctrl-C; the instance is left alive
    #[arg(long)]
    keep_alive: bool,
}

/// What becomes of the instance when beating ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Close,
    Leave,
}

pub(super) async fn heartbeat(args: HeartbeatArgs, client: &Client, out: Output) -> Done {
    let id = InstanceId::new(args.instance);
    let instance = client.instance(&id).await?;
    if instance.status.is_ended() {
        return Err(Failed::usage(format!("{id} is {}", instance.status))
            .help("`harness fleet instances list` shows what lives"));
    }
    let beat = client
        .heartbeat(&id, instance.heartbeat_region.as_deref())
        .await?;
    if !beat.success {
        return Err(Failed::fatal(format!(
            "the service did not take the heartbeat of {id}"
        )));
    }
    let interval = beat
        .interval_seconds
        .map(|every| format!("every {every} s"));
    let done = out.record(
        &beat,
        &[
            ("instance", beat.instance_id.to_string()),
            (
                "beat",
                out.moment(beat.last_heartbeat.as_deref().unwrap_or("taken")),
            ),
            (
                "interval",
                interval.unwrap_or_else(|| "not monitored".to_owned()),
            ),
        ],
    );
    if args.keep_alive {
        return until_stopped(&instance, Ending::Leave, client, out).await;
    }
    done
}

/// Beats until Ctrl-C, or until the instance is gone.
pub(super) async fn until_stopped(
    instance: &Instance,
    ending: Ending,
    client: &Client,
    out: Output,
) -> Done {
    let id = &instance.instance_id;
    let then = match ending {
        Ending::Close => "closes it",
        Ending::Leave => "leaves it alive",
    };
    out.note(format!("keeping {id} alive; Ctrl-C {then}"));
    // Both arms are dropped only when the command ends: the stop is a wait, and a beat cut short harms nobody.
    let beating = tokio::select! {
        stopped = asked_to_stop() => stopped.map(|_| ()),
        lost = beat_on(instance, client, out) => Err(lost),
    };
    match ending {
        Ending::Close => {
            let closed = give_back(id, client).await;
            beating?;
            closed?;
            out.note(format!("{id} is closed"));
        }
        Ending::Leave => {
            beating?;
            out.note(format!(
                "{id} lives on; `harness fleet instances close {id}` closes it"
            ));
        }
    }
    Ok(ExitCode::Success)
}

/// Beats for as long as the service takes it; answers why it does no longer.
async fn beat_on(instance: &Instance, client: &Client, out: Output) -> Failed {
    let id = &instance.instance_id;
    let interval = instance
        .heartbeat_interval
        .map_or(USUAL_INTERVAL, Duration::from_secs);
    let pause = (interval / BEATS_PER_INTERVAL).max(Duration::from_secs(1));
    let region = instance.heartbeat_region.as_deref();
    loop {
        tokio::time::sleep(pause).await;
        match client.heartbeat(id, region).await {
            Ok(beat) if beat.success => {}
            Ok(_) => return lost(id, client, "the service did not take its heartbeat").await,
            Err(error) if error.is_retryable() => {
                out.note(format!("heartbeat of {id}: {}; going on", error.to_line()));
            }
            Err(error) => return lost(id, client, &error.to_line()).await,
        }
    }
}

async fn lost(id: &InstanceId, client: &Client, why: &str) -> Failed {
    let status = client
        .instance(id)
        .await
        .ok()
        .map(|instance| instance.status);
    let status = text(status.as_ref());
    let status = if status.is_empty() { "gone" } else { &status };
    Failed::fatal(format!("{id} is {status}: {why}"))
        .help("a longer --ttl lets an instance live longer")
}

/// Closes an instance that nobody else knows of.
pub(super) async fn give_back(id: &InstanceId, client: &Client) -> Result<(), Failed> {
    match client.close_instance(id).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_gone() => Ok(()),
        Err(error) => Err(Failed::from(error)
            .of(format!("{id} could not be closed"))
            .exit(ExitCode::Leaked)
            .help(format!("`harness fleet instances close {id}` tries again"))),
    }
}

/// Waits for Ctrl-C or a polite request to end; answers with the exit code that says so.
pub(super) async fn asked_to_stop() -> Result<ExitCode, Failed> {
    let failed = |error| Failed::fatal(format!("could not listen for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(failed)?;
    // All arms are pure waits.
    tokio::select! {
        _ = tokio::signal::ctrl_c() => Ok(ExitCode::Interrupted),
        _ = terminate.recv() => Ok(ExitCode::Terminated),
        _ = hang_up.recv() => Ok(ExitCode::Terminated),
    }
}
