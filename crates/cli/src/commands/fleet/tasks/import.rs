//! Stores the tasks of a file at the service. What exists already is replaced only if somebody says so.

use std::collections::HashSet;
use std::path::PathBuf;

use clap::Args;
use fleet_api::types::{ProjectKey, TaskKey};
use fleet_api::{Client, Task, TaskQuery, task_file};
use run_record::ExitCode;
use serde_json::Value;

use crate::commands::fleet::args::{Limit, Yes};
use crate::commands::fleet::ask::confirmed;
use crate::commands::fleet::failed::{Done, Failed};
use crate::commands::fleet::grid::Column;
use crate::commands::fleet::output::{Output, Table};
use crate::failure::chain;

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// A tasks file: an array of tasks, as `tasks export` and the official client write it
    file: PathBuf,
    /// File them under this project
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
    /// Leave alone what the service has already
    #[arg(long)]
    skip_existing: bool,
    /// Say what would be stored and store nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn import(args: &ImportArgs, client: &Client, out: Output) -> Done {
    let mut tasks = task_file::load(&args.file).map_err(|error| {
        let text = chain(&error);
        Failed::usage(text.strip_prefix("error: ").unwrap_or(&text))
    })?;
    if tasks.is_empty() {
        return Err(Failed::usage(format!(
            "{} has no tasks",
            args.file.display()
        )));
    }
    let existing = existing(&tasks, client).await?;
    if args.skip_existing {
        tasks.retain(|task| !existing.contains(&task.key));
        let number = report::text::plural(existing.len(), "task");
        out.note(format!(
            "{number} of the file exist already and are left alone"
        ));
    }
    if args.dry_run {
        return plan(&tasks, &existing, out);
    }
    if !args.skip_existing && !existing.is_empty() {
        let (old, all) = (existing.len(), tasks.len());
        let question = format!("{old} of the {all} tasks exist already; replace them?");
        if !confirmed(&question, &args.yes, out)? {
            return Ok(ExitCode::Success);
        }
    }
    store(&tasks, args.project.as_deref(), client, out).await
}

/// The keys that the service has already.
async fn existing(tasks: &[Task], client: &Client) -> Result<HashSet<TaskKey>, Failed> {
    let query = TaskQuery::keys(tasks.iter().map(|task| task.key.clone()));
    let found = client.tasks(&query).await?;
    Ok(found.into_iter().map(|task| task.key).collect())
}

fn plan(tasks: &[Task], existing: &HashSet<TaskKey>, out: Output) -> Done {
    if out.json {
        let exported: Vec<Value> = tasks.iter().map(Task::to_export_json).collect();
        out.printer.json(&exported);
        return Ok(ExitCode::Success);
    }
    let rows: Vec<Vec<String>> = tasks
        .iter()
        .map(|task| {
            let known = existing.contains(&task.key);
            let fate = if known { "replace" } else { "add" };
            vec![task.key.to_string(), fate.to_owned(), task.env_key()]
        })
        .collect();
    let table = Table {
        columns: &[
            Column::text("task"),
            Column::text("would"),
            Column::text("environment"),
        ],
        none: "nothing would be stored",
    };
    let done = out.rows(&rows, &Limit::default(), &table, Clone::clone);
    out.note("dry run: nothing was stored");
    done
}

/// Stores one after the other; one that is refused stops none of the others.
async fn store(tasks: &[Task], project: Option<&str>, client: &Client, out: Output) -> Done {
    let project = project.map(ProjectKey::new);
    let mut stored: Vec<Value> = Vec::new();
    let mut problems = Vec::new();
    for task in tasks {
        match client.import_task(task, project.as_ref()).await {
            Ok(_) => stored.push(task.to_export_json()),
            // Nothing else would be taken either.
            Err(error) if error.is_auth() => return Err(error.into()),
            Err(error) => problems.push(format!("{}: {}", task.key, error.to_line())),
        }
    }
    if out.json {
        out.printer.json(&stored);
    }
    out.note(format!(
        "stored {} of {}",
        stored.len(),
        report::text::plural(tasks.len(), "task")
    ));
    if problems.is_empty() {
        if let Some(project) = &project {
            let project = report::text::shell_word(project.as_str());
            out.note(format!(
                "`harness fleet tasks list --project {project}` lists them"
            ));
        }
        return Ok(ExitCode::Success);
    }
    Err(Failed::usage(format!(
        "not stored:\n  {}",
        problems.join("\n  ")
    )))
}
