//! `harness fleet runs`: which runs instances belong to.

use clap::{Args, Subcommand, ValueEnum};
use fleet_api::Client;
use fleet_api::types::{RunActivity, RunQuery};

use super::args::{Limit, Profile, or_list};
use super::failed::Done;
use super::grid::Column;
use super::output::{Output, Table, text};

#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    command: Option<RunsCommand>,
    #[command(flatten)]
    list: RunsList,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// All of them (the default)
    List(RunsList),
}

#[derive(Debug, Default, PartialEq, Eq, Args)]
struct RunsList {
    /// Runs with live instances, without, or both
    #[arg(long, value_enum, default_value_t)]
    status: Activity,
    #[command(flatten)]
    profile: Profile,
    #[command(flatten)]
    limit: Limit,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Activity {
    #[default]
    Active,
    Inactive,
    All,
}

pub(super) async fn runs(args: RunsArgs, client: &Client, out: Output) -> Done {
    let RunsCommand::List(list) = or_list(args.command, args.list, RunsCommand::List)?;
    let query = RunQuery {
        active: match list.status {
            Activity::Active => RunActivity::Active,
            Activity::Inactive => RunActivity::Inactive,
            Activity::All => RunActivity::All,
        },
        profile_id: list.profile.id(),
    };
    let runs = client.runs(&query).await?;
    let table = Table {
        columns: &[
            Column::text("run"),
            Column::number("running"),
            Column::number("total"),
            Column::text("first"),
            Column::text("last"),
            Column::text("profile"),
        ],
        none: match list.status {
            Activity::Active => {
                "no run has live instances; `harness fleet runs --status all` lists the others"
            }
            Activity::Inactive | Activity::All => {
                "no runs; `harness fleet instances make ENV --run ID` begins one"
            }
        },
    };
    out.rows(&runs, &list.limit, &table, |run| {
        vec![
            run.run_id.to_string(),
            run.running_count.to_string(),
            run.total_count.to_string(),
            out.moment(&run.first_created_at),
            out.moment(&run.last_created_at),
            text(run.profile_id.as_ref()),
        ]
    })
}
