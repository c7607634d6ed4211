//! `harness fleet account` and `harness fleet regions`: what the key opens.

use fleet_api::Client;

use super::args::Limit;
use super::failed::Done;
use super::grid::Column;
use super::output::{Output, Table, text};

pub(super) async fn account(client: &Client, out: Output) -> Done {
    let account = client.account().await?;
    let used = format!("{} of {}", account.instance_count, account.instance_limit);
    let profile = match (&account.profile_name, &account.profile_id) {
        (Some(name), Some(id)) => format!("{name} ({id})"),
        (name, id) => name.clone().unwrap_or_else(|| text(id.as_ref())),
    };
    out.record(
        &account,
        &[
            (
                "team",
                format!("{} ({})", account.team_name, account.team_id),
            ),
            ("profile", profile),
            ("instances", used),
        ],
    )
}

pub(super) async fn regions(client: &Client, out: Output) -> Done {
    let regions = client.regions().await?;
    let table = Table {
        columns: &[Column::text("region")],
        none: "the service names no regions",
    };
    out.rows(&regions, &Limit::default(), &table, |region| {
        vec![region.clone()]
    })
}
