//! Writes a tasks file in the official client's form.

use std::path::PathBuf;

use clap::Args;
use fleet_api::{Client, Task};
use run_record::ExitCode;
use serde_json::Value;

use super::list::Filter;
use crate::commands::fleet::failed::{Done, Failed};
use crate::commands::fleet::input;
use crate::commands::fleet::output::Output;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    filter: Filter,
    /// The file, instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn export(args: ExportArgs, client: &Client, out: Output) -> Done {
    let tasks = args.filter.tasks(client).await?;
    if tasks.is_empty() {
        return Err(Failed::usage("no task matches, so nothing was written")
            .help("`harness fleet tasks list` and `harness fleet projects` list what there is"));
    }
    let exported: Vec<Value> = tasks.iter().map(Task::to_export_json).collect();
    let Some(path) = &args.output else {
        out.printer.json(&exported);
        return Ok(ExitCode::Success);
    };
    let mut text = serde_json::to_vec_pretty(&exported).expect("a value can be encoded");
    text.push(b'\n');
    input::write(path, &text)?;
    if out.json {
        out.printer.json(&exported);
    }
    let number = report::text::plural(tasks.len(), "task");
    out.note(format!("wrote {number} to {}", path.display()));
    Ok(ExitCode::Success)
}
