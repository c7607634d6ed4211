//! Closes instances: some by id, or all that a filter names. What is not confirmed closed is told.

use std::time::Duration;

use clap::Args;
use fleet_api::Client;
use fleet_api::types::{Instance, InstanceId, InstanceQuery};
use run_record::ExitCode;

use super::list;
use crate::commands::fleet::args::{Limit, Owner, Yes};
use crate::commands::fleet::ask::confirmed;
use crate::commands::fleet::failed::{Done, Failed};
use crate::commands::fleet::grid::Column;
use crate::commands::fleet::output::{Output, Table};

/// How long closed instances may take to be told as such.
const CONFIRMATION: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(300);

#[derive(Debug, Args)]
pub(crate) struct CloseArgs {
    /// Ids of instances
    #[arg(required_unless_present = "run", value_name = "INSTANCE")]
    instances: Vec<String>,
    /// All of this run instead, as `instances close-all` does
    #[arg(
        long,
        visible_alias = "run-id",
        value_name = "ID",
        conflicts_with = "instances"
    )]
    run: Option<String>,
    #[command(flatten)]
    yes: Yes,
}

#[derive(Debug, Args)]
pub(super) struct CloseAllArgs {
    #[command(flatten)]
    owner: Owner,
    /// Say what would be closed and close nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn close(args: CloseArgs, client: &Client, out: Output) -> Done {
    if args.run.is_some() {
        let all = CloseAllArgs {
            owner: Owner {
                run: args.run,
                ..Owner::default()
            },
            dry_run: false,
            yes: args.yes,
        };
        return close_all(&all, client, out).await;
    }
    let mut closed = Vec::new();
    let mut problems = Vec::new();
    for id in args.instances {
        let id = InstanceId::new(id);
        match client.close_instance(&id).await {
            Ok(instance) => closed.push(instance),
            Err(error) if error.is_gone() => out.note(format!("{id} is gone already")),
            Err(error) => problems.push(format!("{id}: {}", error.to_line())),
        }
    }
    tell(&closed, out)?;
    if problems.is_empty() {
        return Ok(ExitCode::Success);
    }
    Err(unconfirmed(&problems))
}

pub(super) async fn close_all(args: &CloseAllArgs, client: &Client, out: Output) -> Done {
    let (run_id, profile_id) = (args.owner.run_id(), args.owner.profile.id());
    if run_id.is_none() && profile_id.is_none() {
        return Err(
            Failed::usage("nothing says whose instances are to be closed")
                .help("name a run with --run ID, or an account with --profile self"),
        );
    }
    let query = InstanceQuery {
        run_id: run_id.clone(),
        profile_id: profile_id.clone(),
        ..InstanceQuery::default()
    };
    let living = living(&query, client).await?;
    if living.is_empty() {
        if out.json {
            out.printer.json(&living);
        }
        out.note("nothing to close: no instance of these lives");
        return Ok(ExitCode::Success);
    }
    if args.dry_run {
        let done = list::rows(&living, &Limit::default(), out);
        out.note(format!("dry run: {} would be closed", living.len()));
        return done;
    }
    let number = report::text::plural(living.len(), "instance");
    if !args.yes.yes && out.printer.can_ask() {
        out.printer.say(names(&living));
    }
    if !confirmed(&format!("close {number}?"), &args.yes, out)? {
        return Ok(ExitCode::Success);
    }
    let closed = client
        .close_instances(run_id.as_ref(), profile_id.as_ref())
        .await?;
    tell(&closed, out)?;
    until_closed(&query, client).await
}

/// What the filter names, looked at again: a service that ignores it must not make us say so of others.
async fn living(query: &InstanceQuery, client: &Client) -> Result<Vec<Instance>, Failed> {
    let listed = client.instances(query).await?;
    let asked = |instance: &Instance| {
        (query.run_id.is_none() || instance.run_id == query.run_id) && !instance.status.is_ended()
    };
    Ok(listed.into_iter().filter(asked).collect())
}

async fn until_closed(query: &InstanceQuery, client: &Client) -> Done {
    let deadline = tokio::time::Instant::now() + CONFIRMATION;
    loop {
        let left = living(query, client)
            .await
            .map_err(|failed| failed.exit(ExitCode::Leaked))?;
        if left.is_empty() {
            return Ok(ExitCode::Success);
        }
        if tokio::time::Instant::now() > deadline {
            let line = |one: &Instance| format!("{} is {}", one.instance_id, one.status);
            return Err(unconfirmed(&left.iter().map(line).collect::<Vec<_>>()));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn tell(closed: &[Instance], out: Output) -> Done {
    let table = Table {
        columns: &[
            Column::text("closed"),
            Column::text("status"),
            Column::flexible("run"),
        ],
        none: "none was closed; `harness fleet instances list` shows what lives",
    };
    out.rows(closed, &Limit::default(), &table, |instance| {
        vec![
            instance.instance_id.to_string(),
            instance.status.to_string(),
            crate::commands::fleet::output::text(instance.run_id.as_ref()),
        ]
    })
}

fn unconfirmed(problems: &[String]) -> Failed {
    Failed::leaked(format!(
        "not confirmed closed:\n  {}",
        problems.join("\n  ")
    ))
    .help("the same command tries again")
}

/// The first of them, for the question.
fn names(instances: &[Instance]) -> String {
    const SHOWN: usize = 8;
    let ids = instances
        .iter()
        .map(|instance| instance.instance_id.as_str());
    let mut text = ids.take(SHOWN).collect::<Vec<_>>().join(" ");
    if instances.len() > SHOWN {
        text.push_str(" …");
    }
    report::text::one_line(&text)
}
