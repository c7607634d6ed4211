//! Instances: made with a life, a run and a pulse, listed, kept alive, closed one by one and all at once.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::Duration;

use fleet_api::Client;
use fleet_api::types::{InstanceQuery, ProfileId, RunId};

pub(crate) async fn run(fleet: &Client) -> Result<(), Box<dyn Error>> {
    let run_id = RunId::from("example-instances");
    let env = fleet
        .make("helpdesk:v1.0.0")
        .data("default")
        .env_variable("CURRENT_DATE", "2026-11-16")
        .ttl(Duration::from_secs(3600))
        .run_id(run_id.clone())
        .heartbeat_interval(Duration::from_secs(30))
        .await?;
    println!("{} runs at {}", env.id(), env.app_url(0)?);
    println!("tools at {}", env.mcp_url()?);

    // Beats, by hand, by id, and by themselves until `alive` is stopped or dropped.
    println!("{:?}", env.heartbeat().await?.last_heartbeat);
    fleet.heartbeat(env.id(), None).await?;
    let alive = env.keep_alive()?;

    for instance in fleet
        .instances(&InstanceQuery::of_run(run_id.clone()))
        .await?
    {
        println!("{} {} of the run", instance.instance_id, instance.status);
    }
    let mine = fleet
        .instances(&InstanceQuery::of_profile(ProfileId::myself()))
        .await?;
    println!("{} of mine", mine.len());

    // Another handle for the same instance, as another program would get it.
    let same = fleet.attach(env.id()).await?;
    println!("{same:?}");

    if let Some(lost) = alive.stop().await {
        println!("the instance was lost: {lost}");
    }
    println!("{}", env.close().await?.status);

    // By id, and all of a run or of oneself. Both are safe to repeat.
    let id = fleet
        .make("helpdesk")
        .run_id(run_id.clone())
        .await?
        .id()
        .clone();
    fleet.close_instance(&id).await?;
    let of_run = fleet.close_instances(Some(&run_id), None).await?;
    let of_mine = fleet
        .close_instances(None, Some(&ProfileId::myself()))
        .await?;
    println!("closed {} and {} more", of_run.len(), of_mine.len());
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&Client::from_env()?).await
}
