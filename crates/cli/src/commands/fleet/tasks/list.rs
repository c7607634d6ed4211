//! Looks at tasks: many in a table, one with its prompt.

use clap::Args;
use fleet_api::types::TaskKey;
use fleet_api::{Client, Task, TaskQuery};
use run_record::ExitCode;

use crate::commands::fleet::args::Limit;
use crate::commands::fleet::failed::{Done, Failed};
use crate::commands::fleet::grid::{Column, record};
use crate::commands::fleet::output::{Output, Table, text};
use crate::printer::{style, styled};

#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(super) struct Filter {
    /// Only of this project
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
    /// Only for this environment
    #[arg(long, value_name = "KEY")]
    env: Option<String>,
    /// Only these; may be given more than once
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<String>,
}

#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    limit: Limit,
}

#[derive(Debug, Args)]
pub(super) struct GetArgs {
    /// Its key
    task: String,
    /// Print the verifier's source and nothing else
    #[arg(long)]
    verifier: bool,
}

impl Filter {
    /// The tasks, and an error that names the keys that there are none of.
    pub(super) async fn tasks(&self, client: &Client) -> Result<Vec<Task>, Failed> {
        let query = TaskQuery {
            project_key: self.project.clone(),
            env_key: self.env.clone(),
            keys: (!self.keys.is_empty()).then(|| self.keys.iter().map(TaskKey::new).collect()),
            ..TaskQuery::default()
        };
        let tasks = client.tasks(&query).await?;
        let found = |key: &&String| tasks.iter().any(|task| task.key.as_str() == key.as_str());
        let missing: Vec<&str> = self
            .keys
            .iter()
            .filter(|key| !found(key))
            .map(String::as_str)
            .collect();
        if missing.is_empty() {
            return Ok(tasks);
        }
        Err(
            Failed::usage(format!("no such task: {}", missing.join(", ")))
                .help("`harness fleet tasks list` lists what there is"),
        )
    }
}

pub(super) async fn list(args: ListArgs, client: &Client, out: Output) -> Done {
    let tasks = args.filter.tasks(client).await?;
    let table = Table {
        columns: &[
            Column::text("task"),
            Column::text("environment"),
            Column::text("data"),
            Column::text("verifier"),
            Column::flexible("prompt"),
        ],
        none: "no tasks; `harness fleet projects` lists projects, `harness fleet tasks import FILE` adds tasks",
    };
    if out.json {
        let exported: Vec<_> = tasks.iter().map(Task::to_export_json).collect();
        return out.rows(&exported, &args.limit, &table, |_| Vec::new());
    }
    let rows: Vec<Vec<String>> = tasks.iter().map(row).collect();
    out.rows(&rows, &args.limit, &table, Clone::clone)
}

fn row(task: &Task) -> Vec<String> {
    vec![
        task.key.to_string(),
        task.env_key(),
        task.data_key().unwrap_or_default(),
        verifier_kind(task),
        report::text::one_line(&task.prompt),
    ]
}

/// `python`, the kind of a native verifier, or `none`.
fn verifier_kind(task: &Task) -> String {
    let Some(verifier) = &task.verifier else {
        return "none".to_owned();
    };
    match verifier.native() {
        Some(definition) => definition["kind"].as_str().unwrap_or("native").to_owned(),
        None => "python".to_owned(),
    }
}

pub(super) async fn get(args: GetArgs, client: &Client, out: Output) -> Done {
    let key = TaskKey::new(args.task);
    let task = client.task(&key).await?;
    if args.verifier {
        let Some(verifier) = &task.verifier else {
            return Err(Failed::usage(format!(
                "the task {key} has no verifier that can be had"
            )));
        };
        if out.json {
            out.printer.json(&verifier.code);
        } else {
            out.printer
                .data(report::text::visible(verifier.code.trim_end()));
        }
        return Ok(ExitCode::Success);
    }
    if out.json {
        out.printer.json(&task.to_export_json());
    } else {
        tell(&task, out);
    }
    Ok(ExitCode::Success)
}

/// A task for people; its prompt below, as it is.
pub(super) fn tell(task: &Task, out: Output) {
    let object = |object: &serde_json::Map<_, _>| {
        if object.is_empty() {
            return String::new();
        }
        serde_json::Value::Object(object.clone()).to_string()
    };
    let id = task
        .verifier
        .as_ref()
        .and_then(|verifier| verifier.id.as_ref());
    out.printer.data(record(&[
        ("task", task.key.to_string()),
        ("environment", task.env_key()),
        ("data", task.data_key().unwrap_or_default()),
        ("variables", object(&task.env_variables)),
        ("verifier", verifier_kind(task)),
        ("verifier id", text(id)),
        ("metadata", object(&task.metadata)),
        ("answer", text(task.output_json_schema.as_ref())),
        (
            "created",
            out.moment(task.created_at.as_deref().unwrap_or_default()),
        ),
    ]));
    let heading = styled(style::BOLD, "prompt");
    let prompt = report::text::visible(task.prompt.trim_end());
    out.printer.data(format_args!("{heading}\n{prompt}"));
}
