//! `harness fleet projects`: what tasks are filed under.

use clap::{Args, Subcommand};
use fleet_api::Client;

use super::args::{Limit, or_list};
use super::failed::Done;
use super::grid::Column;
use super::output::{Output, Table};

#[derive(Debug, Args)]
pub(crate) struct ProjectsArgs {
    #[command(subcommand)]
    command: Option<ProjectsCommand>,
    #[command(flatten)]
    list: Limit,
}

#[derive(Debug, Subcommand)]
enum ProjectsCommand {
    /// All of them (the default)
    List(Limit),
}

pub(super) async fn projects(args: ProjectsArgs, client: &Client, out: Output) -> Done {
    let ProjectsCommand::List(limit) = or_list(args.command, args.list, ProjectsCommand::List)?;
    let projects = client.projects().await?;
    let table = Table {
        columns: &[
            Column::text("project"),
            Column::text("kind"),
            Column::text("created"),
        ],
        none: "no projects; `harness fleet tasks import FILE --project KEY` begins one",
    };
    out.rows(&projects, &limit, &table, |project| {
        vec![
            project.project_key.to_string(),
            project.task_modality.clone().unwrap_or_default(),
            out.moment(&project.created_at),
        ]
    })
}
