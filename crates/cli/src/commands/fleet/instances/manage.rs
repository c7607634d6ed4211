//! What an instance's manager says of it and does to it: resources, health, reset, browser, MCP.

use clap::Args;
use fleet_api::Client;
use serde_json::json;

use crate::commands::fleet::args::{Limit, Yes};
use crate::commands::fleet::ask::confirmed;
use crate::commands::fleet::failed::Done;
use crate::commands::fleet::grid::Column;
use crate::commands::fleet::manager::Target;
use crate::commands::fleet::output::{Output, Table};
use run_record::ExitCode;

#[derive(Debug, Args)]
pub(super) struct ResetArgs {
    #[command(flatten)]
    target: Target,
    /// The instance's clock afterwards, in Unix seconds
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    timestamp: Option<i64>,
    /// The seed of the instance's chance
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seed: Option<i64>,
    #[command(flatten)]
    yes: Yes,
}

#[derive(Debug, Args)]
pub(super) struct BrowserArgs {
    #[command(flatten)]
    target: Target,
    /// The size of its window
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1920x1080", value_parser = window)]
    size: (u32, u32),
}

/// Reads `1920x1080`.
fn window(text: &str) -> Result<(u32, u32), String> {
    let wrong = || "must be WIDTHxHEIGHT in pixels, for example 1920x1080".to_owned();
    let (width, height) = text.split_once(['x', ',']).ok_or_else(wrong)?;
    let pixels = |text: &str| {
        text.parse()
            .ok()
            .filter(|pixels| *pixels > 0)
            .ok_or_else(wrong)
    };
    Ok((pixels(width)?, pixels(height)?))
}

pub(super) async fn resources(target: &Target, client: &Client, out: Output) -> Done {
    let resources = target.manager(client).await?.resources().await?;
    let table = Table {
        columns: &[
            Column::text("resource"),
            Column::text("kind"),
            Column::text("mode"),
            Column::flexible("label"),
        ],
        none: "the instance has no resources",
    };
    out.rows(&resources, &Limit::default(), &table, |resource| {
        vec![
            resource.name.clone(),
            resource.kind.to_string(),
            resource.mode.to_string(),
            resource.label.clone().unwrap_or_default(),
        ]
    })
}

pub(super) async fn health(target: &Target, client: &Client, out: Output) -> Done {
    let health = target.manager(client).await?.health().await?;
    out.record(
        &health,
        &[
            ("status", health.status.clone()),
            ("service", health.service.clone()),
            ("asked", out.moment(&health.timestamp)),
        ],
    )
}

pub(super) async fn reset(args: &ResetArgs, client: &Client, out: Output) -> Done {
    let manager = args.target.manager(client).await?;
    let instance = args.target.instance();
    if !confirmed(
        &format!("throw away all work in {instance}?"),
        &args.yes,
        out,
    )? {
        return Ok(ExitCode::Success);
    }
    let message = manager.reset(args.timestamp, args.seed).await?;
    if out.json {
        out.printer
            .json(&json!({"success": true, "message": message}));
    }
    out.note(format!("{instance} is as it was in the beginning"));
    Ok(ExitCode::Success)
}

pub(super) async fn browser(args: &BrowserArgs, client: &Client, out: Output) -> Done {
    let browser = args.target.manager(client).await?.browser();
    let addresses = browser.start(args.size.0, args.size.1).await?;
    out.record(
        &addresses,
        &[
            ("page", addresses.cdp_page_url.clone()),
            ("browser", addresses.cdp_browser_url.clone()),
            ("to look at", addresses.cdp_devtools_url.clone()),
        ],
    )
}
