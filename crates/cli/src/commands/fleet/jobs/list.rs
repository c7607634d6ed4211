//! Looks at jobs: many in a table, one with what to do next.

use clap::Args;
use fleet_api::Client;
use fleet_api::types::{Job, JobId, JobQuery};

use crate::commands::fleet::args::Limit;
use crate::commands::fleet::failed::Done;
use crate::commands::fleet::grid::Column;
use crate::commands::fleet::output::{Output, Table, text};

#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(super) struct ListArgs {
    /// Only of this team
    #[arg(long, value_name = "ID")]
    team: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

#[derive(Debug, Args)]
pub(super) struct GetArgs {
    /// Its id
    job: String,
    /// The team it belongs to
    #[arg(long, value_name = "ID")]
    team: Option<String>,
}

pub(super) async fn list(args: ListArgs, client: &Client, out: Output) -> Done {
    let query = JobQuery {
        team_id: args.team,
        limit: args.limit.limit.map(u64::from),
    };
    let jobs = client.jobs(&query).await?;
    let table = Table {
        columns: &[
            Column::text("job"),
            Column::flexible("name"),
            Column::text("status"),
            Column::number("sessions"),
            Column::text("created"),
        ],
        none: "no jobs; `harness fleet jobs trace --name NAME` makes one that collects sessions",
    };
    let done = out.rows(&jobs.jobs, &args.limit, &table, |job| {
        vec![
            job.id.to_string(),
            job.name.clone().unwrap_or_default(),
            text(job.status.as_ref()),
            text(job.session_count.as_ref()),
            out.moment(job.created_at.as_deref().unwrap_or_default()),
        ]
    });
    let shown = jobs.jobs.len();
    if jobs.total > shown as u64 {
        out.note(format!(
            "{shown} of {}; a larger --limit shows more",
            jobs.total
        ));
    }
    done
}

pub(super) async fn get(args: GetArgs, client: &Client, out: Output) -> Done {
    let job = client
        .job(&JobId::new(args.job), args.team.as_deref())
        .await?;
    let done = record(&job, out);
    let id = report::text::shell_word(job.id.as_str());
    out.note(format!(
        "`harness fleet sessions list {id}` lists its sessions"
    ));
    done
}

fn record(job: &Job, out: Output) -> Done {
    out.record(
        job,
        &[
            ("job", job.id.to_string()),
            ("name", job.name.clone().unwrap_or_default()),
            ("status", text(job.status.as_ref())),
            ("sessions", text(job.session_count.as_ref())),
            (
                "created",
                out.moment(job.created_at.as_deref().unwrap_or_default()),
            ),
        ],
    )
}
