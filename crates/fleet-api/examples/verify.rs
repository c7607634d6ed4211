//! One task from beginning to end: its environment, an answer, a verification with everything it says.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::Duration;

use fleet_api::{Client, Environment, Task};

pub(crate) async fn run(fleet: &Client) -> Result<(), Box<dyn Error>> {
    let task = fleet.task(&"helpdesk-ticket-owner".into()).await?;
    let env = task.make(fleet).ttl(Duration::from_secs(600)).await?;
    // Whatever happens in between, the instance is given back.
    let outcome = attempt(&task, &env).await;
    env.close().await?;
    outcome
}

async fn attempt(task: &Task, env: &Environment) -> Result<(), Box<dyn Error>> {
    // … an agent would work here; this one knows the answer …
    let answer = "Priya Raman";
    let result = env.verify(task, answer).await?;
    println!("key        {:?} version {:?}", result.key, result.version);
    println!(
        "it ran     {} in {} ms",
        result.success, result.execution_time_ms
    );
    println!("it gave    {:?}, error {:?}", result.result, result.error);
    println!("it printed {:?}", result.stdout);
    // A verifier that did not run, or returned no number, is an error here and never a zero.
    let score = result.score()?;
    println!("score      {score}");
    if score < 1.0 {
        return Err("the right answer should have scored 1".into());
    }

    // Only the number. Without an answer this task cannot be solved.
    println!("no answer  {}", env.score(task, ()).await?);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&Client::from_env()?).await
}
