//! From the arguments to the function of a topic.

use fleet_api::Client;

use super::args::{FleetArgs, FleetCommand};
use super::failed::Done;
use super::output::Output;
use super::whom::by_environment;
use super::{
    account, db, envs, files, instances, jobs, judge, projects, runs, sessions, tasks, verifiers,
    verify,
};
use crate::failure::Outcome;
use crate::printer::Printer;

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
        FleetCommand::Judge(args) => judge::judge(args, client, out).await,
        FleetCommand::Verifiers(args) => verifiers::verifiers(args, client, out).await,
        FleetCommand::Db(args) => db::db(args, client, out).await,
        FleetCommand::Files(args) => files::files(args, client, out).await,
        FleetCommand::Jobs(args) => jobs::jobs(args, client, out).await,
        FleetCommand::Sessions(args) => sessions::sessions(args, client, out).await,
    }
}
