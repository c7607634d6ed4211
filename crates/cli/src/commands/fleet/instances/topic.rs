//! The subcommands of `harness fleet instances`.

use clap::{Args, Subcommand};
use fleet_api::Client;

use super::close::{self, CloseAllArgs, CloseArgs};
use super::keep_alive::{self, HeartbeatArgs};
use super::lease::{self, RequestArgs, TtlArgs};
use super::list::{self, GetArgs, ListArgs};
use super::make::{self, MakeArgs};
use super::manage::{self, BrowserArgs, ResetArgs};
use crate::commands::fleet::args::or_list;
use crate::commands::fleet::failed::Done;
use crate::commands::fleet::manager::Target;
use crate::commands::fleet::output::Output;

#[derive(Debug, Args)]
pub(crate) struct InstancesArgs {
    #[command(subcommand)]
    command: Option<InstancesCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum InstancesCommand {
    /// The ones that the service knows (the default)
    List(ListArgs),
    /// Make one and wait until it runs
    #[command(visible_alias = "create")]
    Make(Box<MakeArgs>),
    /// One, with its addresses
    #[command(visible_alias = "show")]
    Get(GetArgs),
    /// Tell the service that one is in use
    Heartbeat(HeartbeatArgs),
    /// Let one live so long from now
    Ttl(TtlArgs),
    /// What the create of a request id came to
    Request(RequestArgs),
    /// Close some, by id
    Close(CloseArgs),
    /// Close all of a run, or all of an account
    CloseAll(CloseAllArgs),
    /// The databases and browsers of one
    Resources(Target),
    /// Whether the manager of one is well
    Health(Target),
    /// Back to the data that one began with
    Reset(ResetArgs),
    /// Start the browser of one and tell its addresses
    Browser(BrowserArgs),
}

pub(in crate::commands::fleet) async fn instances(
    args: InstancesArgs,
    client: &Client,
    out: Output,
) -> Done {
    match or_list(args.command, args.list, InstancesCommand::List)? {
        InstancesCommand::List(args) => list::list(args, client, out).await,
        InstancesCommand::Make(args) => make::make(*args, client, out).await,
        InstancesCommand::Get(args) => list::get(args, client, out).await,
        InstancesCommand::Heartbeat(args) => keep_alive::heartbeat(args, client, out).await,
        InstancesCommand::Ttl(args) => lease::ttl(args, client, out).await,
        InstancesCommand::Request(args) => lease::request(args, client, out).await,
        InstancesCommand::Close(args) => close::close(args, client, out).await,
        InstancesCommand::CloseAll(args) => close::close_all(&args, client, out).await,
        InstancesCommand::Resources(target) => manage::resources(&target, client, out).await,
        InstancesCommand::Health(target) => manage::health(&target, client, out).await,
        InstancesCommand::Reset(args) => manage::reset(&args, client, out).await,
        InstancesCommand::Browser(args) => manage::browser(&args, client, out).await,
    }
}

/// `harness fleet close`, the short form.
pub(in crate::commands::fleet) async fn close(
    args: CloseArgs,
    client: &Client,
    out: Output,
) -> Done {
    close::close(args, client, out).await
}
