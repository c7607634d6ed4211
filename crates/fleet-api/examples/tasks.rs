//! Which tasks there are: by key, by project, and what each says of itself.
//!
//! `harness local`, then `FLEET_API_KEY=any FLEET_BASE_URL=http://127.0.0.1:PORT cargo run -p fleet-api --example tasks`.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use fleet_api::{Client, TaskQuery, task_file};

pub(crate) async fn run(fleet: &Client) -> Result<(), Box<dyn Error>> {
    let keys = ["helpdesk-ticket-owner", "helpdesk-raise-priority"];
    for task in fleet.tasks(&TaskQuery::keys(keys)).await? {
        println!("{}: {}", task.key, task.prompt);
        println!(
            "  environment {}, data {:?}",
            task.env_key(),
            task.data_key()
        );
        println!("  variables   {:?}", task.env_variables);
        println!("  steps       {:?}", task.metadata.get("avg_steps"));
    }

    let project = fleet.tasks(&TaskQuery::project("helpdesk")).await?;
    println!("{} tasks in the project", project.len());

    // A file of tasks is an array of exports; it reads back as it was.
    let exports = project.iter().map(fleet_api::Task::to_export_json);
    let text = serde_json::to_string_pretty(&exports.collect::<Vec<_>>())?;
    let again = task_file::parse(&text, "tasks.json".as_ref())?;
    assert_eq!(again.len(), project.len());

    let one = fleet.task(&"helpdesk-ticket-owner".into()).await?;
    println!(
        "its verifier starts at {:?}",
        one.verifier.and_then(|verifier| verifier.entry_point())
    );
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&Client::from_env()?).await
}
