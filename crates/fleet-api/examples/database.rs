//! Looks into the data of an instance, changes it, and says exactly what must have changed.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use fleet_api::manager::{Change, IgnoreConfig, expect_exactly};
use fleet_api::{Client, Environment};

pub(crate) async fn run(fleet: &Client) -> Result<(), Box<dyn Error>> {
    let task = fleet.task(&"helpdesk-raise-priority".into()).await?;
    let env = task.make(fleet).await?;
    let outcome = work(&env).await;
    let score = env.score(&task, ()).await;
    env.close().await?;
    outcome?;
    match score? {
        1.0 => Ok(()),
        score => Err(format!("what the task asks for was done, and scored {score}").into()),
    }
}

async fn work(env: &Environment) -> Result<(), Box<dyn Error>> {
    for resource in env.manager()?.resources().await? {
        println!("{} ({}, {})", resource.name, resource.kind, resource.mode);
    }
    let db = env.db()?;
    let urgent = db.table("tickets").eq("priority", "urgent").order_by("id");
    println!("{} urgent tickets", urgent.count().await?);
    let rows = urgent.limit(3).select(["id", "subject"]).all().await?;
    for row in &rows {
        println!(
            "  {} {}",
            row.get::<i64>("id")?,
            row.get::<String>("subject")?
        );
    }

    db.exec("UPDATE tickets SET priority = ? WHERE id = ?", ("high", 3))
        .await?;
    let diff = env.manager()?.diff(&IgnoreConfig::default()).await?;
    expect_exactly(
        &diff,
        &[Change::modify("tickets", 3).field("priority", "high")],
    )?;
    println!("one ticket changed, and nothing else");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&Client::from_env()?).await
}
