//! `harness demo`: the help desk and its scripted agent, as an app and an agent are started.

use helpdesk::agent::{AgentEnv, Skill};
use helpdesk::{ServeOptions, bind};
use run_record::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::DemoCommand;
use crate::failure::{Failure, Outcome, chain};
use crate::printer::Printer;

/// `EX_TEMPFAIL`: the contract's word for "not the agent's fault".
const TRY_AGAIN: u8 = 75;

pub(crate) async fn demo(command: DemoCommand, printer: Printer) -> Outcome {
    match command {
        DemoCommand::Helpdesk { db, port, host } => {
            let mut options = ServeOptions::new(db);
            options.host = host;
            options.port = port;
            let options = options
                .with_variables(variable)
                .map_err(|error| Failure::usage(chain(&error)))?;
            serve(&options, printer).await
        }
        DemoCommand::Agent { skill } => work(&skill, printer).await,
    }
}

async fn serve(options: &ServeOptions, printer: Printer) -> Outcome {
    let listening = bind(options)
        .await
        .map_err(|error| Failure::usage(chain(&error)))?;
    printer.data(format_args!("http://{}/", listening.address()));
    let mut asked = signal(SignalKind::terminate())
        .map_err(|error| Failure::fatal(format!("error: could not listen for signals: {error}")))?;
    let shutdown = async move {
        // Both arms are pure waits.
        tokio::select! {
            _ = asked.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    listening
        .serve(shutdown)
        .await
        .map_err(|error| Failure::fatal(chain(&error)))?;
    Ok(ExitCode::Success)
}

async fn work(skill: &str, printer: Printer) -> Outcome {
    let skill = Skill::ALL
        .iter()
        .find(|(name, _)| *name == skill)
        .map(|(_, skill)| *skill)
        .expect("the argument parser knows the same skills");
    let env = AgentEnv::from_variables(variable).map_err(|error| {
        Failure::usage(chain(&error))
            .hint("this is an agent: `harness run` starts it with the variables it needs")
    })?;
    let mut progress = |line: &str| printer.data(line);
    let result = helpdesk::agent::run(&env, skill, &mut progress)
        .await
        .map_err(|error| Failure::fatal(chain(&error)))?;
    match result.exit_code() {
        0 => Ok(ExitCode::Success),
        TRY_AGAIN => Err(agent_failure(ExitCode::TryAgain, result.error)),
        _ => Err(agent_failure(ExitCode::GateFailed, result.error)),
    }
}

fn agent_failure(exit: ExitCode, error: Option<String>) -> Failure {
    Failure {
        exit,
        message: error.unwrap_or_else(|| "the task was not done".to_owned()),
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
