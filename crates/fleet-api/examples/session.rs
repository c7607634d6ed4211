//! A job of one session: the calls of a model are logged as they happen, and the session ends with its verification.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use fleet_api::Client;
use serde_json::json;

pub(crate) async fn run(fleet: &Client) -> Result<(), Box<dyn Error>> {
    let job = fleet.create_trace_job(Some("example")).await?.job_id;
    let task = fleet.task(&"helpdesk-ticket-owner".into()).await?;
    let env = task.make(fleet).await?;

    let mut session = env
        .session()
        .job(job.clone())
        .model("acme/agent-1")
        .task(task.key.clone())
        .config(json!({"temperature": 0}));
    let history = [json!({"role": "user", "content": task.prompt})];
    // … a model would answer here …
    let response = json!({"role": "assistant", "content": "Priya Raman"});
    session.log(&history, &response).await?;

    let verified = env.verify(&task, "Priya Raman").await?;
    session.complete(verified.execution_id.as_ref()).await?;
    env.close().await?;

    let sessions = fleet.job_sessions(&job).await?;
    println!("{} session of the job", sessions.total_sessions);
    let id = session.id().ok_or("the service named no session")?;
    for message in fleet.transcript(id).await?.transcript {
        println!("{}: {}", message.role, message.content);
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&Client::from_env()?).await
}
