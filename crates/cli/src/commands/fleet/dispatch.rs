//! From the arguments to the function of a topic, and to the service that it asks.

use fleet_api::{Client, DEFAULT_BASE_URL, RateLimits};

use super::args::{FleetArgs, FleetCommand};
use super::failed::{API_KEY, Done};
use super::output::Output;
use super::{
    account, db, envs, files, instances, jobs, projects, runs, sessions, tasks, verifiers, verify,
};
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::service::Service;

pub(crate) async fn fleet(args: FleetArgs, printer: Printer) -> Outcome {
    let out = Output::new(printer, args.json);
    let service = match by_environment(args.endpoint.as_deref()) {
        Ok(service) => service,
        Err(failure) => return Err(out.failure(failure.into(), None)),
    };
    let answered = answer(args.command, &service.client, out).await;
    // The address may come from a variable that was set long ago, so a failure says whom it asked.
    answered.map_err(|failed| out.failure(failed, Some(&service.endpoint)))
}

async fn answer(command: FleetCommand, client: &Client, out: Output) -> Done {
    match command {
        FleetCommand::Account => account::account(client, out).await,
        FleetCommand::Regions => account::regions(client, out).await,
        FleetCommand::Envs(args) => envs::envs(args, client, out).await,
        FleetCommand::Instances(args) => instances::instances(args, client, out).await,
        FleetCommand::Close(args) => instances::close(args, client, out).await,
        FleetCommand::Runs(args) => runs::runs(args, client, out).await,
        FleetCommand::Tasks(args) => tasks::tasks(args, client, out).await,
        FleetCommand::Projects(args) => projects::projects(args, client, out).await,
        FleetCommand::Verify(args) => verify::verify(args, client, out).await,
        FleetCommand::Verifiers(args) => verifiers::verifiers(args, client, out).await,
        FleetCommand::Db(args) => db::db(args, client, out).await,
        FleetCommand::Files(args) => files::files(args, client, out).await,
        FleetCommand::Jobs(args) => jobs::jobs(args, client, out).await,
        FleetCommand::Sessions(args) => sessions::sessions(args, client, out).await,
    }
}

/// The service that the official SDK would use: `FLEET_BASE_URL` or the hosted one, with `FLEET_API_KEY`.
pub(crate) fn by_environment(endpoint: Option<&str>) -> Result<Service, Failure> {
    let url = endpoint.unwrap_or(DEFAULT_BASE_URL);
    let key = std::env::var(API_KEY).unwrap_or_default();
    if key.is_empty() && url == DEFAULT_BASE_URL {
        return Err(Failure::usage(format!("error: {API_KEY} is not set")).hint(
            "set it, or name another service with --endpoint (`harness local` serves one here)",
        ));
    }
    // A server without a key takes any; the header must have something in it.
    let key = if key.is_empty() {
        "none".to_owned()
    } else {
        key
    };
    Service::remote(url, key.into(), RateLimits::default())
}
