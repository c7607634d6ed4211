//! Makes jobs: one that the service runs, or one that only collects sessions.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use fleet_api::Client;
use fleet_api::types::{CreateJobBody, EnvKey, JobMode, ProjectKey, TaskKey};

use crate::commands::fleet::failed::{Done, Failed};
use crate::commands::fleet::input;
use crate::commands::fleet::output::Output;

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// A model to run on every task; may be given more than once
    #[arg(long = "model", value_name = "MODEL", required = true)]
    models: Vec<String>,
    #[command(flatten)]
    tasks: Selection,
    /// Without this task; may be given more than once
    #[arg(long = "exclude", value_name = "KEY")]
    excluded: Vec<String>,
    /// A name, with {id}, {sid} and, at its end, {i} for what the service fills in
    #[arg(long)]
    name: Option<String>,
    /// Sessions of each model on each task
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pass_k: u32,
    /// Turns of a model in a session
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_steps: Option<u32>,
    /// How long a session may take, in whole minutes
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = minutes)]
    max_duration: u32,
    /// Sessions of one model at a time
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: u32,
    /// How the agents reach their environment
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// For every model
    #[arg(long, value_name = "TEXT", conflicts_with = "system_prompt_file")]
    system_prompt: Option<String>,
    /// A file with it; `-` is stdin
    #[arg(long, value_name = "FILE")]
    system_prompt_file: Option<PathBuf>,
    /// The system prompt of one model, MODEL=TEXT; may be given more than once
    #[arg(long = "model-prompt", value_name = "MODEL=TEXT", value_parser = input::pair)]
    model_prompts: Vec<(String, String)>,
    /// Your own account at a provider: the variable that holds its key; may be given more than once
    #[arg(long = "byok", value_name = "PROVIDER=VARIABLE", value_parser = input::pair)]
    byok: Vec<(String, String)>,
    /// How long the service may keep those keys, in whole minutes
    #[arg(long, value_name = "TIME", value_parser = minutes, requires = "byok")]
    byok_ttl: Option<u32>,
    /// The harness to run the agents in
    #[arg(long, value_name = "NAME")]
    harness: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Selection {
    /// These tasks; may be given more than once
    #[arg(long = "task", value_name = "KEY")]
    keys: Vec<String>,
    /// The tasks of this project
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
    /// The tasks of this environment
    #[arg(long, value_name = "KEY")]
    env: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct TraceArgs {
    /// A name for people; without one the service invents it
    #[arg(long)]
    name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    ToolUse,
    ComputerUse,
}

/// A duration in whole minutes, which is all that the API can say.
fn minutes(text: &str) -> Result<u32, String> {
    let time = input::duration(text)?;
    let minutes = u32::try_from(time.as_secs() / 60).unwrap_or(u32::MAX);
    if minutes == 0 || Duration::from_mins(minutes.into()) != time {
        return Err("must be whole minutes, 1m at least".to_owned());
    }
    Ok(minutes)
}

pub(super) async fn create(args: CreateArgs, client: &Client, out: Output) -> Done {
    let created = client.create_job(&body(args)?).await?;
    let done = out.record(
        &created,
        &[
            ("job", created.job_id.to_string()),
            ("name", created.name.clone().unwrap_or_default()),
            ("status", created.status.to_string()),
            (
                "workflow",
                created.workflow_job_id.clone().unwrap_or_default(),
            ),
        ],
    );
    let id = report::text::shell_word(created.job_id.as_str());
    out.note(format!("`harness fleet jobs get {id}` says how far it is"));
    done
}

fn body(args: CreateArgs) -> Result<CreateJobBody, Failed> {
    let keys = |keys: Vec<String>| -> Option<Vec<TaskKey>> {
        (!keys.is_empty()).then(|| keys.into_iter().map(TaskKey::new).collect())
    };
    let prompts: BTreeMap<String, String> = args.model_prompts.into_iter().collect();
    Ok(CreateJobBody {
        name: args.name,
        models: args.models,
        pass_k: args.pass_k,
        env_key: args.tasks.env.map(EnvKey::new),
        project_key: args.tasks.project.map(ProjectKey::new),
        task_keys: keys(args.tasks.keys),
        excluded_task_keys: keys(args.excluded),
        max_steps: args.max_steps,
        max_duration_minutes: args.max_duration,
        max_concurrent_per_model: args.concurrency,
        mode: args.mode.map(|mode| match mode {
            Mode::ToolUse => JobMode::ToolUse,
            Mode::ComputerUse => JobMode::ComputerUse,
        }),
        system_prompt: input::text(args.system_prompt, args.system_prompt_file.as_deref())?,
        model_prompts: (!prompts.is_empty()).then_some(prompts),
        byok_keys: byok(args.byok)?,
        byok_ttl_minutes: args.byok_ttl,
        harness: args.harness,
    })
}

/// The keys from their variables, which are not shown from here on.
fn byok(named: Vec<(String, String)>) -> Result<Option<BTreeMap<String, String>>, Failed> {
    let mut keys = BTreeMap::new();
    for (provider, variable) in named {
        let key = std::env::var(&variable).unwrap_or_default();
        if key.is_empty() {
            let message = format!("--byok {provider}: the variable {variable} is not set");
            return Err(Failed::usage(message));
        }
        crate::secrets::hide([key.clone()]);
        keys.insert(provider, key);
    }
    Ok((!keys.is_empty()).then_some(keys))
}

pub(super) async fn trace(args: &TraceArgs, client: &Client, out: Output) -> Done {
    let job = client.create_trace_job(args.name.as_deref()).await?;
    let done = out.record(
        &job,
        &[
            ("job", job.job_id.to_string()),
            ("name", job.name.clone()),
            ("status", job.status.clone()),
        ],
    );
    let id = report::text::shell_word(job.job_id.as_str());
    out.note(format!(
        "`harness fleet sessions ingest FILE --job {id}` adds a session"
    ));
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_whole_minutes_or_refused() {
        assert_eq!(minutes("1h30m"), Ok(90));
        for wrong in ["0m", "90s", "30", "x"] {
            assert!(minutes(wrong).is_err(), "{wrong}");
        }
    }
}
