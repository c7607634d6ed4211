//! `harness local`: the embedded Fleet for other clients.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use fleet_api::SecretString;
use fleet_local::verify::SandboxMode;
use fleet_local::{JudgeConfig, JudgeEngine, Server};
use run_record::ExitCode;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use crate::args::{LocalArgs, VerifierSandboxArg};
use crate::failure::{Failure, Outcome, chain};
use crate::printer::{Printer, style, styled};
use crate::secrets;
use crate::service::local_config;

/// Instances that a server for other clients may hold, as many as the machine's processes allow comfortably.
const INSTANCE_LIMIT: usize = 256;

pub(crate) async fn local(args: LocalArgs, printer: Printer) -> Outcome {
    let judge = judge(&args)?;
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
    config.record = args.record;
    config.judge = judge;
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

/// The judge that the arguments describe, if any.
fn judge(args: &LocalArgs) -> Result<Option<JudgeConfig>, Failure> {
    let engine = match (&args.judge_command, &args.judge_url, &args.judge_model) {
        (Some(command), ..) => {
            let words = command.split_whitespace().map(str::to_owned).collect();
            JudgeEngine::Command(words)
        }
        (None, Some(url), Some(model)) => JudgeEngine::Model {
            url: Url::parse(url)
                .map_err(|error| Failure::usage(format!("--judge-url {url}: {error}")))?,
            model: model.clone(),
            key: secret(args.judge_key_env.as_deref(), "--judge-key-env")?,
        },
        _ => return Ok(None),
    };
    let mut judge = JudgeConfig::new(engine);
    judge.token = secret(args.judge_token_env.as_deref(), "--judge-token-env")?;
    Ok(Some(judge))
}

/// The value of the environment variable that an option names.
fn secret(name: Option<&str>, option: &str) -> Result<Option<SecretString>, Failure> {
    let Some(name) = name else { return Ok(None) };
    let value = std::env::var(name)
        .ok()
        .filter(|value| !value.is_empty())
        .ok_or_else(|| {
            Failure::usage(format!(
                "{option}: the environment variable {name} is not set"
            ))
        })?;
    secrets::hide([value.as_str()]);
    Ok(Some(value.into()))
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
