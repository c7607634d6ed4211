//! The subcommands of `harness fleet sessions`.

use clap::{Args, Subcommand};
use fleet_api::Client;

use super::ingest::{self, IngestArgs};
use super::list::{self, ListArgs};
use super::transcript::{self, TranscriptArgs};
use crate::commands::fleet::failed::Done;
use crate::commands::fleet::output::Output;

#[derive(Debug, Args)]
pub(crate) struct SessionsArgs {
    #[command(subcommand)]
    command: SessionsCommand,
}

#[derive(Debug, Subcommand)]
enum SessionsCommand {
    /// The sessions of a job, by task
    List(ListArgs),
    /// What was said in a session
    Transcript(TranscriptArgs),
    /// Store a session from a file of messages
    Ingest(Box<IngestArgs>),
}

pub(in crate::commands::fleet) async fn sessions(
    args: SessionsArgs,
    client: &Client,
    out: Output,
) -> Done {
    match args.command {
        SessionsCommand::List(args) => list::list(args, client, out).await,
        SessionsCommand::Transcript(args) => transcript::transcript(args, client, out).await,
        SessionsCommand::Ingest(args) => ingest::ingest(*args, client, out).await,
    }
}
