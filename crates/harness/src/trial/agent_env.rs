//! What an agent gets: its files, its environment, its command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use process_tree::{Limits, OutputSink, StdinSource, TreeCommand};
use run_record::{Attempt, TrialLayout};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::attempt::Current;
use super::context::TrialContext;
use super::provision::Lease;
use crate::spec::{MissingValue, StdinMode, WorkingDir};
use crate::world::RUN_MARKER;

/// What agents written for the vendor's own local runner find there by default.
const MAX_STEPS: &str = "200";
const SCREEN: (&str, &str) = ("1366", "768");

/// Files of one attempt, all in the trial's folder.
pub(crate) struct AgentFiles {
    pub(crate) folder: PathBuf,
    pub(crate) prompt: PathBuf,
    pub(crate) task: PathBuf,
    pub(crate) result: PathBuf,
    pub(crate) transcript: PathBuf,
    session_log: PathBuf,
    pub(crate) stdout: PathBuf,
    stderr: PathBuf,
}

/// Why an agent's command cannot be put together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    #[error("could not prepare the trial's folder")]
    Files(#[source] io::Error),
    #[error("the agent's command cannot be completed")]
    Template(#[source] MissingValue),
}

impl AgentFiles {
    /// Makes the folder. What an earlier attempt left there moves to `attempt-N`: no evidence is lost.
    pub(crate) fn prepare(
        layout: &TrialLayout,
        current: Current<'_>,
        lease: &Lease,
    ) -> Result<Self, PrepareError> {
        let folder = layout.root().to_owned();
        let files = Self {
            prompt: layout.file("prompt.txt"),
            task: layout.file("task.json"),
            result: layout.file("result.json"),
            transcript: layout.file("transcript.jsonl"),
            session_log: layout.file("session.jsonl"),
            stdout: layout.file("stdout.log"),
            stderr: layout.file("stderr.log"),
            folder,
        };
        files
            .write(layout, current, lease)
            .map_err(PrepareError::Files)?;
        Ok(files)
    }

    /// What an agent writes and we read or show.
    pub(crate) fn of_the_agent(&self) -> Vec<PathBuf> {
        let mut files = vec![self.result.clone(), self.session_log.clone()];
        files.extend(self.transcripts());
        files
    }

    /// Where an agent may leave its conversation; the first that holds any counts.
    pub(crate) fn transcripts(&self) -> Vec<PathBuf> {
        let named = |name: &str| self.folder.join(name);
        vec![
            self.transcript.clone(),
            named("transcript.json"),
            named("trajectory.json"),
        ]
    }

    fn write(&self, layout: &TrialLayout, current: Current<'_>, lease: &Lease) -> io::Result<()> {
        fs_err::create_dir_all(&self.folder)?;
        if current.attempt > Attempt::FIRST {
            let before = Attempt(current.attempt.0 - 1);
            keep_evidence(&self.folder, &layout.attempt(before))?;
        }
        let task = &current.plan.task;
        fs_err::write(&self.prompt, &task.prompt)?;
        fs_err::write(&self.task, task_json(current, lease))
    }
}

/// The task as the agent sees it: everything but how it is verified.
fn task_json(current: Current<'_>, lease: &Lease) -> Vec<u8> {
    let task = &current.plan.task;
    let variant: BTreeMap<&str, &str> = current
        .plan
        .variant
        .values
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let value = json!({
        "key": task.key,
        "prompt": task.prompt,
        "env_key": task.env_key(),
        "data_key": task.data_key(),
        "env_variables": task.env_variables,
        "metadata": task.metadata,
        "output_json_schema": task.output_json_schema,
        "variant": variant,
        "trial": current.plan.id.trial,
        "attempt": current.attempt,
        "instance_id": lease.instance.instance_id,
        "urls": lease.instance.urls,
    });
    serde_json::to_vec_pretty(&value).expect("a value can be encoded")
}

/// Moves everything but older evidence.
fn keep_evidence(folder: &Path, to: &Path) -> io::Result<()> {
    let entries: Vec<_> = fs_err::read_dir(folder)?.collect::<Result<_, _>>()?;
    fs_err::create_dir_all(to)?;
    for entry in entries {
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with("attempt-") {
            fs_err::rename(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

/// The agent's command: program, arguments, environment, files and limits.
pub(crate) fn command(
    context: &TrialContext,
    current: Current<'_>,
    lease: &Lease,
    files: &AgentFiles,
) -> Result<TreeCommand, PrepareError> {
    let agent = &context.spec.agent;
    let value = |name: &str| placeholder(context, current, lease, files, name);
    let render =
        |template: &crate::spec::Template| template.render(value).map_err(PrepareError::Template);
    let mut words = agent.command.iter().map(render);
    let program = words
        .next()
        .expect("the spec was checked: the command is not empty")?;
    let cwd = match &agent.working_dir {
        WorkingDir::Trial => files.folder.clone(),
        WorkingDir::Folder(folder) => folder.clone(),
        WorkingDir::Template(template) => context.spec.spec_dir.join(render(template)?),
    };
    let mut command = TreeCommand::new(program, cwd);
    command.args = words
        .map(|word| word.map(OsString::from))
        .collect::<Result<_, _>>()?;
    command.env = environment(context, current, lease, files);
    for (name, template) in &agent.env {
        set(&mut command.env, name, render(template)?.into());
    }
    command.stdin = match agent.stdin {
        StdinMode::None => StdinSource::Null,
        StdinMode::Prompt => StdinSource::File(files.prompt.clone()),
        StdinMode::Task => StdinSource::File(files.task.clone()),
    };
    let sink = |path: &PathBuf| OutputSink::File {
        path: path.clone(),
        limit: agent.output_limit,
    };
    command.stdout = sink(&files.stdout);
    command.stderr = sink(&files.stderr);
    command.watch_last_json_line = true;
    command.mask = context.redactor.clone();
    command.grace = agent.grace_period;
    command.limits = Limits {
        tree_memory_bytes: agent.memory_limit,
        tree_processes: Some(agent.pids_limit.into()),
        ..Limits::default()
    };
    command.containment = agent.containment.into();
    Ok(command)
}

/// Inherited names first, then the contract's, so that the contract's cannot be shadowed by the caller's shell.
fn environment(
    context: &TrialContext,
    current: Current<'_>,
    lease: &Lease,
    files: &AgentFiles,
) -> Vec<(OsString, OsString)> {
    let agent = &context.spec.agent;
    let mut env: Vec<(OsString, OsString)> = agent
        .inherit_env
        .iter()
        .filter_map(|name| Some((name.into(), std::env::var_os(name)?)))
        .collect();
    let urls = Urls::of(lease);
    let trial = &current.plan.id;
    let task = &current.plan.task;
    let matrix = |key: &str| {
        let mut values = current.plan.variant.values.iter();
        values
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.clone())
    };
    let path = |path: &Path| path.as_os_str().to_owned();
    let has_model = env.iter().any(|(name, _)| name == "FLEET_MODEL");
    let mut put = |name: &str, value: OsString| set(&mut env, name, value);
    put("FLEET_TASK_KEY", task.key.as_str().into());
    put("FLEET_TASK_PROMPT", environment_safe(&task.prompt).into());
    put(
        "FLEET_INSTANCE_ID",
        lease.instance.instance_id.as_str().into(),
    );
    let job = context.job.id();
    let job = job.map_or(context.run_id.as_str(), |job| job.as_str());
    put("FLEET_JOB_ID", job.into());
    put("FLEET_ENV_URL", urls.root.clone().into());
    put("FLEET_APP_URL", urls.app.clone().into());
    put("FLEET_APP_URLS", json!(urls.apps).to_string().into());
    put("FLEET_MANAGER_URL", urls.manager.into());
    // Agents of the vendor's own runner append the path themselves.
    let mcp = match &agent.flt {
        Some(_) => urls.root.trim_end_matches('/').to_owned(),
        None => urls.mcp,
    };
    put("FLEET_MCP_URL", mcp.into());
    put(
        "FLEET_MAX_STEPS",
        matrix("max_steps")
            .unwrap_or_else(|| MAX_STEPS.to_owned())
            .into(),
    );
    put("FLEET_SESSION_LOG", path(&files.session_log));
    put("FLEET_VERBOSE", "false".into());
    put("FLEET_SCREEN_WIDTH", SCREEN.0.into());
    put("FLEET_SCREEN_HEIGHT", SCREEN.1.into());
    put("PYTHONUNBUFFERED", "1".into());
    put(RUN_MARKER, context.run_id.as_str().into());
    put("HARNESS_TRIAL_ID", trial.to_string().into());
    put("HARNESS_TRIAL", trial.trial.to_string().into());
    put("HARNESS_TRIAL_DIR", path(&files.folder));
    put("HARNESS_TASK_FILE", path(&files.task));
    put("HARNESS_RESULT_FILE", path(&files.result));
    put("HARNESS_TRANSCRIPT_FILE", path(&files.transcript));
    // Agents of the vendor's own runner always find one.
    let model = match matrix("model") {
        None if agent.flt.is_some() && !has_model => Some(agent.name.clone()),
        model => model,
    };
    if let Some(model) = model {
        put("FLEET_MODEL", model.into());
    }
    if agent.fleet_access {
        put("FLEET_API_KEY", context.api_key.expose_secret().into());
        put("FLEET_BASE_URL", context.service.base_url().into());
    }
    env
}

/// Longest single value of the environment that Linux takes, with room for the name (`MAX_ARG_STRLEN` is 128 KiB).
const MAX_VALUE: usize = 120 * 1024;

/// A prompt that fits into an environment variable; the whole one is in the task file in any case.
fn environment_safe(prompt: &str) -> String {
    let mut text = prompt.replace('\0', "");
    if text.len() > MAX_VALUE {
        text.truncate(text.floor_char_boundary(MAX_VALUE));
    }
    text
}

fn set(env: &mut Vec<(OsString, OsString)>, name: &str, value: OsString) {
    env.retain(|(known, _)| known != name);
    env.push((name.into(), value));
}

/// Where an instance can be reached.
struct Urls {
    root: String,
    app: String,
    apps: Vec<String>,
    manager: String,
    mcp: String,
}

impl Urls {
    fn of(lease: &Lease) -> Self {
        let Some(urls) = &lease.instance.urls else {
            return Self {
                root: String::new(),
                app: String::new(),
                apps: Vec::new(),
                manager: String::new(),
                mcp: String::new(),
            };
        };
        Self {
            root: urls.root.clone(),
            app: urls
                .app
                .first()
                .cloned()
                .unwrap_or_else(|| urls.root.clone()),
            apps: urls.app.clone(),
            manager: urls.manager.api.clone(),
            mcp: format!("{}mcp", urls.root),
        }
    }
}

fn placeholder(
    context: &TrialContext,
    current: Current<'_>,
    lease: &Lease,
    files: &AgentFiles,
    name: &str,
) -> Option<String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let urls = Urls::of(lease);
    Some(match name {
        "task_key" => current.plan.task.key.as_str().to_owned(),
        "trial" => current.plan.id.trial.to_string(),
        "prompt" => current.plan.task.prompt.replace('\0', ""),
        "prompt_file" => text(&files.prompt),
        "task_file" => text(&files.task),
        "trial_dir" => text(&files.folder),
        "spec_dir" => text(&context.spec.spec_dir),
        "env_url" => urls.root,
        "app_url" => urls.app,
        "mcp_url" => urls.mcp,
        "instance_id" => lease.instance.instance_id.as_str().to_owned(),
        "harness" => text(&context.harness_program),
        key => {
            let mut values = current.plan.variant.values.iter();
            return values
                .find(|(name, _)| name == key)
                .map(|(_, value)| value.clone());
        }
    })
}
