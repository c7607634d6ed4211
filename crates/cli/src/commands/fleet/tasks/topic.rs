//! The subcommands of `harness fleet tasks`.

use clap::{Args, Subcommand};
use fleet_api::Client;

use super::export::{self, ExportArgs};
use super::import::{self, ImportArgs};
use super::list::{self, GetArgs, ListArgs};
use super::update::{self, UpdateArgs};
use crate::commands::fleet::args::or_list;
use crate::commands::fleet::failed::Done;
use crate::commands::fleet::output::Output;

#[derive(Debug, Args)]
pub(crate) struct TasksArgs {
    #[command(subcommand)]
    command: Option<TasksCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum TasksCommand {
    /// The ones that a filter selects (the default)
    List(ListArgs),
    /// One, with its prompt
    #[command(visible_alias = "show")]
    Get(GetArgs),
    /// A tasks file of what a filter selects
    Export(ExportArgs),
    /// Store the tasks of a file at the service
    Import(ImportArgs),
    /// Change the prompt, the verifier or the metadata of one
    Update(Box<UpdateArgs>),
}

pub(in crate::commands::fleet) async fn tasks(
    args: TasksArgs,
    client: &Client,
    out: Output,
) -> Done {
    match or_list(args.command, args.list, TasksCommand::List)? {
        TasksCommand::List(args) => list::list(args, client, out).await,
        TasksCommand::Get(args) => list::get(args, client, out).await,
        TasksCommand::Export(args) => export::export(args, client, out).await,
        TasksCommand::Import(args) => import::import(&args, client, out).await,
        TasksCommand::Update(args) => update::update(*args, client, out).await,
    }
}
