//! The sessions of a job.

use clap::Args;
use fleet_api::Client;
use fleet_api::types::{JobId, SessionInfo, TaskSessions};
use run_record::ExitCode;

use crate::commands::fleet::args::Limit;
use crate::commands::fleet::failed::Done;
use crate::commands::fleet::grid::Column;
use crate::commands::fleet::output::{Output, Table};

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// The job
    job: String,
    #[command(flatten)]
    limit: Limit,
}

pub(super) async fn list(args: ListArgs, client: &Client, out: Output) -> Done {
    let answer = client.job_sessions(&JobId::new(args.job)).await?;
    if out.json {
        out.printer.json(&answer);
        return Ok(ExitCode::Success);
    }
    let none = format!(
        "no sessions; `harness fleet sessions ingest FILE --job {}` adds one",
        report::text::shell_word(answer.job_id.as_str())
    );
    let table = Table {
        columns: &[
            Column::text("session"),
            Column::flexible("task"),
            Column::flexible("model"),
            Column::text("status"),
            Column::number("steps"),
            Column::number("score"),
            Column::text("created"),
        ],
        none: &none,
    };
    let of_group = |group: &TaskSessions| -> Vec<Vec<String>> {
        let task = task(group);
        group
            .sessions
            .iter()
            .map(|session| row(&task, session, out))
            .collect()
    };
    let rows: Vec<Vec<String>> = answer.tasks.iter().flat_map(of_group).collect();
    out.rows(&rows, &args.limit, &table, Clone::clone)
}

fn task(group: &TaskSessions) -> String {
    match (&group.task, &group.task_id) {
        (Some(task), _) => task.key.to_string(),
        (None, id) => id.clone().unwrap_or_default(),
    }
}

fn row(task: &str, session: &SessionInfo, out: Output) -> Vec<String> {
    let score = session
        .verifier_execution
        .as_ref()
        .and_then(|run| run.score);
    vec![
        session.session_id.to_string(),
        task.to_owned(),
        session.model.clone(),
        session.status.to_string(),
        session.step_count.to_string(),
        score.map(report::text::score).unwrap_or_default(),
        out.moment(&session.created_at),
    ]
}
