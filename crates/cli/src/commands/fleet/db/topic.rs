//! The subcommands of `harness fleet db`.

use clap::{Args, Subcommand};
use fleet_api::Client;
use fleet_api::manager::Database;

use super::diff::{self, DiffArgs};
use super::statement::{self, ExecArgs, QueryArgs};
use super::tables::{self, TablesArgs};
use crate::commands::fleet::failed::{Done, Failed};
use crate::commands::fleet::manager::Target;
use crate::commands::fleet::output::Output;

#[derive(Debug, Args)]
pub(crate) struct DbArgs {
    #[command(subcommand)]
    command: DbCommand,
}

#[derive(Debug, Subcommand)]
enum DbCommand {
    /// The tables, or the columns of one
    #[command(visible_alias = "describe")]
    Tables(TablesArgs),
    /// The rows of a statement that reads
    Query(QueryArgs),
    /// Run a statement that writes
    Exec(ExecArgs),
    /// What is different from the data that the instance began with
    Diff(DiffArgs),
}

/// A database of an instance.
#[derive(Debug, Args)]
pub(super) struct Source {
    #[command(flatten)]
    pub(super) target: Target,
    /// Which database: `current`, `seed`, or another that the instance has
    #[arg(long, value_name = "NAME", default_value = "current")]
    pub(super) db: String,
}

impl Source {
    pub(super) async fn database(&self, client: &Client) -> Result<Database, Failed> {
        Ok(self.target.manager(client).await?.db(&self.db))
    }
}

pub(in crate::commands::fleet) async fn db(args: DbArgs, client: &Client, out: Output) -> Done {
    match args.command {
        DbCommand::Tables(args) => tables::tables(&args, client, out).await,
        DbCommand::Query(args) => statement::query(args, client, out).await,
        DbCommand::Exec(args) => statement::exec(args, client, out).await,
        DbCommand::Diff(args) => diff::diff(args, client, out).await,
    }
}
