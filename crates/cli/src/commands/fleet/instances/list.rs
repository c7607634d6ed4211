//! Looks at instances: many in a table, one with its addresses.

use clap::Args;
use fleet_api::Client;
use fleet_api::types::{Instance, InstanceId, InstanceQuery};

use crate::commands::fleet::args::{Limit, Owner};
use crate::commands::fleet::failed::Done;
use crate::commands::fleet::grid::Column;
use crate::commands::fleet::output::{Output, Table, text};

#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    owner: Owner,
    /// Only of this environment
    #[arg(long, value_name = "KEY")]
    env: Option<String>,
    /// Only in this status
    #[arg(long, value_parser = ["pending", "running", "stopped", "error"])]
    status: Option<String>,
    /// Only in this region
    #[arg(long)]
    region: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

#[derive(Debug, Args)]
pub(super) struct GetArgs {
    /// Its id
    instance: String,
}

pub(super) async fn list(args: ListArgs, client: &Client, out: Output) -> Done {
    let query = InstanceQuery {
        status: args.status.as_deref().map(Into::into),
        region: args.region,
        run_id: args.owner.run_id(),
        profile_id: args.owner.profile.id(),
    };
    let mut instances = client.instances(&query).await?;
    if let Some(env) = &args.env {
        // The service has no such filter.
        instances.retain(|instance| instance.env_key.as_str() == env);
    }
    rows(&instances, &args.limit, out)
}

pub(super) fn rows(instances: &[Instance], limit: &Limit, out: Output) -> Done {
    let table = Table {
        columns: &[
            Column::text("instance"),
            Column::text("environment"),
            Column::text("status"),
            Column::flexible("run"),
            Column::text("created"),
            Column::flexible("url"),
        ],
        none: "no instances; `harness fleet instances make ENV` makes one",
    };
    out.rows(instances, limit, &table, |instance| {
        vec![
            instance.instance_id.to_string(),
            environment(instance),
            instance.status.to_string(),
            text(instance.run_id.as_ref()),
            out.moment(&instance.created_at),
            instance
                .urls
                .as_ref()
                .map(|urls| urls.root.clone())
                .unwrap_or_default(),
        ]
    })
}

pub(super) async fn get(args: GetArgs, client: &Client, out: Output) -> Done {
    let instance = client.instance(&InstanceId::new(args.instance)).await?;
    record(&instance, out)
}

pub(super) fn record(instance: &Instance, out: Output) -> Done {
    let urls = instance.urls.clone().unwrap_or_default();
    let data = match (&instance.data_key, &instance.data_version) {
        (Some(key), Some(version)) => format!("{key}:{version}"),
        (key, _) => key.clone().unwrap_or_default(),
    };
    let variables = instance.env_variables.as_ref().map(|variables| {
        let names: Vec<&str> = variables.keys().map(String::as_str).collect();
        names.join(", ")
    });
    let mcp = match urls.root.as_str() {
        "" => String::new(),
        root => format!("{root}mcp"),
    };
    let heartbeat = instance
        .heartbeat_interval
        .map(|every| format!("every {every} s"));
    out.record(
        instance,
        &[
            ("instance", instance.instance_id.to_string()),
            ("environment", environment(instance)),
            ("status", instance.status.to_string()),
            ("data", data),
            ("variables", variables.unwrap_or_default()),
            ("run", text(instance.run_id.as_ref())),
            ("profile", text(instance.profile_id.as_ref())),
            ("region", instance.region.clone()),
            ("heartbeat", heartbeat.unwrap_or_default()),
            ("created", out.moment(&instance.created_at)),
            ("ends", out.moment(ends_at(instance))),
            (
                "ended",
                out.moment(instance.terminated_at.as_deref().unwrap_or_default()),
            ),
            ("why", text(instance.status_reason.as_ref())),
            ("url", urls.root),
            ("apps", urls.app.join(" ")),
            ("mcp", mcp),
            ("manager", urls.manager.api),
        ],
    )
}

/// While it lives; the service may not say it.
fn ends_at(instance: &Instance) -> &str {
    match &instance.terminated_at {
        Some(_) => "",
        None => instance.expires_at.as_deref().unwrap_or_default(),
    }
}

fn environment(instance: &Instance) -> String {
    match instance.version.as_str() {
        "" => instance.env_key.to_string(),
        version => format!("{}:{version}", instance.env_key),
    }
}
