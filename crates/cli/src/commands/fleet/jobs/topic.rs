//! The subcommands of `harness fleet jobs`.

use clap::{Args, Subcommand};
use fleet_api::Client;

use super::create::{self, CreateArgs, TraceArgs};
use super::list::{self, GetArgs, ListArgs};
use super::log::{self, LogArgs};
use super::summarize::{self, SummarizeArgs};
use crate::commands::fleet::args::or_list;
use crate::commands::fleet::failed::Done;
use crate::commands::fleet::output::Output;

#[derive(Debug, Args)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    command: Option<JobsCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum JobsCommand {
    /// The ones that the service knows (the default)
    List(ListArgs),
    /// One
    #[command(visible_alias = "show")]
    Get(GetArgs),
    /// Have the service run models on tasks
    Create(Box<CreateArgs>),
    /// Make a job that only collects sessions
    Trace(TraceArgs),
    /// Store raw log entries of a job
    Log(LogArgs),
    /// Have a model read the sessions of a job and sum them up
    Summarize(SummarizeArgs),
}

pub(in crate::commands::fleet) async fn jobs(args: JobsArgs, client: &Client, out: Output) -> Done {
    match or_list(args.command, args.list, JobsCommand::List)? {
        JobsCommand::List(args) => list::list(args, client, out).await,
        JobsCommand::Get(args) => list::get(args, client, out).await,
        JobsCommand::Create(args) => create::create(*args, client, out).await,
        JobsCommand::Trace(args) => create::trace(&args, client, out).await,
        JobsCommand::Log(args) => log::log(args, client, out).await,
        JobsCommand::Summarize(args) => summarize::summarize(args, client, out).await,
    }
}
