//! Changes a task: what is different is shown before it is done.

use std::path::PathBuf;

use clap::Args;
use fleet_api::types::{TaskKey, UpdateTaskBody};
use fleet_api::{Client, Task};
use run_record::ExitCode;
use serde_json::Value;
use similar::TextDiff;

use super::list;
use crate::commands::fleet::args::Yes;
use crate::commands::fleet::ask::confirmed;
use crate::commands::fleet::failed::{Done, Failed};
use crate::commands::fleet::output::Output;
use crate::commands::fleet::{input, verify};

#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    /// Its key
    task: String,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    yes: Yes,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Change {
    /// The new prompt
    #[arg(long, value_name = "TEXT", conflicts_with = "prompt_file")]
    prompt: Option<String>,
    /// A file with the new prompt; `-` is stdin
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<PathBuf>,
    /// The new verifier: Python source, or a native definition as JSON
    #[arg(long, value_name = "FILE")]
    verifier: Option<PathBuf>,
    /// The new metadata in place of the old: a JSON object, or @FILE
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
}

pub(super) async fn update(args: UpdateArgs, client: &Client, out: Output) -> Done {
    let key = TaskKey::new(args.task);
    let body = args.change.body(key.as_str())?;
    let before = client.task(&key).await?;
    let difference = difference(&before, &body);
    if difference.is_empty() {
        out.note("the task is like that already; nothing was changed");
        tell(&before, out);
        return Ok(ExitCode::Success);
    }
    out.note(difference.trim_end());
    if !confirmed(&format!("change the task {key}?"), &args.yes, out)? {
        return Ok(ExitCode::Success);
    }
    let after = client.update_task(&key, &body).await?;
    tell(&after, out);
    Ok(ExitCode::Success)
}

fn tell(task: &Task, out: Output) {
    if out.json {
        out.printer.json(&task.to_export_json());
    } else {
        list::tell(task, out);
    }
}

impl Change {
    fn body(self, key: &str) -> Result<UpdateTaskBody, Failed> {
        let verifier = self.verifier.as_deref();
        let verifier = verifier.map(|file| verify::source(key, file)).transpose()?;
        let metadata = self.metadata.as_deref();
        Ok(UpdateTaskBody {
            prompt: input::text(self.prompt, self.prompt_file.as_deref())?,
            verifier_code: verifier.map(|verifier| verifier.code),
            metadata: metadata
                .map(|text| input::object(text, "--metadata"))
                .transpose()?,
        })
    }
}

/// What a change would change, as a unified diff of each part.
fn difference(before: &Task, change: &UpdateTaskBody) -> String {
    let code = before
        .verifier
        .as_ref()
        .map(|verifier| verifier.code.as_str());
    let pretty = |value: &serde_json::Map<String, Value>| {
        serde_json::to_string_pretty(value).expect("a value can be encoded")
    };
    let parts = [
        ("prompt", before.prompt.clone(), change.prompt.clone()),
        (
            "verifier",
            code.unwrap_or_default().to_owned(),
            change.verifier_code.clone(),
        ),
        (
            "metadata",
            pretty(&before.metadata),
            change.metadata.as_ref().map(pretty),
        ),
    ];
    parts
        .into_iter()
        .filter_map(|(name, old, new)| new.map(|new| (name, old, new)))
        .filter(|(_, old, new)| old != new)
        .map(|(name, old, new)| unified(name, &old, &new))
        .collect()
}

fn unified(name: &str, old: &str, new: &str) -> String {
    let (old, new) = (report::text::visible(old), report::text::visible(new));
    TextDiff::from_lines(&old, &new)
        .unified_diff()
        .header(&format!("{name} now"), &format!("{name} then"))
        .missing_newline_hint(false)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_shown() {
        let task = Task {
            prompt: "Close it.".into(),
            ..Task::default()
        };
        let change = |prompt: &str| UpdateTaskBody {
            prompt: Some(prompt.to_owned()),
            metadata: Some(serde_json::Map::new()),
            ..UpdateTaskBody::default()
        };
        assert_eq!(difference(&task, &change("Close it.")), "");
        let shown = difference(&task, &change("Open it."));
        assert_eq!(
            shown,
            "--- prompt now\n+++ prompt then\n@@ -1 +1 @@\n-Close it.\n+Open it.\n"
        );
    }
}
