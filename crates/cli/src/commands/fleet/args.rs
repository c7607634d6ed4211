//! The command line below `harness fleet`, and the options that several topics share.

use clap::{Args, Subcommand};
use fleet_api::types::{ProfileId, RunId};

use super::db::DbArgs;
use super::envs::EnvsArgs;
use super::failed::Failed;
use super::files::FilesArgs;
use super::instances::{CloseArgs, InstancesArgs};
use super::jobs::JobsArgs;
use super::judge::JudgeArgs;
use super::projects::ProjectsArgs;
use super::runs::RunsArgs;
use super::sessions::SessionsArgs;
use super::tasks::TasksArgs;
use super::verifiers::VerifiersArgs;
use super::verify::VerifyArgs;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  harness fleet instances make helpdesk --ttl 30m
  harness fleet verify TASK INSTANCE --answer \"42\"
  harness fleet tasks export --project my-project -o tasks.json
  harness fleet instances list --run RUN --json | jq -r '.[].instance_id'")]
pub(crate) struct FleetArgs {
    /// The service; `FLEET_BASE_URL` as for the official SDK
    #[arg(long, value_name = "URL", global = true, env = "FLEET_BASE_URL")]
    pub(crate) endpoint: Option<String>,
    /// One JSON document on stdout, with the fields of the API; errors as JSON on stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: FleetCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FleetCommand {
    /// The team, its limit and its use of it
    Account,
    /// The regions in which instances can run
    Regions,
    /// The environments
    #[command(visible_alias = "env")]
    Envs(EnvsArgs),
    /// Instances: make, look at, keep alive, close
    #[command(visible_alias = "instance")]
    Instances(InstancesArgs),
    /// Close instances by id, or all of a run
    Close(CloseArgs),
    /// The runs that instances belong to
    Runs(RunsArgs),
    /// Tasks: look at, export, import, change
    #[command(visible_alias = "task")]
    Tasks(TasksArgs),
    /// The projects that tasks are filed under
    Projects(ProjectsArgs),
    /// Verify a task on an instance
    Verify(VerifyArgs),
    /// Have a model grade an answer by a rubric
    Judge(JudgeArgs),
    /// Stored verifiers
    #[command(visible_alias = "verifier")]
    Verifiers(VerifiersArgs),
    /// The databases of an instance: tables, rows, differences
    Db(DbArgs),
    /// The files of an instance
    #[command(visible_alias = "file")]
    Files(FilesArgs),
    /// Jobs: batches of sessions
    #[command(visible_alias = "job")]
    Jobs(JobsArgs),
    /// Sessions: what an agent and its model said
    #[command(visible_alias = "session")]
    Sessions(SessionsArgs),
}

/// Whose and which run's.
#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct Owner {
    /// Only of this run
    #[arg(long, visible_alias = "run-id", value_name = "ID")]
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) profile: Profile,
}

impl Owner {
    pub(super) fn run_id(&self) -> Option<RunId> {
        self.run.as_ref().map(RunId::new)
    }
}

#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct Profile {
    /// Only of this account; `self` is the owner of the key
    #[arg(long, value_name = "ID")]
    profile: Option<String>,
    /// The same as `--profile self`
    #[arg(long, conflicts_with = "profile")]
    mine: bool,
}

impl Profile {
    pub(super) fn id(&self) -> Option<ProfileId> {
        if self.mine {
            return Some(ProfileId::myself());
        }
        self.profile.as_ref().map(ProfileId::new)
    }
}

/// How much of a list.
#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct Limit {
    /// Show so many at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
}

/// Leave to do what cannot be undone.
#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct Yes {
    /// Do not ask; needed where nobody can answer
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// The subcommand, or the list that a topic is without one. Options of the list in front of another subcommand
/// would do nothing, so they are refused.
pub(super) fn or_list<C, L: Default + PartialEq>(
    command: Option<C>,
    list: L,
    as_command: impl Fn(L) -> C,
) -> Result<C, Failed> {
    match command {
        None => Ok(as_command(list)),
        Some(command) if list == L::default() => Ok(command),
        Some(_) => Err(Failed::usage("an option stands in front of its subcommand")
            .help("write it behind: `harness fleet instances list --limit 5`")),
    }
}
