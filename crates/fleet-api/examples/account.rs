//! Who one is, what one may use, and what runs there are.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use fleet_api::Client;
use fleet_api::types::{ProfileId, RunActivity, RunQuery};

pub(crate) async fn run(fleet: &Client) -> Result<(), Box<dyn Error>> {
    let account = fleet.account().await?;
    println!("{} ({})", account.team_name, account.team_id);
    println!("{:?} ({:?})", account.profile_name, account.profile_id);
    println!(
        "{} of {} instances",
        account.instance_count, account.instance_limit
    );

    println!("regions: {}", fleet.regions().await?.join(", "));
    for environment in fleet.environments().await? {
        let versions = environment.versions.keys().cloned().collect::<Vec<_>>();
        println!("{}: {}", environment.env_key, versions.join(", "));
    }

    let active = RunQuery::default();
    let all = RunQuery {
        active: RunActivity::All,
        ..RunQuery::default()
    };
    let mine = RunQuery {
        profile_id: Some(ProfileId::myself()),
        ..RunQuery::default()
    };
    for (name, query) in [("active", active), ("all", all), ("mine", mine)] {
        for run in fleet.runs(&query).await? {
            let (running, total) = (run.running_count, run.total_count);
            println!(
                "{name}: {} {running} of {total}, {} to {}",
                run.run_id, run.first_created_at, run.last_created_at
            );
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&Client::from_env()?).await
}
