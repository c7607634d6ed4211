//! `harness local`: the embedded Fleet for other clients.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use fleet_local::Server;
use fleet_local::verify::SandboxMode;
use run_record::ExitCode;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{LocalArgs, VerifierSandboxArg};
use crate::failure::{Failure, Outcome, chain};
use crate::printer::{Printer, style, styled};
use crate::service::local_config;

/// Instances that a server for other clients may hold, as many as the machine's processes allow comfortably.
const INSTANCE_LIMIT: usize = 256;

pub(crate) async fn local(args: LocalArgs, printer: Printer) -> Outcome {
    let environments = or_nearby(args.environments, "environments");
    let tasks = if args.tasks.is_empty() {
        task_files_nearby()
    } else {
        args.tasks
    };
    let key = args.api_key.map(Into::into);
    let limit = args.instance_limit.unwrap_or(INSTANCE_LIMIT);
    let (mut config, _package) = local_config(environments, tasks, key, limit)?;
    config.verifier_sandbox = match args.verifier_sandbox {
        VerifierSandboxArg::Require => SandboxMode::Require,
        VerifierSandboxArg::Best => SandboxMode::Best,
        VerifierSandboxArg::Off => SandboxMode::Off,
    };
    for folder in &args.verifier_read {
        let folder = std::path::absolute(folder).map_err(|error| {
            Failure::usage(format!("--verifier-read {}: {error}", folder.display()))
        })?;
        config.verifier_read.push(folder);
    }
    config.state_dir = args.state;
    if !args.regions.is_empty() {
        config.regions = args.regions;
    }
    config.bind = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let server = Server::start(config).await.map_err(|error| {
        let failure = Failure::usage(chain(&error));
        match error {
            fleet_local::StartError::Bind { .. } => {
                failure.hint("give another port with --port, or 0 for a free one")
            }
            _ => failure,
        }
    })?;
    if args.json {
        printer.data(json!({"base_url": server.base_url()}));
    } else {
        printer.data(format_args!("FLEET_BASE_URL={}", server.base_url()));
    }
    printer.say(format_args!(
        "{} on {}; Ctrl-C stops it and every instance",
        styled(style::GOOD, "serving"),
        server.base_url()
    ));
    until_asked_to_stop().await?;
    printer.say("stopping every instance");
    let report = server.shutdown().await;
    if report.leftovers.is_empty() {
        return Ok(ExitCode::Success);
    }
    Err(Failure {
        exit: ExitCode::Leaked,
        message: format!(
            "error: could not end everything:\n  {}",
            report.leftovers.join("\n  ")
        ),
    })
}

async fn until_asked_to_stop() -> Result<(), Failure> {
    let failed = |error| Failure::fatal(format!("error: could not listen for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(failed)?;
    // All arms are pure waits.
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

/// The folders given, else the usual ones that exist here, else none: the demo is served then.
fn or_nearby(given: Vec<PathBuf>, name: &str) -> Vec<PathBuf> {
    if !given.is_empty() {
        return given;
    }
    let usual = [PathBuf::from(name), Path::new("examples").join(name)];
    usual
        .into_iter()
        .filter(|path| path.is_dir())
        .take(1)
        .collect()
}

fn task_files_nearby() -> Vec<PathBuf> {
    let Some(folder) = or_nearby(Vec::new(), "tasks").pop() else {
        return Vec::new();
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    files
}
