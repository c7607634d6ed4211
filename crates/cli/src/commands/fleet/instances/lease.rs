//! How long an instance lives, and what a create came to.

use std::time::Duration;

use clap::Args;
use fleet_api::Client;
use fleet_api::types::{Instance, InstanceId, RequestId};
use jiff::Timestamp;

use super::list;
use crate::commands::fleet::failed::{Done, Failed};
use crate::commands::fleet::input;
use crate::commands::fleet::moment;
use crate::commands::fleet::output::{Output, text};

#[derive(Debug, Args)]
pub(super) struct TtlArgs {
    /// Its id
    instance: String,
    /// From now: 90s, 30m, 2h
    #[arg(value_parser = input::duration)]
    time: Duration,
    /// Only if it would end earlier; else its life may become shorter
    #[arg(long)]
    at_least: bool,
}

#[derive(Debug, Args)]
pub(super) struct RequestArgs {
    /// The id that the create was sent under, a UUID (`make --request-id`)
    request: String,
    /// End what it made, or is about to make
    #[arg(long)]
    cancel: bool,
}

pub(super) async fn ttl(args: TtlArgs, client: &Client, out: Output) -> Done {
    let id = InstanceId::new(args.instance);
    let instance = if args.at_least {
        at_least(&id, args.time, client).await?
    } else {
        client.set_ttl(&id, args.time).await?
    };
    list::record(&instance, out)
}

/// One that lives longer already is left as it is: services refuse to extend it to an earlier end.
async fn at_least(id: &InstanceId, time: Duration, client: &Client) -> Result<Instance, Failed> {
    let end = Timestamp::now()
        .checked_add(time)
        .map_err(|_| Failed::usage("that is longer than any calendar"))?;
    let instance = client.instance(id).await?;
    let present = instance.expires_at.as_deref().and_then(moment::parse);
    if present.is_some_and(|present| present >= end) {
        return Ok(instance);
    }
    Ok(client.extend_ttl(id, end.into()).await?)
}

pub(super) async fn request(args: RequestArgs, client: &Client, out: Output) -> Done {
    let id: RequestId = args
        .request
        .parse()
        .map_err(|_| Failed::usage(format!("{:?} is no UUID", args.request)))?;
    let create = if args.cancel {
        client.cancel_create(id).await?
    } else {
        client.create_request(id).await?
    };
    out.record(
        &create,
        &[
            ("request", create.request_id.clone()),
            ("state", create.state.to_string()),
            ("instance", text(create.instance_id.as_ref())),
        ],
    )
}
